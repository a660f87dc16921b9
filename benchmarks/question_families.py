"""Random Gaussian mixtures of given dimension, number of components and separation."""

from dataclasses import dataclass

import numpy as np

from symscore import GaussianMixture

SPREAD = 2.0  # eigenvalues of covariances lie between 1 / SPREAD and SPREAD
CONFIGURATIONS = 64  # of means, of which the most even one is taken


@dataclass(frozen=True)
class Family:
    r"""Equal weights, random covariances, and means of which the nearest are `separation` apart.

    Covariances have eigenvalues log-uniform on [1/2, 2] and uniformly random axes. Of 64 standard
    normal configurations of means the one of largest ratio of least to mean distance is scaled so
    that

    .. math:: \min_{i < j} \left| \left( (S_i + S_j) / 2 \right)^{-1/2} (m_i - m_j) \right|
        = \mathrm{separation}.
    """

    dim: int
    components: int
    separation: float

    @property
    def parameters(self) -> int:
        """Number of free parameters of a mixture with full covariances."""
        return self.components * (self.dim + 1) * (self.dim + 2) // 2 - 1

    def member(self, seed: int) -> GaussianMixture:
        """Return the member of a seed."""
        rng = np.random.default_rng([seed, self.dim, self.components])
        covariances = np.stack([_covariance(self.dim, rng) for _ in range(self.components)])
        means = max(
            (rng.standard_normal((self.components, self.dim)) for _ in range(CONFIGURATIONS)),
            key=_evenness,
        )
        if self.components > 1:
            means *= self.separation / _separation(means, covariances)
        weights = np.full(self.components, 1 / self.components)
        return GaussianMixture(weights, means, covariances)


def _covariance(dim: int, rng: np.random.Generator) -> np.ndarray:
    axes, triangle = np.linalg.qr(rng.standard_normal((dim, dim)))
    axes = axes * np.sign(np.diagonal(triangle))
    values = SPREAD ** rng.uniform(-1, 1, dim)
    covariance = (axes * values) @ axes.T
    return (covariance + covariance.T) / 2


def _pairs(k: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(k, 1)


def _evenness(means: np.ndarray) -> float:
    first, second = _pairs(len(means))
    distances = np.linalg.norm(means[first] - means[second], axis=1)
    return float(distances.min() / distances.mean()) if len(distances) else 1.0


def _separation(means: np.ndarray, covariances: np.ndarray) -> float:
    first, second = _pairs(len(means))
    gaps = means[first] - means[second]
    pooled = (covariances[first] + covariances[second]) / 2
    squares = np.einsum("ni,ni->n", gaps, np.linalg.solve(pooled, gaps[:, :, None])[:, :, 0])
    return float(np.sqrt(squares.min()))
