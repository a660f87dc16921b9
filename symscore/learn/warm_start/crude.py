"""The crude mixture about warm starts, for the soft twin."""

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.hard import nearest
from symscore.learn.partition import smallest_cell
from symscore.learn.prepared import Prepared
from symscore.mixture import GaussianMixture
from symscore.schedule import KAPPA_NOISE, Schedule, balanced_step

MOST_MOVES = 100
TWIN_RATIO = 1.5  # the flow is of second order and takes larger steps than the reverse diffusion


def cell_mixture(
    x: FloatArray, weights: FloatArray, centres: FloatArray, noise: float
) -> GaussianMixture:
    r"""Return the masses, means and covariances of cells that began as those of warm starts.

    Centres move to the means of their cells until they stay, by Lloyd's iteration, so that chance
    in the last cover plays little part. A cell with fewer effective rows than the smallest one
    allowed gives its rows to the others. A covariance is shrunk towards the mean of all, with
    2 (d + 1) rows' weight, and the data contain the noise:

    .. math:: S_c = \frac{n_c \hat S_c + 2 (d + 1) \bar S}{n_c + 2 (d + 1)}, \qquad
        \bar S = \sum_c w_c \hat S_c + \frac{\sigma_0^2}{n} I .

    Parameters
    ----------
    x : (n, d) array
    weights : (n,) array
        Positive, summing to one.
    centres : (C, d) array
    noise : float
        :math:`\sigma_0`.
    """
    dim = x.shape[1]
    labels, mass, effective = _settled(x, weights, centres)
    means, spreads = np.empty((len(mass), dim)), np.empty((len(mass), dim, dim))
    for c in range(len(mass)):
        rows = labels == c
        share = weights[rows] / mass[c]
        means[c] = np.einsum("n,ni->i", share, x[rows])
        centred = x[rows] - means[c]
        spreads[c] = np.einsum("n,ni,nj->ij", share, centred, centred)
    pooled = np.einsum("c,cij->ij", mass, spreads) + noise**2 / len(x) * np.eye(dim)
    prior = 2 * (dim + 1)
    pull = (prior / (effective + prior))[:, None, None]
    return GaussianMixture(mass / mass.sum(), means, (1 - pull) * spreads + pull * pooled)


def _settled(
    x: FloatArray, weights: FloatArray, centres: FloatArray
) -> tuple[np.ndarray, FloatArray, FloatArray]:
    """Labels (n,), masses (C,) and effective rows (C,) of cells none of which is too small."""
    labels = nearest(x, centres)
    for _ in range(MOST_MOVES):
        mass = np.asarray(np.bincount(labels, weights, minlength=len(centres)), dtype=np.float64)
        square = np.bincount(labels, weights**2, minlength=len(centres))
        effective = mass**2 / np.maximum(square, np.finfo(np.float64).tiny)
        small = len(centres) > 1 and effective.min() < smallest_cell(x.shape[1])
        if small:
            centres = np.delete(centres, effective.argmin(), axis=0)
        else:
            sums = np.stack(
                [np.bincount(labels, weights * column, minlength=len(centres)) for column in x.T],
                axis=1,
            )
            centres = sums / mass[:, None]
        before, labels = labels, nearest(x, centres)
        if not small and np.array_equal(labels, before):
            break
    return before, mass, effective


def lifted(crude: GaussianMixture, axes: FloatArray, noise: float) -> GaussianMixture:
    r"""Return a mixture of the r coordinates along `axes` (d, r) as one of all d, noise outside.

    .. math:: m_c \mapsto V m_c, \qquad S_c \mapsto V S_c V^T + \sigma_0^2 (I - V V^T)
    """
    outside = noise**2 * (np.eye(len(axes)) - np.einsum("ir,jr->ij", axes, axes))
    inside = np.einsum("ir,crs,js->cij", axes, crude.covariances, axes)
    covariances = inside + outside
    symmetric = (covariances + covariances.swapaxes(1, 2)) / 2
    return GaussianMixture(crude.weights, np.einsum("ir,cr->ci", axes, crude.means), symmetric)


def twin_schedule(ready: Prepared, smoothing: float) -> Schedule:
    """Return the levels of the soft twin's flow, from noise that drowns rows of any scale.

    Those of whitened rows, but for frames in which the mean variance is above one.
    """
    scale = float(np.sqrt(ready.weights @ (ready.x**2).mean(axis=1)))
    if scale < 1 + 1e-6:
        return Schedule.up_to(1 / smoothing, max_ratio=TWIN_RATIO)
    first = KAPPA_NOISE / scale
    span = np.log(1 / (smoothing * first))
    n_steps = int(np.ceil(span / np.log(TWIN_RATIO)))
    ratio = float(np.exp(span / n_steps))
    return Schedule(np.asarray(first * ratio ** np.arange(n_steps + 1)), balanced_step(ratio))
