"""Exact linear algebra mod p: arithmetic, elimination, and the way back to integers and fractions."""

from __future__ import annotations

from polygeom.modular._backend import load_compiled
from polygeom.modular.arithmetic import P22, P23, PrimeField, Residues, as_field, is_prime, random_prime
from polygeom.modular.elimination import (
    Echelon,
    InconsistentError,
    echelon_form,
    eliminate_columns,
    eliminate_columns_stable,
    nullspace,
    pivot_columns,
    rank,
    rank_stable,
    solve,
)
from polygeom.modular.lifting import LiftError, crt, lift, rational_reconstruction

__all__ = [
    "P22",
    "P23",
    "Echelon",
    "InconsistentError",
    "LiftError",
    "PrimeField",
    "Residues",
    "as_field",
    "crt",
    "echelon_form",
    "eliminate_columns",
    "eliminate_columns_stable",
    "is_prime",
    "lift",
    "load_compiled",
    "nullspace",
    "pivot_columns",
    "random_prime",
    "rank",
    "rank_stable",
    "rational_reconstruction",
    "solve",
]
