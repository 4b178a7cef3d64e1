"""Magma: ``R<x,y> := PolynomialRing(RationalField(), 2);``, ``F := GF(7);``, ``I := ideal<R | x^2 - y, …>;``."""

from __future__ import annotations

from polygeom.exchange.readers.reader import Reader
from polygeom.exchange.scanner import NAME, STRING

RINGS = ("PolynomialRing", "PolynomialAlgebra")
RATIONALS = ("RationalField", "Rationals")
HARMLESS = frozenset({"SetQuitOnError", "quit", "print"})


class Magma(Reader):
    """Texts of Magma."""

    system = "Magma"
    comments = r"//[^\n]*|/\*.*?\*/"
    quotients = ("quo", "QuotientRing")
    example = "I := ideal<R | …>;"

    def statement(self) -> None:
        scanner = self.scanner
        if scanner.here.text in HARMLESS:
            while not scanner.sees(";") and not scanner.ended:
                scanner.read()
        elif scanner.here.kind == NAME and scanner.ahead().text == "<":
            self._ring()
        elif scanner.here.kind == NAME and scanner.ahead().text == ":=":
            name = scanner.name()
            scanner.read()
            self._value(name)
        else:
            self.unknown()
        if not scanner.ended:
            if not scanner.sees(";"):
                scanner.refuse(f"expected an operator or ;, found {scanner.shown()}", "write one statement, then ;")
            scanner.read()

    def _ring(self) -> None:
        scanner = self.scanner
        scanner.read()
        scanner.read()
        stem = ""
        if scanner.accepts("["):
            stem = scanner.name()
            scanner.expects("]")
            scanner.expects(">")
            names = []
        else:
            names = self.variables(">")
        scanner.expects(":=")
        if scanner.here.text not in RINGS:
            self.unknown()
        scanner.read()
        scanner.expects("(")
        characteristic = self._field()
        count = len(names)
        if scanner.accepts(","):
            count = scanner.number()
            if scanner.accepts(","):
                if scanner.here.kind != STRING:
                    scanner.refuse(f"{scanner.shown()} is no order", 'write "grevlex" or leave it out')
                scanner.read()
                while scanner.accepts(","):
                    scanner.read()
        scanner.expects(")")
        if stem:
            names = [f"{stem}_{k}" for k in range(1, count + 1)]
        if count != len(names):
            scanner.refuse(f"{count} variables and {len(names)} names", "write as many names as variables")
        self.declare(names, characteristic)

    def _value(self, name: str) -> None:
        scanner = self.scanner
        if scanner.sees("ideal", "<"):
            scanner.read()
            scanner.read()
            scanner.name()
            scanner.expects("|")
            self.ideals[name] = self.polynomials(">")
        elif scanner.sees("Ideal", "("):
            scanner.read()
            scanner.read()
            self.ideals[name] = self.polynomials(")")
        elif scanner.here.text in ("GF", "FiniteField", "IntegerRing", "Integers", "RealField", *RATIONALS):
            self.fields[name] = self._field()
        elif scanner.accepts("["):
            self.lists[name] = self.polynomials("]")
        elif scanner.here.kind == NAME and scanner.ahead().text in ("(", "<"):
            self.unknown()
        else:
            self.known[name] = self.polynomial()

    def _field(self) -> int:
        return self.field(RATIONALS, ("GF", "FiniteField"), self._empty_brackets)

    def _empty_brackets(self) -> None:
        self.scanner.expects("(")
        self.scanner.expects(")")
