"""The files of a study with a wrong byte: refused in words, or what comes out is what was measured."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from experiments import tiny_study

from polygeom.errors import PolygeomError
from polygeom.experiments import running
from polygeom.experiments.running import run

TINY = "experiments.tiny_study"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["config.json", "journal"])
def test_a_wrong_byte_is_refused_or_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(running, "draw_all", lambda *_: [])
    config = tiny_study.Config()
    out = tmp_path / "out"
    measured = run(TINY, config=config, out=out).table
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    assert name in kept
    found = {"refused": 0, "same": 0}
    for number in range(20):
        rng = random.Random(number)
        data = bytearray(kept[name])
        at = rng.randrange(len(data))
        if rng.random() < 0.2:
            del data[at:]
        else:
            data[at] ^= rng.randrange(1, 256)
        for other, content in kept.items():
            (out / other).write_bytes(content)
        (out / name).write_bytes(data)
        try:
            again = run(TINY, config=config, out=out).table
        except PolygeomError:
            found["refused"] += 1
            continue
        found["same"] += 1
        pandas.testing.assert_frame_equal(again, measured, check_exact=True)
        told = json.loads((out / "config.json").read_text(encoding="utf-8"))
        assert (told["study"], told["seed"]) == ("tiny", 0)
    assert all(found.values()), found
