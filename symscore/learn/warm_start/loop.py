"""From noise to data: regression at every level, warm starts when the heat time has halved."""

from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.folds import fold_labels
from symscore.learn.hermite import degree_of, n_features
from symscore.learn.hermite_sums import needed_order
from symscore.learn.select import Progress, Sample
from symscore.learn.statistics import regression_noise
from symscore.learn.warm_start.covers import Cover, warm_starts
from symscore.learn.warm_start.equations import MOST_MOMENTS, cell_moments, interior
from symscore.learn.warm_start.means import VoronoiMean, affordable, fit_means

MOST_PAIRS = 64
MOST_VALUES = 1 << 24  # of all pairs of noise of a level, 128 MiB
MOST_COVERED = 2000  # rows denoised for a cover, whose distances are all kept at once


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the loop needs to know, in the units of the frame.

    Attributes
    ----------
    times : tuple of float
        Falling heat times; a level is fitted at each but the last, where the sampler ends.
    noise : float
        Noise sigma_0 that the data contain.
    degree : int
        Largest degree of a cell's polynomial.
    ball : float
        Radius of the ball of coefficients.
    radius : float
        Of the ball to which posterior means are clipped; infinite for none.
    base, factor : float
        A cover has the radius ``base + factor * sigma``.
    rounds : int
        Most centres of a cover.
    fresh : int
        Of so many rows, one is kept for warm starts; 0 for all rows in both, freshly noised.
    pairs : int
        Antithetic pairs of noise of a row near a border; more where such rows are few.
    least : float
        Effective rows that a ball of a cover must hold.
    """

    times: tuple[float, ...]
    noise: float
    degree: int
    ball: float
    radius: float
    base: float
    factor: float
    rounds: int
    fresh: int
    pairs: int
    least: float


@final
@dataclass(frozen=True, eq=False)
class Refresh:
    """New warm starts, found at heat time t and used below."""

    t: float
    cover: Cover


def learn_means(
    sample: Sample, plan: Plan, *, progress: Progress
) -> tuple[tuple[VoronoiMean, ...], tuple[Refresh, ...]]:
    """Run the loop of Algorithm 1 of arXiv 2404.18869 over falling heat times (steps B3 to B5).

    It starts from the one centre 0.

    Parameters
    ----------
    sample : Sample
        Rows in the frame.
    plan : Plan
    progress : callable
        Called with (stage, done, total).

    Returns
    -------
    fields : tuple of VoronoiMean
        One at every heat time but the last.
    refreshes : tuple of Refresh
    """
    learning, covering = _split(len(sample.x), plan.fresh, sample.seed)
    x = sample.x[learning]
    weights = sample.weights[learning] / sample.weights[learning].sum()
    dim = x.shape[1]
    degree = degree_of(dim, max(affordable(1 / float(weights @ weights), dim, plan.degree), 1))
    centres, refreshed = np.zeros((1, dim)), plan.times[0]
    moments = _moments(x, weights, centres, degree, plan.noise)
    fields: list[VoronoiMean] = []
    refreshes: list[Refresh] = []
    for level, t in enumerate(plan.times[:-1]):
        draws = [] if moments is not None else sample.noises(level, _pairs(plan, x, centres, t))
        field = fit_means(
            x,
            weights,
            [z[learning] for z in draws],
            centres,
            t,
            noise=plan.noise,
            degree=degree,
            ball=plan.ball,
            radius=plan.radius,
            moments=moments,
        )
        fields.append(field)
        if t <= refreshed / 2:
            refreshed = t
            cover = _cover(field, sample, covering, plan, len(plan.times) + level)
            refreshes.append(Refresh(t, cover))
            centres = cover.centres
            moments = _moments(x, weights, centres, degree, plan.noise)
        progress("fitting levels", level + 1, len(plan.times) - 1)
    return tuple(fields), tuple(refreshes)


def _moments(
    x: FloatArray, weights: FloatArray, centres: FloatArray, degree: int, noise: float
) -> FloatArray | None:
    """Moments about a single centre, which serve every level; None for several or too many."""
    if len(centres) > 1 or n_features(x.shape[1], needed_order(degree)) > MOST_MOMENTS:
        return None
    return cell_moments(x, weights, centres[0], degree, noise)


def _pairs(plan: Plan, x: FloatArray, centres: FloatArray, t: float) -> int:
    """Pairs of noise that give as many draws in all as `plan.pairs` where every row needs them.

    Near a border the target's noise grows as 1 / sqrt(t) while the rows there become fewer.
    """
    share = max(1 - float(interior(x, centres, np.sqrt(t))[1].mean()), 1 / MOST_PAIRS)
    affordable_pairs = max(MOST_VALUES // x.size, 1)
    return max(min(round(plan.pairs / share), MOST_PAIRS, affordable_pairs), plan.pairs)


def _split(n: int, fresh: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows for regression, and of those for warm starts."""
    if fresh == 0:
        return np.arange(n), np.arange(n)
    labels = fold_labels(n, None, fresh, seed=seed)
    return np.flatnonzero(labels), np.flatnonzero(labels == 0)


def _cover(mean: VoronoiMean, sample: Sample, rows: np.ndarray, plan: Plan, key: int) -> Cover:
    """Find new warm starts from at most MOST_COVERED of the rows, and noise of its own key."""
    used = rows
    if len(rows) > MOST_COVERED:
        used = np.random.default_rng([sample.seed, 5]).permutation(rows)[:MOST_COVERED]
        used.sort()
    z = regression_noise(sample.seed, key, sample.x.shape)[used]
    return warm_starts(
        mean,
        sample.x[used],
        sample.weights[used],
        z,
        plan.base + plan.factor * mean.sigma,
        plan.rounds,
        least=plan.least * len(used) / len(rows),
    )
