"""The coordinates the baselines fit in: mean zero and unit variances, or unit covariance."""

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points, check_shape
from symscore.errors import BadData
from symscore.learn.frame import Whitening

# Correlation matrices with a smaller eigenvalue have lost half of the digits of float64:
# the whitened coordinate would be rounding noise.
SMALLEST_EIGENVALUE = float(np.finfo(np.float64).eps) ** 0.5


def standard_frame(samples: ArrayLike) -> Whitening:
    """Return the frame in which each column of `samples` (n, d) has mean zero, variance one.

    Raises
    ------
    BadData
        If there are too few rows, or a column is constant or a combination of the others:
        then there is no density to estimate.
    """
    mean, spread, _ = _moments(samples)
    return Whitening(mean, np.diag(spread))


def whitening_frame(samples: ArrayLike) -> Whitening:
    """Return the frame in which `samples` (n, d) have mean zero and covariance one.

    Raises
    ------
    BadData
        As :func:`standard_frame`.
    """
    mean, spread, correlation = _moments(samples)
    return Whitening(mean, spread[:, None] * np.linalg.cholesky(correlation))


def _moments(samples: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    array = np.asarray(samples)
    check_shape("samples", array, None, None)
    points = as_points("samples", array, array.shape[1])
    n, dim = points.shape
    if dim == 0 or n < dim + 2:
        raise BadData(f"Expected at least d + 2 rows and one column; got shape {points.shape}.")
    spread = points.std(axis=0, ddof=1)
    flat = np.flatnonzero(np.ptp(points, axis=0) == 0)
    if flat.size:
        raise BadData(f"Expected columns that vary; got a constant column {flat[0]}: drop it.")
    correlation = np.corrcoef(points, rowvar=False).reshape(dim, dim)
    smallest = np.linalg.eigvalsh(correlation)[0]
    if smallest < SMALLEST_EIGENVALUE:
        raise BadData(
            "Expected linearly independent columns; got a correlation matrix with smallest "
            f"eigenvalue {smallest:.1e}: drop a column that the others determine."
        )
    return points.mean(axis=0), spread, correlation
