"""How many weights give the same function: the fibre of a network over a generic function of it.

Weights are counted up to the symmetries that every network has: scalings of features, and permutations of the neurons
of a layer. What is left unchanged by them, and tells weights apart, are the features before each activation up to
factors, as a set: sums over the features of the quotients of their values at two inputs.

Over a section of the neurovariety lie as many weights as its degree times the fibre. So weights are carried along loops
of sections (`polygeom.ideal.counting.paths.monodromy`) until none are new, and then counted for every function.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom._dataclass import dataclass, field
from polygeom._version import __version__
from polygeom.answers import PROVED, Answer
from polygeom.dimensions.fibres import known_fibre
from polygeom.errors import PolygeomError
from polygeom.ideal.counting.evidence import MONODROMY, THEOREM, Evidence, weigh
from polygeom.ideal.counting.paths.monodromy import Solutions
from polygeom.ideal.counting.paths.starts import complex_normal
from polygeom.ideal.counting.paths.systems import Array, Marks, Outputs, Sections
from polygeom.ideal.counting.preimages import by_equations
from polygeom.ideal.counting.task import Progress, Source, Task
from polygeom.ideal.counting.theorems import known_degree
from polygeom.network import Network, Power
from polygeom.network.text.maps import map_formula

if TYPE_CHECKING:
    from sympy.combinatorics import PermutationGroup

METHODS = ("auto", "all", THEOREM, MONODROMY)
_MOST = 4000
_SAME = 1e-6
_QUIET = 2
_GRACE = 0.5
"""Further nodes of the graph that have to bring nothing new."""


@dataclass(frozen=True)
class Fibre(Answer):
    """The number of weights over a generic function.

    Attributes
    ----------
    network:
        Canonical text.
    value:
        The number; None if it is infinite or was not found.
    infinite:
        Whether the symmetries do not make up the whole fibre: it has positive dimension beyond them.
    lower, upper:
        Proved bounds, ``upper`` None if none is known.
    status:
        ``"proved"``, ``"probable"`` or ``"unknown"``.
    functions:
        Number of functions on the section over which weights were counted; None if none were.
    generators:
        Permutations of the weights on the section by loops: elements of the monodromy (Galois) group.
    evidence:
        What each route has found.
    seed, version:
        What reproduces it.
    """

    network: str
    value: int | None
    infinite: bool
    lower: int
    upper: int | None
    status: str
    functions: int | None
    generators: tuple[tuple[int, ...], ...]
    evidence: tuple[Evidence, ...]
    seed: int
    version: str = field(default=__version__)
    told = ("level",)

    @property
    def proved(self) -> bool:
        """Whether the value is a theorem."""
        return self.status == PROVED

    @property
    def level(self) -> str:
        """``"globally"``, ``"finitely"``, ``"not"`` identifiable, or ``"unknown"``."""
        if self.infinite:
            return "not"
        return "globally" if self.value == 1 else "finitely"

    def group(self) -> PermutationGroup:
        """The group that the loops generate, on all weights of the section: a subgroup of the monodromy group.

        Its blocks are the fibres. Raises PolygeomError where no loop was made.
        """
        from sympy.combinatorics import Permutation, PermutationGroup

        if not self.generators:
            raise PolygeomError(f"{self.network}: no loops were made; write method='monodromy'")
        return PermutationGroup([Permutation(list(g)) for g in self.generators])

    def __str__(self) -> str:
        bounds = f", at least {self.lower} proved" if not self.proved and self.lower > 1 else ""
        is_map = self.network.startswith("map(")
        word, over = ("parameter", "point") if is_map else ("weight", "function, up to scalings and permutations")
        value = f"infinitely many {word}s" if self.infinite else "not found"
        if self.value is not None:
            value = f"{self.value} {word}{'s' if self.value > 1 else ''} ({self.status}{bounds})"
        elif self.infinite:
            value += f" ({self.status})"
        lines = [f"{self.network}: {value} over a generic {over}"]
        return "\n".join([*lines, *(f"  {e.route}: {e.reason}" for e in self.evidence)])


def fibre(
    network: Source,
    *,
    method: str = "auto",
    timeout: float | None = None,
    rng: int | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
) -> Fibre:
    """How many weights, up to scalings and permutations of neurons, give a generic function of the network.

    Parameters
    ----------
    network:
        A network whose hidden features all meet a monomial activation: a perceptron, with or without biases, or a
        convolutional network. Or a map given by formulas: then all parameters over a generic point are counted, by
        equations modulo two primes, which makes the number probable; nothing is divided out.
    method:
        ``"theorem"``, ``"monodromy"``, ``"all"``, or ``"auto"``: monodromy where no theorem is known.
    timeout:
        Seconds for everything.
    rng, progress, workers, executor:
        As for `polygeom.degree`.

    Returns
    -------
    `Fibre`. A theorem proves its number. Solutions prove lower bounds: where the network fills its space, different
    weights over one function; otherwise more weights on a section than functions, if their number is a theorem.

    Raises
    ------
    PolygeomError
        If an argument is out of its range, the network has other hidden features, or two routes contradict each other.

    Examples
    --------
    >>> fibre("[4,8,1] r=4").value, fibre("[2,2,1] r=4").level
    (2, 'globally')
    >>> fibre("[2,2,4,1] r=2").infinite
    True
    """
    if method not in METHODS:
        raise PolygeomError(f"method must be one of {', '.join(METHODS)}, got {method!r:.40}; write method='auto'")
    task = Task.of(network, "fibre", "", rng, timeout, None, progress, workers, executor)
    result = task.variety.dimension_result
    about: dict[str, Any] = {"network": task.network.text, "seed": task.seed}
    formula = map_formula(task.network)
    if formula is not None and method not in ("auto", "all"):
        raise PolygeomError(f"method must be 'auto' for a map, whose fibres are counted by equations, got {method!r}")
    free = task.network.parameter_count - (0 if formula is not None else task.network.gauge)
    if result.dimension < free:
        status = (
            PROVED if (result.upper < free if formula is not None else result.identifiable is False) else "probable"
        )
        counted = "parameters" if formula is not None else "weights up to symmetries"
        reason = f"dimension {result.dimension}, and {free} {counted}"
        evidence = (Evidence("dimension", None, None, None, True, reason),)
        return Fibre(**about, value=None, infinite=True, lower=1, upper=None, status=status, functions=None,
                     generators=(), evidence=evidence)  # fmt: skip
    if formula is not None:
        left = task.left()
        one = by_equations(formula, task.seed, None if left is None else time.monotonic() + left)
        return Fibre(**about, value=one.value, infinite=False, lower=1, upper=None,
                     status="unknown" if one.value is None else "probable", functions=None, generators=(),
                     evidence=(one,))  # fmt: skip
    found: list[Evidence] = []
    if method != MONODROMY and (known := known_fibre(task.network)) is not None:
        value = known.value
        found.append(Evidence(THEOREM, value, known.lower, value, value is not None, known.reason))
    functions: int | None = None
    generators: tuple[tuple[int, ...], ...] = ()
    if method in ("all", MONODROMY) or (method == "auto" and not any(e.value for e in found)):
        task.make_ready()
        evidence_, functions, generators = _by_monodromy(task)
        found.append(evidence_)
    count = weigh(found, {"quantity": "fibre", "network": task.network.text, "form": "", "seed": task.seed})
    return Fibre(**about, value=count.value, infinite=False, lower=max(1, count.lower), upper=count.upper,
                 status=count.status, functions=functions, generators=generators, evidence=tuple(found))  # fmt: skip


def weight_marks(network: Network, rng: np.random.Generator) -> Marks:
    """Functions of weights ``(B, P)`` that symmetries leave alone: numbers ``(B, q)``, two for each activation.

    Raises
    ------
    PolygeomError
        If no hidden feature meets a monomial activation, or some meet none: then other symmetries are there.
    """
    parts = []
    for node in network.nodes:
        if isinstance(node.layer, Power):
            (before,) = node.inputs
            part = Network(network.nodes[: before + 1])
            inputs = complex_normal(rng, 4, *part.input_shape)
            parts.append(Outputs(part, 1, inputs))
    usual = network.widths is not None or _convolutional(network) or _biased(network)
    if not usual or not parts:
        raise PolygeomError(
            f"network must be a perceptron or a convolutional network with monomial activations and a hidden layer, "
            f"got {network.text:.60}; its symmetries are not known here"
        )

    def marks(w: Array) -> Array:
        columns = []
        with np.errstate(all="ignore"):
            for part in parts:
                own = w[:, : part.network.parameter_count]
                values = part.raw(own).reshape(len(w), part.network.output_dimension, 4)
                columns += [
                    (values[..., 0] / values[..., 1]).sum(axis=1),
                    (values[..., 2] / values[..., 3]).sum(axis=1),
                ]
        return np.stack(columns, axis=1)

    return marks


def _convolutional(network: Network) -> bool:
    kinds = {node.layer.kind for node in network.nodes}
    return kinds <= {"input", "convolution", "power", "flatten"}


def _biased(network: Network) -> bool:
    kinds = [node.layer.kind for node in network.nodes]
    chain = all(node.inputs == (k,) and node.shares is None for k, node in enumerate(network.nodes[1:]))
    return chain and set(kinds) <= {"input", "dense", "bias", "power"}


def _by_monodromy(task: Task) -> tuple[Evidence, int, tuple[tuple[int, ...], ...]]:
    rng = task.generator
    outputs = Outputs.random(task.network, task.dimension, rng)
    system = Sections(outputs, rng)
    weights, functions = weight_marks(task.network, rng), outputs.marks(rng)
    width = functions(system.start(np.random.default_rng(0))[0]).shape[1]

    def marks(w: Array) -> Array:
        return np.concatenate([functions(w), weights(w)], axis=1)

    found = task.solve(system, rng, marks=marks, most=_MOST,
                       enough=lambda s: s.complete and s.idle >= _QUIET)  # fmt: skip
    blocks = _blocks(marks(found.weights)[:, :width])
    sizes = Counter(blocks)
    value = max(sizes.values(), default=1)
    even = len(set(sizes.values())) == 1
    likely = found.complete and even and found.idle >= _QUIET
    lower = _lower(task, system, found, marks, len(sizes))
    reason = (
        f"{found.count} weights over {len(sizes)} functions of a section, fibres of {min(sizes.values(), default=1)} "
        f"to {value}; trace test {'passed' if found.complete else 'not passed'}; {found.loops} loops, "
        f"{found.paths} paths, {found.lost:.1%} of them lost{'; the time was up' if found.stopped == 'time' else ''}"
    )
    return Evidence(MONODROMY, value, lower, None, likely, reason), len(sizes), found.permutations


def _blocks(marks: Array) -> list[int]:
    """For every row the number of the first row with the same function."""
    blocks: list[int] = []
    for i, mark in enumerate(marks):
        scale = np.abs(mark).max()
        same: Any = np.flatnonzero(np.abs(marks[:i] - mark).max(axis=1) < _SAME * scale) if i else []
        blocks.append(blocks[same[0]] if len(same) else i)
    return blocks


def _lower(task: Task, system: Sections, found: Solutions, marks: Marks, functions: int) -> int:
    """More different weights than functions on a section: some function has more than one."""
    if not task.variety.dimension_result.proved:
        return 1
    filling = task.dimension == task.network.ambient_dimension
    known = known_degree(task.network, task.dimension)
    degree = 1 if filling else None if known is None else known.value
    if degree is None or functions > degree:
        return 1
    return max(1, math.ceil(_different_weights(task, system, found) / degree))


def _different_weights(task: Task, system: Sections, found: Solutions) -> int:
    """How many of the solutions are proved to exist, and not to be the same up to symmetries.

    The quotients of the first layer's features, linear in the weights, are enclosed with the distance that the proofs
    leave between an approximate and the exact solution.
    """
    from polygeom.ideal.counting.paths.proofs import proved

    left = task.left()
    until = None if left is None else time.monotonic() + left + _GRACE
    proofs = proved(system, found.weights, found.parameters, until=until)
    rows = np.flatnonzero(proofs.mask)
    if not len(rows):  # nothing was proved, or not in time
        return 0
    first = next(node for node in task.network.nodes if isinstance(node.layer, Power))
    part = Network(task.network.nodes[: first.inputs[0] + 1])
    rng = np.random.default_rng(1)
    outputs = Outputs(part, 1, complex_normal(rng, 2, *part.input_shape))
    size = part.parameter_count
    centres = proofs.weights[rows][:, :size]
    reach = proofs.radii[rows, None] * np.abs(proofs.frames[rows][:, :size]).sum(axis=2) * (1 + 1e-9)
    absolute = Outputs(part, 1, np.abs(outputs.points).astype(complex))
    values = outputs.raw(centres).reshape(len(rows), -1, 2)
    # linear in the weights: the error is that of the weights and of some hundred roundings
    errors = absolute.raw(reach + 1e-13 * np.abs(centres)).real.reshape(len(rows), -1, 2)
    with np.errstate(all="ignore"):
        top, bottom = values[..., 0], values[..., 1]
        quotient = top / bottom
        spread = (errors[..., 0] + np.abs(quotient) * errors[..., 1]) / (np.abs(bottom) - errors[..., 1])
        spread = np.where(np.abs(bottom) > 2 * errors[..., 1], spread, np.inf)
    marks, radii = quotient.sum(axis=1), spread.sum(axis=1) * (1 + 1e-9) + 1e-13 * np.abs(quotient).sum(axis=1)
    kept: list[int] = []
    for i in np.flatnonzero(np.isfinite(radii)).tolist():
        if not kept or (np.abs(marks[kept] - marks[i]) > radii[kept] + radii[i]).all():
            kept.append(i)
    return len(kept)
