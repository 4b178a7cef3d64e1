"""Upper bounds as values: a bound with the tree of rules that proves it, a rule, and the register of all rules.

A rule is one file of `polygeom.dimensions.bounds.rules`. It says which inequalities it proves; searching them for the
smallest bound and checking a tree is done once, in `polygeom.dimensions.bounds.search`.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from polygeom._dataclass import dataclass
from polygeom.dimensions.counts import Degrees, Widths
from polygeom.errors import PolygeomError
from polygeom.network import Network

_LONGEST_TEXT = 300
_LONGEST_SUBJECT = 60

Field = tuple[tuple[int, int, int, tuple[int, ...]], ...]
"""A polynomial vector field on the weights, as `polygeom.dimensions.bounds.fields` has it."""

Equation = tuple[tuple[int, int, tuple[int, ...]], ...]
"""An equation between coefficients of the outputs, as `polygeom.dimensions.bounds.equations` has it."""

Case = tuple[Widths, Degrees]
"""A perceptron without biases: its widths and activation degrees."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An upper bound, the rule that proves it, and the bounds it rests on.

    Attributes
    ----------
    value:
        The bound.
    rule:
        The name of a rule, a key of `RULES`.
    widths, degrees:
        The architecture that is bounded; empty for networks that are not plain perceptrons.
    layer:
        The hidden layer, or the node of a network of another kind, at which the rule is applied; 0 where it has none.
    parts:
        Bounds of the smaller networks that the rule uses, in the order of its statement.
    network:
        The text of a part that is no plain perceptron; empty for perceptrons and for the network that is asked about.
    fields:
        Vector fields on the weights (`polygeom.dimensions.bounds.fields`), where the rule rests on some.
    equations:
        Equations of the image (`polygeom.dimensions.bounds.equations`), where the rule rests on some.
    """

    value: int
    rule: str
    widths: Widths
    degrees: Degrees
    layer: int = 0
    parts: tuple[Bound, ...] = ()
    network: str = ""
    fields: tuple[Field, ...] = ()
    equations: tuple[Equation, ...] = ()

    def __str__(self) -> str:
        """One line of at most a few hundred characters: ``rotations, from (4,5,3) ≤ 29 [Segre–Veronese]``."""
        place = "layer" if self.widths else "node"
        text = f"{self.rule} at {place} {self.layer}" if self.layer else self.rule
        if self.parts:
            text += ", from " + " and ".join(f"{part.subject} ≤ {part.value} [{part}]" for part in self.parts)
        return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"

    @property
    def subject(self) -> str:
        """What is bounded, in a few characters: ``(4,5,3)``, a text, or the first and the last layers of a program."""
        return subject(self.widths, self.network)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; ``msgspec.convert(data, Bound)`` reads it back."""
        from msgspec import json

        told = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        kept = {name: value for name, value in told.items() if value or name not in ("network", "fields", "equations")}
        parts = [part.as_dict() for part in self.parts]
        data: dict[str, Any] = json.decode(json.encode({**kept, "parts": ()})) | {"parts": parts}
        return data


def subject(widths: Widths, network: str) -> str:
    """A perceptron by its widths, another network by its text, the middle of which is left out where it is long."""
    if not network:
        return f"({','.join(map(str, widths))})"
    return network if len(network) <= _LONGEST_SUBJECT else f"{network[: _LONGEST_SUBJECT // 2]}…{network[-20:]}"


