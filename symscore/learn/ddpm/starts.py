"""Warm starts, and mixtures carried from one affine frame to another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from scipy.linalg import solve_triangular

from symscore.arrays import FloatArray, frozen
from symscore.errors import BadData
from symscore.learn.frame import Whitening
from symscore.mixture import GaussianMixture

FIRST_POINT = 7  # the stream of random numbers that the first of the farthest points is drawn from


class WarmStart(Protocol):
    """A way to find a first mixture, as every partition has."""

    def fit(self, x: FloatArray, weights: FloatArray, *, seed: int) -> GaussianMixture:
        """Return components of x (n, d) under `weights` (n,)."""


WarmStarts = Callable[[int], WarmStart]  # from a number of components


def farthest_points(x: FloatArray, n_points: int, *, seed: int) -> FloatArray:
    """Return up to `n_points` rows of x (n, d), each farthest from those before it.

    The first is drawn at random. Fewer come out where there are fewer distinct rows.

    Examples
    --------
    >>> farthest_points(np.array([[0.0], [1.0], [9.0]]), 2, seed=0).ravel().tolist()
    [9.0, 0.0]
    """
    first = int(np.random.default_rng([seed, FIRST_POINT]).integers(len(x)))
    chosen, distance = [first], ((x - x[first]) ** 2).sum(axis=1)
    while len(chosen) < n_points and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, ((x - x[chosen[-1]]) ** 2).sum(axis=1))
    return x[chosen]


@final
@dataclass(frozen=True)
class FarthestCells:
    """Moments of the cells around farthest points, with one pooled covariance.

    It finds small components far apart, which k-means may merge, and is misled by outliers.
    """

    n_cells: int

    def __str__(self) -> str:
        return f"{self.n_cells} farthest points"

    def fit(self, x: FloatArray, weights: FloatArray, *, seed: int) -> GaussianMixture:
        """See :class:`WarmStart`."""
        centres = farthest_points(x, self.n_cells, seed=seed)
        labels = ((x[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        owner = weights[:, None] * (labels[:, None] == np.arange(len(centres)))
        mass = owner.sum(axis=0)
        means = (owner.T @ x) / mass[:, None]
        left = x - means[labels]
        pooled = (weights[:, None] * left).T @ left / mass.sum()
        pooled = pooled + 1e-6 * np.trace(pooled) / x.shape[1] * np.eye(x.shape[1])
        return GaussianMixture(mass / mass.sum(), means, np.tile(pooled, (len(centres), 1, 1)))


def known_frame(x: FloatArray, weights: FloatArray, covariance: FloatArray) -> Whitening:
    """Return the frame in which x (n, d) has mean 0 and a known covariance (d, d) is I.

    Raises
    ------
    BadData
        Where the covariance is not symmetric positive definite of dimension d.
    """
    dim = x.shape[1]
    if covariance.shape != (dim, dim) or not np.allclose(covariance, covariance.T, rtol=1e-10):
        raise BadData(
            f"Expected a symmetric covariance of shape ({dim}, {dim}); got {covariance.shape}."
        )
    try:
        root = frozen(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        raise BadData("Expected a positive definite covariance.") from None
    return Whitening((weights @ x) / weights.sum(), root)


def to_data(mixture: GaussianMixture, frame: Whitening) -> GaussianMixture:
    """Return a mixture of frame coordinates in the coordinates of the data."""
    root = frame.scale_tril
    covariances = np.einsum("ij,kjl,ml->kim", root, mixture.covariances, root)
    return GaussianMixture(
        mixture.weights,
        frame.loc + mixture.means @ root.T,
        0.5 * (covariances + covariances.swapaxes(1, 2)),
    )


def to_frame(mixture: GaussianMixture, frame: Whitening) -> GaussianMixture:
    """Return a mixture of the coordinates of the data in those of a frame."""
    covariances = np.stack([covariance_in(own, frame) for own in mixture.covariances])
    return GaussianMixture(mixture.weights, frame.whiten(mixture.means), covariances)


def covariance_in(covariance: FloatArray, frame: Whitening) -> FloatArray:
    """Return a covariance (d, d) of the data in the coordinates of a frame."""
    half = solve_triangular(frame.scale_tril, covariance, lower=True)
    whole = solve_triangular(frame.scale_tril, half.T, lower=True)
    return frozen(0.5 * (whole + whole.T))


def smallest_sd(mixtures: list[GaussianMixture]) -> float:
    """Return the smallest standard deviation of a component in any direction."""
    return float(min(np.linalg.eigvalsh(m.covariances).min() for m in mixtures) ** 0.5)


def given_covariance(mixture: GaussianMixture, known: FloatArray | None) -> GaussianMixture:
    """Return the mixture with all covariances replaced by a known one, if there is one."""
    if known is None:
        return mixture
    return GaussianMixture(
        mixture.weights, mixture.means, np.tile(known, (mixture.n_components, 1, 1))
    )
