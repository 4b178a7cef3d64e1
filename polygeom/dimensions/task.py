"""The dimension of one network as a task of a sweep: plain data in, plain data out."""

from __future__ import annotations

import math
import re
from typing import Any

from polygeom.dimensions.compute import dimension
from polygeom.dimensions.counts import ambient_dimension, parameter_count
from polygeom.dimensions.result import DimensionResult
from polygeom.errors import BudgetError, CertificateError
from polygeom.network import parse

ALGORITHM = 1
"""Raised when stored dimensions no longer count."""
VERIFIED = "; certificate verified"
"""See `confirmed`."""
_MOST_BITS = 10_000
_FEW_WEIGHTS = 2000
_SMALL = re.compile(r"\[([1-9][0-9]?(?:,[1-9][0-9]?){2,7})\] r=([2-9])", re.ASCII)


def describe(text: str) -> dict[str, Any]:
    """The columns of a table that follow from the text of a network alone, ``"network"`` being its canonical text.

    Raises
    ------
    FormatError
        When the text is not a network.

    Examples
    --------
    >>> describe("[2, 3, 3, 1] r=2,3")["activation"]
    '2,3'
    """
    small = small_perceptron(text)
    if small is not None:
        return _of_perceptron(text, *small)
    network = parse(text).unscaled
    facts: dict[str, Any] = {"network": network.text, "parameters": network.parameter_count}
    if network.widths is not None and network.activation_degrees is not None:
        degrees = network.activation_degrees
        facts["widths"] = "[" + ",".join(str(width) for width in network.widths) + "]"
        facts["activation"] = ",".join(str(degree) for degree in (degrees[:1] if len(set(degrees)) == 1 else degrees))
        facts |= {"gauge": network.gauge, "expected_dimension": network.expected_dimension}  # costly for other networks
    inputs, degree = network.input_dimension, network.degree
    if min(inputs, degree) * math.log2(inputs + degree + 1) < _MOST_BITS:
        facts["ambient_dimension"] = network.ambient_dimension
    return facts


def small_perceptron(text: str) -> tuple[tuple[int, ...], int] | None:
    """Widths and activation degree, if this is the canonical text of a perceptron with few weights, else None.

    >>> small_perceptron("[2,3,1] r=2"), small_perceptron("[2, 3, 1] r=2")
    (((2, 3, 1), 2), None)
    """
    found = _SMALL.fullmatch(text)
    if found is None:
        return None
    widths = tuple(map(int, found[1].split(",")))
    return (widths, int(found[2])) if parameter_count(widths) <= _FEW_WEIGHTS else None


def _of_perceptron(text: str, widths: tuple[int, ...], degree: int) -> dict[str, Any]:
    """`describe` without a network, which takes ten times as long."""
    weights, gauge = parameter_count(widths), sum(widths[1:-1])
    ambient = ambient_dimension(widths, (degree,) * (len(widths) - 2))
    return {
        "network": text,
        "parameters": weights,
        "widths": text.partition(" ")[0],
        "activation": str(degree),
        "gauge": gauge,
        "expected_dimension": min(ambient, weights - gauge),
        "ambient_dimension": ambient,
    }


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Compute the row of one task with the argument ``{"network": text, "options": {…}}`` and a ``seed``.

    Options are keyword arguments of `polygeom.dimensions.dimension`: ``method``, ``error``, ``memory``.
    """
    argument = task["argument"]
    return dimension(argument["network"], rng=task["seed"], **argument.get("options", {})).as_dict()


def confirmed(task: dict[str, Any]) -> dict[str, Any]:
    """The row of one task, as `run`, after the independent checker has looked at a certificate of its bounds.

    The column ``method`` ends with `VERIFIED` where it confirms both; other rows are too large for it, or have layers
    that certificates do not know.

    Raises
    ------
    RuntimeError
        If what it confirms contradicts the row.
    """
    from polygeom.dimensions.proofs import decoding, verification
    from polygeom.dimensions.proofs.certificate import certify
    from polygeom.dimensions.proofs.limits import Budget

    row = run(task)
    try:
        data = certify(row["network"], result=DimensionResult.from_dict(row), rng=task["seed"])
        found = verification.check(decoding.decode(data, verification.DimensionCertificate), Budget())
    except (BudgetError, CertificateError):
        return row
    claim = data["claim"]
    if not found.valid or claim["upper"] < row["lower"] or row["upper"] < claim["lower"]:
        raise RuntimeError(f"the checker does not confirm the bounds {row['lower']}, {row['upper']}: {found.claim}")
    same = all(claim[name] == row[name] for name in ("lower", "upper"))
    return {**row, "method": row["method"] + VERIFIED} if same else row


def certificate(task: dict[str, Any]) -> dict[str, Any]:
    """The certificate of a result ``{"result": as_dict, "seed": int}``."""
    from polygeom.dimensions.proofs.certificate import certify

    result = DimensionResult.from_dict(task["result"])
    return certify(result.network, result=result, rng=task["seed"])
