"""Section 5.2 of paper B, continued: sums of heavy-tailed terms, their moments and their tails."""

from fractions import Fraction
from itertools import combinations, pairwise, product
from math import comb, factorial

import sympy
from flint import arb
from sympy import E, Expr, Matrix, Symbol, log, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import normal_tail
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

_PAIRS = Finding(
    Label.PROOF_GAP,
    r"noise $\eta_i = \mu_i - E[\mu \mid y_i]$, as if pairs $(\mu_i, y_i)$ were seen",
    r"the regression's targets have, given $\mu$ and y, a further Gaussian noise of variance "
    r"$\sigma_0^2 \sigma^2 / t$",
    r"It is not bounded by 2 D. A Gaussian term to be added to the sum; it costs a factor "
    r"polynomial in $n / \varepsilon$ in N.",
)


@entry(
    "B.Lem5.7",
    title="Piecewise regression generalises",
    page="35",
    statement=r"If $d \ge (R / \sigma)^2$ and $N = \Omega(n (k' (1 + M + D)^2)^2 (\ln(k / \delta) "
    r"\sqrt{n / d + 1})^{4 (d + 1)} \varepsilon^{-4})$, all errors are at most "
    r"$\varepsilon^2 / k'$ and $\Vert \hat g - f \Vert^2 \le \Vert \tilde g - f \Vert^2 + "
    r"\varepsilon^2$ with probability $1 - \delta$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("B.Lem5.9", "B.Lem5.11", "B.Lem1"),
    reason="the constant in N is not stated",
    weaker="the second claim from the first: k' cells, each with errors of at most e, have an "
    "excess of at most 2 k' e in all, which is attained; and the variance of the targets",
    finding=_PAIRS,
)
def generalisation(effort: Effort) -> str:
    """Go through all losses of two cells, and decide the variance of the algorithm's target."""
    tables = list(product(range(effort.pick(3, 4)), repeat=2))
    # Of every true and empirical loss of one cell: the worst excess, twice the largest error.
    cells = [(_worst_excess(*pair), _span(*pair)) for pair in product(tables, repeat=2)]
    worst = Fraction(0)
    for (first, one), (second, two) in product(cells, repeat=2):
        most = 2 * max(one, two)
        require(first + second <= most, "an excess of at most 2 k' times the error", most)
        worst = max(worst, Fraction(first + second, most)) if most else worst
    require(worst == 1, "equality somewhere", worst)
    _check_target()
    return f"{len(cells) ** 2} pairs of cells, at most {worst} of 2 k' e"


def _span(true: tuple[int, ...], found: tuple[int, ...]) -> int:
    errors = [a - b for a, b in zip(found, true, strict=True)]
    return max(errors) - min(errors)


def _worst_excess(true: tuple[int, ...], found: tuple[int, ...]) -> int:
    chosen = (loss for loss, value in zip(true, found, strict=True) if value == min(found))
    return max(chosen) - min(true)


def _check_target() -> None:
    r"""Decide the law of the target y - (sigma^2 / t) (y - x) given mu and y.

    :math:`x = \mu + \sigma_0 \zeta` and :math:`y = x + \sqrt t \, \xi`, so that
    :math:`x = \mu + (\sigma_0^2 / \sigma^2) (y - \mu)` plus noise of the variance
    :math:`\sigma_0^2 - \sigma_0^4 / \sigma^2` given both.
    """
    mu, y, t, clean = symbols("mu y t clean", positive=True)  # clean = sigma_0^2
    noisy = clean + t
    mean = mu + clean / noisy * (y - mu)
    require(is_identity(y - noisy / t * (y - mean), mu), "a target with the mean mu")
    variance = (noisy / t) ** 2 * (clean - clean**2 / noisy)
    require(is_identity(variance, clean * noisy / t), "the target's variance", variance)


@entry(
    "B.Lem5.8",
    title="Moments of the cross term",
    page="36",
    statement=r"$\Vert \sum_i 1_{V_j}(y_i) h(y_i) \eta_i^T \Vert_{2 p} = O(D n^{1/2} "
    r"(n / d + 1)^{d / 2} \sqrt p \, (e (p - 1))^d \sqrt N)$ for even p.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("B.LemB.2", "B.LemB.3", "B.PropD.3"),
    reason="the constant is not stated",
    weaker="the growth by the root of N, exactly for p = 1 and every N, and by its leading term "
    "for p = 2",
    finding=Finding(
        Label.PROOF_GAP,
        _PAIRS.printed + ", with independent coordinates",
        _PAIRS.corrected + "; dependent coordinates by proposition D.3, with the same result",
        r"With the targets of page 33, $Q_0 = \delta_0$ has D = 0, and noise all the same.",
    ),
)
def cross_moments(effort: Effort) -> str:
    """Average over all draws of a law with finitely many values, exactly."""
    # Probability, h, and eta, whose mean given h is 0.
    law = (
        (Fraction(1, 4), (1, 2), 1),
        (Fraction(1, 4), (1, 2), -1),
        (Fraction(1, 6), (3, -1), 2),
        (Fraction(1, 3), (3, -1), -1),
    )
    one = sum((p * eta**2 * (h[0] ** 2 + h[1] ** 2) for p, h, eta in law), Fraction(0))
    fourths = []
    for n in range(1, effort.pick(5, 7)):
        second = fourth = Fraction(0)
        for draws in product(law, repeat=n):
            weight = Fraction(1)
            for p, _, _ in draws:
                weight *= p
            square = sum(sum(h[c] * eta for _, h, eta in draws) ** 2 for c in range(2))
            second += weight * square
            fourth += weight * square**2
        require(second == n * one, "N times the square for one draw", (n, second))
        fourths.append(fourth)
    growth = [b - a for a, b in pairwise(fourths)]
    seconds = {b - a for a, b in pairwise(growth)}
    require(len(seconds) == 1, "a fourth moment quadratic in N", seconds)
    require(fourths[0] > one**2, "a fourth moment above the square of the second")
    lead = seconds.pop() / 2 / one**2
    require(1 < lead <= 3, "a leading term between 1 and 3 squares", lead)
    return f"squares: exactly {one} N; fourth powers: {float(lead):.3f} ({one} N)^2 + O(N)"


