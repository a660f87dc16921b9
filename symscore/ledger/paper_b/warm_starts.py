"""Section 5.3 of paper B: new warm starts by a greedy cover."""

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import comb

import sympy
from flint import arb
from sympy import Symbol, log, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import normal_tail
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require
from symscore.ledger.paper_b.cells import ATOMS, WEIGHTS

# A circle of radius 5 with twelve integer points.
CIRCLE = tuple(p for p in product(range(-5, 6), repeat=2) if p[0] ** 2 + p[1] ** 2 == 25)


@entry(
    "B.Alg2",
    title="Warm starts by a greedy cover",
    page="44",
    statement=r"Denoise new draws, $\hat\mu_i = y_i + \sigma^2 s(y_i)$; in each of "
    r"$C' k \ln(1 / \alpha_{min})$ rounds take the uncovered $\hat\mu_i$ whose ball of radius "
    r"$\tilde R$ holds most uncovered points. If k balls of radius $R'' \le \tilde R / 2$ hold all "
    r"but a share $\varepsilon$, m rounds leave at most "
    r"$\varepsilon + (1 - 1/k)^m (1 - \varepsilon)$.",
    kind=Kind.ALGORITHM,
    outcome=Outcome.CERTIFIED,
    depends_on=("B.Lem5.13",),
    finding=Finding(
        Label.REMARK,
        r"$\tilde R = C (R_0 + \sigma \sqrt{\ln(1 / \alpha_{min})})$; lemma 5.13 for fixed sets",
        r"C such that $\tilde R \ge 2 R''$",
        "Centres are uncovered points, so that the sets on offer change; any uncovered point of a "
        "ball of radius R'' covers that ball.",
    ),
)
def greedy_warm_starts(effort: Effort) -> str:
    """Run the program's cover on integer points in the plane, where its floats are exact."""
    import numpy as np

    from symscore.learn.warm_start.covers import greedy_cover

    rng, worst, rounds = random.Random(effort.seed), Fraction(0), 0
    for _ in range(effort.pick(20, 100)):
        k, size = rng.randint(1, 4), 30
        middles = [(rng.randint(-20, 20), rng.randint(-20, 20)) for _ in range(k)]
        near = [_plus(rng.choice(middles), rng.choice(CIRCLE)) for _ in range(size)]
        points = near + [(1000 * (i + 1), 0) for i in range(rng.randint(1, 5))]
        left = Fraction(len(points) - size, len(points))
        for m in range(1, 2 * k + 2):
            cover = greedy_cover(np.array(points, float), np.ones(len(points)), 10.0, m)
            missed = Fraction(round((1 - cover.covered) * len(points)), len(points))
            bound = left + (1 - Fraction(1, k)) ** m * (1 - left)
            require(missed <= bound, "a share left below the bound", (missed, bound))
            worst, rounds = max(worst, missed / bound), rounds + 1
    for k in range(1, 5):
        apart = [_plus((100 * i, 0), p) for i in range(k) for p in CIRCLE] + [(0, 1000)]
        held = greedy_cover(np.array(apart, float), np.ones(len(apart)), 10.0, 1).covered
        require(round(held * len(apart)) == len(CIRCLE), "equality for circles apart", (k, held))
    short = greedy_cover(np.array(CIRCLE, float), np.ones(len(CIRCLE)), 5.0, 1).covered
    require(short < 1, "a circle that one ball of its own radius about a point does not cover")
    return f"{rounds} covers: at most {float(worst):.2f} of the bound; radius R'': {short:.2f} held"


def _plus(left: tuple[int, int], right: Sequence[int]) -> tuple[int, int]:
    return left[0] + right[0], left[1] + right[1]


