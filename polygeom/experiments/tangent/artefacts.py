"""Arrays that take long to compute, kept in a folder with the request that they answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from polygeom.errors import FormatError, PolygeomError
from polygeom.experiments.folders import folder
from polygeom.storage.arrays import read_archive, write_archive
from polygeom.sweeps.environment import environment

Arrays = dict[str, np.ndarray]
_WEIGHTS = "weights/"


def recall(
    where: str | None, name: str, kind: str, request: Mapping[str, Any], make: Callable[[], Mapping[str, np.ndarray]]
) -> Arrays:
    """What ``make()`` gives; from the file of that name in a folder when it is there, bit for bit.

    Parameters
    ----------
    where:
        The folder, created if its parent exists; None to keep nothing.
    name:
        Of the file, without ending; letters other than those of file names become hyphens.
    kind:
        Of the archive, see `polygeom.storage.arrays.write_archive`.
    request:
        Plain data that the arrays depend on, seed included. It is stored with them and with the versions of everything.

    Raises
    ------
    PolygeomError
        When the file answers another request.
    """
    if where is None:
        return dict(make())
    path = folder(where) / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)}.npz"
    wanted = json.loads(json.dumps(dict(request)))
    if not path.exists():
        arrays = dict(make())
        write_archive(path, kind, arrays, {"request": wanted, "environment": environment()})
        return arrays
    arrays, record = read_archive(path, kind)
    found = record.get("request", {})
    if differing := [key for key in sorted({*found, *wanted}) if found.get(key) != wanted.get(key)]:
        told = ", ".join(f"{key} {found.get(key)!r} instead of {wanted.get(key)!r}" for key in differing)
        raise PolygeomError(f"artefacts: {path} was made with {told}; name another folder, or remove the file")
    return arrays


def weight_arrays(module: nn.Module) -> Arrays:
    """Weights and buffers of a module, named for `recall`."""
    return {_WEIGHTS + name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}


def set_weights(module: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a module the weights and buffers among some arrays.

    Raises
    ------
    FormatError
        When they are not those of such a module.
    """
    state = {name.removeprefix(_WEIGHTS): value for name, value in arrays.items() if name.startswith(_WEIGHTS)}
    try:
        module.load_state_dict({name: torch.as_tensor(value) for name, value in state.items()})
    except RuntimeError as error:
        raise FormatError("these are the weights of another network", ", ".join(state), 0, "remove the file") from error
