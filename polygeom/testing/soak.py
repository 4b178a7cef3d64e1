"""Sweeps under every fault at once, for minutes or days, compared with the table of a sweep that nothing happened to.

``python -m polygeom.testing.soak --minutes 30`` repeats rounds. A round is one sweep in a fresh folder, which is
started again until it is done; on the way something happens to it at random times (a Poisson process):

parent, worker, keeper
    one of the processes is killed;
stop
    one of them is stopped, and goes on later or never;
interrupt
    the sweep gets SIGINT, SIGTERM or SIGHUP;
disk
    it writes to a file system that is full at some point, a small tmpfs, which is made room on before it is started
    again; or, where nothing can be mounted, under a limit on the size of files;
dask
    it runs on a cluster of this machine, and workers of the cluster are killed.

After each round the table must be, byte for byte, the one of the undisturbed sweep but for the timings; no row that was
in the journal once may be missing or different; and no process of the sweep may be left. The last line counts rounds
and faults; the status is 1 if anything was wrong.
"""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from polygeom._dataclass import dataclass, field
from polygeom.errors import PolygeomError
from polygeom.sweeps import read_journal
from polygeom.tables.table import TIMINGS
from polygeom.testing.marked import MARK, left_over, of_kind, send

FAMILIES = (
    *("[1..3,1..3,1..2] r=2", "[2,1..3,2,1..2] r=2", "[2,2,1] r=2..4"),
    *("[3,2..3,1] r=2 bias", "[2,2..3,1] p=0,1,1", "[3..5,3..5,3..5,1..2] r=2"),
)
KINDS = ("parent", "worker", "keeper", "stop", "interrupt", "mixed", "disk", "dask")
ROOM = (4, 40)
"""Kilobytes that are left on the small file system, between these."""
_LONG = 300
"""Seconds for one network in the last run of a round, and for that run: nothing takes as long."""


@dataclass
class Soak:
    """What has happened so far.

    Attributes
    ----------
    faults:
        How often what was done to a sweep.
    rounds, runs, rows:
        Finished rounds by kind; starts of a sweep; rows compared.
    wrong:
        What should not be, in words.
    """

    faults: Counter[str] = field(default_factory=Counter)
    rounds: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    rows: int = 0
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        """All of it as one line of JSON."""
        return json.dumps(
            {"rounds": self.rounds, "runs": self.runs, "faults": self.faults, "rows": self.rows, "wrong": self.wrong}
        )


@dataclass(frozen=True)
class Round:
    """One sweep in a folder of its own."""

    folder: Path
    token: str
    rng: random.Random
    soak: Soak
    options: tuple[str, ...] = ()

    @property
    def journal(self) -> Path:
        """Where the rows are."""
        return self.folder / "table.csv.journal"

    def command(self, *options: str) -> list[str]:
        """The sweep."""
        out = ("--out", str(self.folder / "table.csv"), "--workers", "2", "-q")
        return [sys.executable, "-m", "polygeom", "sweep", *FAMILIES, *out, *self.options, *options]

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        """Begin a run; its standard error is kept in a file."""
        self.soak.runs += 1
        with (self.folder / "errors").open("w") as errors:
            return subprocess.Popen(
                command, env={**os.environ, MARK: self.token}, stdout=subprocess.DEVNULL, stderr=errors, text=True
            )

    def rows(self) -> dict[str, Any]:
        """What the journal holds of finished tasks, without times."""
        if not self.journal.exists():
            return {}
        return {record["key"]: _timeless(record) for record in read_journal(self.journal)}

    def finish(self) -> None:
        """Run undisturbed to the end; what an earlier run gave up is tried again."""
        given_up = [part for status in ("crashed", "timeout", "memory") for part in ("--retry", status)]
        process = self.start(self.command("--timeout", str(_LONG), *given_up))
        try:
            process.wait(_LONG)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.returncode != 0:
            told = (self.folder / "errors").read_text().strip()[-300:]
            self.soak.wrong.append(f"{self.token}: the last run ended with {process.returncode}: {told}")


def _timeless(record: dict[str, Any]) -> Any:
    outcome = record["outcome"]
    if outcome["status"] != "ok":
        return None  # computed again by the last run
    return {name: value for name, value in outcome["result"].items() if name not in TIMINGS}


