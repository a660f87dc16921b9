"""The few dimensions in which means differ, and the exact Gaussian outside them."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points, check_shape, frozen
from symscore.learn.warm_start.means import VoronoiMean
from symscore.schedule import NoiseLevel


def signal_axes(
    x: FloatArray, weights: FloatArray, noise: float, rank: int | None = None
) -> FloatArray:
    r"""Return orthonormal axes (d, r) of the largest second moments about 0.

    k means span at most k dimensions (k - 1 where their average is 0), which are those in which
    the second moment exceeds :math:`\sigma_0^2`. Without a `rank`, axes are kept whose second
    moment is above :math:`\sigma_0^2 (1 + 1.5 \, e)`, where :math:`1 + e = (1 + \sqrt{d / n})^2` is
    what n rows of pure noise reach (Marchenko and Pastur); at least one is.

    Parameters
    ----------
    x : (n, d) array
    weights : (n,) array
        Summing to one.
    noise : float
        :math:`\sigma_0`.
    rank : int, optional
        r.
    """
    moment = np.einsum("n,ni,nj->ij", weights, x, x)
    values, vectors = np.linalg.eigh(moment)
    if rank is None:
        edge = (1 + np.sqrt(x.shape[1] * float(weights @ weights))) ** 2
        rank = max(int((values > noise**2 * (1 + 1.5 * (edge - 1))).sum()), 1)
    return np.ascontiguousarray(vectors[:, ::-1][:, :rank])


@final
@dataclass(frozen=True, eq=False)
class SubspaceScore:
    r"""The score of a signal in a subspace, with Gaussian noise in all dimensions.

    .. math:: s(x) = V s_V(V^T x) - (I - V V^T) x / (\alpha^2 \sigma_0^2 + \sigma^2)

    This is exact where all means lie in the span of V about 0.

    Parameters
    ----------
    inner : VoronoiMean
        On the r coordinates along the axes.
    axes : (d, r) array
        V, orthonormal.
    """

    inner: VoronoiMean
    axes: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", frozen(self.axes))
        check_shape("axes", self.axes, None, self.inner.dim)

    @property
    def level(self) -> NoiseLevel:
        """Its noise level."""
        return self.inner.level

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.axes.shape[0]

    def score(self, x: ArrayLike) -> FloatArray:
        """Return the score at x_t = x, both (n, d)."""
        points = as_points("x", x, self.dim)
        along = np.einsum("ni,ij->nj", points, self.axes)
        outside = points - np.einsum("nj,ij->ni", along, self.axes)
        variance = (self.level.alpha * self.inner.sigma) ** 2
        return np.asarray(
            np.einsum("nj,ij->ni", self.inner.score(along), self.axes) - outside / variance
        )
