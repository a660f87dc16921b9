"""Section 6.1 of paper A: how far the scores of two components are apart, and its moments."""

from collections.abc import Iterator
from fractions import Fraction

import sympy
from flint import arb, fmpq, fmpq_mat
from sympy import E, exp, symbols

from symscore.exact import hermite_e, is_identity
from symscore.exact.arithmetic.balls import as_fraction, ball_of, precision
from symscore.exact.arithmetic.moments import exponents, gaussian_moments
from symscore.exact.arithmetic.polynomial import Polynomial, expectation, product
from symscore.exact.arithmetic.quadratic_forms import is_semidefinite
from symscore.exact.arithmetic.rational import Row, column, entries, trace
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# In the plane: the first covariance, the second, alpha, and the difference of the means.
PLANES = (
    (fmpq_mat([[1, 0], [0, 1]]), fmpq_mat([[1, 0], [0, 1]]), fmpq(1), (fmpq(2), fmpq(1))),
    (fmpq_mat([[1, 0], [0, 1]]), fmpq_mat([[2, 1], [1, 2]]), fmpq(1), (fmpq(1), fmpq(-1, 3))),
    (fmpq_mat([[2, 1], [1, 3]]), fmpq_mat([[1, 0], [0, fmpq(1, 2)]]), fmpq(1, 2), (fmpq(0),) * 2),
    (
        fmpq_mat([[fmpq(1, 4), 0], [0, fmpq(1, 4)]]),
        fmpq_mat([[fmpq(1, 4), 0], [0, 50]]),
        fmpq(1, 4),
        (fmpq(0), fmpq(0)),
    ),
)


@entry(
    "A.Claim38",
    title="How far two components' scores are apart",
    page="47",
    statement=r"$E_{N_1} \Vert g_1 - g_2 \Vert^4 \lesssim \frac{\beta^2}{\alpha^8} (D^2 + D)$ with "
    r"$D = \Vert \Delta\mu \Vert^2 + \Vert \Delta Q \Vert_F^2$, $g_i = -Q_i^{-1} (x - \mu_i)$; "
    r"$E \Vert \cdot \Vert^{2 t} \lesssim t^t (E \Vert \cdot \Vert^4)^{t/2}$ for $t \ge 2$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Fact39", "A.Lem21"),
    uses=(
        "a matrix is diagonal in two orthonormal bases",
        r"$\Vert A B \Vert_F \le \Vert A \Vert_{op} \Vert B \Vert_F$",
    ),
    finding=Finding(
        Label.TYPO,
        r"a term $\Vert b \Vert^2$ in the display of $E \Vert x \Vert^4$",
        r"$E \Vert S z + b \Vert^4 = (\Vert S \Vert_F^2 + \Vert b \Vert^2)^2 + "
        r"2 \Vert S S^T \Vert_F^2 + 4 \Vert S^T b \Vert^2 \le 3 (\Vert S \Vert_F^2 + "
        r"\Vert b \Vert^2)^2 \le 3 \alpha^{-6} D^2$, and moments with the factor $(t - 1)^t$",
        r"$S = Q_2^{-1} (Q_1 - Q_2) Q_1^{-1/2}$ and $b = Q_2^{-1} \Delta\mu$ have "
        r"$\Vert S \Vert_F^2 \le \alpha^{-3} \Vert \Delta Q \Vert_F^2$ and "
        r"$\Vert b \Vert^2 \le \alpha^{-2} \Vert \Delta\mu \Vert^2$.",
    ),
)
def score_gap(effort: Effort) -> str:
    """Decide the fourth moment for all S and b, and the bounds on rational instances."""
    s, b, z = symbols("s1:3"), symbols("b1:3"), symbols("z1:3")
    point = [one * r + two for one, r, two in zip(s, z, b, strict=True)]
    square = sympy.Poly(sympy.expand((point[0] ** 2 + point[1] ** 2) ** 2), *z)
    normal = (1, 0, 1, 0, 3)
    moment = sympy.Add(*(c * normal[i] * normal[j] for (i, j), c in square.terms()))
    size, shift = s[0] ** 2 + s[1] ** 2, b[0] ** 2 + b[1] ** 2
    pulled = 4 * (s[0] ** 2 * b[0] ** 2 + s[1] ** 2 * b[1] ** 2)
    wick = (size + shift) ** 2 + 2 * (s[0] ** 4 + s[1] ** 4) + pulled
    # ||S z + b||^4 has no products of more than two coordinates: this is every dimension.
    require(is_identity(moment, wick), "the fourth moment", moment)
    squares = symbols("t1:3") + symbols("c1:3")
    gap = sympy.expand(3 * (size + shift) ** 2 - wick).subs(
        {v**2: w for v, w in zip((*s, *b), squares, strict=True)}
    )
    require(is_nonnegative(gap, dict.fromkeys(squares, 0)), "at most 3 times the square", gap)
    shares = [_gap_shares(*plane) for plane in PLANES]
    fourth, eighth = (max(found) for found in zip(*shares, strict=True))
    return (
        f"constant 3; {len(shares)} instances in the plane: fourth moments up to "
        f"{float(fourth):.3f} of the bound, eighth up to {float(eighth):.3f}"
    )


