"""What a run ran on, for the journal: versions and hardware, no names of machines or people."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from polygeom._version import __version__

_PACKAGES = (
    *("numpy", "numba", "llvmlite", "scipy", "sympy", "python-flint", "networkx", "pandas"),
    *("torch", "scikit-learn", "matplotlib"),
)


def environment() -> dict[str, Any]:
    """Versions of polygeom and what it computes with, the kind of machine, and how workers are started."""
    return {
        "polygeom": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "packages": dict(_versions()),
        "workers": "one fresh interpreter each, one thread for numerical libraries",
    }


@cache
def _versions() -> dict[str, str]:
    """Of the packages that are installed: to read them takes as long as a thousand ranks."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


@cache
def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
