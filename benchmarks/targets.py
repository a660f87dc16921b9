"""Densities with a known truth: what the accuracy of an estimate is measured on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

from benchmarks.marron_wand import MARRON_WAND
from benchmarks.shapes import Banana, noisy_sphere, student_clusters
from symscore import GaussianMixture
from symscore.arrays import FloatArray

FEW = 8  # components up to which a target counts as a handful of Gaussians
MIXTURE, OTHER = "mixture", "other"


class Density(Protocol):
    """A normalised density that can be drawn from."""

    @property
    def dim(self) -> int:
        """Dimension d."""

    def log_density(self, x: FloatArray, /) -> FloatArray:
        """Return log p(x), shape (n,), for x of shape (n, d)."""

    def draw(self, n: int, /, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent points, shape (n, d)."""


@final
@dataclass(frozen=True, eq=False)
class Target:
    """A density with its name."""

    name: str
    density: Density

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.density.dim

    @property
    def n_components(self) -> int | None:
        """Number of Gaussians, or None where the density is no finite mixture of them."""
        return self.density.n_components if isinstance(self.density, GaussianMixture) else None

    @property
    def group(self) -> str:
        """``"mixture"`` of up to eight Gaussians, or ``"other"``."""
        return MIXTURE if (self.n_components or FEW + 1) <= FEW else OTHER

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return log p(x), shape (n,), for x of shape (n, d)."""
        return self.density.log_density(x)

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent points, shape (n, d)."""
        return self.density.draw(n, rng=rng)


def target(name: str) -> Target:
    """Return the target of that name in TARGETS."""
    return Target(name, TARGETS[name]())


def _covariance(angle: float, long: float, short: float) -> np.ndarray:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([long**2, short**2]) @ turn.T


def _round(means: np.ndarray, sigma: float) -> GaussianMixture:
    """Return equal round components at the means (k, 2)."""
    k = len(means)
    return GaussianMixture(np.full(k, 1 / k), means, np.tile(sigma**2 * np.eye(2), (k, 1, 1)))


def separated() -> GaussianMixture:
    """Return three separated Gaussians."""
    covariances = [_covariance(0.3, 1, 0.5), _covariance(1, 0.7, 0.7), _covariance(2, 0.4, 1.2)]
    return GaussianMixture([0.5, 0.3, 0.2], [[-3, 0], [3, 1], [0, 4]], covariances)


def overlapping() -> GaussianMixture:
    """Return two Gaussians that overlap."""
    covariances = [_covariance(0.3, 1, 0.6), _covariance(1.8, 1.1, 0.5)]
    return GaussianMixture([0.6, 0.4], [[-0.5, 0], [0.7, 0.3]], covariances)


def scales() -> GaussianMixture:
    """Return five components of mixed scale, three of them close together."""
    means = [[-4, 0], [-3, 1], [3, 0], [3.5, 0.8], [4, -0.6]]
    shapes = [(0.3, 0.5, 0.3), (1, 0.8, 0.3), (0, 0.2, 0.9), (1, 0.4, 0.4), (2, 0.3, 0.15)]
    return GaussianMixture(np.full(5, 0.2), means, [_covariance(*shape) for shape in shapes])


def ring() -> GaussianMixture:
    """Return a ring of radius 3 and thickness 0.3, as 24 round components."""
    angle = np.arange(24) * np.pi / 12
    return _round(3 * np.column_stack([np.cos(angle), np.sin(angle)]), 0.3)


def moons() -> GaussianMixture:
    """Return two interlocking half circles of thickness 0.2, as 60 round components."""
    angle = np.linspace(0, np.pi, 30)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    lower = np.column_stack([1 - np.cos(angle), 0.5 - np.sin(angle)])
    return _round(2 * np.concatenate([upper, lower]), 0.2)


def grid() -> GaussianMixture:
    """Return 25 round components on a square lattice of five by five."""
    steps = np.arange(-2.0, 3.0)
    return _round(np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2), 0.2)


def spiral() -> GaussianMixture:
    """Return two turns of an Archimedean spiral, as 60 round components equally far apart."""
    fine = np.linspace(np.pi / 2, 4.5 * np.pi, 20_001)
    path = 0.25 * np.column_stack([fine * np.cos(fine), fine * np.sin(fine)])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    angle = np.interp(np.linspace(0, length[-1], 60), length, fine)
    return _round(0.25 * np.column_stack([angle * np.cos(angle), angle * np.sin(angle)]), 0.2)


def random_mixture(dim: int) -> GaussianMixture:
    """Return four overlapping Gaussians of random shape."""
    rng = np.random.default_rng(0)
    means = rng.standard_normal((4, dim))
    covariances = []
    for _ in range(4):
        turn, _ = np.linalg.qr(rng.standard_normal((dim, dim)))
        covariances.append(turn @ np.diag(rng.uniform(0.2, 1.5, dim)) @ turn.T)
    return GaussianMixture([0.4, 0.3, 0.2, 0.1], means, covariances)


def low_rank(dim: int, rank: int) -> GaussianMixture:
    """Return four Gaussians that differ only within a subspace of few dimensions."""
    rng = np.random.default_rng([dim, rank])
    turn, _ = np.linalg.qr(rng.standard_normal((dim, dim)))
    means = 2 * rng.standard_normal((4, rank)) @ turn[:rank]
    covariances = []
    for _ in range(4):
        root = rng.standard_normal((rank, rank))
        within = np.eye(dim)
        within[:rank, :rank] = 0.2 * np.eye(rank) + 0.3 * root @ root.T
        rotated = turn.T @ within @ turn
        covariances.append((rotated + rotated.T) / 2)
    return GaussianMixture([0.4, 0.3, 0.2, 0.1], means, covariances)


TARGETS: dict[str, Callable[[], Density]] = {
    "separated": separated,
    "overlapping": overlapping,
    "scales": scales,
    "ring": ring,
    "moons": moons,
    "grid": grid,
    "spiral": spiral,
    "banana": Banana,
    "student": student_clusters,
    **MARRON_WAND,
    "circle5": lambda: noisy_sphere(2, 5),
    "sphere5": lambda: noisy_sphere(3, 5),
    "random5": lambda: random_mixture(5),
    "random10": lambda: random_mixture(10),
    "random20": lambda: random_mixture(20),
    "lowrank50": lambda: low_rank(50, 3),
}
