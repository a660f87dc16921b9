"""read_table takes exact numbers from good files and names the place at fault in bad ones."""

from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from symscore.errors import BadData, BadOption, FileProblem
from symscore.io.tables import read_table


def write(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "names", "values"),
    [
        ("a,b\n1,2\n3,4\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("1,2\n3,4\n", ("x0", "x1"), [[1, 2], [3, 4]]),
        ("a\n1\n\n\n  \n", ("a",), [[1]]),
        ("a,b\n1,2", ("a", "b"), [[1, 2]]),
        ("\ufeffa,b\n1,2\n", ("a", "b"), [[1, 2]]),
        ("a,b\r\n1,2\r\n", ("a", "b"), [[1, 2]]),
        ("a,b\r1,2\r", ("a", "b"), [[1, 2]]),
        (' a , b\n 1 , +2.\n-.5,"1e-3"\n', ("a", "b"), [[1, 2], [-0.5, 1e-3]]),
        ('"cov[0, 1]","say ""x"""\n1,2\n', ("cov[0, 1]", 'say "x"'), [[1, 2]]),
        ("höhe,Na\n1,2\n", ("höhe", "Na"), [[1, 2]]),
        ("1E5\n", ("x0",), [[1e5]]),
        ("a\n0.1\n4.9e-324\n-0.0\n", ("a",), [[0.1], [4.9e-324], [-0.0]]),
        ("a\n" + "0" * 5000 + "1\n", ("a",), [[1]]),
    ],
)
def test_good_text_gives_its_numbers(tmp_path, content, names, values):
    table = read_table(write(tmp_path, content))
    assert table.names == names
    assert table.values.dtype == np.float64
    assert not table.values.flags.writeable
    np.testing.assert_array_equal(table.values, values)
    assert table.weights is None
    assert table.source == str(tmp_path / "data.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"data\.csv: Expected rows of numbers; the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b\n", "below the header; there are none"),
        ("\n1,2\n", r"data\.csv:1: Expected a row; got a blank line"),
        ("a,b\n1,2\n\n3,4\n", r"data\.csv:3: Expected a row; got a blank line"),
        ("a\n1\n\n2\n", r"data\.csv:3: Expected a row; got a blank line"),
        ("a,b\n1,2\n3\n", r"data\.csv:3: Expected 2 cells; got 1"),
        ("a,b\n1,2\n3,4,5\n", r"data\.csv:3: Expected 2 cells; got 3"),
        ("a,a,b\n1,2,3\n", r"data\.csv:1: Expected distinct column names; repeated: a\."),
        ("a,1\n1,2\n", r"data\.csv:1: Expected a first row .* got 'a' beside the number '1'"),
        ("nan,1\n1,2\n", "first row of names only or of numbers only"),
        (
            "a,b\n1,x\n",
            r"data\.csv:2: column 'b': Expected a finite decimal number; got 'x'.*--col",
        ),
        ("a,b\n1,\n", r"data\.csv:2: column 'b': .* got an empty cell"),
        ("a\n1\n''\n", "got \"''\""),
        ('a\n1\n""\n', r"data\.csv:3: column 'a': .* got an empty cell"),
        ("1,2\n3,x\n", r"data\.csv:2: column 'x1'"),
        ('a,"b\nc"\n1,2\n3,x\n', r"data\.csv:1: .* got 'b\\nc', which has control characters"),
        ("a;b\n1;2\n", r"data\.csv:1: Expected commas between cells; got semicolons"),
        ("1,5;2,5\n3,5;4,5\n", "got semicolons"),
        ("a\tb\n1\t2\n", "Expected commas between cells; got tabs"),
        ("1.0 2.0\n3.0 4.0\n", "Expected commas between cells; got blanks"),
        (",a\n1,2\n", r"Expected a name for every column; column 1 has none .* row numbers"),
        ('a\n1\n"2\n', r"data\.csv:3: Expected well-formed quoting"),
        ('a,b\n1,"2"3\n', r"data\.csv:2: Expected well-formed quoting"),
        (b"a\n1\n\xff\n", r"data\.csv:3: Expected UTF-8 text; got the byte 0xff"),
        ("a\n1\n".encode("utf-16"), r"data\.csv:1: Expected UTF-8 text"),
        ("a\n" + "9" * 400 + "\n", r"data\.csv:2: column 'a': .* got '9{37}\.\.\.'"),
        ("a\n1 2\n", "got '1 2'"),
        ("a\n1\x00\n", r"got '1\\x00'"),
    ],
)
def test_bad_text_is_refused_with_its_place(tmp_path, content, message):
    with pytest.raises(BadData, match=message):
        read_table(write(tmp_path, content))


