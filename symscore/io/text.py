"""Read delimited text so strictly that no wrong number comes out of it.

A cell is a decimal literal of ASCII digits, finite as a float64, with blanks around it at most.
What ``float`` accepts beyond that (``1_000``, ``nan``, digits of other scripts) is refused, and so
is every first row that might be either names or numbers.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import NoReturn, TextIO, final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadData

Pick = Callable[[Sequence[str]], list[int]]

_CELL = re.compile(r" *[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *")
# float() accepts a text over these characters exactly if it matches _CELL, which takes longer.
_PLAIN = re.compile(r"[0-9+\-.eE ]*")
_BREAK = re.compile(r"\r\n|\r|\n")
_MISSING = frozenset({"NA", "N/A", "NULL", "null", "None"})
_DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons", " ": "blanks"}
_BLOCK_ROWS = 8192
_SHOWN = 40


@final
@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive rows of cells, and the line of the file on which each begins."""

    lines: list[int]
    rows: list[list[str]]

    def cut(self, start: int, stop: int | None = None) -> "_Block":
        return _Block(self.lines[start:stop], self.rows[start:stop])


def read_text(
    path: Path, delimiter: str, pick: Pick
) -> tuple[tuple[str, ...], FloatArray, list[int]]:
    """Read the columns that `pick` chooses from a text file with one row of cells a line.

    Parameters
    ----------
    path : pathlib.Path
        A file in UTF-8.
    delimiter : str
        The one character between cells.
    pick : callable
        Maps the names of all columns to the positions of those wanted.

    Returns
    -------
    names : tuple of str
        Names of the columns read; ``x0, x1, ...`` where the file has none.
    values : (n, k) float64
    lines : list of int
        The line of the file on which each row begins.

    Raises
    ------
    BadData
        Anything in the file is not as it should be; the message has the line and the column.
    """
    try:
        with _open(path) as file:
            return _parse(path, file, delimiter, pick)
    except UnicodeDecodeError:
        raise BadData(_undecodable(path)) from None
    except csv.Error:
        raise BadData(_malformed(path, delimiter)) from None


def header_fault(name: str) -> str | None:
    """Say why `name` is unfit to head a column of a text file, or return None.

    A fit name cannot be mistaken for a number, a missing value or a spreadsheet formula.
    """
    if not name or name != name.strip():
        return "is empty or has blanks around it"
    if name[0] in "=+-@":
        return "begins like a spreadsheet formula"
    if name[0].isdigit() or name[0] == ".":
        return "begins like a number"
    if name in _MISSING or _is_float(name):
        return "reads as a missing or infinite value"
    if not name.isprintable():
        return "has control characters"
    return "has a semicolon" if ";" in name else None


