"""The conormal variety of sums of three products ``a ⊗ ℓ²``: the functions of ``[3,3,3] r=2`` with their normals.

A general function is ``x = Σ a_j ⊗ ℓ_j²``. Its tangent space is spanned by ``v ⊗ ℓ_j²`` and ``a_j ⊗ ℓ_j v`` for all
vectors ``v``. With the dual bases ``a*`` and ``ℓ*`` the tensors ``a*_j ⊗ ℓ*_k ℓ*_l``, ``{j, k, l} = {1, 2, 3}``, are
orthogonal to all of these: ``a*_j`` leaves the terms with ``a_j``, and ``ℓ*_k ℓ*_l`` contains no ``ℓ*_j``. They span
the normal space, which has 18 - 15 = 3 dimensions. So the pairs of a function and a normal are the image of a map.
"""

from __future__ import annotations

import itertools

import numpy as np

from polygeom.ideal.counting.paths.systems import Outputs, System, complex_normal
from polygeom.maps import from_text
from polygeom.network import Network

DIMENSION = 18
"""Of the pairs: 15 and 3."""
SIZE = 18
"""Of each space."""


def conormal_map() -> Network:
    """``(a, l, c) ↦ (Σ a_j ⊗ l_j², Σ c_j a*_j ⊗ l*_k l*_l)``, each in the coefficients of squares and half products."""
    names = [f"{letter}{j}{i}" for letter in "al" for j in range(3) for i in range(3)] + ["c0", "c1", "c2"]
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]

    def dual(letter: str, j: int, i: int) -> str:
        """Entry of the cross product of the other two vectors."""
        k, m = (j + 1) % 3, (j + 2) % 3
        p, q = (i + 1) % 3, (i + 2) % 3
        return f"({letter}{k}{p}*{letter}{m}{q}-{letter}{k}{q}*{letter}{m}{p})"

    functions, normals = [], []
    for i, (p, q) in itertools.product(range(3), pairs):
        functions.append("+".join(f"a{j}{i}*l{j}{p}*l{j}{q}" for j in range(3)))
        # the pairing of the tensors has 2 x_pq y_pq: half of the normal's mixed entries twice
        terms = []
        for j in range(3):
            k, m = (j + 1) % 3, (j + 2) % 3
            product = f"{dual('l', k, p)}*{dual('l', m, q)}"
            if p != q:
                product = f"({product}+{dual('l', k, q)}*{dual('l', m, p)})"
            terms.append(f"c{j}*{dual('a', j, i)}*{product}")
        normals.append("+".join(terms))
    return from_text(", ".join(functions + normals), parameters=names)


class MixedSections(System):
    """``A x = p``, ``B y = q``: ``x`` in a linear space of codimension `conditions` and the normal ``y`` in another.

    Scaled to solutions of these affine equations, the points of the conormal variety in two projective linear spaces
    of complementary dimensions are counted: a polar degree of the variety.
    """

    kind = 0

    def __init__(self, conditions: int, rng: np.random.Generator) -> None:
        network = conormal_map()
        outputs = Outputs(network, DIMENSION, np.zeros((1, *network.input_shape)))
        matrix = np.zeros((DIMENSION, 2 * SIZE), dtype=complex)
        matrix[: conditions + 1, :SIZE] = complex_normal(rng, conditions + 1, SIZE)
        matrix[conditions + 1 :, SIZE:] = complex_normal(rng, DIMENSION - conditions - 1, SIZE)
        super().__init__(outputs, matrix, np.zeros((0, 0)))

    def start(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        w = self.outputs.start(rng)
        return w, self.matrix @ self.outputs.raw(w)[0]
