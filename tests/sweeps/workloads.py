"""Tasks for the tests: harmless ones, and every ugly way in which a task can go wrong. Imported by workers."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

Data = dict[str, Any]


def answer(task: Data) -> Data:
    """A result that depends on the task alone."""
    number = sum(map(ord, task["argument"]["network"])) + task["seed"]
    return {"dimension": number, "upper": number, "proved": True, "seed": task["seed"]}


def act(task: Data) -> Data:
    """Do what the network's text says: the name of a function here, and perhaps a number."""
    name, _, argument = task["argument"]["network"].partition(" ")
    return globals()[name](task, *([float(argument)] if argument else []))  # type: ignore[no-any-return]


def either(task: Data) -> Data:
    """Some ordinary tasks, some ugly ones."""
    return answer(task) if task["argument"]["network"].startswith("net") else act(task)


def clock(task: Data) -> Data:
    """How many seconds the clock on the wall moves between two looks at it."""
    first = time.time()
    return {"dimension": round(abs(time.time() - first))}


def wrong_type(task: Data) -> Data:
    return {"dimension": "three"}


def note(task: Data) -> Data:
    """Append a line to the file in the options, so that a test can count how often a task ran; then sleep."""
    with Path(task["argument"]["options"]["file"]).open("a") as file:
        file.write(task["argument"]["network"] + "\n")
    time.sleep(task["argument"]["options"].get("seconds", 0))
    return answer(task)


def sleep(task: Data, seconds: float) -> Data:
    time.sleep(seconds)
    return answer(task)


def sleep_and_die(task: Data, seconds: float) -> Data:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)
    return answer(task)


def sleep_in_thread(task: Data) -> Data:
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return answer(task)


def c_sleep(task: Data, seconds: float) -> Data:
    ctypes.CDLL(None).sleep(int(seconds))
    return answer(task)


def deaf(task: Data, seconds: float) -> Data:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return sleep(task, seconds)


def farewell(task: Data) -> Data:
    """Tidies up when it is asked to end, which takes a moment."""

    def tidy(*_: object) -> None:
        time.sleep(0.05)
        Path(task["argument"]["options"]["file"]).write_text("tidy")
        os._exit(0)

    signal.signal(signal.SIGTERM, tidy)
    return sleep(task, 3600)


@functools.cache
def _compiled(nogil: bool) -> Any:
    import numba

    @numba.njit(nogil=nogil)
    def spin(n: int) -> int:
        total = 0
        while n != 1:
            total += n
            n = n % 7 + 2
        return total

    return spin


def spin(task: Data) -> Data:
    return {"dimension": _compiled(False)(5)}


def spin_nogil(task: Data) -> Data:
    return {"dimension": _compiled(True)(5)}


def spin_in_thread(task: Data) -> Data:
    threading.Thread(target=_compiled(False), args=(5,)).start()
    return answer(task)


def stop_itself(task: Data) -> Data:
    os.kill(os.getpid(), signal.SIGSTOP)
    return answer(task)


def segfault(task: Data) -> Data:
    ctypes.string_at(8)
    return answer(task)


def abort(task: Data) -> Data:
    os.abort()


def leave(task: Data) -> Data:
    sys.stderr.write("first line\nnot enough coffee\n")
    sys.stderr.flush()
    os._exit(3)


def exit_politely(task: Data) -> Data:
    raise SystemExit(3)


def interrupt(task: Data) -> Data:
    raise KeyboardInterrupt


def killed(task: Data) -> Data:
    os.kill(os.getpid(), signal.SIGKILL)
    return answer(task)


def killed_twice(task: Data) -> Data:
    """Dies until the file in the options has two lines."""
    file = Path(task["argument"]["options"]["file"])
    lines = len(file.read_text().splitlines()) if file.exists() else 0
    if lines < 2:
        with file.open("a") as stream:
            stream.write("killed\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(task)


class Unpicklable(Exception):
    def __init__(self, a: int, b: int) -> None:
        self.lock = threading.Lock()
        super().__init__(f"a lock and\n{a}\t{b}")

    def __reduce__(self) -> str:
        raise TypeError("never")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def unpicklable(task: Data) -> Data:
    raise Unpicklable(1, 2)


def mute(task: Data) -> Data:
    raise Mute


def refuse(task: Data) -> Data:
    from polygeom.errors import PolygeomError

    raise PolygeomError("widths must have at least 2 entries, got [3]; write [3, 1]")


def over_budget(task: Data) -> Data:
    from polygeom.errors import BudgetError

    raise BudgetError("a matrix of 80 GB would be needed")


def strange_result(task: Data) -> Data:
    return {"dimension": threading.Lock()}


def not_a_number(task: Data) -> Data:
    return {"dimension": float("nan")}


def no_dict(task: Data) -> Any:
    return [1, 2]


def huge_result(task: Data, size: float) -> Data:
    return {"dimension": 1, "text": "x" * int(size)}


def talkative(task: Data) -> Data:
    for _ in range(300):
        print("x" * 1000, file=sys.stderr)
        print("x" * 1000)
    return answer(task)


def allocate(task: Data) -> Data:
    """Python objects without bound."""
    blocks = []
    while True:
        blocks.append(bytearray(10**6))


def allocate_numpy(task: Data) -> Data:
    import numpy as np

    return {"dimension": int(np.ones(10**12).sum())}


def allocate_in_children(task: Data, megabytes: float) -> Data:
    """Grandchildren that allocate: each little, all together much."""
    code = f"import time; x = bytearray(b'x') * int({megabytes} * 1e6); time.sleep(60)"
    for process in [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]:
        process.wait()
    return answer(task)


def shared_with_children(task: Data, megabytes: float) -> Data:
    """Grandchildren made by fork share memory, which counts once."""
    data = bytearray(b"x") * int(megabytes * 1e6)
    children = []
    for _ in range(6):
        if (pid := os.fork()) == 0:
            time.sleep(0.6)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    return {"dimension": len(data)}


def load(task: Data) -> Data:
    import numba
    import scipy.linalg

    return {"dimension": len(numba.__name__ + scipy.linalg.__name__)}


def use(task: Data, megabytes: float) -> Data:
    """A task that needs memory for a moment and gives it back."""
    data = bytearray(b"x") * int(megabytes * 1e6)
    return {"dimension": len(data)}


_kept: list[bytearray] = []


def keep(task: Data, megabytes: float) -> Data:
    """A task that leaks."""
    _kept.append(bytearray(b"x") * int(megabytes * 1e6))
    return {"dimension": os.getpid()}


def whoami(task: Data) -> Data:
    return {"dimension": os.getpid()}


def breed(task: Data) -> Data:
    """Twenty grandchildren; half of them start a session of their own."""
    for number in range(20):
        subprocess.Popen(["sleep", "3600"], start_new_session=bool(number % 2))
    return answer(task)


def breed_and_hang(task: Data) -> Data:
    breed(task)
    time.sleep(3600)
    return answer(task)


def breed_and_die(task: Data) -> Data:
    """Forked grandchildren hold the worker's channels open."""
    for _ in range(5):
        if os.fork() == 0:
            time.sleep(3600)
    os.kill(os.getpid(), signal.SIGKILL)
    return answer(task)


def threads(task: Data) -> Data:
    """How many threads the numerical libraries were given."""
    import numpy as np
    import threadpoolctl

    np.ones((2, 2)) @ np.ones((2, 2))
    pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    return {"dimension": max(pools), "text": os.environ["OMP_NUM_THREADS"]}
