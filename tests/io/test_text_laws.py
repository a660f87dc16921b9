"""Laws of text and table files, over generated content."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from symscore.errors import BadData, SymscoreError
from symscore.io.draws import write_table
from symscore.io.tables import read_table
from symscore.io.text import header_fault

FINITE = st.floats(allow_nan=False, allow_infinity=False)
CELLS = st.one_of(
    st.text("0123456789+-.eE", max_size=12),
    st.text("0123456789+-.eE _xnaifNA\uff11\u00a0\t", max_size=8),
    FINITE.map(repr),
    st.integers(-(10**30), 10**30).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
)


def expected_number(cell: str) -> float | None:
    """Evaluate a decimal literal by exact rational arithmetic; None if it is none or overflows."""
    cell = cell.strip(" ")
    if not set(cell) <= set("0123456789+-.eE"):
        return None
    try:
        exact = Decimal(cell)
    except InvalidOperation:
        return None
    if exact and not -400 < exact.adjusted() < 400:
        return None if exact.adjusted() > 0 else float(f"{'-' * exact.is_signed()}0")
    try:
        value = float(Fraction(exact))
    except OverflowError:
        return None
    return -0.0 if value == 0 and exact.is_signed() else value


@settings(max_examples=300, deadline=None)
@given(CELLS)
def test_a_cell_is_the_nearest_float_of_its_decimal_or_refused(cell):
    with TemporaryDirectory() as folder:
        path = Path(folder, "d.csv")
        path.write_text(f"k,v\n0,{cell}\n", encoding="utf-8", newline="")
        want = expected_number(cell)
        if want is None:
            with pytest.raises(BadData, match="Expected a finite decimal number"):
                read_table(path)
        else:
            got = read_table(path).values[0, 1]
            assert got.tobytes() == np.float64(want).tobytes()


NAMES = st.text(max_size=8).filter(lambda name: header_fault(name) is None)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([".csv", ".tsv", ".txt", ".parquet"]))
def test_what_is_written_is_read_bit_by_bit(data, suffix):
    names = data.draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    shape = st.tuples(st.integers(1, 5), st.just(len(names)))
    values = data.draw(arrays(np.float64, shape, elements=FINITE))
    with TemporaryDirectory() as folder:
        path = Path(folder, "d.csv" if suffix == ".txt" else f"d{suffix}")
        write_table(path, values, names)
        table = read_table(path.rename(Path(folder, f"d{suffix}")))
    assert table.names == tuple(names)
    assert table.values.tobytes() == np.ascontiguousarray(values).tobytes()


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text('0123456789.,;\t "\n\rabe-', max_size=60).map(str.encode),
    ),
    st.sampled_from(["d.csv", "d.tsv", "d.parquet"]),
)
def test_no_content_does_anything_but_load_or_be_refused(content, name):
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            values, fault = read_table(path).values, str(path)
        except SymscoreError as error:
            values, fault = np.ones(1), str(error)
    assert str(path) in fault
    assert values.size > 0
    assert np.isfinite(values).all()
