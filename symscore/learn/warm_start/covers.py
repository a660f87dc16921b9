"""Warm starts: centres that cover what has been denoised (step B5, Algorithm 2)."""

from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray, frozen
from symscore.errors import BadOption
from symscore.learn.warm_start.means import VoronoiMean


@final
@dataclass(frozen=True, eq=False)
class Cover:
    """Centres whose balls cover a share of the points.

    Attributes
    ----------
    centres : (C, d) array
        In the order in which they were picked.
    covered : float
        Share of the weight within their balls.
    radius : float
        Of the balls.
    """

    centres: FloatArray
    covered: float
    radius: float


def greedy_cover(
    points: FloatArray,
    weights: FloatArray,
    radius: float,
    rounds: int,
    *,
    least: float = 0.0,
) -> Cover:
    r"""Cover points by balls about some of them, the heaviest ball first.

    Each round picks the uncovered point whose ball of that radius holds the most uncovered
    weight, and takes the ball's points away: ``C' k ln(1 / alpha_min)`` rounds in Algorithm 2 of
    arXiv 2404.18869. If k sets cover all but :math:`\varepsilon` of a set, as many sets as
    :math:`k \ln(1 / \varepsilon)`, rounded up, cover all but :math:`2 \varepsilon` when the sets on
    offer are fixed; balls about uncovered points stand for them where the radius is at least
    twice theirs.

    Parameters
    ----------
    points : (n, d) array
    weights : (n,) array
        Positive.
    radius : float
    rounds : int
        At most so many balls.
    least : float
        Effective points that a ball must hold, but for the first one; 0 for any.

    Examples
    --------
    >>> import numpy as np
    >>> cover = greedy_cover(np.array([[0.0], [0.1], [0.2], [5.0]]), np.full(4, 0.25), 0.15, 2)
    >>> cover.centres.ravel(), cover.covered
    (array([0.1, 5. ]), 1.0)
    """
    if not (len(points) and radius > 0 and rounds >= 1):
        raise BadOption(
            f"Expected points, radius > 0 and rounds >= 1; got {len(points)}, {radius}, {rounds}."
        )
    square = sum((column[:, None] - column) ** 2 for column in points.T)
    near = np.asarray(square <= radius**2, dtype=np.float64)
    left = np.ones(len(points), dtype=bool)
    picked: list[int] = []
    while left.any() and len(picked) < rounds:
        held = near @ np.where(left, weights, 0.0)
        best = int(np.where(left, held, -1.0).argmax())
        ball = (near[best] > 0) & left
        effective = weights[ball].sum() ** 2 / (weights[ball] ** 2).sum()
        if picked and effective < least:
            break
        picked.append(best)
        left &= ~ball
    covered = 1 - float(weights[left].sum() / weights.sum())
    return Cover(frozen(points[picked]), covered, radius)


def warm_starts(
    mean: VoronoiMean,
    x: FloatArray,
    weights: FloatArray,
    z: FloatArray,
    radius: float,
    rounds: int,
    *,
    least: float = 0.0,
) -> Cover:
    r"""Denoise freshly noised rows, and cover what comes out (Algorithm 2).

    .. math:: y_i = x_i + \sqrt t \, z_i, \qquad \hat\mu_i = y_i + \sigma^2 s(y_i) = f(y_i)

    Parameters
    ----------
    mean : VoronoiMean
        Learned at this heat time.
    x : (n, d) array
        Rows that it has not seen, where the theorem is to hold.
    weights : (n,) array
    z : (n, d) array
        Standard normal noise that no regression has used.
    radius, rounds, least
        As of :func:`greedy_cover`.
    """
    denoised = mean.posterior_mean(x + np.sqrt(mean.t) * z)
    return greedy_cover(denoised, weights, radius, rounds, least=least)