@entry(
    "B.p38binom",
    title="A bound on binomial coefficients",
    page="38",
    statement=r"$\binom n k \le \frac1e \left( \frac{e n}{k} \right)^k$ for $1 \le k \le n$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=(r"$1 + x \le e^x$",),
)
def binomial_bound(effort: Effort) -> str:
    """Decide the induction for k! >= e (k / e)^k, and check all coefficients in rationals."""
    k = Symbol("k", positive=True)
    # a(k) = log(k!) - log(e (k / e)^k); the first difference is 1 - k log(1 + 1 / k) >= 0.
    step = log(k + 1) - ((k + 1) * (log(k + 1) - 1) - k * (log(k) - 1))
    require(is_identity(step, 1 - k * (log(k + 1) - log(k))), "the induction's step")
    most = effort.pick(30, 80)
    below_e = sum((Fraction(1, factorial(j)) for j in range(30)), Fraction(0))
    nearest = Fraction(0)
    for n in range(1, most + 1):
        for j in range(1, n + 1):
            share = comb(n, j) * j**j / (below_e ** (j - 1) * n**j)
            require(share <= 1, "a coefficient below the bound", (n, j))
            require((share == 1) == (j == 1), "equality for k = 1", (n, j))
            nearest = max(nearest, share if j > 1 else Fraction(0))
    return f"all k and n; n <= {most}, k > 1: at most {float(nearest):.3f} of the bound, k = 1: 1"


@entry(
    "B.Lem5.9",
    title="The tail of the cross term",
    page="38",
    statement=r"$P(\Vert \sum_i 1_{V_j} h \eta^T \Vert_F \ge t) \le "
    r"\exp(-\Omega((n / d + 1)^{-1/2} (t / D \sqrt N n^{1/2})^{1 / (d + 1)}))$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("B.Lem5.8",),
    reason="the constant in the exponent is not stated",
    weaker="Markov's step: $\\Vert X \\Vert_{2 p} \\le A p^{d + 1}$ for real $p \\ge 1$ gives "
    "$P(|X| \\ge t) \\le e^{-2 (d + 1) p}$ at $p = (t / A)^{1 / (d + 1)} / e$, the best p; and the "
    "tail of a Hermite polynomial of a Gaussian below Markov's bounds",
)
def cross_tail(effort: Effort) -> str:
    """Decide the exponent and that p is stationary, and certify the tail of z^2 - 1."""
    p, q, a = symbols("p q A", positive=True)
    for d in range(effort.pick(3, 6)):
        t = a * (E * p) ** (d + 1)
        exponent = 2 * q * (log(a) + (d + 1) * log(q) - log(a) - (d + 1) * (1 + log(p)))
        require(is_identity(exponent.subs(q, p), -2 * (d + 1) * p), "the exponent", d)
        require(is_identity(exponent.diff(q).subs(q, p), 0), "the best order", d)
        require(is_identity(log(t), log(a) + (d + 1) * (1 + log(p))), "the tail's place", d)
    with precision(64):
        shares = []
        for t in effort.pick((5, 20), (3, 5, 10, 20, 40)):
            tail = normal_tail(ball_of(1 + t).sqrt()) * 2
            bound = _markov(1, t, effort.pick(12, 30))
            require(tail <= bound, "Markov's bound", (t, tail, bound))
            shares.append(float(bound / tail))
    return f"z^2 - 1: Markov's bound {min(shares):.1f} to {max(shares):.1f} times the tail"


def _markov(freedom: int, t: int, most: int) -> arb:
    """Return the least of the bounds E X^(2 p) / t^(2 p) for X chi-squared less its mean."""
    bounds = (_central(freedom, 2 * p) / Fraction(t) ** (2 * p) for p in range(1, most + 1))
    return ball_of(min(bounds))


def _central(freedom: int, order: int) -> Fraction:
    """Return the moment of a chi-squared variable less its mean."""
    raw = [Fraction(1)]
    for j in range(order):
        raw.append(raw[-1] * (freedom + 2 * j))
    terms = (comb(order, j) * raw[j] * (-freedom) ** (order - j) for j in range(order + 1))
    return sum(terms, Fraction(0))


