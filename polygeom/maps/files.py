"""Maps from files: polygeom's text, lists of formulas, and ring maps of Macaulay2, Singular, Sage and OSCAR.

The reader looks for one ring map and for the definition of the ring that its images lie in; everything else is passed
over. It runs nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

from polygeom.errors import FormatError, PolygeomError
from polygeom.maps.build import from_text
from polygeom.network import Network
from polygeom.network.limits import LONGEST_TEXT
from polygeom.storage.reading import read_text

_COMMENTS = {
    "Macaulay2": re.compile(r"--[^\n]*|-\*.*?\*-", re.DOTALL),
    "Singular": re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL),
    "Sage": re.compile(r"#[^\n]*"),
    "OSCAR": re.compile(r"#[^\n]*"),
}
_MAPS = {
    "Macaulay2": re.compile(r"\bmap\s*\(\s*(?P<target>\w+)\s*,\s*(?P<source>\w+)\s*,\s*(?:matrix\s*)?(?P<list>\{)"),
    "Singular": re.compile(r"\bmap\s+\w+\s*=\s*(?P<source>\w+)\s*,(?P<list>)"),
    "Sage": re.compile(r"\b(?P<source>\w+)\.hom\s*\(\s*(?P<list>\[)"),
    "OSCAR": re.compile(r"\bhom\s*\(\s*(?P<source>\w+)\s*,\s*(?P<target>\w+)\s*,\s*(?P<list>\[)"),
}
_RINGS = {
    "Macaulay2": re.compile(r"\b(?P<name>\w+)\s*=\s*(?P<field>[A-Za-z]+(?:/\d+)?)\s*\[(?P<names>[^\]]*)\]"),
    "Singular": re.compile(
        r"\bring\s+(?P<name>\w+)\s*=\s*(?P<field>[^,;]+),\s*\(?(?P<names>[^;]*?)\)?\s*,\s*[a-zA-Z()0-9]+\s*;"
    ),
    "Sage": re.compile(r"\b(?P<name>\w+)\.<(?P<names>[^>]*)>\s*=\s*(?:PolynomialRing\s*\(\s*)?(?P<field>\w+)"),
    "OSCAR": re.compile(
        r"\b(?P<name>\w+)\s*,\s*[^=\n]*=\s*polynomial_ring\s*\(\s*(?P<field>\w+(?:\(\d+\))?)\s*,\s*(?P<names>\[[^\]]*\]|[^)]*)"
    ),
}
_FIELDS = ("QQ", "ZZ", "0")
_CLOSING = {"{": "}", "[": "]"}


def read_map(path: str | Path) -> Network:
    """The map that a file describes.

    Parameters
    ----------
    path:
        A text file in UTF-8: the canonical text of a map; formulas, separated by commas or lines, perhaps after a line
        ``parameters: s, t``; or a program of Macaulay2 (``map(S, R, {…})``), Singular (``map f = R, …;``), Sage
        (``R.hom([…], S)``) or OSCAR (``hom(R, S, […])``) that defines both rings and the ring map.

    Raises
    ------
    PolygeomError
        When the file cannot be read, or holds no map or several; `FormatError` with a position in a formula.
    """
    text = read_text(path, "map", most=8 * LONGEST_TEXT)
    try:
        return read_map_text(text)
    except FormatError as error:
        raise FormatError(f"{path}: {error.problem}", error.text, error.position, error.hint) from None
    except PolygeomError as error:
        raise PolygeomError(f"{path}: {error}") from None


def read_map_text(text: str) -> Network:
    """As `read_map`, for the text of such a file.

    Examples
    --------
    >>> print(read_map_text("R = QQ[x,y,z]; S = QQ[s,t]; f = map(S, R, {s^2, s*t, t^2})"))
    map(s,t: x=s^2, y=s*t, z=t^2)
    """
    if len(text) > LONGEST_TEXT:
        raise PolygeomError(f"map: more than {LONGEST_TEXT} characters; write a smaller file")
    for system, pattern in _MAPS.items():
        plain = _COMMENTS[system].sub(" ", text)
        found = list(pattern.finditer(plain))
        if len(found) > 1:
            raise PolygeomError(f"map: {len(found)} ring maps of {system}; keep the one that is meant")
        if found:
            return _read_system(system, plain, found[0])
    lines = [line.split("#", 1)[0].rstrip() for line in text.splitlines()]
    parameters = None
    for number, line in enumerate(lines):
        match = re.match(r"\s*parameters\s*:\s*(.*)", line)
        if match:
            parameters = match.group(1)
            lines[number] = ""
    body = "\n".join(lines).strip()
    if not body:
        raise PolygeomError("map: no formulas; write map(s,t: s^2, s*t, t^2), or formulas one a line")
    return from_text(body, parameters)


def _read_system(system: str, text: str, found: re.Match[str]) -> Network:
    rings = {m.group("name"): m for m in _RINGS[system].finditer(text)}
    groups = found.groupdict()
    images = _images(text, found)
    target = groups.get("target")
    if target is None:  # Singular: the ring in force; Sage: named after the list, or the ring that is not the source
        others = [name for name in rings if name != groups["source"]]
        target = others[-1] if others else groups["source"]
    for name in (groups["source"], target):
        if name not in rings:
            _no_ring(system, name)
        field = rings[name].group("field").strip()
        if field not in _FIELDS:
            raise PolygeomError(
                f"map: the ring {name} has coefficients {field}; write rational coefficients, {_FIELDS[0]}"
            )
    parameters, names = _variables(rings[target]), _variables(rings[groups["source"]])
    network = from_text(_plain(images), parameters)
    if network.output_dimension != len(names):
        raise PolygeomError(
            f"map: {network.output_dimension} images for {len(names)} variables of {groups['source']}; write one image "
            "for each"
        )
    return from_text(_plain(images), parameters, names)


def _images(text: str, found: re.Match[str]) -> str:
    opening = found.group("list")
    start = found.end()
    if not opening:  # Singular: up to the semicolon
        end = text.find(";", start)
        if end < 0:
            _unfinished(text, start, ";")
        return text[start:end]
    depth = 1
    for position in range(start, len(text)):
        depth += (text[position] in "{[") - (text[position] in "}]")
        if depth == 0:
            return text[start:position].strip().strip("{}")
    return _unfinished(text, start, _CLOSING[opening])


def _unfinished(text: str, start: int, symbol: str) -> NoReturn:
    raise FormatError(
        f"map: its list of images has no closing {symbol}", text, start, f"write {symbol} after the last one"
    )


def _no_ring(system: str, name: str) -> NoReturn:
    examples = {
        "Macaulay2": f"{name} = QQ[s,t]",
        "Singular": f"ring {name} = 0,(s,t),dp;",
        "Sage": f"{name}.<s,t> = QQ[]",
        "OSCAR": f'{name}, (s,t) = polynomial_ring(QQ, ["s","t"])',
    }
    raise PolygeomError(f"map: no definition of the ring {name}; write {examples[system]} before the map")


def _variables(ring: re.Match[str]) -> list[str]:
    """The names of a ring's variables, ranges ``x_0..x_3`` written out."""
    names: list[str] = []
    for entry in re.split(r",(?![^()]*\))", ring.group("names").strip("[] ")):
        entry = entry.strip().strip("\"':")
        if not entry or "=>" in entry:
            continue
        ends = [part.strip() for part in entry.split("..")]
        if len(ends) == 1:
            names.append(_plain(entry))
            continue
        first, last = (re.fullmatch(r"([A-Za-z]\w*?)[_(\[]*(\d+)[)\]]*", _plain(end)) for end in ends)
        if first is None or last is None or first.group(1) != last.group(1):
            raise PolygeomError(f"map: cannot read the variables {entry!r:.40}; write them out, x_0,x_1,x_2")
        stem = _plain(ends[0])[: -len(first.group(2))]
        names += [f"{stem}{k}" for k in range(int(first.group(2)), int(last.group(2)) + 1)]
    return names


def _plain(text: str) -> str:
    """Indexed variables as names: ``x_(1,2)``, ``x[1,2]`` and ``x(1)(2)`` of a declared letter become ``x_1_2``."""
    text = re.sub(r"([A-Za-z]\w*)_\((\d+(?:\s*,\s*\d+)*)\)", lambda m: f"{m[1]}_{_joined(m[2])}", text)
    return re.sub(r"([A-Za-z]\w*)\[(\d+(?:\s*,\s*\d+)*)\]", lambda m: f"{m[1]}_{_joined(m[2])}", text)


def _joined(indices: str) -> str:
    return "_".join(part.strip() for part in indices.split(","))
