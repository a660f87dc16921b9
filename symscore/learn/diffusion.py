"""The papers' sampler: the reverse diffusion, from noise to data."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray
from symscore.schedule import NoiseLevel


class LevelScore(Protocol):
    """What drawing needs of a learned score of one level."""

    @property
    def level(self) -> NoiseLevel:
        """Its noise level."""

    @property
    def dim(self) -> int:
        """Dimension d."""

    def score(self, x: ArrayLike) -> FloatArray:
        """Return the score at x_t = x, both (n, d)."""


def reverse_diffusion(
    fields: Sequence[LevelScore], end: NoiseLevel, n: int, *, rng: np.random.Generator
) -> FloatArray:
    r"""Draw n points by the exponential integrator of the reverse Ornstein-Uhlenbeck process.

    Between the levels of times t > t', with :math:`\rho = e^{t - t'}`,

    .. math:: x \leftarrow \rho x + 2 (\rho - 1) s_t(x) + \sqrt{\rho^2 - 1} \, z

    which solves :math:`dx = (x + 2 s) d\tau + \sqrt 2 \, dW` exactly for a constant score s.
    Algorithm 1 of arXiv 2404.18893 prints :math:`\rho = e^{(t - t')/2}`; that factor does not
    match its process (on N(2, 1/4) it ends at mean 1.57) and is corrected here.

    Parameters
    ----------
    fields : sequence of PiecewiseScore or HardScore
        From noise to data.
    end : NoiseLevel
        Level at which to stop, less noisy than the last field; the result is divided by its alpha.
    n : int
        Number of draws.

    Returns
    -------
    (n, d) array
        In the fields' coordinates.
    """
    levels = [field.level for field in fields] + [end]
    x = rng.standard_normal((n, fields[0].dim))
    for field, level, following in zip(fields, levels[:-1], levels[1:], strict=True):
        log_rho = level.t - following.t
        growth = np.expm1(log_rho)
        x = (1 + growth) * x + 2 * growth * field.score(x)
        x += np.sqrt(np.expm1(2 * log_rho)) * rng.standard_normal(x.shape)
    return x / end.alpha
