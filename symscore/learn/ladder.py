"""The ladder: one learned score per noise level, from noise to data."""

from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption
from symscore.learn.blend import SoftScore
from symscore.learn.diffusion import reverse_diffusion
from symscore.learn.frame import Whitening
from symscore.schedule import NoiseLevel, Schedule


@final
@dataclass(frozen=True, eq=False)
class ScoreLadder:
    """Learned scores at every level of a schedule, in whitened coordinates.

    Parameters
    ----------
    frame : Whitening
        From whitened coordinates, in which the fields live, to those of the data.
    schedule : Schedule
        The levels; fields are ordered as its ``field_kappas``.
    fields : tuple of PiecewiseScore or BlendedScore
        ``2 * schedule.n_steps`` of them, from noise to data.
    names : tuple of str
        Names of the d columns.
    """

    frame: Whitening
    schedule: Schedule
    fields: tuple[SoftScore, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        object.__setattr__(self, "names", tuple(self.names))
        if len(self.fields) != 2 * self.schedule.n_steps:
            raise BadData(
                f"Expected {2 * self.schedule.n_steps} fields, two a step; got {len(self.fields)}."
            )
        kappas = [field.level.kappa for field in self.fields]
        if not np.allclose(kappas, self.schedule.field_kappas, rtol=1e-12, atol=0):
            raise BadData("Expected the fields' levels to be those of the schedule, in order.")
        if not all(field.dim == self.frame.dim == len(self.names) for field in self.fields):
            raise BadData(f"Expected fields and names of dimension {self.frame.dim}.")

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.frame.dim

    @property
    def levels(self) -> tuple[NoiseLevel, ...]:
        """The noise level of every field, from noise to data."""
        return tuple(field.level for field in self.fields)

    def at(self, i: int) -> SoftScore:
        """Return the field of level i; it acts on whitened coordinates (``frame``)."""
        return self.fields[i]

    def draw(self, n: int, *, rng: np.random.Generator, method: str = "ddpm") -> FloatArray:
        """Draw n points (n, d) by the papers' reverse diffusion, in the coordinates of the data.

        ``method="ddpm"`` is the exponential integrator of Algorithm 1 of arXiv 2404.18893 with
        the corrected factor exp(gamma); its law differs from :class:`ScoreFlow`'s, and it has no
        density.
        """
        if method != "ddpm":
            raise BadOption(
                f"Expected method 'ddpm'; got {method!r}. ScoreFlow.draw is the flow's."
            )
        return self.frame.unwhiten(reverse_diffusion(self.fields, self.schedule.end, n, rng=rng))
