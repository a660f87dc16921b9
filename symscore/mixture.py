"""Gaussian mixtures in float64: the oracle of the tests and the crude model of the learner."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular
from scipy.special import logsumexp, softmax

from symscore.arrays import FloatArray, as_points, check_shape, frozen
from symscore.errors import BadData
from symscore.schedule import CLEAN, NoiseLevel

LOG_2PI = float(np.log(2 * np.pi))


@final
@dataclass(frozen=True, eq=False)
class GaussianMixture:
    r"""A mixture of Gaussians, possibly with noise added.

    .. math:: p(x) = \sum_i w_i \, N(x; m_i, S_i)

    Parameters
    ----------
    weights : (k,) array
        w_i > 0, summing to one to within 1e-9 (they are then normalised).
    means : (k, d) array
    covariances : (k, d, d) array
        Symmetric positive definite.
    level : NoiseLevel
        The noise already contained in the mixture; set by :meth:`at`, used by :meth:`denoise`.

    Raises
    ------
    BadData
        On inconsistent shapes, weights that do not sum to one, or a covariance that is not
        positive definite.

    Examples
    --------
    >>> mixture = GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], [[[1.0]], [[1.0]]])
    >>> np.allclose(mixture.score([[2.0]]), np.tanh(2.0) - 2.0)
    True
    >>> noised = mixture.at(NoiseLevel.from_kappa(0.75))
    >>> noised.means
    array([[-0.6],
           [ 0.6]])
    """

    weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    level: NoiseLevel = CLEAN

    def __post_init__(self) -> None:
        weights = frozen(self.weights)
        if weights.ndim != 1 or weights.size == 0 or not np.all(weights > 0):
            raise BadData(f"Expected a vector of positive weights; got {self.weights!r}.")
        if abs(weights.sum() - 1) > 1e-9:
            raise BadData(f"Expected weights that sum to one; got {weights.sum()}.")
        # Weights that are normalised up to rounding stay as they are: reading a file twice, or
        # carrying a mixture through levels, must not move the last bits.
        if abs(weights.sum() - 1) > weights.size * np.finfo(np.float64).eps:
            weights = frozen(weights / weights.sum())
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "means", frozen(self.means))
        object.__setattr__(self, "covariances", frozen(self.covariances))
        check_shape("means", self.means, weights.size, None)
        check_shape("covariances", self.covariances, weights.size, self.dim, self.dim)
        skew = np.abs(self.covariances - self.covariances.swapaxes(1, 2)).max(axis=(1, 2))
        if np.any(skew > 1e-10 * np.abs(self.covariances).max(axis=(1, 2))):
            raise BadData("Expected symmetric covariances.")
        try:
            _ = self.chol_covariances
        except np.linalg.LinAlgError:
            raise BadData("Expected positive definite covariances.") from None

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.means.shape[1]

    @property
    def n_components(self) -> int:
        """Number of components k."""
        return self.weights.size

    @cached_property
    def chol_covariances(self) -> FloatArray:
        """(k, d, d) lower-triangular Cholesky factors L of the covariances."""
        return frozen(np.linalg.cholesky(self.covariances))

    @cached_property
    def chol_precisions(self) -> FloatArray:
        """(k, d, d) lower-triangular inverses of the Cholesky factors: u = L^-1 (x - m)."""
        eye = np.eye(self.dim)
        return frozen([solve_triangular(chol, eye, lower=True) for chol in self.chol_covariances])

    def at(self, level: NoiseLevel) -> "GaussianMixture":
        """Return the law of ``alpha * x + sigma * z``, again a mixture."""
        covariances = level.alpha**2 * self.covariances + level.sigma**2 * np.eye(self.dim)
        return GaussianMixture(
            self.weights, level.alpha * self.means, covariances, self.level.then(level)
        )

    def _log_terms(self, x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return log w_i N(x; m_i, S_i) (n, k) and the whitened u (n, k, d)."""
        points = as_points("x", x, self.dim)
        centred = points[:, None] - self.means
        u = np.einsum("kij,nkj->nki", self.chol_precisions, centred)
        log_det = np.log(np.diagonal(self.chol_covariances, axis1=1, axis2=2)).sum(axis=1)
        constant = np.log(self.weights) - log_det - 0.5 * self.dim * LOG_2PI
        return constant - 0.5 * (u**2).sum(axis=2), u

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Return log p(x), shape (n,), for x of shape (n, d)."""
        return logsumexp(self._log_terms(x)[0], axis=1)

    def responsibilities(self, x: ArrayLike) -> FloatArray:
        """Return the posterior probability of each component at x, shape (n, k)."""
        return softmax(self._log_terms(x)[0], axis=1)

    def score(self, x: ArrayLike) -> FloatArray:
        """Return the gradient of log p at x, shape (n, d)."""
        log_terms, u = self._log_terms(x)
        gates = softmax(log_terms, axis=1)
        return -np.einsum("nk,kji,nkj->ni", gates, self.chol_precisions, u)

    def denoise(self, x: ArrayLike) -> FloatArray:
        """Return E[x_0 | x_t = x] = (x + sigma^2 score(x)) / alpha (Tweedie), shape (n, d)."""
        points = as_points("x", x, self.dim)
        return (points + self.level.sigma**2 * self.score(points)) / self.level.alpha

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent points, shape (n, d)."""
        component = rng.choice(self.n_components, size=n, p=self.weights)
        z = rng.standard_normal((n, self.dim))
        return self.means[component] + np.einsum("nij,nj->ni", self.chol_covariances[component], z)
