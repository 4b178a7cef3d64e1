"""The state of a training on the disk: written in one step, taken up only by the training that it belongs to.

A checkpoint is what a training was when it began (its identity: data, loss, module, initial state, settings) and what
it has become. The file begins with a line of text and a digest of the rest, so that anything else, and anything
damaged, is told apart before it is read; no code that it might contain is run.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from polygeom.errors import PolygeomError
from polygeom.learning.training.identity import describe, probe, same_probe, state_fingerprint, structure
from polygeom.learning.training.settings import TrainingSettings
from polygeom.storage.durable import write_file
from polygeom.storage.reading import read_file

FORMAT = b"polygeom training 2\n"
_DIGEST = hashlib.sha256().digest_size
_STRETCHED = ("linear", "cosine", "cyclic")
"""Schedules whose every rate depends on the number of steps."""


class Checkpoint:
    """The file of one training.

    Parameters
    ----------
    path:
        The file.
    module:
        As it is before the training.
    parts:
        What else the training is made of, by the word for it: tensors, functions, plain data.
    settings:
        How it trains.
    value:
        Outputs and loss of the module on some samples; see `polygeom.learning.training.identity.probe`.

    Notes
    -----
    A checkpoint is taken up when the module is in its initial state, or in the state that the checkpoint holds.
    """

    def __init__(
        self,
        path: Path,
        module: nn.Module,
        parts: Mapping[str, Any],
        settings: TrainingSettings,
        value: Callable[[], Iterable[Tensor]],
    ) -> None:
        self.path, self.module, self.settings, self._value = path, module, settings, value
        parts = {"module": structure(module), **{word: describe(part) for word, part in parts.items()}}
        self._identity = {"parts": parts, "settings": settings.as_dict()}
        self._start = self._now()
        self._dtype = next((p.dtype for p in module.parameters()), torch.float64)

    def _now(self) -> dict[str, Any]:
        return {"state": state_fingerprint(self.module), "probe": probe(self.module, self._value)}

    def save(self, progress: Mapping[str, Any]) -> None:
        """Replace the file; a crash leaves the old state or the new one.

        Raises
        ------
        PolygeomError
            When the folder does not exist or the file cannot be written.
        """
        known = set(self.module.state_dict())
        content = {
            "identity": self._identity,
            "start": self._start,
            "now": self._now(),
            "module": self.module.state_dict(),
            "buffers": {name: value for name, value in self.module.named_buffers() if name not in known},
            "progress": dict(progress),
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        data = buffer.getvalue()
        write_file(self.path, FORMAT + hashlib.sha256(data).digest() + data, "checkpoint")

    def load(self) -> dict[str, Any] | None:
        """The progress in the file, after bringing the module into its state; None when there is no file yet.

        Raises
        ------
        PolygeomError
            When the file is no checkpoint, damaged, or one of another training.
        """
        if not self.path.exists():
            return None
        content = self._read()
        self._compare(content)
        self.module.load_state_dict(content["module"])
        own = dict(self.module.named_buffers())
        with torch.no_grad():
            for name, value in content["buffers"].items():
                own[name].copy_(value)
        progress: dict[str, Any] = content["progress"]
        self._start = content["start"]
        return progress

    def _read(self) -> dict[str, Any]:
        data = read_file(self.path, "checkpoint", most=2**40)
        if not data.startswith(FORMAT):
            older = "one of an older polygeom" if data.startswith(b"PK") else "no checkpoint of a training"
            raise PolygeomError(f"checkpoint: {self.path} is {older}; name another file, or remove it to start anew")
        digest, body = data[len(FORMAT) : len(FORMAT) + _DIGEST], data[len(FORMAT) + _DIGEST :]
        if hashlib.sha256(body).digest() != digest:
            raise PolygeomError(f"checkpoint: {self.path} is damaged; remove it to start anew")
        content: dict[str, Any] = torch.load(io.BytesIO(body), weights_only=True, map_location="cpu")
        return content

    def _compare(self, content: Mapping[str, Any]) -> None:
        theirs, mine = content["identity"], self._identity
        differing = [word for word in mine["parts"] if theirs["parts"].get(word) != mine["parts"][word]]
        free = set() if self.settings.schedule in _STRETCHED else {"steps"}
        names = {*theirs["settings"], *mine["settings"]} - free
        differing += sorted(name for name in names if theirs["settings"].get(name) != mine["settings"].get(name))
        if not differing:
            known = [content[when] for when in ("start", "now") if content[when]["state"] == self._start["state"]]
            if not known:
                differing = ["initial weights"]
            elif not same_probe(known[0]["probe"], self._start["probe"], self._dtype):
                differing = ["outputs or loss at the same weights"]
        if differing:
            raise PolygeomError(
                f"checkpoint: {self.path} belongs to a training with other {', '.join(differing)}; "
                "name another file, or remove it to start anew"
            )
        if content["progress"]["step"] > self.settings.steps:
            raise PolygeomError(
                f"checkpoint: {self.path} holds {content['progress']['step']} steps; write steps of at least as many, "
                f"got {self.settings.steps}"
            )


__all__ = ["Checkpoint"]
