"""Time limits and progress of commands: a limit holds whatever the work does, and long work shows that it goes on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import click

from polygeom.commands.printing import as_line
from polygeom.errors import BudgetError, PolygeomError

if TYPE_CHECKING:
    from concurrent.futures import Executor

_Command = TypeVar("_Command", bound=Callable[..., Any])

GRACE = 1.5
"""Seconds after which a count is ended that has not ended by itself with the lower bound that it has."""
CONNECTING = 15.0
"""Seconds beside the time limit in which a cluster may be reached."""


def within(
    target: str, argument: Mapping[str, Any], timeout: float | None, progress: Callable[[float], None] | None = None
) -> dict[str, Any] | None:
    """The answer of a function ``"module:function"``, from a process of its own; None if the time was over.

    Parameters
    ----------
    target, argument:
        As for `polygeom.supervision.Call`.
    timeout:
        Seconds; the process ends at most a second later.
    progress:
        Called about once a second with the seconds so far.

    Raises
    ------
    PolygeomError
        With the message of the function, if it refused its argument.
    """
    from polygeom.supervision import Call, Limits, Status, run_alone

    outcome = run_alone(Call(target, argument), Limits(timeout), progress)
    if outcome.status is Status.OK:
        return dict(outcome.result or {})
    if outcome.status is Status.TIMEOUT:
        return None
    if outcome.status is Status.MEMORY:
        raise BudgetError(outcome.message.removeprefix("BudgetError: "))
    raise PolygeomError(outcome.message.removeprefix("PolygeomError: "))


def check_timeout(timeout: float | None, name: str = "--timeout") -> None:
    """Refuse what is no positive number of seconds."""
    if timeout is not None and not 0 < timeout < 1e9:
        raise PolygeomError(f"{name} must be a positive number of seconds, got {timeout}; write {name} 20")


def only_with(options: Mapping[str, Any], why: str) -> None:
    """Refuse options that are given where nothing reads them; ``why`` says where they are read."""
    for name, value in options.items():
        if value is not None:
            raise PolygeomError(f"--{name} {why}")


def takes_workers(what: str, only: str | None = None) -> Callable[[_Command], _Command]:
    """Options ``--workers``, which are ``what``, and ``--dask``: for `crew`.

    Parameters
    ----------
    what:
        What the workers are, for the help text.
    only:
        The options with which alone they have an effect, if any; then they are None where they are not given.
    """
    cluster = "a dask cluster: its scheduler, or local for one on this machine."

    def add(command: _Command) -> _Command:
        if only is None:
            dask = click.option("--dask", metavar="ADDRESS", help=f"Run on {cluster}")
            return click.option("--workers", default=1, show_default=True, help=what)(dask(command))
        dask = click.option("--dask", metavar="ADDRESS", help=f"With {only}: run on {cluster}")
        few = f"With {only}: {what[0].lower()}{what[1:-1]} (default 1)."
        return click.option("--workers", type=int, help=few)(dask(command))

    return add


def crew(dask: str | None, workers: int) -> AbstractContextManager[tuple[Executor | None, int]]:
    """The executor that ``--dask`` names and how many tasks it runs at a time; without it none, and ``workers``."""
    if dask is None:
        return nullcontext((None, workers))
    from polygeom.sweeps.cluster import dask_executor

    return dask_executor(dask, workers)


def counted(target: str, question: Mapping[str, Any], label: str, timeout: float, as_json: bool, quiet: bool) -> int:
    """Print what ``target`` counts for the question in a child that ends after ``timeout``; the exit status.

    Where the question names a cluster under ``"dask"``, it may take `CONNECTING` more until that answers.
    """
    network = question["network"]
    limit = timeout + GRACE + (CONNECTING if question.get("dask") else 0.0)
    with ticking(f"{network:.60}: {label}", shows_progress(quiet)):
        found = within(target, {**question, "timeout": timeout}, limit)
    if found is None:
        unfinished = {"network": network, "value": None, "status": "timeout", "timeout": timeout}
        found = {"answer": unfinished, "text": f"{network}: not found within {timeout:g} s (timeout)", "counted": False}
    click.echo(as_line(found["answer"]) if as_json else found["text"])
    return 0 if found["counted"] else 1


@contextmanager
def counting(what: str, shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """What tells paths and ``what`` was found on one line, wiped at the end; None where nothing is shown."""
    if not shown:
        yield None
        return
    yield lambda paths, found: click.echo(f"\rafter {paths} paths {found} {what}", err=True, nl=False)
    click.echo("\r\033[K", err=True, nl=False)


def shows_progress(quiet: bool = False) -> bool:
    """Whether somebody looks at standard error."""
    return sys.stderr.isatty() and not quiet


@contextmanager
def ticking(label: str, shown: bool) -> Iterator[Callable[[float], None] | None]:
    """Show ``label`` and the seconds since the start on one line of standard error, from the second one on.

    Yields
    ------
    What does the same for those who count the seconds themselves; None if nothing is shown.
    """
    if not shown:
        yield None
        return
    over, started = threading.Event(), time.monotonic()

    def tell(seconds: float) -> None:
        click.echo(f"\r\033[K{label}, {seconds:.0f} s ", err=True, nl=False)

    def tick() -> None:
        while not over.wait(1.0):
            tell(time.monotonic() - started)

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        over.set()
        thread.join()
        click.echo("\r\033[K", err=True, nl=False)
