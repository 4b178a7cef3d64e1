"""What a layer is, and the register of all layers by their words.

A layer is a frozen dataclass without weights. It states its shape rule, its weights and its value through the
primitives of `polygeom.network.primitives`; nothing else in polygeom needs to know it. Defining the class enters it in
`LAYERS`, and then its word is read and written in text and JSON, and the network is evaluated over every engine: ranks,
equations, torch, certificates. What follows the line "optional" below improves results and is needed for none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar, TypeVar

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.network.primitives import Engine

Shape = tuple[int, ...]
V = TypeVar("V")

LAYERS: dict[str, type[Layer]] = {}
"""Every layer by its word in text and JSON."""

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


def constant(index: np.ndarray) -> np.ndarray:
    """The array, never to be written to again: an engine may keep what it makes of it."""
    index.flags.writeable = False
    return index


@lru_cache(maxsize=256)
def numbered(*shape: int) -> np.ndarray:
    """The positions 0, 1, … of a value in the given shape, constant."""
    return constant(np.arange(math.prod(shape)).reshape(shape))


def _entries(value: object) -> int:
    if isinstance(value, tuple):
        return sum(map(_entries, value))
    return 2 if isinstance(value, Fraction) else 1


class Layer:
    """Base of all layers; subclasses are frozen dataclasses whose fields are integers, fractions, words, or tuples.

    Raises
    ------
    PolygeomError
        When a subclass is defined whose word `kind` is not a word, or belongs to another layer.
    """

    kind: ClassVar[str]
    """The word for this layer in text and JSON."""
    arity: ClassVar[int | None] = 1
    """Number of inputs; ``None`` for two or more."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        kind = cls.__dict__.get("kind")
        if kind is None:
            return
        if not isinstance(kind, str) or not _WORD.fullmatch(kind):
            raise PolygeomError(f'layer {cls.__name__}: kind must be a word, got {kind!r:.40}; write kind = "dense"')
        other = LAYERS.get(kind, cls)
        # dataclass(slots=True) makes the class a second time; running a notebook cell again makes it anew
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise PolygeomError(f"layer {cls.__name__}: the word {kind!r} is {other.__qualname__}; write another kind")
        LAYERS[kind] = cls

    @property
    def symbols(self) -> int:
        """Size of the layer's description, for the limit on networks; its text has at most 3 numbers and words each."""
        names: tuple[str, ...] = getattr(self, "__match_args__", ())  # the fields, by `dataclass`
        return max(1, sum(_entries(getattr(self, name)) for name in names))

    def shape(self, *inputs: Shape) -> Shape:
        """Shape of the output for inputs of the given shapes (no axis of points), or `PolygeomError`."""
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        """Shapes of the weights by local name, in a fixed order."""
        return {}

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        """The value of the layer over ``engine``, for the values, weights and shapes of its inputs."""
        raise TypeError(f"layer {type(self).__name__} must define apply")

    @property
    def divisors(self) -> tuple[int, ...]:
        """Integers that a prime must not divide: exponents, and denominators of constants."""
        return ()

    @property
    def constants(self) -> tuple[Fraction, ...]:
        """Rational numbers that enter beside the weights."""
        return ()

    # Optional: what initialisation and the search for symmetries may know.

    shifts: ClassVar[frozenset[str]] = frozenset()
    """Local names of the weights that are added; initialisation starts them at zero."""
    products: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of weights ``(Q, K)`` of equal shape that enter the function by ``KᵀQ`` alone."""

    @property
    def mixes_through(self) -> bool:
        """Whether a linear map of the last axis of all inputs is the same map of the output, up to `shifts`."""
        return False

    def fan_in(self, *inputs: Shape) -> dict[str, int]:
        """Number of terms in the sums that each weight enters, for the size of random weights; 0 for `shifts`."""
        return {name: 0 if name in self.shifts else shape[-1] for name, shape in self.parameters(*inputs).items()}

    def rows(self, *inputs: Shape) -> tuple[str, ...] | None:
        """Weights that, reshaped to ``(m, -1)``, make the ``m`` output features; None when a matrix is not absorbed.

        For every invertible ``A`` the layer with weights ``A w`` must have the output ``A y`` on the last axis, where
        the inputs are mixed by ``A`` too if `mixes_through`. Proved bounds rest on it.
        """
        return None

    def columns(self, *inputs: Shape) -> tuple[str, ...] | None:
        """Weights that, reshaped to ``(-1, m)``, read the ``m`` input features; None when a matrix is not absorbed.

        For every invertible ``A`` the layer with weights ``w A⁻¹`` on the input ``A x`` must be the layer on ``x``.
        """
        return None
