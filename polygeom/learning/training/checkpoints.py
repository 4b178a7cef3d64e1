"""The state of a training on the disk: written in one step, read back without running any code it might contain."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from polygeom.errors import PolygeomError
from polygeom.storage.durable import replace_file

FORMAT = "polygeom training 1"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace the file by this state; a crash leaves the old state or the new one.

    Raises
    ------
    PolygeomError
        When the folder does not exist or the file cannot be written.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    try:
        replace_file(path, buffer.getvalue())
    except OSError as error:
        raise PolygeomError(
            f"checkpoint: cannot write {path}: {error.strerror}; name a file in a folder that exists"
        ) from error


def load_checkpoint(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The state in a file; None when there is no file yet.

    Raises
    ------
    PolygeomError
        When the file is no checkpoint, or one of a training with another ``identity``.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise PolygeomError(
            f"checkpoint: {path} cannot be read ({type(error).__name__}); remove it to start anew"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise PolygeomError(f"checkpoint: {path} is no checkpoint of a training; name another file")
    if differing := [name for name in identity if state["identity"].get(name) != identity[name]]:
        raise PolygeomError(
            f"checkpoint: {path} belongs to a training with other {', '.join(differing)}; "
            "name another file, or remove it to start anew"
        )
    return state
