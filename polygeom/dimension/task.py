"""The dimension of one network as a task of a sweep: plain data in, plain data out."""

from __future__ import annotations

from typing import Any

from polygeom.dimension.compute import dimension
from polygeom.dimension.result import DimensionResult


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Compute the row of one task ``{"network": text, "options": {…}, "seed": int}``.

    Options are keyword arguments of `polygeom.dimension.dimension`: ``method``, ``error``, ``memory``.
    """
    return dimension(task["network"], rng=task["seed"], **task.get("options", {})).as_dict()


def certificate(task: dict[str, Any]) -> dict[str, Any]:
    """The certificate of a result ``{"result": as_dict, "seed": int}``."""
    from polygeom.dimension.proofs.certificate import certify

    result = DimensionResult.from_dict(task["result"])
    return certify(result.network, result=result, rng=task["seed"])
