"""A container loads as it was written or not at all, and never costs more than its file."""

import hashlib
import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symscore.errors import BadData, BadModelFile, FileProblem, ResourceLimit
from symscore.io import container
from symscore.io.container import read_container, write_container

HEADER = {"kind": "toy", "names": ["a", "ü"], "levels": [0.1, 1e-300, -0.0], "deep": {"n": None}}
ARRAYS = {
    "offsets": np.array([0, 2, -(2**63), 2**63 - 1]),
    "means": np.array([[0.1, -0.0], [5e-324, np.nan], [-np.inf, 1e308]]),
    "scalar": np.array(2.5),
    "none": np.empty((0, 3)),
    "level.1": np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.npz"
    write_container(path, HEADER, ARRAYS)
    return path


def assert_same(got: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray]) -> None:
    assert set(got) == set(want)
    for name, array in want.items():
        assert got[name].dtype == array.dtype
        assert got[name].shape == array.shape
        assert got[name].tobytes() == array.tobytes()


def npy(array: np.ndarray) -> bytes:
    """What numpy itself writes."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=array.dtype.hasobject)
    return buffer.getvalue()


def declare(arrays: Mapping[str, np.ndarray], /, **changes: Any) -> dict[str, Any]:
    """Build the header that belongs to `arrays`, by a route of its own."""
    raw = b"".join(array.tobytes() for array in arrays.values())
    return {
        "format": "symscore-flow",
        "format_version": 1,
        "arrays": {n: {"shape": list(a.shape), "dtype": a.dtype.str} for n, a in arrays.items()},
        "sha256": hashlib.sha256(raw).hexdigest(),
    } | changes


def pack(path: Path, members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def forge(path: Path, arrays: Mapping[str, np.ndarray], /, **changes: Any) -> Path:
    """Write the file of another author, with sound checksums around the changed header."""
    header = ("header.json", json.dumps(declare(arrays, **changes)).encode())
    return pack(path, [header, *((f"{name}.npy", npy(a)) for name, a in arrays.items())])


def with_header(path: Path, text: str | bytes) -> Path:
    return pack(path, [("header.json", text.encode() if isinstance(text, str) else text)])


def test_content_comes_back(model):
    header, arrays = read_container(model)
    assert header == HEADER
    assert str(header["levels"][2]) == "-0.0"
    assert_same(arrays, ARRAYS)
    assert list(arrays) == sorted(ARRAYS)
    for array in arrays.values():
        assert array.flags.c_contiguous
        assert array.flags.aligned
        assert not array.flags.writeable


def test_numpy_opens_the_file(model):
    with np.load(model, allow_pickle=False) as archive:
        assert archive.files[0] == "header.json"
        assert_same({name: archive[name] for name in ARRAYS}, ARRAYS)


def test_members_are_byte_by_byte_what_numpy_writes(model):
    with zipfile.ZipFile(model) as archive:
        for name, array in ARRAYS.items():
            assert archive.read(f"{name}.npy") == npy(np.array(array, order="C"))


def test_a_file_of_another_author_is_read(tmp_path):
    arrays = {"b": np.arange(3), "a": np.ones((2, 2))}
    header, got = read_container(forge(tmp_path / "m.npz", arrays, kind="forged"))
    assert header == {"kind": "forged"}
    assert list(got) == ["b", "a"]
    assert_same(got, arrays)


def test_equal_content_gives_equal_bytes(model, tmp_path):
    again = tmp_path / "again.npz"
    backwards = dict(reversed(ARRAYS.items()))
    write_container(again, dict(reversed(HEADER.items())), backwards)
    assert again.read_bytes() == model.read_bytes()


def test_other_byte_orders_are_stored_as_little_endian(tmp_path):
    write_container(tmp_path / "m.npz", {}, {"a": np.array([1.5, 2.5], dtype=">f8")})
    _, arrays = read_container(tmp_path / "m.npz")
    assert arrays["a"].dtype == np.float64
    assert arrays["a"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"format": "mine"}, "without the reserved keys; got format"),
        ({"sha256": "", "arrays": {}}, "without the reserved keys; got arrays, sha256"),
        ({"x": float("nan")}, "Expected a header that JSON can hold"),
        ({"x": np.ones(2)}, "Expected a header that JSON can hold"),
        ({"x": (1, 2)}, "Expected a header that JSON gives back unchanged"),
        ({"x": {1: 2}}, "Expected a header that JSON gives back unchanged"),
        ({1: 2}, "Expected a header that JSON can hold"),
        ({"x": "\ud800"}, "Expected a header that JSON can hold"),
        ({"x": "x" * 2**20}, "more than 1048576"),
        ({"x": json.loads("[" * 40 + "]" * 40)}, "nested deeper than 32"),
    ],
)
def test_headers_that_json_cannot_hold_are_not_written(tmp_path, header, message):
    with pytest.raises(BadData, match=message):
        write_container(tmp_path / "m.npz", header, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "array",
    [
        np.ones(2, dtype=np.float32),
        np.array([1, 2], dtype=np.uint64),
        np.array([True]),
        np.array(["text"]),
        np.array([{}], dtype=object),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.ma.masked_array([1.0, 2.0], [True, False]),
        np.ones(1, dtype=[("a", "f8")]),
    ],
)
def test_arrays_that_would_change_are_not_written(tmp_path, array):
    with pytest.raises(BadData, match="Expected array 'a' of float64 or int64"):
        write_container(tmp_path / "m.npz", {}, {"a": array})


@pytest.mark.parametrize("name", ["", "../a", "a/b", "1a", "ä", "a b", "a" * 101, 3])
def test_array_names_are_plain(tmp_path, name):
    with pytest.raises(BadData, match="Expected array names like"):
        write_container(tmp_path / "m.npz", {}, {name: np.ones(1)})


def test_too_much_is_refused_before_it_is_copied(tmp_path):
    huge = np.broadcast_to(np.float64(0), (2**29,))
    with pytest.raises(ResourceLimit, match="less than 2 GiB"):
        write_container(tmp_path / "m.npz", {}, {"a": huge})
    many = {f"a{j}": np.ones(1) for j in range(5000)}
    with pytest.raises(BadData, match="at most 4096 arrays; got 5000"):
        write_container(tmp_path / "m.npz", {}, many)


def test_the_largest_number_of_arrays_and_the_longest_names_are_read_back(tmp_path):
    arrays = {f"a{j:099}": np.ones(1) for j in range(container._MAX_ARRAYS)}
    write_container(tmp_path / "m.npz", {}, arrays)
    assert len(read_container(tmp_path / "m.npz")[1]) == len(arrays)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(FileProblem, match=r"none\.npz: no such file"):
        read_container(tmp_path / "none.npz")
    with pytest.raises(FileProblem, match="cannot be read: Is a directory"):
        read_container(tmp_path)


def test_no_truncation_loads(model, tmp_path):
    whole = model.read_bytes()
    cut = tmp_path / "cut.npz"
    for length in [*range(0, len(whole), 64), *range(len(whole) - 64, len(whole))]:
        cut.write_bytes(whole[:length])
        with pytest.raises(BadModelFile, match=r"cut\.npz: Expected"):
            read_container(cut)


def test_bytes_around_the_archive_are_refused(model, tmp_path):
    whole = model.read_bytes()
    for content in [whole + b"\0", b"\0" + whole, whole + whole[-22:], b"PK\3\4" + whole]:
        (tmp_path / "long.npz").write_bytes(content)
        with pytest.raises(BadModelFile, match=r"long\.npz: Expected"):
            read_container(tmp_path / "long.npz")


def test_no_flipped_bit_loads_silently_wrong(model, tmp_path):
    whole = model.read_bytes()
    flipped = tmp_path / "flipped.npz"
    rng = np.random.default_rng(3)
    refused = 0
    for bit in rng.choice(8 * len(whole), size=1000, replace=False).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        flipped.write_bytes(damaged)
        try:
            header, arrays = read_container(flipped)
        except BadModelFile as error:
            refused += "flipped.npz: Expected" in str(error)
        else:
            # A flip in what zip archives keep and nobody reads, such as a time stamp.
            assert header == HEADER
            assert_same(arrays, ARRAYS)
            refused += 1
    assert refused == 1000


def test_every_flipped_bit_of_the_content_is_refused(model, tmp_path):
    whole = model.read_bytes()
    with zipfile.ZipFile(model) as archive:
        member = archive.getinfo("means.npy")
    start = member.header_offset + 30 + len(member.filename)
    flipped = tmp_path / "flipped.npz"
    for bit in range(8 * start, 8 * (start + member.file_size), 5):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        flipped.write_bytes(damaged)
        with pytest.raises(BadModelFile):
            read_container(flipped)


def test_the_checksum_guards_against_what_the_archive_does_not(tmp_path):
    path = forge(tmp_path / "m.npz", {"a": np.ones(3)}, sha256=hashlib.sha256(b"").hexdigest())
    with pytest.raises(BadModelFile, match="checksum in the header"):
        read_container(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff", "strict JSON"),
        ("", "strict JSON"),
        ("[1]", "JSON of a list, not an object"),
        ("{} {}", "strict JSON"),
        ('{"x": NaN}', "not finite in JSON: NaN"),
        ('{"x": -Infinity}', "not finite in JSON: -Infinity"),
        ('{"x": 1e999}', "not finite in JSON: 1e999"),
        ('{"x": 1, "x": 2}', "occurs twice in JSON: 'x'"),
        ('{"x": "\\ud800"}', "strict JSON"),
        ('{"x": ' + "9" * 10_000 + "}", "strict JSON"),
        ('{"x": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested deeper than 32"),
        ('{"x": ' + "[" * 200_000, "nested deeper than 32"),
        ('{"x": "' + "[" * 100 + '\\""}', "Expected a header of format 'symscore-flow'"),
        ("{}", "Expected a header of format 'symscore-flow'"),
        (" " * (2**20 + 1), "Expected a header of at most 1 MiB"),
    ],
)
def test_hostile_headers_are_refused(tmp_path, text, message):
    with pytest.raises(BadModelFile, match=rf"m\.npz: .*{message}"):
        read_container(with_header(tmp_path / "m.npz", text))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "format 'symscore-flow'"),
        ({"format_version": 0}, "format 'symscore-flow'"),
        ({"format_version": True}, "format 'symscore-flow'"),
        ({"format_version": "1"}, "format 'symscore-flow'"),
        ({"format_version": 2}, "got 2, written by a newer symscore. Upgrade"),
        ({"arrays": None}, "declares at most 4096 arrays"),
        ({"arrays": []}, "declares at most 4096 arrays"),
        ({"arrays": {}}, "the archive has others"),
        ({"arrays": {"b": {"shape": [3], "dtype": "<f8"}}}, "the archive has others"),
        ({"arrays": {"a": 3}}, "Expected array 'a' to declare a shape"),
        ({"arrays": {"a": {"shape": 3, "dtype": "<f8"}}}, "Expected array 'a' to declare"),
        ({"arrays": {"a": {"shape": [3.0], "dtype": "<f8"}}}, "Expected array 'a' to declare"),
        ({"arrays": {"a": {"shape": [True], "dtype": "<f8"}}}, "Expected array 'a' to declare"),
        ({"arrays": {"a": {"shape": [-3], "dtype": "<f8"}}}, "Expected array 'a' to declare"),
        ({"arrays": {"a": {"shape": [1] * 33, "dtype": "<f8"}}}, "Expected array 'a' to declare"),
        ({"arrays": {"a": {"shape": [3], "dtype": "|O"}}}, "Expected array 'a' to declare"),
        ({"arrays": {"a": {"shape": [3], "dtype": ["<f8"]}}}, "Expected array 'a' to declare"),
        ({"arrays": {"a": {"shape": [3], "dtype": "<f4"}}}, "Expected array 'a' to declare"),
        ({"arrays": {"a": {"shape": [3], "dtype": "<i8"}}}, "as declared in the header"),
        ({"arrays": {"a": {"shape": [3, 1], "dtype": "<f8"}}}, "as declared in the header"),
        ({"arrays": {"a": {"shape": [4], "dtype": "<f8"}}}, "got another size"),
        ({"arrays": {"a": {"shape": [2**40, 2**40], "dtype": "<f8"}}}, "got another size"),
        ({"arrays": {"a": {"shape": [0, 2**47], "dtype": "<f8"}}}, "got another size"),
        ({"sha256": None}, "checksum"),
        ({"sha256": "é"}, "checksum"),
    ],
)
def test_headers_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(BadModelFile, match=rf"m\.npz: .*{message}"):
        read_container(forge(tmp_path / "m.npz", {"a": np.ones(3)}, **changes))


def test_other_files_are_refused(tmp_path):
    for content in [b"", b"PK", b"not a model" * 10, pickle.dumps({"a": 1}) + b"." * 60]:
        (tmp_path / "m.npz").write_bytes(content)
        with pytest.raises(BadModelFile, match="another kind of file"):
            read_container(tmp_path / "m.npz")
    np.savez(tmp_path / "plain.npz", a=np.ones(3))
    with pytest.raises(BadModelFile, match=r"header\.json first; got another archive"):
        read_container(tmp_path / "plain.npz")
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    with pytest.raises(BadModelFile, match="another kind of file"):
        read_container(tmp_path / "empty.npz")


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("code of the file was run",)


def test_pickled_objects_are_refused_unread(tmp_path):
    objects = npy(np.array([Bomb()], dtype=object))
    entry = {"shape": [len(objects) // 8], "dtype": "<f8"}
    padded = objects.ljust(128 + 8 * (len(objects) // 8), b".")
    for content in [objects, padded]:
        header = json.dumps(declare({}, arrays={"a": entry})).encode()
        pack(tmp_path / "m.npz", [("header.json", header), ("a.npy", content)])
        with pytest.raises(BadModelFile, match=r"another size|as declared in the header"):
            read_container(tmp_path / "m.npz")


def test_members_must_be_those_declared_in_their_order(tmp_path):
    arrays = {"a": np.ones(2), "b": np.zeros(2)}
    header = ("header.json", json.dumps(declare(arrays)).encode())
    a, b = (("a.npy", npy(arrays["a"])), ("b.npy", npy(arrays["b"])))
    pack(tmp_path / "m.npz", [header, a, b])
    read_container(tmp_path / "m.npz")
    for members in [[header, b, a], [header, a], [header, a, b, ("c", b"")], [a, header, b]]:
        pack(tmp_path / "m.npz", members)
        with pytest.raises(BadModelFile, match=r"the archive has others|got another archive"):
            read_container(tmp_path / "m.npz")


def deflated(path: Path) -> Path:
    """Two MiB of zeros in a few kB, with a header that says so."""
    arrays = {"a": np.zeros(2**18)}
    members = [("header.json", json.dumps(declare(arrays)).encode()), ("a.npy", npy(arrays["a"]))]
    return pack(path, members, zipfile.ZIP_DEFLATED)


def claims_more_than_the_file(path: Path) -> Path:
    """A directory and a header that declare 1 GiB in a file of some hundred bytes."""
    small = {"a": np.zeros(0)}
    entry = {"a": {"shape": [2**27], "dtype": "<f8"}}
    whole = bytearray(forge(path, small, arrays=entry).read_bytes())
    directory = whole.rindex(b"PK\1\2")
    struct.pack_into("<LL", whole, directory + 20, 128 + 2**30, 128 + 2**30)
    path.write_bytes(whole)
    return path


def overlapping(path: Path) -> Path:
    """Forty entries of the directory that share the bytes of one member."""
    arrays = {f"a{j:02}": np.zeros(2**10) for j in range(40)}
    one = forge(path, {"a00": np.zeros(2**10)}, arrays=declare(arrays)["arrays"]).read_bytes()
    end = one.rindex(b"PK\5\6")
    entry = one.rindex(b"PK\1\2")
    more = b"".join(one[entry:end].replace(b"a00", name.encode()) for name in list(arrays)[1:])
    tail = bytearray(one[end:])
    count, size = struct.unpack_from("<HL", tail, 10)
    struct.pack_into("<HHL", tail, 8, count + 39, count + 39, size + len(more))
    path.write_bytes(one[:end] + more + tail)
    return path


def crowded(path: Path) -> Path:
    """A directory of two MiB."""
    members = [("header.json", b"{}"), *((f"{j:0100}", b"") for j in range(15_000))]
    return pack(path, members)


def zip64(path: Path) -> Path:
    """The 64-bit extension, which moves the directory to where the usual record does not say."""
    whole = forge(path, {"a": np.zeros(2)}).read_bytes()
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    path.write_bytes(whole[:-22] + locator + whole[-22:])
    return path


def encrypted(path: Path) -> Path:
    whole = bytearray(forge(path, {"a": np.zeros(2)}).read_bytes())
    whole[whole.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(whole)
    return path


BOMBS = [deflated, claims_more_than_the_file, overlapping, crowded, zip64, encrypted]


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_bombs_are_refused_within_the_size_of_their_file(tmp_path, bomb):
    path = bomb(tmp_path / "m.npz")
    tracemalloc.start()
    try:
        with pytest.raises(BadModelFile, match=r"m\.npz: Expected"):
            read_container(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Beyond twice the file: what parsing the header and the directory takes at most.
    assert peak < 2 * path.stat().st_size + 2**20


def test_large_files_are_refused_unread(model):
    size = model.stat().st_size
    with pytest.raises(BadModelFile, match=f"at most {size - 1} bytes; got {size}.*max_bytes"):
        read_container(model, max_bytes=size - 1)
    read_container(model, max_bytes=size)
