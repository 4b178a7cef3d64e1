"""The tangent kernel of a network at one moment, on all images of a study: formed where it fits, else streamed."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.experiments.tangent.artefacts import recall, set_weights, weight_arrays
from polygeom.experiments.tangent.networks import Model
from polygeom.experiments.tangent.options import KernelCase
from polygeom.experiments.tangent.tasks import Images
from polygeom.learning.tangent import eigen
from polygeom.learning.tangent.tangent_kernel import TangentKernel, empirical_ntk, kernel_diagonal
from polygeom.learning.tangent.target_alignment import centred_alignment, rayleigh, split_alignment
from polygeom.learning.training.movement import kernel_cosine_distance

if TYPE_CHECKING:
    from torch import Tensor, nn

    from polygeom.learning.tangent.eigen import Eigensystem


class Snapshot:
    """A network at its present weights, which must not change any more, and its kernel on training and test images.

    Parameters
    ----------
    module, images:
        The network and the ``N`` images.
    case:
        For ``memory``, in gibibytes, and ``nystrom``: where it is set, nothing of ``N²`` numbers is formed.
    """

    def __init__(self, module: nn.Module, images: Images, case: KernelCase) -> None:
        self.module, self.images = module, images
        self.formed, self._budget = case.nystrom is None, int(case.memory * 2**30)

    @cached_property
    def matrix(self) -> Tensor:
        """The kernel, ``(N, N)``."""
        return empirical_ntk(self.module, self.images.x, outputs="trace", memory=self._budget)

    @cached_property
    def trace(self) -> float:
        """The trace of the kernel."""
        if self.formed:
            return float(self.matrix.trace())
        return float(kernel_diagonal(self.module, self.images.x, memory=self._budget).sum())

    def alignments(self, targets: Tensor) -> dict[str, Tensor]:
        """Rayleigh quotients ``(T,)`` of the columns of targets ``(N, T)`` on training, test and all images."""
        count = self.images.train
        if not self.formed:
            columns = targets.T[:, :, None]
            return split_alignment(self.module, self.images.x, columns, count, memory=self._budget)
        parts = {"train": slice(0, count), "test": slice(count, None), "all": slice(None)}
        return {name: rayleigh(self.matrix[part, part], targets[part]) for name, part in parts.items()}

    def describe(self, signs: Tensor) -> dict[str, float]:
        """How the kernel is aligned with one target ``(N,)``: as it is, per trace, and centred if it is formed."""
        raw = float(self.alignments(signs[:, None])["all"][0])
        found = {"alignment": raw, "per_trace": raw / self.trace}
        return found | ({"centred": float(centred_alignment(self.matrix, signs))} if self.formed else {})

    def kernel_distance(self, other: Snapshot) -> dict[str, float]:
        """Cosine distance of the kernel to that of another moment, if they are formed."""
        return {"kernel_distance": kernel_cosine_distance(self.matrix, other.matrix)} if self.formed else {}

    def eigensystem(self, count: int, case: KernelCase) -> Eigensystem:
        """Leading eigenpairs, exact or by Nyström's method."""
        if case.nystrom is None:
            return eigen.eigensystem(self.matrix, count)
        rows = self.images.x.flatten(start_dim=1)
        kernel = TangentKernel(self.module, tuple(self.images.x.shape[1:]), self._budget)
        return eigen.nystrom_eigensystem(
            kernel, rows, count, case.nystrom, rng=None if case.nystrom_first else case.seed,
            memory=self._budget,
        )  # fmt: skip


def initial(case: KernelCase, model: Model, images: Images, count: int) -> tuple[Snapshot, Eigensystem]:
    """A network before training and leading eigenpairs of its kernel; with its weights, from the artefacts if there.

    Raises
    ------
    PolygeomError
        When there are artefacts of another request, or with fewer eigenvectors.
    """
    module = model.build(tuple(images.x.shape[1:]), case.seed)
    snapshot = Snapshot(module, images, case)

    def make() -> dict[str, Any]:
        system = snapshot.eigensystem(count, case)
        return {"values": system.values, "vectors": system.vectors, **weight_arrays(module)}

    request: dict[str, Any] = {
        name: getattr(case, name) for name in ("seed", "dataset", "train_from", "train", "test", "normalise", "nystrom")
    }
    request |= {"model": model.name, "nystrom_first": case.nystrom is not None and case.nystrom_first}
    request["images"] = hashlib.sha256(np.ascontiguousarray(images.x.numpy()).data).hexdigest()
    source = case.dataset if case.data is None else Path(case.data).stem
    name = f"eigenfunctions-{source}-{model.name}-seed{case.seed}"
    arrays = recall(case.artefacts, name, eigen.FORMAT, request, make)
    if (held := len(arrays["values"])) < count:
        raise PolygeomError(
            f"artefacts: {name} in {case.artefacts} has {held} eigenvectors, {count} are wanted; write "
            f"eigenvectors={held} or less, name another folder, or remove the file"
        )
    set_weights(module, arrays)
    return snapshot, eigen.Eigensystem(arrays["values"][:count], arrays["vectors"][:, :count], request)
