r"""Soft fields at balls and at power series of balls, their constants rounded once.

.. math:: r_c(x) = \frac{w_c N(x; m_c, V_c)}{\sum_e w_e N(x; m_e, V_e)}, \qquad
    g = \sum_c r_c h_c, \qquad
    g' = \sum_c r_c \bigl( h_c' + h_c (\ell_c' - \bar\ell') \bigr)

in every block, with ``l_c' = -v_c / V_c`` and its mean over the gates, as ``r_c' = r_c (l_c' - mean
of l')``; the heights h_c are polynomials and damped polynomials.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, final

from flint import acb, arb, arb_series

from symscore.exact.arithmetic.rational import Row

if TYPE_CHECKING:
    from symscore.exact.distances.soft_field import Block, SoftCell

# What functions are evaluated at: a complex or real ball, or a truncated power series of balls.
Point: TypeAlias = acb | arb | arb_series
Coefficients: TypeAlias = tuple[arb, ...]
Ratio: TypeAlias = tuple[arb, Coefficients, arb]


@final
@dataclass(frozen=True, slots=True)
class FieldInBalls:
    """A field whose constants are balls of the precision at which it was made."""

    blocks: "tuple[BlockInBalls, ...]"

    def value(self, x: Point) -> Any:
        """Return g(x) in the ring of x."""
        total = 0 * x
        for block in self.blocks:
            for r, cell in zip(block.gates(x), block.cells, strict=True):
                total += r * cell.height(x - cell.centre)
        return total

    def value_and_derivative(self, x: Point) -> tuple[Any, Any]:
        """Return g(x) and g'(x) in the ring of x."""
        value, slope = 0 * x, 0 * x
        for block in self.blocks:
            gates = block.gates(x)
            places = [x - cell.centre for cell in block.cells]
            tilts = [v * cell.pull for v, cell in zip(places, block.cells, strict=True)]
            mean = sum((r * tilt for r, tilt in zip(gates, tilts, strict=True)), 0 * x)
            for r, v, tilt, cell in zip(gates, places, tilts, block.cells, strict=True):
                height = cell.height(v)
                value += r * height
                slope += r * (cell.slope(v) + height * (tilt - mean))
        return value, slope


@final
class BlockInBalls:
    """Cells whose gates compete."""

    def __init__(self, block: "Block") -> None:
        self.cells = tuple(CellInBalls.of(cell) for cell in block)
        self._block = block
        self._logs = [arb(cell.weight * cell.weight / cell.variance).log() for cell in block]
        self._ratios: dict[int, list[Ratio]] = {}

    def gates(self, x: Point) -> list[Any]:
        """Return the gates at x; not finite for a complex ball where they may have a pole."""
        if len(self.cells) == 1:
            return [0 * x + 1]
        anchor = self._largest(_middle(x))
        if anchor not in self._ratios:
            self._ratios[anchor] = [_ratio(cell, self._block[anchor]) for cell in self._block]
        shares = [horner(a, x - u).exp() * factor for u, a, factor in self._ratios[anchor]]
        total = sum(shares[1:], shares[0])
        return [share / total for share in shares]

    def _largest(self, middle: arb) -> int:
        """Return a cell whose gate is large at a point; any would do, this one rounds least."""
        best, found = 0, arb(0)
        for i, (log, cell) in enumerate(zip(self._logs, self.cells, strict=True)):
            v = middle - cell.centre
            height = log + v * v * cell.pull
            if i == 0 or height > found:
                best, found = i, height
        return best


@final
@dataclass(frozen=True, slots=True)
class CellInBalls:
    """What a gate lets through, at ``v = x - centre``."""

    centre: arb
    pull: arb  # -1 / V
    plain: Coefficients
    plain_slope: Coefficients
    damped: Coefficients
    damped_slope: Coefficients
    minus_rate: arb

    @classmethod
    def of(cls, cell: "SoftCell") -> "CellInBalls":
        """Round a cell's constants."""

        def rounded(row: Row) -> Coefficients:
            return tuple(map(arb, row))

        return cls(
            arb(cell.centre),
            arb(-1 / cell.variance),
            rounded(cell.plain),
            rounded(derivative(cell.plain)),
            rounded(cell.damped),
            rounded(derivative(cell.damped)),
            arb(-cell.rate),
        )

    def height(self, v: Point) -> Any:
        """Return the height h."""
        height = horner(self.plain, v)
        if self.damped:
            height += self._damping(v) * horner(self.damped, v)
        return height

    def slope(self, v: Point) -> Any:
        """Return h'."""
        slope = horner(self.plain_slope, v)
        if self.damped:
            inner = horner(self.damped_slope, v) + v * self.minus_rate * horner(self.damped, v)
            slope += self._damping(v) * inner
        return slope

    def _damping(self, v: Point) -> Any:
        return (v * v * (self.minus_rate / 2)).exp()


def horner(coefficients: Sequence[arb], x: Point) -> Any:
    """Return the polynomial with these coefficients, ascending, at x."""
    total = 0 * x
    for c in reversed(coefficients):
        total = total * x + c
    return total


def derivative(coefficients: Row) -> Row:
    """Return the coefficients of the derivative of a polynomial.

    Examples
    --------
    >>> from flint import fmpq
    >>> derivative((fmpq(5), fmpq(1), fmpq(3)))
    (1, 6)
    """
    return tuple(j * c for j, c in enumerate(coefficients) if j)


def _ratio(cell: "SoftCell", anchor: "SoftCell") -> Ratio:
    r"""Return one gate over another: ``exp(a + b u + c u^2)`` times a factor, ``u = x - shift``.

    Equal squares cancel here, and of what is left the square is completed, ``b = 0``, so that u
    enters once: a wide ball then gives as narrow an exponent as there is.
    """
    near, far = -1 / (2 * cell.variance), -1 / (2 * anchor.variance)
    m, n = cell.centre, anchor.centre
    factor = arb(cell.weight / anchor.weight) * arb(anchor.variance / cell.variance).sqrt()
    bend, bow, rise = near - far, far * n - near * m, near * m * m - far * n * n
    # near (x - m)^2 - far (x - n)^2 = bend x^2 + 2 bow x + rise
    if bend == 0:
        return arb(0), (arb(rise), arb(2 * bow)), factor
    return arb(-bow / bend), (arb(rise - bow * bow / bend), arb(0), arb(bend)), factor


def _middle(x: Point) -> arb:
    if isinstance(x, arb_series):
        return arb(x[0].mid())
    return arb((x.real if isinstance(x, acb) else x).mid())
