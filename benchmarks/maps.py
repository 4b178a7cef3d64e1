"""Dimension and ideal of twelve maps: polygeom against Singular and Macaulay2, one table of ratios from one run.

    python benchmarks/maps.py [--limit SECONDS] [--only WORD]

Ours is the way from the text of a map to its dimension and to minimal generators over Q up to a degree, proved to
vanish and, where an argument applies, proved complete. Singular eliminates (``eliminate``), Macaulay2 takes the
``kernel``, both over Q and in all degrees; its packages answer half of the question each: ``NumericalImplicitization``
the dimension, in floats, ``MultigradedImplicitization`` the generators up to the same degree. Formulas with
denominators are handed to them without these, where the closure is a cone.

Processor seconds of the computation alone, by each system's own clock, after it has started, read its packages and the
map; ours after small maps, so that code is loaded. A program that reaches the limit counts with the limit. Programs are
found on the path, beside Python inside the wheels of the extra ``oracle`` and of passagemath-gfan, which
``MultigradedImplicitization`` needs, or in the folders of POLYGEOM_ORACLES.
"""

from __future__ import annotations

import argparse
import itertools
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polygeom
from polygeom import maps

FOLDERS = os.pathsep.join(
    [str(Path(sysconfig.get_path("purelib"), "sage_wheels", "bin")), os.environ.get("POLYGEOM_ORACLES", "")]
)


def cubic_surface() -> Any:
    """The blow-up of the plane in six points: all cubics through them."""
    import sympy

    x, y, z = sympy.symbols("x y z")
    monomials = [x**i * y**j * z ** (3 - i - j) for i in range(4) for j in range(4 - i)]
    points = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (1, 2, 4), (1, 3, -2)]
    table = sympy.Matrix([[m.subs({x: a, y: b, z: c}) for m in monomials] for a, b, c in points])
    return maps.from_sympy(
        [sum(c * m for c, m in zip(v, monomials, strict=True)) for v in table.nullspace()], [x, y, z]
    )


CYCLE = [(1, 2), (2, 3), (3, 4), (4, 5), (1, 5)]
MAPS: dict[str, tuple[Callable[[], Any], int]] = {
    "scroll S(4,5)": (lambda: maps.rational_normal_scroll(4, 5), 2),
    "toric: 3 x 4 x 2 tables": (lambda: maps.segre([3, 4, 2]), 2),
    "tree of 4 leaves": (lambda: maps.tree_model([(0, 1), (0, 2), (0, 5), (5, 3), (5, 4)]), 2),
    "cubic surface": (cubic_surface, 3),
    "Grassmannian (2,5)": (lambda: maps.grassmannian(2, 5), 2),
    "Grassmannian (2,6)": (lambda: maps.grassmannian(2, 6), 2),
    "Grassmannian (3,6)": (lambda: maps.grassmannian(3, 6), 2),
    "essential matrices": (maps.essential_matrices, 3),
    "Gaussian 5-cycle": (lambda: maps.gaussian_graphical_model(5, CYCLE), 3),
    "quartics of rank 5": (lambda: maps.veronese(3, 4, 5), 6),
    "3 x 3 x 3 of rank 2": (lambda: maps.segre([3, 3, 3], 2), 3),
    "3 x 3 x 3 of rank 3": (lambda: maps.segre([3, 3, 3], 3), 4),
}
"""Chosen before anything was timed: the classical families of the maps' tests, in sizes that people ask for."""


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=FOLDERS)


def graph(network: Any) -> tuple[list[str], list[str], list[str]]:
    """Names of parameters and coordinates, and the images, as other systems read them."""
    formula = network.nodes[1].layer
    bottoms = {match[1] for text in formula.coordinates if (match := re.search(r"/\((.*)\)$", text))}
    assert len(bottoms) < 2, "one common denominator"
    images = [re.sub(r"/\((.*)\)$", "", text) for text in formula.coordinates]
    renamed = {name: f"w{k}" for k, name in enumerate(formula.weights)}
    images = [re.sub(r"[A-Za-z_]\w*", lambda m: renamed[m[0]], text) for text in images]
    return list(renamed.values()), [f"c{k}" for k in range(len(images))], images


