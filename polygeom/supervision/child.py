"""The two processes behind one worker slot: a keeper, and the worker that runs tasks. Run as a script by `supervisor`.

The *worker* imports the task's module, then answers orders on a socket, one frame in and one frame out, until the
socket closes. It may loop in compiled code, crash, or start processes of its own. The *keeper* is its parent and runs
no foreign code: when the worker ends, or when the process that started the keeper ends in whatever way, the keeper
kills and reaps everything below it. Orphans of the worker come back to the keeper (it is a "child subreaper"), also
those that left the worker's process group.

This file needs the standard library alone, so that the keeper is small and starts fast; environment variables that
choose the number of BLAS threads are set by the parent before any of this runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

GRACE = 0.2
"""Seconds between SIGTERM and SIGKILL; workers hold no state worth a longer wait."""

MAX_FRAME = 64 * 2**20
"""Largest result in bytes; a table row is a few hundred."""

SLACK = 512 * 2**20
"""Addresses that a task may reserve beyond its memory limit: libraries do when they are loaded."""

MESSAGE_LENGTH = 1000
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LENGTH = struct.Struct(">Q")


def encode_frame(value: Any) -> bytes:
    """A JSON value with its length in front; `ValueError` or `TypeError` when it is not plain data."""
    body = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


def take_frame(buffer: bytearray) -> Any:
    """Remove the first complete frame from ``buffer`` and return its value; None while it is incomplete."""
    if len(buffer) < _LENGTH.size:
        return None
    end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
    if len(buffer) < end:
        return None
    value = json.loads(bytes(buffer[_LENGTH.size : end]))
    del buffer[:end]
    return value


def plain(text: str, limit: int = MESSAGE_LENGTH) -> str:
    """``text`` as one printable line of at most ``limit`` characters, fit for a table cell."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def too_much(memory: int | None) -> str:
    """The message of a task over its memory limit: the same whether the task or its supervisor noticed."""
    return f"needed more than {memory} bytes"


# The keeper


def keep(link: int, life: int, parent: int) -> None:
    """Start the worker and stay until it ends or must end; then leave no process behind.

    ``life`` is a socket to the parent. The worker's process id goes out first, its wait status last; end of file coming
    in, a byte coming in, or a change of parent means: stop the worker now.
    """
    bell, clapper = os.pipe()
    for end in (bell, clapper):
        os.set_blocking(end, False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, _only_wake)
    signal.set_wakeup_fd(clapper, warn_on_full_buffer=False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # The signal comes when the *thread* that started us ends, so it only asks us to look whether the parent is still
    # there.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)
    keeper = os.getpid()
    worker = os.fork()
    if worker == 0:
        for descriptor in (bell, clapper, life):
            os.close(descriptor)
        _become_worker(keeper)
        _work(link)
        os._exit(0)
    os.close(link)
    _tell(life, f"{worker}\n")
    status = _wait(worker, bell, life, parent)
    _clean_up(worker)
    _tell(life, f"{status}\n")
    os._exit(0)


def _only_wake(*_: object) -> None:
    """A handler that does nothing: the wake-up descriptor has done the work."""


def _tell(life: int, text: str) -> None:
    with contextlib.suppress(OSError):  # the parent is gone, nobody wants to know
        os.write(life, text.encode())


def _wait(worker: int, bell: int, life: int, parent: int) -> int:
    """Wait for the worker's end, bringing it about when the parent wants it or is gone; returns the wait status."""
    deadline: float | None = None
    poll = select.poll()
    poll.register(bell, select.POLLIN)
    poll.register(life, select.POLLIN)
    stop = False
    while True:
        while (found := _reap()) is not None:
            if found[0] == worker:
                return found[1]
        if deadline is None and (stop or os.getppid() != parent):
            _signal_group(worker, signal.SIGTERM)
            deadline = time.monotonic() + GRACE
            poll.unregister(life)
        if deadline is not None and time.monotonic() >= deadline:
            _signal_group(worker, signal.SIGKILL)
            deadline = time.monotonic() + GRACE
        ready = poll.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000)
        stop = any(descriptor == life for descriptor, _ in ready)
        if any(descriptor == bell for descriptor, _ in ready):
            os.read(bell, 4096)


def _reap() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _signal_group(leader: int, number: int) -> None:
    for send in (os.killpg, os.kill):
        try:
            send(leader, number)
        except (ProcessLookupError, PermissionError):
            continue


def _clean_up(worker: int) -> None:
    """Kill and reap whatever the worker left behind, for at most one second."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, signal.SIGKILL)
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            for child in listing.read_text().split() if listing.exists() else ():
                _signal_group(int(child), signal.SIGKILL)
            time.sleep(0.002)


# The worker


def _become_worker(keeper: int) -> None:
    """Own session and group, default signals, no core files, and death together with the keeper."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)


