"""SageMath: ``R.<x,y> = QQ[]``, ``PolynomialRing(GF(7), 'x', 3)``, ``QQ["x","y"]``, ``R.ideal([…])``, prints."""

from __future__ import annotations

from polygeom.exchange.readers.reader import Reader
from polygeom.exchange.scanner import NAME, NUMBER, STRING

HARMLESS = frozenset({"import", "from", "print"})


FIELDS = ("QQ", "GF", "FiniteField", "ZZ", "Integers", "Zmod", "RR", "CC", "QQbar", "AA")
"""Rings of coefficients, of which the rationals and prime fields are read."""


class Sage(Reader):
    """Texts of SageMath."""

    system = "Sage"
    comments = r"#[^\n]*"
    quotients = ("quotient", "quo", "QuotientRing")
    example = "I = R.ideal([…])"

    def statement(self) -> None:
        scanner = self.scanner
        if scanner.accepts("Ideal"):
            self._printed()
        elif scanner.here.text in HARMLESS or self._names_variables():
            self._skip_line()
        elif scanner.here.kind == NAME and scanner.ahead().text == "." and scanner.ahead(2).text == "<":
            self._named_ring()
        elif scanner.here.kind == NAME and scanner.ahead().text == "=":
            name = scanner.name()
            scanner.read()
            self._value(name)
        else:
            self._value("")
        self.ends()

    def _skip_line(self) -> None:
        self.scanner.read()
        while not self.scanner.here.fresh and not self.scanner.ended and not self.scanner.sees(";"):
            self.scanner.read()

    def _names_variables(self) -> bool:
        """Whether ``R.inject_variables()`` comes, or ``x, y = R.gens()`` with the names of the ring."""
        if self.scanner.ahead().text == "." and self.scanner.ahead(2).text == "inject_variables":
            return True
        names, k = [], 0
        while self.scanner.ahead(k).kind == NAME:
            names.append(self.scanner.ahead(k).text)
            if self.scanner.ahead(k + 1).text != ",":
                break
            k += 2
        gens = [self.scanner.ahead(k + j).text for j in (1, 3, 4)] == ["=", ".", "gens"]
        return gens and self.ring is not None and tuple(names) == self.ring.names

    def _named_ring(self) -> None:
        """``R.<x,y> = …``."""
        scanner = self.scanner
        for _ in range(3):
            scanner.read()
        names = self.variables(">")
        scanner.expects("=")
        called = scanner.accepts("PolynomialRing")
        if called:
            scanner.expects("(")
        characteristic = self._field()
        if called:
            self._rest(")")
        else:
            scanner.expects("[")
            if not scanner.accepts("]"):
                names_again = self.variables("]")
                if names_again != names:
                    scanner.refuse(f"the ring has two lists of names, {', '.join(names_again):.40}", "write one")
        self._no_quotient()
        self.declare(names, characteristic)

    def _rest(self, closing: str) -> list[str]:
        """Names, a number of variables and options, to the end of a call."""
        scanner, names, count = self.scanner, list[str](), None
        while not scanner.accepts(closing):
            if scanner.accepts(","):
                continue
            if scanner.here.kind == NUMBER:
                count = scanner.number()
            elif scanner.sees("order") or scanner.sees("implementation"):
                scanner.read()
                scanner.expects("=")
                if scanner.here.kind not in (STRING, NAME):
                    scanner.refuse(f"the order {scanner.shown()} is not understood", "leave it out")
                if scanner.here.text.startswith(("neg", "ds", "ls")):
                    scanner.refuse(f"the order {scanner.shown()} is local", "use degrevlex or lex")
                scanner.read()
                if scanner.sees("("):
                    self.skip_group()
            elif scanner.accepts("names"):
                scanner.expects("=")
            elif scanner.accepts("["):
                names += self.variables("]")
            elif scanner.accepts("("):
                names += self.variables(")")
            elif scanner.here.kind == STRING:
                names += scanner.read().text.replace(",", " ").split()
            else:
                self.scanner.refuse(f"{scanner.shown()} is not understood", "write PolynomialRing(QQ, 'x,y')")
        if count is not None and len(names) == 1:
            return [f"{names[0]}{k}" for k in range(count)] if count > 1 else names
        if count is not None and names and count != len(names):
            scanner.refuse(f"{count} variables and {len(names)} names", "write as many names as variables")
        return names

    def _value(self, name: str) -> None:
        scanner = self.scanner
        if scanner.accepts("PolynomialRing"):
            scanner.expects("(")
            characteristic = self._field()
            names = self._rest(")")
            self._no_quotient()
            self.declare(names, characteristic)
        elif scanner.here.text in (*FIELDS, *self.fields):
            characteristic = self._field()
            if scanner.accepts("["):
                names = self.variables("]")
                self._no_quotient()
                self.declare(names, characteristic)
            elif name:
                self.fields[name] = characteristic
            else:
                self.unknown()
        elif scanner.sees("ideal") or (scanner.ahead().text == "." and scanner.ahead(2).text == "ideal"):
            for _ in range(1 if scanner.sees("ideal") else 3):
                scanner.read()
            scanner.expects("(")
            self.ideals[name or "I"] = self.polynomials(")")
        elif scanner.sees("["):
            scanner.read()
            self.lists[name] = self.polynomials("]")
        elif scanner.ahead().text == "." and scanner.ahead(2).text in self.quotients:
            scanner.read()
            scanner.read()
            self.unknown()
        elif name and self.ring is not None and not (scanner.here.kind == NAME and scanner.ahead().text == "("):
            self.known[name] = self.polynomial()
        else:
            self.unknown()

    def _no_quotient(self) -> None:
        scanner = self.scanner
        if scanner.sees("."):
            scanner.read()
            self.unknown()
        if scanner.sees("/"):
            scanner.refuse("'/' makes a quotient ring", "write the ideal in the polynomial ring")

    def _field(self) -> int:
        return self.field(("QQ",), ("GF", "FiniteField"))

    def _printed(self) -> None:
        """``Ideal (x, y) of Multivariate Polynomial Ring in x, y over Rational Field``: the ring comes last."""
        scanner = self.scanner
        start = scanner.here
        depth, k = 0, 0
        while True:
            word = scanner.ahead(k)
            depth += (word.text == "(") - (word.text == ")")
            k += 1
            if depth == 0 or word.kind == "end":
                break
        position = scanner.mark
        if start.text != "(" or scanner.ahead(k).text != "of":
            self.unknown()
        scanner.back(position + k)
        for text in ("of", "Multivariate", "Polynomial", "Ring", "in"):
            scanner.expects(text)
        names = [scanner.name()]
        while scanner.accepts(","):
            names.append(scanner.name())
        scanner.expects("over")
        if scanner.accepts("Rational", "Field"):
            characteristic = 0
        elif scanner.accepts("Finite", "Field", "of", "size"):
            characteristic = self.field_of(scanner.number())
        else:
            self.not_a_field()
        end = scanner.mark
        self.declare(names, characteristic)
        scanner.back(position + 1)
        self.ideals["I"] = self.polynomials(")")
        scanner.back(end)
