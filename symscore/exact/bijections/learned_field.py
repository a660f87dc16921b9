r"""Learned denoisers with rational parameters, in any dimension.

At signal-to-noise ratio kappa, in the coordinate :math:`y = \kappa x_0 + z`,

.. math::

    D(y) = \sum_b \beta_b \sum_{c \in b} r_{b,c}(y) \bigl( o_c(y)
        + e^{-\lambda_b |u_c|^2 / 2} \, T_c(u_c) \bigr), \qquad
    u_c = W_c (y - \kappa m_c), \quad V_c = (W_c^T W_c)^{-1},

with the gates :math:`r_{b,c} \propto w_c \det W_c \, e^{-|u_c|^2 / 2}` of block b and

.. math:: o_c(y) = m_c + \kappa^{-1} (I - V_c^{-1}) (y - \kappa m_c)
    = \kappa^{-1} \bigl( y - V_c^{-1} (y - \kappa m_c) \bigr) .

Where :math:`V_c \ge I`, the part without T is the exact denoiser of the Gaussian mixture whose
components have means m_c and covariances :math:`\kappa^{-2} (V_c - I)`.
"""

from dataclasses import dataclass
from typing import Any, final

from flint import fmpq, fmpq_mat

from symscore.errors import BadData, ResourceLimit
from symscore.exact.arithmetic.balls import as_fmpq
from symscore.exact.arithmetic.polynomial import PolynomialField, read_field, write_field
from symscore.exact.arithmetic.rational import Row, column, entries
from symscore.exact.arithmetic.spec import (
    fields,
    items,
    read_count,
    read_rational,
    read_rationals,
    write_rational,
)

MOST_DIMENSIONS = 16
MOST_CELLS = 4096


@final
@dataclass(frozen=True, slots=True)
class LearnedCell:
    r"""One gate, the Gaussian behind it and the deviation that it lets through.

    Parameters
    ----------
    weight : fmpq
        w, positive; those of a block need not sum to one.
    mean : (d,) tuple of fmpq
        m, of the clean data.
    whiten : (d, d) nested tuples of fmpq
        W, invertible.
    deviation : (d,) tuple of polynomials
        T, in the coordinate u.

    Raises
    ------
    BadData
        On a weight that is not positive, parts that do not fit, or a singular W.
    """

    weight: fmpq
    mean: Row
    whiten: tuple[Row, ...]
    deviation: PolynomialField

    def __post_init__(self) -> None:
        d = len(self.mean)
        square = len(self.whiten) == d and all(len(row) == d for row in self.whiten)
        powers = {len(a) for polynomial in self.deviation for a in polynomial}
        if not (self.weight > 0 and square and len(self.deviation) == d and powers <= {d}):
            raise BadData(
                f"Expected a positive weight and parts of dimension {d}; got weight {self.weight}, "
                f"a {len(self.whiten)}-row matrix and {len(self.deviation)} polynomials."
            )
        if self.matrix.det() == 0:
            raise BadData("Expected an invertible matrix; got a singular one.")

    @property
    def matrix(self) -> fmpq_mat:
        """W as a matrix, (d, d)."""
        return fmpq_mat(self.whiten)

    @property
    def precision(self) -> fmpq_mat:
        """Inverse of V, ``W^T W``, (d, d)."""
        return self.matrix.transpose() * self.matrix

    @property
    def deviates(self) -> bool:
        """Whether T has a coefficient that is not zero."""
        return any(value != 0 for polynomial in self.deviation for value in polynomial.values())


@final
@dataclass(frozen=True, slots=True)
class LearnedBlock:
    r"""Cells whose gates compete, with their share of the field.

    Parameters
    ----------
    share : fmpq
        :math:`\beta \ge 0`.
    rate : fmpq
        :math:`\lambda > 0`, the inverse square of the damping radius.
    cells : tuple of LearnedCell

    Raises
    ------
    BadData
        On a negative share, a rate that is not positive, or cells of different dimensions.
    """

    share: fmpq
    rate: fmpq
    cells: tuple[LearnedCell, ...]

    def __post_init__(self) -> None:
        if not (self.share >= 0 and self.rate > 0):
            raise BadData(
                f"Expected share >= 0 and rate > 0; got {self.share} and {self.rate}: without "
                "damping a deviation is not bounded."
            )
        if len({len(cell.mean) for cell in self.cells}) != 1:
            raise BadData("Expected at least one cell, and all of one dimension.")

    @property
    def deviates(self) -> bool:
        """Whether any cell deviates from the crude mixture."""
        return any(cell.deviates for cell in self.cells)


