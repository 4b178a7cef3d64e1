"""Kernel regression on 10,000 images of MNIST: EigenPro, exact solutions of ours, of torch, of scikit-learn.

    python benchmarks/kernel_machines.py FOLDER [--out FILE] [--only WAY]

FOLDER holds the files of the test images (t10k-…). 8,000 of them train and 2,000 test, the same for all; one
Gaussian kernel, float64 unless said, one thread, a process for each way. Printed are medians of processor and wall
seconds of fitting and of predicting the 2,000, the memory that came on top of data and libraries, and the test error.
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

BANDWIDTH, RIDGE, TRAIN, TEST = 5.0, 1e-3, 8000, 2000


def _eigenpro(x: Any, y: Any, z: Any) -> Any:
    from polygeom.learning.kernels import Gaussian, eigenpro

    machine = eigenpro(Gaussian(BANDWIDTH), x, y, epochs=EPOCHS, subsample=1000, record_every=EPOCHS, memory=2**31)
    return machine.predict(z)


EPOCHS = 10


def _solve(x: Any, y: Any, z: Any) -> Any:
    from polygeom.learning.kernels import Gaussian, solve

    return solve(Gaussian(BANDWIDTH), x, y, ridge=RIDGE, condition=False, memory=2**31).predict(z)


def _torch(x: Any, y: Any, z: Any) -> Any:
    import torch

    def kernel(a: Any, b: Any) -> Any:
        squares = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
        return torch.exp(squares.clamp_min(0) / (-2 * BANDWIDTH**2))

    matrix = kernel(x, x)
    matrix.diagonal().add_(RIDGE)
    return kernel(z, x) @ torch.cholesky_solve(y, torch.linalg.cholesky(matrix))


def _sklearn(x: Any, y: Any, z: Any) -> Any:
    import torch
    from sklearn.kernel_ridge import KernelRidge

    machine = KernelRidge(alpha=RIDGE, kernel="rbf", gamma=1 / (2 * BANDWIDTH**2)).fit(x.numpy(), y.numpy())
    return torch.from_numpy(machine.predict(z.numpy()))


def _single(way: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    return lambda x, y, z: way(x.float(), y.float(), z.float())


WAYS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "EigenPro": _eigenpro,
    "EigenPro, float32": _single(_eigenpro),
    "Cholesky, torch, float32": _single(_torch),
    "exact, polygeom": _solve,
    "Cholesky, torch": _torch,
    "KernelRidge, scikit-learn": _sklearn,
}


def child(way: str, folder: str) -> dict[str, float]:
    import sklearn.kernel_ridge  # noqa: F401  loaded by all, before the clock
    import torch

    from polygeom.datasets import train_and_test
    from polygeom.learning.kernels import Gaussian, eigenpro, solve  # noqa: F401

    torch.set_num_threads(1)
    train, test = train_and_test("mnist", TRAIN, TEST, data_root=folder, train_from="test")
    x, y, z = (torch.from_numpy(a).double() for a in (train.rows() / 255, train.one_hot(), test.rows() / 255))
    labels = torch.from_numpy(test.one_hot()).argmax(dim=1)
    WAYS[way](x[:300], y[:300], z[:10]) if "EigenPro" not in way else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu, wall = time.process_time(), time.perf_counter()
    values = WAYS[way](x, y, z)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"cpu": cpu, "wall": wall, "MiB": peak, "error": float((values.argmax(1) != labels).double().mean())}


def main() -> None:
    parser = argparse.ArgumentParser(description="Kernel regression on 10,000 images of MNIST.")
    parser.add_argument("folder")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.way:
        print(json.dumps(child(chosen.way, chosen.folder)))
        return
    one = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    ways = [way for way in WAYS if chosen.only in way]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(chosen.rounds):
        for way in ways:
            command = [sys.executable, __file__, chosen.folder, "--way", way]
            done = subprocess.run(command, env={**os.environ, **one}, capture_output=True, text=True, check=True)
            found[way].append(json.loads(done.stdout))
            print(way, found[way][-1], flush=True)
    print("| way | CPU s | wall s | memory, MiB | test error |\n| --- | --- | --- | --- | --- |")
    for way, rows in found.items():
        cpu, wall, peak, error = (
            statistics.median(row[key] for row in rows) for key in ("cpu", "wall", "MiB", "error")
        )
        print(f"| {way} | {cpu:.2f} | {wall:.2f} | {peak:.0f} | {100 * error:.2f} % |")
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
