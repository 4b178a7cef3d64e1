"""The format of files that only grow: lines of JSON with checksums that say what was on the disk before them.

Format 1: each line is JSON, a tab and the CRC-32 of the JSON in hexadecimal. The first line is the header; it may hold
the question that the others answer. Line ``n`` (the header is line 0) is
``{"n": n, "synced": m, "type": …, "data": …}`` and states that the lines before ``m`` were on the disk before it was
written. So a reader can tell a torn end, which nobody was told about and which is cut off, from damage to lines that
counted, which is refused: lines before the largest ``m`` in the file must all be whole. ``cut -f1 FILE`` gives plain
JSON lines.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError

FORMAT = "polygeom journal"
VERSION = 1
_MAGIC = b'{"format":"polygeom journal"'
_ADVICE = "restore a copy, or save what is whole with polygeom.sweeps.salvage_journal(damaged, new) and use that"


def header_line(question: Mapping[str, Any] | None) -> bytes:
    """The first line of a file that answers a question, or no single one."""
    return line({"format": FORMAT, "version": VERSION} | ({} if question is None else {"question": dict(question)}))


def line(value: Mapping[str, Any]) -> bytes:
    """A value as a line."""
    body = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    return b"%s\t%08x\n" % (body, zlib.crc32(body))


def parse_line(text: bytes) -> dict[str, Any] | None:
    """The value of a line without its line end; None when it is not whole."""
    body, _, check = text.rpartition(b"\t")
    if len(check) != 8 or check != b"%08x" % zlib.crc32(body):
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line after the header: what it is, and its JSON."""

    kind: str
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        """What was stored."""
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data


@dataclass(frozen=True, slots=True)
class Scan:
    """The good part of a file: its entries, how many lines there are with the header, and how many bytes they take."""

    entries: list[Entry]
    lines: int
    size: int


def is_torn_header(data: bytes, question: Mapping[str, Any] | None) -> bool:
    """Whether this is what is left when the very first write was cut short: part of the header, or zeros for it."""
    if data.strip(b"\0") == b"":
        return True
    rest = data.rstrip(b"\0")
    header = header_line(question)
    return header.startswith(rest) and rest != header


def scan(data: bytes, path: Path, question: Mapping[str, Any] | None) -> Scan:
    """Read the lines up to the first that is not whole or out of turn.

    Raises
    ------
    PolygeomError
        When the file is another one, answers another question, or a line that counted is not whole.
    """
    lines = data.split(b"\n")
    _check_header(lines[0], path, question)
    entries: list[Entry] = []
    size, synced, good = len(lines[0]) + 1, 1, True
    last = len(lines) - 1
    for number, text in enumerate(lines[1:], start=1):
        value = parse_line(text) if number < last else None
        if value is not None and "synced" in value:
            synced = max(synced, value["synced"])
        if good and value is not None and value.get("n") == len(entries) + 1:
            entries.append(Entry(value["type"], text.rpartition(b"\t")[0]))
            size += len(text) + 1
        else:
            good = False
    if synced > len(entries) + 1:
        raise PolygeomError(
            f"journal: line {len(entries) + 2} of {path} is damaged, though a later line says that it counted; "
            f"{_ADVICE}"
        )
    return Scan(entries, len(entries) + 1, size)


def _check_header(text: bytes, path: Path, question: Mapping[str, Any] | None) -> None:
    header = parse_line(text)
    if header is not None and header.get("format") == FORMAT and header.get("version") == VERSION:
        if header.get("question") != (None if question is None else json.loads(json.dumps(dict(question)))):
            raise PolygeomError(
                f"journal: {path} answers another question or was written by another version; name another file"
            )
        return
    if header is not None and header.get("format") == FORMAT:
        raise PolygeomError(
            f"journal: {path} has format {header.get('version')}, but this polygeom reads {VERSION}; upgrade polygeom"
        )
    if text.startswith(_MAGIC):
        raise PolygeomError(f"journal: the first line of {path} is damaged; {_ADVICE}")
    raise PolygeomError(f"journal: {path} is not a polygeom journal, and was left as it is; name another file")


__all__ = ["FORMAT", "VERSION", "Entry", "Scan", "header_line", "is_torn_header", "line", "parse_line", "scan"]
