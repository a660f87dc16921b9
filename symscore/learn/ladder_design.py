"""What a fit chooses before it sums: everything that two sums must share to be added."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.errors import BadData, BadOption
from symscore.learn.frame import Whitening
from symscore.learn.ladder import ScoreLadder
from symscore.mixture import GaussianMixture
from symscore.schedule import Schedule


@final
@dataclass(frozen=True, eq=False)
class LevelDesign:
    """Cells, features and ridge of one level.

    Parameters
    ----------
    crude : GaussianMixture
        Of the clean data, in whitened coordinates.
    degree : int
        Largest total degree of the deviation.
    ridge : float
        Relative to the Gram diagonal; infinite for the crude mixture alone.
    rho : float
        Damping radius in standard deviations of a cell.
    """

    crude: GaussianMixture
    degree: int
    ridge: float
    rho: float

    def __post_init__(self) -> None:
        if self.degree < 0 or not (self.ridge >= 0 and 0 < self.rho < np.inf):
            raise BadOption(
                "Expected degree >= 0, ridge >= 0 and a finite rho > 0; got "
                f"{self.degree}, {self.ridge} and {self.rho}."
            )


@final
@dataclass(frozen=True, eq=False)
class LadderDesign:
    """All that is frozen while rows are added: frame, schedule, and the design of every level.

    Parameters
    ----------
    frame : Whitening
    schedule : Schedule
    levels : tuple of LevelDesign
        ``2 * schedule.n_steps`` of them, ordered as ``schedule.field_kappas``.
    names : tuple of str
        Names of the d columns.
    pairs : int
        Antithetic pairs of noise a row and level.

    Raises
    ------
    BadData
        Where levels, frame and names do not belong together.
    BadOption
        Where `pairs` is below 1.
    """

    frame: Whitening
    schedule: Schedule
    levels: tuple[LevelDesign, ...]
    names: tuple[str, ...]
    pairs: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        object.__setattr__(self, "names", tuple(self.names))
        if len(self.levels) != 2 * self.schedule.n_steps:
            raise BadData(
                f"Expected {2 * self.schedule.n_steps} levels, two a step; got {len(self.levels)}."
            )
        if not all(level.crude.dim == self.frame.dim == len(self.names) for level in self.levels):
            raise BadData(f"Expected cells and names of dimension {self.frame.dim}.")
        if self.pairs < 1:
            raise BadOption(f"Expected pairs >= 1; got {self.pairs}.")

    @classmethod
    def of(
        cls,
        ladder: ScoreLadder,
        degrees: Sequence[int],
        ridges: Sequence[float],
        *,
        pairs: int = 2,
    ) -> "LadderDesign":
        """Return the design of a learned ladder, with the degree and ridge of every level.

        Cells and damping are the ladder's. The ridge is not: a ladder does not know it, and a
        degree is lost where the deviation was shrunk to nothing.
        """
        levels = tuple(
            LevelDesign(field.crude, degree, ridge, field.rho)
            for field, degree, ridge in zip(ladder.fields, degrees, ridges, strict=True)
        )
        return cls(ladder.frame, ladder.schedule, levels, ladder.names, pairs)

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.frame.dim

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and content of every part that makes two designs unlike."""
        rule = self.schedule.rule
        yield "column names", repr(self.names).encode()
        yield "frame", self.frame.loc.tobytes() + self.frame.scale_tril.tobytes()
        yield "schedule", self.schedule.kappas.tobytes() + _bytes(rule.a, rule.w)
        yield "number of noise pairs", _bytes(self.pairs)
        for i, level in enumerate(self.levels):
            crude = level.crude
            arrays = crude.weights, crude.means, crude.covariances
            yield f"cells of level {i}", b"".join(array.tobytes() for array in arrays)
            yield f"degree of level {i}", _bytes(level.degree)
            yield f"ridge of level {i}", _bytes(level.ridge)
            yield f"damping radius of level {i}", _bytes(level.rho)


def _bytes(*numbers: float) -> bytes:
    return np.array(numbers, dtype="<f8").tobytes()
