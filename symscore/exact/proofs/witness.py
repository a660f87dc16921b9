"""Rational points, and balls around the value of an expression there."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import sympy
from flint import acb, arb, fmpq
from sympy import Expr, Symbol

from symscore.errors import NotCertified
from symscore.exact.arithmetic.balls import precision
from symscore.exact.proofs.plain import postorder

ATTEMPTS = 48
PRECISIONS = (96, 384, 1536)
# Lengths and left ends of the intervals that coordinates are taken from, in turn: between 0 and 1
# first, so that weights come out as weights.
INTERVALS = ((1, 0), (3, 0), (4, -2), (1, 1), (20, -10))
GOLDEN = Fraction(55, 89)

Point = Mapping[Symbol, Fraction]


def points(symbols: list[Symbol]) -> Iterator[dict[Symbol, Fraction]]:
    """Yield rational points that the assumptions of the symbols allow, always the same ones.

    Raises
    ------
    NotCertified
        If a symbol is assumed to be something that a rational number is not.
    """
    for symbol in symbols:
        if symbol.is_rational is False or symbol.is_real is False or symbol.is_zero:
            raise NotCertified(f"Expected symbols for real numbers; got {symbol}, which is none.")
    for attempt in range(ATTEMPTS):
        length, left = INTERVALS[attempt % len(INTERVALS)]
        # Weights that the caller writes as 1 - w - v stay positive where both are small.
        share = 1 + (attempt // len(INTERVALS)) % 2 * len(symbols)
        yield {
            symbol: _allowed(symbol, left + length * _spread(attempt, j) / share)
            for j, symbol in enumerate(symbols)
        }


def _spread(attempt: int, j: int) -> Fraction:
    """Return a number in (0, 1), from an additive recurrence by the golden ratio."""
    value = GOLDEN * (7 * j + 5 * attempt + 1) + Fraction(j * j + 3 * attempt + 1, 97)
    return value - (value.numerator // value.denominator) or Fraction(1, 2)


def _allowed(symbol: Symbol, value: Fraction) -> Fraction:
    if symbol.is_integer:
        value = Fraction(round(value) or 1)
    if (symbol.is_nonnegative and value < 0) or (symbol.is_nonpositive and value > 0):
        return -value
    return value


def value_at(exprs: list[Expr], point: Point, bits: int) -> list[acb] | None:
    """Return balls around plain expressions at a point, or None where one is undefined there.

    Arguments of roots, logarithms, abs and erf have to be real, those of roots not negative and
    those of logarithms positive; an undecided case counts as undefined.

    Parameters
    ----------
    exprs : list of sympy.Expr
        As :func:`~symscore.exact.proofs.plain.plain` returns them.
    point : mapping
        From symbol to Fraction.
    bits : int
        Precision of the balls.
    """
    values: dict[Expr, acb] = {}
    with precision(bits):
        for node in postorder(exprs):
            value = _value(node, values, point)
            if value is None or not value.is_finite():
                return None
            values[node] = value
        return [values[expr] for expr in exprs]


def excludes_zero(value: acb) -> bool:
    """Whether a finite ball proves its number different from zero."""
    return bool(value.is_finite() and not value.contains(0))


def _value(node: Expr, values: Mapping[Expr, acb], point: Point) -> acb | None:
    if not node.args:
        return _leaf(node, point)
    parts = [values[part] for part in node.args]
    if isinstance(node, sympy.Add):
        return sum(parts[1:], parts[0])
    if isinstance(node, sympy.Mul):
        return _product(parts)
    if isinstance(node, sympy.exp):
        return parts[0].exp()
    if isinstance(node, sympy.Pow) and node.exp.is_Integer:
        return _power(parts[0], int(node.exp))
    if not parts[0].imag.is_zero():
        return None
    real = _real_function(node, parts[0].real)
    return None if real is None else acb(real)


def _leaf(node: Expr, point: Point) -> acb:
    if isinstance(node, Symbol):
        return acb(arb(fmpq(point[node].numerator, point[node].denominator)))
    if node.is_Rational:
        return acb(arb(fmpq(int(node.p), int(node.q))))
    return {sympy.pi: acb.pi(), sympy.E: acb(1).exp(), sympy.I: acb(0, 1)}[node]


def _real_function(node: Expr, argument: arb) -> arb | None:
    if isinstance(node, sympy.log):
        return argument.log() if argument > 0 else None
    if isinstance(node, sympy.Abs):
        return abs(argument)
    if isinstance(node, sympy.erf):
        return argument.erf()
    if not argument > 0:
        return arb(0) if argument == 0 and node.exp > 0 else None
    exponent = fmpq(int(node.exp.p), int(node.exp.q))
    return argument**exponent


def _product(factors: list[Any]) -> acb:
    result = factors[0]
    for factor in factors[1:]:
        result *= factor
    return result


def _power(base: acb, exponent: int) -> acb:
    # flint's own power of a ball around zero is not finite, so multiply.
    result, square, left = acb(1), base, abs(exponent)
    while left:
        result, square, left = (result * square if left % 2 else result), square * square, left // 2
    return 1 / result if exponent < 0 else result
