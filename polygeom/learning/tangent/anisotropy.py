"""Neural anisotropy directions: which input directions a network finds easy before it has seen data.

Let ``M = E[∂/∂w ∂/∂x f(x; w)]``, shape ``(P, D)``, over inputs ``x ~ N(0, σ² I)``. By Stein's lemma the linear function
``v·x`` has with the tangent kernel of such inputs the alignment ``σ² ‖M v‖² / ‖v‖²``: the right singular vectors of
``M``, largest singular value first, are the linear functions in the order of their alignment (arXiv 2006.09717,
2106.06770).

For polynomial networks ``M`` can vanish by symmetry: at ``x = 0`` for every homogeneous network of degree two or more,
and in the mean over symmetric inputs for every network of even degree. Directions of such a matrix would be noise; they
are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse.linalg
import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.tangent.functional import WeightFunction, weight_function

METHODS = ("dense", "matrix-free")
_VANISHING = 1e-10


@dataclass(frozen=True, eq=False)
class Anisotropy:
    """Directions in the input space, easiest first.

    Attributes
    ----------
    directions:
        ``(k, D)``, orthonormal rows; the entry of largest magnitude of each is positive.
    singular_values:
        ``(k,)``; the alignment of direction ``v`` is proportional to the square.
    method, samples, sigma:
        How they were computed.
    """

    directions: np.ndarray
    singular_values: np.ndarray
    method: str
    samples: int
    sigma: float


class VanishingError(PolygeomError):
    """The mixed derivative is zero, or an estimate that vanishes when inputs are paired with their negatives."""


def anisotropy_directions(
    module: nn.Module,
    input_shape: tuple[int, ...],
    *,
    count: int | None = None,
    sigma: float = 0.0,
    samples: int = 1,
    paired: bool = True,
    method: str = "dense",
    dtype: torch.dtype | None = torch.float64,
    rng: int = 0,
) -> Anisotropy:
    """Right singular vectors of the mean mixed derivative of a module by weights and inputs.

    Parameters
    ----------
    module:
        With one output.
    input_shape:
        Of one point, ``D`` entries.
    count:
        How many directions; all ``D`` of them (``D - 1`` for ``"matrix-free"``) if None.
    sigma, samples:
        Inputs are drawn from ``N(0, σ² I)``; at ``sigma = 0`` the one input is 0.
    paired:
        Whether every drawn input is used with its negative as well, which makes odd parts cancel exactly.
    method:
        ``"dense"``: all columns of ``M`` by forward over reverse mode, then its singular values. ``"matrix-free"``:
        products with ``M`` and ``Mᵀ`` alone, for large inputs.
    rng:
        Seed of the inputs.

    Raises
    ------
    VanishingError
        When ``M`` is zero, up to rounding, next to its terms.
    PolygeomError
        For modules with several outputs and unknown methods.

    Examples
    --------
    >>> module = nn.Sequential(nn.Linear(3, 1, bias=False))
    >>> anisotropy_directions(module, (3,)).singular_values  # ∂²f/∂w∂x is the identity
    array([1., 1., 1.])
    """
    choice("method", method, METHODS, "dense")
    f = weight_function(module, dtype=dtype)
    if sigma < 0 or samples < 1:
        raise PolygeomError(
            f"sigma must be at least 0 and samples at least 1, got {sigma} and {samples}; write sigma=1.0, samples=100"
        )
    x, shape = f.accept(_inputs(f, input_shape, sigma, samples, paired, rng))
    if math.prod(shape) != 1:
        raise PolygeomError("module must have one output; wrap it in one that chooses or sums outputs")
    size = x[0].numel()
    mixed = _Mixed(f, x)
    _refuse_zero(mixed, size, rng)
    if method == "dense":
        matrix = torch.stack([mixed.product(v) for v in torch.eye(size, dtype=x.dtype, device=x.device)], dim=1)
        _, values, rows = torch.linalg.svd(matrix, full_matrices=False)
        singular, vectors = values.cpu().numpy(), rows.cpu().numpy()
    else:
        singular, vectors = _matrix_free(mixed, size, size - 1 if count is None else count, rng)
    kept = size if count is None else count
    vectors, singular = vectors[:kept], singular[:kept]
    largest = vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)]
    return Anisotropy(vectors * np.where(largest < 0, -1.0, 1.0)[:, None], singular, method, len(x), sigma)


class _Mixed:
    """Products with ``M``, the mean over inputs of the mixed derivative."""

    def __init__(self, f: WeightFunction, x: Tensor) -> None:
        self.f, self.x, self.backward_only = f, x, False

    def product(self, v: Tensor, signs: Tensor | None = None) -> Tensor:
        """``M v``, ``(P,)``: gradient by the weights of the derivative along ``v``, weighted by ``signs``."""
        tangent = v.reshape(self.x.shape[1:]).expand_as(self.x).contiguous()
        weighting = self.x.new_ones(len(self.x)) if signs is None else signs

        def along(weights: dict[str, Tensor]) -> Tensor:
            change: Tensor = torch.func.jvp(lambda x: self.f(weights, x), (self.x,), (tangent,))[1][:, 0]
            mean: Tensor = (weighting * change).mean()
            return mean

        def twice() -> dict[str, Tensor]:
            weights, x = self._leaves()
            (pulled,) = torch.autograd.grad((self.f(weights, x)[:, 0] * weighting).mean(), x, create_graph=True)
            return self._gradient((pulled * tangent).sum(), weights)

        return self.f.flat(self._either(lambda: torch.func.grad(along)(self.f.weights), twice)).detach()

    def transpose(self, u: Tensor) -> Tensor:
        """``Mᵀ u``, ``(D,)``: gradient by the input of the derivative along ``u``."""
        tangent = self.f.unflat(u)

        def along(x: Tensor) -> Tensor:
            change: Tensor = torch.func.jvp(lambda weights: self.f(weights, x), (self.f.weights,), (tangent,))[1]
            mean: Tensor = change.mean()
            return mean

        def twice() -> dict[str, Tensor]:
            weights, x = self._leaves()
            pulled = torch.autograd.grad(
                self.f(weights, x).mean(), list(weights.values()), create_graph=True, allow_unused=True
            )
            named = zip(tangent.values(), pulled, strict=True)
            inner = torch.stack([(t * g).sum() for t, g in named if g is not None]).sum()
            return self._gradient(inner, {"x": x})

        found: dict[str, Tensor] = self._either(lambda: {"x": torch.func.grad(along)(self.x)}, twice)
        return found["x"].sum(dim=0).reshape(-1).detach()

    def _leaves(self) -> tuple[dict[str, Tensor], Tensor]:
        weights = {name: weight.detach().requires_grad_() for name, weight in self.f.weights.items()}
        return weights, self.x.detach().requires_grad_()

    @staticmethod
    def _gradient(value: Tensor, by: dict[str, Tensor]) -> dict[str, Tensor]:
        if not value.requires_grad:
            return {name: torch.zeros_like(one) for name, one in by.items()}
        found = torch.autograd.grad(value, list(by.values()), allow_unused=True)
        return {n: torch.zeros_like(b) if g is None else g for (n, b), g in zip(by.items(), found, strict=True)}

    def _either(
        self, forward: Callable[[], dict[str, Tensor]], twice: Callable[[], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Forward over reverse mode, or two backward passes where torch has no forward mode for the module."""
        with checks.plain_attention(), torch.enable_grad():
            if not self.backward_only:
                try:
                    return forward()
                except RuntimeError as error:
                    self.backward_only = True
                    checks.warn(f"module has no forward-mode derivative, two backward passes take its place: {error}")
            return twice()


