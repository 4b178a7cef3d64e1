"""From files and plain data to typed certificates and back, strictly: what is not exactly of the form is none.

Every kind of certificate is described once, by the types that its checker reads; what is written is a value of them.
Decoding and encoding are msgspec's: the types below state sizes and ranges, unknown fields are refused, integers are
integers. It was chosen over pydantic and cattrs because bounds of sizes and numbers are part of its types, so that they
hold before any work is done, because it needs no other package and because its import costs a few milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from polygeom.errors import BudgetError, CertificateError

MOST_BYTES = 256 * 2**20
"""Largest file that is read unless there is a smaller limit of memory."""
MOST_DEPTH = 600
MOST_TEXT = 100_000
LARGEST = 2**62
FORMAT: Final = 2
"""The format of certificates that is read; every kind has the same."""

Natural = Annotated[int, Meta(ge=0, le=LARGEST)]
Positive = Annotated[int, Meta(ge=1, le=LARGEST)]
Version = Annotated[str, Meta(pattern=r"^[0-9A-Za-z.+-]{1,40}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=MOST_TEXT, pattern=r"^[ -~]+\Z")]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An object of a certificate: exactly its fields, no other; those that have a default may be left out."""


T = TypeVar("T")


def read(path: str | Path, memory: int = MOST_BYTES) -> dict[str, Any]:
    """The plain data of a certificate file.

    Raises
    ------
    CertificateError
        If it cannot be read, is not JSON, or repeats a key.
    BudgetError
        If the file is larger than a tenth of ``memory``, which is what reading it would need.
    """
    most = min(MOST_BYTES, max(memory // 10, 2**16))
    try:
        with Path(path).open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise CertificateError(
            f"certificate: cannot read {path}: {error.strerror}; write the path of a file made by --certificate"
        ) from error
    if len(content) > most:
        raise BudgetError(f"certificate: {path} has more than {most} bytes; allow more with memory")
    return loads(content, str(path))


def loads(content: bytes | str, name: str = "the text") -> dict[str, Any]:
    """The plain data of the JSON text of a certificate; raises `CertificateError` for anything else."""
    try:
        data = json.loads(
            content, object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_float=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise CertificateError(
            f"certificate: {name} is not JSON ({error!s:.200}); write the path of a file made by --certificate"
        ) from None
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise CertificateError(f"certificate: {name} has no field kind; write the path of a file made by --certificate")
    return data


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a key occurs twice")
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name:.40} is not an integer")


def decode(data: Mapping[str, Any], kind: type[T]) -> T:
    """``data`` as a value of the type ``kind``.

    Raises
    ------
    CertificateError
        Where it has not exactly that form; the message says where.
    """
    if data.get("format") != FORMAT:
        raise CertificateError(
            f"certificate: format must be {FORMAT}, got {data.get('format')!r:.40}; a newer format needs a newer "
            "polygeom, an older certificate is written again"
        )
    _plain(data)
    try:
        return msgspec.convert(data, kind, strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise CertificateError(
            f"certificate: {error!s:.300}; this is not a certificate of this version, write it again"
        ) from None


def encode(certificate: Record) -> dict[str, Any]:
    """A certificate as plain data for JSON, read once as its checker will read it.

    Raises
    ------
    CertificateError
        Where it would not be read, a number or a list being too large.
    """
    data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(certificate))
    decode(data, type(certificate))
    return data


def typed(value: Any, kind: type[T]) -> T:
    """A value of the program, or a list of them, as what certificates have in its place: by names of its attributes."""
    try:
        return msgspec.convert(value, kind, from_attributes=True)
    except msgspec.ValidationError as error:
        raise CertificateError(f"certificate: {error!s:.300}; the checker would not read it, keep the result") from None


def _plain(data: Any) -> None:
    """Refuse everything but dicts, lists, integers, strings, booleans and null, and what is nested too deeply."""
    layer = [data]
    for _ in range(MOST_DEPTH):
        kinds = set(map(type, layer))
        if not kinds <= _PLAIN:
            (kind, *_) = kinds - _PLAIN
            raise CertificateError(
                f"certificate: {kind.__name__:.40} is neither text, integer, list nor object; write it again"
            )
        if int in kinds and max(value.bit_length() for value in layer if type(value) is int) > 62:
            raise CertificateError("certificate: an integer beyond 2^62; write the certificate again")
        deeper: list[Any] = []
        if dict in kinds:
            for value in layer:
                if type(value) is dict:
                    if not all(type(key) is str for key in value):
                        raise CertificateError("certificate: keys must be text; write the certificate again")
                    deeper += value.values()
        if list in kinds:
            deeper += chain.from_iterable(value for value in layer if type(value) is list)
        if not deeper:
            return
        layer = deeper
    raise CertificateError("certificate: lists are nested too deeply; write the certificate again")


_PLAIN = {dict, list, int, str, bool, type(None)}
