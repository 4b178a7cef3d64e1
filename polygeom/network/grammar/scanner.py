"""Reading one line of text from left to right; every complaint is a `FormatError` with a position and what to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import NoReturn

from polygeom.errors import FormatError, PolygeomError
from polygeom.network.limits import LARGEST_COEFFICIENT, LONGEST_TEXT, MOST_SYMBOLS, shown

_SPACE = re.compile(r"[ \t\r\n]*")
_DIGITS = re.compile(r"[0-9]+")
_INTEGER = re.compile(r"(-?(?:0|[1-9][0-9]*+))(?![0-9A-Za-z_]|\.(?!\.))[ \t\r\n]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GUISE = re.compile(r"(?P<digits>[0-9]+(?:_[0-9]+)*)(?:\.0*)?(?:[eE]\+?(?P<exponent>[0-9]))?(?![0-9A-Za-z_.])")
_LONGEST_WORD = 40

MOST_TOKENS = 3 * MOST_SYMBOLS
"""Largest number of numbers and words of a text; every network within the limits has fewer."""

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
_STRANGE = {
    **dict.fromkeys(_DASHES, "this is a typographic dash: write - (the hyphen on the keyboard)"),
    "\ufeff": "this is a byte order mark: save the text as UTF-8 without BOM",
    "\u00a0": "this is a no-break space: write an ordinary space",
    "\u200b": "this is an invisible space: delete it",
    "\u2026": "this is an ellipsis: write two dots, as in 2..4",
    "\u00d7": "this is a multiplication sign: write , between widths",
    "\u00bd": "write 1/2",
}


def ascii_text(text: object, name: str, example: str) -> str:
    """``text`` if it is a string of ASCII characters of bearable length.

    Raises
    ------
    FormatError
        Otherwise, pointing at the first character that is not ASCII.
    """
    if not isinstance(text, str):
        raise FormatError(f"{name}: text must be a str, got {type(text).__name__}", "", 0, f"write {example}")
    if len(text) > LONGEST_TEXT:
        problem = f"{name}: text must have at most {LONGEST_TEXT} characters, got {len(text)}"
        raise FormatError(problem, text[:100], 0, f"write a smaller network, as in {example}")
    if not text.isascii():
        position = next(i for i, c in enumerate(text) if ord(c) > 127)
        c = text[position]
        hint = _STRANGE.get(c)
        if hint is None:
            hint = "write digits 0 to 9 of the keyboard" if c.isnumeric() else "write only letters and signs of ASCII"
        raise FormatError(f"unexpected character U+{ord(c):04X}", text, position, hint)
    return text


class Scanner:
    """A position in a text and the few ways to move it forward. Blanks between tokens are skipped."""

    __slots__ = ("_left", "position", "text")

    def __init__(self, text: str, position: int = 0) -> None:
        self.text, self.position, self._left = text, position, MOST_TOKENS
        self.skip()

    def skip(self) -> None:
        """Move over blanks."""
        self.position = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]

    def fail(self, problem: str, hint: str, position: int | None = None) -> NoReturn:
        """Raise the `FormatError` for ``problem`` here, or at ``position``."""
        raise FormatError(problem, self.text, self.position if position is None else position, hint)

    @contextmanager
    def at(self, position: int) -> Iterator[None]:
        """Let a `PolygeomError` raised inside point at ``position``."""
        try:
            yield
        except FormatError:
            raise
        except PolygeomError as error:
            problem, _, hint = str(error).partition("; ")
            raise FormatError(problem, self.text, position, hint or "write a smaller network") from None

    def spend(self) -> None:
        """Count one more number, word or list; there is a limit."""
        self._left -= 1
        if self._left < 0:
            self.fail(f"more than {MOST_TOKENS} numbers and words", "write a smaller network")

    @property
    def ended(self) -> bool:
        """Whether the whole text has been read."""
        return self.position >= len(self.text)

    @property
    def here(self) -> str:
        """What stands here, for a message."""
        if self.ended:
            return "the end of the text"
        token = _WORD.match(self.text, self.position) or _DIGITS.match(self.text, self.position)
        return shown(token.group() if token else self.text[self.position])

    def peek(self, symbol: str) -> bool:
        """Whether ``symbol`` stands here."""
        return self.text.startswith(symbol, self.position)

    def take(self, symbol: str) -> bool:
        """Move over ``symbol`` if it stands here."""
        if not self.text.startswith(symbol, self.position):
            return False
        self.position += len(symbol)
        self.skip()
        return True

    def expect(self, symbol: str, hint: str) -> None:
        """Move over ``symbol``, which must stand here."""
        if not self.take(symbol):
            self.fail(f"expected {symbol!r}, found {self.here}", hint)

    def word(self) -> str | None:
        """Move over a word, if one stands here."""
        match = _WORD.match(self.text, self.position)
        if match is None:
            return None
        self.spend()
        if match.end() - match.start() > _LONGEST_WORD:
            self.fail(f"a word of {match.end() - match.start()} letters", f"write at most {_LONGEST_WORD} letters")
        self.position = match.end()
        self.skip()
        return match.group()

    def quoted(self) -> str:
        """Move over a text in double quotes, which begins here."""
        end = self.text.find('"', self.position + 1)
        if end < 0:
            self.fail("a text without a closing quote", 'write a closing "')
        text = self.text[self.position + 1 : end]
        for _ in _WORD.findall(text) + _DIGITS.findall(text):
            self.spend()
        self.position = end + 1
        self.skip()
        return text

    def integer(self, name: str, low: int, high: int, example: str) -> int:
        """Move over an integer from ``low`` to ``high``, digits only, with a sign only where ``low`` is negative."""
        self.spend()
        match = _INTEGER.match(self.text, self.position)
        short = match is not None and match.end(1) - match.start(1) <= len(str(high)) + 1
        if match is None or not short or not low <= (value := int(match.group(1))) <= high:
            self._not_an_integer(name, low, high, example)
        self.position = match.end()
        return value

    def rational(self, name: str, example: str) -> Fraction:
        """Move over an integer or a fraction such as ``-1/2``."""
        numerator = self.integer(name, -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT, example)
        if not self.take("/"):
            return Fraction(numerator)
        return Fraction(numerator, self.integer("denominator", 1, LARGEST_COEFFICIENT, example))

    def _not_an_integer(self, name: str, low: int, high: int, example: str) -> NoReturn:
        """Say why no integer from ``low`` to ``high`` stands here."""
        sign = -1 if self.peek("-") else 1
        signed = sign < 0 or self.peek("+")
        match = _DIGITS.match(self.text, self.position + signed)
        if match is None:
            if self.peek("["):
                self.fail(f"expected {name}, found another '['", f"brackets do not nest here; {example}")
            self.fail(f"expected {name}, found {self.here}", example)
        digits, follows = match.group(), self.text[match.end() : match.end() + 2]
        if self.peek("+"):
            self.fail(f"{name} has a plus sign", f"write {digits[:20]}")
        if follows[:1].isalpha() or follows[:1] == "_" or (follows[:1] == "." and follows != ".."):
            self.fail(f"{name} must be an integer, written with digits only", self._plain(self.position, example))
        if len(digits) > 1 and digits[0] == "0":
            self.fail(f"{name} has leading zeros", f"write {digits.lstrip('0')[:20] or '0'}")
        self.fail(f"{name} must be from {low} to {high}, got {shown_digits(sign, digits)}", example)

    def _plain(self, start: int, example: str) -> str:
        """How to write the number at ``start`` with digits only, if it is an integer in another guise."""
        match = _GUISE.match(self.text, start)
        if match is None or len(match.group()) > 20:
            return example
        digits, exponent = match.group("digits").replace("_", ""), match.group("exponent")
        return f"write {int(digits) * 10 ** int(exponent or 0)}"


def shown_digits(sign: int, digits: str) -> str:
    """A number for a message; only its length when it is long."""
    return f"{'-' if sign < 0 else ''}{digits}" if len(digits) <= 20 else f"a number of {len(digits)} digits"