def _inputs(f: WeightFunction, shape: tuple[int, ...], sigma: float, samples: int, paired: bool, rng: int) -> Tensor:
    like = next(iter(f.weights.values()))
    if sigma == 0:
        return torch.zeros((1, *shape), dtype=like.dtype, device=like.device)
    generator = torch.Generator().manual_seed(rng)
    x = sigma * torch.randn((samples, *shape), generator=generator, dtype=torch.float64).to(like)
    return torch.cat([x, -x]) if paired else x


def _refuse_zero(mixed: _Mixed, size: int, rng: int) -> None:
    """Compare random products with those of the same terms under random signs, which do not cancel."""
    generator = torch.Generator().manual_seed(rng + 1)
    for _ in range(3):
        v = torch.randn(size, generator=generator, dtype=torch.float64).to(mixed.x)
        signs = torch.where(torch.rand(len(mixed.x), generator=generator) < 0.5, -1.0, 1.0).to(mixed.x)
        whole, terms = mixed.product(v).norm(), mixed.product(v, signs).norm()
        if whole > _VANISHING * max(float(terms), 1e-300):
            return
    raise VanishingError(
        "the mean mixed derivative by weights and inputs is zero, so that no direction is preferred: at x = 0 this is "
        "so for homogeneous networks of degree at least 2 and rectifiers without bias, over symmetric inputs for even "
        "networks; add a bias or a linear term, or use odd degree and sigma > 0"
    )


