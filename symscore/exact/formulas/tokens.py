"""What a formula's text may consist of, piece by piece, before Python's parser sees it."""

import keyword
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NoReturn, final

from symscore.errors import BadExpression, BadOption

MAX_LENGTH = 10_000
MAX_TOKENS = 1_000
MAX_BRACKETS = 24
# SymPy takes twice as long and more for every further tanh inside a tanh.
MAX_CALLS_NESTED = 4
MAX_DIGITS = 400
MAX_POWER_OF_TEN = 400

_TOKEN = re.compile(
    r" *(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<operator>\*\*|[-+*/])|(?P<open>\()|(?P<close>\)))",
    re.ASCII,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_GLUED = re.compile(r"[A-Za-z_.]")
_HINTS = {"^": "write ** for powers", ",": "functions take one argument", "=": "no equation"}


def refuse(expected: str, got: str, column: int) -> NoReturn:
    """Raise the :func:`refusal` of a text."""
    raise refusal(expected, got, column)


def refusal(expected: str, got: str, column: int) -> BadExpression:
    """Return the error for a text that cannot be read at a column, counted from 1."""
    shown = got if len(got) <= 40 else got[:40] + "..."
    return BadExpression(f"Expected {expected}; got {shown!a} at column {column}.", column)


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


@final
@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def check_tokens(text: str, names: Collection[str], functions: Collection[str]) -> None:
    """Raise BadExpression unless `text` is made of what a formula may be made of, in order."""
    if len(text) > MAX_LENGTH:
        refuse(f"at most {MAX_LENGTH} characters", f"{len(text)} characters", MAX_LENGTH + 1)
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
