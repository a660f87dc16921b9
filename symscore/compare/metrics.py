"""What a density estimate is judged by, each figure with its standard error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from symscore.arrays import FloatArray, as_points, blocks, check_shape
from symscore.errors import BadData


@final
@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its standard error; the error is NaN where the figure is infinite."""

    value: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.value:.3g} +- {self.standard_error:.2g}"


@final
@dataclass(frozen=True, slots=True)
class TotalVariation:
    r"""Two estimates of one total variation distance, from draws of either density.

    They estimate the same number if p and q are both normalised, so a difference of many standard
    errors says that one of them is not.
    """

    from_p: Measured
    from_q: Measured


def mean_log_density(log_density: ArrayLike) -> Measured:
    r"""Return the mean log density of n held-out points, with its standard error.

    .. math:: \frac{1}{n} \sum_i \log p(x_i), \qquad s / \sqrt n

    A density of zero at one point makes the mean minus infinity and the error NaN.

    Parameters
    ----------
    log_density : (n,) array
        At least two values, each finite or minus infinity.

    Raises
    ------
    BadData
        On fewer than two values, on NaN or plus infinity.

    Examples
    --------
    >>> mean_log_density([-1.0, -3.0])
    Measured(value=-2.0, standard_error=1.0)
    """
    return _mean(_log_values("log_density", log_density))


def paired_difference(first: ArrayLike, second: ArrayLike) -> Measured:
    r"""Return the mean of log p - log q over the same n held-out points, with its standard error.

    What is hard or easy about a point is common to both and cancels, so this error is usually far
    smaller than that of either mean.

    Parameters
    ----------
    first, second : (n,) arrays
        log p and log q; each value finite or minus infinity.

    Returns
    -------
    Measured
        Minus infinity if only p vanishes at some point, plus infinity if only q does, NaN if both
        do.

    Raises
    ------
    BadData
        As :func:`mean_log_density`, and on unequal lengths.

    Examples
    --------
    >>> paired_difference([-1.0, -3.0], [-2.0, -4.0])
    Measured(value=1.0, standard_error=0.0)
    """
    log_p = _log_values("first", first)
    log_q = _log_values("second", second)
    check_shape("second", log_q, log_p.size)
    if np.isfinite(log_p).all() and np.isfinite(log_q).all():
        return _mean(log_p - log_q)
    # Each mean is finite or minus infinity; their difference is NaN only where both are infinite.
    with np.errstate(invalid="ignore"):
        return Measured(float(log_p.mean() - log_q.mean()), float("nan"))


def energy_distance(x: ArrayLike, y: ArrayLike) -> Measured:
    r"""Return the energy distance between the laws of two samples, with its standard error.

    .. math:: D^2 = 2 E|X - Y| - E|X - X'| - E|Y - Y'|

    The estimate is the U-statistic: the two last means leave out each point's distance to itself,
    so it is unbiased and may be negative. The standard error is the two-sample jackknife's, which
    errs upwards: by about the factor :math:`\sqrt 2` where the laws are equal, by little where
    they clearly differ. :math:`D^2 = 2 \int (F - G)^2` in one dimension, of which
    ``scipy.stats.energy_distance`` is the square root (and with the self-distances left in).

    Parameters
    ----------
    x : (n, d) array
    y : (m, d) array
        At least three rows each.

    Raises
    ------
    BadData
        On too few rows, values that are not finite, or unequal numbers of columns.

    Examples
    --------
    >>> energy_distance([[0.0], [2.0], [4.0]], [[8.0], [10.0], [12.0]]).value
    10.66...
    """
    array = np.asarray(x)
    check_shape("x", array, None, None)
    first = as_points("x", array, array.shape[1])
    second = as_points("y", y, array.shape[1])
    if min(len(first), len(second)) < 3:
        raise BadData(f"Expected at least 3 rows each; got {len(first)} and {len(second)}.")
    across = _distance_sums(first, second)
    across_back = _distance_sums(second, first)
    within_first = _distance_sums(first, first)
    within_second = _distance_sums(second, second)
    value = (
        2 * across.mean() / len(second)
        - within_first.mean() / (len(first) - 1)
        - within_second.mean() / (len(second) - 1)
    )
    variance = _jackknife_variance(across, within_first, len(second)) + _jackknife_variance(
        across_back, within_second, len(first)
    )
    return Measured(float(value), float(np.sqrt(variance)))


def total_variation(
    log_p: Callable[[FloatArray], FloatArray],
    log_q: Callable[[FloatArray], FloatArray],
    *,
    draws_p: FloatArray,
    draws_q: FloatArray,
) -> TotalVariation:
    r"""Estimate the total variation distance of two densities, once from draws of each.

    .. math:: \mathrm{TV} = E_p[(1 - q / p)_+] = E_q[(1 - p / q)_+]

    Both have terms between 0 and 1; the usual :math:`E_p|1 - q/p| / 2` has not, and its estimate
    suffers from the tails of q.

    Parameters
    ----------
    log_p, log_q : callable
        Log densities, (n, d) -> (n,).
    draws_p, draws_q : (n, d) arrays
        Independent draws of p and of q.

    Raises
    ------
    BadData
        Where a density is NaN or infinite, or zero at its own draws.

    Examples
    --------
    >>> def box(width):
    ...     return lambda x: np.where(np.abs(x[:, 0]) < width / 2, -np.log(width), -np.inf)
    >>> rng = np.random.default_rng(0)
    >>> draws = rng.uniform(-0.5, 0.5, (100, 1))
    >>> total_variation(box(1.0), box(2.0), draws_p=draws, draws_q=2 * draws).from_p
    Measured(value=0.5, standard_error=0.0)
    """
    return TotalVariation(
        from_p=_one_sided(log_p(draws_p), log_q(draws_p)),
        from_q=_one_sided(log_q(draws_q), log_p(draws_q)),
    )


def _one_sided(own: FloatArray, other: FloatArray) -> Measured:
    own, other = _log_values("own log density", own), _log_values("other log density", other)
    if np.isneginf(own).any():
        raise BadData("Expected draws of positive density; got a draw where its density is zero.")
    return _mean(-np.expm1(np.minimum(other - own, 0.0)))


def _mean(values: FloatArray) -> Measured:
    mean = float(values.mean())
    if not np.isfinite(mean):
        return Measured(mean, float("nan"))
    return Measured(mean, float(values.std(ddof=1) / np.sqrt(values.size)))


def _log_values(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    check_shape(name, array, None)
    if array.size < 2:
        raise BadData(f"Expected at least two values of {name}; got {array.size}.")
    bad = np.flatnonzero(np.isnan(array) | np.isposinf(array))
    if bad.size:
        raise BadData(f"Expected {name} finite or -inf; got {array[bad[0]]} at index {bad[0]}.")
    return array


def _distance_sums(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return for each row of x the sum of its distances to all rows of y."""
    return np.concatenate([cdist(x[rows], y).sum(axis=1) for rows in blocks(len(x))])


def _jackknife_variance(across: FloatArray, within: FloatArray, others: int) -> float:
    """Return the variance that one sample's points cause, by leaving out one at a time."""
    n = across.size
    mean_across = (across.sum() - across) / ((n - 1) * others)
    mean_within = (within.sum() - 2 * within) / ((n - 1) * (n - 2))
    left_out = 2 * mean_across - mean_within
    return float((n - 1) * left_out.var())
