"""Section 4.3 of paper A, equation 31 to algorithm 5: the rule by covariances, and all cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product

import sympy
from flint import arb
from sympy import symbols

from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import chi_square_tail, form_exponent
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# Covariances q I about one mean; the parts are {0, 1} and {2}, and c' = 1.
VARIANCES = (Fraction(1), Fraction(5, 4), Fraction(4))
PARTS = ((0, 1), (2,))
BETA = max(VARIANCES)


@entry(
    "A.Eq31",
    title="Thresholds on a grid, and the rule by covariances",
    page="39",
    statement=r"$\eta = \Delta^Q_{out} / (100 \beta^2)$; $t_{ij}$ within $\eta$ of $\langle Q_i, "
    r"\hat K_i - \hat K_j \rangle + \langle Q_j - Q_i, Q_i^{-1} - Q_j^{-1} \rangle - E$, on a grid "
    r"of $[-c \beta d / \alpha, c \beta d / \alpha]$; $c^Q(x) = b$ if some $i \in T_b$ has "
    r"$(x - \hat\mu(x))^T (\hat K_i - \hat K_j) (x - \hat\mu(x)) < t_{ij} - \eta$ for all "
    r"$j \notin T_b$.",
    kind=Kind.DEFINITION,
    outcome=Outcome.PROVED,
    depends_on=("A.Lem27",),
    finding=Finding(
        Label.REMARK,
        "c is not stated",
        r"$c = 4$ is enough if E has $c^2 + 2 c' \le 6/5$",
        r"$|\langle Q_i, \hat K_i - \hat K_j \rangle| \le 2 \beta d / \alpha$, the second term is "
        r"between 0 and $2 d (\beta / \alpha - 1)$, and $0 \le E \le 2 d$.",
    ),
)
def thresholds(effort: Effort) -> str:
    """Decide the range in any dimension by words in matrices, and cover it by the grid."""
    q, k = symbols("Q K", commutative=False)
    b, most = symbols("b most")
    # b - Q, K and most - K are not negative, and a trace of a product of two such is not either.
    left, parts = b * most - q * k, (b - q) * k + b * (most - k)
    require(bool(sympy.expand(left - parts) == 0), "tr Q K at most b most d", left)
    # Per dimension, with b for beta / alpha >= 1 and E <= (c^2 + 2 c') + 4/5, all over d.
    excess = sympy.Rational(6, 5) + sympy.Rational(4, 5)
    above, below = 2 * b + (2 * b - 2), 2 * b + excess
    require(is_nonnegative(4 * b - above, {b: 1}), "the upper end", above)
    require(is_nonnegative(4 * b - below, {b: 1}), "the lower end", below)
    # upsilon <= alpha^3 |dQ| / 5 beta^3, |dQ|^2 <= beta^2 d: the last term of E is below 4/5 d.
    ratio = symbols("ratio")  # beta / alpha
    last = 4 * sympy.Rational(1, 5) / ratio
    require(is_nonnegative(sympy.expand(ratio * (sympy.Rational(4, 5) - last)), {ratio: 1}), "4/5")
    count = covered = 0
    for dim, pitch in product((1, 4), (Fraction(1, 7), Fraction(3, 100))):
        end = 4 * BETA * dim
        reach = end // pitch
        count += 2 * reach + 1
        for step in range(effort.pick(40, 400)):
            target = -end + 2 * end * Fraction(step, effort.pick(39, 399))
            nearest = min(max(round(target / pitch), -reach), reach) * pitch
            require(abs(nearest - target) <= pitch, "a grid point within eta", target)
            covered += 1
    return f"c = 4 is enough in any dimension; {covered} targets within eta of {count} grid points"


@dataclass(frozen=True)
class _Test:
    """The test of i against j in a dimension whose root is `root`, by the squared norm of x."""

    i: int
    j: int
    root: int

    @property
    def slope(self) -> Fraction:
        """What multiplies the squared norm."""
        return 1 / VARIANCES[self.i] - 1 / VARIANCES[self.j]

    @property
    def excess(self) -> Fraction:
        """Lemma 27's E for c' = 1, exact estimates."""
        gap = VARIANCES[self.j] - VARIANCES[self.i]
        return 2 * self.root**2 * gap**2 / BETA**2

    @property
    def eta(self) -> Fraction:
        """The pitch of the grid."""
        return self.root * (VARIANCES[2] - VARIANCES[1]) / (100 * BETA**2)

    def mean(self, own: int) -> Fraction:
        """Mean of the form under a component."""
        return self.root**2 * VARIANCES[own] * self.slope

    @property
    def threshold(self) -> Fraction:
        """The grid point nearest to the paper's target."""
        return round((self.mean(self.j) - self.excess) / self.eta) * self.eta

    @property
    def edge(self) -> Fraction:
        """Where on the squared norm the test turns; it passes below if the slope is positive."""
        return (self.threshold - self.eta) / self.slope

    def exponent(self, own: int, deviation: Fraction) -> arb:
        """Return x such that a deviation of the form has probability at most e^-x."""
        operator = ball_of(abs(VARIANCES[own] * self.slope))
        return form_exponent(self.root * operator, operator, ball_of(deviation))


