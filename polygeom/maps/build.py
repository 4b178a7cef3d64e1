"""Maps from what people have at hand: text, sympy expressions, minors of a matrix, exponents of monomials."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from polygeom.errors import FormatError, PolygeomError
from polygeom.network import Network, parse
from polygeom.network.grammar.expressions import Reader, names_in
from polygeom.network.grammar.scanner import Scanner, ascii_text
from polygeom.network.layers.formula import formulas
from polygeom.network.limits import shown
from polygeom.network.text.maps import map_formula, map_nodes

if TYPE_CHECKING:
    import sympy

MOST_MINORS = 20_000
"""Largest number of minors, and largest number of terms of one of them."""
_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(?!=)")

Names = str | Sequence[str] | None


def from_text(text: str, parameters: Names = None, names: Names = None) -> Network:
    """The map whose coordinates ``text`` lists, separated by commas, semicolons or lines.

    Parameters
    ----------
    text:
        Formulas in the grammar of `polygeom.network.grammar.expressions`, each perhaps with the name of its coordinate
        before it, ``p=s^2, q=s*t``; or the canonical text of a map, ``map(s,t: s^2, s*t)``.
    parameters:
        Names of the parameters, as a list or in one text; the names that occur, in order of occurrence, if None.
    names:
        Names of the coordinates; ``y1, y2, …`` if there are none in the text either.

    Raises
    ------
    FormatError
        When the text does not follow the grammar; it carries the position.
    PolygeomError
        When names do not fit.

    Examples
    --------
    >>> print(from_text("s^4, s^3*t, s*t^3, t^4"))
    map(s,t: s^4, s^3*t, s*t^3, t^4)
    """
    text = ascii_text(text, "map", "s^2, s*t, t^2")
    if re.match(r"\s*map\s*\(", text):
        network = parse(text)
        if map_formula(network) is None:
            raise FormatError("a program, not a map", text, 0, "write map(s,t: s^2, s*t)")
        return network
    parts = list(_parts(text))
    if not parts:
        raise FormatError("map: no coordinates", text, 0, "write s^2, s*t, t^2")
    found: list[str] = []
    pieces: list[tuple[int, str]] = []
    for start, part in parts:
        match = _NAME.match(part)
        if match:
            found.append(match.group(1))
            start, part = start + match.end(), part[match.end() :]
        pieces.append((start, part))
    if found and len(found) != len(pieces):
        raise FormatError("map: some coordinates have names and others none", text, 0, "name all of them, or none")
    own = _names(parameters, "parameters")
    if own is None:
        own = names_in(",".join(part for _, part in pieces))
    coordinates = []
    for start, part in pieces:
        reader = Reader(_section(text, start, part), own)
        coordinates.append(str(reader.quotient(reader.sum())))
        if not reader.scanner.ended:
            reader.unexpected()
    chosen = _names(names, "names")
    return Network(map_nodes(formulas(own, coordinates, tuple(found) if chosen is None else chosen)))


def _section(text: str, start: int, part: str) -> Scanner:
    """A scanner of one part of a text whose complaints give positions in the whole text."""
    return Scanner(text[: start + len(part)], start)


def _parts(text: str) -> Iterable[tuple[int, str]]:
    """The pieces between commas, semicolons and line breaks that are outside parentheses, with their positions."""
    depth = start = 0
    for position, c in enumerate(f"{text},"):
        depth += (c == "(") - (c == ")")
        if c in ",;\n" and depth <= 0:
            piece = text[start:position]
            if piece.strip():
                yield start, piece
            elif c == "," and position < len(text):
                raise FormatError("an empty coordinate", text, position, "write a formula, or 0, between commas")
            start = position + 1
    if depth > 0:
        raise FormatError("a parenthesis that nothing closes", text, text.find("("), "write a closing parenthesis")


def _names(names: Names, what: str) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str):
        return tuple(names.replace(",", " ").split())
    listed = tuple(map(str, names))
    if any(not isinstance(name, str) for name in names) and any(not hasattr(name, "name") for name in names):
        raise PolygeomError(f"{what} must be names, got {shown(names)}; write {what}='s, t'")
    return listed


def from_sympy(
    expressions: Iterable[Any], parameters: Sequence[sympy.Symbol | str] | None = None, names: Names = None
) -> Network:
    """The map whose coordinates are sympy expressions: polynomials, or quotients of such, with rational numbers.

    Parameters
    ----------
    expressions:
        The coordinates; a sympy matrix gives its entries row by row.
    parameters:
        Their symbols; all that occur, sorted by name, if None.
    names:
        Names of the coordinates.

    Raises
    ------
    PolygeomError
        When an expression is no quotient of polynomials with rational coefficients; the message quotes it.

    Examples
    --------
    >>> import sympy
    >>> s, t = sympy.symbols("s t")
    >>> print(from_sympy([s**2, s * t / 2, 1 / (s + t)]))
    map(s,t: s^2, 1/2*s*t, 1/(s+t))
    """
    import sympy

    given = [sympy.sympify(e) for e in expressions]
    if not given:
        raise PolygeomError("expressions must be at least one, got none; write [s**2, s*t]")
    for number, expression in enumerate(given, start=1):
        floats = sorted(expression.atoms(sympy.Float), key=str)
        if floats:
            raise PolygeomError(
                f"expression {number}: {floats[0]} is a rounded number; write sympy.Rational({floats[0].__str__()!r})"
            )
        top, bottom = sympy.fraction(sympy.together(expression))
        symbols = sorted(expression.free_symbols, key=str)
        if not (top.is_polynomial(*symbols) and bottom.is_polynomial(*symbols)) or _irrational(expression):
            raise PolygeomError(
                f"expression {number}: {str(expression)[:60]} is no quotient of polynomials with rational "
                "coefficients; write a polynomial parametrisation of the same variety"
            )
    symbols = sorted({s for e in given for s in e.free_symbols}, key=str)
    own = tuple(map(str, symbols if parameters is None else parameters))
    return Network(map_nodes(formulas(own, [str(e) for e in given], _names(names, "names") or ())))


def _irrational(expression: Any) -> bool:
    import sympy

    return any(
        atom.is_number and not atom.is_Rational for atom in expression.atoms(sympy.Number, sympy.NumberSymbol)
    ) or any(power.base.is_number and not power.exp.is_integer for power in expression.atoms(sympy.Pow))


def from_matrix(matrix: Sequence[Sequence[Any]], parameters: Names = None) -> Network:
    """The map whose coordinates are the entries of a matrix of formulas, row by row; those of equal place are named
    ``m11``, ``m12``, ….

    Examples
    --------
    >>> print(from_matrix([["a", "a*b"], ["b", "1"]]))
    map(a,b: m11=a, m12=a*b, m21=b, m22=1)
    """
    rows = _rows(matrix)
    large = max(len(rows), len(rows[0])) > 9
    names = [f"m{i}_{j}" if large else f"m{i}{j}" for i, row in enumerate(rows, 1) for j, _ in enumerate(row, 1)]
    entries = ", ".join(entry for row in rows for entry in row)
    return from_text(entries, parameters, names)


def _rows(matrix: Any) -> list[list[str]]:
    rows = matrix.tolist() if hasattr(matrix, "tolist") else matrix
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows or any(isinstance(r, str) for r in rows):
        raise PolygeomError(f"matrix must be a list of rows, got {shown(matrix)}; write [['a', 'b'], ['c', 'd']]")
    texts = [[str(entry) for entry in row] for row in rows]
    if len({len(row) for row in texts}) != 1 or not texts[0]:
        lengths = ", ".join(str(len(row)) for row in texts)
        raise PolygeomError(f"matrix must have rows of one length, got lengths {lengths}; fill the rows with '0'")
    return texts


def minors(matrix: Sequence[Sequence[Any]], size: int, parameters: Names = None) -> Network:
    """The map to all minors of one size of a matrix of formulas.

    The coordinates are named after the columns, ``p12``, where the minors use all rows; otherwise after rows and
    columns, ``m12x34``.

    Parameters
    ----------
    matrix:
        Rows of texts, sympy expressions or numbers.
    size:
        Rows and columns of each minor.
    parameters:
        Names of the parameters; those that occur, in order, if None.

    Examples
    --------
    >>> print(minors([["a", "b", "c"], ["d", "e", "f"]], 2))
    map(a,b,c,d,e,f: p12=a*e-b*d, p13=a*f-c*d, p23=b*f-c*e)
    """
    rows = _rows(matrix)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= min(len(rows), len(rows[0])):
        most = min(len(rows), len(rows[0]))
        raise PolygeomError(f"size must be an integer from 1 to {most}, got {shown(size)}; write size={most}")
    own = _names(parameters, "parameters") or names_in(",".join(entry for row in rows for entry in row))
    reader = Reader(Scanner(""), own)
    values = [[_entry(entry, own, i, j) for j, entry in enumerate(row, 1)] for i, row in enumerate(rows, 1)]
    chosen = list(itertools.combinations(range(len(rows)), size))
    columns = list(itertools.combinations(range(len(rows[0])), size))
    if len(chosen) * len(columns) > MOST_MINORS:
        raise PolygeomError(f"minors: {len(chosen) * len(columns)} are more than {MOST_MINORS}; write a smaller matrix")
    known: dict[tuple[tuple[int, ...], tuple[int, ...]], Any] = {}
    coordinates, names = [], []
    for r in chosen:
        for c in columns:
            coordinates.append(str(reader.quotient(_determinant(values, r, c, reader, known))))
            names.append(_minor_name(r, c, len(chosen) == 1, max(len(rows), len(rows[0])) > 9))
    return Network(map_nodes(formulas(own, coordinates, tuple(names))))


def _minor_name(rows: tuple[int, ...], columns: tuple[int, ...], all_rows: bool, large: bool) -> str:
    between = "_" if large else ""
    texts = [between.join(str(k + 1) for k in part) for part in (rows, columns)]
    return f"p{texts[1]}" if all_rows else f"m{texts[0]}x{texts[1]}"


def _entry(text: str, names: tuple[str, ...], row: int, column: int) -> Any:
    try:
        reader = Reader(Scanner(text), names)
        value = reader.sum()
        if not reader.scanner.ended:
            reader.unexpected()
    except FormatError as error:
        problem = f"matrix, row {row}, column {column}: {error.problem}"
        raise FormatError(problem, error.text, error.position, error.hint) from None
    return value


def _determinant(values: Any, rows: tuple[int, ...], columns: tuple[int, ...], reader: Reader, known: Any) -> Any:
    """The minor by expansion along its first row; smaller ones are shared."""
    if len(rows) == 1:
        return values[rows[0]][columns[0]]
    if (rows, columns) not in known:
        total: Any = None
        for k, column in enumerate(columns):
            smaller = _determinant(values, rows[1:], columns[:k] + columns[k + 1 :], reader, known)
            term = reader.product(values[rows[0]][column], smaller)
            term = reader.negative(term) if k % 2 else term
            total = term if total is None else reader.plus(total, term)
        known[rows, columns] = total
    return known[rows, columns]


def toric(exponents: Sequence[Sequence[int]], parameters: Names = None) -> Network:
    """The monomial map of an integer matrix: column ``j`` has the exponents of the parameters in coordinate ``j``.

    Its ideal is the toric ideal of the matrix. Negative exponents give quotients.

    Examples
    --------
    >>> print(toric([[3, 2, 1, 0], [0, 1, 2, 3]]))
    map(t1,t2: t1^3, t1^2*t2, t1*t2^2, t2^3)
    """
    rows = [list(row) for row in (exponents.tolist() if hasattr(exponents, "tolist") else exponents)]
    if not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise PolygeomError(
            "exponents must be rows of one length, one for each parameter; write [[2, 1, 0], [0, 1, 2]]"
        )
    if any(not isinstance(e, int) or isinstance(e, bool) for row in rows for e in row):
        raise PolygeomError(f"exponents must be integers, got {shown(exponents)}; write [[2, 1, 0], [0, 1, 2]]")
    own = _names(parameters, "parameters") or tuple(f"t{i}" for i in range(1, len(rows) + 1))
    if len(own) != len(rows):
        raise PolygeomError(f"parameters must be {len(rows)} names, one for each row, got {len(own)}; write as many")
    coordinates = []
    for column in zip(*rows, strict=True):
        top = [f"{name}^{e}" for name, e in zip(own, column, strict=True) if e > 0]
        bottom = [f"{name}^{-e}" for name, e in zip(own, column, strict=True) if e < 0]
        coordinates.append("*".join(top or ["1"]) + (f"/({'*'.join(bottom)})" if bottom else ""))
    return Network(map_nodes(formulas(own, coordinates)))
