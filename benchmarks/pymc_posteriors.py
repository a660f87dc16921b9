"""Exact posteriors in two dimensions, each with coordinates in which a square lattice covers it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from benchmarks.targets import separated
from symscore import GaussianMixture
from symscore.mixture import LOG_2PI

REACH = 6.5  # of the lattice, in standard deviations
LogDensity = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Posterior:
    """An exact density as the image of coordinates u in which it is about standard normal."""

    log_density: LogDensity
    draw: Callable[..., np.ndarray]
    place: Callable[[np.ndarray], np.ndarray]  # u (n, 2) to x (n, 2)
    log_det: Callable[[np.ndarray], np.ndarray]  # of `place`, (n,)
    y: tuple[float, float]  # the new observation
    sigma: float
    centres: np.ndarray | None = None  # of its modes


def of_mixture(mixture: GaussianMixture, y: tuple[float, float], sigma: float) -> Posterior:
    """Return a mixture, its lattice a square around all components."""
    spread = np.sqrt(np.diagonal(mixture.covariances, axis1=1, axis2=2))
    low = (mixture.means - REACH * spread).min(axis=0)
    half = ((mixture.means + REACH * spread).max(axis=0) - low) / 2
    return Posterior(
        mixture.log_density,
        mixture.draw,
        lambda u: low + half * (1 + u / REACH),
        lambda u: np.full(len(u), np.log(half / REACH).sum()),
        y,
        sigma,
        mixture.means if mixture.n_components > 1 else None,
    )


def gaussian() -> Posterior:
    """Return two coordinates correlated at .9."""
    return of_mixture(GaussianMixture([1.0], [[1, -2]], [[[1, 0.9], [0.9, 1]]]), (1.5, -2.5), 1.0)


def skewed() -> Posterior:
    """Return Azzalini's skew normal, 2 N(x; 0, S) Phi(a x), with S correlated at .5."""
    base = GaussianMixture([1.0], [[0, 0]], [[[1, 0.5], [0.5, 1]]])
    slope = np.array([4.0, 1.0])

    def draw(n: int, *, rng: np.random.Generator) -> np.ndarray:
        x = base.draw(n, rng=rng)
        return np.where((rng.standard_normal(n) < x @ slope)[:, None], x, -x)

    return Posterior(
        lambda x: np.log(2) + base.log_density(x) + log_ndtr(x @ slope),
        draw,
        lambda u: u,
        lambda u: np.zeros(len(u)),
        (0.0, 0.5),
        1.0,
    )


def bimodal() -> Posterior:
    """Return two modes of masses .35 and .65, seven standard deviations apart."""
    covariances = [[[1, 0.6], [0.6, 1]], [[0.8, -0.3], [-0.3, 0.6]]]
    return of_mixture(GaussianMixture([0.35, 0.65], [[0, 0], [6, 4]], covariances), (3, 2), 3.5)


def three_modes() -> Posterior:
    """Return three separated modes."""
    return of_mixture(separated(), (0.0, 2.0), 3.0)


def banana() -> Posterior:
    """Return x_0 ~ N(0, 1), x_1 ~ N(x_0^2, .5^2)."""
    return _triangular(
        lambda first: (first**2, np.full(len(first), 0.5)), first_sigma=1.0, y=(0.0, 1.5), sigma=1.0
    )


def funnel() -> Posterior:
    """Return x_0 ~ N(0, 1.5^2), x_1 ~ N(0, exp(x_0))."""
    return _triangular(
        lambda first: (np.zeros(len(first)), np.exp(first / 2)),
        first_sigma=1.5,
        y=(-1.0, 0.5),
        sigma=1.0,
    )


def _triangular(
    second: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    *,
    first_sigma: float,
    y: tuple[float, float],
    sigma: float,
) -> Posterior:
    def place(u: np.ndarray) -> np.ndarray:
        first = first_sigma * u[:, 0]
        mean, spread = second(first)
        return np.column_stack([first, mean + spread * u[:, 1]])

    def log_det(u: np.ndarray) -> np.ndarray:
        return np.log(first_sigma * second(first_sigma * u[:, 0])[1])

    def log_density(x: np.ndarray) -> np.ndarray:
        mean, spread = second(x[:, 0])
        u = np.column_stack([x[:, 0] / first_sigma, (x[:, 1] - mean) / spread])
        return -0.5 * (u**2).sum(axis=1) - LOG_2PI - np.log(first_sigma * spread)

    return Posterior(
        log_density, lambda n, *, rng: place(rng.standard_normal((n, 2))), place, log_det, y, sigma
    )


POSTERIORS = {
    "Gaussian": gaussian,
    "skewed": skewed,
    "bimodal": bimodal,
    "three modes": three_modes,
    "banana": banana,
    "funnel": funnel,
}
