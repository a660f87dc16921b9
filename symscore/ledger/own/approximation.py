"""How fast the Hermite series of the denoiser of a bounded law converges: three theorems."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import comb, factorial

import sympy
from flint import acb, arb, fmpq
from sympy import symbols

from symscore.exact import DifferentialField, ExactMixture, hermite_coefficients, is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.moments import Exponent, exponents, gaussian_moments
from symscore.exact.arithmetic.polynomial import Polynomial, expectation, partial, product
from symscore.exact.bounds import tail_theorems as theorems
from symscore.exact.bounds.tanh_powers import generator_moment
from symscore.exact.expansions.hermite import factorials, hermite_to_monomials
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require

SETTING = (
    r"Let Q be on the ball of radius R about 0, $Y = \mu + \sigma \xi$, $\mu \sim Q$, "
    r"$f(y) = E[\mu \mid Y = y]$, $\rho = R s / \sigma^2$, and $T_d$ the norm in "
    r"$L^2(N(0, s^2 I))$ of f's Hermite series from degree d on. "
)


@entry(
    "own.Strip",
    title="The analytic strip of a denoiser, and its Hermite series",
    statement=SETTING
    + r"For $|\eta| < \pi \sigma^2 / 2 R$, $|f(y + i \eta)| \le R \sec(R |\eta| / "
    r"\sigma^2)$; for $0 < \theta < \pi / 2$, $T_d \le R (S(\theta) / "
    r"G_n(d, \theta^2 / \rho^2))^{1/2}$, $S(\theta)$ the mean of $\sec^2(\theta \sin \varphi)$, "
    r"$G_n(d, x) = \sum_m \binom dm x^m / (n (n + 2) \cdots (n + 2 m - 2))$, for n = 1 over m!.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=("Parseval's identity on a circle", "orthogonality of Hermite polynomials"),
    proof="proof-strip",
)
def strip(effort: Effort) -> str:
    """Test the strip in balls, decide the tensors' algebra, and enclose the bound two ways."""
    _check_energies(effort.pick(3, 5))
    _check_tensors(effort.pick(3, 5))
    with precision(96):
        largest = _strip_ratio(effort.pick(6, 24))
        theta, shown = Fraction(3, 2), []
        for dim in (1, 3):
            one, other = (
                method(dim, 12, Fraction(2), theta)
                for method in (theorems.strip_by_sums, theorems.strip_by_functions)
            )
            require(one.overlaps(other) and one.rad() < 1e-15, "equal bounds", (one, other))
        for d in effort.pick((5, 13), (5, 13, 41)):
            tail, bound = _tail(Fraction(1), d), theorems.strip_by_sums(1, d, Fraction(1), theta)
            require(tail <= bound, "a tail below the bound", (d, tail, bound))
            shown.append(f"d = {d}: {float(tail):.2g} <= {float(bound):.2g}")
    return f"strip attained to {float(largest):.4f}; tanh: {', '.join(shown)}"


def _strip_ratio(count: int) -> arb:
    """Return the largest |f(y + i eta)| over its bound, for three laws on the line, sigma = 1."""
    largest = arb(0)
    laws = (
        ((Fraction(1, 2), Fraction(-1)), (Fraction(1, 2), Fraction(1))),
        (
            (Fraction(1, 5), Fraction(-3, 2)),
            (Fraction(3, 5), Fraction(1)),
            (Fraction(1, 5), Fraction(3, 2)),
        ),
        ((Fraction(1, 100), Fraction(-2)), (Fraction(99, 100), Fraction(2))),
    )
    for law in laws:
        radius = max(abs(place) for _, place in law)
        for n in range(count):
            # From 0 to the last hundredth of the strip's half-width, 157 / 100 < pi / 2.
            eta = Fraction(157 * (n + 1), 100 * count) / radius
            for m in range(-2, 3):
                y = acb(ball_of(Fraction(m, 3)), ball_of(eta))
                parts = [
                    (ball_of(w) * (ball_of(x) * y - ball_of(x * x / 2)).exp(), ball_of(x))
                    for w, x in law
                ]
                value = sum((p * x for p, x in parts), acb(0)) / sum((p for p, _ in parts), acb(0))
                ratio = abs(value) * ball_of(radius * eta).cos() / ball_of(radius)
                require(ratio <= 1, "a value within the strip's bound", (law, eta, ratio))
                largest = max(largest, ratio, key=float)
    require(100 * largest > 99, "a bound that is nearly attained", largest)
    return largest


