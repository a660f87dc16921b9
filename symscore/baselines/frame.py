"""The coordinates the baselines fit in: mean zero and unit variances, or unit covariance."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular

from symscore.arrays import FloatArray, as_points, check_shape, frozen
from symscore.errors import BadData

# Correlation matrices with a smaller eigenvalue have lost half of the digits of float64:
# the whitened coordinate would be rounding noise.
SMALLEST_EIGENVALUE = float(np.finfo(np.float64).eps) ** 0.5


@final
@dataclass(frozen=True, eq=False)
class Frame:
    """The affine map x = mean + chol u between data x and frame coordinates u.

    Parameters
    ----------
    mean : (d,) array
    chol : (d, d) array
        Lower triangular with a positive diagonal.
    """

    mean: FloatArray
    chol: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", frozen(self.mean))
        object.__setattr__(self, "chol", frozen(self.chol))
        check_shape("chol", self.chol, self.mean.size, self.mean.size)

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.mean.size

    @property
    def log_det(self) -> float:
        """Logarithm of |det chol|: log p(x) = log p(u) - log_det."""
        return float(np.log(np.diagonal(self.chol)).sum())

    def to_unit(self, x: ArrayLike) -> FloatArray:
        """Return u = chol^-1 (x - mean), shape (n, d)."""
        points = as_points("x", x, self.dim)
        u = solve_triangular(self.chol, (points - self.mean).T, lower=True)
        return np.ascontiguousarray(u.T)

    def from_unit(self, u: FloatArray) -> FloatArray:
        """Return x = mean + chol u, shape (n, d)."""
        return self.mean + u @ self.chol.T


def standard_frame(samples: ArrayLike) -> Frame:
    """Return the frame in which each column of `samples` (n, d) has mean zero, variance one.

    Raises
    ------
    BadData
        If there are too few rows, or a column is constant or a combination of the others:
        then there is no density to estimate.
    """
    mean, spread, _ = _moments(samples)
    return Frame(mean, np.diag(spread))


def whitening_frame(samples: ArrayLike) -> Frame:
    """Return the frame in which `samples` (n, d) have mean zero and covariance one.

    Raises
    ------
    BadData
        As :func:`standard_frame`.
    """
    mean, spread, correlation = _moments(samples)
    return Frame(mean, spread[:, None] * np.linalg.cholesky(correlation))


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
