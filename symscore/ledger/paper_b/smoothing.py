"""Section 4.2 of paper B: finite differences, and the filter made of them."""

from fractions import Fraction
from math import comb, factorial, sqrt

import sympy
from flint import arb
from sympy import Expr, symbols

from symscore.exact import (
    ExactMixture,
    HermiteExpansion,
    hermite_coefficients,
    is_identity,
    polynomial_error,
)
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.moments import Exponent
from symscore.exact.bounds.tanh_powers import generator_moment
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# From the degree to m and h.
FILTERS = {
    5: (2, Fraction(3, 5)),
    11: (3, Fraction(2, 5)),
    21: (3, Fraction(3, 10)),
    41: (4, Fraction(3, 10)),
}


@entry(
    "B.Eq14-15",
    title="Two distances, and finite differences by derivatives",
    page="26",
    statement=r"$\Vert f - g \Vert^2 \le 2 (\Vert f - \tilde f \Vert^2 + "
    r"\Vert \tilde f - g \Vert^2)$; $|\Delta_h^m g(0)| \le h^m (2 e)^m \max_{[0, m h]} |g^{(m)}|$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=("the fundamental theorem of calculus", r"$1 - e^{-x} \le x$"),
    finding=Finding(
        Label.REMARK,
        r"the factor $(2 e)^m$",
        "the factor 1",
        r"$\Delta_h^m g(0) = h^m E \, g^{(m)}(h (U_1 + \dots + U_m))$ with independent uniform "
        r"variables on (0, 1); $g = x^m$ attains it.",
    ),
)
def finite_differences(effort: Effort) -> str:
    """Decide the mean-value form for all polynomials of a degree, and certify it for tanh."""
    a, b = symbols("a1:4"), symbols("b1:4")
    whole = [_squares(x + sign * y for x, y in zip(a, b, strict=True)) for sign in (1, -1)]
    require(is_identity(2 * (_squares(a) + _squares(b)) - whole[0], whole[1]), "a parallelogram")
    h, degree = Fraction(2, 3), effort.pick(8, 14)
    for m in range(1, effort.pick(5, 8)):
        means = _uniform_moments(m, degree)
        for n in range(degree + 1):
            signed = (comb(m, j) * (-1) ** (m - j) * (j * h) ** n for j in range(m + 1))
            falling = factorial(n) // factorial(n - m) if n >= m else 0
            mean = falling * h ** (n - m) * means[n - m] if n >= m else Fraction(0)
            require(sum(signed) == h**m * mean, "the mean of the derivative", (m, n))
        require(means[0] == 1, "equality for x^m", m)
    with precision(64):
        shares = [_filtered_share(m, Fraction(1, 20)) for m in range(1, effort.pick(3, 5))]
        require(all(share <= 1 for share in shares), "a filter error below h^m |L^m f|", shares)
        require(10 * shares[0] > 9, "nearly all of it for m = 1", shares[0])
    shown = ", ".join(f"{float(share):.2f}" for share in shares)
    return f"constant 1, attained; filter on tanh, h = 1/20: {shown} of h^m |L^m f| for m = 1, ..."


def _squares(values: object) -> Expr:
    return sympy.Add(*(value**2 for value in values))  # type: ignore[attr-defined]


def _uniform_moments(m: int, most: int) -> list[Fraction]:
    """Return the moments of a sum of m independent uniform variables on (0, 1)."""
    moments = [Fraction(int(k == 0)) for k in range(most + 1)]
    for _ in range(m):
        moments = [
            sum((comb(k, i) * moments[i] / (k - i + 1) for i in range(k + 1)), Fraction(0))
            for k in range(most + 1)
        ]
    return moments


def _filtered_share(m: int, h: Fraction) -> arb:
    """Return the norm of (1 - P_h)^m tanh by its coefficients, over h^m times that of L^m tanh."""
    coefficients, rest = _coefficients(1, 31), generator_moment(Fraction(1), 0, 2)
    total = arb(0)
    for k, a in coefficients.items():
        rest -= a * a
        total += (1 - ball_of(-h * k).exp()) ** (2 * m) * a * a
    return (total + rest).sqrt() / (ball_of(h) ** m * generator_moment(Fraction(1), m, 2).sqrt())


def _pair(mu: int) -> ExactMixture:
    return ExactMixture(("1/2", "1/2"), ((-mu,), (mu,)), (((1,),), ((1,),)))


def _coefficients(mu: int, most: int) -> dict[int, arb]:
    """Return the coefficients of mu tanh(mu y) in normalised Hermite polynomials."""
    pair = _pair(mu)
    (found,) = hermite_coefficients(pair, most, 1, relative=True, digits=16)
    return {k: ball_of(value.lower).union(ball_of(value.upper)) for (k,), value in found.items()}


