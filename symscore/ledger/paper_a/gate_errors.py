"""Section 6.2 of paper A: gates made of estimates, and points that come from other cells."""

import sympy
from flint import acb, arb, fmpq
from sympy import Matrix, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.moments import gaussian_moments
from symscore.exact.arithmetic.polynomial import Polynomial, expectation, product
from symscore.exact.arithmetic.quadratic_forms import normal_tail
from symscore.exact.arithmetic.quadrature import integral
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require
from symscore.ledger.paper_a.gates import square, symmetric

CONSTANT = 103


@entry(
    "A.Lem46",
    title="Gates made of estimates",
    page="54",
    statement=r"As printed, for estimates within $\upsilon$ and components within $\Delta$ of each "
    r"other, with probability $1 - \delta$: $|V_1 - \hat V_1| \lesssim \omega_1 = \beta \Delta^2 "
    r"\upsilon^2 \alpha^{-1} L$ and $|V_2 - \hat V_2| \lesssim \omega_2 = \beta \Delta^4 "
    r"\upsilon^3 \alpha^{-4} L$ with $L = \log(m / \delta)$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.REFUTED,
    corrected=Outcome.PROVED,
    depends_on=("A.Lem44", "A.Lem26"),
    uses=(
        r"$\Vert K - \hat K \Vert_F \le 4 \upsilon / \alpha^2$, $\Vert \hat K \Vert_{op} \le "
        r"2 / \alpha$ where eigenvalues are floored at $\alpha / 2$",
        "Chebyshev's inequality",
    ),
    finding=Finding(
        Label.REFUTED,
        r"$\omega_1 = \beta \Delta^2 \upsilon^2 \alpha^{-1} L$; the hypothesis on "
        r"$\hat Q_i - Q_i^{-1}$",
        r"$\omega_1 \le 103 \, \beta \Delta^2 \upsilon^2 \alpha^{-2} \log(8 m / \delta)$ for "
        r"$\Delta, \upsilon \ge 1$; $\hat Q_i - Q_i$ is meant",
        r"$Q_1 = \alpha I$, $Q_2 = 2 \alpha I$, $\hat Q_1 = \frac32 \alpha I$, the rest exact, "
        r"$\alpha = 1 / n$, $d = n^2$: $\Delta = \upsilon = 1$ are allowed, and for "
        r"$x \sim N(0, Q_1)$, with $r = \chi^2_d$, $V_1 = |r - d| / 2$ and "
        r"$\hat V_1 = | d / 4 - r / 6 |$; so $\hat V_1 - V_1 \ge n^2 / 24$ with probability at "
        r"least $1 - 512 / n^2$, against $C \omega_1 < \frac32 C n$ for $\delta = \frac12$. "
        r"Only a power of $\alpha^{-1}$ changes; $\omega_2$ is not refuted.",
    ),
)
def estimated_gates(effort: Effort) -> str:
    """Decide the decomposition, the family for every constant, and the corrected constant."""
    _check_decomposition()
    _check_constant()
    alpha, r, d = symbols("alpha r d", positive=True)
    k1, k2 = 1 / alpha, 1 / (2 * alpha)
    fitted = 2 / (3 * alpha)
    exact = alpha * r * (k2 - k1) - alpha * d * (k2 - k1)
    learned = alpha * r * (k2 - fitted) - d * (k2 - fitted) / fitted
    require(is_identity(exact, -(r - d) / 2), "the exact input", exact)
    require(is_identity(learned - exact, r / 3 - d / 4), "the error", learned - exact)
    n, size = symbols("n size", positive=True)
    diameters = (((2 * alpha - alpha) ** 2 * d), (1 / fitted - alpha) ** 2 * d)
    at = {alpha: 1 / n, d: n**2}
    found = [sympy.Rational(1), sympy.Rational(1, 4)]
    for one, value in zip(diameters, found, strict=True):
        require(is_identity(one.subs(at), value), "squared distances 1 and 1/4", one)
    # Where |r - d| <= d / 16, |V_1| <= d / 32, and the learned input is between these.
    ends = [learned.subs({alpha: 1, r: (1 + sign * sympy.Rational(1, 16)) * d}) for sign in (1, -1)]
    require(all(is_nonnegative(end, {d: 0}) for end in ends), "a positive learned input", ends)
    error = ends[0] - d / 32
    require(is_identity(error, d / 24), "an error of at least d / 24", error)
    chance = 2 * d / (d / 16) ** 2
    require(is_identity(chance.subs(d, n**2), 512 / n**2), "Chebyshev's bound", chance)
    with precision(64):
        level = arb(4).log()
        require(level < arb(3) / 2, "log(m / delta) below 3/2", level)
    # For n = 37 C the error exceeds C omega_1 < 3/2 C n.
    excess = (n**2 / 24 - sympy.Rational(3, 2) * size * n).subs(n, 37 * size)
    require(is_nonnegative(excess, {size: 1}), "more than C omega_1", excess)
    shown = []
    for constant in effort.pick((1, 100), (1, 10, 100, 1000)):
        steps = 37 * constant
        held = float(1 - fmpq(512, steps**2))
        require(held > 1 / 2, "more than delta", held)
        shown.append(f"C = {constant}: {held:.6f}")
    return f"the printed bound fails with probability at least: {', '.join(shown)}"


