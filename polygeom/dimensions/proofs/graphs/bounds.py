"""Upper bounds for programs of any kind: every step of the proof, of the network and of its parts."""

from __future__ import annotations

from collections.abc import Callable

from polygeom.dimensions.proofs import maps, rules
from polygeom.dimensions.proofs.graphs.steps import GRAPH_RULES
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.monomials import coefficients_that_vary
from polygeom.dimensions.proofs.programs import Program, read
from polygeom.dimensions.proofs.symmetries import degree_set, gauge, homogenised, one_token
from polygeom.errors import CertificateError


def bound_holds(program: Program, claim: rules.Step, budget: Budget) -> bool:
    """Whether an upper bound for the dimension of the neurovariety of a program is proved by its steps.

    Raises
    ------
    BudgetError
        If the check does not fit into the budget.
    """
    if claim.network:
        return False
    if program.formulas is not None:
        plain = not (claim.widths or claim.degrees or claim.layer or claim.parts or claim.fields or claim.equations)
        return plain and _bound_of_map(program.formulas, claim, budget)
    if claim.widths:
        return claim.case == (program.widths, program.degrees) and rules.holds(claim, budget)
    pending, seen = [(program, claim)], 0
    while pending:
        one, step = pending.pop()
        seen += 1
        budget.step("the proof of the upper bound", 1000.0 * one.entries)
        if seen > rules.MOST_STEPS:
            return False
        if (step.fields and step.rule != "vector fields") or (step.equations and step.rule != "equations"):
            return False
        if step.degrees or not _instance(one, step, budget):
            return False
        for part in step.parts:
            if part.widths and not rules.holds(part, budget):
                return False
            if not part.widths:
                pending.append((read(part.network), part))
    return True


def _bound_of_map(formulas: maps.Map, claim: rules.Step, budget: Budget) -> bool:
    if claim.rule == "ambient":
        return claim.value >= formulas.varying
    weights = len(formulas.parameters)
    return claim.rule == "symmetries" and claim.value >= weights - maps.gauge(formulas, weights - claim.value, budget)


def _instance(program: Program, step: rules.Step, budget: Budget) -> bool:
    check = _FOR_PROGRAMS.get(step.rule) or GRAPH_RULES.get(step.rule)
    if check is None:
        return _believed(program.text, step)
    try:
        return check(program, step, budget)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        if isinstance(error, CertificateError):
            raise
        return False


def _ambient(program: Program, step: rules.Step, budget: Budget) -> bool:
    every = program.outputs * sum(rules.monomials(program.inputs, d) for d in degree_set(program, budget))
    value = step.value
    return _leaf(step) and (value == every or (value < every and value >= coefficients_that_vary(program, budget)))


def _homogenised(program: Program, step: rules.Step, _: Budget) -> bool:
    if step.layer or len(step.parts) != 1:
        return False
    return step.parts[0].case == homogenised(program) and step.parts[0].value == step.value


def _one_token(program: Program, step: rules.Step, _: Budget) -> bool:
    return _leaf(step) and step.value == one_token(program)


def _symmetries(program: Program, step: rules.Step, budget: Budget) -> bool:
    return _leaf(step) and step.value >= program.weights - gauge(program, budget)


def _leaf(step: rules.Step) -> bool:
    return not step.parts and not step.layer


_FOR_PROGRAMS: dict[str, Callable[[Program, rules.Step, Budget], bool]] = {
    "ambient": _ambient,
    "symmetries": _symmetries,
    "one token": _one_token,
    "homogenised": _homogenised,
}


def _believed(text: str, step: rules.Step) -> bool:
    """Whether a step is an instance of a rule that somebody added to polygeom, as that rule states itself."""
    from polygeom.dimensions.bounds.bound import RULES
    from polygeom.network import Network, parse

    rule = RULES.get(step.rule)
    if rule is None or rule.networks is None:
        return False
    parts: list[object] = [parse(part.network) if part.network else part.case for part in step.parts]
    for one in rule.networks(parse(text)):
        cases = [(x.widths, x.activation_degrees) if isinstance(x, Network) and x.widths else x for x in one.parts]
        if (one.constant + sum(part.value for part in step.parts), one.layer, cases) == (step.value, step.layer, parts):
            return True
    return False


def added(step: rules.Step) -> list[str]:
    """Names of the rules that the checker does not know and believes, if they are there."""
    pending, names = [step], set()
    while pending:
        one = pending.pop()
        names.add(one.rule)
        pending += one.parts
    return sorted(names - rules.NAMES - _FOR_PROGRAMS.keys() - GRAPH_RULES.keys())
