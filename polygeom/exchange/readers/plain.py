"""Polynomials and nothing else, separated by commas, semicolons or lines, in the coordinates of a network."""

from __future__ import annotations

from polygeom.exchange.readers.reader import Reader


class Plain(Reader):
    """Polynomials whose ring the caller knows."""

    system = "the text"
    comments = r"--[^\n]*|//(?!\d)[^\n]*|#[^\n]*"
    example = "polynomials, separated by commas"

    def statement(self) -> None:
        scanner = self.scanner
        if self.ring is None:
            scanner.refuse("it declares no ring that is known", "say which network's coordinates these are: network=")
        found = self.ideals.setdefault("I", [])
        found.append(self.polynomial())
        while scanner.accepts(","):
            if scanner.ended:
                break
            found.append(self.polynomial())
        self.ends()
