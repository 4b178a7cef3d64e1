"""The conormal variety of sums of three products ``a ⊗ ℓ²``: the functions of ``[3,3,3] r=2`` with their normals.

A general function is ``x = Σ a_j ⊗ ℓ_j²``. Its tangent space is spanned by ``v ⊗ ℓ_j²`` and ``a_j ⊗ ℓ_j v`` for all
vectors ``v``. With the dual bases ``a*`` and ``ℓ*`` the tensors ``a*_j ⊗ ℓ*_k ℓ*_m``, ``{j, k, m} = {1, 2, 3}``, are
orthogonal to all of these: ``a*_j`` leaves the terms with ``a_j``, and ``ℓ*_k ℓ*_m`` vanishes on ``ℓ_j v``. They span
the normal space, which has 18 - 15 = 3 dimensions. So the pairs of a function and a normal are the image of a map with
21 parameters, ``c_j`` the coefficients of the normal, and 3 scalings.
"""

from __future__ import annotations

import itertools

import numpy as np

from polygeom.ideal.counting.paths.monodromy import Solutions, monodromy
from polygeom.ideal.counting.paths.program import FACTOR, PRODUCT, SHIFT, WEIGHT, Program, _Recorder
from polygeom.ideal.counting.paths.starts import complex_normal
from polygeom.ideal.counting.paths.systems import Outputs, System
from polygeom.ideal.counting.paths.trace import Trace, trace_test
from polygeom.ideal.counting.paths.tracking import CAREFUL, Tracker, shortened
from polygeom.maps import from_text

DIMENSION = SIZE = 18
"""Of the pairs, 15 and 3; and of each of the two spaces."""
PAIRS = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]


def conormal_program() -> Program:
    """``(a, ℓ, c) ↦ (x, y)``: entries ``x_i,pq`` of the function; ``y_i,pp`` and ``2 y_i,pq`` of the normal."""
    recorder = _Recorder(0)
    minus = recorder._number(-1)

    def total(*terms: tuple[int, int, int]) -> int:
        return recorder._sum(iter(terms))

    registers = [total((SHIFT, 0, b)) for b in range(21)]
    a, line = np.array(registers[:9]).reshape(3, 3), np.array(registers[9:18]).reshape(3, 3)

    def dual(vectors: np.ndarray) -> np.ndarray:
        """Cross products of the other two rows."""
        negative = [[total((FACTOR, v, minus)) for v in row] for row in vectors.tolist()]
        rows = []
        for j in range(3):
            k, m = (j + 1) % 3, (j + 2) % 3
            rows.append([
                total((PRODUCT, vectors[k, p], vectors[m, q]), (PRODUCT, negative[k][q], vectors[m, p]))
                for p, q in ((1, 2), (2, 0), (0, 1))
            ])  # fmt: skip
        return np.array(rows)

    across, lines = dual(a), dual(line)
    squares = [[total((PRODUCT, row[p], row[q])) for p, q in PAIRS] for row in line]
    products = []
    for j in range(3):
        k, m = lines[(j + 1) % 3], lines[(j + 2) % 3]
        products.append([
            total((PRODUCT, k[p], m[q]), *([(PRODUCT, k[q], m[p])] if p != q else [])) for p, q in PAIRS
        ])  # fmt: skip
    scaled = [[total((WEIGHT, across[j, i], 18 + j)) for i in range(3)] for j in range(3)]
    outputs = [
        *(total(*((WEIGHT, squares[j][t], 3 * j + i) for j in range(3))) for i in range(3) for t in range(6)),
        *(total(*((PRODUCT, scaled[j][i], products[j][t]) for j in range(3))) for i in range(3) for t in range(6)),
    ]
    return recorder.finish(np.array(outputs), 21)


class Conormal(Outputs):
    """The pairs, ``(B, 36)``, for ``(B, 21)`` parameters."""

    def __init__(self) -> None:
        names = [f"a{j}{i}" for j, i in itertools.product(range(3), range(3))]
        names += [name.replace("a", "l") for name in names] + ["c0", "c1", "c2"]
        super().__init__(from_text(",".join(names), names), DIMENSION, np.zeros((1, 0)))
        self.program = conormal_program()


class MixedSections(System):
    """``A x = p``, ``B y = q``: the function in a linear space of codimension `conditions`, the normal in another one.

    Scaled to solutions of these affine equations, the points of the conormal variety, of dimension 16 in P^17 x P^17,
    are counted that lie in a product of two general linear spaces: a polar degree. When ``p`` alone moves along a line,
    no function goes to infinity: ``A x = 0`` with ``x ≠ 0`` and ``B y = q`` are 18 conditions on 17 dimensions. So the
    sum of all functions is linear in ``p``, and likewise that of all normals in ``q``: two trace tests.
    """

    kind = 0

    def __init__(self, conditions: int, rng: np.random.Generator) -> None:
        matrix = np.zeros((DIMENSION, 2 * SIZE), dtype=complex)
        matrix[: conditions + 1, :SIZE] = complex_normal(rng, conditions + 1, SIZE)
        matrix[conditions + 1 :, SIZE:] = complex_normal(rng, DIMENSION - conditions - 1, SIZE)
        super().__init__(Conormal(), matrix, np.zeros((0, 0)))
        self.conditions, self.seen = conditions, slice(None)

    def image(self, w: np.ndarray) -> np.ndarray:
        return self.outputs.raw(w)[:, self.seen]

    def beside(self, w: np.ndarray, rng: np.random.Generator, real: bool = False) -> tuple[np.ndarray, np.ndarray]:
        return w, self.matrix @ self.outputs.raw(w)[0]


def polar_degree(conditions: int, seed: int) -> tuple[Solutions, Trace | None, Trace | None]:
    """Solutions, and the trace tests of functions and of normals."""
    rng = np.random.default_rng(1000 * seed + conditions)
    system = MixedSections(conditions, rng)
    found = monodromy(system, rng, enough=lambda s: s.idle >= 2 and s.loops > 5)
    tracker, marks = Tracker(system), system.outputs.marks(rng)
    weights = shortened(system, found.weights, found.parameters)  # on long ones paths get lost
    traces: list[Trace | None] = []
    for rows, seen in ((slice(0, conditions + 1), slice(0, SIZE)), (slice(conditions + 1, None), slice(SIZE, None))):
        system.seen = seen
        test: Trace | None = None
        for _ in range(3):  # lines, until no path is lost
            away = found.parameters.copy()
            away[rows] = system.move(found.parameters, rng)[rows]
            there, arrived = tracker.follow(weights, found.parameters, away, np.exp(0.5j), CAREFUL)
            if arrived.all():
                test = trace_test(tracker, weights, there, found.parameters, away, rng, marks, 2)
            if test is not None:
                break
        traces.append(test)
    system.seen = slice(None)
    return found, traces[0], traces[1]
