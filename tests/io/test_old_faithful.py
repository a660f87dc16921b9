"""The shipped data set is the published one."""

from pathlib import Path

import numpy as np

import symscore.data
from symscore.data import old_faithful


def test_old_faithful_has_the_published_summary():
    # summary(faithful) and cor(faithful) as R prints them.
    table = old_faithful()
    assert table.names == ("eruptions", "waiting")
    assert table.values.shape == (272, 2)
    assert table.values.min(axis=0).tolist() == [1.6, 43.0]
    assert table.values.max(axis=0).tolist() == [5.1, 96.0]
    assert np.median(table.values, axis=0).tolist() == [4.0, 76.0]
    assert np.round(table.values.mean(axis=0), 3).tolist() == [3.488, 70.897]
    assert round(float(np.corrcoef(table.values.T)[0, 1]), 7) == 0.9008112
    assert table.source == "old_faithful"


def test_every_shipped_file_has_a_source():
    folder = Path(symscore.data.__file__).parent
    sources = (folder / "SOURCES.md").read_text(encoding="utf-8")
    for path in folder.glob("*.csv"):
        assert f"## {path.name}\n" in sources
