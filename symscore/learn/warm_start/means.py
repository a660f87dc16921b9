"""The learned posterior mean of the signal at one level, and its score (steps B3 and B4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points, check_shape, frozen
from symscore.errors import BadOption
from symscore.learn.hard import clipped, nearest
from symscore.learn.hermite import degree_of, n_features
from symscore.learn.hermite_sums import hermite_values
from symscore.learn.warm_start.ball import ball_least_squares
from symscore.learn.warm_start.equations import cell_equations
from symscore.learn.warm_start.heat import level_of
from symscore.schedule import NoiseLevel

# Effective rows that a cell needs for each of its polynomials: there is no ridge beside the ball.
# With 10, a ring of 2000 rows had 1.8 times the error of its score, most of it at little noise. But
# constants without linear terms leave a cell only its noise: on 255 rows of three components, modes
# then got masses that were off by a tenth.
ROWS_PER_FEATURE = 20
ROWS_PER_LINEAR_FEATURE = 5


@final
@dataclass(frozen=True, eq=False)
class VoronoiMean:
    r"""Posterior mean of :math:`\mu` where :math:`y = \mu + \sigma_0 \xi_1 + \sqrt t \, \xi_2`.

    With c the index of the nearest centre :math:`m_c` and :math:`\sigma^2 = \sigma_0^2 + t`,

    .. math::

        f(y) = \Pi_D \Big( \sum_k b_{c,k} h_k\big((y - m_c) / \sigma\big) \Big), \qquad
        \nabla \ln p_t(y) = \frac{f(y) - y}{\sigma^2} .

    :math:`\Pi_D` projects on a ball that holds the support of :math:`\mu`, which cannot take f
    further from the truth; an infinite radius leaves it out, as the paper does.

    Parameters
    ----------
    centres : (C, d) array
        Warm starts :math:`m_c`.
    t : float
        Heat time.
    noise : float
        :math:`\sigma_0`, the noise of the data themselves.
    coef : (C, F, d) array
        Coefficients :math:`b`, of orthonormal polynomials.
    radius : float
        Of the ball about 0, D.
    multipliers : (C,) array
        Ridge that the ball of coefficients amounted to in every cell.
    """

    centres: FloatArray
    t: float
    noise: float
    coef: FloatArray
    radius: float
    multipliers: FloatArray

    def __post_init__(self) -> None:
        for name in ("centres", "coef", "multipliers"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        check_shape("coef", self.coef, len(self.centres), None, self.dim)
        check_shape("multipliers", self.multipliers, len(self.centres))
        if n_features(self.dim, self.degree) != self.coef.shape[1]:
            raise BadOption(f"Expected the features of one degree; got {self.coef.shape[1]}.")
        if not (self.t > 0 and self.noise > 0 and self.radius > 0):
            raise BadOption(
                f"Expected t, noise and radius > 0; got {self.t}, {self.noise} and {self.radius}."
            )

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.centres.shape[1]

    @property
    def degree(self) -> int:
        """Largest total degree of a cell's polynomial."""
        return degree_of(self.dim, self.coef.shape[1])

    @property
    def sigma(self) -> float:
        r"""The noise that y contains in all, :math:`\sqrt{\sigma_0^2 + t}`."""
        return float(np.hypot(self.noise, np.sqrt(self.t)))

    @property
    def level(self) -> NoiseLevel:
        """The level with the same signal-to-noise ratio, of points scaled by its alpha."""
        return level_of(self.t)

    def cells(self, y: ArrayLike) -> np.ndarray:
        """Return the cell of each row of y (n, d), shape (n,); of equally near ones, the first."""
        return nearest(as_points("y", y, self.dim), self.centres)

    def posterior_mean(self, y: ArrayLike) -> FloatArray:
        r"""Return the learned :math:`E[\mu | y]`, shape (n, d), at points of the heat flow."""
        points = as_points("y", y, self.dim)
        labels = nearest(points, self.centres)
        value = np.empty_like(points)
        for c in np.unique(labels):
            rows = labels == c
            phi = hermite_values((points[rows] - self.centres[c]) / self.sigma, self.degree)
            # einsum, not a product by BLAS, whose bits depend on its number of threads.
            value[rows] = np.einsum("nf,fi->ni", phi, self.coef[c])
        return clipped(value, self.radius)

    def heat_score(self, y: ArrayLike) -> FloatArray:
        """Return the learned score (n, d) of the heat flow's density at y: step B4."""
        points = as_points("y", y, self.dim)
        return (self.posterior_mean(points) - points) / self.sigma**2

    def score(self, x: ArrayLike) -> FloatArray:
        """Return the learned score (n, d) at x_t = x, the point of the heat flow times alpha."""
        points = as_points("x", x, self.dim)
        return self.heat_score(points / self.level.alpha) / self.level.alpha


def fit_means(
    x: FloatArray,
    weights: FloatArray,
    noises: Sequence[FloatArray],
    centres: FloatArray,
    t: float,
    *,
    noise: float,
    degree: int,
    ball: float,
    radius: float,
    moments: FloatArray | None = None,
) -> VoronoiMean:
    r"""Fit the posterior mean at one level, in every Voronoi cell (steps B3 and B4).

    Each cell's coefficients minimise the squared distance to the target of
    :func:`~symscore.learn.warm_start.equations.cell_equations` over the ball :math:`\|b\| \le D`.
    A cell's degree is the largest, up to `degree`, for which it has twenty effective rows
    a polynomial, or five where the degree is one or zero; with fewer its mean is its centre.

    Parameters
    ----------
    x, weights, noises, centres, t, noise, degree, moments
        As of :func:`~symscore.learn.warm_start.equations.cell_equations`.
    ball : float
        D.
    radius : float
        Of the ball to which values are clipped; infinite for none.
    """
    sums = cell_equations(
        x, weights, noises, centres, t, noise=noise, degree=degree, moments=moments
    )
    coef, multipliers = np.zeros_like(sums.cross), np.zeros(len(centres))
    coef[:, 0] = centres
    for c, effective in enumerate(sums.effective):
        size = affordable(float(effective), x.shape[1], degree)
        if size:
            found = ball_least_squares(sums.gram[c, :size, :size], sums.cross[c, :size], ball)
            coef[c, :size], multipliers[c] = found.coef, found.multiplier
    return VoronoiMean(centres, t, noise, coef, radius, multipliers)


def affordable(effective: float, dim: int, degree: int) -> int:
    """Return the number of polynomials, of degree at most `degree`, that so many rows allow."""
    for k in range(degree, -1, -1):
        size = n_features(dim, k)
        if (ROWS_PER_FEATURE if k > 1 else ROWS_PER_LINEAR_FEATURE) * size <= effective:
            return size
    return 0
