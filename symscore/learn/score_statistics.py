"""The sums of a whole ladder over streams of rows: they merge, subtract, and solve at any time.

Rows are summed in blocks of fixed size, counted from the beginning of their stream, and rows after
the last whole block are kept as they are: sums cannot tell in which chunks the rows came.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from symscore.arrays import FloatArray, as_points, check_shape
from symscore.errors import BadData
from symscore.learn.blend import SoftScore, blended
from symscore.learn.ladder import ScoreLadder
from symscore.learn.ladder_design import LadderDesign
from symscore.learn.statistics import LevelStatistics
from symscore.learn.stream import BLOCK, Stream, Tail, block_sums


@final
@dataclass(frozen=True, eq=False)
class ScoreStatistics:
    r"""Sums of the denoising regression of every member of a frozen design.

    For a member at level t, over rows :math:`x_0` with weights v, each noised by the pairs
    :math:`\pm z` of that level, with features :math:`\phi` and residuals
    :math:`r = x_0 - D_{crude}(\kappa x_0 + z)`, they are

    .. math::

        A_t = \sum v \phi \phi^T, \qquad B_t = \sum v \phi r^T

    and the member's coefficients solve

    .. math::

        \Big( A_t + \text{ridge} \, \frac{W_0}{\sum v} \operatorname{diag} A_t \Big) \theta = B_t

    where :math:`W_0` is the weight of the rows on which the ridge was chosen: a ridge fades as rows
    come in.

    A value is of one stream, and rows can be :meth:`added` to it, or it is merged from several
    with ``+``. Make one with :meth:`empty`. Merging is commutative, exactly, and associative up to
    rounding; taking away with ``-`` what was merged leaves the rest up to rounding. How the rows
    of a stream are cut into chunks changes nothing, to the last bit.

    Parameters
    ----------
    design : LadderDesign
        Frame, schedule, cells, shares, degrees and ridges, which the rows do not change.
    seed : int
        Key of the regression noise, from 0 to 2**64 - 1.
    sums : tuple of LevelStatistics
        One a member, level after level.
    streams : tuple of Stream
        What has been summed, ascending in their numbers.
    tail : Tail or None
        Rows of the one stream that do not fill a block yet, in the coordinates of the data; None
        in a merged value.

    Examples
    --------
    >>> from symscore import ScoreDensity, ScoreStatistics
    >>> from symscore.recipes import Auto
    >>> x = np.random.default_rng(0).normal(size=(300, 1))
    >>> pilot = ScoreDensity(Auto(em=(1,), kmeans=()), random_state=0).partial_fit(x[:100])
    >>> design = pilot.statistics_.design
    >>> parts = [
    ...     ScoreStatistics.empty(design, seed=0, stream=k).added(x[100 * k : 100 * k + 100])
    ...     for k in range(3)
    ... ]
    >>> whole = parts[0] + parts[1] + parts[2]
    >>> whole.n_rows, (whole - parts[1]).n_rows, whole.ladder().dim
    (300, 200, 1)
    """

    design: LadderDesign
    seed: int
    sums: tuple[LevelStatistics, ...]
    streams: tuple[Stream, ...]
    tail: Tail | None = None

    def __post_init__(self) -> None:
        if len(self.sums) != len(self.design.members):
            raise BadData(f"Expected {len(self.design.members)} sums; got {len(self.sums)}.")
        if self.tail is not None:
            check_shape("rows", self.tail.rows, None, self.design.dim)
            if len(self.streams) != 1 or self.streams[0].n_rows % BLOCK:
                raise BadData(f"Expected one stream, summed in whole blocks of {BLOCK} rows.")

    @classmethod
    def empty(cls, design: LadderDesign, *, seed: int, stream: int = 0) -> "ScoreStatistics":
        """Return the sums over no rows, to which those of one stream can be added.

        Raises
        ------
        BadOption
            On a seed or stream number out of range.
        ResourceLimit
            Where a level's Gram matrix would be too large.
        """
        start, nothing = Stream(stream), Tail(np.empty((0, design.dim)), np.empty(0))
        return cls(design, seed, block_sums(design, seed, start, nothing), (start,), nothing)

    @property
    def n_rows(self) -> int:
        """Number of rows, those of weight zero included."""
        return sum(stream.n_rows for stream in self._closed_streams)

    @property
    def weight(self) -> float:
        """Sum of the weights of all rows."""
        return sum((stream.weight for stream in self._closed_streams), start=0.0)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the design and the seed; only equal ones can be merged."""
        digest = hashlib.sha256()
        for name, content in self._parts:
            digest.update(f"{name}:{len(content)}:".encode() + content)
        return digest.hexdigest()

    def added(self, x: ArrayLike, weights: ArrayLike | None = None) -> "ScoreStatistics":
        """Return the sums with the next rows x (n, d) of the stream, in the data's coordinates.

        Parameters
        ----------
        x : (n, d) array
        weights : (n,) array, optional
            Non-negative; 1 by default.

        Raises
        ------
        BadData
            On cells or weights that are not finite or of a wrong shape, and on a merged value,
            whose rows have no next position.
        """
        if self.tail is None:
            raise BadData(
                "Expected sums of one stream, to add rows to; these are merged: add the rows to "
                "ScoreStatistics.empty(...) with a stream number of their own, and merge that."
            )
        points = as_points("x", x, self.design.dim)
        *whole, rest = self.tail.then(points, _checked_weights(weights, len(points)))
        sums, stream = self.sums, self.streams[0]
        for block in whole:
            sums = self._with_block(sums, stream, block)
            stream = stream.then(block)
        return ScoreStatistics(self.design, self.seed, sums, (stream,), rest)

    def closed(self) -> "ScoreStatistics":
        """Return the sums over all rows, those of an unfinished block included, as merged ones."""
        if self.tail is None:
            return self
        sums = self.sums
        if len(self.tail.rows):
            sums = self._with_block(sums, self.streams[0], self.tail)
        return ScoreStatistics(self.design, self.seed, sums, self._closed_streams)

    def __add__(self, other: "ScoreStatistics") -> "ScoreStatistics":
        """Merge the sums of different streams."""
        self._check_alike(other)
        left, right = self.closed(), other.closed()
        streams = sorted((*left.streams, *right.streams), key=lambda stream: stream.number)
        numbers = [stream.number for stream in streams]
        twice = [a for a, b in pairwise(numbers) if a == b]
        if twice:
            raise BadData(
                f"Expected rows of different streams; stream {twice[0]} is in both: number the "
                "streams apart in ScoreStatistics.empty(..., stream=...)."
            )
        sums = tuple(
            a + replace(b, crude=a.crude) for a, b in zip(left.sums, right.sums, strict=True)
        )
        return ScoreStatistics(self.design, self.seed, sums, tuple(streams))

    def __sub__(self, other: "ScoreStatistics") -> "ScoreStatistics":
        """Take away streams that were merged before."""
        self._check_alike(other)
        left, right = self.closed(), other.closed()
        strange = [stream for stream in right.streams if stream not in left.streams]
        if strange:
            raise BadData(
                f"Expected to take away what was merged; stream {strange[0].number} with these "
                f"{strange[0].n_rows} rows of weight {strange[0].weight:.6g} was not: only whole "
                "streams, as they were merged, can be taken away."
            )
        streams = tuple(stream for stream in left.streams if stream not in right.streams)
        if not streams:
            return ScoreStatistics.empty(self.design, seed=self.seed).closed()
        sums = tuple(
            a - replace(b, crude=a.crude) for a, b in zip(left.sums, right.sums, strict=True)
        )
        return ScoreStatistics(self.design, self.seed, sums, streams)

    def ladder(self) -> ScoreLadder:
        """Solve every member with its ridge, and blend those of a level.

        The steps of the ladder's flow are not checked to be bijections.

        Raises
        ------
        BadData
            Where the weight of all rows is zero.
        """
        if not self.weight > 0:
            raise BadData("Expected rows of positive weight; got none: add rows first.")
        design, sums = self.design, iter(self.closed().sums)
        fade = design.pilot_weight / self.weight
        fields: list[SoftScore] = []
        with threadpool_limits(1):
            for level in design.levels:
                members = [
                    next(sums).field(member.degree, fade * member.ridge) for member in level.members
                ]
                fields.append(blended(members, level.shares.tolist()))
        return ScoreLadder(design.frame, design.schedule, tuple(fields), design.names)

    @cached_property
    def _parts(self) -> tuple[tuple[str, bytes], ...]:
        constants = ("block size", str(BLOCK).encode()), ("seed", str(self.seed).encode())
        return (*constants, *self.design.parts())

    @cached_property
    def _closed_streams(self) -> tuple[Stream, ...]:
        """The streams that have rows, the unfinished block counted."""
        if self.tail is None:
            return self.streams
        if len(self.tail.rows):
            return (self.streams[0].then(self.tail),)
        return self.streams if self.streams[0].n_rows else ()

    def _check_alike(self, other: "ScoreStatistics") -> None:
        if self.fingerprint == other.fingerprint:
            return
        theirs = dict(other._parts)
        name = next(name for name, content in self._parts if theirs.get(name) != content)
        raise BadData(
            f"Expected statistics of one design; the two differ in the {name}: make all of them "
            "by ScoreStatistics.empty from the same design and seed."
        )

    def _with_block(
        self, sums: tuple[LevelStatistics, ...], stream: Stream, block: Tail
    ) -> tuple[LevelStatistics, ...]:
        part = block_sums(self.design, self.seed, stream, block)
        return tuple(a + b for a, b in zip(sums, part, strict=True))


def _checked_weights(weights: ArrayLike | None, n: int) -> FloatArray:
    if weights is None:
        return np.ones(n)
    values = np.asarray(weights, dtype=np.float64)
    check_shape("weights", values, n)
    if not (np.all(np.isfinite(values)) and np.all(values >= 0)):
        raise BadData("Expected weights that are finite and not negative; got others.")
    return values
