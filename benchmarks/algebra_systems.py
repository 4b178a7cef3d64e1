"""Equations by elimination in other systems, as one would write it there by hand, for comparison only.

Singular and Macaulay2 run as programs of their own; the graph of the coefficient map is eliminated over a prime field
(what they are fastest at), with the first incoming weight of each hidden neuron set to 1.
"""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from pathlib import Path

from polygeom.engines.symbolic import coefficient_map, weight_names
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.network import parse

BESIDE_PYTHON = Path(sysconfig.get_path("purelib"), "sage_wheels", "bin")
SINGULAR = shutil.which("Singular") or shutil.which("Singular", path=str(BESIDE_PYTHON))
MACAULAY2 = shutil.which("M2") or shutil.which("M2", path=str(BESIDE_PYTHON))
GFAN = shutil.which("gfan") or shutil.which("gfan", path=str(BESIDE_PYTHON))
"""Macaulay2's `componentsOfKernel` asks for it; its wheel brings none (``passagemath-gfan`` does)."""
PRIME = 32003
LIMIT = 120
"""Seconds of processor time."""


def cpu_seconds() -> float:
    """Processor time of this process and of the children that have ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def graph(text: str, field: int) -> tuple[list[str], list[str], list[str]]:
    """Names of weights and coordinates, and generators of the graph's ideal."""
    network = parse(text)
    assert network.widths is not None
    names, start = weight_names(network), 0
    fixed = set()
    for n, m in list(zip(network.widths, network.widths[1:], strict=False))[:-1]:
        fixed |= {names[start + i * n] for i in range(m)}
        start += n * m
    short = {name: f"w{k}" for k, name in enumerate(name for name in names if name not in fixed)}
    coordinates = Coordinates(network)
    known = coefficient_map(network)
    relations = []
    for k, entry in enumerate(coordinates.entries):
        terms = [f"c{k}"]
        for exponents, c in known[entry].items() if entry in known else ():
            factors = [f"{short[name]}^{e}" for name, e in zip(names, exponents, strict=True) if e and name in short]
            terms.append("*".join([str(-int(c) % field if field else -int(c)), *factors]))
        relations.append("+".join(terms).replace("+-", "-"))
    return list(short.values()), [f"c{k}" for k in range(len(coordinates.entries))], relations


def singular(text: str, field: int = PRIME) -> list[str]:
    """Command line and program that print how many equations generate the ideal."""
    weights, coordinates, relations = graph(text, field)
    return [
        f"ring r = {field},({','.join(weights)},{','.join(coordinates)}),dp;",
        f"ideal g = {','.join(relations)};",
        f"ideal e = minbase(eliminate(g,{'*'.join(weights)}));",
        "print(size(e)); quit;",
    ]


def macaulay2(text: str, field: int = PRIME) -> list[str]:
    weights, coordinates, relations = graph(text, field)
    ring = f"ZZ/{field}" if field else "QQ"
    target = f"{ring}[{','.join(weights + coordinates)}, MonomialOrder => Eliminate {len(weights)}]"
    return [
        f"R = {target};",
        f"g = ideal({','.join(relations)});",
        "e = ideal selectInSubring(1, gens gb g);",
        "<< numgens trim e << endl;",
    ]


def run(command: list[str], program: list[str], limit: int) -> int | None:
    """The number that the program prints; None if it needs more than ``limit`` seconds of processor time."""
    done = subprocess.run(
        command,
        input="\n".join(program) + "\n",
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1)),
    )
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return None
    assert done.returncode == 0, done.stderr[-500:]
    return int(done.stdout.split()[-1])


def in_singular(text: str, limit: int = LIMIT, field: int = PRIME) -> int | None:
    """Number of minimal generators by Singular."""
    return run([str(SINGULAR), "-q", "--no-rc"], singular(text, field), limit)


def in_macaulay2(text: str, limit: int = LIMIT, field: int = PRIME) -> int | None:
    """Number of minimal generators by Macaulay2."""
    with tempfile.NamedTemporaryFile("w", suffix=".m2") as script:
        script.write("\n".join(macaulay2(text, field)) + "\n")
        script.flush()
        return run([str(MACAULAY2), "--script", script.name], [], limit)


def components(text: str, degree: int) -> list[str]:
    """Lines that print the number of equations up to a degree by MultigradedImplicitization, without a proof."""
    names, known = weight_names(parse(text)), coefficient_map(parse(text))
    ring = {name: f"w_{k}" for k, name in enumerate(names)}

    def polynomial(entry: object) -> str:
        terms = []
        for exponents, c in known[entry].items() if entry in known else ():
            factors = [f"{ring[name]}^{e}" for name, e in zip(names, exponents, strict=True) if e]
            terms.append("*".join([str(int(c)), *factors]))
        return "+".join(terms or ["0"]).replace("+-", "-")

    entries = Coordinates(parse(text)).entries
    return [
        'needsPackage "MultigradedImplicitization";',
        f"R = QQ[w_0..w_{len(names) - 1}];",
        f"F = map(R, QQ[t_0..t_{len(entries) - 1}], {{{','.join(map(polynomial, entries))}}});",
        f"<< #flatten values componentsOfKernel({degree}, F) << endl;",
    ]


def in_components(text: str, degree: int, limit: int = LIMIT) -> int | None:
    """Number of generators that Macaulay2's package finds up to a degree."""
    with tempfile.NamedTemporaryFile("w", suffix=".m2") as script:
        script.write("\n".join(components(text, degree)) + "\n")
        script.flush()
        return run([str(MACAULAY2), "--script", script.name], [], limit)
