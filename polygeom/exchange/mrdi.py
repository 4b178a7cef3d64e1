"""Ideals in the ``.mrdi`` file format, JSON in the form that OSCAR 1.4 writes.

The ring stands under ``_refs`` by its universal identifier, with the field in the parameters of its type; the ideal
names the ring in the parameters of its own, and its data are the terms of each generator as pairs of exponents and
coefficient, all numbers as text.

References
----------
Della Vecchia, Joswig, Lorenz, "A FAIR file format for mathematical software", arXiv 2309.00465.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from polygeom.errors import PolygeomError
from polygeom.exchange.expressions import Terms, canonical
from polygeom.ideal.result import IdealResult
from polygeom.modular import is_prime

NAMESPACE = {"Oscar": ["https://github.com/oscar-system/Oscar.jl", "1.4.0"]}
_RATIONALS = "QQField"
_RINGS = uuid.UUID("3f0c9f6e-5b1d-4c52-9a52-6d1f3c7b8e21")
"""Identifiers of rings are made from it, their names and their field: the same ring has the same one in every file."""


def write_mrdi(result: IdealResult) -> str:
    """The ideal of the generators as a document of the ``.mrdi`` format."""
    names, p = list(result.coordinates.names), result.characteristic
    field: Any = {"_type": _RATIONALS}
    if p:
        field = {"_type": {"name": "FiniteField", "_instance": "fpField"}, "data": str(p)}
    identifier = str(uuid.uuid5(_RINGS, f"{p} {' '.join(names)}"))
    generators = [
        [[list(map(str, exponents)), _number_text(c, p)] for exponents, c in g.polynomial.terms()]
        for g in result.generators
    ]
    document = {
        "_ns": NAMESPACE,
        "_type": {"name": "MPolyIdeal", "params": identifier},
        "data": generators,
        "_refs": {identifier: {"_type": {"name": "MPolyRing", "params": field}, "data": {"symbols": names}}},
    }
    return json.dumps(document, indent=1) + "\n"


def _number_text(c: Any, p: int) -> str:
    if p:
        return str(int(c) % p)
    return str(c).replace("/", "//")


def read_mrdi(text: str) -> tuple[tuple[str, ...], int, list[Terms]]:
    """Names, characteristic and generators of an ideal, a polynomial, or a vector of polynomials.

    OSCAR writes ``MPolyIdeal``, ``MPolyRingElem`` and ``Vector``, Macaulay2 (package MRDI) ``Ideal`` and
    ``RingElement``.

    Raises
    ------
    PolygeomError
        If it is no such document; what is not understood is named.

    Examples
    --------
    >>> from polygeom.ideal import Neurovariety
    >>> names, characteristic, (terms,) = read_mrdi(write_mrdi(Neurovariety("[2,1,1] r=2").ideal()))
    >>> names, characteristic, terms
    (('c1x20', 'c1x11', 'c1x02'), 0, {(0, 2, 0): Fraction(1, 1), (1, 0, 1): Fraction(-4, 1)})
    """
    try:
        document = json.loads(text)
        kind = document["_type"]
        name, identifier = _kind(kind)
        names, characteristic = _ring(document["_refs"][identifier])
        data = [document["data"]] if name in _SINGLE else document["data"]
        generators = [_terms(polynomial, len(names), characteristic) for polynomial in data]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ZeroDivisionError) as error:
        if isinstance(error, PolygeomError):
            raise
        raise PolygeomError(
            f".mrdi: this is no ideal in the .mrdi format ({error!r:.80}); save an ideal, a polynomial, or a vector of "
            "polynomials, over QQ or a prime field"
        ) from None
    return names, characteristic, [g for g in generators if g]


_IDEALS = ("MPolyIdeal", "Ideal")
_SINGLE = ("MPolyRingElem", "RingElement")


def _kind(kind: Any) -> tuple[str, str]:
    """The type of a document, and the identifier of its ring."""
    name = kind if isinstance(kind, str) else str(kind["name"])
    if name == "Vector" and kind["params"]["name"] in _SINGLE:
        return name, str(kind["params"]["params"])
    if name in (*_IDEALS, *_SINGLE):
        return name, str(kind["params"])
    inner = f" of {kind['params']['name']}" if name == "Vector" else ""
    raise PolygeomError(f".mrdi: the type {name + inner!r:.40} is no ideal; save an ideal or polynomials")


def _ring(ring: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    kind, data = ring["_type"], ring["data"]
    name = kind if isinstance(kind, str) else kind["name"]
    field = data["base_ring"] if isinstance(kind, str) else kind["params"]  # before version 1.4, and since
    if name not in ("MPolyRing", "PolynomialRing"):
        raise PolygeomError(f".mrdi: {name!r:.40} is no polynomial ring; use polynomial_ring")
    names = tuple(map(canonical, map(str, data["symbols"] if name == "MPolyRing" else data["variables"])))
    if not names or len(set(names)) != len(names) or not all(re.fullmatch(r"[A-Za-z]\w*", n) for n in names):
        raise PolygeomError(f".mrdi: the ring has the variables {names!r:.60}; different names are needed")
    characteristic = _characteristic(field)
    if characteristic and not is_prime(characteristic):
        raise PolygeomError(f".mrdi: {characteristic} elements make no prime field; the characteristic must be a prime")
    return names, characteristic


def _characteristic(field: Any) -> int:
    kind = field if isinstance(field, str) else field["_type"]
    if kind == _RATIONALS or (kind == "Ring" and field["data"] == "QQ"):
        return 0
    name = kind if isinstance(kind, str) else kind.get("_instance", kind["name"])
    if name not in ("fpField", "Nemo.fpField", "FpField", "Nemo.FpField", "FqField", "Nemo.FqField"):
        shown = field["data"] if name == "Ring" else name
        raise PolygeomError(f".mrdi: coefficients {shown!r:.40} are not read; use QQ or a prime field, GF(p)")
    if not isinstance(field["data"], str | int):
        raise PolygeomError(f".mrdi: coefficients {name!r:.40} of an extension field are not read; use GF(p)")
    return int(field["data"])


def _terms(polynomial: Sequence[Any], variables: int, p: int) -> Terms:
    terms: Terms = {}
    for exponents, c in polynomial:
        key = tuple(map(int, exponents))
        if len(key) != variables or min(key, default=0) < 0:
            raise PolygeomError(f".mrdi: a term has the exponents {key!r:.60}; {variables} numbers from 0 are needed")
        value = Fraction(int(c[0]), int(c[1])) if isinstance(c, list) else Fraction(str(c).replace("//", "/"))
        terms[key] = terms.get(key, Fraction(0)) + (value % p if p else value)
    return {key: value for key, value in terms.items() if value}
