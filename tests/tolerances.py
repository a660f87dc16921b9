"""The only tolerances of the tests: each is computed from what causes the difference.

A statistical test here fails for a sound program with probability at most `FALSE_ALARM`, over the
seeds it might have been given.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import chi2, norm

from symscore.arrays import FloatArray

EPS = float(np.finfo(np.float64).eps)
FALSE_ALARM = 1e-6


def roundoff(operations: int, scale: float | FloatArray) -> float | FloatArray:
    """Forward error n u / (1 - n u) of `operations` roundings on terms of size `scale`."""
    nu = operations * EPS / 2
    return nu / (1 - nu) * scale


def monte_carlo(draws: int, sd: float | FloatArray, *, comparisons: int = 1) -> float | FloatArray:
    """Largest error of a mean of `draws` values of standard deviation `sd`, by the normal law."""
    return norm.isf(FALSE_ALARM / (2 * comparisons)) * sd / np.sqrt(draws)


def gaussian_variance(draws: int, *, comparisons: int = 1) -> tuple[float, float]:
    """Bounds on sample variance (about the true mean) over true variance, Gaussian values."""
    tail = FALSE_ALARM / (2 * comparisons)
    return chi2.ppf(tail, draws) / draws, chi2.isf(tail, draws) / draws


def dvoretzky(draws: int, *, comparisons: int = 1) -> float:
    """Largest distance of an empirical from the true distribution function (exact bound)."""
    return float(np.sqrt(np.log(2 * comparisons / FALSE_ALARM) / (2 * draws)))


def bernstein(values: FloatArray, *, comparisons: int = 1) -> float:
    """Largest error of the mean of values in [0, 1], from their own variance (exact bound).

    Maurer and Pontil (2009), theorem 4, both sides.
    """
    n, log_odds = len(values), np.log(4 * comparisons / FALSE_ALARM)
    return float(np.sqrt(2 * values.var(ddof=1) * log_odds / n) + 7 * log_odds / (3 * (n - 1)))


def derivative(
    function: Callable[[FloatArray], FloatArray],
    x: FloatArray,
    *,
    step: float = 2.0**-11,
    noise: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Derivative of rows x (n, d) -> (n, ...) by differences, and a bound on its error (n, ..., d).

    Extrapolated from steps h and 2 h. The correction, which is the error of the step h alone,
    bounds what is left; `noise`, the absolute error of a value, and rounding add theirs.
    """
    columns, errors = [], []
    for shift in step * np.eye(x.shape[1]):
        near, far = (
            (function(x + k * shift) - function(x - k * shift)) / (2 * k * step) for k in (1, 2)
        )
        size = np.abs(function(x + shift)).max() + np.abs(function(x - shift)).max()
        columns.append(near + (near - far) / 3)
        errors.append(np.abs(near - far) / 3 + 2 * (noise + roundoff(64, size)) / step)
    return np.stack(columns, axis=-1), np.stack(errors, axis=-1)
