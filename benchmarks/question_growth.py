"""From total variation against rows to the rows needed, and to exponents with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from benchmarks.question_size import Point

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Needed:
    """Rows, and CPU seconds of a fit to them, for a total variation; NaN where not reached."""

    rows: float
    seconds: float


def needed(points: Sequence[Point], method: str, target: float) -> Needed:
    """Interpolate the first passage below the target, straight in log n, log TV and log seconds.

    Where the smallest sample is already below, TV falls as n^(-1/2) and the seconds are its own.
    """
    tv = np.array([point.reached[method][0] for point in points])
    seconds = np.log([point.reached[method][1] for point in points])
    rows, distance = np.log([point.n for point in points]), np.log(tv)
    below = np.flatnonzero(tv <= target)
    if below.size == 0:
        return Needed(np.nan, np.nan)
    i = int(below[0])
    if i == 0:
        return Needed(float(np.exp(rows[0]) * (tv[0] / target) ** 2), float(np.exp(seconds[0])))
    share = (distance[i - 1] - np.log(target)) / (distance[i - 1] - distance[i])
    return Needed(
        float(np.exp(rows[i - 1] + share * (rows[i] - rows[i - 1]))),
        float(np.exp(seconds[i - 1] + share * (seconds[i] - seconds[i - 1]))),
    )


@dataclass(frozen=True)
class Exponent:
    """The slope of log y on log x with the half-width of its interval; NaN below three points."""

    value: float
    half_width: float

    def __str__(self) -> str:
        return f"{self.value:.2f} +- {self.half_width:.2f}"


def exponent(x: Sequence[float], y: Sequence[float]) -> Exponent:
    """Fit log y = a + b log x by least squares over all finite points; 95 % interval of b."""
    log_x, log_y = np.log(x), np.log(y)
    seen = np.isfinite(log_y)
    log_x, log_y = log_x[seen], log_y[seen]
    if log_x.size < 3:
        return Exponent(np.nan, np.nan)
    centred = log_x - log_x.mean()
    slope = float(centred @ log_y / (centred @ centred))
    residual = log_y - log_y.mean() - slope * centred
    freedom = log_x.size - 2
    error = np.sqrt(residual @ residual / freedom / (centred @ centred))
    return Exponent(slope, float(error * student.ppf((1 + CONFIDENCE) / 2, freedom)))


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean of the finite values; NaN where there are none."""
    logs = np.log([value for value in values if np.isfinite(value)])
    return float(np.exp(logs.mean())) if logs.size else float("nan")
