"""The kernels load when they pay, and their absence or a broken cache costs speed only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from polygeom.errors import PolygeomError
from polygeom.modular import P22, PrimeField, _threads, load_compiled, rank


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SETUP = """
import sys, numpy as np
from polygeom.modular import *
from polygeom.modular import _backend
loaded = lambda: [name for name in ("numba", "scipy", "threadpoolctl") if name in sys.modules]
small = PrimeField(P22).random(0, (30, 30))
"""


@pytest.mark.thorough
def test_small_problems_load_nothing_and_loops_load_the_compiled_kernels() -> None:
    assert load_compiled()  # so that they are in the cache
    code = """
for _ in range(20):
    assert rank(small, P22) == 30
print(loaded())
calls = 20
while not loaded():
    assert rank(small, P22) == 30
    calls += 1
print(100 < calls < 5000, loaded(), rank(small, P22), rank(small, P22, method="numpy"))
"""
    assert run(SETUP + code).splitlines() == ["[]", "True ['numba', 'scipy'] 30 30"]


@pytest.mark.thorough
def test_one_large_matrix_loads_them_at_once() -> None:
    assert load_compiled()
    code = """
_backend.PRICE = 1e-3
print(rank(PrimeField(P22).random(0, (200, 200)), P22), "numba" in loaded())
"""
    assert run(SETUP + code) == "200 True"


def test_compiling_for_the_first_time_has_to_pay_as_well(tmp_path: Path) -> None:
    code = """
_backend._kernels.lost = _backend.COMPILATION - 1.0
print(rank(small, P22), loaded())
_backend.load_compiled = lambda: print("would compile now")
_backend._kernels.lost = _backend.COMPILATION
print(rank(small, P22))
"""
    lines = run(SETUP + code, NUMBA_CACHE_DIR=str(tmp_path)).splitlines()
    assert lines == ["30 []", "would compile now", "30"]


@pytest.mark.thorough
@pytest.mark.parametrize("missing", ["numba", "scipy"])
def test_without_numba_or_scipy(missing: str) -> None:
    code = f"""
sys.modules["{missing}"] = None
print(load_compiled(), rank(PrimeField(P22).random(0, (300, 300)), P22))
_backend._kernels.lost = 1e9
print(rank(small, P22), echelon_form(small, P22).rank)
try:
    rank(small, P22, method="numba")
except ValueError as error:
    print(error)
"""
    lines = run(SETUP + code).splitlines()
    assert lines[:2] == ["False 300", "30 30"]
    assert re.fullmatch(rf"method='numba' needs numba and scipy \(.*{missing}.*\); write method='auto'", lines[2])


def test_with_compilation_switched_off() -> None:
    code = "print(load_compiled(), rank(small, P22), _backend._kernels.failure)"
    assert run(SETUP + code, NUMBA_DISABLE_JIT="1") == "False 30 numba is switched off by NUMBA_DISABLE_JIT"


def test_without_threadpoolctl() -> None:
    code = 'sys.modules["threadpoolctl"] = None; print(rank(PrimeField(P22).random(0, (200, 200)), P22))'
    assert run(SETUP + code) == "200"


def test_other_methods_are_refused() -> None:
    with pytest.raises(PolygeomError, match="method must be 'auto', 'numba' or 'numpy', got 'fast'"):
        rank(np.eye(3), 7, method="fast")  # type: ignore[arg-type]


def test_a_cache_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    from polygeom.modular._jit import entry

    def twice(x: int) -> int:
        return 2 * x

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    assert entry("int64(int64)")(twice)(21) == 42
    monkeypatch.undo()
    monkeypatch.setattr(caching.IndexDataCacheFile, "save", refuse)
    assert entry("int64(int64)")(lambda x: 2 * x)(21) == 42


def test_a_mistake_in_a_kernel_is_not_hidden() -> None:
    from numba.core.errors import NumbaError

    from polygeom.modular._jit import entry

    with pytest.raises(NumbaError):
        entry("int64(int64)")(lambda x: x.no_such_thing)


def test_one_blas_thread_inside_and_the_old_number_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    assert load_compiled()
    with threadpool_limits(2, user_api="blas"):
        with _threads.limited(compiled=True):
            assert threads() == {1}
        assert threads() == {2}
        with pytest.raises(KeyError), _threads.limited(compiled=True):
            raise KeyError
        assert threads() == {2}
        monkeypatch.setenv("POLYGEOM_BLAS_THREADS", "0")
        with _threads.limited(compiled=True):
            assert threads() == {2}
        assert rank(PrimeField(P22).random(0, (200, 200)), P22) == 200
        assert threads() == {2}


@pytest.mark.parametrize("text", ["", "two", "-1", "1.0", "٢", "99999999"])
def test_a_wrong_number_of_threads_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGEOM_BLAS_THREADS", text)
    with pytest.raises(PolygeomError, match="POLYGEOM_BLAS_THREADS must be a number of threads, got"):
        rank(PrimeField(P22).random(0, (200, 200)), P22)


def test_threads_of_python_may_eliminate_at_once(rng: np.random.Generator) -> None:
    field = PrimeField(P22)
    jobs = [field.matmul(field.random(rng, (150, k)), field.random(rng, (k, 140))) for k in range(100, 120)]
    found: dict[int, int] = {}

    def work(index: int) -> None:
        found[index] = rank(jobs[index], P22, method="numba" if index % 2 else "numpy")

    workers = [threading.Thread(target=work, args=(index,)) for index in range(len(jobs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [found[index] for index in range(len(jobs))] == list(range(100, 120))
