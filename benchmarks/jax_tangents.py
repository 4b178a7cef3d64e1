"""Tangent kernels next to neural-tangents (jax): the same dense and convolutional nets, points and weights.

    POLYGEOM_NEURAL_TANGENTS=/path/to/python python benchmarks/jax_tangents.py --out jax_tangents.json

The other Python runs as a process of its own and has neural-tangents 0.6.5 with versions under which it still imports:
``pip install neural-tangents==0.6.5 jax==0.4.30 jaxlib==0.4.30 tf2jax==0.3.6``. All outputs, float64, one thread,
processor seconds, medians; compiled beforehand, which is not counted. All three implementations of ``empirical_ntk_fn``
are run, vector products at few points and scaled by the number of pairs; weights, points and kernels are exchanged as
files. That jax has moved two names that structured derivatives look up; they are put back.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROUNDS = 3
FEW = 4
"""Points for vector products."""
LONG = 4.0
"""Seconds of one call from which on it is not repeated."""
IMPLEMENTATIONS = ("STRUCTURED_DERIVATIVES", "JACOBIAN_CONTRACTION", "NTK_VECTOR_PRODUCTS")


@dataclass(frozen=True)
class Net:
    """A rectified net: 3 × 3 convolutions ``(channels, stride)`` with padding 1, then dense layers of these widths."""

    shape: tuple[int, ...]
    convolutions: tuple[tuple[int, int], ...]
    widths: tuple[int, ...]
    points: int


NETS = {
    "dense, 4 hidden layers of 128": Net((64,), (), (128, 128, 128, 128, 10), 100),
    "dense, 2 hidden layers of 512": Net((32,), (), (512, 512, 10), 50),
    "three convolutions of 16 channels, 16 x 16": Net((3, 16, 16), ((16, 1), (16, 2), (16, 2)), (10,), 100),
}


def arrays(net: Net) -> dict[str, np.ndarray]:
    """Points ``x`` and weights ``w0, b0, …`` in the order of the layers."""
    rng = np.random.default_rng(0)
    found = {"x": rng.standard_normal((net.points, *net.shape))}
    size, sizes = net.shape[0], list(net.shape[1:])
    shapes: list[tuple[int, ...]] = []
    for channels, stride in net.convolutions:
        shapes.append((channels, size, 3, 3))
        size, sizes = channels, [-(-one // stride) for one in sizes]
    size *= int(np.prod(sizes))
    for width in net.widths:
        shapes.append((width, size))
        size = width
    for number, shape in enumerate(shapes):
        found[f"w{number}"] = rng.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5
        found[f"b{number}"] = 0.1 * rng.standard_normal(shape[0])
    return found


def timed(call: Callable[[], Any]) -> tuple[list[float], Any]:
    """Processor seconds of some calls after one that is not counted, unless it takes long."""
    spent: list[float] = []
    value = None
    for number in range(ROUNDS + 1):
        start = time.process_time()
        value = call()
        last = time.process_time() - start
        if number:
            spent.append(last)
        if spent and last > LONG:
            break
    return spent, value


def peer(net: Net, folder: Path) -> None:
    """Runs in the other Python: kernels and seconds of each implementation, into the folder."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    moved = importlib.import_module("jax.interpreters.ad")
    moved.source_info_util = importlib.import_module("jax._src.source_info_util")  # type: ignore[attr-defined]
    moved.config = jax.config  # type: ignore[attr-defined]
    tangents = importlib.import_module("neural_tangents")
    given = dict(np.load(folder / "arrays.npz"))
    x = jax.numpy.asarray(given.pop("x"))
    weights = {name: jax.numpy.asarray(value) for name, value in given.items()}
    layers = len(weights) // 2

    def f(own: Any, points: Any) -> Any:
        for number, (_, stride) in enumerate(net.convolutions):
            points = jax.lax.conv_general_dilated(
                points, own[f"w{number}"], (stride, stride), [(1, 1), (1, 1)],
                dimension_numbers=("NCHW", "OIHW", "NCHW"),
            )  # fmt: skip
            points = jax.nn.relu(points + own[f"b{number}"][:, None, None])
        points = points.reshape(len(points), -1)
        for number in range(len(net.convolutions), layers):
            points = points @ own[f"w{number}"].T + own[f"b{number}"]
            points = points if number == layers - 1 else jax.nn.relu(points)
        return points

    found: dict[str, Any] = {}
    for name in IMPLEMENTATIONS:
        implementation = getattr(tangents.NtkImplementation, name)
        kernel = jax.jit(
            tangents.empirical_ntk_fn(f, trace_axes=(), diagonal_axes=(), vmap_axes=0, implementation=implementation)
        )
        points = x[:FEW] if name == "NTK_VECTOR_PRODUCTS" else x
        try:
            spent, value = timed(lambda kernel=kernel, points=points: kernel(points, None, weights).block_until_ready())  # type: ignore[misc]
        except (RuntimeError, AttributeError, TypeError, NotImplementedError) as error:  # memory, other versions
            found[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
            print(name, found[name], file=sys.stderr, flush=True)
            continue
        found[name] = statistics.median(spent) * (len(x) / len(points)) ** 2
        np.save(folder / f"{name}.npy", np.asarray(value))
        print(name, found[name], file=sys.stderr, flush=True)
    found["jax"], found["neural-tangents"] = jax.__version__, tangents.__version__
    (folder / "seconds.json").write_text(json.dumps(found))


def ours(net: Net, given: dict[str, np.ndarray]) -> tuple[list[float], np.ndarray]:
    import torch
    from torch import nn

    from polygeom.learning.tangent.tangent_kernel import empirical_ntk

    torch.set_num_threads(1)
    parts: list[nn.Module] = []
    number = 0
    for channels, stride in net.convolutions:
        parts += [nn.Conv2d(given[f"w{number}"].shape[1], channels, 3, stride, padding=1), nn.ReLU()]
        number += 1
    parts.append(nn.Flatten())
    for width in net.widths:
        parts += [nn.Linear(given[f"w{number}"].shape[1], width), nn.ReLU()]
        number += 1
    module = nn.Sequential(*parts[:-1]).double()
    with torch.no_grad():
        for place, parameter in enumerate(module.parameters()):
            parameter.copy_(torch.from_numpy(given[f"{'wb'[place % 2]}{place // 2}"]))
    x = torch.from_numpy(given["x"])
    spent, value = timed(lambda: empirical_ntk(module, x))
    return spent, value.numpy()


def difference(found: np.ndarray, kernel: np.ndarray) -> float:
    """Largest of all entries between the points that both have, relative to the largest entry."""
    count = len(found)
    return float(np.abs(found - kernel[:count, :count]).max() / np.abs(kernel).max())


def compare(name: str, python: str) -> dict[str, Any]:
    """Ours before and after the peer."""
    net = NETS[name]
    given = arrays(net)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        np.savez(folder / "arrays.npz", **given)  # type: ignore[arg-type]
        before, kernel = ours(net, given)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
            "JAX_PLATFORMS": "cpu",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        subprocess.run([python, __file__, "--peer", name, "--folder", text], check=True, env=environment)
        after, _ = ours(net, given)
        found: dict[str, Any] = json.loads((folder / "seconds.json").read_text())
        errors = {path.stem: difference(np.load(path), kernel) for path in sorted(folder.glob("*.npy"))}
    seconds = {one: found[one] for one in IMPLEMENTATIONS if one in errors}
    own = statistics.median([*before, *after])
    ratio = min(seconds.values()) / own if seconds else None
    return found | {"points": net.points, "polygeom": own, "ratio": ratio, "errors": errors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("jax_tangents.json"))
    parser.add_argument("--only", default="", help="part of a name")
    parser.add_argument("--peer", help="run in the other Python: the name of a net")
    parser.add_argument("--folder", type=Path, help="with --peer: where the files are")
    chosen = parser.parse_args()
    if chosen.peer:
        peer(NETS[chosen.peer], chosen.folder)
        return
    python = os.environ.get("POLYGEOM_NEURAL_TANGENTS")
    if python is None:
        parser.error("set POLYGEOM_NEURAL_TANGENTS to a Python that can import neural_tangents")
    rows = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
    for name in NETS:
        if chosen.only in name:
            rows[name] = compare(name, python)
            print(name, rows[name], flush=True)
            chosen.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
