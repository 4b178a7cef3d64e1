"""What every public function of modules must give, by one-point automatic differentiation: one line a function.

A check takes a `Subject` and returns pairs of what was found and what is right. The right side is computed one point at
a time, with plain ``torch.autograd.grad``, and knows nothing of the functions under test.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.engines.torch_module import NetworkModule
from polygeom.errors import PolygeomError
from polygeom.learning.networks.activations import KINKED, SMOOTH
from polygeom.learning.regions.confusion import gradient_confusion, gradient_products
from polygeom.learning.regions.hyperplanes import (
    boundary_distances,
    cell_inradii,
    hyperplane_cosines,
    spectral_norm_product,
    spectral_norms,
    weight_matrices,
)
from polygeom.learning.regions.regions import activation_patterns, sign_patterns
from polygeom.learning.regions.sections import cross_section
from polygeom.learning.tangent.anisotropy import anisotropy_directions
from polygeom.learning.tangent.eigen import operator_eigensystem
from polygeom.learning.tangent.linearised import linearize
from polygeom.learning.tangent.operators import tangent_operator
from polygeom.learning.tangent.tangent_kernel import TangentKernel, empirical_ntk, jacobian, kernel_diagonal
from polygeom.learning.tangent.target_alignment import alignment, split_alignment
from polygeom.learning.training.least_squares import levenberg_marquardt
from polygeom.learning.training.loop import train
from polygeom.learning.training.settings import TrainingSettings
from polygeom.testing.module_zoo import ModuleCase

Pairs = list[tuple[Any, Any]]
Check = Callable[["Subject"], Pairs]


@dataclass(frozen=True, eq=False)
class Subject:
    """A module of the zoo with everything that one-point differentiation says of it."""

    case: ModuleCase

    @cached_property
    def module(self) -> nn.Module:
        """The module under test."""
        return self.case.module

    @cached_property
    def x(self) -> Tensor:
        """Points."""
        return self.case.x

    def normal(self, *shape: int, seed: int = 3) -> Tensor:
        """Normal numbers."""
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    @cached_property
    def own(self) -> nn.Module:
        """A copy for the right side, in evaluation mode."""
        return copy.deepcopy(self.module).eval()

    @cached_property
    def weights(self) -> list[Tensor]:
        """The trained weights of the copy."""
        return [p for p in self.own.parameters() if p.requires_grad]

    @cached_property
    def values(self) -> Tensor:
        """Outputs, one point at a time."""
        return torch.cat([self.own(point) for point in torch.split(self.x, 1)]).detach()

    @cached_property
    def flat(self) -> Tensor:
        """Outputs ``(N, C)``."""
        return self.values.reshape(len(self.x), -1)

    def gradient(self, value: Tensor) -> Tensor:
        """Derivatives of a number by all weights, ``(P,)``."""
        if not value.requires_grad:
            return torch.cat([torch.zeros_like(w).reshape(-1) for w in self.weights])
        found = torch.autograd.grad(value, self.weights, retain_graph=True, allow_unused=True)
        named = zip(found, self.weights, strict=True)
        return torch.cat([(torch.zeros_like(w) if g is None else g).reshape(-1) for g, w in named])

    @cached_property
    def jacobian(self) -> Tensor:
        """``(N, C, P)``."""
        with formula():
            points = [self.own(point).reshape(-1) for point in torch.split(self.x, 1)]
            return torch.stack([torch.stack([self.gradient(value) for value in point]) for point in points])

    @cached_property
    def kernel(self) -> Tensor:
        """``(N, N, C, C)``."""
        return torch.einsum("ncp,kdp->nkcd", self.jacobian, self.jacobian)

    @cached_property
    def matrix(self) -> Tensor:
        """``(N C, N C)``."""
        rows = self.jacobian.flatten(end_dim=1)
        return rows @ rows.T

    def products(self, losses: Callable[[Tensor, Tensor], Tensor], targets: Tensor) -> np.ndarray:
        """Inner products of the gradients of single losses, of all pairs."""
        with formula():
            rows = [
                self.gradient(losses(self.own(self.x[i : i + 1]), targets[i : i + 1]).sum()) for i in range(len(self.x))
            ]
        flat = torch.stack(rows)
        inner: np.ndarray = (flat @ flat.T).reshape(-1).numpy()
        return inner

    @cached_property
    def pairs(self) -> np.ndarray:
        """All pairs of points."""
        return np.stack(np.meshgrid(range(len(self.x)), range(len(self.x)), indexing="ij"), axis=-1).reshape(-1, 2)

    def read(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What every activation module reads and gives at one point, but the one that gives the output."""
        seen: list[tuple[Tensor, Tensor]] = []
        parts = [part for part in self.own.modules() if isinstance(part, KINKED + SMOOTH)]
        before: list[Tensor] = []
        handles = [p.register_forward_pre_hook(lambda _, args: before.append(args[0].clone())) for p in parts]
        handles += [p.register_forward_hook(lambda _, __, out: seen.append((before.pop(), out))) for p in parts]
        try:
            output = self.own(x)
        finally:
            for handle in handles:
                handle.remove()
        return [(z, made) for z, made in seen if made is not output]

    @cached_property
    def signs(self) -> list[np.ndarray]:
        """The signs of all pre-activations, one point at a time."""
        points = [[(z[0] > 0).reshape(-1).numpy() for z, _ in self.read(point)] for point in torch.split(self.x, 1)]
        return [np.stack(layer) for layer in zip(*points, strict=True)]

    def first_rows(self) -> tuple[Tensor, Tensor]:
        """Values ``(N, m)`` and derivatives ``(N, m, D)`` by the input of what the first activation reads."""
        values, rows = [], []
        for point in torch.split(self.x, 1):
            x = point.clone().requires_grad_()
            z = self.read(x)[0][0].reshape(-1)
            values.append(z.detach())
            rows.append(torch.stack([torch.autograd.grad(one, x, retain_graph=True)[0].reshape(-1) for one in z]))
        return torch.stack(values), torch.stack(rows)


