"""Section 6.1 of paper A: the score of a mixture and of the part of it that is near a point."""

from fractions import Fraction

from flint import arb, fmpq
from sympy import exp, log, sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import as_fmpq, ball_of, precision
from symscore.exact.arithmetic.quadrature import support
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require
from symscore.ledger.paper_a.dropped_components import (
    BITS,
    PAIR_CONSTANT,
    check_rate,
    dropped_moment,
    three_components,
)


@entry(
    "A.Prop32",
    title="The score of a mixture by those of its cells",
    page="42",
    statement=r"$D = \Vert \Delta\mu \Vert^2 + \Vert \Delta Q \Vert_F^2$ is at most R for all "
    r"pairs and at least $C (\beta^4 / \alpha^2) \log(k \beta / (\alpha \varepsilon))$ across "
    r"cells, and $P_{N_i}[c = t] \le \varepsilon$ for $i \notin U_t$. Then "
    r"$E_M \Vert s - s(\cdot; c) \Vert^2 \lesssim "
    r"k^{5/4} R (\beta^5 / \alpha^6) \sqrt\varepsilon$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Lem33", "A.Claim38"),
    uses=("Cauchy's, Schwarz's and Jensen's inequalities",),
    finding=Finding(
        Label.REMARK,
        r"constants C and $\lesssim$; D is squared here, and not in definition 10",
        r"$E_M \Vert s - s(\cdot; c) \Vert^2 \le (292 k^{5/4} \beta^4 \alpha^{-5} + "
        r"7 k R \alpha^{-3}) \sqrt\varepsilon$ if $D \ge 64 (\beta^4 / \alpha^2) "
        r"\log(1/\varepsilon)$ across cells",
        r"For $i \in U_t$ lemma 33 bounds $E_{N_i} \Vert s - s_{U_t} \Vert^2$, with "
        r"$|U| (k - |U|) \le k^2 / 4$ and $\sum_i \lambda_i^{3/4} \le k^{1/4}$. Else "
        r"$s - s_{U_t} = (s - g_i) - (s_{U_t} - g_i)$: both are averages of $g_j - g_i$, so that "
        r"claim 38 and Cauchy's inequality over the wrong cells together, whose probabilities add "
        r"up to at most $k \varepsilon$, give $2 \cdot 2 \sqrt3 \, k R \alpha^{-3} "
        r"\sqrt\varepsilon$: the sum over cells costs no further power of k.",
    ),
)
def cells(effort: Effort) -> str:
    """Decide the steps, and certify an instance that satisfies the hypotheses."""
    a, b, e, c = symbols("a b e c", positive=True)  # 1 / alpha, beta, epsilon, the rate
    both = 2 * (a**2 + b**2) - (a - b) ** 2
    require(is_identity(both, (a + b) ** 2), "the square of a difference", both)
    _check_shares()
    across = 4 * log(1 / e) / c
    require(is_identity(exp(-c * across / 8), sqrt(e)), "the root of epsilon", across)
    with precision(BITS):
        near = arb(PAIR_CONSTANT).sqrt() / 2 * 16
        require(near <= 292 and near > 290, "292", near)
        require(4 * arb(3).sqrt() <= 7, "7")
    total = 300 * b**5 * a**6 - 292 * b**4 * a**5 - 7 * a**3
    require(is_nonnegative(total, {a: 1, b: 1}), "the printed form with 300", total)
    check_rate(a, b)
    shares = []
    with precision(BITS):
        for inverse, gap, cut in ((10, 14, Fraction(23, 10)), (100, 20, Fraction(10, 3))):
            law, epsilon = three_components(gap), Fraction(1, inverse)
            least = 64 * arb(inverse).log()
            require(arb((gap - 1) ** 2) >= least, "components far across cells", gap)
            _check_misclassified(law, cut, epsilon)
            found = _cell_error(law, as_fmpq(cut))
            size = 292 * arb(3) ** (arb(5) / 4) + 7 * 3 * gap**2
            bound = size * ball_of(epsilon).sqrt()
            require(found <= bound, "an error below the bound", (found, bound))
            alone = ball_of(epsilon) * gap**2
            require(found <= alone, "an error of misclassified points alone", (found, alone))
            shares.append(f"{float(found):.3g} <= {float(bound):.0f}")
            if effort.quick:
                break
    return f"three components on the line, two cells: {', '.join(shares)}"


def _check_shares() -> None:
    r"""Decide :math:`s - s_U = w (s_V - s_U)` for the other components V and their weight w."""
    d, g = symbols("d0:4", positive=True), symbols("g0:4")
    kept, rest = d[0] + d[1], d[2] + d[3]
    own = (d[0] * g[0] + d[1] * g[1]) / kept
    other = (d[2] * g[2] + d[3] * g[3]) / rest
    score = (kept * own + rest * other) / (kept + rest)
    average = sum(one * two for one, two in zip(d, g, strict=True)) / sum(d)
    require(is_identity(score, average), "the score by two parts", score)
    left = rest / sum(d) * (other - own)
    require(is_identity(average - own, left), "the other weight times the difference", left)


def _check_misclassified(law: RationalMixture, cut: Fraction, epsilon: Fraction) -> None:
    for i, ((mean,),) in enumerate(zip(law.means, strict=True)):
        beyond = ball_of(as_fmpq(cut) - mean) * (1 if i < 2 else -1)
        wrong = (beyond / arb(2).sqrt()).erfc() / 2
        require(wrong <= ball_of(epsilon), "a wrong cell of probability epsilon", (i, wrong))


def _cell_error(law: RationalMixture, cut: fmpq) -> arb:
    """Return the mean square of the score less that of the cell's own components."""
    low, high = support(law, BITS)
    total = arb(0)
    for kept, ends in (((0, 1), (low, cut)), ((2,), (cut, high))):
        for i, weight in enumerate(law.weights):
            total += ball_of(weight) * dropped_moment(law, i, kept, 2, ends)
    return total
