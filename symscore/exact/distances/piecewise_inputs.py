"""What certificates about piecewise polynomial fields are about, and its JSON form."""

from dataclasses import dataclass
from math import comb
from typing import Any, final

from symscore.errors import BadData, BadOption, ResourceLimit
from symscore.exact.arithmetic.polynomial import (
    MOST_DEGREE,
    PolynomialField,
    field_degree,
    read_field,
    write_field,
)
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import fields, items, read_count, read_mixture, write_mixture
from symscore.exact.distances.cells import Cells, read_cells, write_cells

# Operations on balls that all cells may take at one precision: some twenty seconds.
MOST_WORK = 10**7


@final
@dataclass(frozen=True, slots=True)
class BestInputs:
    """A mixture, a partition and the degree of the polynomials on its cells.

    Raises
    ------
    BadData
        If mixture and cells differ in dimension.
    BadOption
        If the degree is no integer of at least 0.
    ResourceLimit
        If the linear systems would take more than about a minute.
    """

    mixture: RationalMixture
    cells: Cells
    degree: int

    def __post_init__(self) -> None:
        _check_dimensions(self.mixture, self.cells)
        if isinstance(self.degree, bool) or not isinstance(self.degree, int) or self.degree < 0:
            raise BadOption(f"Expected a degree of at least 0; got {self.degree!r}.")
        _check_work(self.mixture, self.cells, self.degree)


@final
@dataclass(frozen=True, slots=True)
class GivenInputs:
    """A mixture, a partition, and a polynomial field for every cell of it, in the cells' order.

    Raises
    ------
    BadData
        If mixture, cells and fields differ in dimension, or there is not one field a cell.
    """

    mixture: RationalMixture
    cells: Cells
    pieces: tuple[PolynomialField, ...]

    def __post_init__(self) -> None:
        _check_dimensions(self.mixture, self.cells)
        object.__setattr__(self, "pieces", tuple(map(canonical, self.pieces)))
        if len(self.pieces) != self.cells.n_cells:
            raise BadData(
                f"Expected one field for each of {self.cells.n_cells} cells; "
                f"got {len(self.pieces)}."
            )
        dim = self.cells.dim
        if any(len(q) != dim or any(len(a) != dim for p in q for a in p) for q in self.pieces):
            raise BadData(f"Expected {dim} polynomials in {dim} variables on every cell.")
        _check_work(self.mixture, self.cells, self.degree)

    @property
    def degree(self) -> int:
        """The highest degree on any cell."""
        return max(map(field_degree, self.pieces))


def canonical(field: PolynomialField) -> PolynomialField:
    """Return the same field without the terms that are zero."""
    return tuple({a: c for a, c in polynomial.items() if c != 0} for polynomial in field)


def _check_dimensions(mixture: RationalMixture, cells: Cells) -> None:
    if mixture.dim != cells.dim:
        raise BadData(
            f"Expected cells in the {mixture.dim} dimensions of the mixture; got {cells.dim}."
        )


def _check_work(mixture: RationalMixture, cells: Cells, degree: int) -> None:
    unknowns = comb(cells.dim + degree, degree)
    moments = comb(cells.dim + 2 * degree, 2 * degree) * (2 * degree + 1) * mixture.n_components
    work = cells.n_cells * (moments + unknowns**3 // 10)
    if work > MOST_WORK:
        raise ResourceLimit(
            f"Expected at most {MOST_WORK} operations; {cells.n_cells} cells of degree {degree} "
            f"in {cells.dim} dimensions need {work}: take fewer cells or a lower degree."
        )


def read_best(record: object) -> BestInputs:
    """Return the inputs that ``{"mixture": ..., "cells": ..., "degree": n}`` names."""
    found = fields(record, "inputs", ("mixture", "cells", "degree"))
    mixture = read_mixture(found["mixture"])
    degree = read_count(found["degree"], "inputs.degree", 0, MOST_DEGREE)
    return BestInputs(mixture, read_cells(found["cells"], mixture.dim), degree)


def write_best(inputs: BestInputs) -> dict[str, Any]:
    """Return the JSON object that :func:`read_best` reads."""
    return {
        "mixture": write_mixture(inputs.mixture),
        "cells": write_cells(inputs.cells),
        "degree": inputs.degree,
    }


def read_given(record: object) -> GivenInputs:
    """Return the inputs that ``{"mixture": ..., "cells": ..., "pieces": [...]}`` names."""
    found = fields(record, "inputs", ("mixture", "cells", "pieces"))
    mixture = read_mixture(found["mixture"])
    pieces = tuple(
        read_field(piece, mixture.dim, f"inputs.pieces[{i}]")
        for i, piece in enumerate(items(found["pieces"], "inputs.pieces"))
    )
    return GivenInputs(mixture, read_cells(found["cells"], mixture.dim), pieces)


def write_given(inputs: GivenInputs) -> dict[str, Any]:
    """Return the JSON object that :func:`read_given` reads."""
    return {
        "mixture": write_mixture(inputs.mixture),
        "cells": write_cells(inputs.cells),
        "pieces": [write_field(piece) for piece in inputs.pieces],
    }
