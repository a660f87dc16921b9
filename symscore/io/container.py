"""The container of a model file: a JSON header and named arrays, checked before they are used.

The file is a standard ``.npz`` that :func:`numpy.load` opens as well: a zip archive of uncompressed
members, ``header.json`` first, then one ``.npy`` for each array in the order of their names. Equal
content gives equal bytes, and no byte of a file is ever executed.
"""

import hashlib
import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from symscore.atomic import atomic_path
from symscore.errors import BadData, BadModelFile, FileProblem, ResourceLimit
from symscore.io.archive import DAMAGE, check_ends, new_member, read_member
from symscore.strict_json import parse_object

FORMAT = "symscore-flow"
FORMAT_VERSION = 1
_HEADER = "header.json"
_HEADER_BYTES = 2**20
_READ_BYTES = 2**30
# Below this, zip archives need no 64-bit extension, and the reader refuses files that have one.
_WRITE_BYTES = 2**31 - 2**22
_RESERVED = ("arrays", "format", "format_version", "sha256")
_DTYPES = {"<f8": np.float64, "<i8": np.int64}
_ARRAY_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_MAX_ARRAYS = 4096
_MAX_NDIM = 32


def write_container(
    path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write a header and arrays to a file, which is replaced as a whole or not at all.

    Parameters
    ----------
    path : path-like
    header : mapping of str to JSON values
        Whatever JSON gives back unchanged: no tuples, no NaN, keys are strings.
    arrays : mapping of str to ndarray
        float64 or int64, of any shape.

    Raises
    ------
    BadData
        The header or an array cannot be stored without loss.
    FileProblem
        The file cannot be written.
    ResourceLimit
        The arrays take 2 GiB or more.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_container(folder + "/m.npz", {"kind": "toy"}, {"a": np.arange(3.0)})
    ...     header, arrays = read_container(folder + "/m.npz")
    >>> header, arrays["a"].tolist()
    ({'kind': 'toy'}, [0.0, 1.0, 2.0])
    """
    names = _sorted_names(arrays)
    if sum(array.nbytes for array in arrays.values()) > _WRITE_BYTES:
        raise ResourceLimit(f"{path}: Expected arrays of less than 2 GiB in all; got more.")
    stored = {name: _storable(name, arrays[name]) for name in names}
    text = _encode_header(header, stored)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(new_member(_HEADER), text)
        for name, array in stored.items():
            content = _npy_prefix(array.shape, array.dtype.str) + array.tobytes()
            archive.writestr(new_member(f"{name}.npy"), content)


def read_container(
    path: str | os.PathLike[str], *, max_bytes: int = _READ_BYTES
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what :func:`write_container` wrote, trusting nothing in the file.

    Parameters
    ----------
    path : path-like
    max_bytes : int
        Files larger than this are refused unread. Arrays cannot take more than the file.

    Returns
    -------
    header : dict
    arrays : dict of str to ndarray
        Read-only, C-contiguous, in the order of their names.

    Raises
    ------
    BadModelFile
        The file is not such a container, is damaged, too large, or from a newer version.
    FileProblem
        The file cannot be opened.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            return _read(file, max_bytes)
    except FileNotFoundError:
        raise FileProblem(f"{path}: no such file.") from None
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read: {error.strerror or error}.") from error
    except BadModelFile as error:
        raise BadModelFile(f"{path}: {error}") from error.__cause__


def _sorted_names(arrays: Mapping[str, np.ndarray]) -> list[str]:
    for name in arrays:
        if not (isinstance(name, str) and _ARRAY_NAME.fullmatch(name)):
            raise BadData(f"Expected array names like 'means' or 'level.3'; got {name!r}.")
    if len(arrays) > _MAX_ARRAYS:
        raise BadData(f"Expected at most {_MAX_ARRAYS} arrays; got {len(arrays)}.")
    return sorted(arrays)


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    kind = array.dtype.newbyteorder("<").str
    if kind not in _DTYPES or isinstance(array, np.ma.MaskedArray) or array.ndim > _MAX_NDIM:
        raise BadData(
            f"Expected array {name!r} of float64 or int64, without a mask; got "
            f"{type(array).__name__} of {array.dtype}."
        )
    return np.asarray(array, dtype=kind, order="C")


def _encode_header(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    taken = [key for key in _RESERVED if key in header]
    if taken:
        raise BadData(f"Expected a header without the reserved keys; got {', '.join(taken)}.")
    declared = {n: {"shape": list(a.shape), "dtype": a.dtype.str} for n, a in arrays.items()}
    own = {"format": FORMAT, "format_version": FORMAT_VERSION, "arrays": declared}
    full = {**header, **own, "sha256": _digest(arrays)}
    try:
        text = json.dumps(full, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
        unchanged = parse_object(text, _HEADER_BYTES) == full
    except (TypeError, ValueError, RecursionError) as error:
        raise BadData(f"Expected a header that JSON can hold; got: {error}.") from error
    if not unchanged:
        raise BadData("Expected a header that JSON gives back unchanged (lists, string keys).")
    return text


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays.values():
        digest.update(array.data)
    return digest.hexdigest()


def _npy_prefix(shape: tuple[int, ...], dtype: str) -> bytes:
    """Return what precedes the data in a .npy file of version 1.0, as numpy.save writes it.

    Spelled out here so that the reader can compare it byte for byte and parse nothing.
    """
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    padded = text.ljust(-(-(11 + len(text)) // 64) * 64 - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode("ascii")


def _read(file: BinaryIO, max_bytes: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    size = os.fstat(file.fileno()).st_size
    if size > max_bytes:
        raise BadModelFile(
            f"Expected a file of at most {max_bytes} bytes; got {size}. "
            "If you trust it, raise max_bytes."
        )
    check_ends(file, size)
    try:
        with zipfile.ZipFile(file) as archive:
            header = _read_header(archive)
            layout = _check_layout(header, archive, size)
            arrays = {name: _read_array(archive, *member) for name, member in layout.items()}
    except BadModelFile:
        raise
    except DAMAGE as error:
        reason = str(error) or "a member that ends too early"
        raise BadModelFile(f"Expected an undamaged archive; got: {reason}.") from error
    if _digest(arrays) != header.get("sha256"):
        raise BadModelFile("Expected arrays with the checksum in the header; the file is damaged.")
    return {key: value for key, value in header.items() if key not in _RESERVED}, arrays


def _read_header(archive: zipfile.ZipFile) -> dict[str, Any]:
    members = archive.infolist()
    if not members or members[0].filename != _HEADER or members[0].header_offset != 0:
        raise BadModelFile(f"Expected a symscore model, {_HEADER} first; got another archive.")
    if members[0].file_size > _HEADER_BYTES:
        raise BadModelFile("Expected a header of at most 1 MiB; got a larger one.")
    try:
        header = parse_object(read_member(archive, members[0]), _HEADER_BYTES)
    except BadModelFile:
        raise
    except ValueError as error:
        raise BadModelFile(f"Expected a header in strict JSON; got {error}.") from error
    version = header.get("format_version")
    if header.get("format") != FORMAT or type(version) is not int or version < 1:
        raise BadModelFile(f"Expected a header of format {FORMAT!r}; got another one.")
    if version > FORMAT_VERSION:
        raise BadModelFile(
            f"Expected format version {FORMAT_VERSION}; got {version}, written by a newer "
            "symscore. Upgrade symscore to read it."
        )
    return header


def _check_layout(
    header: dict[str, Any], archive: zipfile.ZipFile, size: int
) -> dict[str, tuple[zipfile.ZipInfo, tuple[int, ...], str]]:
    """Hold the arrays the header declares against the archive's directory, before reading any."""
    declared = header.get("arrays")
    if not isinstance(declared, dict) or len(declared) > _MAX_ARRAYS:
        raise BadModelFile(f"Expected a header that declares at most {_MAX_ARRAYS} arrays.")
    members = archive.infolist()
    if [member.filename for member in members[1:]] != [f"{name}.npy" for name in declared]:
        raise BadModelFile("Expected the arrays that the header declares; the archive has others.")
    if sum(member.file_size for member in members) > size:
        raise BadModelFile("Expected members that fit into the file; its directory claims more.")
    layout = {}
    for member, (name, entry) in zip(members[1:], declared.items(), strict=True):
        shape, dtype = _declared_array(name, entry)
        if member.file_size != len(_npy_prefix(shape, dtype)) + 8 * math.prod(shape):
            raise BadModelFile(f"Expected array {name!r} of the shape {shape}; got another size.")
        layout[name] = member, shape, dtype
    return layout


def _declared_array(name: str, entry: Any) -> tuple[tuple[int, ...], str]:
    entry = entry if isinstance(entry, dict) else {}
    shape, dtype = entry.get("shape"), entry.get("dtype")
    sizes_ok = (
        isinstance(shape, list)
        and len(shape) <= _MAX_NDIM
        and all(type(length) is int and 0 <= length < 2**48 for length in shape)
    )
    if not (_ARRAY_NAME.fullmatch(name) and sizes_ok and dtype in tuple(_DTYPES)):
        raise BadModelFile(
            f"Expected array {name[:40]!r} to declare a shape and a dtype of "
            f"{' or '.join(_DTYPES)}; got another declaration."
        )
    return tuple(shape), dtype


def _read_array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, shape: tuple[int, ...], dtype: str
) -> np.ndarray:
    content, prefix = read_member(archive, member), _npy_prefix(shape, dtype)
    if not content.startswith(prefix):
        raise BadModelFile(f"Expected {member.filename} as declared in the header; it differs.")
    values = np.frombuffer(content, dtype=dtype, offset=len(prefix)).reshape(shape)
    native = values.astype(_DTYPES[dtype], copy=False)
    native.setflags(write=False)
    return native
