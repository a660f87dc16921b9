"""Partitions of space on whose cells the moments of Gaussians have closed forms."""

from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import Any, TypeAlias, final

from symscore.errors import BadData, ResourceLimit
from symscore.exact.arithmetic.balls import as_fmpq
from symscore.exact.arithmetic.coercion import as_row
from symscore.exact.arithmetic.rational import Row
from symscore.exact.arithmetic.spec import fields, items, read_rationals, write_rational
from symscore.exact.distances.incomplete import End

MOST_CELLS = 4096
Interval: TypeAlias = tuple[End, End]


@final
@dataclass(frozen=True, slots=True)
class Slabs:
    r"""Space cut by parallel hyperplanes: half-spaces outside, slabs between.

    .. math:: V_c = \{x : b_{c-1} < \langle n, x \rangle < b_c\}, \qquad
        b_{-1} = -\infty, \quad b_C = \infty

    On the line, with normal 1, the offsets are the knots. No offset at all is one cell, space.

    Parameters
    ----------
    normal : (d,) tuple of fmpq
        n, not zero, of any length; ints, Fractions and strings such as ``"1/3"`` are turned into
        fmpq, here and everywhere below.
    offsets : tuple of fmpq
        Strictly increasing.

    Raises
    ------
    BadData
        If the normal is zero or the offsets do not increase.

    Examples
    --------
    >>> Slabs([1, -1], [0]).n_cells
    2
    """

    normal: Row
    offsets: Row

    def __post_init__(self) -> None:
        object.__setattr__(self, "normal", as_row(self.normal, "normal"))
        object.__setattr__(self, "offsets", as_row(self.offsets, "offsets"))
        if not any(entry != 0 for entry in self.normal):
            raise BadData("Expected a normal that is not zero.")
        _check_increasing(self.offsets, "offsets")

    @property
    def dim(self) -> int:
        """Dimension d."""
        return len(self.normal)

    @property
    def n_cells(self) -> int:
        """One more than there are hyperplanes."""
        return len(self.offsets) + 1

    def intervals(self) -> tuple[Interval, ...]:
        """Return the interval of ``<n, x>`` in every cell, in increasing order."""
        return _intervals(self.offsets)


@final
@dataclass(frozen=True, slots=True)
class Grid:
    r"""Space cut into boxes by the knots of every axis, the outer boxes unbounded.

    .. math:: V_c = \prod_j (a_{j,c_j-1}, a_{j,c_j})

    Parameters
    ----------
    knots : (d,) tuple of tuples of fmpq
        Strictly increasing on every axis; an axis may have none.

    Raises
    ------
    BadData
        If there is no axis or knots do not increase.
    ResourceLimit
        If there would be over 4096 boxes.

    Examples
    --------
    >>> Grid([[0], [-1, 1]]).n_cells
    6
    """

    knots: tuple[Row, ...]

    def __post_init__(self) -> None:
        knots = tuple(as_row(axis, f"knots[{j}]") for j, axis in enumerate(self.knots))
        object.__setattr__(self, "knots", knots)
        if not knots:
            raise BadData("Expected the knots of at least one axis; got none.")
        for j, axis in enumerate(self.knots):
            _check_increasing(axis, f"knots[{j}]")
        if self.n_cells > MOST_CELLS:
            raise ResourceLimit(f"Expected at most {MOST_CELLS} boxes; got {self.n_cells}.")

    @property
    def dim(self) -> int:
        """Dimension d."""
        return len(self.knots)

    @property
    def n_cells(self) -> int:
        """Number of boxes."""
        return prod(len(axis) + 1 for axis in self.knots)

    def boxes(self) -> tuple[tuple[Interval, ...], ...]:
        """Return the intervals of every box, the last axis running fastest."""
        return tuple(product(*map(_intervals, self.knots)))


Cells: TypeAlias = Slabs | Grid


def read_cells(record: object, dim: int, where: str = "cells") -> Cells:
    """Return the partition that a JSON object names.

    It is ``{"normal": [...], "offsets": [...]}`` for slabs, ``{"knots": [[...], ...]}`` for a grid.

    Raises
    ------
    BadData
        On anything else, or one of another dimension.

    Examples
    --------
    >>> read_cells({"knots": [["0"], ["-1", "1"]]}, 2).n_cells
    6
    """
    cells: Cells
    if isinstance(record, dict) and "knots" in record:
        found = fields(record, where, ("knots",))
        cells = Grid(
            tuple(
                _read_row(axis, f"{where}.knots[{j}]")
                for j, axis in enumerate(items(found["knots"], f"{where}.knots"))
            )
        )
    else:
        found = fields(record, where, ("normal", "offsets"))
        cells = Slabs(
            _read_row(found["normal"], f"{where}.normal"),
            _read_row(found["offsets"], f"{where}.offsets"),
        )
    if cells.dim != dim:
        raise BadData(f"{where}: expected cells in {dim} dimensions; got {cells.dim}.")
    return cells


def write_cells(cells: Cells) -> dict[str, Any]:
    """Return the JSON object that :func:`read_cells` reads."""
    if isinstance(cells, Grid):
        return {"knots": [[write_rational(a) for a in axis] for axis in cells.knots]}
    return {
        "normal": [write_rational(entry) for entry in cells.normal],
        "offsets": [write_rational(offset) for offset in cells.offsets],
    }


def _read_row(values: object, where: str) -> Row:
    return tuple(map(as_fmpq, read_rationals(values, where)))


def _check_increasing(values: Row, name: str) -> None:
    if len(values) >= MOST_CELLS:
        raise ResourceLimit(f"Expected fewer than {MOST_CELLS} {name}; got {len(values)}.")
    for left, right in pairwise(values):
        if not left < right:
            raise BadData(f"Expected strictly increasing {name}; got {left} before {right}.")


def _intervals(knots: Row) -> tuple[Interval, ...]:
    return tuple(pairwise((None, *knots, None)))
