"""Data tables: CSV, tab-separated text and Parquet files as named columns of finite numbers."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np

from symscore.arrays import FloatArray, check_shape, frozen
from symscore.errors import BadData, BadOption, FileProblem
from symscore.io.text import Pick, read_text

Where = Callable[[int], str]  # a row's place in its file, for messages
Reader = Callable[[Path, Pick], tuple[tuple[str, ...], FloatArray, Where]]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Named columns of finite numbers, one row an observation.

    Parameters
    ----------
    values : (n, d) array_like
    names : tuple of str
        One for each column, all different.
    weights : (n,) array_like or None
        Non-negative, not all zero; None where every row counts once.
    source : str
        Where the table comes from, for messages and reports.
    """

    values: FloatArray
    names: tuple[str, ...]
    weights: FloatArray | None
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen(self.values))
        object.__setattr__(self, "names", tuple(self.names))
        check_shape("values", self.values, None, len(self.names))
        if self.weights is not None:
            object.__setattr__(self, "weights", frozen(self.weights))
            check_shape("weights", self.weights, len(self.values))


def read_table(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    weights: str | None = None,
) -> Table:
    r"""Read a table of finite numbers, or refuse with the line and column at fault.

    The suffix names the format: ``.csv`` and ``.txt`` (commas), ``.tsv`` (tabs), ``.parquet``.
    A cell of a text file is a finite decimal literal: there are no missing values. Its first row
    is the header if no cell of it is a number; if all are, the columns are ``x0, x1, ...``.

    Parameters
    ----------
    path : path-like
    columns : sequence of str, optional
        The columns to read, in this order; all but `weights` by default. Other columns may hold
        anything.
    weights : str, optional
        The column that holds the weight of each row.

    Returns
    -------
    Table
        With values of shape (n, d).

    Raises
    ------
    BadData
        The content is at fault; the message says where and what was expected.
    BadOption
        `columns` is not a sequence of distinct names without `weights`.
    FileProblem
        The file cannot be opened, or its suffix is unknown.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "heights.csv"
    ...     written = path.write_text("who,height\nAnn,1.5\nBob,1.75\n")
    ...     table = read_table(path, columns=["height"])
    >>> table.names, table.values.tolist()
    (('height',), [[1.5], [1.75]])
    """
    wanted = _check_columns(columns, weights)
    path = Path(path)
    reader = _reader(path)
    try:
        names, values, where = reader(path, partial(_pick, path, wanted, weights))
    except (FileNotFoundError, NotADirectoryError):
        raise FileProblem(f"{path}: no such file.") from None
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read: {error.strerror or error}.") from error
    if weights is None:
        return Table(values, names, None, str(path))
    _check_weights(values[:, -1], weights, where)
    return Table(values[:, :-1], names[:-1], values[:, -1], str(path))


def _check_columns(columns: Sequence[str] | None, weights: str | None) -> list[str] | None:
    if columns is None:
        return None
    wanted = [columns] if isinstance(columns, str) else list(columns)
    if isinstance(columns, str) or not wanted or len(set(wanted)) < len(wanted):
        raise BadOption(f"Expected columns to be a list of distinct names; got {columns!r}.")
    if weights in wanted:
        raise BadOption(f"Expected columns without the weights; got {weights!r} as both.")
    return wanted


def _pick(
    path: Path, columns: list[str] | None, weights: str | None, available: Sequence[str]
) -> list[int]:
    """Return the positions of the columns to read, that of the weights last."""
    if columns is None:
        columns = [name for name in available if name != weights]
        _check_named(path, columns)
    wanted = columns if weights is None else [*columns, weights]
    for name in wanted:
        if name not in available:
            raise BadData(
                f"{path}: Expected a column {name!r}; there are: "
                f"{', '.join(filter(None, available))}."
            )
    if not columns:
        raise BadData(f"{path}: Expected a column besides the weights {weights!r}; got none.")
    return [available.index(name) for name in wanted]


def _check_named(path: Path, names: Sequence[str]) -> None:
    """Refuse the row numbers that R and pandas write beside the data."""
    for place, name in enumerate(names, start=1):
        if not name or name.startswith("__index_level_"):
            raise BadData(
                f"{path}: Expected a name for every column; column {place} has none and may be "
                "row numbers. Choose the columns with --columns, or write the file without them."
            )


def _check_weights(values: FloatArray, name: str, where: Where) -> None:
    negative = np.flatnonzero(values < 0)
    if len(negative):
        row = negative[0]
        raise BadData(
            f"{where(row)}: column {name!r}: Expected a weight of at least 0; got {values[row]}."
        )
    if not values.any():
        raise BadData(f"{where(0)}: column {name!r}: Expected a positive weight; all are 0.")


def _reader(path: Path) -> Reader:
    suffix = path.suffix.lower()
    if path.is_dir():
        raise FileProblem(f"{path}: Expected a file; this is a directory.")
    if suffix not in _READERS:
        raise FileProblem(
            f"{path}: Expected a data file that ends in {', '.join(_READERS)}; "
            f"got {suffix or 'no suffix'}."
        )
    return _READERS[suffix]


def _read_delimited(
    path: Path, pick: Pick, *, delimiter: str
) -> tuple[tuple[str, ...], FloatArray, Where]:
    names, values, lines = read_text(path, delimiter, pick)
    return names, values, lambda row: f"{path}:{lines[row]}"


def _read_parquet(path: Path, pick: Pick) -> tuple[tuple[str, ...], FloatArray, Where]:
    import pyarrow
    from pyarrow import parquet

    def where(row: int) -> str:
        return f"{path}: row {row + 1}"

    with open(path, "rb") as file:
        try:
            contents = parquet.ParquetFile(file)
            available = tuple(contents.schema_arrow.names)
            if len(set(available)) < len(available):
                raise BadData(f"{path}: Expected distinct column names; got {available}.")
            names = tuple(available[j] for j in pick(available))
            table = contents.read(columns=list(names))
        except (pyarrow.ArrowException, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise BadData(f"{path}: Expected a Parquet file; got: {reason}") from error
    if table.num_rows == 0:
        raise BadData(f"{path}: Expected rows of numbers; there are none.")
    values = [_parquet_column(path, name, table.column(name), where) for name in names]
    return names, np.column_stack(values), where


def _parquet_column(path: Path, name: str, column: Any, where: Where) -> FloatArray:
    from pyarrow import types

    if not (types.is_integer(column.type) or types.is_floating(column.type)):
        raise BadData(
            f"{path}: column {name!r}: Expected numbers; got {column.type}. "
            "Choose the numeric columns with --columns."
        )
    # A missing number becomes NaN here and is refused with the other values that are not finite.
    values = column.to_numpy().astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        row = int(bad[0])
        got = values[row] if column[row].is_valid else "a missing value"
        raise BadData(f"{where(row)}: column {name!r}: Expected a finite number; got {got}.")
    return values


_READERS: dict[str, Reader] = {
    ".csv": partial(_read_delimited, delimiter=","),
    ".txt": partial(_read_delimited, delimiter=","),
    ".tsv": partial(_read_delimited, delimiter="\t"),
    ".parquet": _read_parquet,
}
