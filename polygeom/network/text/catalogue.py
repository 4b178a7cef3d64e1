"""All layers as a table: what the documentation shows is what the register holds."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from polygeom.network.layers import LAYERS, Layer
from polygeom.network.text.calls import write_value


def layer_table() -> str:
    """Every layer of the register in Markdown: how it is written, and the first line of its docstring.

    >>> [line for line in layer_table().splitlines() if "depthwise" in line]
    ['| `depthwise(x, size, stride=1)` | A depthwise 1-D convolution without padding: ``y[m, c] = Σ_i w[c, i] \
x[stride·m + i, c]``. |']
    """
    lines = ["| layer | value |", "| --- | --- |"]
    lines += [f"| `{_signature(kind)}` | {_summary(kind)} |" for _, kind in sorted(LAYERS.items())]
    return "\n".join(lines) + "\n"


def _signature(kind: type[Layer]) -> str:
    reads = {0: [], 1: ["x"], None: ["x", "y", "…"]}.get(kind.arity, [f"x{k}" for k in range(1, (kind.arity or 0) + 1)])
    known: tuple[Any, ...] = fields(kind)  # type: ignore[arg-type]
    given = [f.name if f.default is MISSING else f"{f.name}={write_value(f.default)}" for f in known]
    return f"{kind.kind}({', '.join([*reads, *given])})"


def _summary(kind: type[Layer]) -> str:
    paragraph = (kind.__doc__ or "").strip().partition("\n\n")[0]
    return " ".join(paragraph.split()).replace("|", "\\|")
