"""``polygeom ideal``: the equations of a neurovariety."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from polygeom.commands.inputs import takes_maps
from polygeom.commands.limits import check_timeout, crew, shows_progress, takes_workers, ticking
from polygeom.commands.printing import keep_certificate
from polygeom.errors import PolygeomError
from polygeom.storage.durable import output_file, write_file
from polygeom.supervision import parse_memory
from polygeom.supervision.alarm import last_resort

if TYPE_CHECKING:
    from polygeom.ideal import IdealResult, Neurovariety
    from polygeom.ideal.search.records import DegreeReport
    from polygeom.ideal.search.search import Search

SHOWN_TERMS = 12
"""Terms of an equation that are printed before the rest is summarised."""
SHOWN_WEIGHTS = 12
"""Weights of one degree that are printed before the rest is summarised."""
SEARCH = 0.6
"""Share of the time that the search for equations may take where they are compared afterwards."""
COMPARED = {("same", None): 0, ("contained", True): 1, ("different", None): 1, ("contained", None): 3}
"""Exit status for what a comparison says: its relation, and whether the ideal is smaller."""
FORMATS = ("m2", "singular", "oscar", "sage", "magma", "msolve", "mrdi")


@click.command()
@click.argument("network", metavar="NETWORK", required=False)
@click.option("--max-degree", type=int, help="Last degree; else until nothing seems missing.")
@click.option("--method", default="auto", metavar="auto|interpolation|elimination", help="How equations are found.")
@click.option("--timeout", type=float, help="Seconds; 60 if there is no --max-degree.")
@click.option("--memory", metavar="SIZE", help="Most memory for the matrices of one weight space, such as 2GB.")
@takes_workers("Processes; the numbers do not depend on it.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random points.")
@click.option("--lift", type=int, help="Largest degree in which equations are written out and proved.")
@click.option("--journal", metavar="FILE", help="Keep finished degrees in FILE and go on from there.")
@click.option("--out", metavar="FILE", help="Write all equations to FILE, one a line.")
@click.option("--export", "language", metavar="|".join(FORMATS), help="Print the ideal for another system instead.")
@click.option("--certificate", metavar="FILE", help="Write a certificate that polygeom verify checks.")
@click.option("--compare", metavar="FILE", help="Say whether the ideal in FILE, of any system, is this one.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@takes_maps
def ideal(network: str, language: str | None, certificate: str | None, as_json: bool, **options: Any) -> int:
    """Equations of the neurovariety of NETWORK: minimal generators of its ideal over the rationals.

    Equations are found degree by degree and proved to vanish; the answer says up to which degree nothing is missing,
    and whether that is proved for all degrees. NETWORK is written as for polygeom dim.

    With --compare FILE the ideal in a file of Macaulay2, Singular, Sage, OSCAR, Magma or msolve is compared: the exit
    status is 0 for the same ideal, 1 for one that is smaller or different, 3 where it is unknown whether all equations
    are in the file.
    """
    from polygeom.ideal import Neurovariety

    if language is not None and language not in FORMATS:
        raise PolygeomError(f"--export must be one of {', '.join(FORMATS)}, got {language!r:.40}; write --export m2")
    for name, path in (("--out", options["out"]), ("--certificate", certificate)):
        if path is not None:
            output_file(path, name)
    check_timeout(options["timeout"])
    if options["dask"] is not None and options["method"] == "elimination":
        raise PolygeomError("--dask belongs to interpolation; leave it out or write --method interpolation")
    # The process of an elimination ends by itself.
    limit = None if options["method"] == "elimination" else options["timeout"]
    with crew(options["dask"], options["workers"]) as (executor, workers), last_resort(limit):
        variety = Neurovariety(network, rng=options["seed"], workers=workers, executor=executor)
        return _run(variety, language, certificate, as_json, options)


def _compare(variety: Neurovariety, file: str, as_json: bool, options: dict[str, Any]) -> int:
    """Search, then compare with the ideal of a file."""
    from polygeom.exchange.comparison import compare
    from polygeom.exchange.ideals import read_ideal_file

    equations = read_ideal_file(file, variety.network)
    seconds = options["timeout"]
    ends = None if seconds is None else time.monotonic() + seconds
    limits = {name: options[name] for name in ("max_degree", "lift", "journal")}
    timeout = None if seconds is None else SEARCH * seconds
    with ticking("looking for equations", shows_progress(options["quiet"])):
        search = variety.search(timeout=timeout, memory=parse_memory(options["memory"]), **limits)
        found = compare(equations, search, deadline=ends, rng=options["seed"])
    click.echo(json.dumps(found.as_dict()) if as_json else str(found))
    return COMPARED[found.relation, found.strict]


def _run(
    variety: Neurovariety, language: str | None, certificate: str | None, as_json: bool, options: dict[str, Any]
) -> int:
    """Search, write and print within the options."""
    if options["compare"] is not None:
        if language is not None or certificate is not None or options["out"] is not None:
            raise PolygeomError("--compare only compares; leave out --export, --certificate and --out")
        return _compare(variety, options["compare"], as_json, options)
    limits = {"timeout": options["timeout"], "memory": parse_memory(options["memory"])}
    search = None
    shown = shows_progress(options["quiet"])
    if options["method"] == "elimination":
        with ticking("eliminating", shown):
            result = variety.ideal("elimination", **limits)
    else:
        progress = _progress if shown else None
        extra = {name: options[name] for name in ("max_degree", "lift", "journal")}
        result = variety.ideal(options["method"], **limits, **extra, progress=progress)
        search = variety.found
    if options["out"] is not None:
        equations = "".join(f"{g.polynomial}\n" for g in result.generators)
        write_file(options["out"], equations.encode("ascii"), "--out")
    if certificate is not None:
        _certify(search, certificate)
    click.echo(_output(result, search, language, as_json), nl=False)
    return 0 if result.ended == "ok" else 1


def _progress(report: DegreeReport) -> None:
    largest = max((s.monomials for s in report.spaces), default=0)
    click.echo(
        f"degree {report.degree}: {len(report.spaces)} weight spaces of up to {largest} monomials, "
        f"{report.new} new generators, {report.elapsed:.1f} s",
        err=True,
    )


def _output(result: IdealResult, search: Search | None, language: str | None, as_json: bool) -> str:
    if language is not None:
        from polygeom.exchange.export import export

        text = export(result, language)
        return text if text.endswith("\n") else text + "\n"
    if as_json:
        return json.dumps(result.as_dict()) + "\n"
    return "\n".join([*_head(result, search), *_degrees(result, search), *_tail(result, search)]) + "\n"


def _head(result: IdealResult, search: Search | None) -> list[str]:
    lines = [f"{result.coordinates.network}: {len(result.coordinates.names)} coordinates, {_names(result)}"]
    if search is not None:
        size = search.dimension
        lines.append(f"dimension {size.dimension} ({size.status})")
    return lines


def _names(result: IdealResult) -> str:
    names = result.coordinates.names
    return ", ".join(names) if len(names) <= 6 else f"{names[0]}, {names[1]}, …, {names[-1]}"


def _degrees(result: IdealResult, search: Search | None) -> list[str]:
    lines: list[str] = []
    representations = {} if search is None else search.representations()
    for degree, count in result.degrees.items():
        own = [g for g in result.generators if g.degree == degree]
        proved = sum(g.proved_member for g in own)
        state = "all proved" if proved == count else f"{proved} written out and proved"
        lines.append(f"degree {degree}: {count} generator{'s' * (count > 1)}, {state}")
        highest = representations.get(degree)
        for weight, times in list((highest or {}).items())[:SHOWN_WEIGHTS]:
            lines.append(f"  highest weight {_weight(weight, search)}{f', {times} times' if times > 1 else ''}")
        if highest is not None and len(highest) > SHOWN_WEIGHTS:
            lines.append(f"  and {len(highest) - SHOWN_WEIGHTS} more highest weights")
        lines += [f"  {_summary(g.polynomial)}" for g in own[: 1 if count > 3 else 3]]
        if len(own) > (1 if count > 3 else 3):
            lines.append(f"  and {len(own) - 1} more; write --out FILE for all of them")
    return lines


def _weight(weight: tuple[int, ...], search: Search | None) -> str:
    """Outputs and inputs of a weight, separated by a semicolon."""
    assert search is not None
    grading = search.interpolation.grading
    ends = [0, grading.outputs, grading.outputs + grading.inputs, len(weight)]
    parts = [weight[a:b] for a, b in pairwise(ends) if b > a]
    return "(" + "; ".join(",".join(map(str, part)) for part in parts) + ")"


def _summary(polynomial: Any) -> str:
    text = str(polynomial)
    terms = len(polynomial)
    if terms <= SHOWN_TERMS:
        return text
    shown = str(polynomial.ring.from_dict(dict(polynomial.terms()[:SHOWN_TERMS])))
    return f"{shown} … ({terms} terms)"


def _tail(result: IdealResult, search: Search | None) -> list[str]:
    lines = []
    if result.hilbert_function:
        lines.append(f"Hilbert function {', '.join(map(str, result.hilbert_function))}, …")
    argument = None if search is None else search.completeness
    if argument is not None:
        lines.append(f"degree {argument.degree}, h-vector {', '.join(map(str, argument.h_vector))} (proved)")
    lines.append(result.completeness)
    if result.ended != "ok":
        lines.append(f"not finished ({result.ended}): {result.message}")
    return lines


def _certify(search: Search | None, path: str) -> None:
    from polygeom.ideal.proofs.certificate import certify

    if search is None:
        raise PolygeomError("--certificate is for interpolation; leave out --method elimination")
    keep_certificate(certify(search), path)
