"""Data flows one way: no circle of files, no import from a lower floor to a higher one, rooms inside rooms included."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

import polygeom

PACKAGE = Path(polygeom.__file__).parent

FLOORS = (
    {"_version", "_dataclass", "errors", "answers"},
    {"_lazy", "checks"},
    {"modular", "storage", "supervision"},
    {"sweeps"},
    {"network", "engines", "symmetry"},
    {"maps"},
    {"datasets"},
    {"dimensions"},
    {"ideal"},
    {"singularities"},
    {"certificates"},
    {"exchange"},
    {"tables"},
    {"learning"},
    {"experiments"},
    {"testing"},
    {"report"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
"""From the ground up: a file imports from its own floor and from those below it."""
LARGEST_ROOM = 14
"""Files in one folder, its face ``__init__.py`` not counted."""

# Circles that are still to be cut, each named by one file on it. The list only ever gets shorter.
KNOWN_CIRCLES: set[str] = set()
KNOWN_ROOM_CIRCLES: set[str] = set()


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


IMPORT = re.compile(r"^ *((?:from [\w.]+ )?import (?:\([^)]*\)|[^\n(]+))$", re.MULTILINE)


def imports(file: Path) -> Iterator[str]:
    """Every module of the package that a file imports, inside functions and for types alone too."""
    statements = IMPORT.findall(file.read_text(encoding="utf-8"))
    for node in ast.parse("\n".join(statements)).body:  # a tenth of the time that whole files take
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            deep = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in FILES else str(node.module) for name in deep)


@pytest.fixture(scope="module")
def graph() -> nx.DiGraph:
    result = nx.DiGraph()
    result.add_nodes_from(FILES)
    for name, file in FILES.items():
        result.add_edges_from((name, other) for other in imports(file) if other in FILES and other != name)
    return result


def circles(graph: nx.DiGraph) -> list[set[str]]:
    return [circle for circle in nx.strongly_connected_components(graph) if len(circle) > 1]


def rooms_of(graph: nx.DiGraph, room: str) -> nx.DiGraph:
    """The files and rooms directly inside ``room``, an arrow for every import between two of them."""
    inside = nx.DiGraph()
    depth = room.count(".") + 1
    for start, end in graph.edges:
        if start.startswith(f"{room}.") and end.startswith(f"{room}."):
            one, other = start.split(".")[depth], end.split(".")[depth]
            inside.add_edges_from([(one, other)] if one != other else [])
    return inside


def test_the_graph_sees_the_imports(graph: nx.DiGraph) -> None:
    """A test of order over a graph without arrows could not fail."""
    assert graph.has_edge("polygeom.dimensions.compute", "polygeom.dimensions.result")
    assert graph.has_edge("polygeom.cli", "polygeom.errors")
    assert graph.number_of_edges() > 3 * graph.number_of_nodes()


def test_no_circle_of_files(graph: nx.DiGraph) -> None:
    found = circles(graph)
    assert [sorted(circle) for circle in found if not circle & KNOWN_CIRCLES] == []
    assert {name for name in KNOWN_CIRCLES if not any(name in circle for circle in found)} == set(), "take them off"


ROOMS = sorted({name for name, file in FILES.items() if file.name == "__init__.py"})


@pytest.mark.parametrize("room", ROOMS)
def test_no_circle_of_rooms(graph: nx.DiGraph, room: str) -> None:
    found = [sorted(circle) for circle in circles(rooms_of(graph, room))]
    assert bool(found) == (room in KNOWN_ROOM_CIRCLES), found


def floor_of(name: str) -> int:
    room = name.split(".")[1]
    return next(number for number, floor in enumerate(FLOORS) if room in floor)


def test_every_room_has_a_floor() -> None:
    assert {name.split(".")[1] for name in FILES if "." in name} == set().union(*FLOORS)


def test_no_import_goes_up(graph: nx.DiGraph) -> None:
    inside = [edge for edge in graph.edges if "polygeom" not in edge]
    assert [edge for edge in inside if floor_of(edge[0]) < floor_of(edge[1])] == []


def test_nothing_inside_imports_the_face_of_the_package(graph: nx.DiGraph) -> None:
    assert [start for start, end in graph.edges if end == "polygeom"] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_small_enough_to_survey(room: str) -> None:
    files = [file for file in FILES[room].parent.glob("*.py") if file.name != "__init__.py"]
    assert len(files) <= LARGEST_ROOM, [file.name for file in files]