def _matrix_free(mixed: _Mixed, size: int, count: int, rng: int) -> tuple[np.ndarray, np.ndarray]:
    def tensor(values: np.ndarray) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(values.reshape(-1))).to(mixed.x)

    operator = scipy.sparse.linalg.LinearOperator(
        (mixed.f.parameter_count, size), dtype=np.float64,
        matvec=lambda v: mixed.product(tensor(v)).cpu().numpy(),
        rmatvec=lambda u: mixed.transpose(tensor(u)).cpu().numpy(),
    )  # fmt: skip
    if not 1 <= count < size:
        raise PolygeomError(f"count must be between 1 and {size - 1} for method='matrix-free', got {count}")
    _, values, rows = scipy.sparse.linalg.svds(operator, k=count, random_state=np.random.RandomState(rng))
    order = np.argsort(values)[::-1]
    return values[order], rows[order]


@dataclass(frozen=True, eq=False)
class DirectionData:
    """Points with a class each: ``inputs`` ``(N, D)``, ``labels`` ``(N,)`` of 0 and 1."""

    inputs: np.ndarray
    labels: np.ndarray

    def __iter__(self) -> Iterator[np.ndarray]:
        yield self.inputs
        yield self.labels


def separable_along(
    direction: np.ndarray, count: int, *, epsilon: float = 1.0, sigma: float = 1.0, rng: int = 0
) -> DirectionData:
    """Two classes separated along one direction alone: ``x = ±(ε/2) v + w``, ``w`` normal and orthogonal to ``v``.

    Linearly separable with margin ``ε/2``; all other directions say nothing about the class.

    Examples
    --------
    >>> data = separable_along(np.array([0.0, 2.0]), 4, rng=1)
    >>> np.abs(data.inputs[:, 1])
    array([0.5, 0.5, 0.5, 0.5])
    """
    v = checks.floats(direction, "direction", axes=1).detach().double().cpu().numpy()
    if not v.any():
        raise PolygeomError("direction must not be zero; write the direction that tells the classes apart")
    v = v / np.linalg.norm(v)
    generator = np.random.default_rng(rng)
    noise = sigma * generator.standard_normal((count, len(v)))
    noise -= np.outer(noise @ v, v)
    labels = generator.integers(0, 2, count)
    return DirectionData(noise + np.outer((2 * labels - 1) * epsilon / 2, v), labels)


__all__ = ["Anisotropy", "DirectionData", "VanishingError", "anisotropy_directions", "separable_along"]