def _work(link: int) -> None:
    os.set_inheritable(link, False)
    buffer = bytearray()
    function: Callable[[dict[str, Any]], Any] | None = None
    idle: float | None = None
    while (order := _receive(link, buffer, idle)) is not None:
        if "target" in order:
            idle = order["idle"]
            function, reply = _prepare(order)
        else:
            assert function is not None
            reply = _perform(function, order)
        _send(link, reply)


def _receive(link: int, buffer: bytearray, idle: float | None) -> dict[str, Any] | None:
    """The next order; None when the parent is gone or has been silent for ``idle`` seconds."""
    poll = select.poll()
    poll.register(link, select.POLLIN)
    while (order := take_frame(buffer)) is None:
        if not poll.poll(None if idle is None else idle * 1000):
            return None
        if not (data := os.read(link, 1 << 16)):
            return None
        buffer += data
    return order  # type: ignore[no-any-return]


def _send(link: int, reply: dict[str, Any]) -> None:
    data = memoryview(encode_frame(reply))
    while data:
        data = data[os.write(link, data) :]


def _prepare(order: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], Any] | None, dict[str, Any]]:
    """Import what the tasks need, and let the module warm up: neither counts against a task's time."""
    sys.path[:] = order["path"]
    module_name, _, name = order["target"].partition(":")
    try:
        module = importlib.import_module(module_name)
        function = getattr(module, name)
        if warm_up := getattr(module, "prepare", None):
            warm_up()
    except BaseException as error:  # noqa: BLE001 - whatever an import raises is this slot's answer, not its end
        return None, _failure(error)
    gc.collect()
    gc.freeze()  # the modules loaded so far stay: later collections need not walk them
    return function, {"status": "ready", **_memory_use()}


def _perform(function: Callable[[dict[str, Any]], Any], order: dict[str, Any]) -> dict[str, Any]:
    """Run one task under its memory limit and describe what came of it."""
    fresh = _reset_peak()
    before = _memory_use()["memory_now"]
    reserve = bytearray(1 << 20)  # given back before the error is described: that, too, needs memory
    try:
        _limit_memory(order["memory"])
        result = function(order["task"])
        if not isinstance(result, dict):
            raise TypeError(f"a task returns a dict of plain data, got {type(result).__name__}")
        size = len(json.dumps(result, allow_nan=False))
        if size > MAX_FRAME:
            raise ValueError(f"the result has {size} bytes as JSON, more than the {MAX_FRAME} a row may have")
        reply: dict[str, Any] = {"status": "ok", "message": "", "result": result}
    except BaseException as error:  # noqa: BLE001 - a task may raise anything, SystemExit included: it becomes a row
        del reserve
        _limit_memory(None)
        reply = _failure(error)
        if isinstance(error, MemoryError) and order["memory"] is not None:
            reply["message"] = too_much(order["memory"])
    _limit_memory(None)
    use = _memory_use()
    if fresh and order["memory"] is not None and use["peak_memory"] > before + order["memory"]:
        reply = {"status": "memory", "message": too_much(order["memory"]), "result": None}  # a peak nobody saw
    return {**reply, **use, "spoiled": _spoiled()}


def _spoiled() -> bool:
    """Whether the task has left a thread or a process running, which could harm the next task."""
    threading = sys.modules.get("threading")
    if threading and threading.active_count() > 1:
        return True
    try:
        return bool(Path(f"/proc/self/task/{os.getpid()}/children").read_bytes())
    except OSError:
        return False


def _failure(error: BaseException) -> dict[str, Any]:
    """Status and message of an exception, which may be of a class that no other process knows."""
    errors = sys.modules.get("polygeom.errors")
    if isinstance(error, MemoryError) or (errors and isinstance(error, errors.BudgetError)):
        status = "memory"
    elif errors and isinstance(error, errors.PolygeomError):
        status = "invalid"
    else:
        status = "crashed"
    try:
        text = plain(str(error))
    except BaseException:  # noqa: BLE001 - a broken __str__ must not hide the class of the error
        text = ""
    if status != "invalid":
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return {"status": status, "message": text, "result": None}


def _limit_memory(extra: int | None) -> None:
    """Let the address space grow by ``extra`` and some from here (None: as far as the system allows).

    Addresses are not memory: this makes an impossible allocation an exception in the task, and bounds what it can take
    before its supervisor, which watches the memory itself, has looked.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = hard
    if extra is not None and (size := _statm(0)) is not None:
        soft = size + extra + SLACK
        soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _statm(field: int) -> int | None:
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[field]) * resource.getpagesize()
    except OSError:
        return None


def _reset_peak() -> bool:
    """Forget the largest memory use so far; False where that is impossible, outside Linux."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _memory_use() -> dict[str, int]:
    """Bytes in use now, and at most since `_reset_peak`."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak = int(line.split()[1]) * 1024
    except OSError:
        pass
    return {"peak_memory": peak, "memory_now": _statm(1) or peak}


if __name__ == "__main__":
    keep(*(int(argument) for argument in sys.argv[1:]))
