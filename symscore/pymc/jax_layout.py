"""The two vectors of a flow as arrays of one shape for all levels, for JAX to scan over.

The layout is read once, in Python, when a graph is converted: it only says where things are, and
shapes must be known then. The numbers may be known or not, so that what is kept of a layout are
positions in them. Cells of all members of a level stand in one row; rows are filled up to the
longest with cells of no weight.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np

from symscore.arrays import IntArray
from symscore.learn.packed import (
    BLOCKS,
    CHART,
    DIM,
    HERMITE,
    KAPPA,
    LEVELS,
    LOC,
    MEMBERS,
    N_STEPS,
    PER_BLOCK,
    PER_LEVEL,
    PER_MEMBER,
    SHARES,
    TRIL,
)


class Fields(NamedTuple):
    """The fields of all steps, two for each; M members and T cells at most, F features.

    Attributes
    ----------
    share : (N, 2, M) array
    member : (N, 2, M, T) array
        1 where a cell is a member's, else 0.
    log_weight, shrink : (N, 2, T) array
        log v - log det L, -inf for a cell that only fills up, and 1 / rho^2.
    centre, mean : (N, 2, T, d) array
    whiten, gain : (N, 2, T, d, d) array
    coef : (N, 2, T, F, d) array
    """

    share: Any
    member: Any
    log_weight: Any
    shrink: Any
    centre: Any
    mean: Any
    whiten: Any
    gain: Any
    coef: Any


class Block(NamedTuple):
    """A block of a chart: its kind, its columns of x and coordinates of v, and its numbers."""

    kind: int
    columns: slice
    coordinates: slice
    lower: Any
    upper: Any
    cut: Any


class Numbers(NamedTuple):
    """All numbers of a flow: step rule, nodes (N + 1,), frame, fields and chart."""

    a: Any
    w: Any
    kappas: Any
    loc: Any
    tril: Any
    fields: Fields
    blocks: tuple[Block, ...]


@final
@dataclass(frozen=True, eq=False)
class Structure:
    """Where the numbers of a flow are.

    Parameters
    ----------
    layout : (m,) array
        As :mod:`symscore.learn.packed` writes it, of a flow.
    """

    layout: IntArray

    @property
    def dim(self) -> int:
        """Dimension d of z."""
        return int(self.layout[DIM])

    @cached_property
    def powers(self) -> IntArray:
        """Multi-indices (F, d) of the Hermite polynomials in use."""
        first, count = self.layout[HERMITE], self._cells.size.max(initial=0)
        down = self.layout[first : first + count * (self.dim + 1)].reshape(count, self.dim + 1)
        powers = np.zeros((count, self.dim), dtype=np.int64)
        for j, k in np.argwhere(down[:, 1:] >= 0):
            powers[j, k] = powers[down[j, 1 + k], k] + 1
        return powers

    def read(self, numbers: Any) -> Numbers:
        """Return the numbers, a NumPy or JAX vector, in the shapes of :class:`Fields`."""
        d, n_steps = self.dim, int(self.layout[N_STEPS])
        loc, tril = int(self.layout[LOC]), int(self.layout[TRIL])
        return Numbers(
            a=numbers[0],
            w=numbers[1],
            kappas=numbers[KAPPA : KAPPA + n_steps + 1],
            loc=numbers[loc : loc + d],
            tril=numbers[tril : tril + d * d].reshape(d, d),
            fields=self._read_fields(numbers),
            blocks=self._read_blocks(numbers),
        )

    def _read_blocks(self, numbers: Any) -> tuple[Block, ...]:
        first, count = self.layout[CHART], self.layout[BLOCKS]
        table = self.layout[first : first + PER_BLOCK * count].reshape(count, PER_BLOCK)
        return tuple(
            Block(
                kind,
                slice(column, column + width),
                slice(coordinate, coordinate + n),
                *(numbers[at + k] for k in range(3)),
            )
            for kind, column, width, coordinate, n, at in table.tolist()
        )

    def _read_fields(self, numbers: Any) -> Fields:
        d, table = self.dim, self._cells
        record, owner, size = table.record[..., None], table.owner, table.size
        members = np.arange(table.share.shape[1])[:, None]
        vector = record + np.arange(d)
        matrix = vector[..., None, :] + d * np.arange(d)[:, None]
        feature = np.arange(len(self.powers))
        filled = (feature < size[..., None])[..., None]
        coef = vector[..., None, :] + 2 + 2 * d + 2 * d * d + d * feature[:, None]
        fields = Fields(
            share=numbers[np.maximum(table.share, 0)] * (table.share >= 0),
            member=(members == owner[:, None, :]).astype(np.float64),
            log_weight=numbers[table.record] + np.where(table.used, 0.0, -np.inf),
            shrink=numbers[table.record + 1],
            centre=numbers[vector + 2],
            mean=numbers[vector + 2 + d],
            whiten=numbers[matrix + 2 + 2 * d],
            gain=numbers[matrix + 2 + 2 * d + d * d],
            coef=numbers[np.where(filled, coef, 0)] * filled,
        )
        n_steps = int(self.layout[N_STEPS])
        return Fields(*(part.reshape(n_steps, 2, *part.shape[1:]) for part in fields))

    @cached_property
    def _cells(self) -> "_Cells":
        """Where the shares and the cells of every level are; cells that fill up are copies."""
        d, n_levels = self.dim, 2 * int(self.layout[N_STEPS])
        if n_levels == 0:
            nothing = np.zeros((0, 1), dtype=np.int64)
            return _Cells(nothing, nothing, nothing, nothing, nothing)
        ends = self.layout[LEVELS : LEVELS + PER_LEVEL * n_levels].reshape(-1, PER_LEVEL)
        first, count = self.layout[MEMBERS], ends[-1, 1]
        table = self.layout[first : first + PER_MEMBER * count].reshape(count, PER_MEMBER)
        widths = [table[begin:end, 1].sum() for begin, end in ends]
        used = np.zeros((n_levels, max(widths)), dtype=bool)
        share = np.full((n_levels, np.diff(ends).max()), -1)
        record = np.empty((n_levels, max(widths)), dtype=np.int64)
        owner, size = np.zeros_like(record), np.zeros_like(record)
        for level, (begin, end) in enumerate(ends):
            offset, cells, features = table[begin:end].T
            own = np.repeat(np.arange(end - begin), cells)
            number = np.concatenate([np.arange(n) for n in cells])
            used[level, : widths[level]] = True
            share[level, : end - begin] = self.layout[SHARES] + np.arange(begin, end)
            record[level] = offset[0]
            record[level, used[level]] = offset[own] + _stride(d, features[own]) * number
            owner[level, used[level]], size[level, used[level]] = own, features[own]
        return _Cells(share, record, owner, size, used)


def _stride(dim: int, features: IntArray) -> IntArray:
    """Length of a record."""
    return 2 + 2 * dim + 2 * dim * dim + features * dim


class _Cells(NamedTuple):
    """Positions (L, M) of shares, -1: none; of records (L, T), their member and features.

    Cells that are not `used` are copies of the level's first.
    """

    share: IntArray
    record: IntArray
    owner: IntArray
    size: IntArray
    used: IntArray
