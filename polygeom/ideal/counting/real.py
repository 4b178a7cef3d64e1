"""Real solutions among the complex ones: real weights over real functions, real critical points of real targets.

All complex solutions are found once, for a generic complex parameter, and carried along a path to each real one. A
solution is counted as real when scalings of features make all its weights real, and Newton's method keeps them
real; that is proved: real weights near which the equations contract on a real polydisc have exactly one solution there,
and it is real since its conjugate is one too. Real functions whose weights are not real, such as a difference of powers
where only sums are at hand, are told apart from those: no training over the reals finds them.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import Executor
from dataclasses import asdict, field
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.answers import PROBABLE, UNKNOWN, Answer
from polygeom.dimensions import dimension
from polygeom.errors import PolygeomError
from polygeom.ideal.counting.distance import form_matrix
from polygeom.ideal.counting.fibre import weight_marks
from polygeom.ideal.counting.paths.monodromy import Solutions, monodromy
from polygeom.ideal.counting.paths.proofs import proved
from polygeom.ideal.counting.paths.sharing import PathCrew
from polygeom.ideal.counting.paths.systems import Array, Coefficients, CriticalPoints, Sections, System
from polygeom.ideal.counting.paths.tracking import CAREFUL, Deadline, Tracker, refine
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.network import Network
from polygeom.network.builder import as_network
from polygeom.symmetry.gauge import scalings

_REAL = 1e-7
_AGAIN = 4


@dataclass(frozen=True)
class RealCounts(Answer):
    """How many solutions are real, for random real data.

    Attributes
    ----------
    network:
        Canonical text.
    quantity:
        ``"real weights"``, ``"real critical points"`` (with real weights), or ``"real critical functions"`` where more
        symmetries than scalings act on the weights.
    complex_count:
        Solutions over the complex numbers, the same for all generic data.
    histogram:
        Of the number of solutions with real weights: ``{number: data sets}``.
    functions:
        Of the number of real functions, whatever their weights.
    samples:
        Data sets for which every path arrived; only these are counted.
    lost:
        Data sets left out because a path was lost.
    certified:
        Real solutions proved to exist, of all in the histogram.
    status:
        ``"probable"``: the complex solutions are all there by the trace test; otherwise ``"unknown"``.
    """

    network: str
    quantity: str
    complex_count: int
    histogram: dict[int, int]
    functions: dict[int, int]
    samples: int
    lost: int
    certified: int
    status: str
    seed: int
    version: str = field(default=__version__)

    @property
    def share(self) -> float:
        """The part of the data sets with a solution in real weights."""
        return 1 - self.histogram.get(0, 0) / max(1, self.samples)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = asdict(self)
        for name in ("histogram", "functions"):
            data[name] = {str(k): v for k, v in sorted(data[name].items())}
        return data | {"share": self.share}

    def __str__(self) -> str:
        real = sum(k * v for k, v in self.histogram.items())
        heading = (
            f"{self.network}: {self.quantity} for {self.samples} random real data sets, of {self.complex_count} "
            f"complex solutions ({self.status}); {100 * self.share:.1f} % have at least one"
        )
        lines = [heading]
        lines += [f"  {number} real: {times}" for number, times in sorted(self.histogram.items())]
        lines.append(f"  {self.certified} of {real} proved to be real; {self.lost} data sets lost on the way")
        return "\n".join(lines)


def real_fibres(
    network: Network | str, samples: int, *, timeout: float | None = None, rng: int = 0, workers: int = 1,
    executor: Executor | None = None,
) -> RealCounts:  # fmt: skip
    """Over how many random real functions are there 0, 1, 2, … real weights, up to scalings and permutations.

    The network must fill its space, so that every generic function has the same number of complex weights. The
    functions have independent standard normal coefficients of monomials (not scaled by binomials). For a network with
    as many weights as samples, this is the share of data sets that it can fit: interpolation at capacity.

    Parameters
    ----------
    network:
        A perceptron with monomial activations that fills its space with finite fibres.
    samples:
        Number of functions.
    timeout, rng, workers, executor:
        As for `polygeom.degree`.

    Raises
    ------
    PolygeomError
        If the network does not fill its space, or has infinite fibres.

    Examples
    --------
    >>> counts = real_fibres("[2,2,1] r=3", 20)
    >>> counts.complex_count, sorted(counts.histogram) in ([0, 1], [1])
    (1, True)
    """
    network = as_network(network)
    found = dimension(network)
    if found.dimension != network.ambient_dimension or found.identifiable is not True:
        raise PolygeomError(
            f"network must fill its space with finitely many weights over each function, got {network.text:.60} with "
            f"dimension {found.dimension} of {network.ambient_dimension}; write for example [2,2,1] r=3"
        )
    generator = np.random.default_rng(rng)
    outputs = Coefficients(network, found.dimension, generator)
    system = Sections(outputs, generator)
    marks = weight_marks(network, generator)
    # the section's equations are all coefficients
    inverse = np.linalg.pinv(outputs.readout)

    def right(plain: Array) -> Array:
        values: Array = system.matrix @ (inverse @ (plain / outputs.scales))
        return values

    with PathCrew(workers, executor) as crew:
        return _real_counts(
            system, marks, lambda g: right(g.standard_normal(len(outputs.scales))), samples, "real weights", timeout,
            rng, generator, crew,
        )  # fmt: skip


def real_critical_points(
    network: Network | str, form: Any = "generic", samples: int = 100, *, timeout: float | None = None, rng: int = 0,
    workers: int = 1, executor: Executor | None = None,
) -> RealCounts:  # fmt: skip
    """How many critical points of the distance to a random real target have real weights.

    Targets have independent standard normal entries in coordinates in which the Bombieri–Weyl form is the identity.

    Parameters
    ----------
    network:
        A network whose hidden features meet monomial activations.
    form:
        As for `polygeom.ed_degree`.
    samples, timeout, rng, workers, executor:
        As for `real_fibres`.

    Examples
    --------
    >>> counts = real_critical_points("[2,1,1] r=3", "bombieri-weyl", 20)
    >>> counts.complex_count, set(counts.histogram) <= {1, 3}
    (3, True)
    """
    network = as_network(network)
    generator = np.random.default_rng(rng)
    outputs = Coefficients(network, dimension(network).dimension, generator)
    system = CriticalPoints(outputs, form_matrix(Coordinates(network), form, generator))
    with PathCrew(workers, executor) as crew:
        return _real_counts(
            system, None, lambda g: g.standard_normal(len(outputs.scales)), samples, "real critical points", timeout,
            rng, generator, crew,
        )  # fmt: skip


def _real_counts(
    system: System, marks: Any, draw: Any, samples: int, quantity: str, timeout: float | None, rng: int,
    generator: np.random.Generator, crew: PathCrew,
) -> RealCounts:  # fmt: skip
    until = None if timeout is None else time.monotonic() + timeout
    network = system.outputs.network
    finite = system.outputs.dimension == network.parameter_count - network.gauge
    quantity = quantity if finite else "real critical functions"
    found = monodromy(system, generator, marks=marks, until=until, crew=crew)
    tracker = Tracker(system, until, crew)
    histogram, functions = Counter[int](), Counter[int]()
    twin = _real_twin(system)
    certified = lost = 0
    try:
        for _ in range(samples):
            target = draw(generator)
            ends = solutions_at(tracker, found, target.astype(complex), generator)
            if ends is None:
                lost += 1
                continue
            image = system.outputs.image(ends)
            size = np.abs(image).max(axis=1)
            real_functions = int((np.abs(image.imag).max(axis=1) < _REAL * size).sum())
            functions[real_functions] += 1
            if not finite:  # more than scalings: there is no telling from one of the weights whether others are real
                histogram[real_functions] += 1
                continue
            real = real_weights(system.outputs.network, ends)
            histogram[int(real.any(axis=1).sum())] += 1
            certified += _certified_real(system, twin, real[real.any(axis=1)], target)
    except Deadline:
        pass
    status = PROBABLE if found.complete else UNKNOWN
    counted = sum(histogram.values())
    return RealCounts(system.outputs.network.text, quantity, found.count, dict(histogram), dict(functions), counted,
                      lost, certified, status, rng)  # fmt: skip


def solutions_at(tracker: Tracker, found: Solutions, target: Array, rng: np.random.Generator) -> Array | None:
    """All solutions at another parameter; None if a path is lost on every one of some detours."""
    w = found.weights.astype(complex)
    ends = np.zeros_like(w)
    missing = np.arange(len(w))
    for _ in range(_AGAIN):
        gamma = np.exp(2j * np.pi * rng.uniform(-0.3, 0.3))
        reached, arrived = tracker.follow(w[missing], found.parameters, target, gamma, CAREFUL)
        ends[missing[arrived]] = reached[arrived]
        missing = missing[~arrived]
        if not len(missing):
            return ends
    return None


def real_weights(network: Network, w: Array) -> Array:
    """Real weights of the same functions as complex ones ``(B, P)``, by scalings; zero where there are none.

    A scaling with exponents ``e`` may turn the phases of the weights by ``θ e``. The turns that make the largest
    weights real are found one after another; all weights must then be real.
    """
    exponents = scalings(network).astype(float)
    real = np.zeros(w.shape)
    for i, row in enumerate(w):
        turned = row.copy()
        for e in exponents:
            moved = np.flatnonzero(e == 1) if (e == 1).any() else np.flatnonzero(e)
            pivot = moved[np.abs(turned[moved]).argmax()]
            theta = -np.angle(turned[pivot]) / e[pivot]
            turned = turned * np.exp(1j * theta * e)
        if np.abs(turned.imag).max() < _REAL * np.abs(turned).max():
            real[i] = turned.real
    return real


def _real_twin(system: System) -> System:
    """The same equations at real points, with real entries: their solutions come in conjugate pairs."""
    outputs = system.outputs
    assert isinstance(outputs, Coefficients)
    rng = np.random.default_rng(outputs.size)
    real = Coefficients(outputs.network, outputs.dimension, rng, excess=3, real=True)
    real.readout = real.readout.real.astype(complex)
    if isinstance(system, CriticalPoints):
        twin: System = CriticalPoints(real, system.exact_form, any_form=system.any_form)
    else:
        twin = Sections(real, rng)
    twin.matrix = np.ascontiguousarray(
        rng.standard_normal((*system.matrix.shape[:1], len(real.readout))) @ real.readout
    )
    return twin


def _certified_real(system: System, twin: System, w: Array, target: Array) -> int:
    """Number of real weights ``(B, P)`` near which there is a proof of a solution; of a real one, by uniqueness.

    For sections the right-hand side is the one at the first weights, which all have the same function.
    """
    if not len(w):
        return 0
    parameters = target
    if not isinstance(system, CriticalPoints):
        parameters = twin.matrix @ twin.outputs.raw(w[:1].astype(complex))[0]
    refined, _ = refine(twin, w.astype(complex), parameters.astype(complex))
    w = refined.real.astype(complex)
    return int(proved(twin, w, parameters.real.astype(complex), as_it_is=True).mask.sum())
