"""What `polygeom.ideal.counting.paths.kernels` computes, without compiled code, for all rows of a batch at once.

Nothing has to be loaded for it, so small counts are over before the kernels would be ready; with many paths it is up
to a hundred times slower. Functions have the same arguments and results, to rounding, and the notation is the same.
Here a register is an array ``(B, N)``, its derivative in the directions of a frame ``(B, k, N)``, or None for zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polygeom._dataclass import dataclass, field

Array = np.ndarray
Rows = list[list[int]]

_LASTING = 20  # as in the kernels
_PREDICT, _CORRECT, _POLISH, _START, _DONE = range(5)


def _raised(x: Array, e: int) -> Array:
    """``x ** e`` by products alone, as the bounds for rounding errors have it."""
    if e < 0:
        x, e = 1.0 / x, -e
    result: Array | None = None
    while e > 0:
        if e & 1:
            result = x if result is None else result * x
        x, e = x * x, e >> 1
    return np.ones_like(x) if result is None else result


def _add(x: Array | None, y: Array | None) -> Array | None:
    return y if x is None else x if y is None else x + y


@dataclass
class _At:
    """A program at weights ``(B, P)``: coefficients, and values of all registers."""

    ops: Rows
    inputs: int
    outputs: list[int]
    w: Array
    c: list[Array]
    v: list[Array]

    @classmethod
    def weights(cls, program: tuple[Any, ...], points: Array, w: Array) -> _At:
        """Values of all registers."""
        operations, constants, outputs, registers, inputs = program
        ops = operations.tolist()
        columns: list[Array] = [w[:, b, None] for b in range(w.shape[1])]
        c = columns + [np.full((1, 1), x) for x in constants]
        zero = np.zeros((1, points.shape[1]), dtype=complex)
        v = [row[None] for row in points] + [zero] * (registers - len(points))
        v[-1] = zero + 1
        for op, d, a, b in ops:
            x = c[b] * v[a] if op < 2 else v[a] * v[b] if op < 4 else _raised(v[a], b)
            v[d] = v[d] + x if op & 1 else x
        return cls(ops, inputs, outputs.tolist(), w, c, v)

    def values(self) -> Array:
        """Outputs ``(B, m)``."""
        count = self.v[0].shape[1]
        rows = [np.broadcast_to(self.v[o], (len(self.w), count)) for o in self.outputs]
        return np.concatenate(rows, axis=1)

    def backward(self, seeds: Array) -> Array:
        """``(B, P, S, N)``: derivatives by weights of ``S`` functions whose derivatives by outputs are ``seeds``,
        ``(B or 1, S, O, N)``, at each point."""
        batch, parameters = self.w.shape
        adjoint: list[Array | None] = [None] * len(self.v)
        for i, o in enumerate(self.outputs):
            adjoint[o] = _add(adjoint[o], seeds[:, :, i])
        slopes = np.zeros((batch, parameters, seeds.shape[1], seeds.shape[3]), dtype=complex)
        v = [x[:, None] for x in self.v]
        for op, d, a, b in reversed(self.ops):
            x = adjoint[d]
            if x is None:
                continue
            if op < 2:
                if b < parameters:
                    slopes[:, b] += x * v[a]
                if a >= self.inputs:
                    adjoint[a] = _add(adjoint[a], self.c[b][:, None] * x)
            elif op < 4:
                adjoint[a], y = _add(adjoint[a], x * v[b]), x * v[a]
                adjoint[b] = _add(adjoint[b], y)
            else:
                adjoint[a] = _add(adjoint[a], b * _raised(v[a], b - 1) * x)
        return slopes

    def jacobian(self) -> Array:
        """``(B, P, m)``."""
        outputs, count = len(self.outputs), self.v[0].shape[1]
        seeds = np.eye(outputs, dtype=complex)[None, :, :, None] * np.ones(count)
        return self.backward(seeds).reshape(*self.w.shape, outputs * count)

    def pulled(self, mu: Array, frame: Array) -> Array:
        """``(B, k)``: derivatives of ``Σ mu y`` in the directions of the frame."""
        seeds = mu.reshape(len(mu), 1, len(self.outputs), -1)
        slopes = self.backward(seeds)[:, :, 0].sum(axis=2)
        value: Array = (slopes[:, None, :] @ frame)[:, 0]
        return value

    def along(self, frame: Array) -> list[Array | None]:
        """Derivatives of all registers in the directions of the frame."""
        parameters = self.w.shape[1]
        moved: list[Array | None] = [None] * len(self.v)
        v, t = [x[:, None] for x in self.v], [frame[:, b, :, None] for b in range(parameters)]
        for op, d, a, b in self.ops:
            before, x = moved[a], None
            if op < 2:
                if b < parameters:
                    x = t[b] * v[a]
                if before is not None:
                    x = _add(x, self.c[b][:, None] * before)
            elif op < 4:
                other = moved[b]
                x = _add(None if other is None else v[a] * other, None if before is None else before * v[b])
            elif before is not None:
                x = b * _raised(v[a], b - 1) * before
            moved[d] = _add(moved[d], x) if op & 1 else x
        return moved

    def bend(self, mu: Array, frame: Array, moved: list[Array | None]) -> Array:
        """``(B, P, k)``: the second derivative of ``Σ mu y`` by weights and in the directions of the frame."""
        parameters = self.w.shape[1]
        curved = np.zeros(frame.shape, dtype=complex)
        adjoint: list[Array | None] = [None] * len(self.v)
        bent: list[Array | None] = [None] * len(self.v)
        for part, o in zip(np.split(mu, len(self.outputs), axis=1), self.outputs, strict=True):
            adjoint[o] = _add(adjoint[o], part[:, None])
        v = [x[:, None] for x in self.v]
        for op, d, a, b in reversed(self.ops):
            y, x, before = adjoint[d], bent[d], moved[a]
            if y is None:
                continue
            if op < 2:
                c = self.c[b][:, None]
                if b < parameters:
                    total = _add(None if x is None else x * v[a], None if before is None else y * before)
                    if total is not None:
                        curved[:, b] += total.sum(axis=2)
                if a >= self.inputs:
                    bent[a] = _add(bent[a], None if x is None else c * x)
                    if b < parameters:
                        bent[a] = _add(bent[a], frame[:, b, :, None] * y)
                adjoint[a] = _add(adjoint[a], c * y)
            elif op < 4:
                for at, to, change in ((a, b, before), (b, a, moved[b])):
                    bent[to] = _add(bent[to], None if x is None else x * v[at])
                    bent[to] = _add(bent[to], None if change is None else y * change)
                adjoint[a], left = _add(adjoint[a], y * v[b]), y * v[a]
                adjoint[b] = _add(adjoint[b], left)
            else:
                slope = b * _raised(v[a], b - 1)
                bent[a] = _add(bent[a], None if x is None else slope * x)
                if before is not None:
                    bent[a] = _add(bent[a], b * (b - 1) * _raised(v[a], b - 2) * y * before)
                adjoint[a] = _add(adjoint[a], slope * y)
        return curved


@dataclass
class _Equations:
    """A system as the kernels read it."""

    kind: int
    program: tuple[Any, ...]
    points: Array
    a: Array
    s: Array

    def at(self, w: Array) -> _At:
        return _At.weights(self.program, self.points, w)

    def frames(self, slopes: Array) -> Array:
        """``(B, P, k)``: orthonormal bases of the conjugate row spaces of ``A J``."""
        rows: Array = slopes @ self.a.T
        return np.linalg.qr(np.nan_to_num(rows.conj()))[0]

    def evaluate(self, here: _At, frame: Array, p: Array, *, full: bool) -> tuple[Array, Array | None]:
        """Values ``(B, k)`` of the equations, and their derivatives ``(B, k, k)`` if ``full``."""
        matrix = None
        mu = here.values() @ (self.a if self.kind == 0 else self.s).T - p
        if full:
            moved = here.along(frame)
            none = np.zeros((1, 1, self.points.shape[1]), dtype=complex)
            parts = [none if moved[o] is None else moved[o] for o in here.outputs]
            shape = len(frame), frame.shape[2], self.points.shape[1]
            lines = np.concatenate([np.broadcast_to(x, shape) for x in parts if x is not None], axis=2)
            if self.kind == 0:
                matrix = self.a @ lines.swapaxes(1, 2)
            else:
                matrix = lines @ self.s @ lines.swapaxes(1, 2)
                matrix = matrix + frame.swapaxes(1, 2) @ here.bend(mu, frame, moved)
        return (mu if self.kind == 0 else here.pulled(mu, frame)), matrix


def values_of(
    ops: Array, constants: Array, outputs: Array, registers: int, points: Array, w: Array
) -> Array:  # fmt: skip
    """Outputs ``(B, m)`` at ``B`` weights."""
    with np.errstate(all="ignore"):
        return _At.weights((ops, constants, outputs, registers, len(points)), points, w).values()


def linearised(
    kind: int, ops: Array, constants: Array, outputs: Array, registers: int, inputs: int, points: Array, a: Array,
    s: Array, w: Array, frames: Array, fresh: bool, p: Array,
) -> tuple[Array, ...]:  # fmt: skip
    """See `polygeom.ideal.counting.paths.kernels.linearised`."""
    equations = _Equations(kind, (ops, constants, outputs, registers, inputs), points, a, s)
    with np.errstate(all="ignore"):
        here = equations.at(w)
        slopes = here.jacobian()
        if fresh:
            frames[:] = equations.frames(slopes)
        value, matrix = equations.evaluate(here, frames, p, full=True)
    assert matrix is not None
    return value, matrix, here.values(), slopes


@dataclass
class _Path:
    """Where one path is; `trial` is the point that is being corrected."""

    here: Array
    trial: Array
    tangent: Array
    before: Array = field(default_factory=lambda: np.zeros(0))
    slope: Array = field(default_factory=lambda: np.zeros(0))
    t: float = 0.0
    h: float = 0.02
    last: float = 0.0
    new: float = 0.0
    mode: int = _START
    age: int = 0
    correction: int = 0
    predicted: float = 0.0
    size: float = 0.0
    steps: int = 0
    reached: float = 0.0

    def predict(self, frame: Array) -> None:
        """The cubic through the last two points with their tangents; a straight line from the first point."""
        self.new = self.t + self.h if self.h < 1.0 - self.t else 1.0
        h = self.new - self.t
        self.steps, self.age = self.steps + 1, self.age + 1
        self.mode, self.correction = _CORRECT, 0
        if not len(self.before):
            self.trial = self.here + h * self.tangent
            return
        q = h / self.last
        chord = (self.here - self.before) / self.last
        second = 2 * self.tangent + self.slope - 3 * chord
        third = self.tangent + self.slope - 2 * chord
        move = h * (self.tangent + q * second + q * q * third)
        self.trial = self.here + frame @ (move @ frame.conj())

    def again(self) -> None:
        """Half the step."""
        self.h, self.mode, self.age = 0.5 * (self.new - self.t), _PREDICT, _LASTING

    def judge(self, size: float, aim: float, far: float) -> bool:
        """What to do after a correction of relative size ``size``; whether a tangent is needed next."""
        earlier, self.size = self.size, size
        if self.mode == _START and not size < far:
            self.mode = _DONE
            return False
        if self.mode == _POLISH:
            if size < 1e-10:
                self.reached, self.here = 1.0, self.trial
                if size < 1e-13 or self.correction > 2:
                    self.mode = _DONE
            elif self.correction > 3 or not size < far:
                self.mode = _DONE
            self.correction += 1
            return False
        if self.mode == _CORRECT:
            if self.correction == 0:
                self.predicted = size
            if not (size < far and (self.correction == 0 or size < 0.3 * earlier)):
                self.again()
                return False
            self.correction += 1
            if size > 1e-5:
                if self.correction == 4:
                    self.again()
                return False
            self.before, self.slope = self.here, self.tangent
            self.last, self.t = self.new - self.t, self.new
            self.h = min(0.2, self.last * min(2.0, max(0.5, (aim / (self.predicted + 1e-300)) ** 0.25)))
        self.here = self.trial
        if self.t >= 1.0:
            self.mode, self.correction = _POLISH, 0
            return False
        return True


def follow(
    kind: int, ops: Array, constants: Array, outputs: Array, registers: int, inputs: int, points: Array, a: Array,
    s: Array, w: Array, start: Array, end: Array, gamma: Array, aim: float, far: float, least: float, most: int,
    fulls: int,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """See `polygeom.ideal.counting.paths.kernels.follow`: here all paths take their corrections together."""
    equations = _Equations(kind, (ops, constants, outputs, registers, inputs), points, a, s)
    paths = [_Path(row, row, np.zeros_like(row)) for row in w]
    (batch, parameters), k = w.shape, len(a)
    frame, matrix = np.zeros((batch, parameters, k), dtype=complex), np.zeros((batch, k, k), dtype=complex)
    value, trial = np.zeros((batch, k), dtype=complex), w.copy()
    with np.errstate(all="ignore"):
        for _ in range(8 * most):
            for i, path in enumerate(paths):
                if path.mode == _PREDICT:
                    if path.h < least or path.steps >= most:
                        path.mode = _DONE
                    else:
                        path.predict(frame[i])
            alive = [i for i, path in enumerate(paths) if path.mode != _DONE]
            if not alive:
                break
            new, g = np.array([paths[i].new for i in alive]), gamma[alive]
            bottom = new + g * (1.0 - new)
            p = start[alive] + (new / bottom)[:, None] * (end[alive] - start[alive])
            trial[alive] = [paths[i].trial for i in alive]
            groups: dict[tuple[bool, bool], list[int]] = {}
            for at, i in enumerate(alive):
                path = paths[i]
                framed = path.mode != _CORRECT or (path.correction == 0 and path.age >= _LASTING)
                path.age = 0 if framed else path.age
                groups.setdefault((framed, path.correction < fulls or path.mode == _POLISH), []).append(at)
            for (framed, full), members in groups.items():
                rows = [alive[at] for at in members]
                here = equations.at(trial[rows])
                if framed:
                    frame[rows] = equations.frames(here.jacobian())
                value[rows], found = equations.evaluate(here, frame[rows], p[members], full=full)
                if found is not None:
                    matrix[rows] = found
            step = solved(matrix[alive], value[alive])
            moved = trial[alive] - (frame[alive] @ step[..., None])[..., 0]
            sizes = np.linalg.norm(step, axis=1) / (np.linalg.norm(moved, axis=1) + 1e-300)
            onward = []
            for at, i in enumerate(alive):
                paths[i].trial = moved[at]
                if paths[i].judge(float(sizes[at]), aim, far):
                    onward.append(at)
            if onward:
                rows = [alive[at] for at in onward]
                speed = (g / (bottom * bottom))[onward, None] * (end[rows] - start[rows])
                if kind == 1:
                    speed = equations.at(trial[rows]).pulled(speed, frame[rows])
                tangents = (frame[rows] @ solved(matrix[rows], speed)[..., None])[..., 0]
                for i, tangent in zip(rows, tangents, strict=True):
                    paths[i].tangent, paths[i].mode = tangent, _PREDICT
    ends = np.array([path.here for path in paths]).reshape(w.shape)
    return ends, np.array([path.reached for path in paths]), np.array([path.steps for path in paths], dtype=np.int64)


def solved(matrix: Array, right: Array) -> Array:
    """``matrix⁻¹ right`` for a batch; NaN where a matrix is singular."""
    try:
        return np.linalg.solve(matrix, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        result = np.full(right.shape, np.nan, dtype=complex)
        for row in range(len(matrix)):
            try:
                result[row] = np.linalg.solve(matrix[row], right[row])
            except np.linalg.LinAlgError:
                continue
        return result
