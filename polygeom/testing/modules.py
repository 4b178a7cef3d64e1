"""Every function of modules on every module of the zoo: right to 1e-10, or refused in words. Never a raw error.

``python -m polygeom.testing.modules`` prints the table; it ends with status 1 if there is a difference or a raw error.
For modules and functions of your own, call `outcome` with a `ModuleCase` and a check.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.learning.checks import FallbackWarning
from polygeom.testing.module_functions import FUNCTIONS, IN_EVALUATION_MODE, WITHOUT_POINTS, Check, Subject
from polygeom.testing.module_zoo import ZOO, ModuleCase

TOLERANCE = 1e-10
AGREES, SLOWER, REFUSED, DIFFERS, RAW = "agrees", "agrees, slower", "refused", "DIFFERS", "RAW"
_SIGNS = {AGREES: "✓", SLOWER: "s", REFUSED: "–", DIFFERS: "D", RAW: "R"}


@dataclass(frozen=True)
class Outcome:
    """What a function did with a module.

    Attributes
    ----------
    kind:
        ``"agrees"`` with one-point differentiation; ``"agrees, slower"`` with a `FallbackWarning`; ``"refused"`` by a
        `PolygeomError`; ``"DIFFERS"``, or has changed the module; ``"RAW"`` for any other error.
    detail:
        The difference, or the message.
    """

    kind: str
    detail: str


def outcome(case: ModuleCase | Subject, check: Check, *, must_refuse: bool = False) -> Outcome:
    """Ask one function about one module.

    Parameters
    ----------
    case, check:
        The module, or what is known of it already, and the function; see `polygeom.testing.module_functions`.
    must_refuse:
        Whether an answer is wrong whatever it is.

    Examples
    --------
    >>> outcome(ZOO[0], FUNCTIONS["jacobian"]).kind
    'agrees'
    """
    subject = case if isinstance(case, Subject) else Subject(case)
    case = subject.case
    state = {name: value.detach().clone() for name, value in case.module.state_dict().items()}
    modes = [(part, part.training) for part in case.module.modules()]
    held = dict(case.module.named_parameters())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            pairs = check(subject)
        except PolygeomError as error:
            return Outcome(REFUSED, str(error))
        except Exception as error:  # noqa: BLE001  a raw error is what this looks for
            return Outcome(RAW, f"{type(error).__name__}: {error}")
    after, now = case.module.state_dict(), dict(case.module.named_parameters())
    if (
        any(part.training != mode for part, mode in modes)
        or any(not torch.equal(value, after[name]) for name, value in state.items())
        or any(now.get(name) is not parameter for name, parameter in held.items())
    ):
        return Outcome(DIFFERS, "the module was changed")
    if must_refuse:
        return Outcome(DIFFERS, "an answer where there is none")
    worst = max((difference(found, expected) for found, expected in pairs), default=0.0)
    if not worst <= TOLERANCE:
        return Outcome(DIFFERS, f"by {worst:.1e}")
    slower = any(issubclass(one.category, FallbackWarning) for one in caught)
    return Outcome(SLOWER if slower else AGREES, f"{worst:.1e}")


def difference(found: Any, expected: Any) -> float:
    """The largest difference of two arrays relative to the largest entry, at least 1; infinite for other shapes."""
    one, other = (np.asarray(a.detach() if isinstance(a, Tensor) else a, dtype=np.float64) for a in (found, expected))
    if one.shape != other.shape:
        return np.inf
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    if same.all():
        return 0.0
    return float(np.abs(np.where(same, 0, one - other)).max() / max(1.0, float(np.abs(other).max())))


def table(
    cases: Iterable[ModuleCase] = ZOO, functions: Iterable[str] = tuple(FUNCTIONS)
) -> dict[tuple[str, str], Outcome]:
    """The outcome of every function on every module, by the names of both."""
    chosen = tuple(functions)
    return {
        (subject.case.name, name): outcome(subject, FUNCTIONS[name], must_refuse=must_refuse(subject.case, name))
        for subject in map(Subject, cases)
        for name in chosen
    }


def must_refuse(case: ModuleCase, function: str) -> bool:
    """Whether a function may have no answer about a module."""
    if function in WITHOUT_POINTS or not case.refused:
        return False
    return case.refused == "always" or function not in IN_EVALUATION_MODE


def text(outcomes: dict[tuple[str, str], Outcome]) -> str:
    """The table for a reader: modules in rows, functions in columns by number, what is wrong below."""
    modules, functions = (list(dict.fromkeys(key[i] for key in outcomes)) for i in (0, 1))
    width = max(map(len, modules))
    lines = [f"{number:>{width}}  {name}" for number, name in enumerate(functions, 1)]
    heads = ["".join(f"{f'{number:02d}'[i]} " for number in range(1, len(functions) + 1)) for i in (0, 1)]
    lines += ["", *(f"{'':{width}}  {head}" for head in heads)]
    lines += [
        f"{module:>{width}}  " + " ".join(_SIGNS[outcomes[module, name].kind] for name in functions)
        for module in modules
    ]
    counts = {kind: sum(one.kind == kind for one in outcomes.values()) for kind in _SIGNS}
    lines += ["", ", ".join(f"{_SIGNS[kind]} {kind}: {count}" for kind, count in counts.items())]
    wrong = {key: one for key, one in outcomes.items() if one.kind in (DIFFERS, RAW)}
    return "\n".join([*lines, *(f"{m} × {f}: {one.kind} {one.detail}" for (m, f), one in wrong.items())])


def main() -> int:
    """Print the table."""
    outcomes = table()
    print(text(outcomes))
    return int(any(one.kind in (DIFFERS, RAW) for one in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
