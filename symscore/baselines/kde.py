"""A Gaussian kernel density estimate, its bandwidth chosen by cross-validation."""

from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KernelDensity

from symscore.arrays import FloatArray, check_shape, frozen
from symscore.baselines.estimate import DensityEstimate
from symscore.baselines.frame import whitening_frame
from symscore.errors import BadOption
from symscore.learn.frame import Whitening

# Multiples of the normal-reference bandwidth: clustered or thin data want far less than it.
COARSE = np.geomspace(0.05, 2.0, 8)
FINE = 5
# Choosing costs the square of the rows; beyond this many, a subset chooses and the rate rescales.
CHOOSING_ROWS = 4000
# Relative error allowed in a kernel sum while choosing; the density itself is exact.
CHOOSING_RTOL = 1e-4


@final
@dataclass(frozen=True, eq=False)
class KernelEstimate:
    r"""A kernel density estimate with one Gaussian of covariance h^2 chol chol' at every sample.

    .. math:: p(x) = \frac{1}{n |\det L|} \sum_i N\big(L^{-1} (x - m);\; u_i,\; h^2 I\big)

    Parameters
    ----------
    points : (n, d) array
        u_i, the samples in the whitened coordinates of `frame`.
    bandwidth : float
        h, positive, in whitened coordinates.
    frame : Whitening
        m and L.
    """

    points: FloatArray
    bandwidth: float
    frame: Whitening

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", frozen(self.points))
        check_shape("points", self.points, None, self.frame.dim)
        if not self.bandwidth > 0:
            raise BadOption(f"Expected a positive bandwidth; got {self.bandwidth}.")

    @cached_property
    def _tree(self) -> KernelDensity:
        return KernelDensity(bandwidth=self.bandwidth).fit(self.points)

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return log p(x), shape (n,), for x of shape (n, d)."""
        return self._tree.score_samples(self.frame.whiten(x)) - self.frame.log_det

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent points, shape (n, d): a sample at random plus kernel noise."""
        centres = self.points[rng.integers(len(self.points), size=n)]
        return self.frame.unwhiten(centres + self.bandwidth * rng.standard_normal(centres.shape))


def fit_kde(samples: ArrayLike, *, rng: np.random.Generator, folds: int = 5) -> DensityEstimate:
    r"""Fit a Gaussian kernel density estimate on whitened data.

    The bandwidth h maximises the cross-validated log likelihood

    .. math:: \sum_{\text{folds } F} \; \sum_{i \in F} \log p_{h, \text{without } F}(x_i)

    over a geometric grid, coarse and then fine around its best value, by scikit-learn. More than
    4000 rows are thinned to 4000 for the choice, whose h is then scaled by the optimal rate
    :math:`n^{-1 / (d + 4)}`.

    Parameters
    ----------
    samples : (n, d) array
    rng : numpy.random.Generator
        Assigns the rows to folds.
    folds : int
        At least 2.

    Returns
    -------
    DensityEstimate
        Its density is a :class:`KernelEstimate`; diagnostics ``bandwidth`` and ``at_edge`` (1 if
        the best value was the end of the grid, as it is for data with many equal rows).

    Raises
    ------
    BadData
        If the samples have no density to estimate.
    BadOption
        If `folds` is below 2 or above the number of rows.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> estimate = fit_kde(rng.normal(size=(200, 1)), rng=rng)
    >>> bool(0.1 < estimate.diagnostics["bandwidth"] < 1)
    True
    """
    start = perf_counter()
    frame = whitening_frame(samples)
    u = frame.whiten(samples)
    if not 2 <= folds <= len(u):
        raise BadOption(f"Expected folds from 2 to {len(u)}, the rows; got {folds}.")
    bandwidth, at_edge = choose_bandwidth(u, folds, rng=rng)
    diagnostics = {"bandwidth": bandwidth, "at_edge": float(at_edge)}
    density = KernelEstimate(u, bandwidth, frame)
    return DensityEstimate("kde", density, perf_counter() - start, diagnostics)


def normal_reference(n: int, dim: int) -> float:
    """Return the bandwidth (4 / (n (d + 2)))^(1 / (d + 4)), optimal for standard normal data."""
    return (4 / (n * (dim + 2))) ** (1 / (dim + 4))


def choose_bandwidth(u: FloatArray, folds: int, *, rng: np.random.Generator) -> tuple[float, bool]:
    """Return the bandwidth for whitened points u and whether it lay at the end of the grid."""
    n, dim = u.shape
    chosen = u[rng.permutation(n)[:CHOOSING_ROWS]]
    # The points are already shuffled, so contiguous folds are random ones.
    cut = KFold(folds)
    coarse = normal_reference(len(chosen), dim) * COARSE
    best = _best_of(coarse, chosen, cut)
    low, high = coarse[max(best - 1, 0)], coarse[min(best + 1, len(coarse) - 1)]
    fine = np.geomspace(low, high, FINE)
    bandwidth = float(fine[_best_of(fine, chosen, cut)])
    rate = normal_reference(n, dim) / normal_reference(len(chosen), dim)
    return bandwidth * rate, bandwidth in (coarse[0], coarse[-1])


def _best_of(bandwidths: FloatArray, points: FloatArray, cut: KFold) -> int:
    kernel = KernelDensity(rtol=CHOOSING_RTOL)
    search = GridSearchCV(kernel, {"bandwidth": bandwidths}, cv=cut, refit=False)
    return int(search.fit(points).best_index_)