def _is_float(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _open(path: Path) -> TextIO:
    return open(path, encoding="utf-8-sig", newline="")


def _parse(
    path: Path, file: Iterable[str], delimiter: str, pick: Pick
) -> tuple[tuple[str, ...], FloatArray, list[int]]:
    blocks = _blocks(path, file, delimiter)
    first = next(blocks, None)
    if first is None:
        raise BadData(f"{path}: Expected rows of numbers; the file is empty.")
    line, cells = first.lines[0], first.rows[0]
    _check_first(path, line, cells, delimiter)
    names, has_header = _names(path, line, cells)
    picked = pick(names)
    chosen = tuple(names[j] for j in picked)
    if has_header:
        _check_fit(path, line, chosen)
        first = first.cut(1)
    values: list[FloatArray] = []
    lines: list[int] = []
    for block in chain([first], blocks):
        values.append(_numbers(path, names, picked, block))
        lines += block.lines
    if not lines:
        raise BadData(f"{path}: Expected rows of numbers below the header; there are none.")
    return chosen, np.concatenate(values), lines


def _blocks(path: Path, file: Iterable[str], delimiter: str) -> Iterator[_Block]:
    """Cut the rows into blocks, leaving out blank lines at the end of the file."""
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    blank = 0
    while True:
        start = reader.line_num + 1
        rows = list(islice(reader, _BLOCK_ROWS))
        if not rows:
            return
        block = _Block(_lines(start, rows, reader.line_num), rows)
        kept = len(rows)
        while kept and _is_blank(rows[kept - 1]):
            kept -= 1
        if kept and blank:
            raise _blank_line(path, blank)
        if kept < len(rows):
            blank = blank or block.lines[kept]
        if kept:
            yield block.cut(0, kept)


def _lines(start: int, rows: list[list[str]], last: int) -> list[int]:
    if last - start + 1 == len(rows):
        return list(range(start, last + 1))
    spans = [1 + sum(len(_BREAK.findall(cell)) for cell in row) for row in rows]
    return list(accumulate(spans[:-1], initial=start))


def _is_blank(row: list[str]) -> bool:
    # [""] is not blank: it comes from a quoted empty cell, which is a missing value.
    return not row or (len(row) == 1 and row[0].isspace())


def _blank_line(path: Path, line: int) -> BadData:
    return BadData(f"{path}:{line}: Expected a row; got a blank line. Remove it.")


def _check_first(path: Path, line: int, cells: list[str], delimiter: str) -> None:
    if _is_blank(cells):
        raise _blank_line(path, line)
    found = ";" if any(";" in cell for cell in cells) else ""
    if len(cells) == 1:
        (cell,) = cells
        found = found or ("\t" if delimiter == "," and "\t" in cell else "")
        pieces = cell.split()
        if not found and len(pieces) > 1 and all(map(_CELL.fullmatch, pieces)):
            found = " "
    if found:
        want, got = _DELIMITERS[delimiter], _DELIMITERS[found]
        raise BadData(
            f"{path}:{line}: Expected {want} between cells; got {got}. "
            f"Write the file with {want} (and a point as the decimal mark)."
        )


def _names(path: Path, line: int, cells: list[str]) -> tuple[tuple[str, ...], bool]:
    """Return the column names, and whether the first row holds them."""
    numeric = [_CELL.fullmatch(cell) is not None for cell in cells]
    if all(numeric):
        return tuple(f"x{j}" for j in range(len(cells))), False
    if any(numeric):
        name, number = cells[numeric.index(False)], cells[numeric.index(True)]
        raise BadData(
            f"{path}:{line}: Expected a first row of names only or of numbers only; "
            f"got {_show(name)} beside the number {_show(number)}."
        )
    names = tuple(cell.strip() for cell in cells)
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        repeated = ", ".join(twice)
        raise BadData(f"{path}:{line}: Expected distinct column names; repeated: {repeated}.")
    return names, True


def _check_fit(path: Path, line: int, names: Sequence[str]) -> None:
    for name in names:
        fault = header_fault(name)
        if fault:
            raise BadData(
                f"{path}:{line}: Expected column names or plain numbers in the first row; "
                f"got {_show(name)}, which {fault}. Rename the column or correct the number."
            )


def _numbers(path: Path, names: Sequence[str], picked: list[int], block: _Block) -> FloatArray:
    _check_lengths(path, len(names), block)
    rows = block.rows
    if picked != list(range(len(names))):
        rows = [[row[j] for j in picked] for row in rows]
    values = _floats(list(chain.from_iterable(rows)))
    if values is None:
        _refuse_cell(path, [names[j] for j in picked], _Block(block.lines, rows))
    return values.reshape(len(rows), len(picked))


def _floats(cells: list[str]) -> FloatArray | None:
    """Return the numbers, or None where a cell is not a finite decimal literal."""
    if not _PLAIN.fullmatch("".join(cells)):
        return None
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _check_lengths(path: Path, want: int, block: _Block) -> None:
    if set(map(len, block.rows)) <= {want}:
        return
    for line, row in zip(block.lines, block.rows, strict=True):
        if _is_blank(row):
            raise _blank_line(path, line)
        if len(row) != want:
            raise BadData(f"{path}:{line}: Expected {want} cells; got {len(row)}.")


def _refuse_cell(path: Path, names: Sequence[str], block: _Block) -> NoReturn:
    """Raise for the first cell at fault."""
    line, name, cell = next(
        (line, name, cell)
        for line, row in zip(block.lines, block.rows, strict=True)
        for name, cell in zip(names, row, strict=True)
        if not (_CELL.fullmatch(cell) and np.isfinite(float(cell)))
    )
    got = _show(cell) if cell.strip() else "an empty cell"
    raise BadData(
        f"{path}:{line}: column {name!r}: Expected a finite decimal number; got {got}. "
        "Correct the cell, or choose the numeric columns with --columns."
    )


def _show(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def _undecodable(path: Path) -> str:
    # The text layer decodes ahead of the rows, so the line is looked for here.
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = line[error.start]
                return f"{path}:{number}: Expected UTF-8 text; got the byte 0x{byte:02x}."
    return f"{path}: Expected UTF-8 text."


def _malformed(path: Path, delimiter: str) -> str:
    # Blocks lose the row they failed in, so it is looked for here.
    with _open(path) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        start, reason = 1, "malformed cells"
        try:
            while next(reader, None) is not None:
                start = reader.line_num + 1
        except csv.Error as error:
            reason = str(error)
    return f"{path}:{start}: Expected well-formed quoting of cells; got: {reason}."
