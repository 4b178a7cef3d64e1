"""``polygeom study``: run a study; its table, figure and configuration go to a folder."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from polygeom.commands.limits import crew
from polygeom.experiments.registry import STUDIES

if typing.TYPE_CHECKING:
    from polygeom.experiments.study import Study

_COMMON = [
    click.Option(["--preset"], help="Configuration to start from.  [default: quick]"),
    click.Option(["--config", "config_file"], metavar="FILE", help="Repeat the run that this config.json describes."),
    click.Option(["--repeats"], type=int, metavar="N", help="Number of seeds.  [default: the preset's own]"),
    click.Option(["--seed"], type=int, metavar="N", help="The first seed.  [default: 0]"),
    click.Option(["--device"], help="cpu, cuda, or auto for the best that the study can use.  [default: auto]"),
    click.Option(["--workers"], type=int, default=1, show_default=True, help="Cases measured at the same time."),
    click.Option(
        ["--dask"],
        metavar="ADDRESS",
        help="Measure on a dask cluster: its scheduler, or local for one on this machine.",
    ),
    click.Option(["--timeout"], type=float, metavar="SECONDS", help="Deadline of one case."),
    click.Option(["--retry"], multiple=True, metavar="STATUS", help="Measure cases of this status again."),
    click.Option(["--out"], metavar="DIR", help="Folder for the results.  [default: the study's name]"),
    click.Option(["--overwrite"], is_flag=True, help="Replace results of other options in that folder."),
    click.Option(["--keep-weights"], is_flag=True, help="Keep trained networks in the folder weights of DIR."),
    click.Option(["-q", "--quiet"], is_flag=True, help="No progress and no summary."),
]
"""Options of every study, before those of its configuration."""


class _Studies(click.Group):
    """One subcommand for each study, made from its configuration when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(STUDIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _command(cmd_name) if cmd_name in STUDIES or "." in cmd_name else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Studies"):
            formatter.write_dl([(name, describe(name)) for name in STUDIES])


@click.group(cls=_Studies, invoke_without_command=True)
@click.option("--list", "listing", is_flag=True, help="Names and descriptions of the studies.")
@click.pass_context
def study(context: click.Context, listing: bool) -> None:
    """Run a study and write config.json, a table (CSV) and figures (PNG and SVG) to a folder.

    \b
      polygeom study                                   the list of studies
      polygeom study NAME --help                       the options of one
      polygeom study NAME --preset quick --workers 2 --out DIR
      polygeom study NAME --config DIR/config.json --out AGAIN
      polygeom study package.module                    a study of another package

    Run the same command again to go on after an interruption: finished cases are not measured twice. Studies need the
    extras learn and plot.
    """
    if context.invoked_subcommand is None or listing:
        width = max(map(len, STUDIES), default=0)
        for name in STUDIES:
            click.echo(f"{name.ljust(width)}  {describe(name)}")
        context.exit(0)


def describe(name: str) -> str:
    """The first line of the docstring of a study, read without importing it."""
    import ast
    import importlib.util

    found = importlib.util.find_spec(STUDIES[name])
    source = Path(str(found and found.origin)).read_text(encoding="utf-8")
    try:  # what stands before the imports is parsed in a tenth of the time
        tree = ast.parse(re.split(r"^(?:from|import) ", source, maxsplit=1, flags=re.MULTILINE)[0])
    except SyntaxError:  # a line of the docstring begins like an import
        tree = ast.parse(source)
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def _command(name: str) -> click.Command:
    from polygeom.experiments.study import load

    study = load(name)
    fields = dataclasses.fields(study.config)
    hints = typing.get_type_hints(study.config)
    quick = study.presets["quick"]

    def call(**given: Any) -> int:
        changes = {one.name: given.pop(one.name) for one in fields}
        return _run(study, {key: value for key, value in changes.items() if value is not None}, **given)

    return click.Command(
        name,
        callback=call,
        params=[*_COMMON, *(_option(one, hints[one.name], getattr(quick, one.name)) for one in fields)],
        help=f"{study.description}\n\nPresets: {', '.join(study.presets)}. Options without a value keep that of the "
        "preset; one that has no effect is refused.",
    )


def _option(field: dataclasses.Field[Any], hint: Any, quick: Any) -> click.Option:
    """The option of the command line for one field of a configuration; None means: as in the preset."""
    flag, help_text = field.name.replace("_", "-"), field.metadata.get("help", "")
    if choices := field.metadata.get("choices"):
        help_text += f" One of: {', '.join(map(str, choices))}."
    shown = ",".join(map(str, quick)) if isinstance(quick, tuple) else str(quick).lower() if quick is None else quick
    if hint is bool:
        shown = flag if quick else f"no-{flag}"
    help_text += f"  [quick: {shown}]"
    if hint is bool:
        return click.Option([f"--{flag}/--no-{flag}", field.name], default=None, help=help_text)
    value = _Value(_reader(hint), field.name)
    return click.Option([f"--{flag}", field.name], type=value, metavar=_metavar(hint), help=help_text)


class _Value(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Text that is read by a function."""

    name = "value"

    def __init__(self, read: Callable[[str], Any], field: str) -> None:
        self._read, self._field = read, field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._read(value)
        except ValueError:
            self.fail(f"{value!r} is not what {self._field} takes", param, ctx)


def _reader(hint: Any) -> Callable[[str], Any]:
    """From text to a value of a type: numbers, text, tuples written with commas, and none where None is allowed."""
    arguments = typing.get_args(hint)
    if type(None) in arguments:
        inner = _reader(next(part for part in arguments if part is not type(None)))
        return lambda text: NONE if text == "none" else inner(text)
    if typing.get_origin(hint) is tuple:
        entry = _reader(arguments[0])
        return lambda text: tuple(entry(part.strip()) for part in split_list(text) if part.strip())
    return hint  # type: ignore[no-any-return]


def split_list(text: str) -> list[str]:
    """The entries of a list with commas, of which those inside brackets belong to an entry.

    Examples
    --------
    >>> split_list("relu:8,[64,3,1] r=2,ccp(64,rank=2,degree=2)")
    ['relu:8', '[64,3,1] r=2', 'ccp(64,rank=2,degree=2)']
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


NONE = object()
"""An explicit ``none`` on the command line, as opposed to an option that was not given."""


def _metavar(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        return f"{_metavar(typing.get_args(hint)[0])},…"
    if type(None) in typing.get_args(hint):
        return f"{_metavar(next(part for part in typing.get_args(hint) if part is not type(None)))}|none"
    return {int: "N", float: "X", str: "TEXT"}.get(hint, "VALUE")


def _run(
    study: Study[Any, Any],
    changes: dict[str, Any],
    config_file: str | None,
    device: str | None,
    out: str | None,
    quiet: bool,
    workers: int,
    dask: str | None,
    **how: Any,
) -> int:
    from polygeom.experiments.running import run

    changes = {key: None if value is NONE else value for key, value in changes.items()}
    with crew(dask, workers) as (executor, count):
        result = run(
            study,
            config=config_file,
            device="auto" if device is None and config_file is None else device,
            out=study.name if out is None else out,
            progress=False if quiet else None,
            workers=count,
            executor=executor,
            **how,
            **changes,
        )
    if not quiet:
        click.echo(str(result))
        click.echo(f"written to {result.folder}: {', '.join(result.files)}", err=True)
    for failure in result.failures[:10]:
        case = ", ".join(f"{key}={value}" for key, value in dataclasses.asdict(failure["case"]).items())
        click.echo(f"polygeom: {failure['status']}: {failure['message']} ({case})", err=True)
    if result.failures:
        click.echo(f"polygeom: {len(result.failures)} cases failed and are not in the table", err=True)
    return 1 if result.failures else 0
