"""Sums come back from a file as they were written, or not at all."""

import numpy as np
import pytest

from symscore.errors import BadModelFile, FileProblem, SymscoreError
from symscore.io.container import read_container, write_container
from symscore.io.model_file import load, save
from symscore.io.statistics_file import load_statistics, save_statistics
from symscore.learn.ladder_design import LadderDesign, LevelDesign, MemberDesign
from symscore.learn.score_statistics import ScoreStatistics
from symscore.learn.stream import BLOCK
from tests.flows import make_flow, make_ladder, random_frame, random_mixture


def make_statistics(n: int = 50, stream: int = 0) -> ScoreStatistics:
    """Ragged levels: one to three members, cells and degrees 0 to 2; some ridges are infinite."""
    ladder = make_ladder(random_mixture(2, 2, 0), frame=random_frame(2, 1), max_ratio=2.4)
    ridges, levels = (1e-2, np.inf, 0.1), []
    for i in range(len(ladder.fields)):
        members = [
            MemberDesign(random_mixture(2, 1 + k % 3, k), k % 4 % 3, ridges[k % 3], 3.0)
            for k in range(i, 2 * i % 3 + i + 1)
        ]
        shares = np.arange(1.0, len(members) + 1)
        levels.append(LevelDesign(tuple(members), shares / shares.sum()))
    names = ("a", "höhe")
    design = LadderDesign(ladder.frame, ladder.schedule, tuple(levels), names, 0.1, pairs=1)
    empty = ScoreStatistics.empty(design, seed=2**64 - 1, stream=stream)
    return empty.added(rows(n, stream), np.linspace(0.5, 2.0, n))


def rows(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 2))


def assert_same(got: ScoreStatistics, want: ScoreStatistics) -> None:
    assert got.fingerprint == want.fingerprint
    assert (got.seed, got.streams, got.n_rows) == (want.seed, want.streams, want.n_rows)
    assert (got.tail is None) == (want.tail is None)
    for a, b in zip(got.sums, want.sums, strict=True):
        assert a.gram.tobytes() == b.gram.tobytes()
        assert a.cross.tobytes() == b.cross.tobytes()
        assert (a.kappa, a.degree, a.rho) == (b.kappa, b.degree, b.rho)
        assert (a.energy, a.weight) == (b.energy, b.weight)
    if got.tail is not None and want.tail is not None:
        assert got.tail.rows.tobytes() == want.tail.rows.tobytes()
        assert got.tail.weights.tobytes() == want.tail.weights.tobytes()


VALUES = {
    "no rows": lambda: make_statistics(0),
    "an unfinished block": make_statistics,
    "whole blocks": lambda: make_statistics(BLOCK),
    "whole blocks and more": lambda: make_statistics(BLOCK + 3),
    "merged": lambda: make_statistics() + make_statistics(stream=7),
    "merged and nothing left": lambda: make_statistics() - make_statistics(),
}


@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_sums_come_back(make, tmp_path):
    value = make()
    save_statistics(value, tmp_path / "sums.npz")
    assert_same(load_statistics(tmp_path / "sums.npz"), value)


def test_a_loaded_value_goes_on_as_if_nothing_had_happened(tmp_path):
    value = make_statistics(BLOCK - 10)
    save_statistics(value, tmp_path / "sums.npz")
    loaded, more = load_statistics(tmp_path / "sums.npz"), rows(30, 5)
    assert_same(loaded.added(more), value.added(more))
    assert_same(loaded + make_statistics(stream=1), value + make_statistics(stream=1))
    for got, want in zip(loaded.ladder().fields, value.ladder().fields, strict=True):
        assert got.shares.tobytes() == want.shares.tobytes()
        members = zip(got.members, want.members, strict=True)
        assert all(a.coef.tobytes() == b.coef.tobytes() for a, b in members)
    assert loaded.ladder().names == ("a", "höhe")


