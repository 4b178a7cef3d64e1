"""What several commands read: lists of networks, numbers with units, and where a network text came from."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from polygeom.errors import PolygeomError

MOST_LINE = 100_000


def network_texts(texts: Sequence[str], files: Sequence[str] = ()) -> Iterator[str]:
    """Network texts from arguments, ``-`` for standard input, and files: one a line, ``#`` begins a comment."""
    for text in texts:
        if text == "-":
            yield from _lines(sys.stdin, "standard input")
        else:
            yield text
    for file in files:
        try:
            with Path(file).open(encoding="utf-8") as stream:
                yield from _lines(stream, file)
        except OSError as error:
            raise PolygeomError(
                f"--from: cannot read {file}: {error.strerror}; write the path of a text file"
            ) from error


def _lines(stream: Iterable[str], name: str) -> Iterator[str]:
    try:
        for number, line in enumerate(stream, start=1):
            if len(line) > MOST_LINE:
                raise PolygeomError(
                    f"{name}, line {number}: more than {MOST_LINE} characters; write one network a line"
                )
            text = line.split("#", 1)[0].strip()
            if text:
                yield text
    except UnicodeDecodeError as error:
        raise PolygeomError(f"{name}: not text in UTF-8 ({error.reason}); write one network a line") from error
