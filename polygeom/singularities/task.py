"""A learning coefficient, or a critical locus, as a task of a process of its own: plain data in, plain data out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from polygeom.singularities.coefficient import learning_coefficient
from polygeom.singularities.critical.least_degree import subnetwork_threshold
from polygeom.singularities.critical.locus import critical_locus
from polygeom.singularities.result import LearningCoefficient


def run(argument: Mapping[str, Any]) -> dict[str, Any]:
    """The answer for ``{"network": text, "at": text or None, "weights": arrays or None, "seed": int}``."""
    at = argument["at"] if argument["weights"] is None else argument["weights"]
    return learning_coefficient(argument["network"], at, rng=argument["seed"]).as_dict()


def shown(data: Mapping[str, Any]) -> str:
    """The lines for a reader of an answer as plain data."""
    fractions = {name: None if data[name] is None else Fraction(data[name]) for name in ("value", "lower", "upper")}
    return str(LearningCoefficient(**{**data, **fractions, "live": tuple(data["live"])}))


def critical(argument: Mapping[str, Any]) -> dict[str, Any]:
    """The answer for ``{"network": text, "timeout": seconds or None, "seed": int}``, as data and as text."""
    found = critical_locus(argument["network"], timeout=argument["timeout"], rng=argument["seed"])
    return {"locus": found.as_dict(), "text": str(found)}


def least_degree(argument: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `subnetwork_threshold` for ``{"widths": list, "timeout": seconds or None, "rng": int}``."""
    found = subnetwork_threshold(argument["widths"], timeout=argument["timeout"], rng=argument["rng"])
    return {"found": found.as_dict(), "text": str(found)}
