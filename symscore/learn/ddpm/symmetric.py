r"""Two components +theta and -theta of unit covariance: the student of arXiv 2307.01178 for K = 2.

Its score is :math:`\tanh(\theta \cdot x) \theta - x`. With :math:`u = \theta \cdot x`,
:math:`q = |\theta|^2` and :math:`T = \tanh u`, the DDPM objective is, up to a constant,

.. math:: L(\theta) = E [ 2 q - q T^2 - 2 u T ]

(Stein's identity, own derivation), which sees x through u alone. For rows from
:math:`N(\mu, I) / 2 + N(-\mu, I) / 2` and by symmetry u is normal with mean
:math:`p = \theta \cdot \mu` and variance q: the population objective is a one-dimensional integral
in any dimension.
"""

import math

import numpy as np

from symscore.arrays import FloatArray, blocks, frozen
from symscore.learn.ddpm.objective import ROWS

DATA_DECAY = 20.0  # of the quadrature over noise: 2e-9, far below the error of any sample


def normal_nodes(slope: float, *, decay: float = 44.0) -> tuple[FloatArray, FloatArray]:
    r"""Return nodes and weights for normal expectations of tanh(slope * xi) and its derivatives.

    The trapezoid rule is exact up to :math:`\exp(a^2/2 - 2 \pi a / h)` for functions analytic in
    a strip of half-width a; the poles of tanh leave :math:`a < \pi / (2 \, slope)`, and the step h
    makes that term ``exp(-decay)``, as are the tails cut off.

    Examples
    --------
    >>> xi, weights = normal_nodes(1.0)
    >>> print(f"{weights @ xi**4:.12f}")
    3.000000000000
    """
    strip = min(0.8 * math.pi / (2 * max(slope, 1e-300)), 6.0)
    step = 2 * math.pi * strip / (decay + strip**2 / 2)
    half = math.ceil(math.sqrt(2 * decay) / step)
    xi = step * np.arange(-half, half + 1)
    weights = np.exp(-0.5 * xi**2)
    return frozen(xi), frozen(weights / weights.sum())


def loss(theta: FloatArray, x: FloatArray, weights: FloatArray) -> float:
    """Return L(theta) over noised rows x (n, d) of weights (n,), which sum to one."""
    u, q = x @ theta, float(theta @ theta)
    tanh = np.tanh(u)
    return float(weights @ (2 * q - q * tanh**2 - 2 * u * tanh))


def gradient(theta: FloatArray, x: FloatArray, weights: FloatArray) -> FloatArray:
    r"""Return the gradient of L at theta (d,) over noised rows x (n, d) of weights (n,).

    .. math::

        -\tfrac12 \nabla L = E[ h(u) x ] - E[T'] \theta - \theta, \qquad
        h = T - \tfrac12 q T'' + u T'

    The weights sum to one.
    """
    q, first, slope = float(theta @ theta), np.zeros_like(theta), 0.0
    for own in blocks(len(x), ROWS):
        u = x[own] @ theta
        first += (weights[own] * _pull(u, q)) @ x[own]
        slope += float(weights[own] @ _sech2(u))
    return -2 * (first - (slope + 1) * theta)


def ddpm_gradient(
    theta: FloatArray, x: FloatArray, z: FloatArray, weights: FloatArray, *, sigma: float
) -> FloatArray:
    r"""Return the gradient of :math:`E |s(x) + z / \sigma|^2`, with the noise z (n, d) seen.

    .. math:: 2 E [ T r + T' (\theta \cdot r) x ], \qquad r = T \theta - x + z / \sigma

    Its expectation over the noise is that of :func:`gradient`.
    """
    total = np.zeros_like(theta)
    for own in blocks(len(x), ROWS):
        tanh = np.tanh(x[own] @ theta)
        residual = tanh[:, None] * theta - x[own] + z[own] / sigma
        total += (weights[own] * tanh) @ residual
        total += (weights[own] * _sech2(x[own] @ theta) * (residual @ theta)) @ x[own]
    return 2 * total


