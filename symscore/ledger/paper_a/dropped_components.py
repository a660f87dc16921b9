"""Section 6.1 of paper A: what dropping components does to a score."""

from fractions import Fraction

import sympy
from flint import acb, arb, fmpq
from sympy import E, Expr, exp, sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadrature import integral, support, tail_mass, weighted_densities
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# Of e^(-c D / 4) / (lambda^(1/2) alpha^6 c^2): what one pair of components contributes.
PAIR = 8 * 27 * 64 / (sqrt(2) * E**2)
PAIR_CONSTANT = 1323
BITS, PIECES = 30, 12


def three_components(gap: int) -> RationalMixture:
    """Return unit components at 0, 1 and `gap`, of which the first two make one cell."""
    weights = (fmpq(2, 5), fmpq(3, 10), fmpq(3, 10))
    return RationalMixture(weights, ((fmpq(0),), (fmpq(1),), (fmpq(gap),)), (((fmpq(1),),),) * 3)


def dropped_moment(
    law: RationalMixture,
    i: int,
    kept: tuple[int, ...],
    power: int,
    ends: tuple[fmpq, fmpq] | None = None,
) -> arb:
    r"""Return :math:`E_{N_i} |s - s_U|^n` for unit components, between two ends if they are given.

    Both scores are -x and an average of the means: beyond the ends of the support they differ by
    at most the distance of the outermost means.
    """
    densities, means = weighted_densities(law), [ball_of(mean) for (mean,) in law.means]

    def integrand(t: acb) -> acb:
        values = densities(t)
        parts = [(values[j], means[j]) for j in range(len(means))]
        gap = _average(parts) - _average([parts[j] for j in kept])
        return values[i] / ball_of(law.weights[i]) * gap**power

    low, high = support(law, BITS)
    left, right = ends or (low, high)
    step = (right - left) / PIECES
    inside = integral(integrand, [left + step * n for n in range(PIECES + 1)])
    (first,), (last,) = min(law.means), max(law.means)
    reach = min(law.means[i][0] - low, high - law.means[i][0])
    outside = ball_of(last - first) ** power * tail_mass(fmpq(1), reach)
    return inside + arb(0).union(outside)


def _average(parts: list[tuple[acb, arb]]) -> acb:
    total = sum((value for value, _ in parts), acb(0))
    return sum((value * mean for value, mean in parts), acb(0)) / total


def check_rate(a: Expr, b: Expr) -> None:
    """Compare the rate c and the constants with the printed powers, for a = 1 / alpha."""
    inverse = 4 * b**2 * (1 + b * a) ** 2
    least = dict.fromkeys((a, b), 1)
    require(is_nonnegative(16 * b**4 * a**2 - inverse, least), "c >= alpha^2 / 16 beta^4")
    # With it c^-2 alpha^-6 is at most this, and alpha <= 1 <= beta.
    most = (16 * b**4 * a**2) ** 2 * a**6
    require(is_identity(most * b**2 * a**2, 256 * b**10 * a**12), "the printed powers", most)


