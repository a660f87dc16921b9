r"""The student of arXiv 2307.01178: unit covariances, equal weights, and means to be learned.

Means and rows are those of noised data throughout: :math:`\mu_{i,t} = e^{-t} \mu_i`. With gates
:math:`w = softmax(-|x - \mu_i|^2 / 2)` and :math:`g = \sum_i w_i \mu_i` the score is g - x.
"""

import numpy as np
from scipy.special import softmax

from symscore.arrays import FloatArray, blocks
from symscore.learn.ddpm.objective import ROWS


def gates(x: FloatArray, means: FloatArray) -> FloatArray:
    """Return the posterior probability (n, k) of each component at x (n, d)."""
    return np.asarray(softmax(x @ means.T - 0.5 * (means**2).sum(axis=1), axis=1))


def ddpm_gradient(
    means: FloatArray, x: FloatArray, z: FloatArray, weights: FloatArray, *, sigma: float
) -> FloatArray:
    r"""Return the gradient by the means of the DDPM objective, with the noise seen.

    .. math::

        \nabla_{\mu_i} E |s + z / \sigma|^2 = 2 E [ w_i r + w_i (r \cdot (\mu_i - g)) (x - \mu_i) ],
        \qquad r = g - x + z / \sigma

    Parameters
    ----------
    means : (k, d) array
        Of the student, at the level.
    x, z : (n, d) array
        Noised rows and the noise in them.
    weights : (n,) array
        Of the rows, summing to one.
    sigma : float
        Standard deviation of the noise.

    Returns
    -------
    (k, d) array
    """
    total = np.zeros_like(means)
    for own in blocks(len(x), ROWS):
        w = gates(x[own], means)
        residual = w @ means - x[own] + z[own] / sigma
        c = 2 * residual @ means.T
        total += _assembled(means, x[own], w, weights[own], c, 2 * residual)
    return total


def stein_gradient(means: FloatArray, x: FloatArray, weights: FloatArray) -> FloatArray:
    r"""Return the gradient by the means in the form that does not see the noise (own derivation).

    .. math::

        \nabla_{\mu_i} L = E[ w_i (4 \mu_i - 2 g - 2 x) + w_i (c_i - \bar c) (x - \mu_i) ], \qquad
        c_i = 2 |\mu_i|^2 - 2 (g + x) \cdot \mu_i

    With the nodes and weights of a quadrature for x it is the population gradient. Parameters as
    for :func:`ddpm_gradient`.

    Examples
    --------
    >>> at_truth = stein_gradient(np.zeros((1, 1)), np.array([[-1.0], [1.0]]), np.full(2, 0.5))
    >>> at_truth
    array([[0.]])
    """
    total = np.zeros_like(means)
    for own in blocks(len(x), ROWS):
        w = gates(x[own], means)
        both = w @ means + x[own]
        c = 2 * (means**2).sum(axis=1) - 2 * both @ means.T
        total += _assembled(means, x[own], w, weights[own], c, -2 * both)
        total += 4 * (weights[own] @ w)[:, None] * means
    return total


def stein_loss(means: FloatArray, x: FloatArray, weights: FloatArray) -> float:
    r"""Return :math:`E [ 2 \sum_i w_i |\mu_i|^2 - |g|^2 - 2 x \cdot g ]`.

    The DDPM objective less what no student changes. Parameters as for :func:`ddpm_gradient`.
    """
    total = 0.0
    for own in blocks(len(x), ROWS):
        w = gates(x[own], means)
        g = w @ means
        losses = 2 * w @ (means**2).sum(axis=1) - ((g + 2 * x[own]) * g).sum(axis=1)
        total += float(weights[own] @ losses)
    return total


def em_step(means: FloatArray, x: FloatArray, weights: FloatArray) -> FloatArray:
    r"""Return the means after one step of expectation-maximisation, :math:`E[w_i x] / E[w_i]`.

    Where gates are nearly 0 or 1, :math:`-\nabla_{\mu_i} L \approx 2 E[w_i (x - \mu_i)]`, and a
    gradient step of k / 2 is this one.
    """
    mass, first = np.zeros(len(means)), np.zeros_like(means)
    for own in blocks(len(x), ROWS):
        w = weights[own][:, None] * gates(x[own], means)
        mass += w.sum(axis=0)
        first += w.T @ x[own]
    return first / mass[:, None]


def _assembled(
    means: FloatArray, x: FloatArray, w: FloatArray, v: FloatArray, c: FloatArray, f: FloatArray
) -> FloatArray:
    """Sum w_i f + w_i (c_i - mean c) (x - mu_i) over rows of weight v."""
    e = v[:, None] * w * (c - (w * c).sum(axis=1, keepdims=True))
    return (v[:, None] * w).T @ f + e.T @ x - e.sum(axis=0)[:, None] * means
