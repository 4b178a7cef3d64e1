"""Words of the texts of algebra systems: numbers, names, strings and signs, with the lines on which they stand."""

from __future__ import annotations

import re
from typing import NoReturn

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError

NUMBER, DECIMAL, NAME, STRING, SIGN, END = "number", "decimal", "name", "string", "sign", "end"

_WORDS = re.compile(
    r"(?P<decimal>\d+\.\d+(?![\d.]))|(?P<number>\d+)|(?P<name>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)"
    r"|(?P<string>\"[^\"\n]*\"|'[^'\n]*')|(?P<sign>\.\.|:=|=>|==|\*\*|//|[^\sA-Za-z0-9])"
)


@dataclass(frozen=True, slots=True)
class Word:
    """One word.

    Attributes
    ----------
    kind:
        ``"number"``, ``"decimal"``, ``"name"``, ``"string"``, ``"sign"`` or ``"end"``.
    text:
        As it is written; without quotes for strings.
    line:
        From 1.
    start, stop:
        Where it stands in the text.
    fresh:
        Whether it is the first one of its line.
    """

    kind: str
    text: str
    line: int
    start: int
    stop: int
    fresh: bool


class Scanner:
    """The words of a text, read one after another.

    Parameters
    ----------
    text:
        Without comments.
    system:
        Who wrote it: the beginning of every message.
    """

    def __init__(self, text: str, system: str) -> None:
        self.text, self.system = text, system
        self._words = list(_words(text))
        self._next = 0

    @property
    def here(self) -> Word:
        """The next word."""
        return self._words[self._next]

    @property
    def before(self) -> Word:
        """The word that was read last."""
        return self._words[max(0, self._next - 1)]

    @property
    def mark(self) -> int:
        """Where the scanner is, for `back`."""
        return self._next

    def back(self, mark: int) -> None:
        """Go to where a mark was taken."""
        self._next = mark

    def ahead(self, count: int = 1) -> Word:
        """The word so many places after the next."""
        return self._words[min(self._next + count, len(self._words) - 1)]

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.here.kind == END

    def read(self) -> Word:
        """The next word, which is then behind."""
        word = self.here
        if word.kind != END:
            self._next += 1
        return word

    def sees(self, *texts: str) -> bool:
        """Whether the next words are these signs and names."""
        return all(
            (word := self.ahead(k)).kind in (SIGN, NAME, NUMBER) and word.text == text for k, text in enumerate(texts)
        )

    def accepts(self, *texts: str) -> bool:
        """Whether the next words are these; they are then behind."""
        if not self.sees(*texts):
            return False
        self._next += len(texts)
        return True

    def expects(self, text: str) -> None:
        """Read this word.

        Raises
        ------
        PolygeomError
            If another one comes.
        """
        if not self.accepts(text):
            self.refuse(f"expected {text}, found {self.shown()}")

    def name(self) -> str:
        """A name."""
        if self.here.kind != NAME:
            self.refuse(f"expected a name, found {self.shown()}")
        return self.read().text

    def number(self) -> int:
        """A nonnegative integer."""
        if self.here.kind != NUMBER:
            self.refuse(f"expected an integer, found {self.shown()}")
        word = self.read()
        if len(word.text) > _MOST_DIGITS:
            self.refuse(f"a number of {len(word.text)} digits, more than {_MOST_DIGITS}")
        return int(word.text)

    def touches(self) -> bool:
        """Whether the next word follows the last one without a blank."""
        return self._next > 0 and self.here.start == self.before.stop

    def shown(self, word: Word | None = None) -> str:
        """A word as a message quotes it."""
        word = self.here if word is None else word
        return "the end" if word.kind == END else repr(word.text)[:40]

    def refuse(self, what: str, advice: str = "") -> NoReturn:
        """Say what is not understood, and on which line.

        Raises
        ------
        PolygeomError
            Always.
        """
        raise PolygeomError(f"{self.system}, line {self.here.line}: {what}" + (f"; {advice}" if advice else ""))


_MOST_DIGITS = 4000
"""Python turns longer ones into integers only on request."""


def _words(text: str) -> list[Word]:
    words: list[Word] = []
    line, position, last = 1, 0, 0
    for found in _WORDS.finditer(text):
        line += text.count("\n", position, found.start())
        position = found.start()
        kind = found.lastgroup or SIGN
        word = found[0][1:-1] if kind == STRING else found[0]
        words.append(Word(kind, word, line, found.start(), found.end(), line != last))
        last = line
    words.append(Word(END, "", line, len(text), len(text), True))
    return words
