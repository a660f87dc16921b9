"""Replace a file as a whole or not at all."""

import errno
import os
import platform
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from symscore.errors import FileProblem, SymscoreError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the body a temporary file to fill, then put it in the place of `path`.

    The temporary file lies in the directory of `path`. When the body ends it is synced to disk
    and renamed over `path`, so at every moment `path` holds the old content or all of the new.
    When the body fails, the temporary file is removed and `path` stays as it was. A writer that
    was killed leaves its temporary file behind; the next one for the same `path` removes it.

    Parameters
    ----------
    path : path-like
        The file to replace; a symbolic link is followed.

    Yields
    ------
    pathlib.Path
        An empty file to write. The body must close it.

    Raises
    ------
    FileProblem
        The file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "note.txt") as temporary:
    ...         written = temporary.write_text("all of it")
    ...     (Path(folder) / "note.txt").read_text()
    'all of it'
    """
    target = Path(os.path.realpath(path))
    try:
        if target.is_dir():
            raise FileProblem(f"{path}: cannot be written because it is a directory.")
        _sweep(target)
        temporary = _create(target)
        try:
            yield temporary
            _sync(temporary)
            if target.exists():
                shutil.copymode(target, temporary)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(target.parent)
    except SymscoreError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileProblem(f"{path}: cannot be written: {reason}.") from error


def _node() -> str:
    """Return a short name of this machine: process ids mean nothing on another one."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _create(target: Path) -> Path:
    # The random part keeps two threads of one process apart.
    suffix = f"{_node()}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary = target.with_name(f".{target.name}.{suffix}.tmp")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return temporary


def _sweep(target: Path) -> None:
    """Remove temporary files for `target` whose writers on this machine are dead."""
    if os.name != "posix":  # elsewhere os.kill(pid, 0) would end the process it asks about
        return
    ours = re.compile(rf"\.{re.escape(target.name)}\.{_node()}-([0-9]+)-[0-9a-f]{{8}}\.tmp")
    for name in os.listdir(target.parent):
        match = ours.fullmatch(name)
        if match and not _is_alive(int(match[1])):
            (target.parent / name).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _sync(path: Path, flags: int = os.O_RDWR) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    """Make the renaming itself survive a loss of power, where the file system can promise that."""
    if os.name != "posix":
        return
    try:
        _sync(directory, os.O_RDONLY)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