@entry(
    "A.Lem33",
    title="Dropping far components",
    page="43",
    statement=r"For $i \in U$: $E_{N_i} \Vert s - s_U \Vert^4 \lesssim "
    r"\frac{k \beta^{10}}{\sqrt{\lambda_i} \, \alpha^{12}} \sum_{j \notin U} "
    r"e^{-c (\alpha^2 / \beta^4) D_{i j}}$; for $i \notin U$ there is an additional "
    r"$\frac{\beta^2}{\alpha^8} \sum_{l \in U} (D_{i l}^2 + D_{i l})$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Claim35", "A.p46ratio", "A.Claim36", "A.Claim38", "A.p48num"),
    uses=("Cauchy's, Schwarz's and Jensen's inequalities",),
    finding=Finding(
        Label.REMARK,
        "unspecified constants, and components dropped one after another",
        r"$\frac{1323 \, |U|}{\sqrt{\lambda_i} \, \alpha^6 c_0^2} \sum_{j \notin U} "
        r"e^{-c_0 D_{i j} / 4}$ with $c_0^{-1} = 4 \beta^2 (1 + \beta / \alpha)^2$, and for "
        r"$i \notin U$ $\frac{1323}{\sqrt{\lambda_i} \, \alpha^6 c_0^2} "
        r"\sum_{i \ne j \notin U} e^{-c_0 D_{i j} / 4} + 24 \alpha^{-6} \sum_{l \in U} D_{i l}^2$",
        r"All are dropped at once: with claim 35 for sets, $\Vert s - s_U \Vert^4$ is at most 8 "
        r"times the sum of $\frac{D_j}A \Vert g_j - g_i \Vert^4$ and of $\frac{D_j}A "
        r"\frac{D_l}{D_U} \Vert g_i - g_l \Vert^4$ over $j \notin U$, $l \in U$. Cauchy's "
        r"inequality, once or twice, the overlaps of claim 36 and the eighth moments of claim 38, "
        r"$27^2 \alpha^{-12} D^4$, bound each term by one summand.",
    ),
)
def far_components(effort: Effort) -> str:
    """Decide the decomposition for sets and the bound of each term, and certify instances."""
    for size, kept in ((3, (0,)), (4, (0, 1))):
        _check_decomposition(size, kept)
    lam, alpha, c, d, other = symbols("lam alpha c d other", positive=True)
    scale = PAIR / (sqrt(lam) * alpha**6 * c**2) * exp(-c * d / 4)
    single = 8 * sqrt(_overlap(lam, c, d)) * 27 * d**2 / alpha**6
    require(is_identity(single, scale * _tangent(c * d / 8) ** 2), "one summand", single)
    meet = sqrt(_overlap(lam, c, d) * _overlap(lam, c, other))
    double = 8 * sqrt(meet) * 27 * other**2 / alpha**6
    require(is_identity(double, scale * _tangent(c * other / 8) ** 2), "one summand", double)
    # Eighth moments from fourth ones.
    eighth = 3**4 * (3 * d**2 / alpha**6) ** 2
    require(is_identity(sqrt(eighth), 27 * d**2 / alpha**6), "the root of an eighth moment")
    a, b = symbols("a b", positive=True)
    check_rate(a, b)
    with precision(BITS):
        constant = 8 * 27 * 64 / (arb(2).sqrt() * arb(2).exp())
        require(constant <= PAIR_CONSTANT and constant > PAIR_CONSTANT - 1, "1323", constant)
        shown = []
        for gap in effort.pick((4,), (4, 6, 8, 10)):
            law = three_components(gap)
            found = dropped_moment(law, 1, (0, 1), 4)
            bound = _summands(law, 1, (0, 1))
            require(found <= bound, "a fourth moment below the bound", (found, bound))
            shown.append(f"{float(found):.3g} <= {float(bound):.3g}")
            outer = dropped_moment(law, 2, (0, 1), 4)
            most = 24 * sum((gap - mean) ** 4 for mean in (0, 1))
            require(outer <= most, "a fourth moment of the dropped one below 24 D^2", outer)
    return f"components at 0, 1 and 4, ..., the last one dropped: {', '.join(shown)}"


def _overlap(lam: Expr, c: Expr, d: Expr) -> Expr:
    """Return the bound on the mean of a posterior weight by claim 36."""
    return exp(-c * d) / (2 * lam)


def _tangent(x: Expr) -> Expr:
    """Return what is at most 1."""
    return x * exp(1 - x)


def _summands(law: RationalMixture, i: int, kept: tuple[int, ...]) -> arb:
    r"""Return the bound before :math:`D^2` is absorbed, for unit components on the line."""
    lam, c = ball_of(law.weights[i]), arb(1) / 16
    total = arb(0)
    square = [ball_of(mean - law.means[i][0]) ** 2 for (mean,) in law.means]
    for j in set(range(len(square))) - set(kept):
        total += (-c * square[j] / 2).exp() * square[j] ** 2
        for other in kept:
            total += (-c * (square[j] + square[other]) / 4).exp() * square[other] ** 2
    return total * 8 * 27 / (2 * lam).sqrt()


def _check_decomposition(size: int, kept: tuple[int, ...]) -> None:
    """Decide claim 35's identity with a set of kept components, for every reference i."""
    d, g = symbols(f"d0:{size}", positive=True), symbols(f"g0:{size}")
    rest = [j for j in range(size) if j not in kept]
    whole, inner = sympy.Add(*d), sympy.Add(*(d[j] for j in kept))
    score = sympy.Add(*(d[j] * g[j] for j in range(size))) / whole
    own = sympy.Add(*(d[j] * g[j] for j in kept)) / inner
    for i in range(size):
        dropped = sympy.Add(*(d[j] / whole * (g[j] - g[i]) for j in rest))
        share = sympy.Add(*(d[j] for j in rest)) / whole
        held = sympy.Add(*(d[j] / inner * (g[i] - g[j]) for j in kept))
        require(is_identity(score - own, dropped + share * held), "the decomposition", (kept, i))