NO_NUMBERS = [
    "nan",
    "inf",
    "-Infinity",
    "1_000",
    "\uff11\uff12",
    "0x10",
    "1e",
    "e1",
    ".",
    "+-1",
    "1,",
    "1d5",
]
NO_NUMBERS += ["1e999", "-1e400", "NA", "--1", "1.2.3", "1e5.0", "1j", "true", "\u00a01", "½"]


@pytest.mark.parametrize("cell", NO_NUMBERS)
def test_cells_that_other_readers_accept_or_drop_are_refused(tmp_path, cell):
    with pytest.raises(BadData, match=r"data\.csv:2: column 'a'"):
        read_table(write(tmp_path, f'a,b\n"{cell}",1\n'))


@pytest.mark.parametrize(
    "name",
    [
        "nan",
        "Inf",
        "1_000",
        "\uff11\uff12",
        "0x10",
        "1O",
        "NA",
        "NULL",
        "=cmd|calc",
        "+a",
        "-a",
        "@a",
    ],
)
def test_a_first_row_that_may_be_damaged_numbers_is_no_header(tmp_path, name):
    with pytest.raises(BadData, match=r"data\.csv:1: Expected column names or plain numbers"):
        read_table(write(tmp_path, f"{name}\n1\n2\n"))


def test_line_numbers_count_lines_inside_quoted_cells(tmp_path):
    content = 'a,note\n1,"two\nlines"\n2,"more\r\nof\rthem"\nx,plain\n'
    with pytest.raises(BadData, match=r"data\.csv:7: column 'a': .* got 'x'"):
        read_table(write(tmp_path, content), columns=["a"])


@pytest.mark.parametrize("line", [2, 8193, 8194, 20_000, 20_001])
def test_the_place_is_right_in_every_block_of_a_long_file(tmp_path, line):
    cells = ["1"] * 20_000
    cells[line - 2] = "x"
    with pytest.raises(BadData, match=rf"data\.csv:{line}: column 'a'"):
        read_table(write(tmp_path, "a\n" + "\n".join(cells) + "\n"))


@pytest.mark.parametrize("blank", [0, 3, 8191, 8192, 9000])
def test_a_blank_line_is_refused_across_blocks_unless_it_ends_the_file(tmp_path, blank):
    rows = [f"{j}\n" for j in range(blank)]
    long_tail = "\n" * 9000
    if blank:
        table = read_table(write(tmp_path, "a\n" + "".join(rows) + long_tail))
        assert table.values[:, 0].tolist() == list(range(blank))
    with pytest.raises(BadData, match=rf"data\.csv:{blank + 2}: Expected a row; got a blank"):
        read_table(write(tmp_path, "a\n" + "".join(rows) + long_tail + "1\n"))


def test_columns_are_chosen_ordered_and_the_rest_ignored(tmp_path):
    path = write(tmp_path, ",who,b,a\n1,Ann,1.5,2\n2,,3,4\n")
    table = read_table(path, columns=["a", "b"])
    assert table.names == ("a", "b")
    assert table.values.tolist() == [[2, 1.5], [4, 3]]
    with pytest.raises(BadData, match=r"Expected a column 'c'; there are: who, b, a\."):
        read_table(path, columns=["a", "c"])
    with pytest.raises(BadData, match=r"data\.csv:2: column 'who': .* got 'Ann'"):
        read_table(path, columns=["who"])


@pytest.mark.parametrize("columns", ["ab", [], ["a", "a"]])
def test_columns_must_be_a_list_of_distinct_names(tmp_path, columns):
    with pytest.raises(BadOption, match="Expected columns to be a list of distinct names"):
        read_table(write(tmp_path, "a,b\n1,2\n"), columns=columns)