def stable_table(path: Path) -> str:
    """The text of a table without its timings, which is the same for every run."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [{k: v for k, v in row.items() if k not in TIMINGS} for row in csv.DictReader(stream)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def compare(one: Round, reference: str, seen: dict[str, Any]) -> None:
    """Say what is wrong after the last run of a round."""
    soak = one.soak
    try:
        table = stable_table(one.folder / "table.csv")
    except OSError as error:
        soak.wrong.append(f"{one.token}: no table: {error}")
        return
    soak.rows += len(table.splitlines()) - 1
    if table != reference:
        differing = sum(a != b for a, b in zip(table.splitlines(), reference.splitlines(), strict=False))
        soak.wrong.append(f"{one.token}: the table differs in {differing} lines from that of the undisturbed sweep")
    now = one.rows()
    lost = [key for key, row in seen.items() if row is not None and now.get(key) != row]
    if lost:
        soak.wrong.append(f"{one.token}: {len(lost)} acknowledged rows are lost or changed")
    if left := left_over(one.token):
        soak.wrong.append(f"{one.token}: processes are left: {left}")
    known = {"table.csv", "table.csv.journal", ".table.csv.partial", "errors"}
    if strange := sorted({path.name for path in one.folder.iterdir()} - known):
        soak.wrong.append(f"{one.token}: files are left: {strange}")


def strike(kind: str, process: subprocess.Popen[str], one: Round) -> None:
    """Do one thing to a running sweep."""
    rng = one.rng
    if kind == "mixed":
        kind = rng.choice(["parent", "worker", "worker", "keeper", "keeper", "stop", "stop", "interrupt"])
    if kind == "interrupt":
        number = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
        one.soak.faults[number.name] += send(process.pid, number)
        return
    for _ in range(100):  # workers take a while to start, and every run has some
        if (targets := of_kind(kind, process.pid, one.token)) or process.poll() is not None:
            break
        time.sleep(0.05)
    if not targets:
        return
    pid = rng.choice(targets)
    if kind != "stop":
        one.soak.faults[f"{kind} killed"] += send(pid, signal.SIGKILL)
        return
    if pid == process.pid or rng.random() < 0.7:
        if send(pid, signal.SIGSTOP):
            one.soak.faults["stopped for a while"] += 1
            time.sleep(rng.uniform(0.05, 2.0))
            send(pid, signal.SIGCONT)
    else:
        one.soak.faults["stopped for ever"] += send(pid, signal.SIGSTOP)


# Rounds


def disturbed(kind: str, one: Round, every: float) -> dict[str, Any]:
    """Run and disturb a sweep a few times; every row that was seen in the journal."""
    seen: dict[str, Any] = {}
    for _ in range(one.rng.randint(2, 4)):
        process = one.start(one.command("--timeout", "15"))
        ends = time.monotonic() + one.rng.uniform(5, 25)
        while process.poll() is None and time.monotonic() < ends:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(one.rng.expovariate(1 / every), ends - time.monotonic() + 0.01))
            if process.poll() is None:
                seen.update((key, row) for key, row in one.rows().items() if row is not None)
                strike(kind, process, one)
        if process.poll() is None:
            one.soak.faults["parent killed"] += 1
            process.kill()
        process.wait()
        if left := left_over(one.token):
            one.soak.wrong.append(f"{one.token}: processes are left after a run: {left}")
            for pid in left:
                send(pid, signal.SIGKILL)
        seen.update((key, row) for key, row in one.rows().items() if row is not None)
    return seen


def full_disk(one: Round) -> None:
    """A sweep on a small file system without much room, then with all of it, then copied to the folder."""
    small = one.folder / "small"
    small.mkdir()
    room, limit = one.rng.randint(*ROOM), "--timeout 60"
    sweep = " ".join(f"'{part}'" for part in one.command()).replace(str(one.folder), str(small))
    script = f"""
        mount -t tmpfs -o size=1m none '{small}' || exit 77
        dd if=/dev/zero of='{small}/filler' bs=1k count={1024 - room} 2>/dev/null
        {sweep} {limit} 2>'{one.folder}/errors'; status=$?
        rm '{small}/filler'
        cp '{small}/table.csv.journal' '{one.folder}/' 2>/dev/null
        exit $status
    """
    process = one.start(["unshare", "-Urm", "sh", "-c", script])
    _judge_full(one, process, "disk full")
    shutil.rmtree(small)


def large_file(one: Round) -> None:
    """A sweep whose files may not grow beyond a size, which fails as a full disk does."""
    limit = one.rng.randint(*ROOM)
    process = one.start(["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *one.command("--timeout", "60")])
    _judge_full(one, process, "file too large")


def _judge_full(one: Round, process: subprocess.Popen[str], name: str) -> None:
    try:
        status = process.wait(_LONG)
    except subprocess.TimeoutExpired:
        one.soak.wrong.append(f"{one.token}: {name}: no end after {_LONG} s")
        process.kill()
        process.wait()
        return
    told = (one.folder / "errors").read_text()
    if status == 0:
        one.soak.faults[f"{name}, but there was room"] += 1
        return
    one.soak.faults[name] += 1
    if status != 2 or not told.startswith("polygeom: ") or "Traceback" in told:
        one.soak.wrong.append(f"{one.token}: {name}: status {status} and {told.strip()[-300:]!r}")


def can_mount() -> bool:
    """Whether this user may mount a small file system of his own."""
    if shutil.which("unshare") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        command = ["unshare", "-Urm", "mount", "-t", "tmpfs", "-o", "size=64k", "none", folder]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def rounds(seed: int, kinds: tuple[str, ...]) -> Iterator[tuple[str, random.Random]]:
    """Kinds in random order, all of them before one comes again, each with its own randomness."""
    number = 0
    while True:
        order = list(kinds)
        random.Random(f"{seed} {number}").shuffle(order)
        for kind in order:
            number += 1
            yield kind, random.Random(f"{seed} {number} {kind}")


def soak(minutes: float, seed: int, every: float = 0.5, tell: Callable[[str], None] = print) -> Soak:
    """Repeat rounds until the time is over; the round that has begun is finished.

    Parameters
    ----------
    minutes, seed:
        How long, and where the randomness starts.
    every:
        Mean number of seconds between two faults.
    tell:
        Gets a line after each round.

    Raises
    ------
    PolygeomError
        Outside Linux, whose ``/proc`` is needed to find the processes of a round.
    """
    if sys.platform != "linux":
        raise PolygeomError("soak: processes are found in /proc, which Linux alone has; run it there")
    found, ends = Soak(), time.monotonic() + 60 * minutes
    kinds = tuple(k for k in KINDS if k != "dask" or importlib.util.find_spec("distributed") is not None)
    mounts = can_mount()
    tell(f"soak: kinds {', '.join(kinds)}; full disks by {'a small tmpfs' if mounts else 'a limit on files alone'}")
    with tempfile.TemporaryDirectory(prefix="polygeom-soak-") as name:
        base = Round(_made(Path(name) / "reference"), f"reference-{uuid.uuid4().hex}", random.Random(seed), found)
        base.finish()
        if found.wrong:
            return found
        reference = stable_table(base.folder / "table.csv")
        for kind, rng in rounds(seed, kinds):
            if time.monotonic() > ends:
                return found
            options = ("--dask", "local") if kind == "dask" else ()
            token = f"{kind}-{sum(found.rounds.values()) + 1}-{uuid.uuid4().hex[:8]}"
            one = Round(_made(Path(name) / token), token, rng, found, options)
            seen: dict[str, Any] = {}
            if kind == "disk":
                if mounts:
                    full_disk(one)
                large_file(one)
                seen = one.rows()
            else:
                seen = disturbed(kind, one, every)
            one.finish()
            compare(one, reference, seen)
            found.rounds[kind] += 1
            shutil.rmtree(one.folder)
            tell(found.line())
    return found


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@click.command()
@click.option("--minutes", default=30.0, show_default=True, help="How long.")
@click.option("--seed", default=0, show_default=True, help="Of all random choices but the times of the machine.")
@click.option("--every", default=0.5, show_default=True, help="Mean seconds between two faults.")
def main(minutes: float, seed: int, every: float) -> None:
    """Sweep under faults and compare with the table of an undisturbed sweep."""
    found = soak(minutes, seed, every, click.echo)
    click.echo(f"soak: {'nothing wrong' if not found.wrong else f'{len(found.wrong)} WRONG'}")
    raise SystemExit(1 if found.wrong else 0)


if __name__ == "__main__":
    main()
