"""``polygeom info``: what a bug report or a speed claim needs to say about the machine."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from dataclasses import asdict

import click

PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "sympy",
    "python-flint",
    "pandas",
    "networkx",
    "torch",
    "matplotlib",
    "distributed",
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option("--limits", is_flag=True, help="Sizes that fit this machine instead, from 20 processor seconds of runs.")
def info(as_json: bool, limits: bool) -> None:
    """Versions of polygeom and its dependencies, the processor, BLAS kernels and threads, sympy's ground types.

    With --limits: how large three kinds of questions may be for a minute and for an hour, on this machine. These are
    estimates from the growth of small runs, in processor seconds; other networks are easier or harder.
    """
    if limits:
        from polygeom.commands.pages.calibration import calibrate

        if as_json:
            click.echo(json.dumps([asdict(one) for one in calibrate()]))
        else:
            for one in calibrate():
                click.echo(one.line())
        return
    facts = gather()
    width = max(map(len, facts))
    lines = (f"{name:<{width}}  {value}" for name, value in facts.items())
    click.echo(json.dumps(facts) if as_json else "\n".join(lines))


def gather() -> dict[str, str]:
    """The facts as text, in the order in which they are printed."""
    import numpy.linalg  # noqa: F401  threadpoolctl sees the libraries that are loaded
    import scipy.linalg  # noqa: F401
    import threadpoolctl

    from polygeom._version import __version__

    facts = {"polygeom": __version__, "python": platform.python_version(), "system": platform.system()}
    for package in PACKAGES:
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = "not installed"
    for number, library in enumerate(threadpoolctl.threadpool_info(), start=1):
        facts[f"threads {number}"] = (
            f"{library.get('internal_api')} {library.get('version')} {library.get('architecture', '')} "
            f"with {library.get('num_threads')} threads"
        )
    from sympy.external.gmpy import GROUND_TYPES

    facts["sympy ground types"] = GROUND_TYPES
    return facts