def test_equal_sums_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        save_statistics(make_statistics(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_changed_byte_is_refused_or_in_nothing_that_is_read(tmp_path):
    value, path = make_statistics(), tmp_path / "sums.npz"
    save_statistics(value, path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    unread = 0
    for place in rng.choice(len(whole), size=300, replace=False).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            got = load_statistics(path)
        except BadModelFile:
            continue
        assert_same(got, value)
        unread += 1
    assert unread <= 30  # zip archives keep a time stamp and attributes of each of 25 members


def rewritten(path, header_changes=(), **array_changes):
    """The file of another author: sound checksums around other content."""
    header, arrays = read_container(path)
    write_container(path, {**header, **dict(header_changes)}, {**arrays, **array_changes})


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("pilot_weight", lambda a: 2 * a, "the design that the fingerprint names"),
        ("pilot_weight", lambda a: -a, "Expected a finite pilot_weight > 0"),
        ("pilot_weight", lambda a: a[:0], "expected the sums of a ladder"),
        ("n_members", lambda a: a[::-1], "expected the sums of a ladder"),
        ("n_members", lambda a: a - 1, "numbers of cells or members are impossible"),
        ("n_members", lambda a: a[:-1], "the pieces of an array take"),
        ("n_members", lambda a: np.append(a, 1), "the pieces of an array take"),
        ("shares", lambda a: 0 * a + 1, "Expected positive shares with sum one"),
        ("shares", lambda a: a[:-1], "the pieces of an array take"),
        ("ridge", lambda a: 2 * a, "the design that the fingerprint names"),
        ("means", lambda a: a + 1, "the design that the fingerprint names"),
        ("scale_tril", lambda a: 2 * a, "the design that the fingerprint names"),
        ("gram", lambda a: a[:-1], "the pieces of an array take"),
        ("cross", lambda a: a[:, :1], "expected the sums of a ladder"),
        ("energy", lambda a: a[:-1], "expected the sums of a ladder"),
        ("energy", lambda a: a * np.nan, "'energy' is not finite"),
        ("n_cells", lambda a: 0 * a, "numbers of cells or members are impossible"),
        ("degree", lambda a: a - 1, "Expected degree >= 0"),
        ("stream_number", lambda a: a - 1, "Expected a stream number"),
        ("stream_rows", lambda a: a + 1, "summed in whole blocks"),
        ("tail_rows", lambda a: a[:, :1], "Expected rows of shape"),
        ("tail_weights", lambda a: a[:-1], "Expected weights of shape"),
    ],
)
def test_impossible_content_is_refused(name, change, message, tmp_path):
    path = tmp_path / "sums.npz"
    save_statistics(make_statistics(), path)
    rewritten(path, **{name: change(read_container(path)[1][name])})
    with pytest.raises(BadModelFile, match=message) as caught:
        load_statistics(path)
    assert "sums.npz" in str(caught.value)


@pytest.mark.parametrize("key", ["seed", "names", "pairs", "fingerprint"])
def test_another_header_is_refused(key, tmp_path):
    path = tmp_path / "sums.npz"
    save_statistics(make_statistics(), path)
    other = {"seed": 3, "names": ["a", "b"], "pairs": 2, "fingerprint": "0" * 64}[key]
    rewritten(path, {key: other})
    with pytest.raises(BadModelFile, match="the design that the fingerprint names"):
        load_statistics(path)


def test_files_of_another_kind(tmp_path):
    save(make_flow(random_mixture(2, 2, 0), max_ratio=2.4), tmp_path / "flow.npz")
    with pytest.raises(BadModelFile, match="the file holds something else"):
        load_statistics(tmp_path / "flow.npz")
    save_statistics(make_statistics(), tmp_path / "sums.npz")
    with pytest.raises(BadModelFile, match="expected a symscore model"):
        load(tmp_path / "sums.npz")
    with pytest.raises(FileProblem, match="no such file"):
        load_statistics(tmp_path / "none.npz")


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "sums.npz"
    save_statistics(make_statistics(), path)
    before = path.read_bytes()
    monkeypatch.setattr("symscore.io.container._WRITE_BYTES", 100)
    with pytest.raises(SymscoreError, match="less than 2 GiB"):
        save_statistics(make_statistics(60), path)
    assert path.read_bytes() == before