def _tail(own: int, root: int, edge: Fraction) -> arb:
    """Return P(|x|^2 > edge) under a component."""
    return chi_square_tail(root**2, ball_of(edge / VARIANCES[own]))


def _edges(root: int) -> tuple[Fraction, Fraction]:
    """Return below which the first part is named, and above which the second."""
    first = max(_Test(i, 2, root).edge for i in PARTS[0])
    second = max(_Test(2, j, root).edge for j in PARTS[0])
    return first, second


def _passes(test: _Test, own: int) -> arb:
    tail = _tail(own, test.root, test.edge)
    return 1 - tail if test.slope > 0 else tail


@entry(
    "A.Cor30",
    title="The rule by covariances names few wrong parts",
    page="39",
    statement=r"For i in the cell of a and b, $b' \ne b$: $P_{N_i}[c^Q(x) = b' \mid c^\mu(x) = a] "
    r"\le 2 k^2 \exp(-\Omega(c'^2 (\alpha^4 / \beta^6) \min \Vert \Delta Q \Vert_F^2 "
    r"\min(1, \alpha^2 / \upsilon^2)))$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Lem27", "A.Lem29"),
    reason="the constant in the exponent is not stated; lemma 27, which it rests on, needs a "
    "bounded c'",
    weaker="that on an instance the exact probability is at most the sum of those of the tests "
    "of pairs, and that at most the sum of the constant-free bounds of lemma 27",
    finding=Finding(
        Label.REMARK,
        r"any $c' > 0$",
        r"$c' \le 1$",
        "Inherited from lemma 27; the proof needs no other.",
    ),
)
def wrong_part(effort: Effort) -> str:
    """Enclose the exact probabilities for three covariances, and both sums."""
    root, shown = effort.pick(10, 20), []
    with precision(256):
        first, second = _edges(root)
        for own in range(3):
            wrong = PARTS[own in PARTS[0]]
            found = _tail(own, root, second) if own in PARTS[0] else 1 - _tail(own, root, first)
            tests = [_Test(i, own, root) for i in wrong]
            union = sum((_passes(test, own) for test in tests), arb(0))
            bound = sum((-test.exponent(own, test.excess)).exp() for test in tests)
            require(found <= union or found.overlaps(union), "the union of tests", (found, union))
            require(union <= bound, "the constant-free bound", (union, bound))
            require(found > 0 and found < 1, "a probability", found)
            shown.append(f"{float(found):.2g} <= {float(union):.2g} <= {float(bound):.2g}")
    return f"d = {root**2}, covariances 1, 5/4 and 4: {'; '.join(shown)}"


