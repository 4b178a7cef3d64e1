"""Gauss–Newton steps from random complex weights: which weights give one function?"""

from __future__ import annotations

import itertools

import numpy as np

Complex = np.ndarray


def exponents(inputs: int, power: int) -> np.ndarray:
    return np.array([a for a in itertools.product(range(power + 1), repeat=inputs) if sum(a) == power])


def weights_of_a_function(
    inputs: int, power: int, neurons: int, outputs: int, seed: int = 1, tries: int = 80
) -> set[tuple[complex, ...]]:
    """Sums of powers of linear forms equal to a random one, each told by a ratio of entries of its forms."""
    alpha = exponents(inputs, power)
    count = neurons * inputs

    def parts(w: Complex) -> tuple[Complex, Complex]:
        """Coefficients without multinomials, and the derivative."""
        outer = w[count:].reshape(outputs, neurons)
        powers = w[:count].reshape(neurons, inputs, 1) ** np.arange(power + 1)
        factors = np.array([powers[:, i][:, alpha[:, i]] for i in range(inputs)])
        lower = [alpha[:, i] * powers[:, i][:, np.maximum(alpha[:, i] - 1, 0)] for i in range(inputs)]
        slopes = [np.prod(np.delete(factors, i, 0), axis=0) * lower[i] for i in range(inputs)]
        monomials = factors.prod(axis=0)
        inner = np.einsum("ok,ikm->omki", outer, np.array(slopes)).reshape(outputs * len(alpha), count)
        return (outer @ monomials).ravel(), np.concatenate([inner, np.kron(np.eye(outputs), monomials.T)], axis=1)

    generator = np.random.default_rng(seed)
    size = count + outputs * neurons
    target = parts(np.array([1, 1j]) @ generator.standard_normal((2, size)))[0]
    found: set[tuple[complex, ...]] = set()
    for _ in range(tries):
        w, damping = np.array([1, 1j]) @ generator.standard_normal((2, size)), 1.0
        value, slope = parts(w)
        for _ in range(300):
            error = np.linalg.norm(target - value)
            adjoint = slope.conj().T
            step = np.linalg.solve(adjoint @ slope + damping * np.eye(size), adjoint @ (target - value))
            new = parts(w + step)
            if np.linalg.norm(target - new[0]) < error:
                (value, slope), w, damping = new, w + step, max(damping / 5, 1e-14)
            else:
                damping *= 4
            if error < 1e-11 or damping > 1e9:
                break
        if np.linalg.norm(target - value) < 1e-9:
            lines = w[:count].reshape(neurons, inputs)
            found.add(tuple(np.sort_complex((lines[:, 0] / lines[:, -1]).round(4)).tolist()))
        if len(found) > 1:
            break
    return found
