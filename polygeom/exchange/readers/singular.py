"""Singular: ``ring R = 0, (x(1..3),y), dp;``, ``poly f = …;``, ``ideal I = f, …;``, and what it prints, ``I[1]=…``."""

from __future__ import annotations

from polygeom.exchange.readers.reader import Reader
from polygeom.exchange.scanner import NAME, NUMBER

GLOBAL = frozenset({"dp", "Dp", "lp", "rp", "wp", "Wp", "M", "a", "c", "C", "am", "ip"})
"""Monomial orders of polynomial rings. The others make local rings, in which ideals mean something else."""
HARMLESS = frozenset({"option", "print", "short", "LIB", "setring", "quit", "exit", "keepring", "list"})


class Singular(Reader):
    """Texts of Singular."""

    system = "Singular"
    comments = r"//[^\n]*|/\*.*?\*/"
    quotients = ("qring", "quotient")
    example = "ideal I = …;"

    def statement(self) -> None:
        scanner = self.scanner
        word = scanner.here
        if scanner.accepts("ring"):
            self._ring()
        elif scanner.accepts("poly"):
            name = scanner.name()
            scanner.expects("=")
            self.known[name] = self.polynomial()
        elif scanner.accepts("ideal"):
            name = scanner.name()
            scanner.expects("=")
            self.ideals[name] = self.polynomials(None)
        elif word.kind == NAME and scanner.ahead().text == "[" and scanner.ahead(4).text == "=":
            self._printed()
            return
        elif word.text in HARMLESS or (word.text in self.ideals and scanner.ahead().text == ";"):
            while not scanner.sees(";") and not scanner.ended:
                scanner.read()
        else:
            self.unknown()
        self.ends()

    def _ring(self) -> None:
        scanner = self.scanner
        scanner.name()
        if scanner.here.text in ("=", "->"):
            scanner.read()
        characteristic = self._coefficients()
        scanner.expects(",")
        names = self.variables(")") if scanner.accepts("(") else self.one_or_more_names()
        if scanner.accepts(","):
            self._order()
        self.declare(names, characteristic)

    def _coefficients(self) -> int:
        scanner = self.scanner
        closing = scanner.accepts("(")
        if scanner.here.kind == NUMBER:
            characteristic = scanner.number()
            if scanner.sees("^"):
                scanner.refuse(f"coefficients {characteristic}^…: an extension field", "use 0 or a prime")
        elif scanner.accepts("QQ"):
            characteristic = 0
        elif scanner.sees("ZZ", "/"):
            scanner.read()
            scanner.read()
            characteristic = scanner.number()
        else:
            self.not_a_field()
        if closing and not scanner.accepts(")"):
            scanner.accepts(",")
            scanner.refuse(f"coefficients with the parameter {scanner.shown()}: an extension field", "use 0 or a prime")
        return self.field_of(characteristic)

    def _order(self) -> None:
        """Read the monomial order; a local one is refused."""
        scanner, depth = self.scanner, 0
        while not (scanner.ended or (depth == 0 and scanner.sees(";"))):
            word = scanner.read()
            depth += (word.text == "(") - (word.text == ")")
            if word.kind == NAME and word.text not in GLOBAL:
                scanner.refuse(f"the order {word.text!r:.20} is local or unknown", "use dp, lp, Dp or wp")

    def _printed(self) -> None:
        """``I[1]=x2-y``, one a line."""
        scanner = self.scanner
        name = scanner.name()
        scanner.read()
        number = scanner.number()
        scanner.expects("]")
        scanner.expects("=")
        found = self.ideals.setdefault(name, [])
        if number != len(found) + 1:
            scanner.refuse(f"{name}[{number}] after {len(found)} generators", "leave them in order")
        found.append(self.polynomial())
        self.ends()
