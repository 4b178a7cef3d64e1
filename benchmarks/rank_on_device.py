"""Rank mod p of tensors against ``torch.linalg.lu_factor`` (cuSOLVER on a graphics processor, LAPACK on the CPU).

    python benchmarks/rank_on_device.py                                    # cuda: C = 20,000, 60,000, 120,000
    python benchmarks/rank_on_device.py --device cpu --sizes 500,1000      # a trial without one

Each size is a random matrix of the integers mod p, of full rank but for one row that is the sum of the others, so that
the right answer is C - 1. A size is left out when the matrix is more than the memory allowed, or when it would take
more than the seconds that are left, judging by the one before; the LU alone is left out where its factors, which lie
beside the matrix, do not fit (120,000 on 139 GiB). One line of JSON for each size goes to standard output and, with
``--out``, to a file.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from polygeom.modular import P22, rank

CHUNK = 1 << 26
"""Random entries made at a time."""
REDUCED = 1 << 26
"""Entries that the elimination reduces at a time, with their quotients."""


def matrix(size: int, device: str, seed: int) -> Any:
    """Residues, the last row minus the sum of the others mod p: rank ``size - 1``."""
    generator = torch.Generator(device).manual_seed(seed)
    a = torch.empty((size, size), dtype=torch.float64, device=device)
    step = max(1, CHUNK // size)
    for start in range(0, size - 1, step):
        stop = min(size - 1, start + step)
        draw = torch.randint(-(P22 // 2), P22 // 2 + 1, (stop - start, size), generator=generator, device=device)
        a[start:stop] = draw.double()
    a[-1] = torch.remainder(-a[:-1].sum(dim=0), P22)  # below 2^22 * 2^17, so exact
    a[-1] -= P22 * torch.round(a[-1] / P22)
    return a


def seconds(device: str, what: Any) -> tuple[float, Any]:
    """Wall time of a call, the device being idle before and after."""
    if device != "cpu":
        torch.cuda.synchronize()
    began = time.perf_counter()
    value = what()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - began, value


def measured(size: int, device: str, seed: int, both: bool) -> dict[str, Any]:
    """The time of the rank, and of ``both`` on the same matrix, which is made twice."""
    floating = seconds(device, partial(torch.linalg.lu_factor, matrix(size, device, seed)))[0] if both else None
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    exact, found = seconds(device, partial(rank, matrix(size, device, seed), P22, overwrite=True))
    if found != size - 1:
        raise AssertionError(f"rank {found} of a matrix of rank {size - 1}")
    return {
        "size": size,
        "device": torch.cuda.get_device_name() if device != "cpu" else f"cpu, {torch.get_num_threads()} threads",
        "rank": found,
        "rank_seconds": round(exact, 3),
        "lu_seconds": None if floating is None else round(floating, 3),
        "ratio": None if floating is None else round(exact / floating, 3),
        "teraflops": round(2 / 3 * size**3 / exact / 1e12, 4),
        "peak_bytes": torch.cuda.max_memory_allocated() if device != "cpu" else None,
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sizes", default="20000,60000,120000")
    parser.add_argument("--seconds", type=float, default=600.0, help="for everything")
    parser.add_argument("--memory", type=float, default=0.0, help="GB that may be used; all that are free if 0")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.device != "cpu" and not torch.cuda.is_available():
        raise SystemExit("no graphics processor that torch can use; write --device cpu --sizes 500,1000")
    allowed = given.memory * 1e9 or (torch.cuda.mem_get_info()[0] if given.device != "cpu" else 8e9)
    began, before = time.perf_counter(), None
    for size in sorted(int(part) for part in given.sizes.split(",")):
        # the factors of LAPACK and cuSOLVER lie beside the matrix; ours take its place
        needed = 8 * size**2 + 16 * min(REDUCED, size**2)
        if needed > allowed:
            line: dict[str, Any] = {"size": size, "left out": f"needs {needed:.2e} bytes, allowed are {allowed:.2e}"}
        elif before and (expected := sum(before[1:]) * (size / before[0]) ** 3) > given.seconds - (
            time.perf_counter() - began
        ):
            line = {"size": size, "left out": f"would take {expected:.0f} s"}
        else:
            line = measured(size, given.device, size, needed + 8 * size**2 <= allowed)
            before = size, line["rank_seconds"], line["lu_seconds"] or 0.0
        print(json.dumps(line), flush=True)
        if given.out is not None:
            with given.out.open("a") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
