"""Proofs that floating-point solutions are near exact ones, and that these are different.

Every number in a system of `polygeom.ideal.counting.paths.systems` is a double, hence an exact dyadic rational, or is
the nearest double to a number that is meant. So the system is definite, and the following is a theorem about it, not an
approximation. Near a candidate the weights are restricted to an affine space ``w + T s`` across the fibre, with exact
entries, so that ``G(s) = 0`` has as many equations as unknowns. Let ``Y`` be any matrix near the inverse of ``G'(0)``,
and ``X`` the polydisc of radius ``r`` around 0. If in every row

    ``|Y G(0)| + r · Σ |I - Y G'(X)| < r``,

then ``u ↦ u - Y G(u)`` maps ``X`` into itself and contracts it, so ``X`` contains exactly one solution, and it is
regular. A regular solution persists when the parameters move a little; so ``n`` of them with ``n`` different images
show that a generic section has at least ``n`` points, or a generic target at least ``n`` critical points.

Both terms are bounded with *majorants*. Replace every number in the straight-line program by its absolute value and
every minus by a plus: the polynomial ``P`` becomes ``P̂``, with coefficients at least as large as those of ``P``. Then

- ``|P(w + δ) - P(w)| ≤ P̂(|w| + |δ|) - P̂(|w|)``, as is seen term by term;
- the value computed in doubles differs from ``P(w)`` by at most ``((1 + ε)^K - 1) P̂(|w|)``, where ``ε`` bounds the
  relative error of one complex operation and ``K`` is the number of operations that any one term takes part in.

``P̂`` is computed by the same compiled code, on positive numbers, where its relative error is at most ``(1 + ε)^K - 1``.
Where the bound for ``G(0)`` is too coarse, ``G(0)`` is enclosed with more digits
(`polygeom.ideal.counting.paths.residuals`).

References
----------
Krawczyk, "Newton-Algorithmen zur Bestimmung von Nullstellen mit Fehlerschranken", Computing 4 (1969). Breiding, Rose,
Timme, "Certifying zeros of polynomial systems using interval arithmetic", arXiv 2011.05000. Brent, Percival,
Zimmermann, "Error bounds on complex floating-point multiplication", Math. Comp. 76 (2007).
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.ideal.counting.paths.residuals import enclosed, form_error
from polygeom.ideal.counting.paths.systems import Array, CriticalPoints, Outputs, System
from polygeom.ideal.counting.paths.tracking import refine

_UNIT = 2.0**-53
_OPERATION = 4 * _UNIT
"""More than √5 units for a complex product, and than one for a sum."""
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Proved:
    """Which candidates are proved to be near exact solutions.

    Attributes
    ----------
    mask:
        ``(B,)``: where there is a proof; the other rows mean nothing.
    weights, frames:
        ``(B, P)`` centres and ``(B, P, k)`` directions: the exact weights are ``w + T s``.
    radii:
        ``(B,)`` bounds for every ``|s_j|``.
    images, image_radii:
        ``(B, m)``: outputs at the centres, and bounds for the distance to the exact ones.
    different:
        Numbers of some rows whose exact images are pairwise different.
    """

    mask: Array
    weights: Array
    frames: Array
    radii: Array
    images: Array
    image_radii: Array
    different: tuple[int, ...]


def certified(system: System, w: Array, parameters: Array, *, until: float | None = None) -> int:
    """How many different solutions the given approximate ones prove to exist.

    Parameters
    ----------
    system:
        The equations.
    w:
        ``(B, P)``: approximate solutions.
    parameters:
        The right-hand side of the section, or the target; exact as it stands.
    until:
        `time.monotonic` at which to stop with what is proved.

    Returns
    -------
    A proved number of regular solutions with different images, at most ``B``. If the dimension in ``system.outputs`` is
    right, the degree of the neurovariety, or its number of critical points, is at least as large. For critical points
    the rank of the Jacobian is proved to be full at each of them.
    """
    return len(proved(system, w, parameters, until=until).different)


def proved(
    system: System, w: Array, parameters: Array, *, until: float | None = None, as_it_is: bool = False
) -> Proved:
    """The proofs themselves, see `Proved`; fewer rows when the time is up.

    ``as_it_is`` keeps to the points at which the system evaluates the network; otherwise better ones may be taken.
    """
    if isinstance(system, CriticalPoints) and not as_it_is:
        system = system.well_conditioned
    parts: list[tuple[Array, ...]] = []
    rational = system.outputs.program.rational  # then there are no majorants
    for i in range(0, 0 if rational else len(w), _BATCH):
        if until is not None and time.monotonic() > until:
            break
        rows, _ = refine(system, w[i : i + _BATCH], parameters, 3)
        parts.append(_proved(system, np.where(np.isfinite(rows), rows, 0), parameters))
    joined = [np.concatenate([part[k] for part in parts]) for k in range(6)] if parts else _nothing(system)
    mask, images, radii = joined[0], joined[4], joined[5]
    different = _separate(images, radii, np.flatnonzero(mask))
    return Proved(mask, joined[1], joined[2], joined[3], images, radii, different)


def _nothing(system: System) -> list[Array]:
    parameters, k, m = system.outputs.network.parameter_count, len(system.matrix), system.outputs.size
    empty = np.zeros
    return [empty(0, bool), empty((0, parameters)), empty((0, parameters, k)), empty(0), empty((0, m)), empty((0, m))]


def _proved(system: System, w: Array, parameters: Array) -> tuple[Array, ...]:
    with np.errstate(all="ignore"):  # what overflows is not proved
        value, matrix, images, slopes, frames = system.linearised(w, parameters)
        # products of matrices here, beyond those in the kernels
        loss = _growth(system, matrix.shape[1])
        low = _majorants(system, w, parameters, frames, np.zeros(len(w)))
        error = loss * low.value + low.drift
        mask, radii, high = _contracts(system, w, parameters, frames, value, error, matrix, low, loss)
        if not mask.all() and system.outputs.exact:
            rest = np.flatnonzero(~mask)
            value[rest], error[rest] = enclosed(system, w[rest], frames[rest], parameters)
            mask, radii, high = _contracts(system, w, parameters, frames, value, error, matrix, low, loss)
        if isinstance(system, CriticalPoints):
            mask &= _immersed(slopes, frames, low, high, loss)
        image_radii = (high.image - low.image + loss * (high.image + 2 * low.image)) * (1 + 1e-9)
        return mask, w, frames, radii, images, image_radii


def _contracts(
    system: System,
    w: Array,
    parameters: Array,
    frames: Array,
    value: Array,
    error: Array,
    matrix: Array,
    low: _Majorants,
    loss: float,
) -> tuple[Array, Array, _Majorants]:
    """Where the polydisc is mapped into itself, its radii, and the majorants on it."""
    size = matrix.shape[1]
    inverse = _inverses(matrix)
    offset = _times(np.abs(inverse), error + size * _OPERATION * np.abs(value)) + np.abs(_times(inverse, value))
    radii = 4 * offset.max(axis=1) + 1e-18 * np.abs(w).max(axis=1)
    high = _majorants(system, w, parameters, frames, radii)
    spread = high.matrix - low.matrix + loss * (high.matrix + 2 * low.matrix) + high.matrix_drift
    product = np.eye(size) - inverse @ matrix
    contraction = np.abs(product) + np.abs(inverse) @ (spread + 2 * size * _OPERATION * np.abs(matrix))
    rows = contraction.sum(axis=2) * (1 + 1e-9) + 1e-12
    inside = offset * (1 + 1e-9) + radii[:, None] * rows < radii[:, None] * (1 - 1e-9)
    return inside.all(axis=1), radii, high


@dataclass(frozen=True, eq=False)
class _Majorants:
    """Bounds at all weights up to a distance: of equations, derivatives, outputs and their derivatives; *drift* is what
    the rounding of the form adds."""

    value: Array
    matrix: Array
    image: Array
    slopes: Array
    drift: Array
    matrix_drift: Array


def _majorants(system: System, w: Array, parameters: Array, frames: Array, radii: Array) -> _Majorants:
    frames = np.abs(frames)
    around = np.abs(w) + radii[:, None] * frames.sum(axis=2) * (1 + 1e-12)
    right = -np.abs(system.right(parameters))
    value, matrix, image, slopes, _ = _Absolute(system, np.abs(system.form)).linearised(around, right, frames)
    drift, matrix_drift = np.zeros(value.shape), np.zeros(matrix.shape)
    if isinstance(system, CriticalPoints) and (uncertain := form_error(system)) is not None:
        drift, matrix_drift = (
            part.real for part in _Absolute(system, uncertain).linearised(around, 0 * right, frames)[:2]
        )
    return _Majorants(value.real, matrix.real, image.real, slopes.real, drift, matrix_drift)


class _Absolute(System):
    """A system with absolute values in the place of its numbers."""

    def __init__(self, system: System, form: Array) -> None:
        super().__init__(_AbsoluteOutputs(system), np.abs(system.matrix).astype(complex), form)
        self.kind = system.kind


class _AbsoluteOutputs(Outputs):
    def __init__(self, system: System) -> None:
        outputs = system.outputs
        self.network, self.dimension, self.route = outputs.network, outputs.dimension, outputs.route
        self.program = replace(outputs.program, constants=np.abs(outputs.program.constants).astype(complex))
        self.packed = np.abs(outputs.packed).astype(complex)


def _growth(system: System, size: int) -> float:
    """A bound for ``(1 + ε)^K - 1``."""
    outputs = system.outputs
    operations = outputs.program.roundings + 2 * outputs.size + 2 * outputs.network.parameter_count + 2 * size + 20
    return float(np.expm1(operations * _OPERATION * 1.01))


def _immersed(slopes: Array, frames: Array, low: _Majorants, high: _Majorants, loss: float) -> Array:
    """Where the directions are proved to move the image independently: a near left inverse stays one."""
    directions = np.swapaxes(frames, 1, 2)
    moved = directions @ slopes
    try:
        inverse = np.linalg.pinv(np.nan_to_num(moved))
    except np.linalg.LinAlgError:
        return np.zeros(len(slopes), dtype=bool)
    spread = high.slopes - low.slopes + loss * (high.slopes + 2 * low.slopes)
    size = moved.shape[1] + moved.shape[2]
    error = np.abs(directions) @ spread + size * _OPERATION * (np.abs(directions) @ np.abs(slopes))
    off = np.abs(np.eye(moved.shape[1]) - moved @ inverse) + error @ np.abs(inverse)
    off += size * _OPERATION * (np.abs(moved) @ np.abs(inverse))
    immersed: Array = (off.sum(axis=2) < 0.99).all(axis=1)
    return immersed


def _inverses(matrix: Array) -> Array:
    try:
        inverse: Array = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        inverse = np.full(matrix.shape, np.nan, dtype=complex)
        for k, one in enumerate(matrix):
            try:
                inverse[k] = np.linalg.inv(one)
            except np.linalg.LinAlgError:
                continue
    return inverse


def _times(matrix: Array, vector: Array) -> Array:
    product: Array = (matrix @ vector[..., None])[..., 0]
    return product


def _separate(images: Array, radii: Array, rows: Array) -> tuple[int, ...]:
    """Rows whose balls are pairwise disjoint in some coordinate, chosen greedily."""
    kept: list[int] = []
    for row in rows.tolist():
        if not np.isfinite(radii[row]).all():
            continue
        if kept:
            apart = np.abs(images[kept] - images[row]) * (1 - 1e-12) > radii[kept] + radii[row]
            if not apart.any(axis=1).all():
                continue
        kept.append(row)
    return tuple(kept)
