"""Which studies there are: found in the files of the rooms here, without importing them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r'^STUDY = Study\(\s*"([\w-]+)"', re.MULTILINE)


def _find() -> Iterator[tuple[str, str]]:
    here = Path(__file__).parent
    for file in sorted(here.glob("*/*.py")):
        for name in _NAME.findall(file.read_text(encoding="utf-8")):
            yield name, f"polygeom.experiments.{file.parent.name}.{file.stem}"


STUDIES: dict[str, str] = dict(sorted(_find()))
"""Module of every study, by the name used on the command line."""
