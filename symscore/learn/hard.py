"""Plain hard cells, as the papers use them: draws, but no density."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve

from symscore.arrays import FloatArray, as_points, blocks, check_shape, frozen
from symscore.errors import BadOption
from symscore.learn.hermite import degree_of, hermite_tables, n_features
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel

ROWS = 2048  # rows per block of the sums; fixed, so that their order does not depend on the machine
REACH = 2.0  # radius of the ball over the largest norm of a row: it stops explosions, not tails
ROWS_PER_FEATURE = 10  # effective rows that a cell needs for each of its features


@final
@dataclass(frozen=True, eq=False)
class HardScore:
    r"""Score of whitened, noised data: one polynomial in every Voronoi cell.

    With :math:`x_t = \alpha x_0 + \sigma z`, c the index of the nearest of the carried centres
    :math:`\alpha m_c` and :math:`u` the coordinate in which :math:`N(\alpha m_c, \alpha^2 S_c +
    \sigma^2 I)` is standard normal,

    .. math::

        E[x_0 | x_t] \approx \Pi_R \Big( \alpha x_t + \sum_p \theta_{c,p} h_p(u) \Big),
        \qquad s(x_t) = \frac{\alpha E[x_0 | x_t] - x_t}{\sigma^2} .

    :math:`\alpha x_t` is the best affine denoiser of whitened data, so that zero coefficients give
    the score of N(0, I). :math:`\Pi_R` moves a point outside the ball of radius R straight to its
    surface: polynomials grow without bound where there are no data, and the denoiser is a mean of
    data. Arxiv 2404.18869 bounds the coefficients to the same end and 2404.18893 the points and
    noises that enter its loss.

    Parameters
    ----------
    crude : GaussianMixture
        Masses, means :math:`m_c` (the centres) and covariances :math:`S_c` of the C cells of the
        *clean* data.
    level : NoiseLevel
        With 0 < alpha, sigma < 1.
    coef : (C, F, d) array
        Coefficients :math:`\theta`; F is 0 or the number of Hermite polynomials of some degree.
    radius : float
        Of the ball, R.

    Raises
    ------
    BadOption
        Where F belongs to no degree, or the radius is not positive.
    """

    crude: GaussianMixture
    level: NoiseLevel
    coef: FloatArray
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "coef", frozen(self.coef))
        check_shape("coef", self.coef, self.crude.n_components, None, self.dim)
        size = self.coef.shape[1]
        if size and n_features(self.dim, self.degree) != size:
            raise BadOption(f"Expected the features of one degree; got {size} of them.")
        if not self.radius > 0:
            raise BadOption(f"Expected radius > 0; got {self.radius}.")

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.crude.dim

    @property
    def degree(self) -> int:
        """Largest total degree of a cell's polynomial; -1 where there is none."""
        return degree_of(self.dim, self.coef.shape[1])

    @property
    def degrees(self) -> np.ndarray:
        """Degree of every cell's polynomial, shape (C,); -1 where the rows were too few for any."""
        last = [np.max(np.flatnonzero(own.any(axis=1)), initial=-1) for own in self.coef]
        return np.array([degree_of(self.dim, int(j) + 1) for j in last])

    @cached_property
    def carried(self) -> GaussianMixture:
        """The cells' Gaussians with the level's noise: their means are the centres of x_t."""
        return self.crude.at(self.level)

    def cells(self, x: ArrayLike) -> np.ndarray:
        """Return the cell of each row of x (n, d), shape (n,); of equally near ones, the first."""
        return nearest(as_points("x", x, self.dim), self.carried.means)

    def denoise(self, x: ArrayLike) -> FloatArray:
        """Return the learned E[x_0 | x_t = x], shape (n, d)."""
        points = as_points("x", x, self.dim)
        labels = self.cells(points)
        value = self.level.alpha * points
        if self.degree >= 0:
            for c in np.unique(labels):
                rows = labels == c
                phi = cell_features(self.carried, c, points[rows], self.degree)
                # einsum, not a product by BLAS, whose bits depend on its number of threads.
                value[rows] += np.einsum("nf,fi->ni", phi, self.coef[c])
        return clipped(value, self.radius)

    def score(self, x: ArrayLike) -> FloatArray:
        """Return the learned score at x_t = x, shape (n, d)."""
        points = as_points("x", x, self.dim)
        return (self.level.alpha * self.denoise(points) - points) / self.level.sigma**2


