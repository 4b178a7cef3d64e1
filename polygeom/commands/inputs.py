"""What several commands read: lists of networks, numbers with units, and where a network text came from."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from polygeom.errors import PolygeomError

MOST_LINE = 100_000


def map_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--map FILE`` of commands whose argument is ``network`` or ``networks``."""
    return click.option(
        "--map",
        "maps",
        multiple=True,
        metavar="FILE",
        help="A polynomial or rational map in FILE instead of a network, as polygeom, Macaulay2, … write it.",
    )(command)


def with_maps(networks: Sequence[str], files: Sequence[str]) -> list[str]:
    """Texts of networks and of the maps in files; at least one."""
    texts = [*networks]
    if files:
        from polygeom.maps import read_map

        texts += [read_map(file).text for file in files]
    if not texts:
        raise PolygeomError('there is no network; write "[3,3,3] r=2", or --map FILE for a map given by formulas')
    return texts


def one_with_maps(network: str | None, files: Sequence[str]) -> str:
    """The text of one network, or of the map in one file."""
    texts = with_maps([] if network is None else [network], files)
    if len(texts) > 1:
        raise PolygeomError(f"this command takes one network or one map, got {len(texts)}; write one of them")
    return texts[0]


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
