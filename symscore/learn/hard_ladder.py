"""The ladder of a recipe with hard cells: draws by the papers' sampler, and a soft twin."""

from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadData
from symscore.learn.diffusion import LevelScore, reverse_diffusion
from symscore.learn.frame import Whitening
from symscore.learn.ladder import ScoreLadder
from symscore.schedule import NoiseLevel


@final
@dataclass(frozen=True, eq=False)
class HardLadder:
    """Scores with hard cells at falling noise levels, and their soft twin.

    The score jumps where two cells meet. Its probability flow is then no bijection and has no
    density; :meth:`soften` has one.

    Parameters
    ----------
    fields : tuple of LevelScore
        From noise to data, in whitened coordinates: :class:`~symscore.learn.hard.HardScore` or
        another score of one level.
    end : NoiseLevel
        Where the sampler stops, less noisy than the last field.
    soft : ScoreLadder
        The twin, in the same frame: same rows and cells, with Gaussian gates and damped
        polynomials. Its levels are those of the flow, and may be fewer.

    Raises
    ------
    BadData
        Where there is no field, the dimensions differ or the levels do not fall towards `end`.
    """

    fields: tuple[LevelScore, ...]
    end: NoiseLevel
    soft: ScoreLadder

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        if not self.fields or any(field.dim != self.dim for field in self.fields):
            raise BadData(f"Expected one or more fields of dimension {self.dim}, the soft twin's.")
        times = [level.t for level in self.levels] + [self.end.t]
        if not np.all(np.diff(times) < 0):
            raise BadData(f"Expected noise that falls from field to field; got times {times}.")

    @property
    def frame(self) -> Whitening:
        """The frame in which the fields live."""
        return self.soft.frame

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the d columns."""
        return self.soft.names

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.soft.dim

    @property
    def levels(self) -> tuple[NoiseLevel, ...]:
        """The noise level of every field, from noise to data."""
        return tuple(field.level for field in self.fields)

    def at(self, i: int) -> LevelScore:
        """Return the field of level i; it acts on whitened coordinates (``frame``)."""
        return self.fields[i]

    def soften(self) -> ScoreLadder:
        """Return the twin with soft cells, whose probability flow can have a density."""
        return self.soft

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n points (n, d) by the papers' reverse diffusion, in the coordinates of the data."""
        return self.frame.unwhiten(reverse_diffusion(self.fields, self.end, n, rng=rng))
