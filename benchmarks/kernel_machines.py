"""Kernel regression on 10,000 images of MNIST: EigenPro, exact solutions of ours, of torch, of scikit-learn.

    python benchmarks/kernel_machines.py FOLDER [--out FILE] [--only WAY]

FOLDER holds the files of the test images (t10k-…). 8,000 of them train and 2,000 test, the same for all; one
Gaussian kernel, float64 unless said, one thread, a process for each way. The number of epochs and the ridge are chosen
first, in float64, without the test images: by the errors at the last 1,000 training images of fits to the 7,000 before
them, the fewest epochs and the largest ridge of those with the least error. Then all 8,000 are fitted anew. Printed are
medians of processor and wall seconds of this last fit and of predicting the 2,000, the memory that came on top of data
and libraries, and the test error; and what the choice took.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BANDWIDTH, TRAIN, VALIDATION, TEST = 5.0, 8000, 1000, 2000
EPOCHS, RIDGES = 20, (1e-1, 1e-2, 1e-3, 1e-4)
"""At most, and those that are tried."""


def _eigenpro(x: Any, y: Any, z: Any, epochs: int, ridge: float) -> Any:
    from polygeom.learning.kernels import Gaussian, eigenpro

    machine = eigenpro(Gaussian(BANDWIDTH), x, y, epochs=epochs, subsample=1000, record_every=epochs, memory=2**31)
    return machine.predict(z)


def _solve(x: Any, y: Any, z: Any, epochs: int, ridge: float) -> Any:
    from polygeom.learning.kernels import Gaussian, solve

    return solve(Gaussian(BANDWIDTH), x, y, ridge=ridge, condition=False, memory=2**31).predict(z)


def _torch(x: Any, y: Any, z: Any, epochs: int, ridge: float) -> Any:
    import torch

    def kernel(a: Any, b: Any) -> Any:
        squares = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
        return torch.exp(squares.clamp_min(0) / (-2 * BANDWIDTH**2))

    matrix = kernel(x, x)
    matrix.diagonal().add_(ridge)
    return kernel(z, x) @ torch.cholesky_solve(y, torch.linalg.cholesky(matrix))


def _sklearn(x: Any, y: Any, z: Any, epochs: int, ridge: float) -> Any:
    import torch
    from sklearn.kernel_ridge import KernelRidge

    machine = KernelRidge(alpha=ridge, kernel="rbf", gamma=1 / (2 * BANDWIDTH**2)).fit(x.numpy(), y.numpy())
    return torch.from_numpy(machine.predict(z.numpy()))


Predictor = Callable[[Any, Any, Any, int, float], Any]


def _single(way: Predictor) -> Predictor:
    return lambda x, y, z, epochs, ridge: way(x.float(), y.float(), z.float(), epochs, ridge)


WAYS: dict[str, Predictor] = {
    "EigenPro": _eigenpro,
    "EigenPro, float32": _single(_eigenpro),
    "Cholesky, torch, float32": _single(_torch),
    "exact, polygeom": _solve,
    "Cholesky, torch": _torch,
    "KernelRidge, scikit-learn": _sklearn,
}


def child(way: str, folder: str, epochs: int, ridge: float) -> dict[str, Any]:
    import sklearn.kernel_ridge  # noqa: F401  loaded by all, before the clock
    import torch

    from polygeom.datasets import train_and_test
    from polygeom.learning.kernels import Gaussian, eigenpro, solve  # noqa: F401

    torch.set_num_threads(1)
    train, test = train_and_test("mnist", TRAIN, TEST, data_root=folder, train_from="test")
    x, y, z = (torch.from_numpy(a).double() for a in (train.rows() / 255, train.one_hot(), test.rows() / 255))
    if way == CHOICE:
        return choose(x, y)
    labels = torch.from_numpy(test.one_hot()).argmax(dim=1)
    WAYS[way](x[:300], y[:300], z[:10], epochs, ridge) if "EigenPro" not in way else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu, wall = time.process_time(), time.perf_counter()
    values = WAYS[way](x, y, z, epochs, ridge)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"cpu": cpu, "wall": wall, "MiB": peak, "error": float((values.argmax(1) != labels).double().mean())}


CHOICE = "choice"


def choose(x: Any, y: Any) -> dict[str, Any]:
    """Epochs and ridge by the last of the training images."""
    from polygeom.learning.kernels import Gaussian, eigenpro

    fitted, rest = slice(None, -VALIDATION), slice(-VALIDATION, None)
    labels = y[rest].argmax(1)

    def wrong(values: Any) -> float:
        return float((values.argmax(1) != labels).double().mean())

    start = time.process_time()
    table = eigenpro(
        Gaussian(BANDWIDTH), x[fitted], y[fitted], epochs=EPOCHS, subsample=1000, memory=2**31,
        metrics={"validation": lambda machine: wrong(machine.predict(x[rest]))},
    ).table  # fmt: skip
    by_epochs = {int(e): float(v) for e, v in zip(table["epoch"], table["validation"], strict=True)}
    middle = time.process_time()
    by_ridge = {ridge: wrong(_torch(x[fitted], y[fitted], x[rest], 0, ridge)) for ridge in RIDGES}
    return {
        "epochs": min(by_epochs, key=lambda epochs: (by_epochs[epochs], epochs)),
        "ridge": min(by_ridge, key=lambda ridge: (by_ridge[ridge], -ridge)),
        "errors by epochs": by_epochs,
        "errors by ridge": by_ridge,
        "cpu of epochs": middle - start,
        "cpu of ridges": time.process_time() - middle,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Kernel regression on 10,000 images of MNIST.")
    parser.add_argument("folder")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="instead of those chosen")
    parser.add_argument("--ridge", type=float, help="instead of that chosen")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.way:
        print(json.dumps(child(chosen.way, chosen.folder, chosen.epochs or 0, chosen.ridge or 0.0)))
        return
    one = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    ways = [way for way in WAYS if chosen.only in way]

    def run(way: str, epochs: int, ridge: float) -> dict[str, Any]:
        command = [
            sys.executable,
            __file__,
            chosen.folder,
            "--way",
            way,
            "--epochs",
            str(epochs),
            "--ridge",
            str(ridge),
        ]
        done = subprocess.run(command, env={**os.environ, **one}, capture_output=True, text=True, check=True)
        row: dict[str, Any] = json.loads(done.stdout)
        print(way, row, flush=True)
        return row

    choice = {"epochs": chosen.epochs, "ridge": chosen.ridge}
    if chosen.epochs is None or chosen.ridge is None:
        choice = {**run(CHOICE, 0, 0.0), **{name: value for name, value in choice.items() if value is not None}}
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(chosen.rounds):
        for way in ways:
            found[way].append(run(way, choice["epochs"], choice["ridge"]))
    print("| way | CPU s | wall s | memory, MiB | test error |\n| --- | --- | --- | --- | --- |")
    for way, rows in found.items():
        cpu, wall, peak, error = (
            statistics.median(row[key] for row in rows) for key in ("cpu", "wall", "MiB", "error")
        )
        print(f"| {way} | {cpu:.2f} | {wall:.2f} | {peak:.0f} | {100 * error:.2f} % |")
    if chosen.out:
        chosen.out.write_text(json.dumps({CHOICE: choice, **found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