def _check_energies(most: int) -> None:
    r"""Decide ``s^(2 m) E |grad^m f|^2 = m! sum_k C(|k|, m) a_k^2`` in the plane."""
    variance = fmpq(9, 4)
    hermite: Polynomial = {
        k: fmpq((5 * sum(k) ** 2 + 2 * k[0] + 3) % 7 - 3, 2) for k in exponents(2, most)
    }
    table = gaussian_moments((fmpq(0),) * 2, ((variance, fmpq(0)), (fmpq(0), variance)), 2 * most)
    energies = {k: c * c * variance ** sum(k) * factorials(k) for k, c in hermite.items()}
    slopes: dict[Exponent, Polynomial] = {(0, 0): hermite_to_monomials(hermite, variance)}
    for m in range(most + 1):
        # A mixed derivative stands comb(m, i) times in the tensor.
        norm = sum(
            (comb(m, a[0]) * expectation(product(f, f), table) for a, f in slopes.items()), fmpq(0)
        )
        want = sum((factorial(m) * comb(sum(k), m) * e for k, e in energies.items()), fmpq(0))
        require(variance**m * norm == want, "the energy of a derivative", m)
        slopes = {
            (i, m + 1 - i): partial(slopes[(i - 1, m + 1 - i)], 0)
            if i
            else partial(slopes[(0, m)], 1)
            for i in range(m + 2)
        }


def _check_tensors(most: int) -> None:
    r"""Decide E|z|^(2 m) and ``E <t, z^m>^2 >= m! |t|^2`` for symmetric tensors in the plane."""
    n = 3
    unit = tuple(tuple(fmpq(int(i == j)) for j in range(n)) for i in range(n))
    table = gaussian_moments((fmpq(0),) * n, unit, 2 * most)
    square: Polynomial = {tuple(2 * int(i == j) for j in range(n)): fmpq(1) for i in range(n)}
    power: Polynomial = {(0,) * n: fmpq(1)}
    divisor = 1
    for m in range(most + 1):
        require(expectation(power, table) == divisor, "the moment of a length", m)
        power, divisor = product(power, square), divisor * (n + 2 * m)
        form: Polynomial = {
            a: fmpq((3 * a[0] + 5 * a[1] * a[1] + m) % 7 - 3)
            for a in exponents(n, m)
            if sum(a) == m
        }
        # <t, z^m> = sum c_a z^a with m! |t|^2 = sum c_a^2 a!.
        chaos = sum((c * c * factorials(a) for a, c in form.items()), fmpq(0))
        require(expectation(product(form, form), table) >= chaos, "at least the top chaos", m)


def _tail(mu: Fraction, d: int) -> arb:
    """Return the distance of mu tanh(mu y) from polynomials of degree below d, under N(0, 1)."""
    pair = ExactMixture(("1/2", "1/2"), ((-mu,), (mu,)), (((1,),), ((1,),)))
    (found,) = hermite_coefficients(pair, d - 1, 1, relative=True, digits=16)
    total = generator_moment(mu, 0, 2)
    for value in found.values():
        total -= ball_of(value.lower).union(ball_of(value.upper)) ** 2
    return total.sqrt()


@entry(
    "own.NoiseSensitivity",
    title="Explicit noise sensitivity in every dimension",
    statement=SETTING + r"$|\nabla^m f| \le R^{m+1} \sigma^{-2m} N(m)$ everywhere, in the norm of "
    r"tensors, $N(m) = \sum_j S(m + 1, j) (j - 1)!$ with Stirling's numbers; so, for $m \le d$, "
    r"$T_d \le R \rho^m N(m) ((d - m)! / d!)^{1/2}$ in every dimension.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("B.Def4.3",),
    uses=("Jensen's inequality for tensor powers", "orthogonality of Hermite polynomials"),
    proof="proof-noise-sensitivity",
)
def noise_sensitivity(effort: Effort) -> str:
    """Derive the cumulants from one another for every law, and count their terms."""
    _check_moments()
    most = effort.pick(7, 11)
    moments = symbols(f"M1:{most + 2}")
    slopes = [following - moment * moments[0] for moment, following in pairwise(moments)]
    for m in range(most):
        cumulant, following = (_cumulant(moments, n) for n in (m + 1, m + 2))
        # The derivative of a moment is sigma^-2 (M_(k+1) - M_k M_1).
        derived = sum(
            (
                cumulant.diff(s) * sympy.Poly(d, *moments)
                for s, d in zip(moments, slopes, strict=False)
            ),
            sympy.Poly(0, *moments),
        )
        require(derived == following, "the next cumulant", m)
        count = sum(abs(int(c)) for c in cumulant.coeffs())
        with precision(96):
            for method in (theorems.noise_by_stirling, theorems.noise_by_orderings):
                found = method(m, Fraction(1), m) * arb(factorial(m)).sqrt()
                require(abs(found - count) < 1e-9 * count, "as many terms", (m, count, found))
    _check_energies(effort.pick(3, 5))
    d, half = effort.pick(11, 41), Fraction(1, 2)
    with precision(96):
        bound = min(
            (theorems.noise_by_stirling(d, half**2, m) for m in range(d + 1)), key=float
        ) * ball_of(half)
        tail = _tail(half, d)
        require(tail <= bound, "a tail below the bound", (tail, bound))
    shown = f"tanh, d = {d}: {float(tail):.2g} <= {float(bound):.2g}"
    return f"m <= {most}, N = 1, 2, 6, ..., {count}; {shown}"