def _gap_shares(one: fmpq_mat, two: fmpq_mat, alpha: fmpq, shift: Row) -> tuple[Fraction, Fraction]:
    """Return the shares in their bounds of the fourth and the eighth moment, exactly."""
    floor = fmpq_mat([[alpha, 0], [0, alpha]])
    require(all(is_semidefinite(q - floor) for q in (one, two)), "covariances above alpha")
    turn, moved = two.inv() - one.inv(), two.inv() * column(shift)
    covariance = turn * one * turn.transpose()
    rows = tuple(tuple(row) for row in covariance.tolist())
    table = gaussian_moments(entries(moved), rows, 8)
    norm: Polynomial = {(2, 0): fmpq(1), (0, 2): fmpq(1)}
    power = product(norm, norm)
    fourth, eighth = expectation(power, table), expectation(product(power, power), table)
    change = one - two
    size = trace(change * change.transpose()) + sum((e * e for e in shift), fmpq(0))
    bound = 3 * size**2 / alpha**6
    require(fourth <= bound, "a fourth moment below 3 D^2 / alpha^6", (fourth, bound))
    require(eighth <= 3**4 * fourth**2, "an eighth moment below (t - 1)^t", eighth)
    return as_fraction(fourth / bound), as_fraction(eighth / (81 * fourth**2))


@entry(
    "A.Fact39",
    title="Moments of polynomials of a Gaussian",
    page="48",
    statement=r"$(E \, p^t)^{1/t} \le (t - 1)^{\ell/2} (E \, p^2)^{1/2}$ for p of degree "
    r"$\ell$ and $t \ge 2$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.CERTIFIED,
    depends_on=("B.LemB.2",),
)
def polynomial_moments(effort: Effort) -> str:
    """Compare exact moments of Hermite polynomials, and of others in two variables."""
    orders, most = effort.pick((4, 6), (4, 6, 8)), effort.pick(6, 8)
    normal = gaussian_moments((fmpq(0),), ((fmpq(1),),), max(orders) * most)
    shares = []
    for degree in range(1, most + 1):
        x = sympy.Symbol("x")
        terms = sympy.Poly(hermite_e(degree, x), x).terms()
        p: Polynomial = {a: fmpq(int(c)) for a, c in terms}
        shares += [(_moment_share(p, degree, t, normal), degree, t) for t in orders]
    plane = gaussian_moments((fmpq(0),) * 2, ((fmpq(1), fmpq(0)), (fmpq(0), fmpq(1))), 16)
    for degree, mixed in _mixed_polynomials():
        shares.append((_moment_share(mixed, degree, 4, plane), degree, 4))
    require(all(share <= 1 for share, _, _ in shares), "shares of at most 1", max(shares))
    share, degree, t = max(shares)
    sharper = max(share * (t - 1) ** (t * degree // 4) for share, degree, t in shares)
    require(sharper > 1, "moments that need more than half the exponent", sharper)
    root = float(share) ** (1 / t)
    return f"{len(shares)} polynomials; largest share {root:.3f}, degree {degree}, t = {t}"


def _moment_share(p: Polynomial, degree: int, t: int, table: dict[tuple[int, ...], fmpq]) -> fmpq:
    """Return the t-th power of the share of one norm in the bound by the other."""
    power: Polynomial = {(0,) * len(next(iter(p))): fmpq(1)}
    for _ in range(t):
        power = product(power, p)
    second = expectation(product(p, p), table)
    return expectation(power, table) / ((t - 1) ** (degree * t // 2) * second ** (t // 2))


def _mixed_polynomials() -> Iterator[tuple[int, Polynomial]]:
    for degree in range(1, 5):
        for salt in range(3):
            chosen = exponents(2, degree)
            yield (
                degree,
                {a: fmpq((7 * i * i + 3 * salt + 5) % 11 - 4) for i, a in enumerate(chosen)},
            )


@entry(
    "A.p48num",
    title="Two numerical inequalities",
    page="48",
    statement=r"$t^2 e^{-t} \le e^{-t/4}$ and $t e^{-t} \le e^{-t/2}$ for $t \ge 0$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=(r"$x \le e^{x - 1}$",),
)
def two_numbers(effort: Effort) -> str:
    """Reduce both to the tangent of the exponential function; the maxima are attained."""
    t = sympy.Symbol("t", positive=True)
    found = []
    for power, rest in ((2, sympy.Rational(1, 4)), (1, sympy.Rational(1, 2))):
        place = power / (1 - rest)  # where the maximum is
        tangent = (place * exp(t / place - 1)) ** power
        top = (place / E) ** power
        require(is_identity(tangent * exp(-(1 - rest) * t), top), "a constant", (power, rest))
        attained = t**power * exp(-(1 - rest) * t)
        require(is_identity(attained.subs(t, place), top), "a maximum that is attained", place)
        with precision(64):
            ball = (ball_of(Fraction(int(place.p), int(place.q))) / arb(1).exp()) ** power
            require(ball < 1, "a maximum below 1", ball)
        found.append(f"{float(ball):.3f} at t = {place}")
    return f"largest ratios {' and '.join(found)}"
