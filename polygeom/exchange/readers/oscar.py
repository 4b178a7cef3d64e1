"""OSCAR: ``R, (x, y) = polynomial_ring(QQ, ["x", "y"])``, ``F = GF(7)``, ``I = ideal(R, [x^2 - y, …])``."""

from __future__ import annotations

from polygeom.exchange.expressions import name_range
from polygeom.exchange.readers.reader import Reader
from polygeom.exchange.scanner import NAME, NUMBER, STRING

RINGS = ("polynomial_ring", "PolynomialRing", "graded_polynomial_ring")


class Oscar(Reader):
    """Texts of OSCAR, in Julia."""

    system = "OSCAR"
    comments = r"#=.*?=#|#[^\n]*"
    quotients = ("quo", "MPolyQuoRing")
    example = "I = ideal(R, […])"

    def statement(self) -> None:
        scanner = self.scanner
        if scanner.accepts("using") or scanner.accepts("import"):
            scanner.name()
        elif scanner.sees("ideal"):
            self._ideal("I")
        elif scanner.here.kind == NAME and scanner.ahead().text == ",":
            self._ring()
        elif scanner.here.kind == NAME and scanner.ahead().text == "=":
            name = scanner.name()
            scanner.read()
            self._value(name)
        else:
            self.unknown()
        self.ends()

    def _ideal(self, name: str) -> None:
        scanner = self.scanner
        scanner.read()
        scanner.expects("(")
        if scanner.here.kind == NAME and scanner.ahead().text == ",":
            known = self.ring.numbers if self.ring is not None else {}
            if scanner.here.text not in known and scanner.here.text not in self.known:
                scanner.read()
                scanner.read()
        self.ideals[name] = self.polynomials(")")

    def _value(self, name: str) -> None:
        scanner = self.scanner
        if scanner.sees("ideal"):
            self._ideal(name)
        elif scanner.here.text in ("QQ", "GF", "ZZ", "RR", "CC", "QQBar", "QQField", "RealField", "finite_field"):
            self.fields[name] = self._field()
        elif scanner.accepts("["):
            self.lists[name] = self.polynomials("]")
        elif scanner.here.kind == NAME and scanner.ahead().text == "(":
            self.unknown()
        else:
            self.known[name] = self.polynomial()

    def _ring(self) -> None:
        """``R, (x, y) = polynomial_ring(QQ, [:x, :y])``; the names on the left are those of the text."""
        scanner = self.scanner
        scanner.read()
        scanner.read()
        written = self.variables(")") if scanner.accepts("(") else [scanner.name()]
        scanner.expects("=")
        if scanner.here.text not in RINGS:
            self.unknown()
        scanner.read()
        scanner.expects("(")
        characteristic = self._field()
        names: list[str] = []
        while not scanner.accepts(")"):
            scanner.expects(",")
            names += self._names()
        if len(written) == len(names) or (len(written) == 1 and len(names) > 1):
            self.declare(names, characteristic)
            if len(written) == len(names) and written != names:
                scanner.refuse(
                    f"the variables {', '.join(names):.40} are called {', '.join(written):.40}", "use one name"
                )
            return
        scanner.refuse(f"{len(written)} names for {len(names)} variables", "write as many")

    def _names(self) -> list[str]:
        scanner = self.scanner
        if scanner.accepts("["):
            names = []
            while not scanner.accepts("]"):
                names += self._name()
                if not scanner.accepts(","):
                    scanner.expects("]")
                    break
            return names
        if scanner.here.kind == NUMBER:
            count = scanner.number()
            return [f"x{k}" for k in range(1, count + 1)]
        if scanner.sees("internal_ordering") or scanner.sees("ordering") or scanner.sees("cached"):
            scanner.read()
            scanner.expects("=")
            scanner.accepts(":")
            scanner.read()
            return []
        return self._name()

    def _name(self) -> list[str]:
        scanner = self.scanner
        if scanner.here.kind == STRING:
            name = scanner.read().text
        else:
            scanner.expects(":")
            name = scanner.name()
        if not scanner.accepts("=>"):
            return [name]
        low = scanner.number()
        scanner.expects(":")
        high = scanner.number()
        try:
            return list(name_range(f"{name}_{low}", f"{name}_{high}"))
        except ValueError as error:
            scanner.refuse(str(error))

    def _field(self) -> int:
        return self.field(("QQ", "QQField"), ("GF",), lambda: self.scanner.accepts("(", ")"))
