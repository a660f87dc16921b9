r"""Bijections from unconstrained coordinates to bounded, ordered, simplex and circular columns.

A chart is a row of blocks, each of which makes its columns x of its own coordinates v:

=========  =====================================================  ======================
kind       x                                                      log abs det dx/dv
=========  =====================================================  ======================
free       v                                                      0
lower      a + e^v                                                v
upper      b - e^-v                                               -v
interval   a + (b - a) s(v), with s(v) = 1 / (1 + e^-v)           log (b - a) s(v) s(-v)
circle     as interval, of (cut, cut + b - a), back to [a, b)     log (b - a) s(v) s(-v)
ordered    x_1 = v_1, x_k = x_{k-1} + e^{v_k}                     v_2 + ... + v_K
simplex    softmax(v_1, ..., v_{K-1}, -(v_1 + ... + v_{K-1}))     log K + sum of log x_i
=========  =====================================================  ======================

A density on the simplex is with respect to Lebesgue measure on its first K - 1 columns; off it, a
positive x has the coordinates of x divided by its sum. One on a circle is cut open where the data
are thinnest and knows no continuity across the cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points
from symscore.errors import BadData, BadOption
from symscore.flow.chart_kernels import (
    chart_invert_rows,
    chart_log_det_rows,
    chart_push_rows,
)
from symscore.learn.packed import (
    BLOCKS,
    CHART,
    CIRCLE,
    DIM,
    EVENT,
    FREE,
    INTERVAL,
    LEVELS,
    LOWER,
    ORDERED,
    SIMPLEX,
    UPPER,
    Packed,
)

CODES = {
    "free": FREE,
    "lower": LOWER,
    "upper": UPPER,
    "interval": INTERVAL,
    "circle": CIRCLE,
    "ordered": ORDERED,
    "simplex": SIMPLEX,
}
LARGEST = 1e300  # width of an interval; sums stay finite
SUM_TOLERANCE = 1e-6  # rows of a simplex as files and single precision leave them


@final
@dataclass(frozen=True)
class Block:
    """Columns that one bijection makes of their coordinates.

    Parameters
    ----------
    kind : str
        A name of the table above.
    names : tuple of str
        The columns: one, or at least two of an ordered or simplex block.
    lower, upper : float
        Ends of the support, infinite where it has none.
    cut : float, optional
        Where a circle is cut open, in [lower, upper).
    """

    kind: str
    names: tuple[str, ...]
    lower: float = -np.inf
    upper: float = np.inf
    cut: float | None = None  # not NaN, which would make a block unlike itself

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        for name in ("lower", "upper"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.cut is not None:
            object.__setattr__(self, "cut", float(self.cut))
        if self.kind not in CODES:
            raise BadOption(f"Expected a kind among {', '.join(CODES)}; got {self.kind!r}.")
        least, most = (2, np.inf) if self.kind in ("ordered", "simplex") else (1, 1)
        if not least <= len(self.names) <= most:
            raise BadOption(
                f"Expected {'two columns or more' if least == 2 else 'one column'} for a block of "
                f"kind {self.kind!r}; got {', '.join(self.names) or 'none'}."
            )
        finite = {"lower": (True, False), "upper": (False, True)}.get(self.kind)
        both = self.kind in ("interval", "circle")
        if (np.isfinite(self.lower), np.isfinite(self.upper)) != (finite or (both, both)):
            raise BadOption(f"Got bounds {self.lower}, {self.upper}, unfit for {self.kind!r}.")
        if both and not np.nextafter(self.lower, np.inf) < self.upper:
            raise BadOption(
                f"Expected lower < upper for {self.names[0]!r}, with numbers between them; got "
                f"{self.lower}, {self.upper}."
            )
        if both and not self.upper - self.lower <= LARGEST:
            raise BadOption(
                f"Expected bounds less than {LARGEST:g} apart for {self.names[0]!r}; got "
                f"{self.lower}, {self.upper}. Leave that side open: None."
            )
        if self.kind == "circle" and (self.cut is None or not self.lower <= self.cut < self.upper):
            raise BadOption(f"Expected a cut in [{self.lower}, {self.upper}); got {self.cut}.")

    @property
    def n_coordinates(self) -> int:
        """Coordinates of the block, one fewer than columns on a simplex."""
        return len(self.names) - (self.kind == "simplex")


@final
@dataclass(frozen=True)
class Chart:
    """The bijection x = chart(v) of D columns from d coordinates.

    Parameters
    ----------
    blocks : sequence of Block
        In the order of the columns; none at all stands for the identity on any columns.

    Examples
    --------
    >>> chart = Chart([Block("lower", ("rate",), lower=0.0), Block("simplex", ("p", "q"))])
    >>> chart.from_free([[0.0, 0.0]])
    array([[1. , 0.5, 0.5]])
    >>> chart.to_free([[1.0, 0.5, 0.5]])
    array([[0., 0.]])
    """

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))

    @classmethod
    def free(cls, names: Sequence[str]) -> "Chart":
        """Return the identity on columns of these names."""
        return cls(tuple(Block("free", (name,)) for name in names))

    @property
    def is_free(self) -> bool:
        """Whether x is v."""
        return all(block.kind == "free" for block in self.blocks)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the D columns."""
        return tuple(name for block in self.blocks for name in block.names)

    @property
    def free_names(self) -> tuple[str, ...]:
        """Names of the d coordinates: those of the columns, without the last one of a simplex."""
        return tuple(n for block in self.blocks for n in block.names[: block.n_coordinates])

    def from_free(self, v: ArrayLike) -> FloatArray:
        """Return x (n, D) for v (n, d)."""
        points = as_points("v", v, len(self.free_names))
        x = np.empty((len(points), len(self.names)))
        chart_push_rows(*self._packed, points, x)
        return x

    def to_free(self, x: ArrayLike) -> FloatArray:
        """Return v (n, d) for x (n, D).

        Raises
        ------
        BadData
            Naming the first row and column outside the support.
        """
        points = as_points("x", x, len(self.names))
        self.require_support(points)
        v = np.empty((len(points), len(self.free_names)))
        chart_invert_rows(*self._packed, points, v)
        return v

    def log_det(self, v: ArrayLike) -> FloatArray:
        """Return ``log |det dx/dv|`` at v (n, d), shape (n,)."""
        points = as_points("v", v, len(self.free_names))
        out = np.empty(len(points))
        chart_log_det_rows(*self._packed, points, out)
        return out

    def require_support(self, x: FloatArray) -> None:
        """Raise BadData, naming the first row and column of x (n, D) outside the support."""
        first = 0
        for block in self.blocks:
            columns = x[:, first : first + len(block.names)]
            first += len(block.names)
            outside = ~_inside(block, columns)
            if outside.any():
                row = int(np.flatnonzero(outside)[0])
                raise BadData(
                    f"Expected {_support(block)}; got {_shown(columns[row])} in row {row}, and "
                    f"{int(outside.sum())} such row(s) in all. Correct them, or the bounds."
                )

    def attached(self, packed: Packed) -> Packed:
        """Return the vectors of a flow with this chart at their ends.

        In ``layout``, one row a block: kind, first column, columns, first coordinate, coordinates,
        and the position in ``numbers`` of lower, upper and cut.
        """
        if self.is_free:
            return packed
        layout, at = packed.layout.copy(), packed.numbers.size
        layout[[EVENT, CHART, BLOCKS]] = len(self.names), layout.size, len(self.blocks)
        rows: list[list[int]] = []
        figures: list[float] = []
        column = coordinate = 0
        for block in self.blocks:
            width, n = len(block.names), block.n_coordinates
            offset = at + len(figures)
            rows.append([CODES[block.kind], column, width, coordinate, n, offset])
            figures += [block.lower, block.upper, block.cut or 0.0]
            column, coordinate = column + width, coordinate + n
        table = np.ravel(rows).astype(np.int64)
        numbers = np.append(packed.numbers, np.nan_to_num(figures, posinf=0.0, neginf=0.0))
        return Packed(numbers, np.append(layout, table))

    @cached_property
    def _packed(self) -> Packed:
        """The chart alone, as its kernels take it."""
        header = np.zeros(LEVELS, dtype=np.int64)
        header[[DIM, EVENT]] = len(self.free_names), len(self.names)
        return self.attached(Packed(np.empty(0), header))


IDENTITY = Chart(())


def _inside(block: Block, columns: FloatArray) -> np.ndarray:
    """Return which rows of a block's columns lie in its support."""
    if block.kind == "ordered":
        return np.all(np.diff(columns, axis=1) > 0, axis=1)
    if block.kind == "simplex":
        whole = np.abs(columns.sum(axis=1) - 1) <= SUM_TOLERANCE
        return np.logical_and(whole, np.all(columns > 0, axis=1))
    value = columns[:, 0]
    if block.kind == "circle":
        return np.logical_and(value >= block.lower, value <= block.upper)
    return np.logical_and(value > block.lower, value < block.upper)


def _support(block: Block) -> str:
    if block.kind == "ordered":
        return f"{', '.join(block.names)} in ascending order"
    if block.kind == "simplex":
        return f"positive {', '.join(block.names)} that sum to one"
    bracket = "[]" if block.kind == "circle" else "()"
    return f"{block.names[0]!r} in {bracket[0]}{block.lower:g}, {block.upper:g}{bracket[1]}"


def _shown(values: FloatArray) -> str:
    return f"{values[0]:g}" if len(values) == 1 else str(values.tolist())
