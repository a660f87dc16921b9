"""Rows C.1 to C.6: what paper C proves of gradient descent, and the runs that can be made exact."""

import math
from dataclasses import replace
from itertools import pairwise

import sympy
from sympy import Expr, symbols

from symscore.exact import DifferentialField, ExactMixture, is_identity
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require

DIM = 1000
RATE = 0.4
FOLDS = 24  # of growth of the direction in the first stage
GROWTH = 0.1  # of the direction in a long step, which shortens the rest by 4 rate |theta|^2 or less


@entry(
    "C.1",
    title="Two components from a random start",
    statement=r"For $\frac12 N(\pm \mu^*, I)$ gradient descent on the denoising objective, from a "
    r"random start, finds $\pm \mu^*$ if the separation is at least 1/poly(d) (from the abstract).",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("C.6", "C.9"),
    reason="the polynomials in the dimension are not stated",
    weaker="population descent through both stages in 1000 dimensions, for a random start, exactly "
    "up to rounding by the reduction to one dimension of C.9",
)
def random_start(effort: Effort) -> str:
    """Run both stages in the plane of start and truth, where all steps stay."""
    _check_plane(effort.seed)
    found = []
    for length in effort.pick((1.0,), (1.0, 2.0, 0.7)):
        (cosine, sine), _, error = _two_stages(DIM, length, effort.seed)
        require(cosine < 0.2, "a start that hardly sees the truth", cosine)
        require(abs(sine) < 1e-3, "the direction after the first stage", sine)
        require(error < 1e-12, "the truth after the second", error)
        found.append(f"|mu| = {length:g}: cosine {cosine:.3f}, then sine {abs(sine):.0e}")
    return f"d = {DIM}, {'; '.join(found)}; errors below 1e-12 at the end"


def _check_plane(seed: int) -> None:
    """Check that the gradient in 1000 dimensions is that of the plane, to rounding."""
    import numpy as np

    from symscore.learn.ddpm.symmetric import population_gradient
    from symscore.learn.ddpm.two_stages import random_start as drawn

    theta, mu = drawn(DIM, seed=seed) / 30, np.eye(DIM)[0]
    across = theta - theta[0] * mu
    flat = population_gradient(np.array([theta[0], np.linalg.norm(across)]), np.eye(2)[0])
    whole = population_gradient(theta, mu)
    gap = np.abs(whole - flat[0] * mu - flat[1] * across / np.linalg.norm(across)).max()
    require(bool(gap < 1e-12), "the plane's gradient in the whole space", gap)


def _two_stages(
    dim: int, length: float, seed: int
) -> tuple[tuple[float, float], tuple[int, float], float]:
    """Return start's cosine and stage one's sine, its steps and stage two's contraction, the error.

    The start is N(0, I) in `dim` dimensions; mu is the first axis.
    """
    import numpy as np

    from symscore.learn.ddpm.descent import descend
    from symscore.learn.ddpm.symmetric import population_gradient
    from symscore.learn.ddpm.two_stages import high_noise_time
    from symscore.learn.ddpm.two_stages import random_start as drawn

    theta = drawn(dim, seed=seed)
    far, near = high_noise_time(dim), 0.1
    mu = np.array([length, 0.0])
    at = np.array([theta[0], np.linalg.norm(theta[1:])])
    # Short steps until |theta|^2, about 1 / (8 RATE n) after n of them, allows the long ones.
    long = GROWTH / 4 * math.exp(2 * far) / length**2
    short, many = math.ceil(long / RATE), math.ceil(FOLDS / GROWTH)
    found = at
    for rate, steps in ((RATE, short), (long, many)):
        found, _ = descend(
            found, lambda t: population_gradient(t, math.exp(-far) * mu), rate=rate, steps=steps
        )
    aims = abs(float(at[0] / np.linalg.norm(at))), float(found[1] / np.linalg.norm(found))
    truth = math.copysign(math.exp(-near), found[0]) * mu
    ends, at = [], found * math.exp(far - near)
    for _ in range(60):
        at, _ = descend(at, lambda t: population_gradient(t, truth), rate=RATE, steps=1)
        ends.append(float(np.linalg.norm(at - truth)) * math.exp(near))
    return aims, (short + many, (ends[9] / ends[5]) ** 0.25), ends[-1]


