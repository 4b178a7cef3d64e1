"""Counting solutions: polygeom against Macaulay2, Bertini 2 and PHCpack, one table from one run.

    python benchmarks/counting.py [--limit SECONDS] [--only WORD] [--seeds N]

Five systems: sums of powers of linear forms with as many linear conditions as weights, and the critical points of the
distance to a power. Each has finitely many weights as solutions, ``fibre`` of which give one function. polygeom counts
functions, proves in ball arithmetic that they exist, and makes a trace test. The others count weights: Macaulay2 by
``monodromySolve`` (MonodromySolver), without a proof or a test; Bertini 2 by a total degree homotopy; PHCpack by its
black box (polyhedral homotopies where these need fewer paths). For the degrees there is also ``numericalImageDegree``
(NumericalImplicitization), which counts the points of a section of the image and makes a trace test.

Processor seconds of the computation alone, by each program's own clock or that of its process, after packages are
loaded; ours with compiled kernels. The median of the seeds. A program that reaches the limit counts with the limit. A
count that is not the right one stands in brackets. ``phc`` is found on the path; Macaulay2 and Bertini 2 in the folders
and by the Python of POLYGEOM_ORACLES and POLYGEOM_BERTINI.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sympy

from polygeom.ideal.counting.invariants import degree, ed_degree
from polygeom.network import parse

Answer = tuple[float, int]
"""Seconds, and solutions."""


@dataclass(frozen=True)
class Case:
    """A network whose weights with a first outer weight of 1 are finite over a function; its number, and the fibre."""

    text: str
    value: int
    fibre: int
    critical: bool = False

    def coefficients(self) -> tuple[list[sympy.Symbol], list[sympy.Expr]]:
        """Unknown weights, and the coefficients of the outputs as polynomials in them."""
        network = parse(self.text)
        n, s, m = network.widths
        inputs, inner = sympy.symbols(f"x0:{n}"), sympy.symbols(f"a0:{n * s}")
        outer = [[sympy.Integer(1)] * s, *([sympy.Symbol(f"c{i}{j}") for j in range(s)] for i in range(1, m))]
        powers = [sum(inner[n * j + i] * inputs[i] for i in range(n)) ** network.degree for j in range(s)]
        outputs = [sympy.Poly(sum(c * p for c, p in zip(row, powers, strict=True)), *inputs) for row in outer]
        unknown = [*inner, *(c for row in outer[1:] for c in row)]
        return unknown, [c for f in outputs for c in f.coeffs()]

    def equations(self, seed: int) -> tuple[list[sympy.Symbol], list[sympy.Poly], list[sympy.Expr]]:
        """Unknowns, equations without their constants or linear parts in the data, and what the data stand before."""
        rng = np.random.default_rng(seed)
        unknown, coefficients = self.coefficients()
        if not self.critical:
            rows = rng.standard_normal((len(unknown), len(coefficients))).round(6)
            sums = [sum(float(a) * f for a, f in zip(row, coefficients, strict=True)) for row in rows]
            return unknown, [sympy.Poly(f.expand(), *unknown) for f in sums], []
        half = rng.standard_normal((len(coefficients), 2 * len(coefficients))).round(3)
        form = sympy.Matrix((half @ half.T).round(6).tolist())
        value = sympy.Matrix(coefficients)
        left = value.jacobian(unknown).T * form
        return unknown, [sympy.Poly(f.expand(), *unknown) for f in left * value], list(left.tolist())

    def system(self, seed: int) -> tuple[list[sympy.Symbol], list[sympy.Poly]]:
        """The equations with random data."""
        unknown, left, rows = self.equations(seed)
        rng = np.random.default_rng([seed, 1])
        if not self.critical:
            return unknown, [f - float(b) for f, b in zip(left, rng.standard_normal(len(left)).round(6), strict=True)]
        data = rng.standard_normal(len(rows[0])).round(6)
        right = [sum(float(u) * g for u, g in zip(data, row, strict=True)) for row in rows]
        return unknown, [f - sympy.Poly(g.expand(), *unknown) for f, g in zip(left, right, strict=True)]


CASES = [
    Case("[2,2,1] r=4", 3, 2 * 4**2),
    Case("[2,2,1] r=6", 10, 2 * 6**2),
    Case("[3,1,1] r=5", 25, 5),
    Case("[3,2,1] r=3", 15, 2 * 3**2),
    Case("[3,1,1] r=2", 13, 2, critical=True),
]


def written(polynomial: sympy.Poly, power: str = "^") -> str:
    """With decimal coefficients."""
    return sympy.sstr(polynomial.as_expr(), full_prec=False).replace("**", power)


def ours(case: Case, seed: int, limit: float) -> Answer:
    count = ed_degree if case.critical else degree
    began = time.process_time()
    found = count(case.text, method="monodromy", rng=seed, timeout=limit)
    assert found.lower == found.value or found.value != case.value
    return time.process_time() - began, (found.value or 0) if found.status == "probable" else 0


def outside(command: list[str], folder: str, limit: float) -> tuple[float, str]:
    """Processor seconds of a program, and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=limit)
        output = ended.stdout + ended.stderr
    except subprocess.TimeoutExpired:
        return limit, ""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, output


