r"""Fields on the line that gates blend out of polynomials: what a fit with soft cells learns.

.. math::

    g(x) = \sum_b \sum_{c \in b} r_{b,c}(x)
        \bigl( a_c(v_c) + e^{-\lambda_c v_c^2 / 2} \, d_c(v_c) \bigr), \qquad v_c = x - m_c,

where every block b of cells has its own gates, which are the responsibilities of Gaussians,

.. math:: r_{b,c}(x) = \frac{w_c N(x; m_c, V_c)}{\sum_{e \in b} w_e N(x; m_e, V_e)}.

All parameters are rational. The score of a mixture is the field of one block whose undamped
polynomials are ``-v / V``; a polynomial is that of one block of one cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

from flint import fmpq

from symscore.errors import BadData
from symscore.exact.arithmetic.balls import as_fmpq
from symscore.exact.arithmetic.coercion import RationalLike, as_rational, as_row
from symscore.exact.arithmetic.rational import RationalMixture, Row
from symscore.exact.arithmetic.spec import (
    fields,
    items,
    read_mixture,
    read_rational,
    read_rationals,
    write_rational,
)
from symscore.exact.distances.soft_values import BlockInBalls, FieldInBalls, Point

MOST_TERMS = 201

_NUMBERS = ("weight", "centre", "variance", "rate")
_LISTS = ("plain", "damped")


@final
@dataclass(frozen=True, slots=True)
class SoftCell:
    r"""One gate and what it lets through, in ``v = x - centre``.

    .. math:: a(v) + e^{-\lambda v^2 / 2} d(v), \qquad
        \text{gate} \propto w \, V^{-1/2} e^{-v^2 / 2V}

    A cell whose learned coordinate is ``u = (x - centre) / s`` has coefficients ``c_j / s^j`` here.

    Parameters
    ----------
    weight : fmpq
        w, positive; the weights of a block need not sum to one. Ints, Fractions and strings such
        as ``"1/3"`` are turned into fmpq, here and below.
    centre : fmpq
    variance : fmpq
        V of the gate, positive: a variance, not a standard deviation.
    plain : (n,) tuple of fmpq
        Coefficients of a, ascending.
    damped : (n,) tuple of fmpq
        Coefficients of d, ascending.
    rate : fmpq
        :math:`\lambda \ge 0`.

    Raises
    ------
    BadData
        On a weight or variance that is not positive, a negative rate, or over 201 coefficients.
    """

    weight: fmpq
    centre: fmpq
    variance: fmpq
    plain: Row = ()
    damped: Row = ()
    rate: fmpq = fmpq(0)  # noqa: RUF009 - a number, and immutable

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            object.__setattr__(self, name, as_rational(getattr(self, name), name))
        for name in _LISTS:
            object.__setattr__(self, name, as_row(getattr(self, name), name))
        if not (self.weight > 0 and self.variance > 0):
            raise BadData(
                f"Expected a positive weight and variance; got {self.weight} and {self.variance}."
            )
        if self.rate < 0:
            raise BadData(f"Expected rate >= 0; got {self.rate}: damping must not amplify.")
        if max(len(self.plain), len(self.damped)) > MOST_TERMS:
            raise BadData(f"Expected at most {MOST_TERMS} coefficients a cell; got more.")


Block: TypeAlias = tuple[SoftCell, ...]


@final
@dataclass(frozen=True, slots=True)
class SoftField:
    r"""A sum of blocks of gated cells; see the formulas of this module.

    Parameters
    ----------
    blocks : tuple of tuples of SoftCell
        Gates compete within a block. A fitted field has one block; a blend of several has one
        for each, the coefficients multiplied by the shares.

    Raises
    ------
    BadData
        If there is no block, or one without cells.

    Examples
    --------
    >>> from flint import arb
    >>> halves = SoftField.polynomial([0, "-1/2"])
    >>> halves.value(arb(3))
    -1.50000000000000
    """

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(map(tuple, self.blocks)))
        if not self.blocks or not all(self.blocks):
            raise BadData("Expected at least one block of cells, and no empty one.")

    @classmethod
    def polynomial(cls, coefficients: Sequence[RationalLike]) -> "SoftField":
        """Return the polynomial with these coefficients, ascending, as a field."""
        cell = SoftCell(fmpq(1), fmpq(0), fmpq(1), as_row(coefficients, "coefficients"))
        return cls(((cell,),))

    @classmethod
    def score(cls, mixture: RationalMixture) -> "SoftField":
        """Return the score of a one-dimensional mixture as a field.

        Raises
        ------
        BadData
            If the mixture has more than one dimension.
        """
        if mixture.dim != 1:
            raise BadData(f"Expected a mixture on the line; got {mixture.dim} dimensions.")
        return cls(
            (
                tuple(
                    SoftCell(weight, mean, covariance[0][0], (fmpq(0), -1 / covariance[0][0]))
                    for weight, (mean,), covariance in zip(
                        mixture.weights, mixture.means, mixture.covariances, strict=True
                    )
                ),
            )
        )

    def moved(self, loc: RationalLike, scale: RationalLike) -> "SoftField":
        r"""Return the score-like field of ``X = loc + scale Y`` where this is that of Y.

        .. math:: g_X(x) = \frac1{\mathrm{scale}} \, g_Y\!\left(\frac{x - \mathrm{loc}}
            {\mathrm{scale}}\right)

        Parameters
        ----------
        loc, scale : fmpq, int, Fraction or str
            With scale > 0.
        """
        shift, factor = as_rational(loc, "loc"), as_rational(scale, "scale")
        if not factor > 0:
            raise BadData(f"Expected scale > 0; got {scale}.")

        def stretched(coefficients: Row) -> Row:
            return tuple(c / factor ** (j + 1) for j, c in enumerate(coefficients))

        return SoftField(
            tuple(
                tuple(
                    SoftCell(
                        cell.weight,
                        shift + factor * cell.centre,
                        factor * factor * cell.variance,
                        stretched(cell.plain),
                        stretched(cell.damped),
                        cell.rate / (factor * factor),
                    )
                    for cell in block
                )
                for block in self.blocks
            )
        )

    def scaled(self, factor: RationalLike) -> "SoftField":
        """Return `factor` times this field."""
        c = as_rational(factor, "factor")

        def times(cell: SoftCell) -> SoftCell:
            plain, damped = (tuple(c * a for a in part) for part in (cell.plain, cell.damped))
            return replace(cell, plain=plain, damped=damped)

        return SoftField(tuple(tuple(map(times, block)) for block in self.blocks))

    def value(self, x: Point) -> Any:
        """Return g(x) in the ring of x: a ball around it, or its power series.

        The result is not finite for a complex ball that may contain a pole.
        """
        return self.in_balls().value(x)

    def derivative(self, x: Point) -> Any:
        """Return g'(x) in the ring of x."""
        return self.in_balls().value_and_derivative(x)[1]

    def in_balls(self) -> FieldInBalls:
        """Return the field with constants of flint's present precision, to be evaluated often."""
        return FieldInBalls(tuple(map(BlockInBalls, self.blocks)))


