"""Zip archives of uncompressed members: fixed bytes when written, suspicion when read."""

import os
import struct
import zipfile
from typing import BinaryIO

from symscore.errors import BadModelFile

_END_BYTES = 22  # of the record that ends a zip archive without a comment
_LOCATOR_BYTES = 20  # of the record before it in an archive with the 64-bit extension
_DIRECTORY_BYTES = 2**20

# What zipfile and numpy raise on damaged directories and members.
DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
)


def new_member(name: str) -> zipfile.ZipInfo:
    """Describe an uncompressed member so that equal content gives equal bytes."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def check_ends(file: BinaryIO, size: int) -> None:
    """Refuse what is no zip archive, has bytes around it, or a directory over 1 MiB.

    :class:`zipfile.ZipFile` would skip such bytes, and builds an object for each entry of a
    directory however large.

    Raises
    ------
    BadModelFile
        With the reason.
    """
    if file.read(4) != b"PK\x03\x04" or size < _END_BYTES + _LOCATOR_BYTES:
        raise BadModelFile("Expected a symscore model; this is another kind of file.")
    file.seek(-_END_BYTES - _LOCATOR_BYTES, os.SEEK_END)
    locator, end = file.read(_LOCATOR_BYTES), file.read(_END_BYTES)
    signature, *disks, _, _, directory_bytes, _, comment_bytes = struct.unpack("<4s4H2LH", end)
    if signature != b"PK\x05\x06" or any(disks) or comment_bytes:
        raise BadModelFile("Expected a complete model file; this one is cut off or extended.")
    if locator.startswith(b"PK\x06\x07") or directory_bytes > _DIRECTORY_BYTES:
        raise BadModelFile("Expected a directory of at most 1 MiB; the archive has a larger one.")


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return the bytes of an uncompressed member, checked against its CRC.

    Raises
    ------
    BadModelFile
        The member is compressed or encrypted, so its size could exceed that of the file.
    """
    stored = member.compress_type == zipfile.ZIP_STORED and member.flag_bits == 0
    if not stored or member.compress_size != member.file_size:
        raise BadModelFile(f"Expected {member.filename} to be stored as it is; it is not.")
    return archive.read(member)
