"""``polygeom study``: run a study; its table, figure and configuration go to a folder."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from polygeom.errors import PolygeomError
from polygeom.experiments import STUDIES

if typing.TYPE_CHECKING:
    import pandas

_COMMON = [
    click.Option(["--preset"], default="quick", show_default=True, help="Configuration to start from."),
    click.Option(["--repeats"], type=int, metavar="N", help="Number of seeds.  [default: the preset's own]"),
    click.Option(["--seed"], type=int, default=0, show_default=True, help="The first seed."),
    click.Option(
        ["--device"], default="auto", show_default=True, help="cpu, cuda, or auto for the best that the study can use."
    ),
    click.Option(["--workers"], type=int, default=1, show_default=True, help="Cases measured at the same time."),
    click.Option(["--timeout"], type=float, metavar="SECONDS", help="Deadline of one case."),
    click.Option(["--retry"], multiple=True, metavar="STATUS", help="Measure cases of this status again."),
    click.Option(["--out"], metavar="DIR", help="Folder for the results.  [default: the study's name]"),
    click.Option(["-q", "--quiet"], is_flag=True, help="No progress and no summary."),
]
"""Options of every study, before those of its configuration."""


class _Studies(click.Group):
    """One subcommand for each study, made from its configuration when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(STUDIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _command(cmd_name) if cmd_name in STUDIES else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Studies"):
            formatter.write_dl([(name, describe(name)) for name in STUDIES])


@click.group(cls=_Studies, invoke_without_command=True)
@click.option("--list", "listing", is_flag=True, help="Names and descriptions of the studies.")
@click.pass_context
def study(context: click.Context, listing: bool) -> None:
    """Run a study and write config.json, a table (CSV) and a figure (PNG) to a folder.

    \b
      polygeom study                                   the list of studies
      polygeom study NAME --help                       the options of one
      polygeom study NAME --preset quick --workers 2 --out DIR

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
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def _command(name: str) -> click.Command:
    from polygeom.experiments.study import load

    module = load(name)
    hints = typing.get_type_hints(module.Config)
    quick = module.PRESETS["quick"]
    own = [_option(one, hints[one.name], getattr(quick, one.name)) for one in dataclasses.fields(module.Config)]
    presets = ", ".join(module.PRESETS)

    def call(**given: Any) -> int:
        changes = {one.name: given.pop(one.name) for one in dataclasses.fields(module.Config)}
        return _run(name, {key: value for key, value in changes.items() if value is not None}, **given)

    return click.Command(
        name,
        callback=call,
        params=[*_COMMON, *own],
        help=f"{describe(name)}\n\nPresets: {presets}. Options without a value keep that of the preset.",
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
        return lambda text: tuple(entry(part.strip()) for part in text.split(",") if part.strip())
    return hint  # type: ignore[no-any-return]


NONE = object()
"""An explicit ``none`` on the command line, as opposed to an option that was not given."""


def _metavar(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        return f"{_metavar(typing.get_args(hint)[0])},…"
    if type(None) in typing.get_args(hint):
        return f"{_metavar(next(part for part in typing.get_args(hint) if part is not type(None)))}|none"
    return {int: "N", float: "X", str: "TEXT"}.get(hint, "VALUE")


def _run(
    name: str,
    changes: dict[str, Any],
    preset: str,
    repeats: int | None,
    seed: int,
    device: str,
    workers: int,
    timeout: float | None,
    retry: tuple[str, ...],
    out: str | None,
    quiet: bool,
) -> int:
    from polygeom.experiments import study as framework

    module = framework.load(name)
    changes = {key: None if value is NONE else value for key, value in changes.items()}
    config = framework.configuration(module, preset, **changes)
    repeats = getattr(module, "REPEATS", {}).get(preset, 1) if repeats is None else repeats
    device = framework.usable_device(module, device)
    target = framework.folder(name if out is None else out)
    _write_config(target, name, preset, config, repeats, seed, device)
    table = framework.run(
        module,
        config,
        repeats=repeats,
        seed=seed,
        device=device,
        workers=workers,
        out=target,
        timeout=timeout,
        progress=False if quiet else None,
        retry=retry,
    )
    written = ["config.json", *_write_table(module, table, target, name), *_draw_all(module, table, target, name)]
    if not quiet:
        click.echo(module.summarise(table))
        click.echo(f"written to {target}: {', '.join(written)}", err=True)
    return _tell_failures(table)


def _write_config(target: Path, name: str, preset: str, config: Any, repeats: int, seed: int, device: str) -> None:
    from polygeom.sweeps.environment import environment

    data = {"study": name, "preset": preset, "config": dataclasses.asdict(config), "repeats": repeats, "seed": seed}
    data |= {"device": device, "environment": environment()}
    try:
        (target / "config.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise PolygeomError(f"out: cannot write to {target}: {error.strerror}") from error


def _write_table(module: Any, table: pandas.DataFrame, target: Path, name: str) -> list[str]:
    """The table as CSV; rows with an array go into an archive of numpy instead, under the words in their columns."""
    import numpy as np

    written, keys = [f"{name}.csv"], getattr(module, "ARRAYS", None)
    if keys is not None and "data" in table:
        with_array = table["data"].notna()
        rows = table[with_array]
        names = rows[["seed", *keys]].astype(str).agg("/".join, axis=1)
        arrays: dict[str, Any] = {key: np.asarray(d) for key, d in zip(names, rows["data"], strict=True)}
        np.savez_compressed(target / f"{name}.npz", **arrays)
        table = table[~with_array].dropna(axis="columns", how="all")
        written.append(f"{name}.npz")
    table.to_csv(target / f"{name}.csv", index=False)
    return written


def _draw_all(module: Any, table: pandas.DataFrame, target: Path, name: str) -> list[str]:
    """The figure of a study, and its further ones: their file names."""
    figures = {name: module.plot}
    figures |= {f"{name}-{label}": function for label, function in getattr(module, "FIGURES", {}).items()}
    for label, function in figures.items():
        draw(function, table, target / f"{label}.png")
    return [f"{label}.png" for label in figures]


def draw(plot: Callable[[Any], Any], table: pandas.DataFrame, path: Path) -> None:
    """Save what a function draws, without a display."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}):
        drawn = plot(table)
        figure = getattr(drawn, "figure", drawn)
        figure.savefig(path, dpi=110, bbox_inches="tight")
        plt.close(figure)


def _tell_failures(table: pandas.DataFrame) -> int:
    failures = table.attrs["failures"]
    for failure in failures[:10]:
        case = ", ".join(f"{key}={value}" for key, value in failure["case"].items() if not isinstance(value, dict))
        click.echo(f"polygeom: {failure['status']}: {failure['message']} ({case})", err=True)
    if failures:
        click.echo(f"polygeom: {len(failures)} cases failed and are not in the table", err=True)
    return 1 if failures else 0
