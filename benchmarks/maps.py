"""Dimension and ideal of maps: polygeom against Singular and Macaulay2, one table of ratios from one run.

    python benchmarks/maps.py [--limit SECONDS] [--only WORD] [--small]

Two questions, the same for both sides. *All equations*: minimal generators over Q of the whole ideal; ours with a proof
that they vanish and that none is missing, against Singular's ``eliminate`` and Macaulay2's ``kernel``. *Up to a
degree*: minimal generators up to it and the dimension, ours with a proof that they vanish, against
``MultigradedImplicitization`` and ``NumericalImplicitization`` together, which answer half of the question each, the
latter in floats. Formulas with denominators are handed to the others without these, where the closure is a cone.

Processor seconds of the computation alone, by each system's own clock, after it has started, read its packages and the
map; ours after small maps and with compiled kernels, so that code is loaded, and for a map that was not used before. A
program that reaches the limit counts with the limit. Programs are found on the path, beside Python inside the wheels of
the extra ``oracle`` and of passagemath-gfan, which ``MultigradedImplicitization`` needs, or in the folders of
POLYGEOM_ORACLES.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polygeom
from polygeom import maps
from polygeom.ideal.search.interpolation import Interpolation
from polygeom.ideal.search.search import generators_of
from polygeom.modular import load_compiled

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
FIVE = [(0, 1), (0, 2), (0, 6), (6, 3), (6, 7), (7, 4), (7, 5)]
FOUR = [(0, 1), (0, 2), (0, 5), (5, 3), (5, 4)]
Maps = dict[str, tuple[Callable[[], Any], int]]
MAPS: Maps = {
    "scroll S(5,6,7)": (lambda: maps.rational_normal_scroll(5, 6, 7), 2),
    "rational curve of degree 40": (lambda: maps.rational_normal_curve(40), 2),
    "toric: 4 x 4 x 4 tables": (lambda: maps.segre([4, 4, 4]), 2),
    "tree of 5 leaves": (lambda: maps.tree_model(FIVE), 2),
    "Grassmannian (3,6)": (lambda: maps.grassmannian(3, 6), 2),
    "Gaussian 5-cycle": (lambda: maps.gaussian_graphical_model(5, CYCLE), 3),
    "essential matrices": (maps.essential_matrices, 3),
    "quartics of rank 2": (lambda: maps.veronese(3, 4, 2), 3),
    "quartics of rank 5": (lambda: maps.veronese(3, 4, 5), 6),
    "2 x 2 x 2 x 2 of rank 2": (lambda: maps.segre([2, 2, 2, 2], 2), 3),
    "2 x 2 x 2 x 2 of rank 3": (lambda: maps.segre([2, 2, 2, 2], 3), 4),
}
"""The classical families of the maps' tests, at sizes where the question takes elimination a noticeable time."""
SMALL: Maps = {
    "scroll S(4,5)": (lambda: maps.rational_normal_scroll(4, 5), 2),
    "toric: 3 x 4 x 2 tables": (lambda: maps.segre([3, 4, 2]), 2),
    "tree of 4 leaves": (lambda: maps.tree_model(FOUR), 2),
    "cubic surface": (cubic_surface, 3),
    "Grassmannian (2,5)": (lambda: maps.grassmannian(2, 5), 2),
    "Grassmannian (2,6)": (lambda: maps.grassmannian(2, 6), 2),
    "Veronese surface of degree 5": (lambda: maps.veronese(3, 5), 2),
    "Gaussian 4-cycle": (lambda: maps.gaussian_graphical_model(4, [(1, 2), (2, 3), (3, 4), (1, 4)]), 3),
}
"""Small members of the same families, which elimination answers in milliseconds."""


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
    """All equations up to a degree, with the argument that none is missing if there is one."""
    start = time.process_time()
    variety = polygeom.Neurovariety(network, rng=seed)
    result = variety.ideal(max_degree=degree)
    spent = time.process_time() - start
    return spent, sum(result.degrees.values()), "complete" if result.complete else f"to degree {degree}"


