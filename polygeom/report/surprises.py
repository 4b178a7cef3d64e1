"""Questions about polynomial networks whose quick answers are wrong, each with the truth, its reason and its command.

The table is data, `surprises.json` beside this file: one source for the page ``docs/surprises.md``, for portraits and
for tests, which run every command.

>>> row = surprises()[0]
>>> row.group, row.standing in STANDINGS
('size', True)
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import msgspec

from polygeom.errors import PolygeomError
from polygeom.network import Network, expand
from polygeom.network.builder import as_network
from polygeom.report.page import OBSERVED, PROVED, Fact, Section

Group = Literal["size", "equations", "counting", "training", "floating point", "other systems", "second route"]
Standing = Literal["theorem", "proved by computation", "probable", "observed"]

GROUPS = get_args(Group)
STANDINGS = get_args(Standing)
SCHEMA = 1


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command and what its output must contain.

    Attributes
    ----------
    command:
        Lines of a shell that begin with ``polygeom``, or of Python.
    shows:
        Texts that all occur in what it prints.
    """

    command: tuple[str, ...]
    shows: tuple[str, ...]

    @property
    def shell(self) -> bool:
        """Whether it is a command line and not Python."""
        return self.command[0].startswith("polygeom ")


class Surprise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question whose quick answer is wrong.

    Attributes
    ----------
    name:
        In lower case with hyphens.
    group:
        Where on the page.
    question, guess, truth:
        The question, the quick answer that fails, and the answer.
    why:
        At most two sentences.
    run:
        The command that answers, and what it prints.
    standing:
        ``"theorem"``, ``"proved by computation"``, ``"probable"``, or ``"observed"``, then with the spread.
    check:
        The second route, or over what the observation is spread.
    networks:
        Texts of the networks it is about, with ranges; portraits of these quote it.
    small:
        A smaller case of the same, where ``run`` takes long.
    needs:
        The extra that the command needs.
    figure:
        A file of ``docs/`` and its caption, with a bar between them; none if empty.
    """

    name: str
    group: Group
    question: str
    guess: str
    truth: str
    why: str
    run: Run
    standing: Standing
    check: str
    networks: tuple[str, ...] = ()
    small: Run | None = None
    needs: Literal["", "learn"] = ""
    figure: str = ""


class Hit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question whose quick answer is right: nobody needs to ask it again."""

    question: str
    answer: str
    run: Run
    needs: Literal["", "learn"] = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: int
    surprises: tuple[Surprise, ...]
    hits: tuple[Hit, ...]


@cache
def _table() -> _Table:
    content = files("polygeom.report").joinpath("surprises.json").read_bytes()
    table = msgspec.json.decode(content, type=_Table)
    if table.schema != SCHEMA:
        raise PolygeomError(f"surprises.json has the schema {table.schema}, this version reads {SCHEMA}")
    return table


def surprises() -> tuple[Surprise, ...]:
    """All questions, in the order of the page."""
    return _table().surprises


def hits() -> tuple[Hit, ...]:
    """Questions whose quick answers are right."""
    return _table().hits


def surprises_about(network: Network | str) -> tuple[Surprise, ...]:
    """The questions that are about a network.

    Examples
    --------
    >>> [row.name for row in surprises_about("[3,6,3] r=3")]
    ['two-sets-of-weights']
    """
    text = as_network(network).text
    return tuple(row for row in surprises() if any(text in _texts(family) for family in row.networks))


@cache
def _texts(family: str) -> frozenset[str]:
    return frozenset(network.text for network in expand(family))


def surprises_section(network: Network) -> Section | None:
    """What a portrait quotes: the questions about this network; None if there are none."""
    rows = surprises_about(network)
    if not rows:
        return None
    facts = tuple(
        Fact(
            row.question,
            row.truth,
            OBSERVED if row.standing in ("observed", "probable") else PROVED,
            f"{row.why} (The quick answer: {row.guess}.)",
        )
        for row in rows
    )
    return Section("Where good guesses are wrong", "", facts)


_HEAD = """# Surprises

Questions of this field whose quick answers, from memory or from a count of parameters, are wrong. Each has the command
that answers it, the reason, and what the answer rests on: a *theorem*; *proved by computation*, exact or with bounds
for all errors; *probable*, by a computation that could be wrong; or *observed*, then with the spread. A test runs every
command, and every number has a second, independent route or a spread.

The same as data: `polygeom.report.surprises.surprises()`, from `polygeom/report/surprises.json`; `polygeom portrait`
quotes what is about its network.
"""


def page() -> str:
    """The page ``docs/surprises.md``: ``python -m polygeom.report.surprises > docs/surprises.md``."""
    parts = [_HEAD]
    for group in GROUPS:
        rows = [row for row in surprises() if row.group == group]
        if rows:
            parts.append(f"## {group.capitalize()}\n")
            parts.extend(map(_block, rows))
    parts.append("## Where quick answers are right\n")
    parts.append("| question | answer | command |\n| --- | --- | --- |\n" + "".join(map(_line, hits())))
    return "\n".join(parts)


def _block(row: Surprise) -> str:
    standing = row.standing.capitalize()
    return (
        f"### {row.question}\n\n"
        f"Quick answer: {row.guess}. **Truth: {row.truth}.** {row.why}\n\n"
        f"{_fence(row.run)}\n"
        f"{standing}. {row.check}\n"
        f"{_picture(row.figure)}"
    )


def _picture(figure: str) -> str:
    file, _, caption = figure.partition("|")
    return f"\n![{caption}]({file})\n" if figure else ""


def _fence(run: Run) -> str:
    return "```" + ("sh" if run.shell else "py") + "\n" + "\n".join(run.command) + "\n```\n"


def _line(hit: Hit) -> str:
    command = "; ".join(hit.run.command).replace("|", "\\|")
    return f"| {hit.question} | {hit.answer} | `{command}` |\n"


__all__ = ["Hit", "Run", "Surprise", "hits", "page", "surprises", "surprises_about", "surprises_section"]

if __name__ == "__main__":
    print(page(), end="")
