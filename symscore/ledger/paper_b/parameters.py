"""Pages 46 to 48 of paper B: the parameters of the main theorem, and the terms that they bound."""

from fractions import Fraction

from flint import arb
from sympy import symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require


@entry(
    "B.p46",
    title="The parameters of the main theorem",
    page="46-48",
    statement=r"With $T = (M_2 + n) / \varepsilon^2$, $\kappa = \varepsilon^2 / (M_2 + n \ln(T + "
    r"1))$, $t_1 = \varepsilon^2 \sigma_0^2 / 2 \sqrt n$ and errors of f of at most "
    r"$\varepsilon^2 (\sigma_l^2 + 1) / \ln(T + 1)$ the induction starts, for 0 is a warm start at "
    r"$T \ge D^2$, and theorem 3.1 gives $O(\varepsilon^2)$.",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("B.Thm3.1", "B.Lem5.6", "B.Lem5.7", "B.Lem5.12", "B.Nstep"),
    reason="the induction rests on lemmas whose constants are not stated",
    weaker=r"that $T \ge D^2$ if $\varepsilon^2 \le (M_2 + n) / D^2$, that every term of theorem "
    r"3.1 with corrected weights is at most $\varepsilon^2$ ($2 \varepsilon^2$ for the scores, "
    r"$\sigma_0 = 1$) but $\kappa^2 n N$, and that term and N on instances",
)
def parameters(effort: Effort) -> str:
    """Decide the sum of the terms, and count the steps of schedules in balls."""
    n, second, eps, reach, t, size = symbols("n M2 eps D t log", positive=True)
    horizon = (second + n) / eps**2
    base = horizon - reach**2
    require(is_identity(base, ((second + n) / reach**2 - eps**2) * reach**2 / eps**2), "T >= D^2")
    start = (n + second) / (horizon + 1)
    require(is_identity(eps**2 - start, eps**2 / (horizon + 1)), "the start's term", start)
    kappa = eps**2 / (second + n * size)  # size = log(T + 1)
    require(is_identity(kappa * n * size + kappa * second, eps**2), "the terms linear in kappa")
    noisy = t + 1  # sigma^2, for sigma_0 = 1; the score's error is that of f over sigma^4
    score = (t + 1) * eps**2 * (noisy + 1) / noisy**2
    require(is_identity(2 * eps**2 - score, eps**2 * t / (t + 1)), "the scores' term")
    shown = []
    with precision(64):
        for dim, moment, error in effort.pick(((1, 5, 3),), ((1, 5, 3), (2, 5, 1))):
            square = Fraction(error, 10) ** 2
            top = ball_of((moment + dim) / square + 1).log() / 2
            step = ball_of(square) / (moment + 2 * dim * top)
            low = (ball_of(square) / (2 * ball_of(dim).sqrt()) + 1).log() / 2
            count = _count(top, low, step)
            term = step**2 * dim * count / ball_of(square)
            require(term < 2, "kappa^2 n N below 2 epsilon^2", term)
            require(10 * term > 1, "a term that counts", term)
            shown.append(f"N = {count}, kappa^2 n N = {float(term):.2f} epsilon^2")
    return "; ".join(shown)


def _count(top: arb, low: arb, kappa: arb) -> int:
    """Return the number of longest steps in the time of the variance preserving diffusion."""
    steps = 0
    while not top <= low:
        require(top > low, "a decided comparison", top)
        top, steps = arb.max(top - kappa, top / (1 + kappa)), steps + 1
    return steps
