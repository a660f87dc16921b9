"""The whitened frame in which everything is learned, and what the data allow in it."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular

from symscore.arrays import FloatArray, as_points, check_shape, frozen
from symscore.errors import BadData

# A correlation matrix with an eigenvalue below this is singular to the rounding of its entries.
COLLINEAR = 1e-10
REPEATS = 5


@final
@dataclass(frozen=True, eq=False)
class Whitening:
    """The affine frame ``x = loc + scale_tril @ u``.

    Parameters
    ----------
    loc : (d,) array
        Centre, in the units of the data.
    scale_tril : (d, d) array
        Lower-triangular with positive diagonal.
    """

    loc: FloatArray
    scale_tril: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "loc", frozen(self.loc))
        object.__setattr__(self, "scale_tril", frozen(self.scale_tril))
        check_shape("scale_tril", self.scale_tril, self.dim, self.dim)
        lower = np.array_equal(self.scale_tril, np.tril(self.scale_tril))
        if not (lower and np.all(np.diagonal(self.scale_tril) > 0)):
            raise BadData("Expected a lower-triangular scale_tril with positive diagonal.")

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.loc.size

    @property
    def log_det(self) -> float:
        """Logarithm of |det scale_tril|: log p(x) = log p(u) - log_det."""
        return float(np.log(np.diagonal(self.scale_tril)).sum())

    def whiten(self, x: ArrayLike) -> FloatArray:
        """Return u (n, d) for x (n, d)."""
        centred = as_points("x", x, self.dim) - self.loc
        return np.ascontiguousarray(solve_triangular(self.scale_tril, centred.T, lower=True).T)

    def unwhiten(self, u: ArrayLike) -> FloatArray:
        """Return x (n, d) for u (n, d)."""
        return self.loc + np.asarray(u) @ self.scale_tril.T


def fit_whitening(x: FloatArray, weights: FloatArray, names: tuple[str, ...]) -> Whitening:
    """Return the frame of mean and covariance of x (n, d) under `weights` (n,), summing to one.

    With fewer than d + 2 rows correlations are shrunk towards zero, by d / (n + d).

    Raises
    ------
    BadData
        Naming a constant column, or the columns of an exact linear relation.
    """
    loc = weights @ x
    centred = x - loc
    sd = np.sqrt(weights @ centred**2)
    constant = np.flatnonzero(sd <= 1e-12 * np.maximum(np.abs(x).max(axis=0), 1e-300))
    if constant.size:
        raise BadData(f"Expected columns that vary; column {names[constant[0]]!r} is constant.")
    scaled = centred / sd
    correlation = (weights[:, None] * scaled).T @ scaled
    if len(x) < x.shape[1] + 2:
        # No more rows than dimensions: every column depends on the others, which says nothing.
        share = len(x) / (len(x) + x.shape[1])
        correlation = share * correlation + (1 - share) * np.eye(x.shape[1])
    eigenvalues, directions = np.linalg.eigh(correlation)
    if eigenvalues[0] < COLLINEAR:
        involved = np.flatnonzero(np.abs(directions[:, 0]) > 1e-3)
        raise BadData(
            "Expected linearly independent columns; got an exact linear relation between "
            f"{', '.join(repr(names[j]) for j in involved)}: leave one of them out."
        )
    return Whitening(loc, sd[:, None] * np.linalg.cholesky(correlation))


def rounding_step(column: FloatArray) -> float:
    """Return the step of the grid on which a column's values lie; 0 for continuous values.

    The smallest gap between distinct values counts as the step if every gap is a multiple of it
    and values repeat.

    Examples
    --------
    >>> rounding_step(np.array([0.5, 1.0, 1.0, 2.5]))
    0.5
    """
    distinct = np.unique(column)
    if distinct.size < 2 or distinct.size == column.size:
        return 0.0
    gaps = np.diff(distinct)
    step = float(gaps.min())
    multiples = gaps / step
    # Decimal fractions are rounded to binary: a gap is off by a few ulps of the values.
    slack = 8 * np.finfo(float).eps * np.abs(distinct).max() / step
    on_grid = np.abs(multiples - np.round(multiples)) <= slack * np.maximum(multiples, 1)
    return step if slack < 0.01 and np.all(on_grid) else 0.0


def uneven_step(column: FloatArray) -> float:
    """Return the median, over rows, of the gap to the nearest other value; 0 unless values repeat.

    Logarithms of counts are rounded like that. Among values that occur fewer than five times each,
    a gap says nothing.

    Examples
    --------
    >>> round(uneven_step(np.log(np.repeat([1, 2, 3, 4], 5))), 3)
    0.347
    """
    distinct, counts = np.unique(column, return_counts=True)
    if distinct.size < 2 or column.size < REPEATS * distinct.size:
        return 0.0
    gaps = np.diff(distinct)
    nearest = np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps))
    return float(np.median(np.repeat(nearest, counts)))


def whitened_step(frame: Whitening, x: FloatArray) -> float:
    """Return the largest rounding step of the columns of x, in whitened units."""
    steps = [rounding_step(column) or uneven_step(column) for column in x.T]
    return max(
        step / scale for step, scale in zip(steps, np.diagonal(frame.scale_tril), strict=True)
    )