def integrated_gradient(
    theta: FloatArray, clean: FloatArray, weights: FloatArray, *, alpha: float, sigma: float
) -> FloatArray:
    r"""Return the expectation of :func:`gradient` over the noise, given clean rows (n, d).

    Given x_0, u is normal with mean :math:`\alpha \theta \cdot x_0` and sd
    :math:`\sigma |\theta|`, and :math:`E[h(u) x] = \alpha E[h] x_0 + \sigma^2 E[h'] \theta`: a
    one-dimensional quadrature a row, and no draws of noise (beyond the paper, own derivation).
    """
    q = float(theta @ theta)
    spread = sigma * math.sqrt(q)
    xi, share = normal_nodes(spread, decay=DATA_DECAY)
    first, rest = np.zeros_like(theta), 0.0
    for own in blocks(len(clean), ROWS):
        u = alpha * (clean[own] @ theta)[:, None] + spread * xi
        tanh, slope = np.tanh(u), _sech2(u)
        pull = tanh + (q * tanh + u) * slope
        first += alpha * ((weights[own] * (pull @ share)) @ clean[own])
        curve = sigma**2 * _pull_slope(u, q, tanh, slope) - slope
        rest += float(weights[own] @ (curve @ share))
    return -2 * (first + (rest - 1) * theta)


def population_loss(theta: FloatArray, mu: FloatArray) -> float:
    """Return L at theta (d,) for rows from N(mu, I)/2 + N(-mu, I)/2, to about 14 digits."""
    u, weights, q = _population(theta, mu)
    tanh = np.tanh(u)
    return float(weights @ (2 * q - q * tanh**2 - 2 * u * tanh))


def population_gradient(theta: FloatArray, mu: FloatArray) -> FloatArray:
    r"""Return the gradient of :func:`population_loss` at theta (d,), shape (d,).

    .. math::

        \nabla L = L_p \, \mu + 2 L_q \, \theta, \qquad L_p = -2 E[h(u)], \qquad
        L_q = 2 - E[T^2] - E[h'(u)]

    Parameters
    ----------
    theta, mu : (d,) array
        Student and truth, at the same noise level.

    Examples
    --------
    >>> mu = np.array([0.6, 0.8])
    >>> bool(np.abs(population_gradient(mu, mu)).max() < 1e-13)
    True
    """
    u, weights, q = _population(theta, mu)
    by_p = -2 * float(weights @ _pull(u, q))
    by_q = (
        2
        - float(weights @ np.tanh(u) ** 2)
        - float(weights @ _pull_slope(u, q, np.tanh(u), _sech2(u)))
    )
    return by_p * mu + 2 * by_q * theta


def em_step(theta: FloatArray, x: FloatArray, weights: FloatArray) -> FloatArray:
    r"""Return the step :math:`E[\tanh(\theta \cdot x) x]` of expectation-maximisation.

    .. math:: -\tfrac12 \nabla L = (EM(\theta) - \theta) + E[T' ((u + q T) x - \theta)]

    and T' is exponentially small where the components are apart.
    """
    return np.asarray((weights * np.tanh(x @ theta)) @ x)


def population_em_step(theta: FloatArray, mu: FloatArray) -> FloatArray:
    r"""Return the population EM step, :math:`E[T] \mu + E[T'] \theta`."""
    u, weights, _ = _population(theta, mu)
    return float(weights @ np.tanh(u)) * mu + float(weights @ _sech2(u)) * theta


def power_step(theta: FloatArray, mu: FloatArray) -> FloatArray:
    r"""Return :math:`4 (\mu \mu^T - |\theta|^2 I) \theta`, the limit of -grad L at high noise.

    For theta and mu of order h the remainder is of order h^5: far in the noise, gradient descent
    is a power iteration with a decay of the norm (Oja's flow).
    """
    return 4 * (float(mu @ theta) * mu - float(theta @ theta) * theta)


def _population(theta: FloatArray, mu: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Nodes of u, their weights, and q."""
    q = float(theta @ theta)
    xi, weights = normal_nodes(math.sqrt(q))
    return float(theta @ mu) + math.sqrt(q) * xi, weights, q


def _sech2(u: FloatArray) -> FloatArray:
    """T' = 1 - T^2, without cancellation in the tails."""
    decay = np.exp(-2 * np.abs(u))
    return np.asarray(4 * decay / (1 + decay) ** 2)


def _pull(u: FloatArray, q: float) -> FloatArray:
    """Return h(u) = T - q T'' / 2 + u T'."""
    tanh = np.tanh(u)
    return np.asarray(tanh + (q * tanh + u) * _sech2(u))


def _pull_slope(u: FloatArray, q: float, tanh: FloatArray, slope: FloatArray) -> FloatArray:
    """Return h'(u) = 2 T' - q T''' / 2 + u T'', from T and T'."""
    return np.asarray(slope * (2 + q * (slope - 2 * tanh**2) - 2 * u * tanh))
