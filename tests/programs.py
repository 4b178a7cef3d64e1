"""Programs of other algebra systems: on the path, or inside the wheels of the extra ``oracle``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

INSIDE_WHEELS = Path(sysconfig.get_path("purelib"), "sage_wheels", "bin")
"""Where the wheels ``passagemath-…`` put programs; more folders may be named in POLYGEOM_ORACLES."""
FOLDERS = os.pathsep.join([str(INSIDE_WHEELS), os.environ.get("POLYGEOM_ORACLES", "")])


def program(name: str) -> str | None:
    """The path of a program, None if it is not installed."""
    return shutil.which(name) or shutil.which(name, path=FOLDERS)


def needs(name: str, title: str) -> pytest.MarkDecorator:
    """Skip a test where a program is missing."""
    return pytest.mark.skipif(program(name) is None, reason=f"{title} is not installed (extra oracle)")


def output(name: str, arguments: list[str], text: str = "") -> str:
    """What a program prints."""
    path = program(name)
    assert path is not None
    done = subprocess.run([path, *arguments], input=text, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