@entry(
    "B.Lem5.12",
    title="The new warm starts are complete",
    page="44",
    statement=r"If $\sigma_0 = 1$, $E |f - g|^2 \le (R_0 + \sigma)^2 \alpha_{min}$ and $N = "
    r"\Omega(k \ln(1 / \delta) / \alpha_{min})$, the balls of algorithm 2 cover the support of "
    r"$Q_0$ with probability $1 - \delta$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("B.Lem5.3", "B.Lem5.4", "B.Lem5.13", "B.Alg2"),
    reason="the constant in the radius is not stated",
    weaker="for four atoms and their exact denoiser, that k = 2 balls of radius 1 hold all but a "
    "share e of the denoised points, that 2 e leaves a covered point of every atom, and that balls "
    "with the radius of the cover plus 2 then hold all atoms",
    finding=Finding(
        Label.TYPO,
        r"the centre of the cell of $\mu$; the conclusion with the algorithm's own radius",
        r"the centre of the cell of y; $\tilde R + R'' + R_0$",
        "Another constant in the radius.",
    ),
)
def complete_again(effort: Effort) -> str:
    """Certify the shares of the denoised points, sigma = 1; the denoiser rises with y."""
    noise, share = symbols("noise alpha", positive=True)
    chebyshev = noise**2 * share / (4 * noise) ** 2
    require(is_identity(chebyshev, share / 16), "P(|f - g| >= 4 (R_0 + sigma)) <= alpha / 16")
    with precision(64):
        # A denoised point lies between -4 and 7/2, within 1 of a start unless between -2 and 2.
        low, high = (_preimage(value, effort.pick(20, 40)) for value in (-2, 2))
        missing = [_between(atom, low[0], high[1]) for atom in ATOMS]
        epsilon = sum((w * p for w, p in zip(map(ball_of, WEIGHTS), missing, strict=True)), arb(0))
        least = ball_of(min(WEIGHTS))
        for atom, weight in zip(ATOMS, WEIGHTS, strict=True):
            own = normal_tail(ball_of(high[1] - atom if atom > 0 else atom - low[0]))
            require(own * ball_of(weight) > 2 * epsilon, "a covered point of the atom", atom)
            least = arb.min(least, own * ball_of(weight))
        rounds = (2 * ((1 - epsilon) / epsilon).log()).ceil().unique_fmpz()
        return (
            f"e = {float(epsilon):.4f}; denoised points near an atom: at least {float(least):.4f}; "
            f"{rounds} rounds"
        )


def _denoised(y: Fraction) -> arb:
    bells = [
        ball_of(w) * ball_of(-((y - a) ** 2) / 2).exp() for w, a in zip(WEIGHTS, ATOMS, strict=True)
    ]
    moment = sum((bell * ball_of(a) for bell, a in zip(bells, ATOMS, strict=True)), arb(0))
    return moment / sum(bells, arb(0))


def _preimage(value: int, steps: int) -> tuple[Fraction, Fraction]:
    """Enclose the y that is denoised to a value."""
    low, high = Fraction(-12), Fraction(12)
    require(_denoised(low) < value < _denoised(high), "a value between those at the ends", value)
    for _ in range(steps):
        middle = (low + high) / 2
        if _denoised(middle) < value:
            low = middle
        else:
            require(_denoised(middle) > value, "a decided comparison", middle)
            high = middle
    return low, high


def _between(mean: Fraction, low: Fraction, high: Fraction) -> arb:
    return normal_tail(ball_of(low - mean)) - normal_tail(ball_of(high - mean))


@entry(
    "B.Chern",
    title="Tails of a binomial variable",
    page="45",
    statement=r"$P(X \le (1 - c) p N) \le e^{-c^2 p N / 2}$ and "
    r"$P(X \ge (1 + c) p N) \le e^{-c^2 p N / (2 + c)}$ for X binomial.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=("Markov's inequality", r"$1 + x \le e^x$", "Taylor's formula with remainder"),
)
def binomial_tails(effort: Effort) -> str:
    """Decide both exponents by their second derivatives, and certify exact tails."""
    c = Symbol("c", positive=True)
    # (1 - p + p e^s)^N <= exp(p N (e^s - 1)) at s = log(1 + c), or log(1 - c).
    rates = c**2 / 2, c**2 / (2 + c)
    lower = (1 - c) * log(1 - c) + c - rates[0]
    upper = (1 + c) * log(1 + c) - c - rates[1]
    for gap in (lower, upper):
        require(gap.subs(c, 0) == 0 and gap.diff(c).subs(c, 0) == 0, "a double zero", gap)
    require(is_identity(lower.diff(c, 2), c / (1 - c)), "a convex gap below")
    curve = (c**3 + 6 * c**2 + 4 * c) / ((1 + c) * (2 + c) ** 3)
    require(is_identity(upper.diff(c, 2), curve), "a convex gap above")
    shares, shown = [], ""
    with precision(64):
        for p, n, d in effort.pick(((10, 200, 2),), ((10, 200, 2), (3, 60, 4), (2, 400, 10))):
            below, above = _tails(Fraction(1, p), n, Fraction(1, d))
            sizes = [Fraction(str(rate.subs(c, sympy.Rational(1, d)))) for rate in rates]
            bounds = [ball_of(-size * n / p).exp() for size in sizes]
            require(ball_of(below) <= bounds[0], "the lower tail's bound", below)
            require(ball_of(above) <= bounds[1], "the upper tail's bound", above)
            shares += [float(below) / float(bounds[0]), float(above) / float(bounds[1])]
            shown = f"{float(below):.5f} <= {float(bounds[0]):.4f}"
            shown += f", {float(above):.4f} <= {float(bounds[1]):.4f}"
    return f"all c; {shown} (at most {max(shares):.2f} of a bound)"