@entry(
    "C.2",
    title="K components from a warm start",
    statement=r"For unit covariances and separation $\Omega(\sqrt{\log \min(K, d)})$ gradient "
    "descent from a warm start finds all K means (from the abstract).",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("C.3",),
    reason="the constants in the separation and in the start are not stated",
    weaker="population descent for three means in the plane, 4 to 5 apart, from half a standard "
    "deviation away; and a start too far away, from which it does not get to the truth",
)
def warm_start(effort: Effort) -> str:
    """Run ten steps from a warm start, and thirty from a bad one, by quadrature."""
    import numpy as np

    from symscore.ledger.paper_c.plane import TRUTH, descent_errors, start

    warm = descent_errors(TRUTH, start(TRUTH, 0.5, seed=effort.seed), 10)
    require(warm[10] < 1e-6 and warm == sorted(warm, reverse=True), "a fast descent", warm)
    # Two of the means share one component and the third must serve the two others.
    truth = np.array([[-3.0, 0.0], [3.0, 0.0], [30.0, 0.0]])
    bad = np.array([[0.0, 0.0], [29.5, 0.0], [30.5, 0.0]])
    lost = descent_errors(truth, bad, effort.pick(5, 30), step=0.4)[-1]
    require(lost > 2, "a bad start to stay lost", lost)
    shown = ", ".join(f"{warm[n]:.1e}" for n in (1, 2, 5, 10))
    return f"error {shown} after 1, 2, 5, 10 steps; from a bad start {lost:.1f}"


@entry(
    "C.3",
    title="How many steps a warm start needs",
    statement=r"With means at least $C \sqrt{\log \min(K, d)}$ apart and within B of 0, and a "
    r"start within $C' \sqrt{\log \min(K, d)}$, descent at $t = \Theta(\varepsilon)$ is within "
    r"$\varepsilon$ after $\Theta(\log(\varepsilon^{-1} \log d))$ steps on "
    r"$\Theta(K^4 d^5 B^6 / \varepsilon^2)$ samples (theorem 16, as restated in arXiv 2502.03444).",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.NOT_CHECKABLE,
    reason="the constants are not stated",
    weaker="that population descent converges linearly: its errors shrink by steady factors, and "
    "the steps to an error grow in proportion to its logarithm",
)
def steps_needed(effort: Effort) -> str:
    """Count the steps to errors 1e-2 to 1e-8 on three means in the plane."""
    from symscore.ledger.paper_c.plane import TRUTH, descent_errors, start

    errors = descent_errors(TRUTH, start(TRUTH, 0.5, seed=effort.seed), 12)
    goals = effort.pick((-2, -4, -6), (-2, -4, -6, -8))
    counts = [next(n for n, e in enumerate(errors) if e <= 10.0**goal) for goal in goals]
    gaps = [b - a for a, b in pairwise(counts)]
    require(max(gaps) - min(gaps) <= 1, "as many steps for every two digits, within one", counts)
    factors = [b / a for a, b in pairwise(errors[2:10])]
    require(max(factors) < 0.4, "every step to shrink the error below .4 of it", factors)
    return (
        f"{', '.join(map(str, counts))} steps to 1e{goals[0]} ... 1e{goals[-1]}; factors "
        f"{min(factors):.2f} to {max(factors):.2f}"
    )


@entry(
    "C.4",
    title="The descent for one noise level",
    statement=r"From clean means $\mu_i^{(0)}$, put $\mu_{i, t} = e^{-t} \mu_i^{(0)}$, take H "
    r"gradient steps on the empirical denoising loss, and return $e^t \mu_{i, t}$ (as recalled; "
    "the algorithm's name in the paper is GMMDenoiser).",
    kind=Kind.ALGORITHM,
    outcome=Outcome.MEASURED,
    depends_on=("C.5",),
)
def one_level(effort: Effort) -> str:
    """Compare the implementation with steps along a complex-step derivative of the loss."""
    import numpy as np

    from symscore.learn.ddpm.noised import noised
    from symscore.learn.ddpm.warm import WarmDescent
    from symscore.learn.select import Sample
    from symscore.ledger.paper_c.plane import TRUTH, error, start
    from symscore.schedule import NoiseLevel

    rng, n = np.random.default_rng(effort.seed), effort.pick(3000, 12000)
    rows = TRUTH[rng.integers(3, size=n)] + rng.standard_normal((n, 2))
    sample = Sample(rows, np.full(n, 1 / n), np.zeros(n, dtype=np.int64), effort.seed)
    method, at = WarmDescent(steps=3), start(TRUTH, 0.5, seed=effort.seed)
    found = method.fit(sample, at, progress=lambda *_: None).mixture.means
    level = NoiseLevel.from_time(method.time)
    here = noised(sample, level, sample.noises(0, method.pairs))
    own = at * math.exp(-method.time)
    for _ in range(method.steps):
        own = own - 1.5 * _complex_gradient(own, here.x, here.z / level.sigma, here.weights)
    gap = float(np.abs(found - math.exp(method.time) * own).max())
    require(gap < 1e-10, "the same means", gap)
    longer = replace(method, steps=12).fit(sample, at, progress=lambda *_: None).mixture.means
    limit = 8 * math.sqrt(3 / n)
    require(error(longer, TRUTH) < limit, "means near the truth", longer)
    return (
        f"gap {gap:.1e} after 3 steps; n = {n}: error {error(at, TRUTH):.2f} to "
        f"{error(longer, TRUTH):.3f} in 12 steps (eight standard errors of a component's rows are "
        f"{limit:.2f}: false alarms below 1e-6)"
    )


