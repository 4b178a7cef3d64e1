"""msolve: names on the first line, the characteristic on the second, then polynomials; and the bases that it prints.

A file for msolve has no room for anything else. A printed basis begins with lines ``#field characteristic: p``,
``#variable order: x, y``. What msolve prints about solutions, ``[0, [1, …``, is no ideal.
"""

from __future__ import annotations

import re

from polygeom.exchange.expressions import Terms
from polygeom.exchange.readers.reader import Reader


class Msolve(Reader):
    """Input files of msolve, and Gröbner bases it has printed."""

    system = "msolve"
    comments = r"(?!)"
    example = "names, characteristic, polynomials"

    def statement(self) -> None:
        header = dict(re.findall(r"^#\s*([\w ]+?)\s*:\s*(.*?)\s*$", self.scanner.text, re.MULTILINE))
        if "variable order" in header:
            self._basis(header)
        else:
            self._input()

    def _input(self) -> None:
        scanner = self.scanner
        names = self._names()
        characteristic = self.field_of(scanner.number())
        self.declare(names, characteristic)
        self._polynomials(None)

    def _names(self) -> list[str]:
        scanner = self.scanner
        names = [scanner.name()]
        while scanner.accepts(","):
            names.append(scanner.name())
        if not scanner.here.fresh:
            scanner.refuse(f"{scanner.shown()} after the names", "write the names alone on the first line")
        return names

    def _polynomials(self, closing: str | None) -> None:
        found: list[Terms] = self.polynomials(closing)
        if not self.scanner.ended:
            self.scanner.refuse(f"expected a comma, found {self.scanner.shown()}", "write a comma between polynomials")
        self.ideals["I"] = found

    def _basis(self, header: dict[str, str]) -> None:
        scanner = self.scanner
        digits = header.get("field characteristic", "")
        if not digits.isdigit():
            scanner.refuse("the header has no field characteristic", "print a reduced Gröbner basis")
        names = [name.strip() for name in header["variable order"].split(",")]
        self.declare(names, self.field_of(int(digits)))
        while not scanner.sees("[") and not scanner.ended:
            scanner.read()
        scanner.expects("[")
        found = self.polynomials("]")
        scanner.accepts(":")
        if not scanner.ended:
            scanner.refuse(f"{scanner.shown()} after the basis", "leave it out")
        self.ideals["I"] = found


def is_msolve(text: str) -> bool:
    """Whether a text looks like a file for msolve or a basis that it has printed."""
    if re.search(r"^#\s*variable order\s*:", text, re.MULTILINE):
        return True
    lines = [line for line in text.splitlines() if line.strip()][:2]
    return len(lines) == 2 and bool(re.fullmatch(r"[\w\s,]*[A-Za-z][\w\s,]*", lines[0])) and lines[1].strip().isdigit()


def is_solver_output(text: str) -> bool:
    """Whether a text looks like solutions that msolve has printed."""
    return bool(re.match(r"\s*\[\s*-?\d+\s*[,\]]", text))
