"""Activation regions: which units of a network are on at which inputs.

Every hidden unit of a network with ReLU-like activations is on (its pre-activation is > 0) or off at an input. The
pattern ``P(x) ∈ {0, 1}^H`` of all ``H`` hidden units is constant on the *activation regions*, and the network is affine
on each. `activation_patterns` records the patterns of many inputs, packed into words of 64 bits, from which numbers of
regions, Hamming distances of many pairs and dead units follow at once.

A polynomial network has no activation regions: it is one polynomial on the whole space. Neither has a network with
smooth activations. What they share with the others is a *sign region*: the set where all pre-activations keep their
signs. `sign_patterns` gives these for any network; `activation_patterns` refuses where a sign means no more than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.engines.torch_module import NetworkModule
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.networks.activations import KINKED, SMOOTH
from polygeom.learning.recording import evaluation_mode
from polygeom.learning.regions.affine import record

_WORD = 64
_ONES = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)
_PAIRS_AT_ONCE = 1 << 16


@dataclass(frozen=True, eq=False)
class Patterns:
    """The patterns of ``N`` inputs: for each hidden unit whether its pre-activation is > 0.

    Attributes
    ----------
    words:
        Bits packed into ``uint64`` of shape ``(N, W)``; every layer begins with a new word.
    widths:
        Number of units of every layer.
    names:
        Name of every layer.

    Examples
    --------
    >>> import numpy as np
    >>> patterns = pack([np.array([[True, False], [True, True], [True, False]])])
    >>> patterns.count, patterns.hamming([[0, 1], [0, 2]]), patterns.dead
    (2, array([1, 0]), 0)
    """

    words: np.ndarray
    widths: tuple[int, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.words)

    @property
    def units(self) -> int:
        """Number of hidden units ``H``."""
        return sum(self.widths)

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        """First word of every layer, and the end."""
        return tuple(int(s) for s in np.cumsum([0, *(-(-width // _WORD) for width in self.widths)]))

    @cached_property
    def regions(self) -> np.ndarray:
        """For every input the number of its region, ``(N,)`` from 0: equal numbers mean equal patterns."""
        if not len(self):
            return np.zeros(0, dtype=np.int64)
        rows = np.ascontiguousarray(self.words).view(np.dtype((np.void, 8 * self.words.shape[1]))).ravel()
        numbers: np.ndarray = np.unique(rows, return_inverse=True)[1]
        return numbers.reshape(-1)

    @property
    def count(self) -> int:
        """Number of different patterns, the number of regions that contain one of the inputs."""
        return int(self.regions.max()) + 1 if len(self) else 0

    def layer(self, number: int) -> np.ndarray:
        """The bits of one layer, booleans of shape ``(N, width)``."""
        words = np.ascontiguousarray(self.words[:, self._starts[number] : self._starts[number + 1]])
        bits: np.ndarray = np.unpackbits(words.view(np.uint8), axis=1, count=self.widths[number])
        return bits.astype(bool)

    def select(self, layers: Iterable[int]) -> Patterns:
        """The patterns of some layers alone, by their numbers."""
        chosen = list(layers)
        if not chosen or not all(isinstance(i, int | np.integer) and -1 < i < len(self.widths) for i in chosen):
            raise PolygeomError(
                f"layers must be numbers from 0 to {len(self.widths) - 1}, at least one, got {chosen}; write [0]"
            )
        columns = [np.arange(self._starts[i], self._starts[i + 1]) for i in chosen]
        widths, names = tuple(self.widths[i] for i in chosen), tuple(self.names[i] for i in chosen)
        return Patterns(self.words[:, np.concatenate(columns)], widths, names)

    def hamming(self, pairs: np.ndarray | Sequence[Sequence[int]]) -> np.ndarray:
        """Hamming distances ``Σ_u |P_u(x_i) - P_u(x_j)|`` of pairs ``(P, 2)`` of inputs, ``(P,)``.

        Divided by `units` this is the *relative* Hamming distance.
        """
        distances: np.ndarray = self.hamming_by_layer(pairs).sum(axis=1)
        return distances

    def hamming_by_layer(self, pairs: np.ndarray | Sequence[Sequence[int]]) -> np.ndarray:
        """Hamming distances in every layer, ``(P, L)``; their sum over the layers is `hamming`."""
        chosen = checked_pairs(pairs, len(self))
        distances = np.empty((len(chosen), len(self.widths)), dtype=np.int64)
        for start in range(0, len(chosen), _PAIRS_AT_ONCE):
            part = chosen[start : start + _PAIRS_AT_ONCE]
            different = self.words[part[:, 0]] ^ self.words[part[:, 1]]
            ones = _ONES[different.view(np.uint8)].reshape(len(part), -1, 8).sum(axis=2, dtype=np.int64)
            distances[start : start + len(part)] = np.add.reduceat(ones, self._starts[:-1], axis=1)
        return distances

    @cached_property
    def dead_units(self) -> tuple[np.ndarray, ...]:
        """For every layer which units are on at none of the inputs, booleans of shape ``(width,)``.

        Whether a unit is dead depends on the inputs asked.
        """
        ever = np.bitwise_or.reduce(self.words, axis=0, keepdims=True) if len(self) else self.words[:0].sum(0)[None]
        union = Patterns(ever.astype(np.uint64), self.widths, self.names)
        return tuple(~union.layer(i)[0] for i in range(len(self.widths)))

    @property
    def dead(self) -> int:
        """Number of dead units in all layers."""
        return int(sum(layer.sum() for layer in self.dead_units))


def pack(layers: Sequence[np.ndarray], names: Sequence[str] | None = None) -> Patterns:
    """Patterns from booleans, one array ``(N, width)`` for every layer."""
    parts = []
    for bits in layers:
        padded = np.zeros((len(bits), -(-bits.shape[1] // _WORD) * _WORD), dtype=bool)
        padded[:, : bits.shape[1]] = bits
        parts.append(np.packbits(padded, axis=1).view(np.uint64))
    widths = tuple(bits.shape[1] for bits in layers)
    return Patterns(np.concatenate(parts, axis=1), widths, tuple(names or map(str, range(1, len(layers) + 1))))


def checked_pairs(pairs: np.ndarray | Sequence[Sequence[int]], inputs: int) -> np.ndarray:
    """Pairs as an array ``(P, 2)`` of positions from 0 to ``inputs - 1``, or a `PolygeomError`."""
    array = checks.tensor(pairs, "pairs").detach().cpu().numpy()
    if not array.size:
        return np.zeros((0, 2), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise PolygeomError(
            f"pairs must be integers of shape (P, 2), got {array.dtype} of shape {array.shape}; write [[0, 1], [0, 2]]"
        )
    if array.min() < 0 or array.max() >= inputs:
        raise PolygeomError(
            f"pairs must lie between 0 and {inputs - 1}, the positions of the {inputs} inputs, got "
            f"{array.min()} to {array.max()}; write pairs of other inputs"
        )
    return array.astype(np.int64)


def activation_patterns(
    module: nn.Module, inputs: Any, *, layers: Sequence[str] | None = None, batch_size: int = 8192
) -> Patterns:
    """Which hidden units are on at which inputs.

    A unit is on where its pre-activation is > 0, which for a ReLU is the same as an output > 0. An activation that
    gives the output of the module itself is left out.

    Parameters
    ----------
    module:
        A network with activations `polygeom.learning.networks.activations.KINKED`. It is run in evaluation mode.
    inputs:
        Inputs ``(N, …)``; see `polygeom.learning.checks`.
    layers:
        Names of submodules (as in ``module.named_modules()``) instead of all activation modules: of an activation what
        it reads is taken, of any other submodule what it gives. Needed where activations are applied as functions.
    batch_size:
        How many inputs are run at a time.

    Raises
    ------
    PolygeomError
        For a polynomial network, smooth activations, where no activation is found, and for modules that mix points.

    References
    ----------
    Lazzari, Liu, arXiv 2301.05816; Hanin, Rolnick, arXiv 1906.00904.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> module = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> _ = module[0].weight.data.fill_(1.0), module[0].bias.data.copy_(torch.tensor([0.0, -1.0]))
    >>> patterns = activation_patterns(module, torch.tensor([[-1.0], [0.5], [2.0]]))
    >>> patterns.count, patterns.layer(0).sum(axis=1)
    (3, array([0, 1, 2]))
    """
    if isinstance(module, NetworkModule):
        raise PolygeomError(
            f"module must have activation regions, got the polynomial network {module.network.text}, which is one "
            "polynomial on the whole space; write sign_patterns(module, inputs) for the signs of its pre-activations"
        )
    smooth = [type(part).__name__ for part in _activations(module).values() if not isinstance(part, KINKED)]
    if layers is None and smooth and not any(isinstance(part, KINKED) for part in module.modules()):
        raise PolygeomError(
            f"module must have piecewise linear activations, got {smooth[0]}, on whose regions the network is not "
            "affine; write sign_patterns(module, inputs) for the signs of its pre-activations"
        )
    return sign_patterns(module, inputs, layers=layers, batch_size=batch_size)


def sign_patterns(
    module: nn.Module, inputs: Any, *, layers: Sequence[str] | None = None, batch_size: int = 8192
) -> Patterns:
    """The signs of all hidden pre-activations: for any network what `activation_patterns` is for ReLU networks.

    The pre-activations are what the activation modules read; in a polynomial network, the values of the affine maps but
    the last one, which enter powers and products. Parameters and errors are those of `activation_patterns`.

    Examples
    --------
    >>> import torch
    >>> from polygeom.network import parse
    >>> module = parse("[2,3,1] r=2").to_torch()
    >>> sign_patterns(module, torch.randn(100, 2, dtype=torch.float64)).widths
    (3,)
    """
    if batch_size < 1:
        raise PolygeomError(f"batch_size must be at least 1, got {batch_size}; write batch_size=8192")
    with torch.no_grad(), evaluation_mode(checks.a_module(module)):
        inputs, _ = checks.accept(module, module, inputs)
        parts = [_signs(module, chunk, layers) for chunk in torch.split(inputs, batch_size)]
    return Patterns(np.concatenate([part.words for part in parts]), parts[0].widths, parts[0].names)


def _signs(module: nn.Module, x: Tensor, layers: Sequence[str] | None) -> Patterns:
    if layers is None and isinstance(module, NetworkModule):
        hidden = record(module, x).hidden
        names = [m.weight_name or str(number) for number, m in enumerate(hidden, 1)]
        signs = [_bits(m.values, name, len(x)) for name, m in zip(names, hidden, strict=True)]
    else:
        signs, names = _hooked(module, x, _activations(module) if layers is None else _named(module, layers))
    if not signs:
        raise PolygeomError(
            "layers: no activation module was found before the output; write activations as modules (nn.ReLU()), or "
            'name the submodules whose values they read: layers=["fc1", "fc2"]'
        )
    return pack(signs, names)


def _activations(module: nn.Module) -> dict[str, nn.Module]:
    return {name: part for name, part in checks.a_module(module).named_modules() if isinstance(part, KINKED + SMOOTH)}


def _named(module: nn.Module, layers: Sequence[str]) -> dict[str, nn.Module]:
    parts = dict(module.named_modules())
    for name in layers:
        if name not in parts:
            known = ", ".join(known for known in parts if known)
            raise PolygeomError(f"layers must name submodules, got {name!r}; write some of {known}")
    return {name: parts[name] for name in layers}


def _hooked(module: nn.Module, x: Tensor, parts: dict[str, nn.Module]) -> tuple[list[np.ndarray], list[str]]:
    """Signs in the order of the calls; what the module itself returns is no hidden unit."""
    seen: list[tuple[str, np.ndarray, list[Tensor]]] = []
    handles = []

    def attach(name: str, part: nn.Module) -> None:
        def before(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            seen.append((name, _bits(args[0], name, len(x)), []))

        def after(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            if isinstance(part, KINKED + SMOOTH):
                next(results for known, _, results in reversed(seen) if known == name).append(output)
            else:
                seen.append((name, _bits(output, name, len(x)), [output]))

        if isinstance(part, KINKED + SMOOTH):
            handles.append(part.register_forward_pre_hook(before))
        handles.append(part.register_forward_hook(after))

    for name, part in parts.items():
        attach(name, part)
    try:
        output = module(x)
    finally:
        for handle in handles:
            handle.remove()
    hidden = [(name, bits) for name, bits, results in seen if not any(result is output for result in results)]
    return [bits for _, bits in hidden], [name for name, _ in hidden]


def _bits(values: Any, name: str, count: int) -> np.ndarray:
    if not isinstance(values, Tensor) or values.shape[:1] != (count,) or values.is_complex():
        raise PolygeomError(
            f"layers must name submodules that give one real tensor (N, …), got {name!r} with "
            f"{type(values).__name__}; write another submodule"
        )
    return (values > 0).reshape(count, -1).cpu().numpy()
