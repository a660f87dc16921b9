"""Rows with noise on them, as the objective of one level reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.select import Sample
from symscore.schedule import NoiseLevel


class Noise(Enum):
    """How the gradient treats the noise of a level."""

    SAMPLED = "sampled"  # the regression on the noise that was drawn, as in the paper
    STEIN = "Stein"  # noised rows, but no look at the noise in them
    INTEGRATED = "integrated"  # no draws: its expectation by quadrature (two components only)


@final
@dataclass(frozen=True, eq=False)
class Noised:
    """Rows :math:`x_t = alpha x_0 + sigma z` of one level, both signs of every noise.

    Attributes
    ----------
    x, z : (m, d) array
    weights : (m,) array
        Summing to one.
    level : NoiseLevel
    """

    x: FloatArray
    z: FloatArray
    weights: FloatArray
    level: NoiseLevel


def noised(sample: Sample, level: NoiseLevel, noises: Sequence[FloatArray]) -> Noised:
    """Return the rows of a sample with both signs of every noise z (n, d)."""
    z = np.concatenate([sign * noise for noise in noises for sign in (1, -1)])
    copies = 2 * len(noises)
    x = level.alpha * np.tile(sample.x, (copies, 1)) + level.sigma * z
    share = sample.weights / (copies * sample.weights.sum())
    return Noised(x, z, np.tile(share, copies), level)
