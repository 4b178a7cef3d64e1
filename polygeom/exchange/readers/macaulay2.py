"""Macaulay2: ``R = QQ[x_1..x_3, MonomialOrder => Lex]``, ``kk = ZZ/32003``, ``I = ideal(…)``, ``matrix {{…}}``."""

from __future__ import annotations

from polygeom.exchange.expressions import Terms
from polygeom.exchange.readers.reader import Reader
from polygeom.exchange.scanner import NAME, NUMBER, STRING

OPTIONS = frozenset({"MonomialOrder", "Degrees", "MonomialSize", "DegreeRank", "Heft", "Join", "DegreeMap"})
"""Options of a ring that do not change what an ideal is."""


class Macaulay2(Reader):
    """Texts of Macaulay2: input, and what `toString` and one-dimensional output print."""

    system = "Macaulay2"
    comments = r"--[^\n]*|-\*.*?\*-"
    quotients = ("quotient",)
    example = "I = ideal(…)"

    def statement(self) -> None:
        scanner = self.scanner
        if scanner.accepts("use"):
            scanner.name()
            self.ends()
            return
        if scanner.here.kind == NAME and scanner.ahead().text == ":" and scanner.here.text[:1] == "o":
            self._type()
            return
        name = ""
        if scanner.here.kind == NAME and scanner.ahead().text in ("=", ":="):
            name = scanner.name()
            scanner.read()
        self._value(name)
        self.ends()

    def _type(self) -> None:
        """Read over a line such as ``o3 : Ideal of R``."""
        scanner = self.scanner
        scanner.read()
        scanner.read()
        while not scanner.here.fresh and not scanner.ended:
            if scanner.here.text == "QuotientRing":
                self.scanner.refuse("'QuotientRing' is a quotient ring", "write the ideal in the polynomial ring")
            scanner.read()

    def _value(self, name: str) -> None:
        scanner = self.scanner
        if scanner.sees("ideal") or scanner.sees("monomialIdeal"):
            scanner.read()
            self.ideals[name or f"number {len(self.ideals) + 1}"] = self._generators()
        elif scanner.accepts("matrix"):
            entries = self._generators()
            if name:
                self.lists[name] = entries
            else:
                self.ideals["matrix"] = entries
        elif scanner.sees("{"):
            scanner.read()
            self.lists[name] = self.polynomials("}")
        elif scanner.here.text in ("QQ", "ZZ", "GF") or (scanner.here.text in self.fields and not scanner.touches()):
            self._ring_or_field(name)
        elif scanner.here.kind == NAME and scanner.here.text in self.lists and name == "":
            self.unknown()
        elif name and self.ring is not None:
            if scanner.here.kind == NAME and scanner.ahead().text == "(" and scanner.here.text not in self.ring.numbers:
                self.unknown()
            self.known[name] = self.polynomial()
        else:
            self.unknown()

    def _generators(self) -> list[Terms]:
        scanner = self.scanner
        scanner.accepts("matrix")
        if scanner.accepts("("):
            if scanner.here.kind == STRING:
                scanner.refuse(f"the string {scanner.here.text!r:.40}", "write polynomials with * and ^")
            return self.polynomials(")")
        if scanner.accepts("{"):
            return self.polynomials("}")
        if scanner.here.kind == STRING:
            scanner.refuse(f"the string {scanner.here.text!r:.40}", "write polynomials with * and ^")
        return self.polynomials(None)

    def _ring_or_field(self, name: str) -> None:
        scanner = self.scanner
        characteristic = self._field()
        if scanner.accepts("["):
            names = self.variables("]", self._option)
            if scanner.sees("/"):
                scanner.refuse("'/' makes a quotient ring", "write the ideal in the polynomial ring")
            if scanner.sees("["):
                scanner.refuse("a ring over a ring", "write all variables in one list")
            self.declare(names, characteristic)
        elif name:
            self.fields[name] = characteristic
        else:
            self.unknown()

    def _field(self) -> int:
        scanner = self.scanner
        if scanner.accepts("QQ"):
            return 0
        if scanner.here.text in self.fields:
            return self.fields[scanner.read().text]
        if scanner.accepts("ZZ"):
            if not scanner.accepts("/"):
                scanner.refuse("coefficients 'ZZ' are not a field", "use QQ or ZZ/p")
            return self.field_of(scanner.number())
        scanner.expects("GF")
        closing = scanner.accepts("(")
        characteristic = self.field_of(scanner.number())
        if closing and not scanner.accepts(")"):
            scanner.refuse(f"{scanner.shown()} in GF(…): an extension field", "use a prime field")
        return characteristic

    def _option(self, name: str) -> bool:
        if name not in OPTIONS:
            return False
        self.scanner.expects("=>")
        if self.scanner.here.text in ("{", "("):
            self.skip_group()
            return True
        if self.scanner.here.kind not in (NAME, NUMBER):
            return False
        self.scanner.read()
        if self.scanner.sees("(") or self.scanner.sees("{"):
            self.skip_group()
        return True
