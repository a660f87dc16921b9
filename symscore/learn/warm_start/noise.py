"""The noise that the data contain: given, or the largest that the data allow."""

import numpy as np

from symscore.arrays import FloatArray, check_shape
from symscore.errors import BadData, BadOption
from symscore.learn.frame import Whitening
from symscore.learn.partition import EMCells, smallest_cell
from symscore.learn.prepared import Prepared
from symscore.learn.select import Sample

MOST_ROWS = 2000
COMPONENTS = (1, 2, 4, 8, 16)
SMALL_SHARE = 0.05  # mass of components whose spread may be below the noise
LARGEST = 1.5  # variance of the noise over the smallest variance of the data, before it is refused


def estimate_noise(sample: Sample) -> float:
    r"""Return a noise sd that whitened rows allow.

    A Gaussian mixture is :math:`Q_0 * N(0, \sigma_0^2 I)` for some :math:`Q_0` exactly if no
    eigenvalue of a component's covariance is below :math:`\sigma_0^2`; any smaller noise is valid
    too, with a wider :math:`Q_0`. Of mixtures of 1, 2, 4, 8 and 16 components the one of least
    BIC is taken, and of its components' smallest eigenvalues the one that all but the thinnest
    components, of mass 5 %, reach. Own rule: the paper knows :math:`\sigma_0`.

    Parameters
    ----------
    sample : Sample
        Whitened; at most 2000 of its rows are looked at.
    """
    few = sample.thinned(MOST_ROWS)
    weights = few.weights / few.weights.sum()
    n, dim = few.x.shape
    best, found = np.inf, 1.0
    for k in COMPONENTS:
        if k > 1 and k * smallest_cell(dim) > n:
            break
        mixture = EMCells(k).fit(few.x, weights, seed=sample.seed)
        parameters = mixture.n_components * (1 + dim + dim * (dim + 1) / 2) - 1
        bic = parameters * np.log(n) - 2 * n * float(weights @ mixture.log_density(few.x))
        if bic < best:
            smallest = np.linalg.eigvalsh(mixture.covariances)[:, 0]
            order = np.argsort(smallest)
            reached = np.cumsum(mixture.weights[order]) > SMALL_SHARE
            best, found = bic, float(smallest[order][reached.argmax()])
    return float(np.sqrt(found))


def noise_covariance(noise: object, dim: int) -> FloatArray:
    """Return the covariance (d, d) that the option `noise` stands for: an sd, or itself.

    Raises
    ------
    BadOption
        Where it is neither positive nor a symmetric positive definite matrix.
    """
    given = np.asarray(noise, dtype=np.float64)
    if given.ndim == 0:
        if not 0 < given < np.inf:
            raise BadOption(f"Expected a noise sd > 0; got {noise}.")
        return np.asarray(given**2 * np.eye(dim))
    check_shape("noise", given, dim, dim)
    if not (np.allclose(given, given.T) and np.linalg.eigvalsh(given)[0] > 0):
        raise BadOption("Expected a symmetric positive definite noise covariance.")
    return given


def isotropic_frame(ready: Prepared, covariance: FloatArray) -> tuple[Prepared, float]:
    r"""Move rows to the frame in which the noise is isotropic and their mean variance is one.

    Parameters
    ----------
    ready : Prepared
    covariance : (d, d) array
        :math:`\Sigma_0`, of the noise, in the units of the data.

    Returns
    -------
    ready : Prepared
        In the frame of scale :math:`c \, \mathrm{chol}(\Sigma_0)`.
    noise : float
        Its sd there, 1 / c.

    Raises
    ------
    BadData
        Where the data vary less than such noise, in some direction.
    """
    chol = np.linalg.cholesky(covariance)
    turned = np.linalg.solve(chol, ready.frame.scale_tril)  # whitened rows have covariance I
    variances = np.linalg.eigvalsh(turned @ turned.T)
    # The smallest eigenvalue of the covariance of n rows of pure noise (Marchenko and Pastur).
    edge = max(1 - np.sqrt(len(chol) * float(ready.weights @ ready.weights)), 0.0) ** 2
    if variances[0] * LARGEST < edge:
        raise BadData(
            "Expected rows that vary at least as much as their noise; in some direction their sd "
            f"is {variances[0] ** 0.5:.2g} times that of the noise given."
        )
    scale = float(np.sqrt(variances.mean()))
    return ready.in_frame(Whitening(ready.frame.loc, np.asarray(scale * chol))), 1 / scale
