"""``polygeom portrait``: everything about one network on one page."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

import click

from polygeom.commands.inputs import takes_maps
from polygeom.commands.limits import check_timeout
from polygeom.errors import MissingPackageError
from polygeom.storage.durable import output_file, write_file

DRAWING = 3.0
"""Seconds of the time for a page that are kept for its figures."""
OTHER_FIRST = "polygeom.commands.pages.portrait.other_first"
"""Where the command notes the order of its networks."""


class _Ordered(click.Command):
    """A command that knows whether OTHER, of ``--compare``, was written before NETWORK."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        written = [word.partition("=")[0] for word in args]
        place = written.index("--compare") if "--compare" in written else len(args)
        words = list(args)
        rest = super().parse_args(ctx, args)
        ctx.meta[OTHER_FIRST] = ctx.params["network"] in words[place:]
        return rest


@click.command(cls=_Ordered)
@click.argument("network", required=False)
@click.option("--html", "html_file", metavar="FILE", help="Also write the page, with figures, as one HTML file.")
@click.option("--json", "as_json", is_flag=True, help="Print the page as JSON.")
@click.option("--no-training", is_flag=True, help="Leave out what is measured by training.")
@click.option(
    "--timeout",
    default=40.0,
    show_default=True,
    help="Seconds for the page; what is not finished then is left out and named.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of all random choices.")
@click.option(
    "--compare",
    metavar="OTHER",
    help="Compare with another network, question by question, in the order in which they are written.",
)
@takes_maps
def portrait(
    network: str,
    html_file: str | None,
    as_json: bool,
    no_training: bool,
    timeout: float,
    seed: int,
    compare: str | None,
) -> None:
    """One page about NETWORK, or a map or model from a file: its dimension with proof, defect, identifiability,
    equations, the spectrum of its tangent kernel, and two small training experiments.

    Training needs the extra learn and figures need the extra plot; without torch the page has the algebra alone.
    """
    from polygeom.report import portrait as compute

    if html_file is not None:
        if find_spec("matplotlib") is None:
            raise MissingPackageError("--html", "matplotlib")
        output_file(html_file, "--html")
    check_timeout(timeout)
    drawing = 0.0 if html_file is None else min(DRAWING, timeout / 4)
    share = (timeout - drawing) / (1 if compare is None else 2)
    training = False if no_training else None
    page: Any = compute(network, training=training, timeout=share, rng=seed)
    if compare is not None:
        from polygeom.report.comparison import Comparison

        other = compute(compare, training=training, timeout=share, rng=seed)
        first, second = (other, page) if click.get_current_context().meta[OTHER_FIRST] else (page, other)
        page = Comparison(first, second)
    if html_file is not None:
        write_file(html_file, page.to_html().encode(), "--html")
    click.echo(json.dumps(page.as_dict()) if as_json else page.to_text(), nl=as_json)
    if html_file is not None:
        click.echo(f"written to {html_file}", err=True)
