"""Text to a small checked tree: what a formula may be made of, before any algebra sees it.

The text is cut into numbers, declared names, functions and operators first, so that what Python's
own parser is given is known to be harmless and of bounded size; of its tree only arithmetic and
calls of one argument are taken over. Nothing is ever evaluated as code.
"""

import ast
import keyword
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn, TypeAlias, final

from symscore.errors import BadExpression, BadOption

MAX_LENGTH = 10_000
MAX_TOKENS = 1_500
MAX_BRACKETS = 24
# SymPy takes twice as long and more for every further tanh inside a tanh.
MAX_CALLS_NESTED = 4
MAX_DEPTH = 64
MAX_DIGITS = 400
MAX_POWER_OF_TEN = 400
MAX_EXPONENT = 64

_TOKEN = re.compile(
    r" *(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<operator>\*\*|[-+*/])|(?P<open>\()|(?P<close>\)))",
    re.ASCII,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_GLUED = re.compile(r"[A-Za-z_.]")
_HINTS = {"^": "write ** for powers", ",": "functions take one argument", "=": "no equation"}


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


def refuse(expected: str, got: str, column: int) -> NoReturn:
    """Raise BadExpression with the column, counted from 1, at which `text` cannot be read."""
    shown = got if len(got) <= 40 else got[:40] + "..."
    raise BadExpression(f"Expected {expected}; got {shown!a} at column {column}.", column)


def check_names(names: Collection[str], reserved: Collection[str]) -> None:
    """Raise BadOption unless every name is an ASCII identifier that means nothing else."""
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or keyword.iskeyword(name):
            raise BadOption(
                f"Expected names of letters, digits and underscores that are no Python keywords; "
                f"got {name!a}."
            )
        if name in reserved:
            raise BadOption(f"Expected names other than {', '.join(sorted(reserved))}; got {name}.")
    if len(set(names)) < len(names):
        raise BadOption(f"Expected different names; got {', '.join(names)}.")


def parse(text: str, names: Collection[str], functions: Collection[str]) -> Node:
    """Return the tree of a formula.

    Parameters
    ----------
    text : str
        At most 10,000 characters and 1,500 numbers, names and operators.
    names, functions : collection of str
        What may stand alone, and what may be called.

    Raises
    ------
    BadExpression
        On anything but numbers, names, ``+ - * / **``, brackets and calls of `functions`.
    """
    if not isinstance(text, str):
        raise BadExpression(f"Expected a formula as a string; got a {type(text).__name__}.", 1)
    if len(text) > MAX_LENGTH:
        refuse(f"at most {MAX_LENGTH} characters", f"{len(text)} characters", MAX_LENGTH + 1)
    _check_tokens(text, names, functions)
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
class _Token:
    kind: str
    text: str
    column: int


def _check_tokens(text: str, names: Collection[str], functions: Collection[str]) -> None:
    brackets: list[tuple[int, bool]] = []  # the column, and whether of a function
    before = ""
    for token in _tokens(text):
        kind = "function" if token.text in functions else token.kind
        _check_order(before, kind, token)
        if kind == "number":
            _check_number(token)
        elif kind == "name" and token.text not in names:
            refuse(f"one of {', '.join([*names, *functions])}", token.text, token.column)
        elif kind == "open":
            brackets.append((token.column, before == "function"))
            _check_nesting(brackets)
        elif kind == "close":
            if not brackets:
                refuse("a '(' before this", token.text, token.column)
            brackets.pop()
        before = kind
    end = _Token("end", "the end", len(text) + 1)
    _check_order(before, "end", end)
    if brackets:
        refuse(f"')' for the '(' at column {brackets[-1][0]}", end.text, end.column)


def _check_nesting(brackets: list[tuple[int, bool]]) -> None:
    column, _ = brackets[-1]
    if len(brackets) > MAX_BRACKETS:
        refuse(f"at most {MAX_BRACKETS} brackets inside each other", "more", column)
    if sum(is_call for _, is_call in brackets) > MAX_CALLS_NESTED:
        refuse(f"at most {MAX_CALLS_NESTED} functions inside each other", "more", column)


def _check_order(before: str, kind: str, token: _Token) -> None:
    complete = before in ("number", "name", "close")
    if before == "function" and kind != "open":
        refuse("'(' after a function", token.text, token.column)
    if complete and kind in ("number", "name", "function", "open"):
        refuse("an operator such as *", token.text, token.column)
    if not complete and (kind in ("close", "end") or token.text in ("*", "/", "**")):
        refuse("a number, a name, a function or '('", token.text, token.column)


def _tokens(text: str) -> Iterator[_Token]:
    position, count, end = 0, 0, len(text.rstrip(" "))
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position:].lstrip(" ")
            hint = f" ({_HINTS[rest[0]]})" if rest[0] in _HINTS else ""
            allowed = f"a number, a name, one of + - * / ** or a bracket{hint}"
            refuse(allowed, rest[0], len(text) - len(rest) + 1)
        kind = str(match.lastgroup)
        token = _Token(kind, match[kind], match.start(kind) + 1)
        count += 1
        if count > MAX_TOKENS:
            refuse(f"at most {MAX_TOKENS} numbers, names and operators", "more", token.column)
        position = match.end()
        # Python would read 0x10, 1_000, 2j and 1or 2.
        if kind == "number" and _GLUED.match(text, position):
            refuse("an operator after a number", text[position], position + 1)
        yield token


def _check_number(token: _Token) -> None:
    mantissa, _, power = token.text.lower().partition("e")
    if len(mantissa) > MAX_DIGITS:
        refuse(f"a number of at most {MAX_DIGITS} digits", token.text, token.column)
    if len(power) > 8 or abs(int(power or "0")) > MAX_POWER_OF_TEN:
        refuse(f"a power of ten of at most {MAX_POWER_OF_TEN} in size", token.text, token.column)
    if re.match(r"0\d", token.text) and re.fullmatch(r"\d+", token.text):
        refuse("a whole number without leading zeros", token.text, token.column)


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
        refuse("arithmetic", self.source(node), self.column(node))

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
