"""Equations in the form that is read, and claims that follow from the lists, for careful liars."""

from __future__ import annotations

import math
from collections import Counter

from certificates.truths import Data


def times(a: dict[tuple[int, ...], int], b: dict[tuple[int, ...], int]) -> dict[tuple[int, ...], int]:
    out: Counter[tuple[int, ...]] = Counter()
    for m, x in a.items():
        for n, y in b.items():
            out[tuple(sorted(m + n))] += x * y
    return {m: c for m, c in out.items() if c}


def listed(terms: dict[tuple[int, ...], int], weights: list[list[int]]) -> Data:
    """An equation in the only form that is read, of its own weight."""
    items = sorted(terms.items())
    sign = 1 if items[0][1] > 0 else -1
    weight = [sum(column) for column in zip(*(weights[k] for k in items[0][0]), strict=True)]
    common = math.gcd(*(c for _, c in items))
    return {
        "degree": len(items[0][0]), "weight": weight, "terms": [[list(m), str(sign * c // common)] for m, c in items]
    }  # fmt: skip


def recount(data: Data) -> None:
    """Let the claims follow from the lists, as the prover would write them."""
    grading, claim = data["grading"], data["claim"]
    blocks = (grading["outputs"], grading["inputs"])

    def orbit(weight: list[int]) -> int:
        size, at = 1, 0
        for length in blocks:
            part = weight[at : at + length]
            size *= math.factorial(length) // math.prod(map(math.factorial, Counter(part).values()))
            at += length
        return size

    counts: Counter[int] = Counter()
    for e in data["equations"]:
        counts[e["degree"]] += orbit(e["weight"])
    claim["counts"] = {str(d): counts[d] for d in sorted(counts)}
    claim["complete_to"] = len(data["degrees"])
    claim["hilbert_function"] = [1]
    for s in data["degrees"]:
        n = len(data["kept"] if s["degree"] > 1 else grading["weights"])
        equations = sum(orbit(w) * (size - rank) for w, size, rank in s["spaces"])
        claim["hilbert_function"].append(math.comb(n + s["degree"] - 1, s["degree"]) - equations)


def no_argument(data: Data) -> None:
    data["completeness"] = None
    data["claim"].update(completeness=None, degree=None, h_vector=None)
