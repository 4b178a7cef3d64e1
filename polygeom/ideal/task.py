"""Questions about a neurovariety as tasks: plain data in, plain data out, for processes that end with their limits."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from polygeom.checks import integer
from polygeom.ideal.counting import invariants
from polygeom.ideal.counting.evidence import Count
from polygeom.ideal.counting.fibre import fibre
from polygeom.ideal.counting.real import real_fibres
from polygeom.ideal.neurovariety import Neurovariety
from polygeom.sweeps.cluster import dask_executor

SEARCH = 0.6
"""Share of the time that the search for equations may take; the rest is for what is done with them."""

SOONER = 0.85
"""Share of the time after which a count says what it has, so that the answer is out before the process is ended."""


def contains(task: dict[str, Any]) -> dict[str, Any]:
    """`Neurovariety.contains` of ``{"network", "function", "max_degree", "timeout", "seed"}``."""
    variety = Neurovariety(task["network"], rng=task["seed"])
    timeout = SEARCH * task["timeout"]
    return asdict(variety.contains(task["function"], max_degree=task["max_degree"], timeout=timeout))


def count(
    network: str,
    form: str | None,
    inputs: Any,
    options: Mapping[str, Any],
    seed: int,
    workers: int = 1,
    executor: Executor | None = None,
) -> tuple[Count, list[int] | None]:
    """The degree, with ``form`` a distance degree, with ``inputs`` a learning degree; the h-vector if it is known."""
    variety = Neurovariety(network, rng=seed, workers=integer("workers", workers), executor=executor)
    if inputs is not None:
        found = invariants.learning_degree(variety, inputs, **options)
    elif form is not None:
        found = invariants.ed_degree(variety, form, **options)
    else:
        found = invariants.degree(variety, **options)
    argument = None if variety.found is None else variety.found.completeness
    return found, None if argument is None else list(argument.h_vector)


def count_within(task: dict[str, Any]) -> dict[str, Any]:
    """`count` of ``{"network", "form", "inputs", "timeout", "options", "seed", "workers", "dask"}``, inputs as text.

    The time begins when the cluster that ``dask`` names, if it does, has answered.
    """
    rows = task["inputs"]
    inputs = None if rows is None else [[Fraction(c) for c in row] for row in rows]
    options = task["options"] | {"timeout": task["timeout"]}
    with dask_executor(task["dask"], task["workers"]) as (executor, workers):
        found, h_vector = count(task["network"], task["form"], inputs, options, task["seed"], workers, executor)
    return {
        "answer": found.as_dict() | {"h_vector": h_vector},
        "text": str(found),
        "counted": found.value is not None,
    }


def fibre_within(task: dict[str, Any]) -> dict[str, Any]:
    """`polygeom.fibre`, of ``{"network", "method", "real", "timeout", "seed", "workers", "dask"}``; with ``real``,
    `real_fibres`."""
    with dask_executor(task["dask"], task["workers"]) as (executor, workers):
        how = {"timeout": SOONER * task["timeout"], "rng": task["seed"], "workers": workers, "executor": executor}
        if task["real"] is not None:
            counts = real_fibres(task["network"], task["real"], **how)
            return {"answer": counts.as_dict(), "text": str(counts), "counted": True}
        found = fibre(task["network"], method=task["method"], **how)
    return {"answer": found.as_dict(), "text": str(found), "counted": found.value is not None or found.infinite}
