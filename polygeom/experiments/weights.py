"""Trained weights of a study: kept in its folder on request, found and loaded again.

`measure` of a study hands every trained network to `keep_weights`, which does nothing unless the run keeps weights
(``keep_weights=True``, ``--keep-weights``). A file holds one network's ``state_dict`` and the case that it was trained
in.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.errors import PolygeomError
from polygeom.experiments.folders import folder
from polygeom.experiments.study import Case, plain
from polygeom.storage.arrays import read_archive, write_archive

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

KIND = "polygeom study weights 1"
FOLDER = "weights"
"""Where a study keeps weights, in its folder."""


@dataclass
class _Keeper:
    target: Path
    study: str
    case: Case | Mapping[str, Any]
    count: int = 0


_keeper: ContextVar[_Keeper | None] = ContextVar("keeper", default=None)


@contextmanager
def keeping(target: str | None, study: str, case: Case | Mapping[str, Any]) -> Iterator[None]:
    """While a case of a study is measured: networks that are handed over go to a folder, nowhere if it is None."""
    token = _keeper.set(None if target is None else _Keeper(folder(target), study, case))
    try:
        yield
    finally:
        _keeper.reset(token)


def keep_weights(module: nn.Module, name: str = "trained") -> None:
    """Keep the weights and buffers of a network, if the run keeps any; ``name`` says which of a case it is."""
    keeper = _keeper.get()
    if keeper is None:
        return
    keeper.count += 1
    network = getattr(module, "network", None) if type(module).__name__ == "NetworkModule" else None
    record = {
        "study": keeper.study,
        "case": plain(keeper.case),
        "name": name,
        "number": keeper.count,
        "module": type(module).__name__,
        "network": None if network is None else network.text,
        "version": __version__,
    }
    case = hashlib.sha256(json.dumps(record["case"], sort_keys=True).encode()).hexdigest()[:12]
    arrays = {key: value.detach().cpu().numpy() for key, value in module.state_dict().items()}
    write_archive(keeper.target / f"{case}-{keeper.count}.npz", KIND, arrays, record)


@dataclass(frozen=True, eq=False)
class KeptWeights:
    """Weights of one trained network.

    Attributes
    ----------
    path:
        The file.
    study, case, name, number:
        In which case of which study it was trained, as plain data; which of the networks of that case it is.
    module:
        Name of its class.
    network:
        Its text, for networks of polygeom; None for others.
    arrays:
        Weights and buffers by their names in ``state_dict()``.
    """

    path: Path
    study: str
    case: dict[str, Any]
    name: str
    number: int
    module: str
    network: str | None
    arrays: dict[str, np.ndarray]

    def load_into(self, module: nn.Module) -> nn.Module:
        """Give a module of the same kind these weights, and return it.

        Raises
        ------
        PolygeomError
            When its weights have other names or shapes.
        """
        import torch

        state = {name: torch.as_tensor(value) for name, value in self.arrays.items()}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise PolygeomError(
                f"weights: {self.path} holds a {self.module} and does not fit a {type(module).__name__}: {error}"
            ) from error
        return module

    def to_torch(self) -> nn.Module:
        """The trained network itself, for networks of polygeom.

        Raises
        ------
        PolygeomError
            For other modules: build one as the study does, and use `load_into`.
        """
        from polygeom.network import parse

        if self.network is None:
            raise PolygeomError(
                f"weights: {self.path} holds a {self.module}, which is no network of polygeom; make one and write "
                "load_into(module)"
            )
        dtype = next(iter(self.arrays.values())).dtype
        import torch

        return self.load_into(parse(self.network).to_torch(initialisation="zero", dtype=getattr(torch, dtype.name)))


def load_weights(path: str | os.PathLike[str]) -> list[KeptWeights]:
    """All weights in the folder of a study, or those of one file, in the order of seeds and cases' files.

    Raises
    ------
    PolygeomError
        When there are none, or a file is something else.
    """
    found = Path(path)
    files = [found] if found.is_file() else sorted((found / FOLDER).glob("*.npz"))
    if not files:
        raise PolygeomError(f"weights: {os.fspath(path)} holds no weights; run the study with keep_weights=True")
    kept = []
    for file in files:
        arrays, record = read_archive(file, KIND)
        words = {name: record[name] for name in ("study", "case", "name", "number", "module", "network")}
        kept.append(KeptWeights(file, **words, arrays=arrays))
    return sorted(kept, key=lambda one: (one.case.get("seed", 0), one.path.name))


__all__ = ["FOLDER", "KIND", "KeptWeights", "keep_weights", "keeping", "load_weights"]