@contextmanager
def formula() -> Iterator[None]:
    """Attention by its formula."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel(SDPBackend.MATH):
        yield


def _operator(s: Subject) -> Pairs:
    operator = tangent_operator(s.module, s.x, batch=3)
    v, u = s.normal(operator.shape[1]), s.normal(len(s.x), operator.outputs)
    return [
        (operator.product(v), s.jacobian @ v),
        (operator.transpose(u), torch.einsum("nc,ncp->p", u, s.jacobian)),
        (operator.transpose(u.reshape(s.values.shape)), torch.einsum("nc,ncp->p", u, s.jacobian)),
        (operator.kernel_product(u), (s.matrix @ u.reshape(-1)).reshape(u.shape)),
    ]


def _linearised(s: Subject) -> Pairs:
    model = linearize(s.module)
    start = model(s.x).detach()
    v = s.normal(s.jacobian.shape[2])
    model.displace(v)
    moved = model(s.x)
    slope = torch.autograd.grad(moved.square().sum(), list(model.displacement))
    expected = s.flat + s.jacobian @ v
    return [
        (start, s.values),
        (moved.detach(), expected.reshape(s.values.shape)),
        (torch.cat([g.reshape(-1) for g in slope]), 2 * torch.einsum("nc,ncp->p", expected, s.jacobian)),
    ]


def _alignment(s: Subject) -> Pairs:
    operator = tangent_operator(s.module, s.x)
    y = s.normal(3, len(s.x), operator.outputs)
    rows = y.flatten(start_dim=1)
    expected = (rows @ s.matrix * rows).sum(dim=1) / rows.square().sum(dim=1)
    split = split_alignment(s.module, s.x, y, 2)["all"]
    return [(alignment(s.module, s.x, y), expected), (split, expected),
            (alignment(s.module, s.x, y[0].reshape(s.values.shape)), expected[0])]  # fmt: skip


def _eigen(s: Subject) -> Pairs:
    operator = tangent_operator(s.module, s.x)
    return [(operator_eigensystem(operator, 1).values[0], torch.linalg.eigvalsh(s.matrix)[-1])]


def _tangent_kernel(s: Subject) -> Pairs:
    kernel = TangentKernel(s.module, None if s.x.ndim == 2 else tuple(s.x.shape[1:]))
    found = kernel(s.x.flatten(start_dim=1), s.x.flatten(start_dim=1)[:2])
    return [(found, torch.einsum("nkcc->nk", s.kernel)[:, :2] / s.kernel.shape[2])]


def _anisotropy(s: Subject) -> Pairs:
    found = anisotropy_directions(s.module, s.case.shape, sigma=0.0)
    x = torch.zeros((1, *s.case.shape), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(s.own(x).sum(), x, create_graph=True)
    mixed = torch.stack([s.gradient(value) for value in slope.reshape(-1)])
    return [(found.singular_values, torch.linalg.svdvals(mixed))]


def _confusion(loss: Any, losses: Callable[[Tensor, Tensor], Tensor], column: bool = False) -> Check:
    def check(s: Subject) -> Pairs:
        shape = (len(s.x),) if s.case.refused == "always" else s.values.shape
        if loss == "cross_entropy":
            targets = torch.arange(len(s.x)) % 2
        else:
            targets = s.normal(*shape)
        given = targets.reshape(-1) if column and targets.numel() == len(s.x) else targets
        found = gradient_products(s.module, s.x, given, s.pairs, loss=loss)
        expected = s.products(losses, targets)
        size = np.sqrt(np.diag(expected.reshape(len(s.x), -1)))
        norms = np.outer(size, size).reshape(-1)
        cosines = np.divide(expected, norms, out=np.zeros_like(norms), where=norms > 0)
        return [(found.inner, expected), (gradient_confusion(s.module, s.x, given, s.pairs, loss=loss), cosines)]

    return check


def _training(s: Subject) -> Pairs:
    module = copy.deepcopy(s.module).eval()
    y = s.normal(len(s.x)) if s.case.refused == "always" else s.normal(*s.values.shape)
    settings = TrainingSettings(steps=1, optimiser="sgd", learning_rate=0.1)
    if any(isinstance(p, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd) for p in module.modules()):
        raise PolygeomError("training mixes or draws here, as it should")
    train(module, s.x, y.numpy(), settings)
    found = torch.cat([p.detach().reshape(-1) for p in module.parameters() if p.requires_grad])
    residual = (s.flat - y.reshape(s.flat.shape)) * 2 / s.flat.numel()
    start = torch.cat([w.detach().reshape(-1) for w in s.weights])
    return [(found, start - 0.1 * torch.einsum("nc,ncp->p", residual, s.jacobian))]


def _least_squares(s: Subject) -> Pairs:
    module = copy.deepcopy(s.module)
    y = s.normal(len(s.x)) if s.case.refused == "always" else s.normal(*s.values.shape)
    row = levenberg_marquardt(module, s.x, y, steps=0).table.iloc[0]
    residual = s.flat - y.reshape(s.flat.shape)
    slope = torch.einsum("nc,ncp->p", residual, s.jacobian).norm() * 2 / residual.numel()
    return [(row["loss"], residual.square().mean()), (row["gradient"], slope)]


def _signs(s: Subject) -> Pairs:
    found = sign_patterns(s.module, s.x)
    layers = [found.layer(number) for number in range(len(found.widths))]
    if isinstance(s.module, NetworkModule):
        alone = [sign_patterns(s.module, point) for point in torch.split(s.x, 1)]
        expected = [np.concatenate([one.layer(n) for one in alone]) for n in range(len(layers))]
    else:
        expected = s.signs
    return [(len(layers), len(expected)), *zip(layers, expected, strict=False)]


def _patterns(s: Subject) -> Pairs:
    found = activation_patterns(s.module, s.x)
    return [*zip([found.layer(number) for number in range(len(found.widths))], s.signs, strict=True)]


def _section(s: Subject) -> Pairs:
    size = int(np.prod(s.case.shape))
    section = cross_section(s.module, torch.zeros(size), torch.tensor([0, 1]), resolution=3)
    grid = -1 + 2 * torch.arange(3, dtype=torch.float64) / 3
    points = torch.zeros(9, size, dtype=torch.float64)
    points[:, 0], points[:, 1] = grid.repeat(3), grid.repeat_interleave(3)
    rows = [sign_patterns(s.module, point[None]).words[0].tobytes() for point in points]
    same = [[one == other for other in rows] for one in rows]
    regions = section.regions.reshape(-1)
    return [(regions[:, None] == regions, np.array(same)), (section.count, len(set(rows)))]


def _distances(s: Subject) -> Pairs:
    found = boundary_distances(s.module, s.x)
    if isinstance(s.module, NetworkModule) or not s.signs or not s.x.is_floating_point():
        alone = np.concatenate([boundary_distances(s.module, point) for point in torch.split(s.x, 1)])
        return [(found, alone)]
    values, rows = s.first_rows()
    lengths = rows.norm(dim=2)
    return [(found[:, 0], (values.abs() / lengths).nan_to_num(nan=np.inf).amin(dim=1))]


def _inradii(s: Subject) -> Pairs:
    from scipy.optimize import linprog

    found = cell_inradii(s.module, s.x)
    if isinstance(s.module, NetworkModule) or not s.signs:
        return [(found, np.concatenate([cell_inradii(s.module, point) for point in torch.split(s.x, 1)]))]
    expected = []
    for x, z, w in zip(s.x.numpy(), *(part.numpy() for part in s.first_rows()), strict=True):
        sign = np.where(z > 0, 1.0, -1.0)
        w, size = sign[:, None] * w, len(x)
        box = np.concatenate([np.eye(size), -np.eye(size)])
        left = np.block([[-w, np.linalg.norm(w, axis=1)[:, None]], [box, np.ones((2 * size, 1))]])
        right = np.concatenate([sign * z - w @ x, np.ones(2 * size)])
        solved = linprog(np.append(np.zeros(size), -1.0), A_ub=left, b_ub=right, bounds=[(None, None)] * (size + 1))
        expected.append(-solved.fun)
    return [(found, np.array(expected))]


def _norms(s: Subject) -> Pairs:
    found = spectral_norms(s.module)
    return [(value, np.linalg.svd(weight, compute_uv=False)[0]) for value, weight in zip(
        found.values(), (w.numpy() for w in weight_matrices(s.module).values()), strict=True
    )]  # fmt: skip


def _lipschitz(s: Subject) -> Pairs:
    """The bound is at least the norm of the derivative by the input at every point."""
    bound = spectral_norm_product(s.module)
    slopes = [0.0]
    for point in torch.split(s.x, 1):
        x = point.clone().requires_grad_()
        rows = [torch.autograd.grad(y, x, retain_graph=True)[0].reshape(-1) for y in s.own(x).reshape(-1)]
        slopes.append(float(torch.linalg.matrix_norm(torch.stack(rows), 2)))
    return [(max(bound, *slopes), bound)]


def _cosines(s: Subject) -> Pairs:
    found = hyperplane_cosines(s.module)
    return [(found, found.T), (np.clip(found, -1, 1), found)]


def _squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().reshape(len(outputs), -1).mean(dim=1)


def _own(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).abs().reshape(len(outputs), -1).sum(dim=1)


def _entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(outputs, targets, reduction="none").reshape(len(outputs), -1).mean(dim=1)


FUNCTIONS: dict[str, Check] = {
    "jacobian": lambda s: [(jacobian(s.module, s.x), s.jacobian)],
    "jacobian pointwise": lambda s: [(jacobian(s.module, s.x, method="pointwise"), s.jacobian)],
    "jacobian single": lambda s: [(jacobian(s.module, s.x, method="single"), s.jacobian)],
    "empirical_ntk": lambda s: [(empirical_ntk(s.module, s.x), s.kernel)],
    "… of two sets": lambda s: [(empirical_ntk(s.module, s.x, s.x[1:]), s.kernel[:, 1:])],
    "… diagonal": lambda s: [(empirical_ntk(s.module, s.x, outputs="diagonal"), torch.einsum("nkcc->nkc", s.kernel))],
    "… trace": lambda s: [(empirical_ntk(s.module, s.x, outputs="trace"), torch.einsum("nkcc->nk", s.kernel))],
    "… sum": lambda s: [(empirical_ntk(s.module, s.x, outputs="sum"), s.kernel.sum(dim=(2, 3)) / s.kernel.shape[2])],
    "kernel_diagonal": lambda s: [(kernel_diagonal(s.module, s.x), torch.einsum("nncc->nc", s.kernel))],
    "TangentKernel": _tangent_kernel,
    "tangent_operator": _operator,
    "linearize": _linearised,
    "alignment": _alignment,
    "operator_eigensystem": _eigen,
    "anisotropy_directions": _anisotropy,
    "gradient_products": _confusion("mse", _squares),
    "… column and row": _confusion("mse", _squares, column=True),
    "… cross_entropy": _confusion("cross_entropy", _entropy),
    "… own loss": _confusion(_own, _own),
    "train": _training,
    "levenberg_marquardt": _least_squares,
    "sign_patterns": _signs,
    "activation_patterns": _patterns,
    "cross_section": _section,
    "boundary_distances": _distances,
    "cell_inradii": _inradii,
    "spectral_norms": _norms,
    "spectral_norm_product": _lipschitz,
    "hyperplane_cosines": _cosines,
}
"""Every public function of the tangent, confusion and region tools; a new one joins by one line."""

WITHOUT_POINTS = frozenset({"spectral_norms", "spectral_norm_product", "hyperplane_cosines"})
"""Functions that look at weights alone, which modules that mix points have like all others."""
IN_EVALUATION_MODE = frozenset(
    {"gradient_products", "… column and row", "… cross_entropy", "… own loss", "train", "sign_patterns",
     "activation_patterns", "cross_section", "boundary_distances", "cell_inradii"}
)  # fmt: skip
"""Functions that evaluate the module in evaluation mode themselves (training of such modules is left out)."""
