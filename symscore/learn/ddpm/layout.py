r"""Free parameters of a mixture as one vector, scaled so that gradients are of one size.

Weights are a softmax of logits, covariances :math:`A_i A_i^T + f I` with lower-triangular
:math:`A_i = B_i \Lambda_i` whose diagonal is positive: every vector is a mixture. Around the start
(weights w, means m, factors B of its covariances) the vector v holds

.. math::

    \log \pi_i = \log w_i + v / \sqrt{w_i}, \quad \mu_i = m_i + B_i v / \sqrt{w_i}, \quad
    \Lambda_i = I + v / \sqrt{w_i} \ (\text{logarithms on the diagonal})

so that the start is v = 0 and an affine map of the rows does not change v.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from scipy.special import softmax

from symscore.arrays import FloatArray, frozen
from symscore.learn.ddpm.objective import Slope
from symscore.mixture import GaussianMixture

LEAST = 1e-12  # weight below which a component is as good as gone
FARTHEST = 6.0  # by which a log-weight or log-scale may leave its start


@final
@dataclass(frozen=True, eq=False)
class Layout:
    """The vector of free parameters around a start.

    Parameters
    ----------
    start : GaussianMixture
        With covariances above `floor`.
    floor : float
        f, the least eigenvalue of a covariance.
    shared : bool
        Whether all components have one covariance, as they then must in `start`.
    known : bool
        Whether covariances stay as they are in `start`.
    equal : bool
        Whether weights stay as they are in `start`.
    """

    start: GaussianMixture
    floor: float
    shared: bool = False
    known: bool = False
    equal: bool = False

    @cached_property
    def _factors(self) -> FloatArray:
        """B, the (k, d, d) factors of the start's covariances less the floor."""
        excess = self.start.covariances - self.floor * np.eye(self.start.dim)
        return frozen(np.linalg.cholesky(excess))

    @cached_property
    def _lower(self) -> tuple[np.ndarray, np.ndarray]:
        return np.tril_indices(self.start.dim)

    @cached_property
    def _sizes(self) -> FloatArray:
        """1 / sqrt(w_i), (k,)."""
        return 1 / np.sqrt(self.start.weights)

    @property
    def _n_factors(self) -> int:
        if self.known:
            return 0
        return 1 if self.shared else self.start.n_components

    @property
    def size(self) -> int:
        """Length of the vector."""
        k, dim = self.start.means.shape
        return k * (not self.equal) + k * dim + self._n_factors * len(self._lower[0])

    def _split(self, vector: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the parts for logits (k or 0,), means (k, d) and factors (1, k or 0; p)."""
        k, dim = self.start.means.shape
        ends = np.cumsum([k * (not self.equal), k * dim])
        logits, means, factors = np.split(vector, ends)
        return logits, means.reshape(k, dim), factors.reshape(self._n_factors, len(self._lower[0]))

    def bounds(self) -> list[tuple[float, float]]:
        """Return the box of the vector: no weight or scale may run off in one line search."""
        logits, means, factors = self._split(np.full(self.size, np.inf))
        logits = np.full_like(logits, FARTHEST / self._sizes.max())
        diagonal = self._lower[0] == self._lower[1]
        factors[:, diagonal] = FARTHEST / self._sizes.max()
        ends = np.concatenate([logits, means.ravel(), factors.ravel()])
        return [(-end, end) for end in ends.tolist()]

    def _triangles(self, factors: FloatArray) -> FloatArray:
        """Return Lambda, (1 or k, d, d)."""
        dim = self.start.dim
        scale = np.ones(1) if self.shared else self._sizes
        triangles = np.zeros((self._n_factors, dim, dim))
        triangles[:, *self._lower] = scale[:, None] * factors
        at = np.arange(dim)
        triangles[:, at, at] = np.exp(triangles[:, at, at])
        return triangles

    def mixture(self, vector: FloatArray) -> GaussianMixture:
        """Return the mixture that a vector stands for."""
        logits, means, factors = self._split(vector)
        weights = self.start.weights
        if not self.equal:
            weights = np.maximum(softmax(np.log(weights) + self._sizes * logits), LEAST)
        moved = self.start.means + np.einsum(
            "kij,kj->ki", self._factors, self._sizes[:, None] * means
        )
        covariances = self.start.covariances
        if not self.known:
            roots = np.matmul(self._factors, self._triangles(factors))
            covariances = np.matmul(roots, roots.swapaxes(1, 2))
            covariances = covariances + self.floor * np.eye(self.start.dim)
        return GaussianMixture(weights / weights.sum(), moved, covariances)

    def gradient(self, vector: FloatArray, slope: Slope) -> FloatArray:
        """Return the gradient by the vector, from that by log-weights, means and covariances."""
        _, _, factors = self._split(vector)
        parts = [] if self.equal else [self._sizes * slope.logits]
        pulled = np.einsum("kji,kj->ki", self._factors, slope.means)
        parts.append((self._sizes[:, None] * pulled).ravel())
        if not self.known:
            triangles = self._triangles(factors)
            roots = np.matmul(self._factors, triangles)
            by = 2 * np.matmul(self._factors.swapaxes(1, 2), np.matmul(slope.covariances, roots))
            scale = np.ones(1) if self.shared else self._sizes
            by = by.sum(axis=0, keepdims=True) if self.shared else by
            at = np.arange(self.start.dim)
            by[:, at, at] *= triangles[:, at, at]
            parts.append((scale[:, None] * by[:, *self._lower]).ravel())
        return np.concatenate(parts)