def _tails(p: Fraction, n: int, c: Fraction) -> tuple[Fraction, Fraction]:
    masses = [comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(n + 1)]
    require(sum(masses) == 1, "a law", sum(masses))
    below = sum((m for j, m in enumerate(masses) if j <= (1 - c) * p * n), Fraction(0))
    return below, sum((m for j, m in enumerate(masses) if j >= (1 + c) * p * n), Fraction(0))


@entry(
    "B.Lem5.13",
    title="A greedy cover is nearly as good as the best",
    page="45",
    statement=r"If k of some sets cover all but a share $\varepsilon$ of X, the greedy algorithm "
    r"covers all but $2 \varepsilon$ with $O(k \ln(1 / \varepsilon))$ sets; "
    r"$\lceil k \ln((1 - \varepsilon) / \varepsilon) \rceil$ are enough.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=(r"$1 - x \le e^{-x}$", "the pigeonhole principle"),
    finding=Finding(
        Label.REMARK,
        r"$O(k \ln(1 / \varepsilon))$",
        r"$\lceil k \ln((1 - \varepsilon) / \varepsilon) \rceil$ for $\varepsilon < \frac12$",
        r"What is uncovered beyond $\varepsilon$ falls by $1 - 1/k$ a round.",
    ),
)
def greedy_cover_lemma(effort: Effort) -> str:
    """Decide the recursion, and run all rounds on random families with ties broken badly."""
    u, eps, k = symbols("u eps k", positive=True)
    left = u - (u - eps) / k  # one of k sets holds a k-th of what they cover of the uncovered
    require(is_identity(left - eps, (1 - 1 / k) * (u - eps)), "the fall of the excess")
    rng, rounds, worst, attained = random.Random(effort.seed), 0, Fraction(0), 0
    for _ in range(effort.pick(100, 400)):
        size, k_sets, missed = 12, rng.randint(1, 4), rng.randint(1, 3)
        good = [set(range(missed + i, size, k_sets)) for i in range(k_sets)]
        others = [
            set(rng.sample(range(size), rng.randint(1, 6))) for _ in range(rng.choice((0, 6)))
        ]
        share = Fraction(missed, size)
        for before, after in _greedy([*others, *good], size):
            excess = (Fraction(m, size) - share for m in (before, after))
            old, new = excess
            bound = (1 - Fraction(1, k_sets)) * old
            require(new <= bound or old < 0, "the fall in one round", (old, new, k_sets))
            attained += new == bound > 0
            rounds += 1
        with precision(64):
            count = int((k_sets * ball_of((1 - share) / share).log()).ceil().unique_fmpz())
        uncovered = size if count == 0 else _greedy([*others, *good], size, count)[-1][1]
        require(uncovered <= 2 * missed, "all but 2 eps covered", (uncovered, missed, count))
        worst = max(worst, Fraction(uncovered, 2 * missed))
    require(attained > 0, "equality in some round")
    _check_halving()
    return f"{rounds} rounds, {attained} with equality; at most {float(worst):.2f} of 2 eps left"


def _check_halving() -> None:
    """Check two sets whose rest is halved by another set in every round: equality throughout."""
    good = [set(range(8)), set(range(8, 16))]
    parts = ((0, 4), (4, 6), (6, 7))
    others = [{*range(*part), *range(8 + part[0], 8 + part[1])} for part in parts]
    found = _greedy([*others, *good], 18, len(others))  # two points are in no set
    falls = [(after - 2, (1 - Fraction(1, len(good))) * (before - 2)) for before, after in found]
    require(all(new == bound for new, bound in falls), "equality in every round", falls)


def _greedy(sets: list[set[int]], size: int, rounds: int = 20) -> list[tuple[int, int]]:
    """Return how many are uncovered before and after each round."""
    left, found = set(range(size)), []
    for _ in range(rounds):
        before = len(left)
        left = left - max(sets, key=lambda chosen: len(chosen & left))
        found.append((before, len(left)))
    return found
