"""All public names with one line each, as a page: ``python -m polygeom.testing.names > docs/api/names.md``."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator

ROOMS = (
    "polygeom",
    "polygeom.network",
    "polygeom.maps",
    "polygeom.exchange",
    "polygeom.dimensions",
    "polygeom.ideal",
    "polygeom.tables",
    "polygeom.datasets",
    "polygeom.learning.networks",
    "polygeom.learning.training",
    "polygeom.learning.tangent",
    "polygeom.learning.kernels",
    "polygeom.learning.regions",
    "polygeom.learning.thresholds",
    "polygeom.learning.functions",
    "polygeom.experiments",
    "polygeom.report",
)
"""The rooms for users, in the order of the house; the others are for those who work on it."""

_HEAD = """# All public names

Made by `python -m polygeom.testing.names`. Every name is listed once, where it is shortest to reach.
"""


def names() -> Iterator[tuple[str, str, str]]:
    """Room, name and first line of the docstring of everything public, each object once."""
    seen: list[object] = []
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in sorted(getattr(module, "__all__", ()), key=str.lower):
            value = getattr(module, name)
            if name.startswith("__") or any(value is other for other in seen):
                continue
            seen.append(value)
            yield room, name, _line(value)


def _line(value: object) -> str:
    """The first sentence of what a name says about itself; constants say what they are."""
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return f"A constant: {type(value).__name__}."
    text = (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ")
    return text.replace("|", "\\|")


def page() -> str:
    """The page as Markdown."""
    lines = [_HEAD]
    current = ""
    for room, name, line in names():
        if room != current:
            current = room
            lines.append(f"\n## {room}\n\n| name | what it is |\n| --- | --- |")
        lines.append(f"| `{name}` | {line} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