def macaulay(case: Case, seed: int, limit: float, image: bool) -> Answer | None:
    program = shutil.which("M2", path=os.environ.get("POLYGEOM_ORACLES", "") + os.pathsep + os.environ["PATH"])
    if program is None or (image and case.critical):
        return None
    unknown, left, rows = case.equations(seed)
    names = ",".join(map(str, unknown))
    if image:
        _, coefficients = case.coefficients()
        listed = ",".join(written(sympy.Poly(f, *unknown)) for f in coefficients)
        lines = ['needsPackage "NumericalImplicitization"', f"R = CC[{names}]", f"F = {{{listed}}}",
                 "t = cpuTime()", "W = numericalImageDegree(F, ideal 0_R, Verbose => false)",
                 'print("found " | toString(W) | " " | toString(cpuTime() - t))']  # fmt: skip
    else:
        count = len(rows[0]) if rows else len(left)
        data = [f"b_{i}" for i in range(count)]
        if rows:
            right = [
                " + ".join(f"b_{i}*({written(sympy.Poly(g, *unknown))})" for i, g in enumerate(row)) for row in rows
            ]
        else:
            right = data
        listed = ",\n".join(f"{written(f)} - ({g})" for f, g in zip(left, right, strict=True))
        lines = ['needsPackage "MonodromySolver"', f"R = CC[{data[0]}..{data[-1]}][{names}]",
                 f"G = polySystem {{{listed}}}", "t = cpuTime()", "(V, n) = monodromySolve G",
                 'print("found " | toString(length V.PartialSols) | " " | toString(cpuTime() - t))']  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "input.m2").write_text(f"setRandomSeed {seed + 1}\n" + "\n".join(lines) + "\n")
        spent, output = outside([program, "--script", "input.m2"], folder, limit)
    found = re.search(r"found (\d+) (\S+)", output)
    return (float(found[2]), int(found[1])) if found else (limit if spent >= limit else spent, 0)


BERTINI = """
import sys, time
import bertini
text = open("input.txt").read()
system = bertini.parse.system(text)
began = time.process_time()
found = bertini.solve(system, seed=int(sys.argv[1]), show_progress=False)
print("found", len(found), time.process_time() - began)
"""


def bertini(case: Case, seed: int, limit: float) -> Answer | None:
    python = os.environ.get("POLYGEOM_BERTINI")
    if python is None:
        return None
    unknown, equations = case.system(seed)
    names = [f"f{i}" for i in range(len(equations))]
    text = f"variable_group {','.join(map(str, unknown))};\nfunction {','.join(names)};\n"
    text += "".join(f"{name} = {written(f)};\n" for name, f in zip(names, equations, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "input.txt").write_text(text)
        spent, output = outside([python, "-c", BERTINI, str(seed)], folder, limit)
    found = re.search(r"found (\d+) (\S+)", output)
    return (float(found[2]), int(found[1])) if found else (limit if spent >= limit else spent, 0)


def phc(case: Case, seed: int, limit: float) -> Answer | None:
    program = shutil.which("phc")
    if program is None:
        return None
    unknown, equations = case.system(seed)
    with tempfile.TemporaryDirectory() as folder:
        lines = "".join(f" {written(f)};\n" for f in equations)
        Path(folder, "input").write_text(f"{len(unknown)}\n{lines}")
        spent, _ = outside([program, "-b", f"-0{seed + 1}", "input", "output"], folder, limit)
        path = Path(folder, "output")
        blocks = path.read_text().split("THE SOLUTIONS :") if path.exists() else []
    roots = re.findall(r"^solution\s+\d+ :.*?(?=^solution|\Z)", blocks[-1], re.S | re.M) if len(blocks) > 1 else []
    regular = [r for r in roots if "regular" in r]
    return spent, len(regular)


PROGRAMS: dict[str, Callable[[Case, int, float], Answer | None]] = {
    "polygeom": ours,
    "MonodromySolver": lambda case, seed, limit: macaulay(case, seed, limit, image=False),
    "NumericalImplicitization": lambda case, seed, limit: macaulay(case, seed, limit, image=True),
    "Bertini 2": bertini,
    "PHCpack": phc,
}


def cell(case: Case, name: str, answers: list[Answer]) -> str:
    right = case.value * (1 if name in ("polygeom", "NumericalImplicitization") else case.fibre)
    if case.critical and name in ("Bertini 2", "PHCpack"):
        wrong = [n for _, n in answers if n not in (right, right + 1)]  # zero is a solution, too
    else:
        wrong = [n for _, n in answers if n != right]
    return f"{statistics.median(t for t, _ in answers):.3g}" + (f" ({', '.join(map(str, wrong))})" if wrong else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=120)
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    degree("[2,2,1] r=4", method="monodromy")  # loads the kernels
    ed_degree("[3,1,1] r=2", method="monodromy")
    print("| system | solutions | " + " | ".join(PROGRAMS) + " |")
    print("| --- | --- |" + " --- |" * len(PROGRAMS))
    for case in CASES:
        if options.only not in case.text:
            continue
        answers: dict[str, list[Answer]] = {name: [] for name in PROGRAMS}
        for seed in range(options.seeds):
            for name, program in PROGRAMS.items():
                if (answer := program(case, seed, options.limit)) is not None:
                    answers[name].append(answer)
        row = [cell(case, name, found) if found else "—" for name, found in answers.items()]
        kind = "critical points" if case.critical else "section"
        print(f"| `{case.text}`, {kind} | {case.value} x {case.fibre} | " + " | ".join(row) + " |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
