"""The look for what a test left behind sees each kind of thing that can be left."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest
from leaks import SHARED_MEMORY, Footprint


@contextmanager
def child() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    yield
    process.communicate(b"\n")


@contextmanager
def thread() -> Iterator[None]:
    done = threading.Event()
    waiting = threading.Thread(target=done.wait)
    waiting.start()
    yield
    done.set()
    waiting.join()


@contextmanager
def temporary() -> Iterator[None]:
    with tempfile.NamedTemporaryFile():
        yield


@contextmanager
def shared_memory() -> Iterator[None]:
    memory = SharedMemory(create=True, size=16)
    yield
    memory.close()
    memory.unlink()


@contextmanager
def open_files() -> Iterator[None]:
    with Path(__file__).open():
        yield


KINDS = [
    child,
    thread,
    temporary,
    pytest.param(shared_memory, marks=pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="needs /dev/shm")),
    pytest.param(open_files, marks=pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")),
]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_is_named_and_then_gone(kind) -> None:
    folder = Path(tempfile.gettempdir())
    before = Footprint.now(folder)
    with kind():
        left = before.wait_for_return(seconds=0)
    assert any(line.startswith(kind.__name__.replace("_", " ")) for line in left), left
    assert before.wait_for_return(seconds=2) == []


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="needs /proc")
def test_shared_memory_of_another_program_is_no_leak_of_ours() -> None:
    code = "from multiprocessing import get_context; held = get_context('spawn').Lock(); print(flush=True); input()"
    before = set(SHARED_MEMORY.iterdir())
    footprint = Footprint.now(Path(tempfile.gettempdir()))
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        new = {path.name for path in set(SHARED_MEMORY.iterdir()) - before}
        left = footprint.wait_for_return(seconds=0)
        other.communicate(b"\n")
    assert new
    assert not [line for line in left if line.startswith("shared memory")]


def test_temporary_files_of_tests_have_a_folder_of_their_own() -> None:
    assert Path(tempfile.gettempdir()).name.startswith("temporary")
