"""The readable twin of the compiled kernels: the same formulas in NumPy, all points at once.

Slow and plain on purpose; tests hold the kernels to it. Nothing here reads the packed vectors.
"""

from math import factorial, prod

import numpy as np
from numpy.polynomial.hermite_e import hermeval

from symscore.arrays import FloatArray
from symscore.learn.field import PiecewiseScore
from symscore.learn.hermite import multi_indices
from symscore.mixture import GaussianMixture


def hermite(u: FloatArray, degree: int) -> FloatArray:
    """Return the orthonormal Hermite polynomials at u (..., d), shape (..., F)."""

    def one(power: int, x: FloatArray) -> FloatArray:
        return hermeval(x, [0.0] * power + [1.0]) / np.sqrt(float(factorial(power)))

    return np.stack(
        [
            prod(one(power, u[..., k]) for k, power in enumerate(powers))
            for powers in multi_indices(u.shape[-1], degree)
        ],
        axis=-1,
    )


def features(
    crude: GaussianMixture, kappa: float, rho: float, degree: int, y: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the gated, damped features (n, C, F) and the crude denoiser (n, d) at y (n, d)."""
    carried = kappa**2 * crude.covariances + np.eye(crude.dim)
    noisy = GaussianMixture(crude.weights, kappa * crude.means, carried)
    gate = noisy.responsibilities(y)
    centred = y[:, None] - noisy.means
    u = np.einsum("cij,ncj->nci", noisy.chol_precisions, centred)
    gain = kappa * crude.covariances @ np.linalg.inv(carried)
    own = crude.means + np.einsum("cij,ncj->nci", gain, centred)
    damp = np.exp(-(u**2).sum(axis=2) / (2 * rho**2))
    return (gate * damp)[:, :, None] * hermite(u, degree), np.einsum("nc,nci->ni", gate, own)


def denoise(field: PiecewiseScore, y: FloatArray) -> FloatArray:
    """Return D(y), shape (n, d)."""
    phi, crude = features(field.crude, field.level.kappa, field.rho, max(field.degree, 0), y)
    if field.size == 0:
        return crude
    return crude + np.einsum("ncf,cfi->ni", phi, field.coef)


def jacobian(field: PiecewiseScore, y: FloatArray, *, step: float = 1e-5) -> FloatArray:
    """Return D'(y) by central differences of :func:`denoise`, shape (n, d, d)."""
    columns = [
        (denoise(field, y + shift) - denoise(field, y - shift)) / (2 * step)
        for shift in step * np.eye(y.shape[1])
    ]
    return np.stack(columns, axis=2)


def normal_equations(
    field: PiecewiseScore, degree: int, y: FloatArray, target: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Return Gram matrix (C F, C F), cross moments (C F, d) and energy of the regression."""
    phi, crude = features(field.crude, field.level.kappa, field.rho, degree, y)
    phi = phi.reshape(len(y), -1)
    residual = target - crude
    weighted = weights[:, None] * phi
    return weighted.T @ phi, weighted.T @ residual, float(weights @ (residual**2).sum(axis=1))
