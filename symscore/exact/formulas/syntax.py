"""Text to a small checked tree: what a formula may be made of, before any algebra sees it.

The text is cut into numbers, declared names, functions and operators first, so that what Python's
own parser is given is known to be harmless and of bounded size; of its tree only arithmetic and
calls of one argument are taken over. Nothing is ever evaluated as code.
"""

import ast
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias, final

from symscore.errors import BadExpression
from symscore.exact.formulas.tokens import check_tokens, refusal, refuse

MAX_DEPTH = 64
MAX_EXPONENT = 64


@final
@dataclass(frozen=True, slots=True)
class Number:
    """An exact number; the decimal 0.1 is one tenth."""

    value: Fraction
    column: int


@final
@dataclass(frozen=True, slots=True)
class Name:
    """A declared name, or pi."""

    name: str
    column: int


@final
@dataclass(frozen=True, slots=True)
class Sum:
    """Of two or more terms."""

    terms: tuple["Node", ...]
    column: int


@final
@dataclass(frozen=True, slots=True)
class Product:
    """Of two or more factors."""

    factors: tuple["Node", ...]
    column: int


@final
@dataclass(frozen=True, slots=True)
class Power:
    """A base to an integer or half of one, at most 64 in size; a divisor is a base to -1."""

    base: "Node"
    exponent: Fraction
    column: int


@final
@dataclass(frozen=True, slots=True)
class Call:
    """A function of one argument."""

    function: str
    argument: "Node"
    column: int


Node: TypeAlias = Number | Name | Sum | Product | Power | Call


def parse(text: str, names: Collection[str], functions: Collection[str]) -> Node:
    """Return the tree of a formula.

    Parameters
    ----------
    text : str
        At most 10,000 characters and 1,000 numbers, names and operators.
    names, functions : collection of str
        What may stand alone, and what may be called.

    Raises
    ------
    BadExpression
        On anything but numbers, names, ``+ - * / **``, brackets and calls of `functions`.
    """
    if not isinstance(text, str):
        raise BadExpression(f"Expected a formula as a string; got a {type(text).__name__}.", 1)
    check_tokens(text, names, functions)
    stripped = text.lstrip(" ")
    shift = len(text) - len(stripped)
    try:
        tree = ast.parse(stripped, mode="eval").body
    except SyntaxError as error:
        column = min(shift + (error.offset or 1), len(text) + 1)
        refuse("a formula", text[column - 1 :] or "the end", column)
    except (RecursionError, MemoryError, ValueError):
        refuse("a formula that is nested less deeply", text, 1)
    return _Tree(stripped, shift, functions).read(tree, 0)


@final
@dataclass(frozen=True, slots=True)
class _Tree:
    text: str
    shift: int
    functions: Collection[str]

    def read(self, node: ast.expr, depth: int) -> Node:
        if depth > MAX_DEPTH:
            refuse("a formula that is nested less deeply", self.source(node), self.column(node))
        match node:
            case ast.Constant():
                return Number(Fraction(self.source(node)), self.column(node))
            case ast.Name(id=name):
                return Name(name, self.column(node))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                inner = self.read(operand, depth + 1)
                return _negated(inner) if isinstance(sign, ast.USub) else inner
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return Sum(self.chain(node, (ast.Add, ast.Sub), depth), self.column(node))
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return Product(self.chain(node, (ast.Mult, ast.Div), depth), self.column(node))
            case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
                power = self.exponent(exponent)
                return Power(self.read(base, depth + 1), power, self.column(node))
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
                return Call(name, self.read(argument, depth + 1), self.column(node))
        raise refusal("arithmetic", self.source(node), self.column(node))

    def chain(self, node: ast.expr, kinds: tuple[type, type], depth: int) -> tuple[Node, ...]:
        """Return the operands of a - b + c, which Python nests to the left, in their order."""
        operands: list[Node] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, kinds):
            right = self.read(node.right, depth + 1)
            match node.op:
                case ast.Sub():
                    right = _negated(right)
                case ast.Div():
                    right = Power(right, Fraction(-1), right.column)
            operands.append(right)
            node = node.left
        return (self.read(node, depth + 1), *reversed(operands))

    def exponent(self, node: ast.expr) -> Fraction:
        value = self.literal(node)
        if value is None or value.denominator > 2 or abs(value) > MAX_EXPONENT:
            refuse(
                f"an exponent that is a whole number or half of one, at most {MAX_EXPONENT} in "
                "size (write x**y as exp(y*log(x)))",
                self.source(node),
                self.column(node),
            )
        return value

    def literal(self, node: ast.expr) -> Fraction | None:
        match node:
            case ast.Constant():
                return Fraction(self.source(node))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() | ast.BinOp() as operand):
                size = self.literal(operand)
                return None if size is None else -size
            case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant() as right):
                # Chains of divisions nest to the left without bound; none is needed here.
                top = None if isinstance(left, ast.BinOp) else self.literal(left)
                bottom = Fraction(self.source(right))
                return None if top is None or bottom == 0 else top / bottom
        return None

    def source(self, node: ast.expr) -> str:
        return self.text[node.col_offset : node.end_col_offset]

    def column(self, node: ast.expr) -> int:
        return self.shift + node.col_offset + 1


def _negated(node: Node) -> Node:
    if isinstance(node, Number):
        return Number(-node.value, node.column)
    return Product((Number(Fraction(-1), node.column), node), node.column)
