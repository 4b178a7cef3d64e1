"""The command line: parse, call, print. Each command lives in its own module, imported when it is used."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import click

from polygeom._version import __version__
from polygeom.errors import EXTRAS, MissingPackageError, PolygeomError

COMMANDS = {
    "dim": ("polygeom.commands.algebra.dim", "Dimension of the neurovariety of one or several networks."),
    "ideal": ("polygeom.commands.algebra.ideal", "Equations of the neurovariety of a network."),
    "degree": ("polygeom.commands.algebra.degree", "Degree of the neurovariety of a network."),
    "fibre": ("polygeom.commands.algebra.fibre", "How many weights give the same function."),
    "coefficient": (
        "polygeom.commands.algebra.coefficient",
        "Learning coefficient at generic weights or at a subnetwork, exactly.",
    ),
    "contains": ("polygeom.commands.algebra.contains", "Whether a function belongs to the neurovariety of a network."),
    "sweep": (
        "polygeom.commands.tables.sweep",
        "Dimensions of many networks, with deadlines, resumable, as a CSV table.",
    ),
    "table": ("polygeom.commands.tables.table", "Summarise, filter and question a table of a sweep."),
    "frontier": (
        "polygeom.commands.algebra.frontier",
        "All minimal filling architectures, with a proof of completeness.",
    ),
    "threshold": ("polygeom.commands.algebra.threshold", "For which activation degrees an architecture is defective."),
    "identifiability": (
        "polygeom.commands.algebra.identifiability",
        "Are the weights determined by the function, and why?",
    ),
    "explain": ("polygeom.commands.algebra.explain", "Why a network is smaller than expected."),
    "atlas": ("polygeom.commands.tables.atlas", "A ready table of all small architectures: read, check, rebuild."),
    "portrait": (
        "polygeom.commands.pages.portrait",
        "One page about a network: size, equations, and what training makes of it.",
    ),
    "verify": ("polygeom.commands.algebra.verify", "Check a certificate by an independent path."),
    "study": ("polygeom.commands.pages.study", "Run a study of trained networks: table and figure from one command."),
    "info": ("polygeom.commands.pages.info", "Versions, processor, BLAS and threads."),
}
"""Module and one-line help of every command; the module has a click command of the same name."""

BAD_INPUT = 2
INTERRUPTED = 130


class _LazyGroup(click.Group):
    """Commands by name from `COMMANDS`, so that ``polygeom --help`` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A network is written as its widths and activation degree: [2,3,1] r=2. See polygeom dim --help.",
)
@click.version_option(__version__, "-V", "--version", prog_name="polygeom")
def polygeom() -> None:
    """Polynomial neural networks: how big is the set of functions they express?

    \b
    Exit status: 0 all done or yes; 1 the answer is no (verify, contains, table --check), a limit was over before
    the end, or some networks of a list failed; 2 input that cannot be used; 3 unknown (contains, coefficient, verify,
    ideal --compare); 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; errors a user can mend are one message on standard error, never a stack trace."""
    status = run(arguments)
    try:
        sys.stderr.flush()
    except OSError:  # nobody can be told; the interpreter would end with a status of its own
        _forget(sys.stderr)
    sys.exit(status)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    _occupy_closed_streams()
    try:
        if sys.stdout is None:
            raise PolygeomError("standard output is closed; write > FILE, or > /dev/null if nobody is to read it")
        outcome: Any = polygeom.main(args=arguments, prog_name="polygeom", standalone_mode=False)
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        return BAD_INPUT
    except PolygeomError as error:
        problem = str(error)
    except MemoryError:
        problem = "not enough memory on this machine; write a smaller network, or limit it by --memory"
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        problem = str(MissingPackageError("this command", error.name))
    except (click.Abort, KeyboardInterrupt):
        _tell("interrupted")
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # the reader of a pipe has gone (click's word for it); nothing is wrong
        _forget(sys.stdout)
        return 0
    except OSError as error:
        _forget(sys.stdout)
        where = "standard output" if error.filename is None else error.filename
        problem = f"cannot go on with {where}: {error.strerror or error}; make room, or write to another place"
    _tell(problem)
    return BAD_INPUT


def _tell(text: str) -> None:
    """A line on standard error, if that can be written at all."""
    with contextlib.suppress(OSError):
        click.echo(f"polygeom: {text}", err=True)


def _forget(stream: TextIO) -> None:
    """Send what is left of the output nowhere, so that the interpreter does not complain about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _occupy_closed_streams() -> None:
    """Let no file that is opened later get the number of a standard stream that was closed when the program began.

    Whatever a library prints would go into it. What is told on a closed standard error is lost; reading a closed
    standard input and beginning with a closed standard output are refused in words where they happen.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it is open as long as we are