def _check_decomposition() -> None:
    """Decide (51) for matrices of symbols: two differences of lemma 44, and traces."""
    x = Matrix(symbols("x1:3"))
    exact, fitted = (symmetric("k"), symmetric("l")), (symmetric("m"), symmetric("n"))
    own, first, learned = symmetric("q"), symmetric("r"), symmetric("s")
    a = [Matrix(symbols(f"{name}1:3")) for name in ("a", "b")]
    b = [Matrix(symbols(f"{name}1:3")) for name in ("c", "d")]

    def value(k: tuple[Matrix, Matrix], means: list[Matrix], trace: Matrix) -> sympy.Expr:
        forms = square(k[0], x - means[0]) - square(k[1], x - means[1])
        return forms - (trace * (k[0] - k[1])).trace()

    groups = []
    for j in range(2):
        moved = square(exact[j], x - a[j]) - square(fitted[j], x - b[j])
        groups.append(moved - (own * (exact[j] - fitted[j])).trace())
    between, after = exact[0] - exact[1], fitted[0] - fitted[1]
    traces = ((own - first) * (between - after)).trace() + ((learned - first) * after).trace()
    left = value(exact, a, first) - value(fitted, b, learned)
    require(is_identity(left, groups[0] - groups[1] + traces), "the decomposition (51)")
    # What the means contribute to each group.
    shift, moved = square(exact[0], a[0]) - square(fitted[0], b[0]), b[0] - a[0]
    parts = square(exact[0] - fitted[0], a[0]) - (moved.T * fitted[0] * (b[0] + a[0]))[0, 0]
    require(is_identity(shift, parts), "the change of a norm")


def _check_constant() -> None:
    """Add up the bounds of all terms, in units of the corrected bound."""
    a, u, gap = symbols("a u gap")  # 1 / alpha, upsilon, Delta
    least = dict.fromkeys((a, u, gap), 1)
    unit = gap**2 * u**2 * a**2
    change = 4 * u * a**2  # of an inverse covariance
    linear = change * gap + 2 * a * u
    means = change * gap**2 + 2 * a * u * (2 * gap + u)
    traces = 2 * change * gap + u * (gap * a**2 + 2 * change)
    for bound, times in ((4 * change, 16), (linear, 6), (means, 10), (traces, 17)):
        require(is_nonnegative(times * unit - bound, least), "so many units", (bound, times))
        equal = bound.subs(dict.fromkeys(bound.free_symbols, 1))
        require(bool(equal == times), "so many where all three are 1", (equal, times))
    with precision(64):
        total = 2 * (16 + 2 * arb(2).sqrt() * 6 + 10) + 17
        require(total <= CONSTANT and total > CONSTANT - 1, "the constant 103", total)


@entry(
    "A.Lem47",
    title="Points that come from other cells",
    page="57",
    statement=r"If $P_{N_i}[c = t] \le \delta$ for all $i \notin U_t$, then the error on cell t of "
    r"the points from other cells is $E \Vert s(\cdot; M(U_t)) - \hat s \Vert^2 1\{c = t\} "
    r"\lesssim (\beta^2 / \alpha^8) k^3 (\upsilon \Delta R)^4 \sqrt\delta$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Prop40", "A.Claim38"),
    reason="the constant is not stated, and the statement is for the polynomials of proposition 40",
    weaker="its argument with a bound on the fourth moment: the error of a cell's linear fallback "
    "on points of another component is at most the root of delta times that of the moment",
)
def other_cells(effort: Effort) -> str:
    """Enclose the error on the line and compare it with the exact moment's bound."""
    shown = []
    with precision(40):
        for gap in effort.pick((2, 4), (2, 4, 6, 8)):
            cut = fmpq(gap + 1, 2)
            wrong = normal_tail(ball_of(gap - cut))
            bound = (wrong * _fourth(gap)).sqrt()
            found = _fallback_error(gap, cut)
            require(found <= bound, "an error below the bound", (found, bound))
            shown.append(f"{float(found):.3g} <= {float(bound):.3g}")
    return f"components at 0 and 1 in the cell, one at 2, 4, ...: {', '.join(shown)}"


# A poor fallback, -(x + 20) / 2, of a cell with unit components at 0 and 1.
SLOPE, CENTRE = fmpq(1, 2), fmpq(-20)


def _fourth(gap: int) -> arb:
    r"""Bound :math:`E |s_U - \hat s|^4`: s_U is -x and a number in [0, 1]."""
    table = gaussian_moments((fmpq(gap),), ((fmpq(1),),), 4)
    line: Polynomial = {(1,): SLOPE - 1, (0,): -SLOPE * CENTRE}
    twice = product(line, line)
    return (ball_of(expectation(product(twice, twice), table)).root(4) + 1) ** 4


def _fallback_error(gap: int, cut: fmpq) -> arb:
    """Return the mean square of the fallback's error on points of N(gap, 1) below the cut."""
    slope, centre = ball_of(SLOPE), ball_of(CENTRE)

    def integrand(x: acb) -> acb:
        weight = (x - arb(1) / 2).exp() * 3 / 4
        mean = weight / (1 + weight)
        density = (-((x - gap) ** 2) / 2).exp() / (2 * arb.pi()).sqrt()
        return density * (mean - x + slope * (x - centre)) ** 2

    low = fmpq(-4)
    knots = [low + (cut - low) * fmpq(n, 8) for n in range(9)]
    beyond = (normal_tail(ball_of(gap - low)) * _fourth(gap)).sqrt()
    return integral(integrand, knots) + arb(0).union(beyond)
