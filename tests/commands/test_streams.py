"""Standard streams that are closed, full, or ended by their reader: a word and a status, never a stack trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NETWORK = "[2,2,1] r=2"
TWO = ("standard output is closed; write > FILE", 2)


def shell(redirection: str, *arguments: str, text: str = "") -> tuple[int, str, str]:
    """Status, standard output and standard error of a command with a redirection of the shell."""
    command = f'exec "$@" {redirection}'
    done = subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, "-m", "polygeom", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},  # as users have it
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_closed_standard_output_is_refused_before_any_work() -> None:
    for arguments in (["dim", "[40,40,40,40,1] r=3"], ["--help"]):
        status, _, told = shell(">&-", *arguments)
        assert (status, told.count("\n")) == (2, 1)
        assert "standard output is closed; write > FILE" in told


def test_a_closed_standard_input_is_refused_where_it_is_read(tmp_path: Path) -> None:
    status, _, told = shell("<&-", "dim", "-")
    assert (status, told) == (2, "polygeom: -: standard input is closed; write networks as arguments, or - < FILE\n")
    status, answer, _ = shell("<&-", "dim", NETWORK)
    assert (status, answer.splitlines()[0]) == (0, f"{NETWORK}: dimension 3 (proved)")


@pytest.mark.thorough
def test_a_closed_standard_error_takes_nothing_away(tmp_path: Path) -> None:
    """And nothing that is meant for it ends in a file that took its number."""
    out = tmp_path / "table.csv"
    status, answer, told = shell("2>&-", "sweep", NETWORK, "--out", str(out))
    assert (status, told) == (0, "")
    assert "1 networks, 1 proved" in answer
    assert out.read_text().splitlines()[1].startswith(f'"{NETWORK[:6]}')
    assert shell("2>&-", "dim", "bad") == (2, "", "")


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_told() -> None:
    status, _, told = shell(">/dev/full", "dim", NETWORK)
    assert status == 2
    assert told.startswith("polygeom: cannot go on with standard output: No space left on device; make room")
    for arguments in (["dim", "bad"], ["dim", "--no-such-option"], ["no-such-command"]):
        assert shell("2>/dev/full", *arguments) == (2, "", "")


def test_a_reader_that_has_gone_is_no_fault() -> None:
    done = subprocess.run(
        ["sh", "-c", '("$@"; echo $? >&2) | true', "sh", sys.executable, "-m", "polygeom", "dim", NETWORK],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == "0\n"
