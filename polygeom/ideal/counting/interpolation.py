"""Which data sets can real weights fit exactly, at the largest number of samples for which complex weights can?

With as many output values as the neurovariety has dimensions, complex weights fit generic labels, in finitely many
ways. Real weights do for some data sets only: their share is counted here. Where the network fits none
exactly, the best it can do may be on the boundary of its image, with weights that diverge: for two powers of linear
forms in two variables these functions are listed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.answers import PROBABLE, UNKNOWN
from polygeom.dimensions import dimension
from polygeom.errors import PolygeomError
from polygeom.ideal.counting.fibre import weight_marks
from polygeom.ideal.counting.paths.monodromy import monodromy
from polygeom.ideal.counting.paths.proofs import proved
from polygeom.ideal.counting.paths.systems import Array, Outputs, System
from polygeom.ideal.counting.paths.tracking import Deadline, Tracker, refine
from polygeom.ideal.counting.real import RealCounts, real_weights, solutions_at
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.network import Network
from polygeom.network.builder import as_network

_ANGLES = 4000


class _Fit(System):
    """Outputs at given inputs equal to given labels, which are the parameter."""

    kind = 0

    def __init__(self, outputs: Outputs, functions: Outputs) -> None:
        super().__init__(outputs, np.eye(outputs.size, dtype=complex), np.zeros((0, 0)))
        self.functions = functions

    def image(self, w: Array) -> Array:
        return self.functions.image(w)

    def beside(self, w: Array, rng: np.random.Generator, real: bool = False) -> tuple[Array, Array]:
        return w, self.outputs.raw(w)[0]


def real_fits(
    network: Network | str,
    data_sets: int,
    *,
    labels: str = "normal",
    timeout: float | None = None,
    rng: int = 0,
) -> RealCounts:
    """How many real weights fit random data, with as many samples as complex weights always fit.

    Inputs are independent standard normal.

    Parameters
    ----------
    network:
        A perceptron with monomial activations, finitely identifiable, whose dimension is a multiple of its outputs.
    data_sets:
        How many.
    labels:
        ``"normal"``: independent standard normal numbers; ``"polynomial"``: values at the inputs of outputs with
        independent standard normal coefficients.
    timeout, rng:
        As for `polygeom.degree`.

    Raises
    ------
    PolygeomError
        If the network has other symmetries than scalings and permutations, or no number of samples is at capacity.

    Examples
    --------
    >>> counts = real_fits("[2,2,1] r=3", 3)
    >>> counts.complex_count, counts.samples
    (1, 3)
    """
    if labels not in ("normal", "polynomial"):
        raise PolygeomError(f"labels must be normal or polynomial, got {labels!r:.40}; write labels='normal'")
    network = as_network(network)
    found = dimension(network)
    count, rest = divmod(found.dimension, network.output_dimension)
    if rest or found.identifiable is not True:
        raise PolygeomError(
            f"network must have finitely many weights over each function, and a dimension that its number of outputs "
            f"divides, got {network.text:.60} of dimension {found.dimension}; write for example [2,2,1] r=4"
        )
    until = None if timeout is None else time.monotonic() + timeout
    generator = np.random.default_rng(rng)
    histogram, functions = Counter[int](), Counter[int]()
    certified = lost = complex_count = 0
    try:
        for _ in range(data_sets):
            points, values = random_data(network, count, labels, generator)
            fits = fits_of(network, points, values, generator, until)
            complex_count = max(complex_count, fits.complex_count)
            if fits.weights is None or fits.complex_count < complex_count:
                lost += 1
                continue
            histogram[len(fits.weights)] += 1
            functions[len(fits.weights)] += 1
            certified += fits.certified
    except Deadline:
        pass
    status = PROBABLE if histogram else UNKNOWN
    return RealCounts(network.text, "real weights that fit", complex_count, dict(histogram), dict(functions),
                      sum(histogram.values()), lost, certified, status, rng)  # fmt: skip


def random_data(network: Network, count: int, labels: str, rng: np.random.Generator) -> tuple[Array, Array]:
    """Standard normal inputs ``(count, *input_shape)`` and labels ``(count · outputs,)``, output by output.

    ``labels`` are as for `real_fits`.
    """
    points = rng.standard_normal((count, *network.input_shape))
    values = rng.standard_normal(count * network.output_dimension)
    if labels == "polynomial":
        monomials = np.array(Coordinates(network).monomials)
        table = np.prod(points.reshape(count, 1, -1) ** monomials, axis=2)
        values = (table @ rng.standard_normal((len(monomials), network.output_dimension))).T.ravel()
    return points, values


@dataclass(frozen=True, eq=False)
class Fits:
    """The weights that fit one data set: how many over ℂ, the real ones ``(K, P)`` (None if one was lost), and how many
    of these are proved to be real."""

    complex_count: int
    weights: Array | None
    certified: int


def fits_of(
    network: Network, points: Array, values: Array, rng: np.random.Generator, until: float | None = None
) -> Fits:
    """All real weights, up to scalings and permutations, that fit a data set at capacity; arguments of `random_data`.

    Raises
    ------
    Deadline
        If ``until``, a time of `time.monotonic`, is over.
    """
    size, count = dimension(network).dimension, len(points)
    monomials = np.array(Coordinates(network).monomials)
    if len(set(monomials.sum(axis=1).tolist())) == 1:  # homogeneous: the same equations, with all inputs of length one
        lengths = np.linalg.norm(points.reshape(count, -1), axis=1)
        points = points / lengths.reshape(-1, *[1] * len(network.input_shape))
        values = values / np.tile(lengths**network.degree, network.output_dimension)
    everything = Outputs.random(network, size, rng)
    system = _Fit(Outputs(network, size, points), everything)
    ways = monodromy(system, rng, marks=weight_marks(network, rng), until=until)
    ends = solutions_at(Tracker(system, until), ways, values.astype(complex), rng)
    if ends is None:
        return Fits(ways.count, None, 0)
    real = real_weights(network, ends)
    real = real[real.any(axis=1)]
    if not len(real):
        return Fits(ways.count, real, 0)
    refined, _ = refine(system, real.astype(complex), values.astype(complex))
    good = proved(system, refined.real.astype(complex), values.astype(complex), as_it_is=True)
    return Fits(ways.count, real, int(good.mask.sum()))


def boundary_infima(target: Sequence[float], *, norm: str = "bombieri-weyl") -> list[tuple[float, np.ndarray]]:
    """Where the distance from a binary form to sums of two real powers ``[2,2,1] r`` has local infima that are not
    attained: on the boundary of the image.

    There the two linear forms have come together: the functions are ``l^{r-1} m``, tangents to the curve of powers,
    which weights approach only by growing without bound. For each direction of ``l`` the best ``m`` is a projection;
    directions where the distance is a local minimum, and from which a step to sums of two real powers leads away from
    the target, are the infima.

    Parameters
    ----------
    target:
        Coefficients of ``x^r, x^{r-1} y, …, y^r``.
    norm:
        ``"bombieri-weyl"`` or ``"unit"``.

    Returns
    -------
    Pairs of the distance and the coefficients, best first. Numerical, no proofs.

    Examples
    --------
    >>> len(boundary_infima([0, 1, 0, -1]))                                               # y (x - y) (x + y)
    3
    """
    f = np.asarray(target, dtype=float)
    r = len(f) - 1
    if r < 3 or norm not in ("bombieri-weyl", "unit"):
        raise PolygeomError(f"target must have at least 4 coefficients, and norm be bombieri-weyl or unit, got {r + 1} "
                            f"and {norm!r:.20}")  # fmt: skip
    from scipy.optimize import minimize_scalar
    from scipy.special import comb

    scale = np.sqrt(1 / comb(r, np.arange(r + 1))) if norm == "bombieri-weyl" else np.ones(r + 1)

    def best(angle: float) -> tuple[float, np.ndarray, np.ndarray]:
        c, s = np.cos(angle), np.sin(angle)
        power = np.array([1.0])
        for _ in range(r - 1):
            power = np.convolve(power, [c, s])
        rows = np.array([np.convolve(power, [c, s]), np.convolve(power, [-s, c])])
        mixed, *_ = np.linalg.lstsq((rows * scale).T, f * scale, rcond=None)
        function = mixed @ rows
        return float(np.linalg.norm((f - function) * scale)), function, mixed

    angles = np.arange(_ANGLES) * np.pi / _ANGLES
    values = np.array([best(a)[0] for a in angles])
    step, found = np.pi / _ANGLES, []
    for a in angles[(values < np.roll(values, 1)) & (values <= np.roll(values, -1))]:
        angle = float(
            minimize_scalar(lambda t: best(t)[0], bounds=(a - step, a + step), method="bounded",
                            options={"xatol": 1e-11}).x
        )  # fmt: skip
        value, function, mixed = best(angle)
        if value > 1e-12 and _leads_away(f, function, mixed, angle, scale, r):
            found.append((value, function))
    return sorted(found, key=lambda pair: pair[0])


def _leads_away(
    f: np.ndarray, function: np.ndarray, mixed: np.ndarray, angle: float, scale: np.ndarray, r: int
) -> bool:
    """Whether real sums of two powers near the tangent ``a l^r + b l^{r-1} m`` are farther from the target.

    ``(l + t m)^r - (l - t m)^r`` over ``2 r t`` is ``l^{r-1} m`` plus a positive multiple of ``t² l^{r-3} m³``; so the
    image lies on the side of ``b l^{r-3} m³``, and ``a l^r`` moves within the tangents.
    """
    c, s = np.cos(angle), np.sin(angle)
    power = np.array([1.0])
    for _ in range(r - 3):
        power = np.convolve(power, [c, s])
    for _ in range(3):
        power = np.convolve(power, [-s, c])
    inwards = mixed[1] * power
    return bool(np.dot((f - function) * scale, inwards * scale) < 0)