class Instance(NamedTuple):
    """One inequality ``dim V ≤ constant + Σ dim V(part)``, applied at a hidden layer (0 where it has none)."""

    constant: int
    parts: tuple[Case | Network, ...] = ()
    layer: int = 0
    fields: tuple[Field, ...] = ()
    equations: tuple[Equation, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that bounds dimensions from above.

    Attributes
    ----------
    name:
        Its word in results, certificates and tables.
    meaning:
        Why it holds, in a few words.
    statement:
        What it says and its proof; the docstring of the rule's file.
    source:
        Where it was published; empty for what is proved in the statement alone.
    order:
        Of two equal bounds the rule of lower order is named.
    perceptrons:
        ``instances(widths, degrees, limit)``: the inequalities for a perceptron with monomial activations. Those with a
        value of ``limit`` or more need not be given.
    networks:
        ``instances(network)``: the inequalities for any network.
    counts:
        Whether it only counts, so that it explains no defect.
    equality:
        Whether its one part has the same dimension, so that no other rule needs to be tried.
    costly:
        Whether it may take seconds; asked for where the others leave a gap.
    last:
        Whether it is asked about whole networks alone, where all the others leave a gap.
    hidden:
        The least and the largest number of hidden layers of perceptrons to which it may apply, None for any, so that
        others need not ask it.

    Raises
    ------
    PolygeomError
        When a field that readers need is missing.
    """

    name: str
    meaning: str
    statement: str
    source: str = ""
    order: int = 50
    perceptrons: Callable[[Widths, Degrees, int], Iterable[Instance]] | None = None
    networks: Callable[[Network], Iterable[Instance]] | None = None
    counts: bool = False
    equality: bool = False
    costly: bool = False
    last: bool = False
    hidden: tuple[int, int | None] = (0, None)

    def __post_init__(self) -> None:
        for field in ("name", "meaning", "statement"):
            if not getattr(self, field).strip():
                raise PolygeomError(
                    f"rule {self.name!r}: {field} is empty; write what readers of an explanation shall see"
                )
        if self.perceptrons is None and self.networks is None:
            raise PolygeomError(f"rule {self.name!r}: it bounds nothing; write perceptrons=… or networks=…")


class _Register(dict[str, Rule]):
    """Rules by name. Those for networks that are no perceptrons are loaded when somebody looks at all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.rest: Callable[[], None] | None = None
        """What loads the rules that are not there yet."""
        self._lock = threading.RLock()

    def _whole(self) -> None:
        if self.rest is not None:
            with self._lock:
                if self.rest is not None:
                    self.rest()
                    self.rest = None

    def __getitem__(self, name: str) -> Rule:
        self._whole()
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._whole()
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self._whole()
        return super().__iter__()

    def __len__(self) -> int:
        self._whole()
        return super().__len__()

    def get(self, name: str, default: Any = None) -> Any:
        self._whole()
        return super().get(name, default)

    def keys(self) -> Any:
        self._whole()
        return super().keys()

    def values(self) -> Any:
        self._whole()
        return super().values()

    def items(self) -> Any:
        self._whole()
        return super().items()


RULES = _Register()
"""Every rule by name, in the order in which their bounds are preferred; `polygeom.dimensions.bounds.rules` fills it."""


def _loaded() -> dict[str, Rule]:
    """The rules that are there already: all those for perceptrons."""
    return dict(dict.items(RULES))


def register(rule: Rule) -> Rule:
    """Enter a rule in `RULES`; a rule of the same name from the same file is replaced."""
    there = _loaded()
    known = there.get(rule.name)
    if known is not None and known.statement != rule.statement:
        raise PolygeomError(f"rule {rule.name!r}: there is a rule of this name; write another name")
    entries = sorted([*(r for r in there.values() if r.name != rule.name), rule], key=lambda r: (r.order, r.name))
    RULES.clear()
    RULES.update((entry.name, entry) for entry in entries)
    _about.cache_clear()
    return rule


def rules_about(hidden: int) -> tuple[Rule, ...]:
    """The rules for perceptrons of a number of hidden layers, in the order of preference."""
    return _about(tuple(dict.keys(RULES)), hidden)


@lru_cache(maxsize=256)
def _about(names: tuple[str, ...], hidden: int) -> tuple[Rule, ...]:
    there = _loaded()
    rules = [there[name] for name in names]
    return tuple(r for r in rules if r.perceptrons is not None and _reaches(r.hidden, hidden))


def _reaches(depths: tuple[int, int | None], hidden: int) -> bool:
    least, most = depths
    return least <= hidden and (most is None or hidden <= most)
