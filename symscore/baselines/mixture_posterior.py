"""The unnormalised posterior of a Bayesian Gaussian mixture: one flat vector of parameters."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert
from scipy.special import softmax

from symscore.arrays import FloatArray
from symscore.mixture import LOG_2PI, GaussianMixture

# A component's conditional standard deviation before seeing data scaled to unit variances.
TYPICAL_SIGMA = 0.5


@final
@dataclass(frozen=True)
class Layout:
    r"""Where the parameters of a k-component mixture in d dimensions lie in a flat vector theta.

    Within component j each coordinate is regressed on those before it,

    .. math:: u_i = m_{ji} + \sum_{l < i} b_{jil} (u_l - m_{jl}) + \sigma_{ji} z_i,

    and theta holds, in this order, k - 1 logits (the weights are the softmax of their image under
    an orthonormal basis of the vectors that sum to zero, which treats all labels alike), the
    means m, log sigma and the slopes b. All are a priori independent and normal.
    """

    n_components: int
    dim: int

    @property
    def n_slopes(self) -> int:
        """Slopes of one component, d (d - 1) / 2."""
        return self.dim * (self.dim - 1) // 2

    @property
    def size(self) -> int:
        """Length of theta."""
        return self.n_components * (1 + 2 * self.dim + self.n_slopes) - 1

    @cached_property
    def basis(self) -> FloatArray:
        """(k - 1, k) rows that are orthonormal and sum to zero."""
        k = self.n_components
        return helmert(k) if k > 1 else np.empty((0, 1))

    @cached_property
    def below(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Row and column indices of the strict lower triangle."""
        return np.tril_indices(self.dim, -1)

    @staticmethod
    def join(
        logits: FloatArray, means: FloatArray, log_sigmas: FloatArray, slopes: FloatArray
    ) -> FloatArray:
        """Return theta from its parts (k - 1,), (k, d), (k, d) and (k, d (d - 1) / 2)."""
        return np.concatenate([logits, means.ravel(), log_sigmas.ravel(), slopes.ravel()])

    def split(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return the logits (k,), means (k, d), log sigmas (k, d) and residual maps (k, d, d).

        A residual map R is unit lower triangular: R (u - m) = sigma z.
        """
        k, d = self.n_components, self.dim
        shape, first, second = (k, d), k - 1 + k * d, k - 1 + 2 * k * d
        residual = np.zeros((k, d, d))
        residual[:] = np.eye(d)
        residual[:, *self.below] = -theta[second:].reshape(k, self.n_slopes)
        means, log_sigmas = theta[k - 1 : first].reshape(shape), theta[first:second].reshape(shape)
        return theta[: k - 1] @ self.basis, means, log_sigmas, residual

    def prior(self) -> tuple[FloatArray, FloatArray]:
        """Return the mean and the standard deviation of each entry of theta."""
        k, d = self.n_components, self.dim
        lengths = (k - 1, k * d, k * d, k * self.n_slopes)
        mean = np.repeat([0.0, 0.0, np.log(TYPICAL_SIGMA), 0.0], lengths)
        return mean, np.repeat([1.5, 2.0, 1.0, 2.0], lengths)

    def from_mixture(self, mixture: GaussianMixture) -> FloatArray:
        """Return the theta of a mixture."""
        sigmas = np.diagonal(mixture.chol_covariances, axis1=1, axis2=2)
        unit_lower = mixture.chol_covariances / sigmas[:, None, :]
        residual = np.linalg.inv(unit_lower).astype(np.float64)
        logits = self.basis @ np.log(mixture.weights)
        return self.join(logits, mixture.means, np.log(sigmas), -residual[:, *self.below])

    def to_mixture(self, theta: FloatArray) -> GaussianMixture:
        """Return the mixture with parameters theta."""
        logits, means, log_sigmas, residual = self.split(theta)
        chol = np.linalg.inv(residual) * np.exp(log_sigmas)[:, None, :]
        return GaussianMixture(softmax(logits), means, chol @ chol.swapaxes(1, 2))


def log_likelihood(theta: FloatArray, u: FloatArray, layout: Layout) -> tuple[float, FloatArray]:
    r"""Return the log likelihood of theta with the labels summed out, and its gradient.

    .. math:: \ell(\theta) = \sum_n \log \sum_j w_j N(u_n; m_j, C_j)

    Parameters
    ----------
    theta : (p,) array
    u : (n, d) array
    layout : Layout
    """
    logits, means, log_sigmas, residual = layout.split(theta)
    log_weights = logits - np.logaddexp.reduce(logits)
    # Rows of u run along the last axis: the arrays are long where NumPy is fast.
    scaled = residual * np.exp(-log_sigmas)[:, :, None]
    centred = u.T - means[:, :, None]
    noise = scaled @ centred
    terms = (log_weights - log_sigmas.sum(axis=1))[:, None] - 0.5 * (noise**2).sum(axis=1)
    largest = terms.max(axis=0)
    gates = np.exp(terms - largest)
    total = gates.sum(axis=0)
    gates /= total

    counts = gates.sum(axis=1)
    pulled = gates[:, None] * noise
    to_residual = -(pulled @ centred.swapaxes(1, 2)) * np.exp(-log_sigmas)[:, :, None]
    gradient = layout.join(
        layout.basis @ (counts - len(u) * np.exp(log_weights)),
        np.einsum("ki,kil->kl", pulled.sum(axis=2), scaled),
        (pulled * noise).sum(axis=2) - counts[:, None],
        -to_residual[:, *layout.below],
    )
    value = (largest + np.log(total)).sum() - 0.5 * u.size * LOG_2PI
    return float(value), gradient
