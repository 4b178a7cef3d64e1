"""Random small networks of every family: perceptrons, products, convolutions, attention, residual stacks, any graph.

And their ranks by a route of its own: derivatives by dual numbers, elimination by FLINT.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import flint
import numpy as np

from polygeom.engines.dual_numbers import dual_jacobian
from polygeom.errors import PolygeomError
from polygeom.network import Network, parse

P = 2**26 - 5


@lru_cache(maxsize=1 << 15)
def true_rank(network: Network) -> int:
    """The rank of the Jacobian at random weights."""
    most, outputs = network.parameter_count, network.output_dimension
    rng = np.random.default_rng(most)
    weights = {name: rng.integers(0, P, size=shape) for name, shape in network.parameters.items()}
    count = min(most, most // outputs + 2)
    while True:  # until one more point adds nothing
        points = rng.integers(0, P, size=(count, *network.input_shape))
        rows = dual_jacobian(network, P, weights, points).reshape(-1, most)
        found = _rank(rows)
        if count == most or found == most or found == _rank(rows[:-outputs]):
            return found
        count = min(most, 2 * count)


def _rank(rows: np.ndarray) -> int:
    return int(flint.nmod_mat(*rows.shape, rows.ravel().tolist(), P).rank())


def networks(rng: random.Random, weights: int, degree: int) -> Iterator[Network]:
    """Different networks of random families with at most so many weights, and of at most this degree."""
    seen, written = set[str](), set[str]()  # as drawn, and as polygeom writes them: one network has several texts
    while True:
        text = rng.choice(_FAMILIES)(rng)
        if text in seen:
            continue
        seen.add(text)
        if _least_weights(text) > weights:
            continue  # without reading it, which takes longer
        try:
            found = parse(text)
        except PolygeomError:  # a filter longer than its input
            continue
        if 0 < found.parameter_count <= weights and found.degree <= degree and found.text not in written:
            written.add(found.text)
            yield found


def _least_weights(text: str) -> int:
    """Not more weights than a network has: those of the dense layers between values of known width."""
    if text.startswith("["):
        widths = [*map(int, text[1 : text.index("]")].split(","))]
        return 0 if "tied" in text else sum(a * b for a, b in itertools.pairwise(widths))
    if not text.startswith("x0=input("):
        return 0
    known, total = dict[str, int](), 0
    for name, call, arguments in re.findall(r"(x\d+)=(\w+)\(([^)]*)", text):
        read = arguments.split(",")
        if call == "input":
            known[name] = int(read[-1])
        elif call == "dense":
            total += known[read[0]] * int(read[1])
            known[name] = int(read[1])
        elif call == "attention":
            known[name] = int(read[2])
        else:
            known[name] = max(known[value] for value in read if value in known)
    return total


def _width(rng: random.Random) -> int:
    return rng.choice((1, 2, 2, 3, 3, 4))


def _degree(rng: random.Random) -> int:
    return rng.choice((2, 2, 2, 3, 4))


def _polynomial(rng: random.Random) -> str:
    return ",".join([*(str(rng.choice((0, 1, 1, 2))) for _ in range(rng.choice((2, 2, 3)))), "1"])


def _perceptron(rng: random.Random) -> str:
    depth = rng.randint(1, 3)
    widths = ",".join(str(_width(rng)) for _ in range(depth + 2))
    kind = rng.randrange(4)
    if kind == 0:
        return f"[{widths}] r={','.join(str(rng.choice((1, 2, 2, 3))) for _ in range(depth))} bias"
    if kind == 1:
        inner = ",".join([str(_width(rng))] * 3)
        return f"[{_width(rng)},{inner},{_width(rng)}] r={_degree(rng)} tied"
    return f"[{widths}] p={';'.join(_polynomial(rng) for _ in range(depth))}" + (" bias" if kind == 2 else "")


def _product(rng: random.Random) -> str:
    name = rng.choice(("ccp", "ncp", "product_network"))
    text = f"{name}({_width(rng)},rank={rng.randint(1, 3)},degree={rng.randint(1, 3)},outputs={rng.randint(1, 3)}"
    if name == "ccp":
        text += f",bias={rng.choice(('True', 'False', 'output'))},skip={rng.choice(('True', 'False'))}"
    if name == "ncp":
        text += f",bias={rng.choice(('True', 'False'))}"
    return text + ")"


def _convolution(rng: random.Random) -> str:
    kernels = f"[{rng.randint(1, 3)},{rng.randint(1, 2)}]"
    return f"convolutional({rng.randint(3, 5)},kernels={kernels},degrees={_degree(rng)})"


class _Program:
    def __init__(self, inputs: str) -> None:
        self.statements = [f"x0=input({inputs})"]

    def add(self, call: str) -> int:
        self.statements.append(f"x{len(self.statements)}={call}")
        return len(self.statements) - 1

    def text(self) -> str:
        """The statements that the last one needs."""
        used, pending = {0}, [len(self.statements) - 1]
        while pending:
            number = pending.pop()
            if number not in used or number == 0:
                used.add(number)
                pending += [int(n) for n in re.findall(r"x(\d+)", self.statements[number].split("=", 1)[1])]
        return "; ".join(self.statements[n] for n in sorted(used))


def _residual(rng: random.Random) -> str:
    d = _width(rng)
    program, x = _Program(str(d)), 0
    if rng.random() < 0.4:
        x = program.add(f"dense(x0,{(d := _width(rng))})")
    for _ in range(rng.randint(1, 2)):
        width = _width(rng)
        y = program.add(f"dense(x{x},{width})")
        if rng.random() < 0.3:
            y = program.add(f"bias(x{y})")
        if rng.random() < 0.3:
            y = program.add(f"product(x{y},x{program.add(f'dense(x{x},{width})')})")
        else:
            y = program.add(f"power(x{y},{_degree(rng)})")
        y = program.add(f"dense(x{y},{d})")
        x = program.add(f"sum(x{x},x{y})")
    if rng.random() < 0.6:
        program.add(f"dense(x{x},{_width(rng)})")
    return program.text()


def _attention(rng: random.Random) -> str:
    d = rng.randint(1, 3)
    program, x = _Program(f"{rng.randint(1, 2)},{d}"), 0
    heads = [program.add(f"attention(x{x},{rng.randint(1, 2)},{d})") for _ in range(rng.randint(1, 2))]
    skip = [x] if rng.random() < 0.7 or len(heads) == 1 else []
    x = program.add(f"sum({','.join(f'x{n}' for n in [*skip, *heads])})")
    if rng.random() < 0.5:
        y = program.add(f"power(x{program.add(f'dense(x{x},{_width(rng)})')},2)")
        program.add(f"sum(x{x},x{program.add(f'dense(x{y},{d})')})")
    return program.text()


def _graph(rng: random.Random) -> str:
    width = _width(rng)
    program = _Program(str(_width(rng)))
    values = [program.add(f"dense(x0,{width})") for _ in range(rng.randint(1, 2))]
    for _ in range(rng.randint(1, 5)):
        v, other = rng.choice(values), rng.choice(values)
        calls = (
            f"power(x{v},{rng.choice((2, 2, 3))})", f"sum(x{v},x{other})", f"product(x{v},x{other})",
            f"dense(x{v},{width})", f"bias(x{v})", f"polynomial(x{v},[{_polynomial(rng)}])",
        )  # fmt: skip
        values.append(program.add(rng.choice(calls)))
    program.add(f"dense(x{values[-1]},{_width(rng)})")
    return program.text()


_FAMILIES: tuple[Callable[[random.Random], str], ...] = (
    _perceptron, _perceptron, _product, _convolution, _residual, _residual, _attention, _graph, _graph, _graph,
)  # fmt: skip