def answer(command: list[str], text: str, limit: int) -> tuple[float | None, str]:
    """The seconds that a program prints after the word TIME, and after FOUND its answer; no seconds at the limit."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1)),
    )  # fmt: skip
    spent, found = (re.search(rf"^{word} (\S+)", done.stdout, re.MULTILINE) for word in ("TIME", "FOUND"))
    if spent is None:
        if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL, 128 + signal.SIGXCPU, 128 + signal.SIGKILL):
            return None, ""
        return math.nan, (done.stdout + done.stderr)[-300:]
    return float(spent[1]), found[1] if found else ""


def singular(network: Any, limit: int) -> tuple[float | None, str]:
    weights, coordinates, images = graph(network)
    relations = ",".join(f"{c}-({image})" for c, image in zip(coordinates, images, strict=True))
    text = f'ring r=0,({",".join(weights + coordinates)}),dp; ideal g={relations}; system("--ticks-per-sec",1000); '
    text += f"int t=timer; ideal e=minbase(eliminate(g,{'*'.join(weights)})); t=timer-t; "
    text += 'print("TIME "+string(t/1000)+"."+string((t%1000)/100)+string((t%100)/10)+string(t%10)); '
    return answer([str(program("Singular")), "-q", "--no-rc"], f'{text} print("FOUND "+string(size(e))); quit;', limit)


def macaulay2(package: str, field: str, question: str) -> Callable[[Any, int, int], tuple[float | None, str]]:
    def run(network: Any, degree: int, limit: int) -> tuple[float | None, str]:
        weights, coordinates, images = graph(network)
        lines = [
            f'needsPackage "{package}";' if package else "",
            f"S = {field}[{','.join(weights)}]; R = {field}[{','.join(coordinates)}];",
            f"F = map(S, R, {{{', '.join(images)}}});",
            "t = cpuTime();",
            f"n = {question.replace('DEGREE', str(degree))};",
            '<< "TIME " << cpuTime() - t << endl << "FOUND " << n << endl;',
        ]
        with tempfile.NamedTemporaryFile("w", suffix=".m2") as script:
            script.write("\n".join(lines) + "\n")
            script.flush()
            return answer([str(program("M2")), "--script", script.name], "", limit)

    return run


def generators(hashtable: str) -> str:
    """Generators in the answer of `componentsOfKernel`: values are lists of polynomials."""
    return f"sum(values {hashtable}, gens -> #flatten {{gens}})"


def ours(network: Any, degree: int, seed: int) -> tuple[float, int, str]:
    start = time.process_time()
    polygeom.dimension(network, rng=seed)
    result = polygeom.Neurovariety(network, rng=seed).ideal(max_degree=degree)
    spent = time.process_time() - start
    return spent, sum(result.degrees.values()), "complete" if result.complete else f"to degree {degree}"


def systems(limit: int) -> dict[str, Callable[[Any, int], tuple[float | None, str]]]:
    found: dict[str, Callable[[Any, int], tuple[float | None, str]]] = {}
    if program("Singular"):
        found["Singular eliminate"] = lambda n, _: singular(n, limit)
    if program("M2"):
        for title, package, field, question in (
            ("M2 kernel", "", "QQ", "numgens trim kernel F"),
            ("M2 Multigraded", "MultigradedImplicitization", "QQ", generators("componentsOfKernel(DEGREE, F)")),
            ("M2 Numerical (dim)", "NumericalImplicitization", "CC", "numericalImageDim(F, ideal 0_S)"),
        ):
            run = macaulay2(package, field, question)
            found[title] = lambda n, d, run=run: run(n, d, limit)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=60, help="processor seconds for each program")
    parser.add_argument("--only", default="", help="maps with this word in their title")
    options = parser.parse_args()
    others = systems(options.limit)
    for network, degree in (
        (maps.rational_normal_curve(3), 2),
        (maps.veronese(2, 2, 1), 2),
        (maps.grassmannian(2, 4), 3),
    ):
        ours(network, degree, 0)
    print(f"{'map':26}{'polygeom':>26}" + "".join(f"{name:>30}" for name in others))
    ratios: dict[str, list[float]] = {name: [] for name in others}
    for title, (make, degree) in MAPS.items():
        if options.only not in title:
            continue
        network = make()
        runs = [ours(network, degree, seed) for seed in range(3)]
        own = statistics.median(spent for spent, *_ in runs)
        cells = []
        for name, system in others.items():
            spent, found = system(network, degree)
            if spent is not None and math.isnan(spent):
                cells.append(f"failed: {found:.15}")
                continue
            seconds = options.limit if spent is None else max(spent, 0.001)
            ratios[name].append(seconds / own)
            cells.append(f"{'> ' if spent is None else ''}{seconds:.3f} s = {seconds / own:.1f} x [{found}]")
        head = f"{own:.3f} s [{runs[0][1]}, {runs[0][2]}]"
        print(f"{title:26}{head:>26}" + "".join(f"{cell:>30}" for cell in cells), flush=True)
    for name, values in ratios.items():
        if values:
            print(f"{name}: median ratio {statistics.median(values):.1f}, least {min(values):.2f}")
    ideals = [values for name, values in ratios.items() if "dim" not in name]
    if ideals and len({len(values) for values in ideals}) == 1:
        best = [min(row) for row in zip(*ideals, strict=True)]
        print(f"the best of the others for each map: median ratio {statistics.median(best):.1f}, least {min(best):.2f}")
    every = [*itertools.chain(*ideals)]
    if every:
        print(
            f"all ideals of all systems: median ratio {statistics.median(every):.1f}, "
            f"slower in {sum(r < 1 for r in every)}"
        )


if __name__ == "__main__":
    main()