def test_weights_are_taken_out_of_the_values(tmp_path):
    path = write(tmp_path, "a,w,b\n1,0,3\n4,2.5,6\n")
    table = read_table(path, weights="w")
    assert table.names == ("a", "b")
    assert table.values.tolist() == [[1, 3], [4, 6]]
    assert table.weights.tolist() == [0, 2.5]
    assert read_table(path, ["b"], "w").values.tolist() == [[3], [6]]
    with pytest.raises(BadOption, match="Expected columns without the weights; got 'w'"):
        read_table(path, ["a", "w"], "w")
    with pytest.raises(BadData, match="Expected a column 'v'; there are: a, w, b"):
        read_table(path, weights="v")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,w\n1,1\n2,-1\n", r"data\.csv:3: column 'w': Expected a weight of at least 0; got -1"),
        ("a,w\n1,0\n2,0\n", "Expected a positive weight; all are 0"),
        ("w\n1\n", "Expected a column besides the weights 'w'"),
    ],
)
def test_bad_weights_are_refused(tmp_path, content, message):
    with pytest.raises(BadData, match=message):
        read_table(write(tmp_path, content), weights="w")


def test_suffixes(tmp_path):
    comma, tab = "a,b\n1,2\n", "a\tb\n1\t2\n"
    for name, content in [("d.CSV", comma), ("d.txt", comma), ("d.tsv", tab)]:
        assert read_table(write(tmp_path, content, name)).values.tolist() == [[1, 2]]
    with pytest.raises(FileProblem, match=r"ends in \.csv, \.txt, \.tsv, \.parquet; got \.xls"):
        read_table(write(tmp_path, comma, "d.xls"))
    with pytest.raises(FileProblem, match="got no suffix"):
        read_table(write(tmp_path, comma, "d"))
    with pytest.raises(BadData, match=r"Expected tabs between cells; got semicolons"):
        read_table(write(tmp_path, "a;b\n1;2\n", "e.tsv"))


def test_files_that_cannot_be_opened(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileProblem, match=r"folder\.csv: Expected a file; this is a directory"):
        read_table(tmp_path / "folder.csv")
    for path in [tmp_path / "none.csv", tmp_path / "none.parquet", tmp_path / "no" / "x.csv"]:
        with pytest.raises(FileProblem, match="no such file"):
            read_table(path)
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    with pytest.raises(FileProblem, match=r"loop\.csv: cannot be read: Too many levels"):
        read_table(loop)


def test_parquet_gives_its_numbers(tmp_path):
    path = tmp_path / "d.parquet"
    whole = np.array([1, -2, 2**52], dtype=np.int64)
    half = np.array([0.5, 1.5, -2], dtype=np.float16)
    text = ["a", "b", "c"]
    parquet.write_table(pyarrow.table({"n": whole, "h": half, "s": text}), path)
    table = read_table(path, columns=["h", "n"])
    assert table.names == ("h", "n")
    assert table.values.tolist() == [[0.5, 1.0], [1.5, -2.0], [-2.0, 2.0**52]]
    with pytest.raises(BadData, match=r"column 's': Expected numbers; got .*string.*--columns"):
        read_table(path)


def parquet_file(path: Path, **columns: object) -> Path:
    parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1.0, None]}, "row 2: column 'a': Expected a finite number; got a missing value"),
        ({"a": [1, None]}, "row 2: column 'a': Expected a finite number; got a missing value"),
        ({"a": [1.0, 2.0, np.nan]}, "row 3: column 'a': Expected a finite number; got nan"),
        ({"a": [np.inf]}, "row 1: column 'a': Expected a finite number; got inf"),
        ({"a": [True]}, "column 'a': Expected numbers; got bool"),
        ({"a": pyarrow.array([], pyarrow.float64())}, "Expected rows of numbers; there are none"),
        ({"__index_level_0__": [1]}, "Expected a name for every column; column 1 has none"),
    ],
)
def test_bad_parquet_is_refused_with_its_place(tmp_path, columns, message):
    with pytest.raises(BadData, match=message):
        read_table(parquet_file(tmp_path / "d.parquet", **columns))


def test_parquet_with_repeated_names_is_refused(tmp_path):
    table = pyarrow.Table.from_arrays([pyarrow.array([1.0])] * 2, names=["a", "a"])
    parquet.write_table(table, tmp_path / "d.parquet")
    with pytest.raises(BadData, match="Expected distinct column names"):
        read_table(tmp_path / "d.parquet")


def test_damaged_parquet_is_refused_or_harmless(tmp_path):
    whole = parquet_file(tmp_path / "d.parquet", a=np.arange(50.0)).read_bytes()
    for length in range(0, len(whole), 31):
        with pytest.raises(BadData, match="Expected a Parquet file"):
            read_table(write(tmp_path, whole[:length], "cut.parquet"))
    with pytest.raises(BadData, match="Expected a Parquet file"):
        read_table(write(tmp_path, "a,b\n1,2\n", "text.parquet"))
