"""What several commands read: lists of networks, numbers with units, and where a network text came from."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from polygeom.errors import PolygeomError

MOST_LINE = 100_000


def takes_maps(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command with the argument ``network``, ``networks`` or ``families`` take ``--map FILE`` or ``--onnx FILE``.

    The texts of these are appended to ``networks`` or ``families``, or are the ``network``; other arguments move up by
    one place.
    """

    @functools.wraps(command)
    def wrapped(maps: tuple[str, ...], models: tuple[str, ...], **arguments: Any) -> Any:
        if "families" in arguments:
            arguments["families"] = (*arguments["families"], *_file_texts(maps, models))
        elif "networks" in arguments:
            arguments["networks"] = tuple(_with_files(arguments["networks"], maps, models))
        else:
            positions = [name for name in ("network", "function") if name in arguments]
            texts = [*_with_files((), maps, models)] if maps or models else []
            texts += [arguments[name] for name in positions if arguments[name] is not None]
            if len(texts) != len(positions):
                wanted = " and ".join(name.upper() for name in positions)
                raise PolygeomError(
                    f"this command takes {wanted}, got {len(texts)} of {len(positions)}; write a network such as "
                    '"[3,3,3] r=2", or --map FILE or --onnx FILE in its place'
                )
            arguments.update(zip(positions, texts, strict=True))
        return command(**arguments)

    wrapped = click.option(
        "--onnx",
        "models",
        multiple=True,
        metavar="FILE",
        help="A model of polynomial layers in an ONNX FILE instead of a network.",
    )(wrapped)
    return click.option(
        "--map",
        "maps",
        multiple=True,
        metavar="FILE",
        help="A polynomial or rational map in FILE instead of a network, as polygeom, Macaulay2, … write it.",
    )(wrapped)


def _with_files(networks: Sequence[str], maps: Sequence[str], models: Sequence[str]) -> list[str]:
    texts = [*networks, *_file_texts(maps, models)]
    if not texts:
        raise PolygeomError(
            'there is no network; write "[3,3,3] r=2", or --map FILE for a map given by formulas, or --onnx FILE for a '
            "model"
        )
    return texts


def _file_texts(maps: Sequence[str], models: Sequence[str]) -> list[str]:
    texts = []
    if maps:
        from polygeom.maps import read_map

        texts += [read_map(file).text for file in maps]
    if models:
        from polygeom.exchange.onnx_models import from_onnx

        texts += [from_onnx(file).network.text for file in models]
    return texts


def network_texts(texts: Sequence[str], files: Sequence[str] = ()) -> Iterator[str]:
    """Network texts from arguments, ``-`` for standard input, and files: one a line, ``#`` begins a comment."""
    for text in texts:
        if text == "-" and sys.stdin is None:
            raise PolygeomError("-: standard input is closed; write networks as arguments, or - < FILE")
        if text == "-":
            yield from _lines(sys.stdin, "standard input")
        else:
            yield text
    for file in files:
        try:
            from pathlib import Path

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
