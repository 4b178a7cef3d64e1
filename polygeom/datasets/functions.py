"""Target functions with exact formulas: what is learned inside a region and asked for outside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.errors import PolygeomError

Array = np.ndarray


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))  # type: ignore[no-any-return]


def _gelu(x: Array) -> Array:
    from scipy.special import ndtr

    return x * ndtr(x)  # type: ignore[no-any-return]


ELEMENTARY: Mapping[str, Callable[[Array], Array]] = {
    "sum": lambda x: x,
    "square": lambda x: x**2,
    "l1": np.abs,
    "sqrt": np.sqrt,
    "sin": lambda x: np.sin(math.pi * x),
    "cospix": lambda x: np.cos(math.pi * x),
    "cosx": np.cos,
    "cos2x": lambda x: np.cos(2 * x),
    "cos2pix": lambda x: np.cos(2 * math.pi * x),
    "cos10x": lambda x: np.cos(10 * x),
    "zigzag": lambda x: np.arccos(np.cos(x)),
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "gelu": _gelu,
    "sigmoid": _sigmoid,
    "cubic": lambda x: x**3 + x**2 - 5 * x + 5,
    "x3x2minus10x1plus5": lambda x: x**3 + x**2 - 10 * x + 5,
    "x4x2bias1": lambda x: x**4 + x**2 + 1,
}
"""Functions of one variable; the target is the sum of their values over the coordinates of ``x``."""

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "sin": np.sin,
    "square": lambda x: x**2,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": lambda x: np.log(np.abs(x)),
    "relu": lambda x: np.maximum(x, 0),
    "gelu": _gelu,
    "sigmoid": _sigmoid,
}
"""Of the targets ``act…``, networks with one hidden layer; ``log`` is taken of the absolute value."""

TARGETS = (
    *ELEMENTARY,
    *("linear", "linear_plain", "quadratic", "mix", "x2", "helix", "constant"),
    *("periodic", "periodic_sin", "periodic_cos"),
    *(f"act{name}" for name in ACTIVATIONS),
)
"""Names of all targets, see `make_target`."""

POSITIVE = ("sqrt", "log")
"""Targets that are defined for positive coordinates alone."""

_PERIODIC = ("sin", "cosx", "zigzag", "periodic", "periodic_sin", "periodic_cos")


@dataclass(frozen=True, eq=False)
class Target:
    """A function with the coefficients that were drawn for it.

    Parameters
    ----------
    name:
        One of `TARGETS`.
    inputs:
        Number of coordinates of ``x``.
    coefficients:
        What was drawn, by the names of the formula in `make_target`.
    """

    name: str
    inputs: int
    coefficients: Mapping[str, Array]

    def __call__(self, x: Array) -> Array:
        """Values ``(N, outputs)`` at points ``(N, inputs)``."""
        if x.ndim != 2 or x.shape[1] != self.inputs:
            raise PolygeomError(f"x must have shape (N, {self.inputs}), got {x.shape}")
        if self.name in POSITIVE and (x <= 0).any():
            raise PolygeomError(f"{self.name} is defined for positive coordinates; write sign='2p'")
        if self.name in ELEMENTARY:
            return ELEMENTARY[self.name](x).sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
        if self.name.startswith("act"):
            hidden = ACTIVATIONS[self.name[3:]](x @ self.coefficients["W"].T)
            return hidden @ self.coefficients["a"].T  # type: ignore[no-any-return]
        return _SPECIAL[self.name](x, self.coefficients)


def make_target(
    name: str,
    inputs: int = 1,
    *,
    outputs: int = 1,
    terms: int = 5,
    coefficient_range: float = 1.0,
    offset_range: float = 1.0,
    rng: int | np.random.Generator = 0,
) -> Target:
    r"""A target function; its coefficients are uniform in ``[-r, r]``, ``r = coefficient_range``.

    Parameters
    ----------
    name:
        One of `TARGETS`. Names in `ELEMENTARY`: the sum of that function over the coordinates. Others:
        ``linear``: ``A x + b`` with ``b`` uniform in ``[-offset_range, offset_range]``; ``linear_plain``: ``A x``;
        ``quadratic``: ``xᵀ A x``; ``mix``: linear in the first half of the coordinates, ``a · x``, plus linear in the
        squares of the others; ``x2``: ``x²`` in each coordinate; ``helix``: ``(cos 2πx, sin 2πx)`` of a scalar;
        ``constant``: 1; ``periodic``: ``Σ a₁ sin(a₂ π x) + b₁ cos(b₂ π x)`` over ``terms`` terms and all coordinates,
        of which ``periodic_sin`` and ``periodic_cos`` keep one half; ``act…``: ``a · act(W x)`` with ``terms`` hidden
        units.
    inputs, outputs:
        Dimensions; ``outputs`` is for ``linear``, ``linear_plain`` and ``act…``.
    terms:
        See above.
    coefficient_range, offset_range:
        See above.
    rng:
        Seed of the coefficients.

    Raises
    ------
    PolygeomError
        For an unknown name, or a helix in more than one variable.

    References
    ----------
    Xu et al., arXiv 2009.11848; Wu et al., arXiv 2209.07736.

    Examples
    --------
    >>> make_target("cubic")(np.array([[0.0], [1.0], [2.0]])).ravel().tolist()
    [5.0, 2.0, 7.0]
    """
    choice("target", name, TARGETS, "cubic")
    if inputs < 1 or outputs < 1 or terms < 1:
        raise PolygeomError(f"inputs, outputs and terms must be at least 1, got {inputs}, {outputs}, {terms}")
    if name == "helix" and inputs != 1:
        raise PolygeomError(f"helix is a curve: inputs must be 1, got {inputs}")
    generator = np.random.default_rng(rng)
    half = (inputs + 1) // 2
    wanted: dict[str, tuple[int, ...]]
    shapes: dict[str, dict[str, tuple[int, ...]]] = {
        "linear": {"A": (outputs, inputs)},
        "linear_plain": {"A": (outputs, inputs)},
        "quadratic": {"A": (inputs, inputs)},
        "mix": {"a": (half,), "b": (inputs - half,)},
    }
    waves: dict[str, tuple[int, ...]] = dict.fromkeys(("a1", "a2", "b1", "b2"), (terms,))
    if name.startswith("act"):
        wanted = {"W": (terms, inputs), "a": (outputs, terms)}
    else:
        wanted = waves if name.startswith("periodic") else shapes.get(name, {})
    drawn = {key: generator.uniform(-coefficient_range, coefficient_range, shape) for key, shape in wanted.items()}
    if name == "linear":
        drawn["b"] = generator.uniform(-offset_range, offset_range, outputs)
    return Target(name, inputs, drawn)


def range_unit(name: str) -> float:
    """What radii are multiples of: π for periodic targets, else 1."""
    return math.pi if name in _PERIODIC else 1.0


def _mix(x: Array, c: Mapping[str, Array]) -> Array:
    half = len(c["a"])
    return (x[:, :half] @ c["a"] + x[:, half:] ** 2 @ c["b"])[:, None]  # type: ignore[no-any-return]


def _waves(x: Array, c: Mapping[str, Array], sine: bool = True, cosine: bool = True) -> Array:
    angles = math.pi * x[:, :, None]
    value = np.zeros(len(x))
    if sine:
        value = value + (c["a1"] * np.sin(angles * c["a2"])).sum(axis=(1, 2))
    if cosine:
        value = value + (c["b1"] * np.cos(angles * c["b2"])).sum(axis=(1, 2))
    return value[:, None]


_SPECIAL: Mapping[str, Callable[[Array, Mapping[str, Array]], Array]] = {
    "linear": lambda x, c: x @ c["A"].T + c["b"],
    "linear_plain": lambda x, c: x @ c["A"].T,
    "quadratic": lambda x, c: np.einsum("ni,ij,nj->n", x, c["A"], x)[:, None],
    "mix": _mix,
    "x2": lambda x, c: x**2,
    "helix": lambda x, c: np.hstack([np.cos(2 * math.pi * x), np.sin(2 * math.pi * x)]),
    "constant": lambda x, c: np.ones((len(x), 1)),
    "periodic": _waves,
    "periodic_sin": lambda x, c: _waves(x, c, cosine=False),
    "periodic_cos": lambda x, c: _waves(x, c, sine=False),
}
