r"""The DDPM objective of a Gaussian mixture student, and its gradient in closed form.

The student is a mixture :math:`\sum_i \pi_i N(\mu_i, C_i)` of *noised* data
:math:`x_t = \alpha x_0 + \sigma z`. With precisions :math:`P_i = C_i^{-1}`, component scores
:math:`g_i = -P_i (x - \mu_i)` and gates :math:`w_i` its score is :math:`s = \sum_i w_i g_i`, and

.. math::

    L = E |s(x_t) + z / \sigma|^2 = E [ 2 \sum_i w_i (|g_i|^2 - tr P_i) - |s|^2 ] + d / \sigma^2

The first form is the objective of arXiv 2307.01178; the second, by Stein's identity, does not see
the noise (own derivation). Both gradients are

.. math::

    \nabla_{\log \pi_i} = E[e_i], \quad \nabla_{\mu_i} = E[w_i P_i f_i - e_i g_i], \quad
    \nabla_{C_i} = E[ e_i (g_i g_i^T - P_i) / 2 - w_i sym(P_i f_i g_i^T) + w_i H_i ]

where :math:`e_i = w_i (c_i - \sum_j w_j c_j)` and, with the residual :math:`r = s + z / \sigma`,

* sampled noise: :math:`c_i = 2 r \cdot g_i`, :math:`f_i = 2 r`, :math:`H_i = 0`;
* Stein: :math:`c_i = 2 (|g_i|^2 - tr P_i - s \cdot g_i)`, :math:`f_i = 4 g_i - 2 s`,
  :math:`H_i = 2 P_i^2`.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray, for_each_block
from symscore.learn.ddpm.kernels import add_sums
from symscore.mixture import GaussianMixture

ROWS = 2048  # per block: fixed, so that sums do not depend on the number of threads


@final
@dataclass(frozen=True, eq=False)
class Slope:
    """The objective and its gradient, summed over weighted rows.

    Attributes
    ----------
    loss : float
    logits : (k,) array
        By log-weights; sums to zero.
    means : (k, d) array
        By the means of the student, at its level.
    covariances : (k, d, d) array
        By its covariances; symmetric.
    """

    loss: float
    logits: FloatArray
    means: FloatArray
    covariances: FloatArray

    def __add__(self, other: "Slope") -> "Slope":
        """Return the sum over the rows of both."""
        return Slope(
            self.loss + other.loss,
            self.logits + other.logits,
            self.means + other.means,
            self.covariances + other.covariances,
        )


def ddpm_slope(
    student: GaussianMixture, x: FloatArray, z: FloatArray, weights: FloatArray
) -> Slope:
    r"""Sum :math:`v |s(x_t) + z / \sigma|^2` and its gradient over rows, with the noise z seen.

    Parameters
    ----------
    student : GaussianMixture
        Of the noised data, as :meth:`GaussianMixture.at` returns it; its level gives sigma.
    x : (n, d) array
        Noised rows x_t.
    z : (n, d) array
        The standard normal noise they contain.
    weights : (n,) array
        v, the weights of the rows.

    Examples
    --------
    >>> from symscore.schedule import NoiseLevel
    >>> level = NoiseLevel.from_kappa(0.75)
    >>> one = GaussianMixture([1.0], [[0.0]], [[[1.0]]]).at(level)
    >>> print(round(ddpm_slope(one, np.array([[0.8]]), np.array([[1.0]]), np.ones(1)).loss, 12))
    0.2025
    """
    return _slope(student, x, z / student.level.sigma, weights, seen=True)


def stein_slope(student: GaussianMixture, x: FloatArray, weights: FloatArray) -> Slope:
    r"""Sum :math:`v (|s|^2 + 2 div s)` and its gradient over rows, without looking at the noise.

    Its expectation over the noise is that of :func:`ddpm_slope`, up to :math:`d / \sigma^2` in the
    loss. Parameters as there.
    """
    return _slope(student, x, x, weights, seen=False)


def _slope(
    student: GaussianMixture, x: FloatArray, noise: FloatArray, weights: FloatArray, *, seen: bool
) -> Slope:
    """Assemble the gradient from the sums; `noise` is z / sigma where it is seen."""
    k, dim = student.means.shape
    roots = student.chol_precisions
    precisions = np.einsum("kji,kjl->kil", roots, roots)
    log_scales = np.log(student.weights)
    log_scales = log_scales + np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
    traces = np.einsum("kii->k", precisions)
    # Read-only arrays would have the kernel compiled once more.
    x, noise, weights, means, own_roots = (
        np.require(part, np.float64, ["C", "W"])
        for part in (x, noise, weights, student.means, roots)
    )

    def one_block(own: slice) -> tuple[FloatArray | float, ...]:
        scratch = np.empty((2 * k + 2, k + dim)), np.empty(dim)
        shapes = ((k,), (k,), (k, dim), (k, dim), (k, dim, dim), (k, dim, dim))
        sums = tuple(np.zeros(shape) for shape in shapes)
        how = seen, log_scales, means, own_roots, traces, *scratch
        loss = add_sums(x[own], noise[own], weights[own], *how, *sums)
        return loss, *sums

    parts = for_each_block(one_block, len(x), ROWS)
    loss, mass, gated, pulled, turned, crossed, outer = (
        sum(column) for column in zip(*parts, strict=True)
    )
    pull = np.einsum("kij,kjl->kil", precisions, crossed)
    by_covariances = outer - gated[:, None, None] * precisions - pull - pull.swapaxes(1, 2)
    if not seen:
        squares = np.einsum("kij,kjl->kil", precisions, precisions)
        by_covariances = by_covariances + 4 * mass[:, None, None] * squares
    by_means = np.einsum("kij,kj->ki", precisions, pulled) - turned
    return Slope(float(loss), gated, by_means, 0.5 * by_covariances)
