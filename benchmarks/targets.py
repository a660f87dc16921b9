"""Densities with a known truth, all written as Gaussian mixtures."""

import numpy as np

from symscore import GaussianMixture


def _covariance(angle: float, long: float, short: float) -> np.ndarray:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([long**2, short**2]) @ turn.T


def separated() -> GaussianMixture:
    """Return three separated Gaussians."""
    covariances = [_covariance(0.3, 1, 0.5), _covariance(1, 0.7, 0.7), _covariance(2, 0.4, 1.2)]
    return GaussianMixture([0.5, 0.3, 0.2], [[-3, 0], [3, 1], [0, 4]], covariances)


def overlapping() -> GaussianMixture:
    """Return two Gaussians that overlap."""
    covariances = [_covariance(0.3, 1, 0.6), _covariance(1.8, 1.1, 0.5)]
    return GaussianMixture([0.6, 0.4], [[-0.5, 0], [0.7, 0.3]], covariances)


def ring() -> GaussianMixture:
    """Return a ring of radius 3 and thickness 0.3, as 24 round components."""
    angle = np.arange(24) * np.pi / 12
    means = 3 * np.column_stack([np.cos(angle), np.sin(angle)])
    return GaussianMixture(np.full(24, 1 / 24), means, np.tile(0.09 * np.eye(2), (24, 1, 1)))


def moons() -> GaussianMixture:
    """Return two interlocking half circles of thickness 0.2, as 60 round components."""
    angle = np.linspace(0, np.pi, 30)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    lower = np.column_stack([1 - np.cos(angle), 0.5 - np.sin(angle)])
    means = 2 * np.concatenate([upper, lower])
    return GaussianMixture(np.full(60, 1 / 60), means, np.tile(0.04 * np.eye(2), (60, 1, 1)))


def scales() -> GaussianMixture:
    """Return five components of mixed scale, three of them close together."""
    means = [[-4, 0], [-3, 1], [3, 0], [3.5, 0.8], [4, -0.6]]
    shapes = [(0.3, 0.5, 0.3), (1, 0.8, 0.3), (0, 0.2, 0.9), (1, 0.4, 0.4), (2, 0.3, 0.15)]
    return GaussianMixture(np.full(5, 0.2), means, [_covariance(*shape) for shape in shapes])


def random5() -> GaussianMixture:
    """Return four overlapping Gaussians of random shape in five dimensions."""
    rng = np.random.default_rng(0)
    means = rng.standard_normal((4, 5))
    covariances = []
    for _ in range(4):
        turn, _ = np.linalg.qr(rng.standard_normal((5, 5)))
        covariances.append(turn @ np.diag(rng.uniform(0.2, 1.5, 5)) @ turn.T)
    return GaussianMixture([0.4, 0.3, 0.2, 0.1], means, covariances)


TARGETS = {
    "separated": separated,
    "overlapping": overlapping,
    "ring": ring,
    "moons": moons,
    "scales": scales,
    "random5": random5,
}