@entry(
    "A.Lem34",
    title="Dropping one component",
    page="44",
    statement=r"$E_{N_i} \Vert s - s^{-j} \Vert^4 \lesssim \frac{k \beta^{10}}{\sqrt{\lambda_i} \, "
    r"\alpha^{12}} e^{-c (\alpha^2 / \beta^4) D_{i j}}$ for $i \ne j$, and "
    r"$E_{N_j} \Vert s - s^{-j} \Vert^4 \lesssim \frac{\beta^2}{\alpha^8} "
    r"\sum_l (D_{j l}^2 + D_{j l})$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Lem33",),
    finding=Finding(
        Label.REMARK,
        "unspecified constants",
        r"$1323 (k - 1) \lambda_i^{-1/2} \alpha^{-6} c_0^{-2} e^{-c_0 D_{i j} / 4}$ with "
        r"$c_0^{-1} = 4 \beta^2 (1 + \beta / \alpha)^2$, and $3 \alpha^{-6} \sum_l D_{j l}^2$",
        r"Lemma 33 with one component dropped; in the second case $g_j - g_i = 0$, so that no "
        "factor 8 is needed.",
    ),
)
def one_component(effort: Effort) -> str:
    """Decide that only differences from the dropped one remain, and certify instances."""
    d, g = symbols("d0:3", positive=True), symbols("g0:3")
    whole, inner = sympy.Add(*d), d[0] + d[1]
    score = (d[0] * g[0] + d[1] * g[1] + d[2] * g[2]) / whole
    own = (d[0] * g[0] + d[1] * g[1]) / inner
    left = d[2] / whole * (d[0] / inner * (g[2] - g[0]) + d[1] / inner * (g[2] - g[1]))
    require(is_identity(score - own, left), "an average of differences", left)
    shown = []
    with precision(BITS):
        for gap in effort.pick((4,), (2, 4, 6, 8)):
            law = three_components(gap)
            found = dropped_moment(law, 2, (0, 1), 4)
            most = 3 * sum((gap - mean) ** 4 for mean in (0, 1))
            require(found <= most, "a fourth moment below 3 D^2", (found, most))
            for i in (0, 1):
                near, bound = dropped_moment(law, i, (0, 1), 4), _summands(law, i, (0, 1))
                require(near <= bound, "a fourth moment of a kept one", (near, bound))
            shown.append(f"{float(found / most):.3f}")
    return f"shares in the second bound, a far one dropped: {', '.join(shown)}"


@entry(
    "A.Claim35",
    title="The change of a score where a component is dropped",
    page="45",
    statement=r"With $D_j = \lambda_j N_j$, $A = \sum_j D_j$, $B = A - D_j$ and any i: "
    r"$\Vert s - s^{-j} \Vert^4 \le 8 \sum_{l \ne j} \frac{D_j}A \frac{D_l}B "
    r"\Vert g_i - g_l \Vert^4 + 8 \frac{D_j}A \Vert g_j - g_i \Vert^4$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=("Jensen's inequality",),
    finding=Finding(
        Label.TYPO,
        r"differences $g_l - g_i$ in the identity",
        r"$s - s^{-j} = \frac{D_j}A \big( g_j - g_i + \sum_{l \ne j} \frac{D_l}B "
        r"(g_i - g_l) \big)$",
        "Their norms are the same.",
    ),
)
def dropped_component(effort: Effort) -> str:
    """Decide the identity and the fourth power of a sum, and compare at exact points."""
    for size in (2, 3, 4):
        _check_decomposition(size, tuple(range(size - 1)))
    p, q = symbols("p q", positive=True)
    gap = 8 * (p**4 + q**4) - (p + q) ** 4
    squares = 4 * (p**2 - q**2) ** 2 + (p - q) ** 2 * (2 * (p**2 + q**2) + (p + q) ** 2)
    require(is_identity(gap, squares), "a sum of squares", gap)
    shares = [_pointwise(salt) for salt in range(effort.pick(30, 200))]
    return f"largest share {float(max(shares)):.3f} at {len(shares)} exact points in the plane"


def _pointwise(salt: int) -> Fraction:
    """Return the share of the left side at three rational weights and scores in the plane."""
    draw = [Fraction((salt * 37 + n * n * 13 + n * salt * salt) % 29 + 1) for n in range(9)]
    d, g = draw[:3], [(draw[3 + 2 * n] - 15, draw[4 + 2 * n] - 15) for n in range(3)]
    whole, inner = d[0] + d[1] + d[2], d[0] + d[1]
    gap = [
        sum(d[n] * g[n][axis] for n in range(3)) / whole
        - sum(d[n] * g[n][axis] for n in range(2)) / inner
        for axis in range(2)
    ]
    right = d[2] / whole * _fourth(g[2], g[0])
    right += sum((d[2] / whole * d[n] / inner * _fourth(g[0], g[n]) for n in range(2)), Fraction(0))
    left = (gap[0] ** 2 + gap[1] ** 2) ** 2
    require(left <= 8 * right, "a left side below the right", (left, right))
    return left / (8 * right) if right else Fraction()


def _fourth(one: tuple[Fraction, Fraction], two: tuple[Fraction, Fraction]) -> Fraction:
    return ((one[0] - two[0]) ** 2 + (one[1] - two[1]) ** 2) ** 2
