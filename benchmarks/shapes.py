"""Densities with a closed form that are no finite mixtures of Gaussians."""

from dataclasses import dataclass

import numpy as np
from scipy.special import exprel, gammaln, ive, logsumexp

from symscore.arrays import FloatArray
from symscore.mixture import LOG_2PI


@dataclass(frozen=True)
class Banana:
    r"""A normal density bent along a parabola.

    .. math:: x_0 \sim N(0, 1), \qquad x_1 \mid x_0 \sim N(x_0^2, \sigma^2)
    """

    sigma: float = 0.5
    dim: int = 2

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return log p(x), shape (n,), for x of shape (n, 2)."""
        away = (x[:, 1] - x[:, 0] ** 2) / self.sigma
        return -0.5 * (x[:, 0] ** 2 + away**2) - np.log(self.sigma) - LOG_2PI

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent points, shape (n, 2)."""
        z = rng.standard_normal((n, 2))
        return np.column_stack([z[:, 0], z[:, 0] ** 2 + self.sigma * z[:, 1]])


@dataclass(frozen=True, eq=False)
class StudentClusters:
    r"""A mixture of multivariate t densities with :math:`\nu` degrees of freedom.

    .. math:: p(x) = \sum_i w_i \,
        \frac{\Gamma((\nu + d) / 2)}{\Gamma(\nu / 2) (\nu \pi)^{d/2} |\det L_i|}
        \Big(1 + |L_i^{-1} (x - m_i)|^2 / \nu\Big)^{-(\nu + d) / 2}
    """

    weights: FloatArray
    means: FloatArray  # (k, d)
    scale_trils: FloatArray  # (k, d, d)
    nu: float

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.means.shape[1]

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return log p(x), shape (n,), for x of shape (n, d)."""
        nu, d = self.nu, self.dim
        u = np.einsum("kij,nkj->nki", np.linalg.inv(self.scale_trils), x[:, None] - self.means)
        tails = -(nu + d) / 2 * np.log1p((u**2).sum(axis=2) / nu)
        constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log(nu * np.pi)
        log_dets = np.linalg.slogdet(self.scale_trils)[1]
        return logsumexp(np.log(self.weights) - log_dets + constant + tails, axis=1)

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent points, shape (n, d)."""
        cluster = rng.choice(len(self.weights), size=n, p=self.weights)
        stretch = np.sqrt(self.nu / rng.chisquare(self.nu, size=n))
        z = stretch[:, None] * rng.standard_normal((n, self.dim))
        return self.means[cluster] + np.einsum("nij,nj->ni", self.scale_trils[cluster], z)


@dataclass(frozen=True, eq=False)
class NoisySphere:
    r"""A uniform point of a circle or a sphere, turned into d dimensions, plus normal noise.

    With :math:`\rho` the distance from the centre within the circle's plane or the sphere's space
    of m = 2 or 3 dimensions, and :math:`a = r \rho / \sigma^2`,

    .. math:: p(x) = (2 \pi \sigma^2)^{-d/2} \, e^{-(|x|^2 + r^2) / (2 \sigma^2)} \, A_m(a),
        \qquad A_2(a) = I_0(a), \quad A_3(a) = \sinh(a) / a .
    """

    axes: FloatArray  # (m, d), orthonormal rows
    radius: float
    sigma: float

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.axes.shape[1]

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return log p(x), shape (n,), for x of shape (n, d)."""
        rho = np.sqrt(((x @ self.axes.T) ** 2).sum(axis=1))
        a = self.radius * rho / self.sigma**2
        # log A_m(a) - a, without overflow: I_0(a) = ive(0, a) e^a and sinh(a) / a = e^a exprel(-2a)
        log_mean = np.log(ive(0, a)) if len(self.axes) == 2 else np.log(exprel(-2 * a))
        away = (x**2).sum(axis=1) - rho**2 + (rho - self.radius) ** 2
        constant = self.dim * (np.log(self.sigma) + LOG_2PI / 2)
        return log_mean - away / (2 * self.sigma**2) - constant

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent points, shape (n, d)."""
        direction = rng.standard_normal((n, len(self.axes)))
        direction *= self.radius / np.sqrt((direction**2).sum(axis=1, keepdims=True))
        return direction @ self.axes + self.sigma * rng.standard_normal((n, self.dim))


def student_clusters() -> StudentClusters:
    """Return three clusters in the plane, each of four degrees of freedom."""
    scale_trils = np.array([[[0.8, 0], [0.5, 0.5]], [[0.6, 0], [0, 0.6]], [[0.4, 0], [-0.6, 0.7]]])
    means = np.array([[-3.0, 0.0], [3.0, 1.0], [0.0, 4.0]])
    return StudentClusters(np.array([0.5, 0.3, 0.2]), means, scale_trils, 4.0)


def noisy_sphere(m: int, dim: int) -> NoisySphere:
    """Return the unit circle (m = 2) or sphere (m = 3), turned at random, with noise of sd .15."""
    turn, _ = np.linalg.qr(np.random.default_rng([m, dim]).standard_normal((dim, dim)))
    return NoisySphere(turn[:m], 1.0, 0.15)
