"""Text ⇄ nodes: ``read`` reads, ``write`` gives the one canonical text that reads back as equal nodes.

Five forms, all ASCII: a multilayer perceptron in brackets, ``[2,3,3,1] r=2,3 bias``; a family of
`polygeom.network.families` as a function call, ``ccp(3, rank=4, degree=3)``; any network as a program, one layer a
statement, ``x=input(3); a=dense(x,4); b=power(a,2); dense(b,1)``; a map without inputs by its formulas, ``map(s,t: s^2,
s*t, t^2)`` (`polygeom.network.text.maps`); and JSON (`polygeom.network.text.records`),
recognised by its first ``{``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from fractions import Fraction
from typing import Any

from polygeom.network import families
from polygeom.network.arguments import activation_arguments
from polygeom.network.grammar.scanner import Scanner, ascii_text
from polygeom.network.layers import Bias, Dense, Input, Layer, Polynomial, Power
from polygeom.network.limits import LARGEST_DEGREE, LARGEST_POLYNOMIAL_DEGREE, LARGEST_WIDTH, MOST_SYMBOLS
from polygeom.network.nodes import Nodes
from polygeom.network.text import family_calls, maps, programs, records

_EXAMPLE = "write for example [2,3,1] r=2"


def read(text: str) -> Nodes:
    """The nodes that ``text`` describes; whether they fit together is seen when they are compiled.

    Raises
    ------
    FormatError
        When the text does not follow the grammar; it carries the position and what to write.

    Examples
    --------
    >>> [node.layer.kind for node in read("[2,3,1] r=2")]
    ['input', 'dense', 'power', 'dense']
    """
    scanner = Scanner(ascii_text(text, "network", "[2,3,1] r=2"))
    if scanner.ended:
        scanner.fail("an empty text", _EXAMPLE)
    if scanner.peek("{"):
        return records.read(text)
    with scanner.at(0):
        if scanner.peek("["):
            return _read_mlp(scanner)
        start = scanner.position
        word = scanner.word()
        if word == "map" and scanner.peek("("):
            return maps.read(scanner)
        if word is not None and word in family_calls.FAMILIES and scanner.peek("("):
            return family_calls.read(scanner, word, start)
        return programs.read(Scanner(text))


def pointing_at(text: str) -> AbstractContextManager[None]:
    """Let an error that is raised while the nodes of ``text`` are compiled show the text."""
    return Scanner(text).at(0)


def write(nodes: Nodes) -> str:
    """The canonical text of ``nodes``: in brackets for a perceptron, as a call for another family, else as a program.

    >>> write(read(" [2, 3, 3, 1]  r=2,2"))
    '[2,3,3,1] r=2'
    """
    arguments = _guess_mlp(nodes)
    if arguments is not None and families.mlp(**arguments) == nodes:
        return _write_mlp(**arguments)
    formula = maps.formula_of(nodes)
    if formula is not None:
        return maps.write(formula)
    return family_calls.recognise(nodes) or programs.write(nodes)


def _read_mlp(s: Scanner) -> Nodes:
    s.expect("[", _EXAMPLE)
    widths = _list(s, lambda: s.integer("width", 1, LARGEST_WIDTH, _EXAMPLE))
    if not s.take("]"):
        if s.peek("..") or s.peek("|"):
            s.fail("a range, which stands for several networks", "write one number here, or expand the text first")
        hint = "close the bracket with ]" if s.ended else "write , between widths and ] after the last one"
        s.fail(f"expected , or ], found {s.here}", hint)
    if len(widths) < 2:
        s.fail("one width", f"write at least the inputs and the outputs, [{widths[0]},1]", 0)
    options: dict[str, Any] = {}
    while not s.ended:
        _read_option(s, options, len(widths) - 2)
    if "degrees" in options and "activation" in options:
        s.fail("both r= and p=", "write r=2 for monomials or p=0,1,1 for a polynomial", 0)
    if len(widths) > 2 and not {"degrees", "activation"} & options.keys():
        s.fail("no activation", f"write {s.text[: s.position].strip()[:60]} r=2, or r=1 for a linear network")
    return families.mlp(widths, **options)


def _read_option(s: Scanner, options: dict[str, Any], hidden: int) -> None:
    start = s.position
    word = s.word()
    name = {"r": "degrees", "p": "activation", "bias": "bias", "tied": "tied"}.get(word or "")
    if name is None:
        hint = "write r=2, p=0,1,1, bias or tied after the widths"
        s.fail(f"expected an option, found {s.here if word is None else repr(word)}", hint, start)
    if name in options:
        s.fail(f"{word} twice", f"write {word} once", start)
    if name in ("bias", "tied"):
        options[name] = True
        return
    s.expect("=", f"write {word}={'2' if word == 'r' else '0,1,1'}")
    got: int
    if word == "r":
        degrees = _list(s, lambda: s.integer("degree", 1, LARGEST_DEGREE, "write r=2 or, for each layer, r=2,3"))
        options[name], got = (degrees[0] if len(degrees) == 1 else degrees), len(degrees)
    else:
        lists = [_read_coefficients(s)]
        while s.take(";"):
            lists.append(_read_coefficients(s))
        options[name], got = (lists[0] if len(lists) == 1 else lists), len(lists)
    if got not in (1, hidden):
        one = "2" if word == "r" else "0,1,1"
        hint = f"write one activation for all, {word}={one}, or one for each hidden layer"
        s.fail(f"{got} activations for {hidden} hidden layer(s)", hint, start)


def _read_coefficients(s: Scanner) -> list[Fraction]:
    start = s.position
    coefficients = _list(
        s, lambda: s.rational("coefficient", "write fractions as 1/2, in p=0,1,1/2"), LARGEST_POLYNOMIAL_DEGREE + 1
    )
    if len(coefficients) < 2 or not coefficients[-1]:
        hint = "write the coefficients from the constant to a nonzero leading one, p=0,1,1 for x + x^2"
        s.fail("a polynomial of degree 0" if len(coefficients) < 2 else "a zero leading coefficient", hint, start)
    return coefficients


def _list(s: Scanner, item: Any, most: int = MOST_SYMBOLS // 2) -> list[Any]:
    items = [item()]
    while s.take(","):
        if len(items) == most:
            s.fail(f"more than {most} entries", "write a shorter list")
        items.append(item())
    return items


def _guess_mlp(nodes: Nodes) -> dict[str, Any] | None:
    """The arguments with which `mlp` would give ``nodes``, if it does."""
    if not isinstance(nodes[0].layer, Input) or len(nodes[0].layer.dims) != 1:
        return None
    widths, activations = [nodes[0].layer.dims[0]], list[Layer | None]()
    for node in nodes[1:]:
        layer = node.layer
        if isinstance(layer, Dense):
            widths.append(layer.width)
            activations.append(None)
        elif isinstance(layer, Power | Polynomial) and activations and activations[-1] is None:
            activations[-1] = layer
        elif not isinstance(layer, Bias):
            return None
    if len(widths) < 2 or activations.pop() is not None:
        return None
    options: dict[str, Any] = activation_arguments(activations)
    if any(isinstance(node.layer, Bias) for node in nodes):
        options["bias"] = True
    if any(node.shares is not None for node in nodes):
        options["tied"] = True
    return {"widths": widths, **options}


def _write_mlp(
    widths: list[int],
    degrees: list[int] | None = None,
    activation: list[tuple[Fraction, ...]] | None = None,
    bias: bool = False,
    tied: bool = False,
) -> str:
    parts = [f"[{','.join(map(str, widths))}]"]
    if degrees:
        parts.append("r=" + ",".join(map(str, degrees[:1] if len(set(degrees)) == 1 else degrees)))
    if activation:
        lists = activation[:1] if len(set(activation)) == 1 else activation
        parts.append("p=" + ";".join(",".join(map(str, c)) for c in lists))
    return " ".join(parts + ["bias"] * bias + ["tied"] * tied)
