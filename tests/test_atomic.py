"""A file is replaced as a whole or not at all, whatever happens to its writer."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from symscore.atomic import atomic_path
from symscore.errors import BadData, FileProblem
from symscore.io.container import read_container, write_container
from symscore.io.draws import write_table

ROOT = Path(__file__).parents[2]


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text("old")
    return path


def assert_untouched(old: Path) -> None:
    assert [entry.name for entry in old.parent.iterdir()] == [old.name]
    assert old.read_text() == "old"


def no_space(*_args: object, **_kwargs: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_half(path: Path, failure: BaseException | type[BaseException]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise failure


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError, BadData])
def test_a_failing_body_leaves_the_old_file(old, failure):
    with pytest.raises(failure):
        write_half(old, failure)
    assert_untouched(old)


def test_a_full_disk_is_a_file_problem(old):
    with pytest.raises(FileProblem, match=r"file\.csv: cannot be written: No space left"):
        write_half(old, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert_untouched(old)


@pytest.mark.parametrize("step", ["fsync", "replace", "open"])
def test_a_failing_step_leaves_the_old_file(old, monkeypatch, step):
    monkeypatch.setattr(f"symscore.atomic.os.{step}", no_space)
    with pytest.raises(FileProblem, match="No space left"), atomic_path(old) as temporary:
        temporary.write_bytes(b"new")
    monkeypatch.undo()
    assert_untouched(old)


@pytest.mark.parametrize(
    ("call", "broken"),
    [
        (lambda path: write_container(path, {}, {"a": np.ones(3)}), "zipfile.ZipFile.writestr"),
        (lambda path: write_table(path, np.ones((3, 1)), ["a"]), "csv.writer"),
    ],
)
def test_every_writer_is_atomic(old, monkeypatch, call, broken):
    monkeypatch.setattr(broken, no_space)
    with pytest.raises(FileProblem, match="No space left"):
        call(old)
    monkeypatch.undo()
    assert_untouched(old)


@pytest.mark.parametrize(
    ("suffix", "broken"),
    [(".parquet", "pyarrow.parquet.write_table"), (".nc", "xarray.Dataset.to_netcdf")],
)
def test_every_table_format_is_atomic(tmp_path, monkeypatch, suffix, broken):
    path = tmp_path / f"file{suffix}"
    path.write_text("old")
    monkeypatch.setattr(broken, no_space)
    with pytest.raises(FileProblem, match="No space left"):
        write_table(path, np.ones((3, 1)), ["a"])
    monkeypatch.undo()
    assert_untouched(path)


def test_content_is_synced_before_it_is_renamed_and_the_directory_after(old, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor):
        steps.append(f"sync {os.readlink(f'/proc/self/fd/{descriptor}')}")
        fsync(descriptor)

    def record_replace(source, target):
        steps.append(f"rename {target}")
        replace(source, target)

    monkeypatch.setattr("symscore.atomic.os.fsync", record_fsync)
    monkeypatch.setattr("symscore.atomic.os.replace", record_replace)
    with atomic_path(old) as temporary:
        temporary.write_text("new")
    assert steps == [f"sync {temporary}", f"rename {old}", f"sync {old.parent}"]


def test_links_are_followed_and_permissions_kept(old):
    old.chmod(0o640)
    link = old.with_name("link.csv")
    link.symlink_to(old)
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert old.read_text() == "new"
    assert old.stat().st_mode & 0o777 == 0o640


def test_new_files_get_the_permissions_of_the_process(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    with atomic_path(tmp_path / "new") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "new").stat().st_mode == plain.stat().st_mode


def test_two_writers_do_not_share_a_temporary_file(old):
    with atomic_path(old) as first, atomic_path(old) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert old.read_text() == "first"


@pytest.mark.parametrize("path", ["none/file.csv", "folder", "file/below.csv"])
def test_places_that_cannot_be_written(tmp_path, path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with (
        pytest.raises(FileProblem, match=f"{path}: cannot be written"),
        atomic_path(tmp_path / path),
    ):
        pytest.fail("the body must not run")


def kill(code: str, path: Path, pause: float = 0.0) -> None:
    """Run `code` on `path` and kill it `pause` seconds after it has printed a line."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE, env=environment
    ) as process:
        process.stdout.readline()
        time.sleep(pause)
        process.kill()


ENDLESS_WRITER = """
import sys, numpy as np
from symscore.io.container import write_container
arrays = {f"a{j}": np.full(30_000, float(j)) for j in range(20)}
print("ready", flush=True)
while True:
    write_container(sys.argv[1], {"who": "writer"}, arrays)
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path):
    path = tmp_path / "model.npz"
    write_container(path, {"who": "first"}, {})
    for pause in np.random.default_rng(0).uniform(0.02, 0.12, size=4):
        kill(ENDLESS_WRITER, path, pause)
        header, _ = read_container(path)
        assert header["who"] in ("first", "writer")


STUCK_WRITER = """
import sys, time
from symscore.atomic import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half of the n")
    print("ready", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_writer_left_is_removed_by_the_next(old):
    kill(STUCK_WRITER, old)
    assert old.read_text() == "old"
    assert len(list(old.parent.iterdir())) == 2
    with atomic_path(old) as temporary:
        temporary.write_text("old")
    assert_untouched(old)


def test_the_temporary_file_of_a_living_writer_is_left_alone(old):
    with atomic_path(old) as temporary:
        with atomic_path(old):
            pass
        assert temporary.exists()
        temporary.write_text("new")
    assert old.read_text() == "new"
