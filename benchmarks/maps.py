"""Dimension and ideal of ten maps: polygeom against Singular and Macaulay2, one table of ratios from one run.

    python benchmarks/maps.py [--limit SECONDS]

Ours is the whole way from the text of a map to its dimension and to minimal generators over Q, proved to vanish.
Singular and Macaulay2 eliminate over Q (``eliminate``, ``kernel``); Macaulay2's packages ``NumericalImplicitization``
and ``MultigradedImplicitization`` answer the same two questions where they are installed. Processor seconds; what an
empty program of the system needs is measured and subtracted. Programs are found on the path, beside Python inside the
wheels of the extra ``oracle``, or in the folders of POLYGEOM_ORACLES.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

import polygeom
from polygeom import maps

FOLDERS = os.pathsep.join(
    [str(Path(sysconfig.get_path("purelib"), "sage_wheels", "bin")), os.environ.get("POLYGEOM_ORACLES", "")]
)
MAPS: dict[str, tuple[Any, int]] = {
    "rational normal curve, 10": (maps.rational_normal_curve(10), 2),
    "scroll S(4,5)": (maps.rational_normal_scroll(4, 5), 2),
    "Segre 3 x 3 x 3": (maps.segre([3, 3, 3]), 2),
    "quadrics of rank 2, 4 x 4": (maps.veronese(4, 2, 2), 3),
    "cubics of rank 3": (maps.veronese(3, 3, 3), 4),
    "Grassmannian (2,6)": (maps.grassmannian(2, 6), 2),
    "Grassmannian (3,6)": (maps.grassmannian(3, 6), 2),
    "essential matrices": (maps.essential_matrices(), 3),
    "tree of 4 leaves": (maps.tree_model([(0, 1), (0, 2), (0, 5), (5, 3), (5, 4)]), 2),
    "toric, 3 x 4 x 2 tables": (maps.segre([3, 4, 2]), 2),
}


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=FOLDERS)


def graph(network: Any) -> tuple[list[str], list[str], list[str]]:
    """Names of parameters and coordinates, and the images, as other systems read them."""
    formula = network.nodes[1].layer
    renamed = {name: f"w{k}" for k, name in enumerate(formula.weights)}
    images = [re.sub(r"[A-Za-z_]\w*", lambda m: renamed[m[0]], text) for text in formula.coordinates]
    return list(renamed.values()), [f"c{k}" for k in range(len(images))], images


def seconds(command: list[str], text: str, limit: int) -> float | None:
    """Processor seconds of a program; None if it needs more than the limit, NaN if it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1)),
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return None
    return math.nan if done.returncode or "rror" in done.stdout + done.stderr else spent


def singular(network: Any, limit: int) -> float | None:
    weights, coordinates, images = graph(network)
    relations = ",".join(f"{c}-({image})" for c, image in zip(coordinates, images, strict=True))
    text = f"ring r=0,({','.join(weights + coordinates)}),dp; ideal g={relations}; "
    text += f"ideal e=minbase(eliminate(g,{'*'.join(weights)})); print(size(e)); quit;"
    return seconds([str(program("Singular")), "-q", "--no-rc"], text, limit)


def macaulay2(lines: list[str], limit: int) -> float | None:
    with tempfile.NamedTemporaryFile("w", suffix=".m2") as script:
        script.write("\n".join(lines) + "\n")
        script.flush()
        return seconds([str(program("M2")), "--script", script.name], "", limit)


def rings(network: Any) -> list[str]:
    weights, coordinates, images = graph(network)
    target = f"S = QQ[{','.join(weights)}]; R = QQ[{','.join(coordinates)}]; L = {{{', '.join(images)}}};"
    return [target, "F = map(S, R, L);"]


def ours(network: Any, degree: int, seed: int) -> float:
    start = time.process_time()
    polygeom.dimension(network, rng=seed)
    polygeom.Neurovariety(network, rng=seed).ideal(max_degree=degree)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=20, help="processor seconds for each program")
    limit = parser.parse_args().limit
    systems: dict[str, Any] = {}
    if program("Singular"):
        empty = seconds([str(program("Singular")), "-q", "--no-rc"], "quit;", limit) or 0.0
        systems["Singular eliminate"] = lambda n, d: (singular(n, limit), empty)
    if program("M2"):
        bare = macaulay2([""], limit) or 0.0
        systems["M2 kernel"] = lambda n, d: (macaulay2([*rings(n), "numgens trim kernel F;"], limit), bare)
        for package, question in (
            ("NumericalImplicitization", "numericalImageDim(F, ideal 0_S);"),
            ("MultigradedImplicitization", "componentsOfKernel(DEGREE, F);"),
        ):
            load = [f'needsPackage "{package}";']
            idle = macaulay2(load, limit)
            if idle is not None and not math.isnan(idle):
                systems[f"M2 {package}"] = lambda n, d, load=load, question=question, idle=idle: (
                    macaulay2([*load, *rings(n), question.replace("DEGREE", str(d))], limit), idle
                )  # fmt: skip
    ours(maps.rational_normal_curve(3), 2, 0)
    print(f"{'map':26}{'polygeom':>10}" + "".join(f"{name:>32}" for name in systems))
    ratios: dict[str, list[float]] = {name: [] for name in systems}
    for title, (network, degree) in MAPS.items():
        own = statistics.median(ours(network, degree, seed) for seed in range(3))
        cells = []
        for name, system in systems.items():
            spent, idle = system(network, degree)
            if spent is not None and math.isnan(spent):
                cells.append("failed")
                continue
            net = limit if spent is None else max(spent - idle, 0.001)
            ratios[name].append(net / own)
            cells.append(f"{'> ' if spent is None else ''}{net:.3f} s = {net / own:.1f} x")
        print(f"{title:26}{own:>9.3f}s" + "".join(f"{cell:>32}" for cell in cells), flush=True)
    for name, values in ratios.items():
        if not values:
            continue
        print(f"{name}: median ratio {statistics.median(values):.1f}, least {min(values):.2f}")


if __name__ == "__main__":
    main()
