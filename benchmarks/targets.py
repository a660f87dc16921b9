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


TARGETS = {
    "separated": separated,
    "overlapping": overlapping,
    "ring": ring,
    "moons": moons,
}
