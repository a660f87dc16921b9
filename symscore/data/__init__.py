"""Data sets that come with the package; SOURCES.md says where they are from."""

from dataclasses import replace
from importlib.resources import as_file, files

from symscore.io.tables import Table, read_table


def old_faithful() -> Table:
    """Return 272 eruptions of the Old Faithful geyser: their length and the wait for the next.

    Returns
    -------
    Table
        With values of shape (272, 2): ``eruptions`` and ``waiting``, both in minutes, ``waiting``
        rounded to whole minutes.

    Examples
    --------
    >>> table = old_faithful()
    >>> table.names, table.values[0].tolist()
    (('eruptions', 'waiting'), [3.6, 79.0])
    """
    with as_file(files("symscore.data") / "old_faithful.csv") as path:
        return replace(read_table(path), source="old_faithful")
