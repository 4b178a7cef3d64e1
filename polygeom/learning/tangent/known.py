"""What is known of modules that were looked at before.

That points do not influence each other, that outputs are definite and that recorded uses explain the derivatives takes
ten evaluations to try, much longer than the kernel of a small module. All of it is true of a graph
(`polygeom.learning.tangent.layers.graphs`), not of numbers, so it need not be tried again where the same module is
asked the same, and every evaluation on the way to the answer has the graph it had. What differs, be it one number read
out of a tensor, is looked at from the beginning.

The first time a module is tried at its own weights and points, where much may vanish; so the second time it is tried at
random ones of the same graph, and only what holds there as well is known from then on. Graphs with kinks (a ReLU, a
comparison) are other functions elsewhere than near these numbers, so that two points of every evaluation have to give
the values that they give alone: two evaluations of one point each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning import checks
from polygeom.learning.tangent.few import Seen, Size, few, seen_of, size_of
from polygeom.learning.tangent.functional import WeightFunction
from polygeom.learning.tangent.layers.graphs import Told
from polygeom.learning.tangent.layers.layerwise import Watch, repeated
from polygeom.learning.tangent.layers.pieces import Factor, Features
from polygeom.learning.tangent.layers.recording import NotRecordable, Record
from polygeom.learning.tangent.layers.trials import agrees
from polygeom.learning.tangent.ways import Way

_REQUESTS = 8
"""Of one module, that are remembered."""
_MOVED = 0.3
"""How far random weights, constants and points are from those of a module, in parts of their size."""

Points = list[Tensor]
Work = Callable[[Way, Features, Points, torch.Size], Tensor]
WayOf = Callable[[Points, torch.Size, bool], Way]
Together = Callable[[Size, Seen, Points, Any], Way | None]


class _OtherGraph(Exception):
    """An evaluation is not what it was."""


@dataclass(eq=False)
class _Known:
    """The answer to one request: how it was found, and the graphs of its evaluations by the shape of their points."""

    way: Way
    shape: torch.Size
    dtypes: list[torch.dtype]
    graphs: dict[torch.Size, Told]
    sure: bool | None = None
    """Whether it holds at random weights and points as well; None if that was not tried."""

    def same(self, x: Tensor, seen: Record, found: list[Factor]) -> None:
        if seen.graph is None or self.graphs.get(x.shape) != seen.graph or not torch.isfinite(seen.outputs).all():
            raise _OtherGraph

    def apart(self, f: WeightFunction) -> Watch:
        """Sees that evaluations have these graphs, and that points are apart at the numbers that they have now."""

        def watch(x: Tensor, seen: Record, found: list[Factor]) -> None:
            self.same(x, seen, found)
            if not (_alone(f, x, seen) if len(x) > 1 else _untouched(f, x, seen)):
                raise _OtherGraph

        return watch


@dataclass(eq=False)
class _Noted:
    """The graphs of evaluations as they come; refuses those in which points influence each other."""

    f: WeightFunction
    graphs: dict[torch.Size, Told] = field(default_factory=dict)
    complete: bool = True

    def __call__(self, x: Tensor, seen: Record, found: list[Factor]) -> None:
        if seen.graph is None or self.graphs.setdefault(x.shape, seen.graph) != seen.graph:
            self.complete = False
        if len(x) > 1 and torch.isfinite(seen.outputs).all() and not _alone(self.f, x, seen):
            raise checks.mixed()


_LOCK = Lock()
_MODULES: WeakKeyDictionary[nn.Module, OrderedDict[Any, _Known]] = WeakKeyDictionary()


def answer(
    f: WeightFunction,
    given: Sequence[tuple[Any, str]],
    request: tuple[Any, ...],
    way_of: WayOf,
    work: Work,
    together: Together | None = None,
) -> Tensor:
    """What is asked of a module at one or two sets of points.

    Parameters
    ----------
    f:
        The module at its present weights.
    given:
        Points as they came, with the names of the arguments.
    request:
        All that the way depends on beside the module and the shapes of its weights and points.
    way_of, work:
        Finds the way, from points as the module reads them, the shape of its outputs, and whether layers may be looked
        at; and goes it.
    together:
        The way of few points, where that may be taken.

    Raises
    ------
    PolygeomError
        As `polygeom.learning.checks.accept`, `way_of` and `work` do.
    """
    points = [(checks.tensor(x, name), name) for x, name in given]
    like = next(iter(f.weights.values()))
    key = (request, tuple(f.weights), f.head, like.dtype, *((x.shape, x.dtype) for x, _ in points))
    with _LOCK:
        requests = _MODULES.setdefault(f.module, OrderedDict())
    known = requests.get(key)
    if together is not None:
        value = _together(f, points, key, together, work)
        if value is not None:
            return value
    if known is not None and known.sure:
        read = [
            checks.points(x, like, name=name, integers=not dtype.is_floating_point)
            for (x, name), dtype in zip(points, known.dtypes, strict=True)
        ]
        try:
            return work(known.way, known.way.features(f, known.apart(f)), read, known.shape)
        except (_OtherGraph, NotRecordable):
            requests.pop(key, None)
            known = None
    read, shape = _accepted(f, points)
    way, noted = way_of(read, shape, True), _Noted(f)
    seen_of(f.module).layered[key] = way.plan is not None
    try:
        value = work(way, way.features(f, noted), read, shape)
    except NotRecordable:  # what the module does depends on the number of points
        return _by_points(f, read, shape, way_of, work)
    if way.plan is not None and noted.complete:
        now = _Known(way, shape, [x.dtype for x in read], noted.graphs)
        if known is not None and known.graphs == now.graphs:
            now.sure = _holds_elsewhere(f, now, read) if known.sure is None else known.sure
        with _LOCK:
            requests[key] = now
            requests.move_to_end(key)
            while len(requests) > _REQUESTS:
                requests.popitem(last=False)
    return value


def _together(
    f: WeightFunction, given: Sequence[tuple[Tensor, str]], key: Any, together: Together, work: Work
) -> Tensor | None:
    """The answer from all points together, None where that is no way or not the quickest."""
    seen, like = seen_of(f.module), next(iter(f.weights.values()))
    own: Any = None
    try:
        read, sizes, evaluated = [], [], []
        for x, name in given:
            integers = not x.is_floating_point() and checks.reads_integers(f.module)
            read.append(checks.points(x, like, name=name, integers=integers))
            own = read[-1].shape[1:], read[-1].dtype, f.head, tuple(f.weights)
            if own not in seen.sizes:
                seen.sizes[own], plain = size_of(f, read[-1])
                evaluated += [] if plain is None else [plain]
            sizes.append(seen.sizes[own])
        if sizes[0] is None or sizes[-1] is None or sizes[0].outputs != sizes[-1].outputs:
            return None
        way = together(sizes[0], seen, read, key)
        if way is None:
            return None
        way = replace(way, rule=few(seen, sizes[0], evaluated))
        return work(way, way.features(f), read, sizes[0].outputs)
    except BudgetError:  # a limit of time or memory
        raise
    except Exception:  # noqa: BLE001  no rule, or points that influence each other: the other ways say what it is
        seen.sizes[own] = None
        return None


def _by_points(f: WeightFunction, read: Points, shape: torch.Size, way_of: WayOf, work: Work) -> Tensor:
    """Refuse where many points influence each other other than two; else what single points give."""
    for x in read:
        with torch.no_grad():
            value = f(f.weights, x)
            if any(not checks.close(value[n], f(f.weights, x[n : n + 1])[0]) for n in _two(x)):
                raise checks.mixed()
    way = way_of(read, shape, False)
    return work(way, way.features(f), read, shape)


def _accepted(f: WeightFunction, given: Sequence[tuple[Tensor, str]]) -> tuple[Points, torch.Size]:
    read, shapes = zip(*(f.accept(x, name=name) for x, name in given), strict=True)
    if shapes[0] != shapes[-1]:
        names = " and ".join(name for _, name in given)
        raise PolygeomError(f"{names} must have outputs of one shape, got {tuple(shapes[0])} and {tuple(shapes[-1])}")
    return list(read), shapes[0]


def _two(x: Tensor) -> list[int]:
    """The first point and the furthest from it."""
    return [0, int((x - x[:1]).reshape(len(x), -1).abs().amax(dim=1).argmax())]


def _alone(f: WeightFunction, x: Tensor, seen: Record, numbers: Sequence[int] | None = None) -> bool:
    """Whether some points have the values alone that they have among others: the first and the furthest from it."""
    numbers = _two(x) if numbers is None else numbers
    with torch.no_grad():
        alone = torch.cat([f(f.weights, x[number : number + 1]) for number in numbers])
        copies = seen.outputs.detach().reshape(-1, len(x), seen.outputs.shape[1])[:, list(numbers)]
        return checks.close(copies, alone.expand_as(copies))


def _untouched(f: WeightFunction, x: Tensor, seen: Record) -> bool:
    """Whether one point has the value beside another one that it has in an evaluation of nothing else."""
    with torch.no_grad():
        return checks.close(
            f(f.weights, torch.cat([x, 2 * x + 1] if x.is_floating_point() else [x, x]))[:1], seen.outputs[:1]
        )


def _holds_elsewhere(f: WeightFunction, known: _Known, points: Points) -> bool:
    """Whether points are apart, outputs definite and derivatives explained at random numbers of the same graphs."""
    generator, plan = torch.Generator().manual_seed(0), known.way.plan
    if plan is None:
        return False

    def moved(tensor: Tensor, up: bool = False) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor)
        finite = tensor[torch.isfinite(tensor)]
        size = _MOVED * (0.1 + float(finite.square().mean().sqrt() if finite.numel() else 0.0))
        return tensor + size * (noise.abs() if up else noise)  # variances stay positive

    weights = {name: moved(weight) for name, weight in f.weights.items()}
    g = replace(f, weights=weights, constants={name: moved(one, up=True) for name, one in f.constants.items()})

    def apart(x: Tensor, seen: Record, found: list[Factor]) -> None:
        known.same(x, seen, found)
        numbers = sorted({0, len(x) - 1})
        value = seen.outputs[: len(x)]
        with torch.no_grad():
            again = g(g.weights, repeated(x, plan) if len(seen.outputs) > len(x) else x)
        size = value.shape[1]
        mixture = torch.eye(size).to(value) if known.way.combinations is None else known.way.combinations.to(value)
        shares = torch.linspace(1.0, 2.0, len(mixture)).to(value)
        fits = _alone(g, x, seen, numbers) and checks.close(seen.outputs, again)
        if not fits or not agrees(g, x, found, numbers, shares @ mixture, shares):
            raise _OtherGraph

    try:
        for x in points:
            known.way.features(g, apart)(moved(x))
    except BudgetError:  # a limit of time or memory
        raise
    except Exception:  # noqa: BLE001  whatever other numbers lead to: then nothing is known
        return False
    return True


__all__ = ["answer"]