@entry(
    "B.Lem5.10",
    title="Moments of the squared term",
    page="39",
    statement=r"If $d \ge (R / \sigma)^2$, $\max_b |\sum_i (1_{V_j} |B h - z|^2 - E)|$ has the "
    r"2p-norm $O(M (M + D) n^{1/2} e^d (n / d + 1)^d p \, (4 (4 p - 1))^{2 d} \sqrt N + "
    r"\sqrt{p N} D^2)$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("B.LemB.2", "B.LemB.3", "B.Eq34"),
    reason="the constant is not stated",
    weaker=r"the reduction: for $\Vert B \Vert_F \le M$ the maximum is at most $M^2 \Vert "
    r"\sum (h h^T - E) \Vert_F + 2 M \Vert \sum (h z^T - E) \Vert_F + |\sum (|z|^2 - E)|$, and "
    r"$||z|^2 - |z'|^2| \le D^2$",
    finding=Finding(
        Label.REMARK,
        r"$2 D^2$ for the difference of two squares",
        r"$D^2$",
        "Both squares lie between 0 and $D^2$.",
    ),
)
def squared_moments(effort: Effort) -> str:
    """Decide the three terms, and that the norm of B^T B is at most that of B, squared."""
    rows, columns = effort.pick((2, 2), (2, 3))
    matrix = Matrix(rows, columns, symbols(f"b0:{rows * columns}"))
    h, z = Matrix(symbols(f"h0:{columns}")), Matrix(symbols(f"z0:{rows}"))
    residual = matrix * h - z
    left = (residual.T * residual)[0, 0]
    gram, cross = h * h.T, h * z.T
    terms = (matrix.T * matrix * gram).trace() - 2 * (matrix * cross).trace() + (z.T * z)[0, 0]
    require(is_identity(left, terms), "three terms, linear in means")
    square = matrix.T * matrix
    minors = _minors(matrix)
    gap = _energy(matrix) ** 2 - _energy(square)
    require(is_identity(gap, 2 * sympy.Add(*(m**2 for m in minors))), "a norm of at most M^2", gap)
    a, b, rest = symbols("a b rest", nonnegative=True)  # |z|^2, |z'|^2 and D^2 - |z|^2
    most = a + rest
    require(is_identity(most - (a - b), b + rest), "a difference of at most D^2")
    count = len(minors)
    return f"symbolic {rows} x {columns} matrix; gap: twice the sum of {count} squared minors"


def _energy(matrix: Matrix) -> Expr:
    return sympy.Add(*(value**2 for value in matrix))


def _minors(matrix: Matrix) -> list[Expr]:
    rows, columns = (combinations(range(size), 2) for size in matrix.shape)
    return [matrix[list(r), list(c)].det() for r, c in product(rows, list(columns))]


@entry(
    "B.Lem5.11",
    title="The tail of the squared term",
    page="42",
    statement=r"$P(\cdot \ge t) \le \exp(-\Omega((n / d + 1)^{-1/2} (t / n^{1/2} M (M + D) "
    r"\sqrt N)^{1 / 2 (d + 1)} \wedge (t / D^2 \sqrt N)^2))$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("B.Lem5.10",),
    reason="the constant in the exponent is not stated",
    weaker=r"Markov's step: $\Vert X \Vert_{2 p} \le A p^{2 (d + 1)} + C \sqrt p$ gives "
    r"$P(|X| \ge t) \le e^{-2 p}$ at $p = \min((t / 2 e A)^{1 / 2 (d + 1)}, (t / 2 e C)^2)$; and "
    "the tail of a sum of N squares below Markov's bounds",
)
def squared_tail(effort: Effort) -> str:
    """Decide both parts, and certify the tail of sums of z^2 - 1, which are chi-squared."""
    t, scale = symbols("t scale", positive=True)
    for power in (*range(2, effort.pick(5, 9), 2), sympy.Rational(1, 2)):
        p = (t / (2 * E * scale)) ** (1 / sympy.Rational(power))
        require(is_identity(log(scale * p**power / t), -log(2) - 1), "half of t / e", power)
    with precision(64):
        shares = []
        for n in effort.pick((2, 10), (2, 10, 40)):
            for factor in (1, 4):
                reach = n + factor * n
                tail = _chi_squared_tail(n, Fraction(reach))
                bound = _markov(n, factor * n, effort.pick(15, 40))
                require(tail <= bound, "Markov's bound", (n, factor, tail, bound))
                shares.append(float(bound / tail))
        require(max(shares) < 25, "bounds not far above the tails", shares)
    return f"sums of 2 to {n} squares: bounds {min(shares):.1f} to {max(shares):.1f} times the tail"


def _chi_squared_tail(freedom: int, reach: Fraction) -> arb:
    """Return the tail for an even number of degrees of freedom, a sum of Poisson weights."""
    half = reach / 2
    terms = (half**j / factorial(j) for j in range(freedom // 2))
    return ball_of(-half).exp() * ball_of(sum(terms, Fraction(0)))
