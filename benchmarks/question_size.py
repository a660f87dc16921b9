"""Total variation against the number of rows, by symscore's default and by EM with the true k."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from sklearn.mixture import GaussianMixture as SklearnMixture

from benchmarks.question_families import Family
from symscore import GaussianMixture, ScoreDensity, ScoreFlow

OURS, EM = "symscore", "EM, true k"
DRAWS = 8000
START, RATIO, STEPS = 3, 2, 7  # rows per parameter at first, their growth, and the sizes tried
LEAST_ROWS = 20
TARGETS = (0.1, 0.05)

# Growth in each of the three while the others stay at 2, 2 and 3.
AXES: dict[str, tuple[Family, ...]] = {
    "d": tuple(Family(d, 2, 3.0) for d in (1, 2, 3, 4, 6)),
    "k": tuple(Family(2, k, 3.0) for k in (1, 2, 4, 8)),
    "separation": tuple(Family(2, 2, s) for s in (1.0, 2.0, 3.0, 5.0, 8.0)),
}
QUICK_AXES: dict[str, tuple[Family, ...]] = {
    "d": tuple(Family(d, 2, 3.0) for d in (1, 2, 3)),
    "k": tuple(Family(2, k, 3.0) for k in (1, 2, 4)),
    "separation": tuple(Family(2, 2, s) for s in (1.0, 3.0, 6.0)),
}


@dataclass(frozen=True)
class Point:
    """What both methods reached on one sample: (total variation, CPU seconds) each."""

    n: int
    reached: dict[str, tuple[float, float]]


def sizes(family: Family) -> Iterator[int]:
    """Yield numbers of rows, a geometric grid that starts at three a parameter."""
    for step in range(STEPS):
        yield max(LEAST_ROWS, START * family.parameters) * RATIO**step


def climb(family: Family, measure: Callable[[int], Point]) -> list[Point]:
    """Measure at growing sizes until every method is below the least target, or sizes end."""
    points = []
    for n in sizes(family):
        points.append(measure(n))
        if all(tv <= min(TARGETS) for tv, _ in points[-1].reached.values()):
            break
    return points


@cache
def warm_up() -> None:
    """Fit once, so that loading compiled kernels counts for no sample."""
    rows = np.random.default_rng(0).standard_normal((1200, 2))
    ScoreDensity(random_state=0).fit(rows)


def measure(family: Family, n: int, seed: int) -> Point:
    """Fit both methods to n rows of a member of the family; seconds are of all cores together."""
    warm_up()
    truth = family.member(seed)
    data = truth.draw(n, rng=np.random.default_rng([seed, n]))
    began = time.process_time()
    flow = ScoreDensity(random_state=seed).fit(data).flow_
    between = time.process_time()
    fitted = SklearnMixture(truth.n_components, n_init=3, max_iter=300, random_state=seed).fit(data)
    after = time.process_time()
    em = GaussianMixture(fitted.weights_, fitted.means_, fitted.covariances_)
    own = em.draw(DRAWS, rng=np.random.default_rng([seed, n, 1]))
    return Point(
        n,
        {
            OURS: (flow_distance(truth, flow, seed), between - began),
            EM: (one_sided(em.log_density(own), truth.log_density(own)), after - between),
        },
    )


def flow_distance(truth: GaussianMixture, flow: ScoreFlow, seed: int) -> float:
    """Return the total variation from a flow's own draws, whose density needs no inversion."""
    z = np.random.default_rng([seed, 2]).standard_normal((DRAWS, flow.latent_dim))
    return one_sided(flow.latent_log_density(z), truth.log_density(flow.from_latent(z)))


def one_sided(log_q: np.ndarray, log_p: np.ndarray) -> float:
    """Return E_q[(1 - p / q)+], the total variation of two normalised densities."""
    return float(-np.expm1(np.minimum(log_p - log_q, 0.0)).mean())
