"""Step A9: of several candidates the one with the least denoising loss on fresh rows."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray
from symscore.learn.general_mixture.field import GatedScore
from symscore.schedule import NoiseLevel


class LevelDenoiser(Protocol):
    """What the loss needs of a score: a :class:`GatedScore`, or a noised mixture."""

    @property
    def level(self) -> NoiseLevel:
        """Its noise level."""

    def denoise(self, x: ArrayLike) -> FloatArray:
        """Return E[x_0 | x_t = x], shape (n, d)."""


def denoising_loss(
    denoiser: LevelDenoiser, x: FloatArray, weights: FloatArray, noises: Sequence[FloatArray]
) -> float:
    r"""Return the denoising loss of a score, a mean over rows.

    .. math::

        \sum_n v_n \frac{1}{2 m} \sum_{z, \pm} \Big| \hat s(\alpha x_n \pm \sigma z)
            \pm \frac{z}{\sigma} \Big|^2
            = \frac{\alpha^2}{\sigma^4} \sum_n v_n \frac{1}{2 m} \sum_{z, \pm} |\hat x_0 - x_n|^2 .

    It exceeds that of the exact score by the squared error of the score, on average over rows and
    noises: (7) of arXiv 2404.18893.

    Parameters
    ----------
    denoiser : LevelDenoiser
    x : (n, d) array
        Clean rows that it has not seen.
    weights : (n,) array
        Positive, summing to one.
    noises : sequence of (n, d) array
    """
    return float(
        _losses(lambda y: denoiser.denoise(y)[None], denoiser.level, x, weights, noises)[0]
    )


def denoising_losses(
    blank: GatedScore,
    coefs: FloatArray,
    x: FloatArray,
    weights: FloatArray,
    noises: Sequence[FloatArray],
) -> FloatArray:
    """Return :func:`denoising_loss` (m,) of one layout of cells with each of `coefs` (m, C, F, d).

    Cells, gates and features are found once for all of them.
    """
    return _losses(lambda y: blank.denoise_each(y, coefs), blank.level, x, weights, noises)


def least(losses: Sequence[float]) -> int:
    """Return the position of the least loss, the first of equals; not-a-number never wins."""
    return int(np.nanargmin(np.asarray(losses)))


def _losses(
    denoise: Callable[[FloatArray], FloatArray],
    level: NoiseLevel,
    x: FloatArray,
    weights: FloatArray,
    noises: Sequence[FloatArray],
) -> FloatArray:
    total: FloatArray | float = 0.0
    for shift in (sign * z for z in noises for sign in (level.sigma, -level.sigma)):
        square = ((denoise(level.alpha * x + shift) - x) ** 2).sum(axis=2)
        total = total + np.einsum("n,mn->m", weights, square)
    return np.asarray(total * (level.alpha / level.sigma**2) ** 2 / (2 * len(noises)))