def _check_moments() -> None:
    """Decide the derivative of a posterior moment, for two atoms with symbolic weights."""
    y, v, m, n, w, z = symbols("y v m n w z")
    one, two = symbols("one two")
    field = DifferentialField(
        [y, v, m, n, w, z], {one: (y * m - m**2 / 2) / v, two: (y * n - n**2 / 2) / v}
    )
    for k in range(1, 4):
        here, following, mean = (
            (w * one * m**j + z * two * n**j) / (w * one + z * two) for j in (k, k + 1, 1)
        )
        require(field.diff(here, y) == field.element((following - here * mean) / v), "a slope", k)


def _cumulant(moments: tuple[sympy.Symbol, ...], n: int) -> sympy.Poly:
    """Return the n-th cumulant by its sum over set partitions, in the moments."""
    terms: dict[tuple[int, ...], int] = {}
    for sizes in _partitions(n, n):
        blocks, count = len(sizes), factorial(n)
        for size in set(sizes):
            repeated = sizes.count(size)
            count //= factorial(size) ** repeated * factorial(repeated)
        key = tuple(sizes.count(j + 1) for j in range(len(moments)))
        terms[key] = (-1) ** (blocks - 1) * factorial(blocks - 1) * count
    return sympy.Poly.from_dict(terms, *moments)


def _partitions(total: int, most: int) -> Iterator[list[int]]:
    """Yield the partitions of a number into parts of at most a size."""
    if total == 0:
        yield []
    for first in range(min(total, most), 0, -1):
        for rest in _partitions(total - first, first):
            yield [first, *rest]


@entry(
    "own.DilatedReference",
    title="The same bounds in the law itself",
    statement=SETTING
    + r"With $s^2 = (1 + \delta) \sigma^2$, $\delta > 0$, the law P of Y has $dP / "
    r"dN(0, s^2 I) \le (1 + \delta)^{n/2} e^{R^2 / 2 \delta \sigma^2}$, so that the Hermite series "
    r"cut off before d is within $(1 + \delta)^{n/4} e^{R^2 / 4 \delta \sigma^2} \, T_d$ of f in "
    r"$L^2(P)$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("own.Strip", "own.NoiseSensitivity"),
    proof="proof-dilated-reference",
)
def dilated_reference(effort: Effort) -> str:
    """Complete the square; require equality for a point mass, and exact norms below the bound."""
    y, m, v, delta = symbols("y m v delta", positive=True)
    s = (1 + delta) * v
    centre = m * (1 + delta) / delta
    exponent = y**2 / (2 * s) - (y - m) ** 2 / (2 * v)
    square = m**2 / (2 * delta * v) - delta / (2 * s) * (y - centre) ** 2
    require(is_identity(exponent, square), "a completed square")
    require(is_identity((s / v) ** 2, (1 + delta) ** 2), "the determinants")
    shares = []
    for spread in effort.pick((Fraction(1), Fraction(4)), tuple(map(Fraction, (1, 2, 4, 8)))):
        with precision(80):
            factor = theorems.law_factor(1, Fraction(4), spread) ** 2
            # For a point mass at R = 2 the densities' ratio is largest at R (1 + delta) / delta.
            top = Fraction(2) * (1 + spread) / spread
            log_ratio = ball_of(top**2 / (2 * (1 + spread)) - (top - 2) ** 2 / 2)
            reached = log_ratio.exp() * ball_of(1 + spread).sqrt()
            require(
                reached.overlaps(factor) and factor.rad() < 1e-12, "equality", (reached, factor)
            )
            share = max((_norm_ratio(spread, k) / factor for k in range(1, 30)), key=float)
            require(share <= 1, "norms in the law below the bound", (spread, share))
        shares.append(share)
    shown = ", ".join(f"{float(share):.2g}" for share in shares)
    return f"attained by a point mass; for Hermite polynomials to degree 29 up to {shown} of it"


def _norm_ratio(delta: Fraction, k: int) -> arb:
    """Return E h_k^2 under N(-2, 1)/2 + N(2, 1)/2, h_k normalised for N(0, 1 + delta)."""
    s = fmpq((1 + delta).numerator, (1 + delta).denominator)
    he = hermite_to_monomials({(k,): fmpq(1)}, s)
    table = gaussian_moments((fmpq(2),), ((fmpq(1),),), 2 * k)
    return ball_of(expectation(product(he, he), table) / (s**k * factorial(k)))
