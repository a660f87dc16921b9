"""SymPy expressions as lists of steps, so that numbers are computed without generating code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import e, pi
from typing import Any, TypeAlias, final

import sympy
from sympy import Expr, MatrixBase, Symbol

from symscore.errors import BadData

# A bare expression, a sequence of them, or a matrix.
Expressions: TypeAlias = Any

ARITHMETIC = {sympy.Add: "add", sympy.Mul: "multiply", sympy.Pow: "power"}
# By the names that NumPy and PyTensor share.
FUNCTIONS = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.sinh: "sinh",
    sympy.cosh: "cosh",
    sympy.tanh: "tanh",
    sympy.asinh: "arcsinh",
    sympy.acosh: "arccosh",
    sympy.atanh: "arctanh",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.tan: "tan",
    sympy.asin: "arcsin",
    sympy.acos: "arccos",
    sympy.atan: "arctan",
    sympy.Abs: "abs",
    sympy.sign: "sign",
    sympy.erf: "erf",
    sympy.erfc: "erfc",
}
CONSTANTS = {sympy.pi: pi, sympy.E: e}
# Powers of two up to here are far from either end of the range of float64.
SAFE_BITS = 1000


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """The number ``mantissa * 2**exponent``."""

    mantissa: float
    exponent: int = 0


@final
@dataclass(frozen=True, slots=True)
class Input:
    """The value of the symbol at a position."""

    position: int


@final
@dataclass(frozen=True, slots=True)
class Apply:
    """An operation on the results of earlier steps."""

    operation: str
    arguments: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class RationalPower:
    """An earlier result to a rational power."""

    base: int
    numerator: int
    denominator: int


Step: TypeAlias = Constant | Input | Apply | RationalPower


@final
@dataclass(frozen=True, slots=True)
class Program:
    """Steps in an order in which they can be carried out, equal subexpressions once.

    Parameters
    ----------
    steps : tuple
    outputs : tuple of int
        The steps whose results are asked for, in C order.
    shape : tuple of int
        () for a bare expression, (m,) for a sequence, (m, n) for a matrix or nested sequences.
    """

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    shape: tuple[int, ...]


def to_program(expressions: Expressions, symbols: Sequence[Symbol]) -> Program:
    """Return the steps that compute `expressions` from values of `symbols`.

    Raises
    ------
    BadData
        On a symbol that is not among `symbols`, or an operation that has no float counterpart.
    """
    flat, shape = _flattened(expressions)
    steps: list[Step] = []
    found: dict[Expr, int] = {}
    inputs = {symbol: position for position, symbol in enumerate(symbols)}
    for expression in flat:
        for node in _leaves_first(expression, found):
            steps.append(_step(node, inputs, found))
            found[node] = len(steps) - 1
    return Program(tuple(steps), tuple(found[expression] for expression in flat), shape)


def _flattened(expressions: Expressions) -> tuple[list[Expr], tuple[int, ...]]:
    if isinstance(expressions, MatrixBase):
        return [_checked(entry) for entry in expressions.flat()], expressions.shape
    if isinstance(expressions, str) or not isinstance(expressions, Iterable):
        return [_checked(expressions)], ()
    rows = list(expressions)
    if not any(isinstance(row, Iterable) for row in rows):
        return [_checked(entry) for entry in rows], (len(rows),)
    nested = [_flattened(row) for row in rows]
    shapes = {shape for _, shape in nested}
    if len(shapes) > 1 or len(nested[0][1]) > 1:
        raise BadData("Expected an expression, a sequence of them or a matrix; got ragged rows.")
    return [entry for row, _ in nested for entry in row], (len(rows), *nested[0][1])


def _checked(value: object) -> Expr:
    if isinstance(value, int) and not isinstance(value, bool):
        return sympy.Integer(value)
    if not isinstance(value, Expr):
        raise BadData(
            f"Expected SymPy expressions; got {value!a:.60} of type {type(value).__name__}: "
            "read_expression turns text into one."
        )
    return value


def _leaves_first(expression: Expr, known: dict[Expr, int]) -> Iterable[Expr]:
    """Yield what is not yet known of a tree, arguments before what they are arguments of."""
    # An explicit stack: a deep tree is no deep recursion.
    stack = [(expression, False)]
    while stack:
        node, is_ready = stack.pop()
        if node in known:
            continue
        if is_ready or not node.args:
            yield node
        else:
            _operation(node)
            stack.append((node, True))
            stack.extend((argument, False) for argument in reversed(node.args))


def _step(node: Expr, inputs: dict[Symbol, int], found: dict[Expr, int]) -> Step:
    arguments = tuple(found[argument] for argument in node.args)
    match node:
        case Symbol():
            if node not in inputs:
                raise BadData(
                    f"Expected values for all symbols; got none for {node.name!a:.60}. Symbols "
                    "that differ in their assumptions are different, whatever their names."
                )
            return Input(inputs[node])
        case sympy.Rational():
            return _rounded(int(node.p), int(node.q))
        case sympy.Float():
            return Constant(float(node))
        case sympy.Pow(exp=sympy.Rational() as exponent):
            return RationalPower(arguments[0], int(exponent.p), int(exponent.q))
    if node in CONSTANTS:
        return Constant(CONSTANTS[node])
    return Apply(_operation(node), arguments)


def _operation(node: Expr) -> str:
    operation = ARITHMETIC.get(type(node)) or FUNCTIONS.get(type(node))
    if operation is None:
        raise BadData(
            "Expected sums, products, powers, and the functions "
            f"{', '.join(sorted(FUNCTIONS.values()))}; got {type(node).__name__!a:.60}."
        )
    return operation


def _rounded(numerator: int, denominator: int) -> Constant:
    """Return the nearest float64, with an exponent of its own if it is out of range."""
    exponent = abs(numerator).bit_length() - denominator.bit_length()
    if abs(exponent) <= SAFE_BITS:
        return Constant(numerator / denominator)
    numerator <<= max(0, -exponent)
    denominator <<= max(0, exponent)
    return Constant(numerator / denominator, exponent)