def fit_hard_score(
    crude: GaussianMixture,
    level: NoiseLevel,
    x: FloatArray,
    weights: FloatArray,
    noises: Sequence[FloatArray],
    *,
    degree: int,
    ridge: float,
) -> HardScore:
    r"""Fit the polynomial of every cell at one level by least squares.

    In cell c, over the whitened rows x noised by +z and by -z for every z of `noises`,

    .. math::

        \min_\theta \sum v \, |x_0 - \alpha x_t - \theta \cdot h(u)|^2
            + \lambda \sum_p G_{pp} |\theta_p|^2, \qquad G = \sum v \, h(u) h(u)^T .

    A cell's degree is the largest, up to `degree`, for which it has ten effective rows a feature. A
    cell with fewer than ten keeps the affine denoiser of all rows, :math:`\alpha x_t`. The radius
    of the ball is twice the largest norm of a row.

    Parameters
    ----------
    crude : GaussianMixture
        Of the clean rows' cells.
    level : NoiseLevel
    x : (n, d) array
        Rows of mean 0 and covariance I under `weights`.
    weights : (n,) array
        Positive, summing to one.
    noises : sequence of (n, d) array
    degree : int
    ridge : float
        The multiplier :math:`\lambda \ge 0`.
    """
    cells, size = crude.n_components, n_features(crude.dim, degree)
    gram, cross = np.zeros((cells, size, size)), np.zeros((cells, size, crude.dim))
    mass, square = np.zeros(cells), np.zeros(cells)
    carried = crude.at(level)
    for rows in blocks(len(x), ROWS):
        own = np.zeros((rows.stop - rows.start, cells))
        share = weights[rows] / (2 * len(noises))
        for shift in (sign * z[rows] for z in noises for sign in (level.sigma, -level.sigma)):
            noised = level.alpha * x[rows] + shift
            residual = x[rows] - level.alpha * noised
            labels = nearest(noised, carried.means)
            own[np.arange(len(labels)), labels] += share
            for c in np.unique(labels):
                here = labels == c
                phi = cell_features(carried, c, noised[here], degree)
                weighted = share[here, None] * phi
                gram[c] += weighted.T @ phi
                cross[c] += weighted.T @ residual[here]
        mass += own.sum(axis=0)
        square += (own**2).sum(axis=0)
    effective = effective_rows(mass, square)
    coef = np.zeros((cells, size, crude.dim))
    for c in range(cells):
        used = affordable_features(float(effective[c]), crude.dim, degree)
        if used:
            coef[c, :used] = ridge_solution(gram[c, :used, :used], cross[c, :used], ridge)
    return HardScore(crude, level, coef, REACH * float(np.sqrt((x**2).sum(axis=1).max())))


def nearest(x: FloatArray, centres: FloatArray) -> np.ndarray:
    """Return the index of the centre nearest to each row of x (n, d), the first of equals."""
    distance = np.stack([((x - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
    return distance.argmin(axis=1)


def cell_features(carried: GaussianMixture, c: int, x: FloatArray, degree: int) -> FloatArray:
    """Return the Hermite polynomials (n, F) of x (n, d) in the coordinate of component c."""
    u = np.einsum("ij,nj->ni", carried.chol_precisions[c], x - carried.means[c])
    lead, down, rate = hermite_tables(carried.dim, degree)
    phi = np.ones((len(u), len(lead)))
    for j in range(1, len(lead)):
        k = lead[j]
        one = down[j, k]
        two = down[one, k]
        raised = u[:, k] * phi[:, one]
        phi[:, j] = (raised - rate[one, k] * phi[:, two] if two >= 0 else raised) / rate[j, k]
    return phi


def clipped(x: FloatArray, radius: float) -> FloatArray:
    """Return x (n, d) with rows outside the ball about 0 moved straight to its surface."""
    norm = np.sqrt((x**2).sum(axis=1, keepdims=True))
    return x * np.minimum(1.0, radius / np.maximum(norm, np.finfo(float).tiny))


def effective_rows(mass: FloatArray, square: FloatArray) -> FloatArray:
    """Return the rows (C,) that cells hold, from sums of their rows' weights and of the squares.

    A row's copies count as one row: within a cell they say nearly the same. Rounded, so that thirty
    equal rows are thirty.
    """
    return np.round(mass**2 / np.maximum(square, np.finfo(float).tiny), 6)


def affordable_features(effective: float, dim: int, degree: int) -> int:
    """Return the number of features, of degree at most `degree`, that the rows of a cell allow."""
    sizes = (n_features(dim, k) for k in range(degree, -1, -1))
    return next((size for size in sizes if ROWS_PER_FEATURE * size <= effective), 0)


def ridge_solution(gram: FloatArray, cross: FloatArray, ridge: float) -> FloatArray:
    """Return the coefficients (F, d), pulled to zero by `ridge` times the diagonal of the Gram."""
    diagonal = np.diagonal(gram)
    # The second term is rounding's: it keeps the matrix positive definite where ridge is 0.
    penalty = ridge * diagonal + 1e-12 * diagonal.mean()
    return np.asarray(solve(gram + np.diag(penalty), cross, assume_a="pos"), dtype=np.float64)
