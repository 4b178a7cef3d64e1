"""What all readers share: a text is a list of statements, and what is not understood is refused by name."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, NoReturn

from polygeom._dataclass import dataclass
from polygeom.exchange.expressions import Expressions, Ring, Terms, canonical, indexed, name_range
from polygeom.exchange.scanner import NAME, NUMBER, STRING, Scanner
from polygeom.modular import is_prime


@dataclass(frozen=True)
class Read:
    """What a text says.

    Attributes
    ----------
    ring:
        The ring it declares, or that of the caller.
    generators:
        Polynomials without zeros.
    """

    ring: Ring
    generators: tuple[Terms, ...]


class Reader(ABC):
    """One text of one system.

    A subclass reads the statements of its system; rings, polynomials, lists and ideals it reads by the methods here.

    Parameters
    ----------
    text:
        The text.
    ring:
        The ring of the polynomials if the text declares none.
    """

    system: ClassVar[str]
    comments: ClassVar[str]
    """Pattern of the comments."""
    quotients: ClassVar[tuple[str, ...]] = ()
    """Words that make quotient rings."""

    def __init__(self, text: str, ring: Ring | None = None) -> None:
        bare = re.sub(self.comments, lambda found: "\n" * found[0].count("\n") or " ", text, flags=re.DOTALL)
        self.scanner = Scanner(bare, self.system)
        self.ring, self.declared = ring, False
        self.fields: dict[str, int] = {}
        self.known: dict[str, Terms] = {}
        self.lists: dict[str, list[Terms]] = {}
        self.ideals: dict[str, list[Terms]] = {}

    def read(self) -> Read:
        """All statements; the one ideal that they declare.

        Raises
        ------
        PolygeomError
            For anything that is not understood, by its name.
        """
        while not self.scanner.ended:
            if not self.scanner.accepts(";"):
                self.statement()
        if self.ring is None:
            self.scanner.refuse(
                "there is no ring", "declare it, or say which network's coordinates these are: network="
            )
        if len(self.ideals) != 1:
            names = ", ".join(self.ideals)
            advice = f"leave one of {names}" if names else f"write {self.example}"
            self.scanner.refuse(f"there are {len(self.ideals)} ideals" if names else "there is no ideal", advice)
        (generators,) = self.ideals.values()
        return Read(self.ring, tuple(g for g in generators if g))

    example: ClassVar[str] = "I = ideal(…)"

    @abstractmethod
    def statement(self) -> None:
        """Read one statement."""

    def unknown(self) -> NoReturn:
        """Refuse the next word: for statements that are none of those understood."""
        word = self.scanner.here
        if word.text in self.quotients:
            self.scanner.refuse(f"{word.text!r} makes a quotient ring", "write the ideal in the polynomial ring")
        self.scanner.refuse(
            f"{self.scanner.shown()} is not understood", "leave only the ring, polynomials and one ideal"
        )

    def declare(self, names: list[str], characteristic: int) -> None:
        """Take note of the ring."""
        if self.declared:
            self.scanner.refuse("a second ring is declared", "leave one")
        if not names or len(set(names)) != len(names):
            self.scanner.refuse(f"the ring has the variables {', '.join(names):.60}", "different names are needed")
        self.ring, self.declared = Ring(tuple(names), characteristic), True

    def field_of(self, characteristic: int) -> int:
        """A characteristic, checked."""
        if characteristic and not is_prime(characteristic):
            self.scanner.refuse(
                f"{characteristic} elements make no prime field", "the characteristic must be 0 or a prime"
            )
        return characteristic

    def prime_field(self) -> int:
        """The ``(p)`` after the name of a finite field; extensions are refused."""
        scanner = self.scanner
        scanner.expects("(")
        characteristic = scanner.number()
        if not scanner.accepts(")"):
            scanner.accepts(",")
            scanner.refuse(f"{scanner.shown()} in GF(…): an extension field", "use a prime field")
        return self.field_of(characteristic)

    def field(self, rationals: Sequence[str], finite: Sequence[str], behind: Callable[[], object] | None = None) -> int:
        """The characteristic of a field: of one with a name of its own, of the rationals, or of ``GF(p)``.

        ``behind`` reads what stands behind the word for the rationals.
        """
        scanner = self.scanner
        if scanner.here.text in self.fields:
            return self.fields[scanner.read().text]
        if any(map(scanner.sees, rationals)):
            scanner.read()
            if behind is not None:
                behind()
            return 0
        if any(map(scanner.sees, finite)):
            scanner.read()
            return self.prime_field()
        return self.not_a_field()

    def not_a_field(self) -> NoReturn:
        """Refuse the coefficients that come next."""
        self.scanner.refuse(
            f"coefficients {self.scanner.shown()} are not read", "use the rationals or a prime field, 0 or a prime"
        )

    def variables(self, closing: str, option: Callable[[str], bool] = lambda _: False) -> list[str]:
        """Names up to a closing bracket, which is read: ``x,y``, ``a..d``, ``x_1..x_3``, ``"x,y"``."""
        names: list[str] = []
        while not self.scanner.accepts(closing):
            if self.scanner.here.kind == STRING:
                names += re.split(r"[,\s]+", self.scanner.read().text.strip())
            elif self.scanner.here.kind == NAME and self.scanner.ahead().text in ("=>", "="):
                if not option(self.scanner.name()):
                    self.scanner.refuse(f"the option {self.scanner.before.text!r} is not understood", "leave it out")
            else:
                names += self.one_or_more_names()
            if not self.scanner.accepts(","):
                self.scanner.expects(closing)
                break
        if bad := [n for n in names if not re.fullmatch(r"[A-Za-z]\w*", canonical(n))]:
            self.scanner.refuse(f"{bad[0]!r:.40} is no name of a variable")
        return [canonical(name) for name in names]

    def one_or_more_names(self) -> list[str]:
        """A name, or a range of names."""
        if self.scanner.here.kind == NAME and self.scanner.ahead().text in ("(", "[") and self._index_range():
            return self._range_of_indices()
        first = indexed(self.scanner)
        if not self.scanner.accepts(".."):
            return [first]
        last = indexed(self.scanner)
        try:
            return list(name_range(first, last))
        except ValueError as error:
            self.scanner.refuse(str(error))

    def _index_range(self) -> bool:
        """Whether ``x(1..3)`` comes."""
        return self.scanner.ahead(2).kind == NUMBER and self.scanner.ahead(3).text in ("..", ":")

    def _range_of_indices(self) -> list[str]:
        name = self.scanner.name()
        closing = {"(": ")", "[": "]"}[self.scanner.read().text]
        low = self.scanner.number()
        self.scanner.read()
        high = self.scanner.number()
        self.scanner.expects(closing)
        try:
            return list(name_range(f"{name}_{low}", f"{name}_{high}"))
        except ValueError as error:
            self.scanner.refuse(str(error))

    def polynomial(self) -> Terms:
        """One polynomial."""
        if self.ring is None:
            self.scanner.refuse("a polynomial before its ring", "declare the ring first")
        return Expressions(self.scanner, self.ring, self.known).polynomial()

    def polynomials(self, closing: str | None) -> list[Terms]:
        """Polynomials, or names of lists of them, separated by commas, up to a closing bracket, which is read."""
        found: list[Terms] = []
        while closing is None or not self.scanner.accepts(closing):
            found += self._part()
            if not self.scanner.accepts(","):
                if closing is not None:
                    self.scanner.expects(closing)
                break
        return found

    def _part(self) -> Iterator[Terms]:
        name = self.scanner.here.text
        if self.scanner.here.kind == NAME and name in self.lists and name not in (self.ring or Ring(())).numbers:
            self.scanner.read()
            yield from self.lists[name]
            return
        brackets = {"[": "]", "{": "}"}
        if self.scanner.here.text in brackets and self.scanner.here.kind != STRING:
            yield from self.polynomials(brackets[self.scanner.read().text])
            return
        yield self.polynomial()

    def ends(self) -> None:
        """A statement is over: a semicolon or a new line follows."""
        if not self.scanner.accepts(";") and not self.scanner.here.fresh and not self.scanner.ended:
            self.scanner.refuse(
                f"expected an operator or the end of the statement, found {self.scanner.shown()}",
                "blanks may not stand inside numbers and names",
            )

    def skip_group(self) -> None:
        """Read over what stands in brackets, from the opening one to the one that closes it."""
        depth = 0
        while not self.scanner.ended:
            word = self.scanner.read()
            depth += (word.kind == "sign") * ((word.text in "([{") - (word.text in ")]}"))
            if depth == 0:
                return
        self.scanner.refuse("a bracket is not closed")