@entry(
    "B.Lem4.5",
    title="Low degree under a nearby law",
    page="26",
    statement=r"If f is $(O(r), \sigma)$-noise-sensitive, $r \ge 1$ and "
    r"$\Vert d\gamma' / d\gamma \Vert_{L^{1 + a}(\gamma)} \le e^{a r^2 / 2}$ for all $a \ge 0$, "
    r"some g of degree $O(r^4 \ln^4(1/\varepsilon) \max(r^2, \ln(1/\varepsilon)))$ has "
    r"$\Vert f - g \Vert^2_{L^2(\gamma')} \le \varepsilon^2 r^2 \sigma^2$ and "
    r"$\Vert g \Vert_\gamma \le \Vert f \Vert_\gamma$.",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("B.Lem4.1", "B.LemB.3", "B.Eq20"),
    reason="the constants in the degree are not stated",
    weaker="that the paper's filter, with explicit m and h, gives polynomials near the denoiser of "
    "atoms at -2 and 2 in the law itself, where cutting its Hermite series off diverges, and that "
    "they are no longer than the denoiser under the reference law",
    finding=Finding(
        Label.TYPO,
        r"$|a_k| \le |b_k|$ at the end of the proof; $e^{h l}$ in (21)",
        r"$|b_k| \le |a_k|$; $e^{h l / \sigma^2}$",
        r"The filter multiplies $a_k$ by a number in [0, 1].",
    ),
)
def filtered_series(effort: Effort) -> str:
    """Certify the errors of the filtered and of the truncated series under the law."""
    pair = _pair(2)
    degrees, found = effort.pick((5, 11), (5, 11, 21, 41)), []
    with precision(64):
        whole = generator_moment(Fraction(2), 0, 2)
    for degree in degrees:
        coefficients = {k: float(a) for k, a in _coefficients(2, degree).items()}
        series = [_rational(coefficients, factor) for factor in (None, FILTERS[degree])]
        errors = []
        for expansion in series:
            score = expansion - HermiteExpansion({(1,): 1})
            errors.append(sqrt(polynomial_error(pair, [score.monomials()]).upper))
        energy = Fraction(*map(int, series[1].energy().as_numer_denom()))
        with precision(64):
            require(ball_of(energy) <= whole, "a polynomial no longer than the denoiser", energy)
        found.append(errors)
    cut, kept = zip(*found, strict=True)
    require(list(cut) == sorted(cut) and cut[-1] > 6, "a truncated series that diverges", cut)
    require(kept[::-1] == tuple(sorted(kept)), "a filtered series that does not", kept)
    require(kept[-1] < Fraction(1, 3), "an error below 1/3", kept)
    return "; ".join(
        f"degree {d}: {filtered:.3g}, truncated {truncated:.3g}"
        for d, truncated, filtered in zip(degrees, cut, kept, strict=True)
    )


def _rational(
    coefficients: dict[int, float], filtering: tuple[int, Fraction] | None
) -> HermiteExpansion:
    """Return a rational polynomial near a series, filtered with m and h."""
    terms: dict[Exponent, Fraction] = {}
    for k, a in coefficients.items():
        factor = Fraction(1)
        if filtering is not None:
            m, h = filtering
            factor = 1 - (1 - Fraction(float(ball_of(-h * k).exp()))) ** m
        terms[(k,)] = factor * Fraction(a / sqrt(factorial(k)))
    return HermiteExpansion(terms)


@entry(
    "B.Eq20",
    title="The filter's coefficients",
    page="27",
    statement=r"$\sum_{j=1}^m (-1)^{j+1} \binom m j e^{-j h |k| / \sigma^2} a_k = "
    r"[1 - (1 - e^{-h |k| / \sigma^2})^m] a_k = b_k$, and "
    r"$|b_k| \le \min(1, m e^{-h |k| / \sigma^2}) |a_k|$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
)
def filter_coefficients(effort: Effort) -> str:
    """Decide the binomial identity order by order, and Bernoulli's inequality by induction."""
    z, m, rest = symbols("z m rest")
    most = effort.pick(12, 40)
    one = sympy.Poly(1, z)
    for order in range(1, most + 1):
        alternating = {(j,): (-1) ** (j + 1) * comb(order, j) for j in range(1, order + 1)}
        left = sympy.Poly.from_dict(alternating, z)
        require(left == one - (one - sympy.Poly(z, z)) ** order, "the filter", order)
    # With rest = (1 - z)^m in [0, 1]: from m to m + 1 the gap m z - 1 + rest grows by z (1 - rest).
    gap = m * z - 1 + rest
    following = (m + 1) * z - 1 + rest * (1 - z)
    require(is_identity(following, gap + z * (1 - rest)), "the induction's step", following)
    require(is_identity(gap.subs({m: 0, rest: 1}), 0), "the induction's start")
    return f"m <= {most}; the inequality for all m"