def _complex_gradient(means, x, noise, weights):  # type: ignore[no-untyped-def]
    r"""Differentiate :math:`E |s + z / \sigma|^2` by the means, to rounding: f(m + i h) / h."""
    import numpy as np

    found = np.zeros_like(means)
    for i, j in np.ndindex(means.shape):
        moved = means.astype(complex)
        moved[i, j] += 1e-30j
        gates = np.exp(x @ moved.T - 0.5 * (moved**2).sum(axis=1))
        gates /= gates.sum(axis=1, keepdims=True)
        residual = gates @ moved - x + noise
        found[i, j] = (weights @ (residual**2).sum(axis=1)).imag / 1e-30
    return found


@entry(
    "C.5",
    title="The students and where the truth is attained",
    statement=r"The scores $\sum_i w_i(x) \mu_{i, t} - x$, $w = \operatorname{softmax}"
    r"(-\frac12 |x - \mu_{j, t}|^2)$, and for K = 2 $\tanh(\theta \cdot x) \theta - x$; the noised "
    r"mixture's is that at $\mu_{i, t} = e^{-t} \mu_i^*$ (from arXiv 2502.03444).",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("A.Eq1", "C.15"),
)
def students(effort: Effort) -> str:
    """Differentiate the log density of the noised components, with symbolic means and level."""
    x, alpha = symbols("x1:3"), symbols("alpha")
    count = effort.pick(2, 3)
    clean, gates = [symbols(f"m{i}_1:3") for i in range(count)], symbols(f"e0:{count}")
    noisy = [tuple(alpha * s for s in m) for m in clean]
    arguments = {
        e: -sympy.Add(*((a - b) ** 2 for a, b in zip(x, m, strict=True))) / 2
        for e, m in zip(gates, noisy, strict=True)
    }
    field = DifferentialField([*x, alpha, *(s for m in clean for s in m)], arguments)
    density = sympy.Add(*gates)
    for j, place in enumerate(x):
        student = sympy.Add(*(e * m[j] for e, m in zip(gates, noisy, strict=True))) / density
        score = field.diff(density, place) / field.element(density)
        require(score == field.element(student - place), "the softmax student", place)
    theta = symbols("theta1:3")
    pair = ExactMixture(("1/2", "1/2"), (theta, tuple(-s for s in theta)), (((1, 0), (0, 1)),) * 2)
    u = _dot(theta, x)
    for own, place, score in zip(theta, x, pair.score(x), strict=True):
        require(is_identity(score, sympy.tanh(u) * own - place), "the tanh student", place)
    return f"K = {count} symbolic means in the plane, any level; K = 2 by tanh"


def _dot(left: tuple[Expr, ...], right: tuple[Expr, ...]) -> Expr:
    return sympy.Add(*(a * b for a, b in zip(left, right, strict=True)))


@entry(
    "C.6",
    title="Two stages: a power iteration, then a contraction",
    statement=r"For K = 2 descent at $t_1 = \Theta(\log d)$ from $\theta \sim N(0, I)$ acts as a "
    r"power iteration, and then at $t_2 = \Theta(1)$ it contracts as EM does (as recalled).",
    kind=Kind.ALGORITHM,
    outcome=Outcome.MEASURED,
    depends_on=("C.11", "C.14"),
)
def two_stages(effort: Effort) -> str:
    """Run the population descent in several dimensions; compare a far step with its limit."""
    import numpy as np

    from symscore.learn.ddpm.symmetric import population_gradient, power_step

    gaps = []
    for h in (0.1, 0.05):
        theta, mu = h * np.array([0.6, 0.9]), h * np.array([1.0, 0.0])
        step = power_step(theta, mu)
        gap = -population_gradient(theta, mu) - step
        gaps.append(float(np.linalg.norm(gap) / np.linalg.norm(step)))
    require(3.5 < gaps[0] / gaps[1] < 4.5, "a relative gap of order h^2", gaps)
    shown, factors = [], []
    for dim in effort.pick((10, 100), (10, 100, 1000)):
        (_, sine), (steps, factor), error = _two_stages(dim, 1.0, effort.seed)
        require(abs(sine) < 1e-3, "the direction after the first stage", sine)
        require(factor < 0.6, "a contraction in every step of the second", factor)
        factors.append(factor)
        require(error < 1e-12, "the truth", error)
        shown.append(f"d = {dim}: sine {abs(sine):.0e} after {steps} steps")
    return (
        f"{'; '.join(shown)}; then factors up to {max(factors):.2f} a step; power iteration to "
        f"{gaps[1]:.1%} at h = .05 (false alarms, by starts across the truth, below 1e-6)"
    )
