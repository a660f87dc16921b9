"""The learned score of one noise level."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points, check_shape, frozen
from symscore.errors import BadOption
from symscore.learn.batch import denoise_batch, jacobian_batch
from symscore.learn.hermite import degree_of, n_features
from symscore.learn.packed import Packed, pack
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel


@final
@dataclass(frozen=True, eq=False)
class PiecewiseScore:
    r"""Score of noised data: a crude mixture's, corrected by a polynomial in every cell.

    With :math:`x_t = \alpha x_0 + \sigma z`, gates :math:`r_c` and whitened coordinates
    :math:`u_c` of the crude components carried to the level,

    .. math::

        E[x_0 | x_t] \approx \sum_c r_c \Big( m_c + G_c (x_t - \alpha m_c)
            + e^{-|u_c|^2 / 2 \rho^2} \sum_p \theta_{c,p} h_p(u_c) \Big),
        \qquad s(x_t) = \frac{\alpha E[x_0 | x_t] - x_t}{\sigma^2}

    where the first two terms are component c's own denoiser, so that zero coefficients give the
    crude mixture's score exactly.

    Parameters
    ----------
    crude : GaussianMixture
        C components of the *clean* data, in the coordinates of x.
    level : NoiseLevel
        With 0 < alpha, sigma < 1.
    coef : (C, F, d) array
        Coefficients :math:`\theta`; F is 0 or the number of Hermite polynomials of some degree.
    rho : float
        Damping radius in standard deviations of a cell.

    Raises
    ------
    BadOption
        Where F belongs to no degree, or rho is not positive.
    """

    crude: GaussianMixture
    level: NoiseLevel
    coef: FloatArray
    rho: float = 3.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "coef", frozen(self.coef))
        check_shape("coef", self.coef, self.crude.n_components, None, self.crude.dim)
        if not self.rho > 0:
            raise BadOption(f"Expected rho > 0; got {self.rho}.")
        if self.size and n_features(self.dim, self.degree) != self.size:
            raise BadOption(f"Expected the features of one degree; got {self.size} of them.")

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.crude.dim

    @property
    def size(self) -> int:
        """Features per cell, F."""
        return self.coef.shape[1]

    @property
    def degree(self) -> int:
        """Largest total degree of the deviation; -1 where there is none."""
        return degree_of(self.dim, self.size)

    @property
    def members(self) -> "tuple[PiecewiseScore]":
        """Itself: a blend has several."""
        return (self,)

    @property
    def shares(self) -> FloatArray:
        """The share of its only member, 1."""
        return np.ones(1)

    def scaled(self, factor: float) -> "PiecewiseScore":
        """Return the field whose deviation from the crude mixture is `factor` times this one's."""
        return PiecewiseScore(self.crude, self.level, factor * self.coef, self.rho)

    @cached_property
    def packed(self) -> Packed:
        """The level alone, as the kernels read it."""
        return pack([self])

    def denoise(self, x: ArrayLike) -> FloatArray:
        """Return the learned E[x_0 | x_t = x], shape (n, d)."""
        return denoise_batch(self.packed, as_points("x", x, self.dim) / self.level.sigma)

    def score(self, x: ArrayLike) -> FloatArray:
        """Return the learned score at x_t = x, shape (n, d)."""
        points = as_points("x", x, self.dim)
        return (self.level.alpha * self.denoise(points) - points) / self.level.sigma**2

    def jacobian(self, x: ArrayLike) -> FloatArray:
        """Return the derivative of the score at x, shape (n, d, d); index 2 differentiates."""
        alpha, sigma = self.level.alpha, self.level.sigma
        _, slope = jacobian_batch(self.packed, as_points("x", x, self.dim) / sigma)
        return (alpha / sigma * slope - np.eye(self.dim)) / sigma**2
