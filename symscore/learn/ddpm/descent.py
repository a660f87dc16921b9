"""Plain and projected gradient descent, as the paper uses it: fixed steps, no line search."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.mixture import GaussianMixture


@final
@dataclass(frozen=True)
class Stage:
    """What one stage of a descent did.

    Attributes
    ----------
    name : str
    time : float
        Noise of the stage, as a time of the Ornstein-Uhlenbeck process; NaN where it has several.
    steps : int
    gradient : float
        Euclidean norm of the last gradient.
    loss : float
        The objective at the end, less what no student changes.
    """

    name: str
    time: float
    steps: int
    gradient: float
    loss: float

    def __str__(self) -> str:
        where = "" if np.isnan(self.time) else f" at t = {self.time:.3g}"
        return (
            f"{self.name}{where}: {self.steps} steps, gradient {self.gradient:.1e}, "
            f"loss {self.loss:.6g}"
        )


@final
@dataclass(frozen=True, eq=False)
class Descended:
    """Where a descent ended.

    Attributes
    ----------
    mixture : GaussianMixture
        Of the clean rows, in their coordinates.
    stages : tuple of Stage
    em_gap : float
        Length of the EM step that would follow, the largest over components, at the last level.
    """

    mixture: GaussianMixture
    stages: tuple[Stage, ...]
    em_gap: float


def project_ball(rows: FloatArray, radius: float) -> FloatArray:
    """Return rows (..., d), each moved to the nearest point of the ball of that radius.

    Examples
    --------
    >>> project_ball(np.array([[3.0, 4.0], [0.5, 0.0]]), 1.0)
    array([[0.6, 0.8],
           [0.5, 0. ]])
    """
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows * np.minimum(1.0, radius / np.maximum(lengths, np.finfo(float).tiny))


def descend(
    start: FloatArray,
    gradient: Callable[[FloatArray], FloatArray],
    *,
    rate: float,
    steps: int,
    radius: float = np.inf,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FloatArray, float]:
    """Take `steps` steps ``rows - rate * gradient(rows)``, each projected on a ball.

    Parameters
    ----------
    start : (d,) or (k, d) array
    gradient : callable
    rate : float
        Step size eta.
    steps : int
        At least 1.
    radius : float
        Of the ball in which every row is kept; infinite for plain descent.
    progress : callable, optional
        Called with (done, total) about a hundred times.

    Returns
    -------
    end : array
    norm : float
        Of the last gradient that was used.

    Examples
    --------
    >>> end, norm = descend(np.array([8.0]), lambda x: 2 * x, rate=0.25, steps=3)
    >>> end, norm
    (array([1.]), 4.0)
    """
    rows, slope = start, np.zeros_like(start)
    every = max(1, steps // 100)
    for done in range(1, steps + 1):
        slope = gradient(rows)
        rows = rows - rate * slope
        if radius < np.inf:
            rows = project_ball(rows, radius)
        if progress is not None and done % every == 0:
            progress(done, steps)
    return rows, float(np.linalg.norm(slope))
