"""The parent's hold on one worker process: start it, exchange frames with it, end it with everything below it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
import weakref
from typing import Any

from polygeom.supervision import child
from polygeom.supervision.job import Status
from polygeom.supervision.memory import tree_memory

_TICK = 0.05
_PATIENCE = 1.5
_THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR", "NUMBA")


class StopSignal:
    """A switch that any thread may set, once, and that wakes every supervisor that waits."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._release = weakref.finalize(self, _close_both, self._read, self._write)

    def set(self) -> None:
        """Stop what is running; the supervisors answer `Status.CANCELLED`."""
        os.write(self._write, b"s")

    def is_set(self) -> bool:
        """Whether `set` has been called."""
        return _readable(self._read, 0.0)

    def fileno(self) -> int:
        """A descriptor that is readable once the signal is set."""
        return self._read

    def close(self) -> None:
        """Release the descriptors; no supervisor may be using them."""
        self._release()


class WorkerProcess:
    """A keeper with its worker (`polygeom.supervision.child`), started now; the first order imports ``target``."""

    def __init__(self, target: str, *, idle: float | None = None) -> None:
        self.target, self.idle = target, idle
        self.at_rest = self.resting = 0
        self.new = True
        self._owner = os.getpid()
        self._worker: int | None = None
        self._ending: str | None = None
        self._buffer, self._words, self._news = bytearray(), bytearray(), bytearray()
        self._link, theirs = socket.socketpair()
        self._life, their_life = socket.socketpair()
        self._errors, their_errors = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    child.__file__,
                    str(theirs.fileno()),
                    str(their_life.fileno()),
                    str(self._owner),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=their_errors,
                pass_fds=(theirs.fileno(), their_life.fileno()),
                start_new_session=True,
                env={**os.environ, **{f"{name}_NUM_THREADS": "1" for name in _THREADS}},
            )
        except BaseException:
            self._close_channels()
            raise
        finally:
            theirs.close()
            their_life.close()
            os.close(their_errors)
        for descriptor in (self._link.fileno(), self._life.fileno(), self._errors):
            os.set_blocking(descriptor, False)
        self.used = time.monotonic()

    @property
    def pid(self) -> int | None:
        """Process id of the worker, once it is known."""
        if self._worker is None and self._ending is None:
            self._hear()
        return self._worker

    @property
    def ended(self) -> bool:
        """Whether the worker is known to have ended, or has been idle so long that it may end any moment."""
        if self._ending is not None or (self.idle is not None and time.monotonic() - self.used > self.idle / 2):
            return True
        return _readable(self._life.fileno(), 0.0) and not self._hear()

    def exchange(
        self, order: dict[str, Any], deadline: float | None, memory: int | None, stop: StopSignal | None
    ) -> dict[str, Any] | Status:
        """Send an order and wait for its reply, or for the reason why the worker must be, or has been, stopped.

        Parameters
        ----------
        order:
            Plain data.
        deadline:
            Moment on the monotonic clock after which there is no waiting: the answer is then `Status.TIMEOUT`.
        memory:
            Bytes beyond those at rest; more makes the answer `Status.MEMORY`.
        stop:
            When set, the answer is `Status.CANCELLED`.

        Returns
        -------
        The reply, or a status; `Status.CRASHED` means that the worker has died.
        """
        self._drain()
        self._words.clear()
        pending = memoryview(child.encode_frame(order))
        poll = select.poll()
        poll.register(self._life, select.POLLIN)
        poll.register(self._errors, select.POLLIN)
        if stop is not None:
            poll.register(stop, select.POLLIN)
        while True:
            poll.register(self._link, select.POLLIN | (select.POLLOUT if pending else 0))
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if memory is not None:
                wait = _TICK if wait is None else min(wait, _TICK)
            ready = dict(poll.poll(None if wait is None else wait * 1000))
            if stop is not None and stop.fileno() in ready:
                return Status.CANCELLED
            if self._errors in ready and not self._drain():
                poll.unregister(self._errors)
            try:
                if ready.get(self._link.fileno(), 0) & select.POLLOUT:
                    pending = pending[self._link.send(pending) :]
                if not self._pull():
                    return Status.CRASHED
            except (BrokenPipeError, ConnectionResetError):
                return Status.CRASHED
            if (reply := child.take_frame(self._buffer)) is not None:
                self.used = time.monotonic()
                self.resting = reply.get("memory_now", self.resting)
                return reply  # type: ignore[no-any-return]
            if self._life.fileno() in ready and not self._hear():
                return Status.CRASHED
            if deadline is not None and time.monotonic() >= deadline:
                return Status.TIMEOUT
            if memory is not None and self._worker is not None:
                ceiling = self.resting + memory
                if tree_memory(self._worker, exact_above=ceiling) > ceiling:
                    return Status.MEMORY

    def end(self) -> str:
        """End the worker and everything below it, wait until all is gone, and say what it died of. Safe to repeat."""
        if self._ending is not None:
            return self._ending
        self._ending = "ended"
        if os.getpid() != self._owner:  # a copy made by fork: the worker is not ours to end
            self._close_channels()
            return self._ending
        with contextlib.suppress(OSError):  # the keeper has ended already
            self._life.send(b"k")
        deadline = time.monotonic() + _PATIENCE
        while self._hear() or not self._keeper_gone():
            if not _readable(self._life.fileno(), max(0.0, deadline - time.monotonic())):
                self._kill()
                break
        self._process.wait()
        self._drain()
        self._ending = self._describe_end()
        self._close_channels()
        return self._ending

    def _keeper_gone(self) -> bool:
        """Whether nothing more will come from the keeper."""
        try:
            return self._life.recv(4096, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _kill(self) -> None:
        """The last resort, for a keeper that does not answer."""
        for leader in (self._process.pid, self._worker):
            try:
                if leader is not None:
                    os.killpg(leader, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue

    def _hear(self) -> bool:
        """Take in what the keeper says; False once it has told the worker's end, or is gone."""
        try:
            while data := self._life.recv(4096):
                self._news += data
        except BlockingIOError:
            data = None
        except ConnectionResetError:
            data = b""
        lines = self._news.split(b"\n")
        if self._worker is None and len(lines) > 1:
            self._worker = int(lines[0])
        return data is None and len(lines) <= 2

    def _pull(self) -> bool:
        """Take in what the worker sends; False at the end of its stream."""
        try:
            while data := self._link.recv(1 << 16):
                self._buffer += data
                if len(data) < 1 << 16:
                    return True
        except BlockingIOError:
            return True
        return False

    def _drain(self) -> bool:
        """Keep the last words on the standard error stream; False at its end."""
        try:
            while data := os.read(self._errors, 1 << 16):
                self._words = (self._words + data)[-4096:]
        except BlockingIOError:
            return True
        return False

    def _describe_end(self) -> str:
        lines = self._news.split(b"\n")
        if len(lines) <= 2:
            return "worker and its keeper were killed"
        status = int(lines[1])
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            name = signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"
            text = f"worker killed by {name}"
            if number == signal.SIGKILL:
                text += " (from outside; the system does so when memory runs out)"
        else:
            text = f"worker exited with code {os.WEXITSTATUS(status)}"
        last = child.plain(self._words.decode(errors="replace").strip().rpartition("\n")[2], 200)
        return f"{text}: {last}" if last else text

    def _close_channels(self) -> None:
        self._link.close()
        self._life.close()
        os.close(self._errors)


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _close_both(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
