"""The cells of a learned denoiser in balls, and what every formula for its slope is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from flint import arb, fmpq, fmpq_mat

from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.arithmetic.moments import Exponent, exponents, lowered
from symscore.exact.arithmetic.polynomial import Polynomial, degree, partial
from symscore.exact.bijections.learned_field import LearnedBlock, LearnedCell, LearnedField

Vector = list[Any]
Matrix = list[list[Any]]
Terms = tuple[tuple[Exponent, arb], ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class CellBalls:
    """A cell in balls of the precision at which it was made.

    Parameters
    ----------
    log_height : arb
        ``log(w det W)``.
    mean, centre : (d,) list of arb
    whiten, precision, gain : (d, d) nested list of arb
        W, ``W^T W`` and ``(I - W^T W) / kappa``.
    monomials : tuple of exponents
        Those that the deviation needs, by total degree.
    deviation : (d,) list of terms
        T.
    slopes : (d, d) nested list of terms
        T', differentiated exactly.
    """

    log_height: arb
    mean: Vector
    centre: Vector
    whiten: Matrix
    precision: Matrix
    gain: Matrix
    monomials: tuple[Exponent, ...]
    deviation: list[Terms]
    slopes: list[list[Terms]]

    @classmethod
    def of(cls, field: LearnedField, cell: LearnedCell) -> "CellBalls":
        """Return a cell of a field in balls of the present precision."""
        d = field.dim
        highest = max(map(degree, cell.deviation))
        return cls(
            ball_of(cell.weight * abs(cell.matrix.det())).log(),
            [ball_of(value) for value in cell.mean],
            [ball_of(value) for value in field.centre(cell)],
            [[ball_of(value) for value in row] for row in cell.whiten],
            _balls(cell.precision),
            _balls(field.gain(cell)),
            exponents(d, highest) if cell.deviates else (),
            [_terms(polynomial) for polynomial in cell.deviation],
            [[_terms(partial(polynomial, k)) for k in range(d)] for polynomial in cell.deviation],
        )

    def coordinate(self, y: Vector) -> Vector:
        """Return u at y."""
        return apply(self.whiten, [a - b for a, b in zip(y, self.centre, strict=True)])

    def exponent(self, y: Vector) -> Any:
        """Return the logarithm of the gate at y, but for what all gates of a block share."""
        return self.log_height - squared(self.coordinate(y)) / 2

    def pull(self, y: Vector) -> Vector:
        """Return ``V^-1 (y - kappa m)``, minus the gradient of the exponent."""
        return apply(self.precision, [a - b for a, b in zip(y, self.centre, strict=True)])

    def own(self, y: Vector) -> Vector:
        """Return o at y, the denoiser of the cell's Gaussian alone."""
        moved = apply(self.gain, [a - b for a, b in zip(y, self.centre, strict=True)])
        return [a + b for a, b in zip(moved, self.mean, strict=True)]

    def powers(self, u: Vector) -> Mapping[Exponent, Any]:
        """Return all monomials of u that the deviation needs; none where there is no deviation."""
        table = dict.fromkeys(self.monomials[:1], 0 * u[0] + 1)
        for a in self.monomials[1:]:
            j = next(i for i, power in enumerate(a) if power)
            table[a] = u[j] * table[lowered(a, j)]
        return table


@final
@dataclass(frozen=True, slots=True, eq=False)
class BlockBalls:
    """A block in balls of the precision at which it was made."""

    share: arb
    rate: arb
    cells: tuple[CellBalls, ...]

    @classmethod
    def of(cls, field: LearnedField, block: LearnedBlock) -> "BlockBalls":
        """Return a block of a field in balls of the present precision."""
        return cls(
            ball_of(block.share),
            ball_of(block.rate),
            tuple(CellBalls.of(field, cell) for cell in block.cells),
        )

    def damping(self, u: Vector) -> Any:
        """Return ``exp(-rate |u|^2 / 2)``."""
        return (squared(u) * (-self.rate / 2)).exp()


def value_of(terms: Terms, powers: Mapping[Exponent, Any]) -> Any:
    """Return a polynomial from the table of its monomials."""
    return sum((powers[a] * value for a, value in terms), arb(0))


def apply(matrix: Matrix, vector: Vector) -> Vector:
    """Return the product of a matrix and a vector, leaving out zeros."""
    return [
        sum((a * x for a, x in zip(row, vector, strict=True) if a != 0), 0 * vector[0])
        for row in matrix
    ]


def squared(vector: Sequence[Any]) -> Any:
    """Return the sum of squares."""
    return sum((x * x for x in vector[1:]), vector[0] * vector[0])


def _balls(matrix: fmpq_mat) -> Matrix:
    return [[ball_of(value) for value in row] for row in matrix.tolist()]


def _terms(polynomial: Polynomial) -> Terms:
    return tuple((a, ball_of(value)) for a, value in polynomial.items() if value != fmpq(0))
