"""What a fit chooses before it sums: everything that two sums must share to be added."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption
from symscore.learn.blend import checked_shares
from symscore.learn.frame import Whitening
from symscore.learn.ladder import ScoreLadder
from symscore.mixture import GaussianMixture
from symscore.schedule import Schedule


@final
@dataclass(frozen=True, eq=False)
class MemberDesign:
    """Cells, features and ridge of one member of a level.

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
class LevelDesign:
    """The members whose scores are averaged at one level, and their shares.

    Parameters
    ----------
    members : tuple of MemberDesign
        At least one.
    shares : (M,) array
        Positive, with sum one.
    """

    members: tuple[MemberDesign, ...]
    shares: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", tuple(self.members))
        if not self.members:
            raise BadOption("Expected at least one member of a level; got none.")
        object.__setattr__(self, "shares", checked_shares(self.shares, len(self.members)))


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
    pilot_weight : float
        Sum of the weights of the rows on which ridges were chosen. Over rows of weight W a ridge
        acts as ``ridge * pilot_weight / W``, so that it fades as rows come in.
    pairs : int
        Antithetic pairs of noise a row and level.

    Raises
    ------
    BadData
        Where levels, frame and names do not belong together.
    BadOption
        Where `pairs` is below 1, or `pilot_weight` is not positive and finite.
    """

    frame: Whitening
    schedule: Schedule
    levels: tuple[LevelDesign, ...]
    names: tuple[str, ...]
    pilot_weight: float
    pairs: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        object.__setattr__(self, "names", tuple(self.names))
        if len(self.levels) != 2 * self.schedule.n_steps:
            raise BadData(
                f"Expected {2 * self.schedule.n_steps} levels, two a step; got {len(self.levels)}."
            )
        dims = {member.crude.dim for member in self.members} | {len(self.names)}
        if dims != {self.frame.dim}:
            raise BadData(f"Expected cells and names of dimension {self.frame.dim}.")
        if self.pairs < 1:
            raise BadOption(f"Expected pairs >= 1; got {self.pairs}.")
        if not 0 < self.pilot_weight < np.inf:
            raise BadOption(f"Expected a finite pilot_weight > 0; got {self.pilot_weight}.")

    @classmethod
    def of(
        cls,
        ladder: ScoreLadder,
        degrees: Sequence[Sequence[int]],
        ridges: Sequence[Sequence[float]],
        *,
        pilot_weight: float,
        pairs: int = 2,
    ) -> "LadderDesign":
        """Return the design of a learned ladder, with degree and ridge of every level's members.

        Cells, shares and damping are the ladder's. The ridge is not: a ladder does not know it, and
        a degree is lost where the deviation was shrunk to nothing.
        """
        levels = []
        for field, *chosen in zip(ladder.fields, degrees, ridges, strict=True):
            members = [
                MemberDesign(member.crude, degree, ridge, member.rho)
                for member, degree, ridge in zip(field.members, *chosen, strict=True)
            ]
            levels.append(LevelDesign(tuple(members), field.shares))
        return cls(ladder.frame, ladder.schedule, tuple(levels), ladder.names, pilot_weight, pairs)

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.frame.dim

    @property
    def members(self) -> tuple[MemberDesign, ...]:
        """The members of all levels, in order."""
        return tuple(member for level in self.levels for member in level.members)

    @property
    def member_kappas(self) -> FloatArray:
        """The signal-to-noise ratio alpha / sigma of every member."""
        counts = [len(level.members) for level in self.levels]
        return np.repeat(self.schedule.field_kappas, counts)

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and content of every part that makes two designs unlike."""
        rule = self.schedule.rule
        yield "column names", repr(self.names).encode()
        yield "frame", self.frame.loc.tobytes() + self.frame.scale_tril.tobytes()
        yield "schedule", self.schedule.kappas.tobytes() + _bytes(rule.a, rule.w)
        yield "number of noise pairs", _bytes(self.pairs)
        yield "weight of the pilot's rows", _bytes(self.pilot_weight)
        for i, level in enumerate(self.levels):
            yield f"shares of level {i}", level.shares.tobytes()
            for m, member in enumerate(level.members):
                place = f"member {m} of level {i}"
                crude = member.crude
                arrays = crude.weights, crude.means, crude.covariances
                yield f"cells of {place}", b"".join(array.tobytes() for array in arrays)
                yield f"degree of {place}", _bytes(member.degree)
                yield f"ridge of {place}", _bytes(member.ridge)
                yield f"damping radius of {place}", _bytes(member.rho)


def _bytes(*numbers: float) -> bytes:
    return np.array(numbers, dtype="<f8").tobytes()
