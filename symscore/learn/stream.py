"""One block of a stream of rows: its noise, which its position fixes, and its sums."""

import hashlib
from dataclasses import dataclass
from typing import final

import numpy as np
from threadpoolctl import threadpool_limits

from symscore.arrays import FloatArray, check_shape, frozen
from symscore.errors import BadOption
from symscore.learn.ladder_design import LadderDesign
from symscore.learn.statistics import LevelStatistics, accumulate

BLOCK = 8192  # rows


def stream_noise(
    seed: int, level: int, stream: int, block: int, pair: int, shape: tuple[int, int]
) -> FloatArray:
    """Return the standard normal z (n, d), n <= BLOCK, of one block of a stream.

    The generator is counter-based: every argument but the shape is part of its key or counter, and
    a shorter array is the beginning of a longer one.
    """
    if not 0 <= seed < 2**64:
        raise BadOption(f"Expected a seed from 0 to 2**64 - 1; got {seed}.")
    key = np.array([seed, level], dtype=np.uint64)
    counter = np.array([0, block, stream, pair], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter)).standard_normal(shape)


@final
@dataclass(frozen=True)
class Stream:
    """One stream of rows, as far as it has been summed.

    Attributes
    ----------
    number : int
        Part of the key of its noise, so that rows of two streams never share noise.
    n_rows : int
    weight : float
        Sum of the rows' weights.
    digest : str
        SHA-256 of rows and weights, chained block by block.
    """

    number: int
    n_rows: int = 0
    weight: float = 0.0
    digest: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.number < 2**63:
            raise BadOption(f"Expected a stream number from 0 to 2**63 - 1; got {self.number}.")

    def then(self, block: "Tail") -> "Stream":
        """Return the stream after one more block."""
        content = self.digest.encode() + block.rows.tobytes() + block.weights.tobytes()
        return Stream(
            self.number,
            self.n_rows + len(block.rows),
            self.weight + float(block.weights.sum()),
            hashlib.sha256(content).hexdigest(),
        )


@final
@dataclass(frozen=True, eq=False)
class Tail:
    """Rows (n, d) of a stream that do not fill a block yet, and their weights (n,)."""

    rows: FloatArray
    weights: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", frozen(self.rows))
        object.__setattr__(self, "weights", frozen(self.weights))
        check_shape("rows", self.rows, None, None)
        check_shape("weights", self.weights, len(self.rows))

    def then(self, x: FloatArray, weights: FloatArray) -> tuple["Tail", ...]:
        """Return whole blocks, and as the last element the rows left, with x (n, d) appended."""
        rows = np.concatenate([self.rows, x])
        share = np.concatenate([self.weights, weights])
        starts = range(0, len(rows) + 1, BLOCK)
        return tuple(Tail(rows[s : s + BLOCK], share[s : s + BLOCK]) for s in starts)


def block_sums(
    design: LadderDesign, seed: int, stream: Stream, block: Tail
) -> tuple[LevelStatistics, ...]:
    """Sum one block, the next of a stream of whole blocks, for every member of a design.

    Members of one level share its noise.
    """
    position, found = stream.n_rows // BLOCK, []
    # Sums of BLAS depend on the number of its threads.
    with threadpool_limits(1):
        white = design.frame.whiten(block.rows)
        kappas = design.schedule.field_kappas.tolist()
        for i, (level, kappa) in enumerate(zip(design.levels, kappas, strict=True)):
            noises = [
                stream_noise(seed, i, stream.number, position, pair, white.shape)
                for pair in range(design.pairs)
            ]
            found += [
                accumulate(
                    *(member.crude, kappa, white, block.weights, noises),
                    degree=member.degree,
                    rho=member.rho,
                )
                for member in level.members
            ]
    return tuple(found)
