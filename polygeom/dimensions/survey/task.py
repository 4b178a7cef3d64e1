"""Many dimensions as one task of a sweep: plain data in, plain data out."""

from __future__ import annotations

from typing import Any

import numpy as np

from polygeom.dimensions.survey.batch import survey, tables
from polygeom.dimensions.task import small_perceptron
from polygeom.errors import PolygeomError


def prepare() -> None:
    """Load the compiled kernels, before the time of a task begins."""
    tables()


def run(task: dict[str, Any]) -> dict[str, Any]:
    """The rows of many small perceptrons, each as `polygeom.dimensions.task.run` gives it but for ``elapsed``.

    The argument has ``"arguments"``, a list of those of the single tasks; the answer has ``"results"`` in their order.
    """
    found = [small_perceptron(argument["network"]) for argument in task["argument"]["arguments"]]
    rows: list[Any] = [None] * len(found)
    places: dict[int, list[int]] = {}
    for place, one in enumerate(found):
        if one is None:
            raise PolygeomError("network: these are no texts of small perceptrons; compute them one by one")
        places.setdefault(len(one[0]), []).append(place)
    for chosen in places.values():
        asked = [one for place in chosen if (one := found[place]) is not None]
        answers = survey(np.array([w for w, _ in asked]), np.array([r for _, r in asked]), rng=task["seed"])
        for place, result in zip(chosen, answers.results(), strict=True):
            rows[place] = result.as_dict()
    return {"results": rows}