@entry(
    "A.Cor31",
    title="The rule by covariances names some part",
    page="40",
    statement=r"If $\Delta_Q \ge C \max(\upsilon \beta^2 / \alpha^2, c^{2/3} \Delta_Q^{2/3} "
    r"\alpha^{1/3}, (\beta / \alpha)^3 \upsilon)$, then $P_{N_i}[c^Q(x) = 0 \mid c^\mu(x) = a] \le "
    r"2 k^3 \exp(-\Omega(\alpha^2 \Delta_Q / \beta^3))$, with 0 where the rule names no part.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Lem28", "A.Lem29"),
    reason="the constants C and that in the exponent are not stated",
    weaker="that on an instance the exact probability of no part is at most the sum of the "
    "constant-free bounds for the tests of the true component",
)
def no_part(effort: Effort) -> str:
    """Enclose the exact probabilities for three covariances, and the sums of bounds."""
    root, shown = effort.pick(10, 20), []
    with precision(256):
        first, second = _edges(root)
        require(first < second, "norms at which no part is named", (first, second))
        for own in range(3):
            found = _tail(own, root, first) - _tail(own, root, second)
            tests = [_Test(own, j, root) for j in PARTS[own in PARTS[0]]]
            bound = arb(0)
            for test in tests:
                gap = test.mean(test.j) - test.mean(own) - test.excess - 3 * test.eta / 2
                require(gap > 0, "means apart by more than E", gap)
                fails = 1 - _passes(test, own)
                require(fails <= (-test.exponent(own, gap)).exp(), "a test's bound", fails)
                bound += (-test.exponent(own, gap)).exp()
            require(found <= bound and found > 0, "no part within the bound", (found, bound))
            shown.append(f"{float(found):.2g} <= {float(bound):.2g}")
    return f"d = {root**2}, covariances 1, 5/4 and 4: {'; '.join(shown)}"


@entry(
    "A.Alg5",
    title="Clustering: by means and by covariances at once",
    page="41",
    statement=r"A point with $c^\mu(x) = a$ and $c^Q(x) = b$ goes to the cell of the components in "
    r"$S_a \cap T_b$: cells are the common refinement of S and T.",
    kind=Kind.ALGORITHM,
    outcome=Outcome.PROVED,
    depends_on=("A.Prop25", "A.Eq31"),
)
def common_refinement(effort: Effort) -> str:
    """Decide for all pairs of partitions that cells are the coarsest refinement of both."""
    k = effort.pick(4, 5)
    every = [list(labels) for labels in _partitions(k)]
    cells = 0
    for first, second in product(every, repeat=2):
        both = _labels(zip(first, second, strict=True))
        cells = max(cells, max(both) + 1)
        require(max(both) < (max(first) + 1) * (max(second) + 1), "a cell for every pair", both)
        require(_refines(both, first) and _refines(both, second), "a refinement", both)
        for other in every if k < 5 else (first, second):
            if _refines(other, first) and _refines(other, second):
                require(_refines(other, both), "the coarsest one", (first, second, other))
    return f"all {len(every) ** 2} pairs of partitions of {k} components; at most {cells} cells"


def _partitions(k: int) -> Iterator[tuple[int, ...]]:
    """Yield labels of all partitions: every new part has the next number."""
    for labels in product(range(k), repeat=k):
        if all(one <= max(labels[:i], default=-1) + 1 for i, one in enumerate(labels)):
            yield labels


def _labels(keys: Iterator[tuple[int, int]]) -> list[int]:
    """Return the number of every pair's cell, in the order in which they come."""
    numbers: dict[tuple[int, int], int] = {}
    return [numbers.setdefault(key, len(numbers)) for key in keys]


def _refines(fine: list[int], coarse: list[int]) -> bool:
    """Return whether elements together in the first are together in the second."""
    pairs = combinations(range(len(fine)), 2)
    return all(coarse[i] == coarse[j] for i, j in pairs if fine[i] == fine[j])
