"""Some architectures of an atlas as one task: plain data in, packed columns out."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from polygeom.dimensions.bounds.bound import RULES, Bound
from polygeom.dimensions.explain import EXPLAINED, NO_DEFECT, UNEXPLAINED, explain_known, steps
from polygeom.dimensions.survey.batch import survey, tables
from polygeom.network import mlp

Array = np.ndarray

ALGORITHM = 1
COLUMNS = ("dimension", "upper", "bound", "explanation")
"""What is computed for each row; bounds and explanations as numbers of a list of texts."""


def prepare() -> None:
    """Load the compiled kernels, before the time of a task begins."""
    tables()


def architectures(depth: int, width: int, start: int, stop: int) -> Array:
    """The architectures of a depth with widths from 1 to ``width``, those from number ``start`` on, in table order.

    >>> architectures(2, 3, 1, 4).tolist()
    [[1, 1, 2], [1, 1, 3], [1, 2, 1]]
    """
    return np.stack(np.unravel_index(np.arange(start, stop), (width,) * (depth + 1)), axis=1) + 1


def run(task: dict[str, Any]) -> dict[str, Any]:
    """The columns of the architectures ``{"depth", "width", "start", "stop", "degrees"}``; see `unpack`."""
    argument = dict(task["argument"])
    degrees = argument.pop("degrees")
    rows = np.repeat(architectures(**argument), len(degrees), axis=0)
    powers = np.tile(np.array(degrees), len(rows) // len(degrees))
    found = survey(rows, powers, rng=task["seed"])
    texts: dict[str, int] = {"": 0}
    columns = np.zeros((len(COLUMNS), len(rows)), np.int32)
    columns[0], columns[1] = found.dimension, found.upper
    columns[2:] = _reasons(rows, powers, found.dimension, found.parameters, found.ambient, texts)
    packed = base64.b64encode(zlib.compress(columns.tobytes(), 6)).decode()
    return {"rows": len(rows), "texts": list(texts), "columns": packed}


def unpack(result: dict[str, Any]) -> tuple[Array, list[str]]:
    """The columns `COLUMNS` of a result, integers ``(4, rows)``, and the texts that the last two number."""
    data = zlib.decompress(base64.b64decode(result["columns"]))
    return np.frombuffer(data, np.int32).reshape(len(COLUMNS), result["rows"]), result["texts"]


def _reasons(
    rows: Array, powers: Array, found: Array, parameters: Array, ambient: Sequence[int], texts: dict[str, int]
) -> Array:
    """The rule of the smallest bound and the explanation of every row, as numbers of texts."""
    out = np.zeros((2, len(rows)), np.int32)
    known = tables()
    best = None if known is None else known[1].find(rows, powers)
    names = () if known is None else known[1].rules
    numbers = [texts.setdefault(name, len(texts)) for name in names]
    free = parameters - rows[:, 1:-1].sum(axis=1)
    for i, (dimension, most) in enumerate(zip(found.tolist(), ambient, strict=True)):
        expected = min(most, int(free[i]))
        widths, r = tuple(rows[i].tolist()), int(powers[i])
        if best is None or known is None or best[i, 0] < 0:
            rule, why = _slowly(widths, r, dimension, expected)
            out[:, i] = [texts.setdefault(text, len(texts)) for text in (rule, why)]
            continue
        out[0, i] = numbers[best[i, 1]]
        if dimension >= expected:
            continue
        if dimension == best[i, 0]:
            tree = known[1].tree(widths, r)
            why = causes(tree) or tree.rule
        else:
            why = UNEXPLAINED
        out[1, i] = texts.setdefault(why, len(texts))
    if known is not None:
        known[0].trim()
        known[1].trim()
    return out


def causes(bound: Bound) -> str:
    """The special rules of a bound's tree, as `polygeom.dimensions.explain.Explanation.causes` lists them."""
    rules = (f"{s.rule} at layer {s.layer}" if s.layer else s.rule for s in steps(bound) if not RULES[s.rule].counts)
    return ", ".join(dict.fromkeys(rules))


def _slowly(widths: tuple[int, ...], degree: int, found: int, expected: int) -> tuple[str, str]:
    reason = explain_known(mlp(widths, degree), found, expected)
    rule = reason.chain[0].rule
    return rule, {NO_DEFECT: "", EXPLAINED: ", ".join(reason.causes) or rule}.get(reason.verdict, reason.verdict)
