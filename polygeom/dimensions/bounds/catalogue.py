"""The rules for upper bounds as a page: what the documentation shows is what the register holds."""

from __future__ import annotations

from polygeom.dimensions.bounds import rules as _rules  # noqa: F401 - fills the register
from polygeom.dimensions.bounds.bound import RULES, Rule


def catalogue() -> str:
    """Every rule of the register in Markdown: a table of names, meanings and sources, then the statements with proofs.

    >>> print(catalogue().splitlines()[2])
    | *parameters* | perceptrons | weights minus scalings |  |
    """
    lines = ["| rule | for | because of | source |", "| --- | --- | --- | --- |"]
    lines += [f"| *{r.name}* | {_subjects(r)} | {r.meaning} | {r.source} |" for r in RULES.values()]
    for rule in RULES.values():
        lines += ["", f"## {rule.name}", "", rule.statement.strip()]
    return "\n".join(lines) + "\n"


def _subjects(rule: Rule) -> str:
    names = (("perceptrons", rule.perceptrons), ("networks", rule.networks))
    return ", ".join(name for name, instances in names if instances is not None)