@final
@dataclass(frozen=True, slots=True)
class LearnedField:
    r"""The denoiser D of one noise level; see the formulas of this module.

    Parameters
    ----------
    kappa : fmpq
        Signal-to-noise ratio, positive.
    blocks : tuple of LearnedBlock
        A fitted field has one; a blend has one for each member.

    Raises
    ------
    BadData
        If kappa is not positive, or blocks differ in dimension.
    """

    kappa: fmpq
    blocks: tuple[LearnedBlock, ...]

    def __post_init__(self) -> None:
        if not self.kappa > 0:
            raise BadData(f"Expected kappa > 0; got {self.kappa}.")
        if len({len(cell.mean) for cell in self.cells}) != 1:
            raise BadData("Expected at least one block, and all of one dimension.")

    @property
    def dim(self) -> int:
        """Dimension d."""
        return len(self.blocks[0].cells[0].mean)

    @property
    def cells(self) -> tuple[LearnedCell, ...]:
        """The cells of all blocks."""
        return tuple(cell for block in self.blocks for cell in block.cells)

    @property
    def deviates(self) -> bool:
        """Whether any cell deviates; without, the field is a crude mixture's own denoiser."""
        return any(block.deviates for block in self.blocks)

    def centre(self, cell: LearnedCell) -> Row:
        """Return the centre of a cell, ``kappa m``."""
        return entries(self.kappa * column(cell.mean))

    def gain(self, cell: LearnedCell) -> fmpq_mat:
        r"""Return :math:`\kappa^{-1} (I - V^{-1})`, the derivative of a cell's own denoiser."""
        d = self.dim
        eye = fmpq_mat(d, d, [int(i == j) for i in range(d) for j in range(d)])
        return (1 / self.kappa) * (eye - cell.precision)


def read_learned_field(record: object, where: str = "field") -> LearnedField:
    """Return the field that a JSON object names; :func:`write_learned_field` writes it.

    Raises
    ------
    BadData
        On anything but such a field.
    ResourceLimit
        Beyond 16 dimensions or 4096 cells.
    """
    found = fields(record, where, ("dim", "kappa", "blocks"))
    dim = read_count(found["dim"], f"{where}.dim", 1, MOST_DIMENSIONS)
    blocks = items(found["blocks"], f"{where}.blocks")
    if sum(len(block.get("cells", ())) for block in blocks if isinstance(block, dict)) > MOST_CELLS:
        raise ResourceLimit(f"{where}: expected at most {MOST_CELLS} cells; got more.")
    return LearnedField(
        _rational(found["kappa"], f"{where}.kappa"),
        tuple(_read_block(block, dim, f"{where}.blocks[{i}]") for i, block in enumerate(blocks)),
    )


def write_learned_field(field: LearnedField) -> dict[str, Any]:
    """Return the JSON object that :func:`read_learned_field` reads."""
    return {
        "dim": field.dim,
        "kappa": write_rational(field.kappa),
        "blocks": [
            {
                "share": write_rational(block.share),
                "rate": write_rational(block.rate),
                "cells": [_write_cell(cell) for cell in block.cells],
            }
            for block in field.blocks
        ],
    }


def _read_block(record: object, dim: int, where: str) -> LearnedBlock:
    found = fields(record, where, ("share", "rate", "cells"))
    cells = items(found["cells"], f"{where}.cells")
    return LearnedBlock(
        _rational(found["share"], f"{where}.share"),
        _rational(found["rate"], f"{where}.rate"),
        tuple(_read_cell(cell, dim, f"{where}.cells[{i}]") for i, cell in enumerate(cells)),
    )


def _read_cell(record: object, dim: int, where: str) -> LearnedCell:
    found = fields(record, where, ("weight", "mean", "whiten", "deviation"))
    mean = read_rationals(found["mean"], f"{where}.mean")
    rows = items(found["whiten"], f"{where}.whiten")
    return LearnedCell(
        _rational(found["weight"], f"{where}.weight"),
        tuple(map(as_fmpq, mean)),
        tuple(
            tuple(map(as_fmpq, read_rationals(row, f"{where}.whiten[{i}]")))
            for i, row in enumerate(rows)
        ),
        read_field(found["deviation"], dim, f"{where}.deviation"),
    )


def _write_cell(cell: LearnedCell) -> dict[str, Any]:
    return {
        "weight": write_rational(cell.weight),
        "mean": [write_rational(value) for value in cell.mean],
        "whiten": [[write_rational(value) for value in row] for row in cell.whiten],
        "deviation": write_field(cell.deviation),
    }


def _rational(value: object, where: str) -> fmpq:
    return as_fmpq(read_rational(value, where))
