"""Reading files that somebody gave us: never more bytes than a limit, also after unpacking, and errors in words."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

from polygeom.errors import PolygeomError

MOST = 2**30
"""Bytes of the largest file that is read, and of what a compressed one may become."""
_STEP = 2**20
MOST_TEXT = 2**28
"""Bytes of the largest file of text that is parsed, which takes several times its size."""


def read_file(path: str | os.PathLike[str], name: str, *, most: int = MOST) -> bytes:
    """The content of a file, or of a pipe until its end.

    Parameters
    ----------
    path, name:
        The file, and the argument or option that it came from.
    most:
        Bytes; what has more is refused after reading as much, also a device that never ends.

    Raises
    ------
    PolygeomError
        When it cannot be read or has more bytes.
    """
    data = bytearray()
    try:
        with Path(path).open("rb", buffering=0) as file:
            # Not in one call, which would make room for as much as is allowed.
            while len(data) <= most and (part := file.read(_STEP)):
                data += part
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PolygeomError(f"{name}: cannot read {os.fspath(path)}: {reason}; write the path of a file") from None
    if len(data) > most:
        raise PolygeomError(f"{name}: {os.fspath(path)} has more than {most} bytes; write a smaller file")
    return bytes(data)


def read_text(path: str | os.PathLike[str], name: str, *, most: int = MOST_TEXT) -> str:
    """The content of a file of text in UTF-8, with or without a byte order mark; raises as `read_file`."""
    try:
        return read_file(path, name, most=most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolygeomError(
            f"{name}: {os.fspath(path)} is not text in UTF-8 (byte {error.start}); save it as text in UTF-8"
        ) from None


def unpack_gzip(data: bytes, name: str, *, most: int = MOST) -> bytes:
    """What ``data`` in the gzip format becomes, which is never more than ``most`` bytes of memory.

    Raises
    ------
    PolygeomError
        When it is no complete gzip file, or would become larger.
    """
    parts: list[bytes] = []
    size, rest = 0, data
    try:
        while rest or not parts:  # a file may have several members
            unpacker = zlib.decompressobj(wbits=31)
            part = unpacker.decompress(rest, most + 1 - size)
            size += len(part)
            if size > most:
                raise PolygeomError(f"{name}: unpacks to more than {most} bytes; it is not what it should be")
            if not unpacker.eof:
                raise zlib.error("it ends too early")
            parts.append(part)
            rest = unpacker.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise PolygeomError(
            f"{name}: must be a complete gzip file, but it cannot be unpacked ({error}); fetch it again"
        ) from None
    return b"".join(parts)


def check_archive(path: str | os.PathLike[str], name: str, *, most: int = MOST) -> None:
    """Refuse a zip archive, such as an ``.npz`` file, that says it would unpack to more than ``most`` bytes.

    Raises
    ------
    PolygeomError
        When it would; what is no zip archive is left to whoever reads it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return
    if size > most:
        raise PolygeomError(f"{name}: {os.fspath(path)} unpacks to {size} bytes, more than {most}; write a smaller one")


__all__ = ["MOST", "MOST_TEXT", "check_archive", "read_file", "read_text", "unpack_gzip"]
