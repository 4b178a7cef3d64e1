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
import uuid
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from polygeom.errors import PolygeomError
from polygeom.ideal.result import IdealResult

NAMESPACE = {"Oscar": ["https://github.com/oscar-system/Oscar.jl", "1.4.0"]}
_RATIONALS = "QQField"
_RINGS = uuid.UUID("3f0c9f6e-5b1d-4c52-9a52-6d1f3c7b8e21")
"""Identifiers of rings are made from it, their names and their field: the same ring has the same one in every file."""

Terms = dict[tuple[int, ...], Fraction]


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
    """Names, characteristic and generators of an ideal, or of a vector of polynomials.

    Raises
    ------
    PolygeomError
        If it is no such document.

    Examples
    --------
    >>> from polygeom.ideal import Neurovariety
    >>> names, characteristic, (terms,) = read_mrdi(write_mrdi(Neurovariety("[2,1,1] r=2").ideal()))
    >>> names, characteristic, terms
    (('c1x20', 'c1x11', 'c1x02'), 0, {(0, 2, 0): Fraction(1, 1), (1, 0, 1): Fraction(-4, 1)})
    """
    try:
        document = json.loads(text)
        ring = document["_refs"][_identifier(document["_type"])]
        names, characteristic = _ring(ring)
        generators = [_terms(polynomial, len(names), characteristic) for polynomial in document["data"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ZeroDivisionError) as error:
        if isinstance(error, PolygeomError):
            raise
        raise PolygeomError(
            f"this is no ideal in the .mrdi format ({error!r:.80}); save an ideal, or a vector of polynomials, over QQ "
            "or a prime field"
        ) from None
    return names, characteristic, generators


def _identifier(kind: Mapping[str, Any]) -> str:
    if kind["name"] == "Vector":
        kind = kind["params"]
    if kind["name"] not in ("MPolyIdeal", "MPolyRingElem"):
        raise PolygeomError(f"an ideal is needed, got a document of type {kind['name']!r:.40}; save an MPolyIdeal")
    return str(kind["params"])


def _ring(ring: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    kind, data = ring["_type"], ring["data"]
    name = kind if isinstance(kind, str) else kind["name"]
    field = data["base_ring"] if isinstance(kind, str) else kind["params"]  # before version 1.4, and since
    if name != "MPolyRing":
        raise PolygeomError(f"a polynomial ring is needed, got {name!r:.40}; use polynomial_ring")
    return tuple(map(str, data["symbols"])), _characteristic(field)


def _characteristic(field: Any) -> int:
    kind = field if isinstance(field, str) else field["_type"]
    if kind in (_RATIONALS, "ZZRing"):
        return 0
    name = kind if isinstance(kind, str) else kind.get("_instance", kind["name"])
    if name not in ("fpField", "Nemo.fpField", "FpField", "Nemo.FpField", "FqField"):
        raise PolygeomError(f"coefficients must be rational or of a prime field, got {name!r:.40}; use QQ or GF(p)")
    return int(field["data"])


def _terms(polynomial: Sequence[Any], variables: int, p: int) -> Terms:
    terms: Terms = {}
    for exponents, c in polynomial:
        key = tuple(map(int, exponents))
        if len(key) != variables or min(key, default=0) < 0:
            raise PolygeomError(f"a term has the exponents {key!r:.60}; {variables} numbers from 0 are needed")
        value = Fraction(str(c).replace("//", "/"))
        terms[key] = terms.get(key, Fraction(0)) + (value % p if p else value)
    return {key: value for key, value in terms.items() if value}