def ours_to_degree(network: Any, degree: int, seed: int) -> tuple[float, int]:
    """The dimension, and proved generators up to a degree, without asking whether they are all."""
    start = time.process_time()
    polygeom.dimension(network, rng=seed)
    search = Interpolation(network, seed=seed)
    for _ in range(degree):
        search.advance()
    found = list(generators_of(search.coordinates, search))
    spent = time.process_time() - start
    assert all(generator.proved_member for generator in found)
    return spent, len(found)


System = Callable[[Any, int], tuple[float | None, str]]


def systems(limit: int) -> dict[str, System]:
    found: dict[str, System] = {}
    if program("Singular"):
        found["Singular eliminate"] = lambda n, _: singular(n, limit)
    if program("M2"):
        kernel = macaulay2("", "QQ", "numgens trim kernel F")
        multigraded = macaulay2("MultigradedImplicitization", "QQ", generators("componentsOfKernel(DEGREE, F)"))
        numerical = macaulay2("NumericalImplicitization", "CC", "numericalImageDim(F, ideal 0_S)")
        found["M2 kernel"] = lambda n, d: kernel(n, d, limit)
        found[PACKAGES] = lambda n, d: together(multigraded(n, d, limit), numerical(n, d, limit))
    return found


PACKAGES = "M2 packages"


def together(equations: tuple[float | None, str], size: tuple[float | None, str]) -> tuple[float | None, str]:
    """The seconds of both halves, and their answers."""
    if equations[0] is None or size[0] is None:
        return None, ""
    return equations[0] + size[0], f"{equations[1]}, dim {size[1]}"


def row(make: Callable[[], Any], degree: int, others: dict[str, System], limit: int) -> tuple[str, dict[str, float]]:
    """One line of the table and the ratios in it."""
    runs = [ours(make(), degree, seed) for seed in range(3)]
    parts = [ours_to_degree(make(), degree, seed) for seed in range(3)]
    own = statistics.median(spent for spent, *_ in runs)
    short = statistics.median(spent for spent, _ in parts)
    cells = [f"{own:.3f} s [{runs[0][1]}, {runs[0][2]}], {short:.3f} s [{parts[0][1]}]"]
    ratios = {}
    network = make()
    for name, system in others.items():
        spent, found = system(network, degree)
        if spent is not None and math.isnan(spent):
            cells.append(f"failed: {found:.15}")
            continue
        seconds = limit if spent is None else max(spent, 0.001)
        ratios[name] = seconds / (short if name == PACKAGES else own)
        cells.append(f"{'> ' if spent is None else ''}{seconds:.3f} s = {ratios[name]:.1f} x [{found}]")
    return f"{cells[0]:>48}" + "".join(f"{cell:>36}" for cell in cells[1:]), ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=60, help="processor seconds for each program")
    parser.add_argument("--only", default="", help="maps with this word in their title")
    parser.add_argument("--small", action="store_true", help="the small members of the families")
    options = parser.parse_args()
    others = systems(options.limit)
    load_compiled()
    for network, degree in (
        (maps.rational_normal_curve(3), 2),
        (maps.veronese(2, 2, 1), 2),
        (maps.grassmannian(2, 4), 3),
    ):
        ours(network, degree, 0)
        ours_to_degree(network, degree, 0)
    print(f"{'map':28}{'polygeom: all, to degree':>48}" + "".join(f"{name:>36}" for name in others))
    ratios: dict[str, list[float]] = {name: [] for name in others}
    for title, (make, degree) in (SMALL if options.small else MAPS).items():
        if options.only not in title:
            continue
        line, found = row(make, degree, others, options.limit)
        print(f"{title:28}{line}", flush=True)
        for name, ratio in found.items():
            ratios[name].append(ratio)
    for name, values in ratios.items():
        if values:
            print(f"{name}: median ratio {statistics.median(values):.1f}, least {min(values):.2f}")
    every = [ratio for values in ratios.values() for ratio in values]
    if every:
        slower = sum(ratio < 1 for ratio in every)
        print(f"all together: median ratio {statistics.median(every):.1f}, slower in {slower} of {len(every)}")


if __name__ == "__main__":
    main()