def read_soft_field(record: object, where: str = "field") -> SoftField:
    """Return the field that a JSON object names.

    It is ``{"blocks": [[{"weight": ..., ...}, ...], ...]}`` or, for short,
    ``{"polynomial": [...]}`` with coefficients, ascending, or ``{"score": {...}}`` with a mixture.

    Raises
    ------
    BadData
        On anything but such a field.

    Examples
    --------
    >>> read_soft_field({"polynomial": ["0", "-1"]}).blocks[0][0].plain
    (0, -1)
    """
    if isinstance(record, dict) and "polynomial" in record:
        found = fields(record, where, ("polynomial",))["polynomial"]
        return SoftField.polynomial(read_rationals(found, f"{where}.polynomial"))
    if isinstance(record, dict) and "score" in record:
        return SoftField.score(
            read_mixture(fields(record, where, ("score",))["score"], f"{where}.score")
        )
    blocks = items(fields(record, where, ("blocks",))["blocks"], f"{where}.blocks")
    return SoftField(
        tuple(
            tuple(
                _read_cell(cell, f"{where}.blocks[{b}][{c}]")
                for c, cell in enumerate(items(block, f"{where}.blocks[{b}]"))
            )
            for b, block in enumerate(blocks)
        )
    )


def write_soft_field(field: SoftField) -> dict[str, Any]:
    """Return the JSON object that :func:`read_soft_field` reads."""
    return {"blocks": [[_write_cell(cell) for cell in block] for block in field.blocks]}


def _read_cell(record: object, where: str) -> SoftCell:
    found = fields(record, where, (*_NUMBERS, *_LISTS))
    numbers = {name: as_fmpq(read_rational(found[name], f"{where}.{name}")) for name in _NUMBERS}
    lists = {
        name: tuple(map(as_fmpq, read_rationals(found[name], f"{where}.{name}"))) for name in _LISTS
    }
    return SoftCell(**numbers, **lists)


def _write_cell(cell: SoftCell) -> dict[str, Any]:
    numbers = {name: write_rational(getattr(cell, name)) for name in _NUMBERS}
    return numbers | {name: [write_rational(c) for c in getattr(cell, name)] for name in _LISTS}
