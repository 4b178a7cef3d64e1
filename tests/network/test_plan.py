"""The compiled plan: what it says, that every engine runs it, and that it lets go of what is no longer read."""

from __future__ import annotations

import pickle
import weakref
from typing import Any

import numpy as np
import pytest

from polygeom.engines.exact import ExactEngine
from polygeom.network import Network, families, parse
from polygeom.network.text import notation
from polygeom.testing import formulas
from polygeom.testing.zoo import case


def test_a_plan_is_the_network_step_by_step() -> None:
    plan = parse("x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2,shares=a); sum(a,c)").plan
    assert [step.layer.kind for step in plan.steps] == ["dense", "power", "dense", "sum"]
    assert [step.inputs for step in plan.steps] == [(0,), (1,), (2,), (1, 3)]
    assert [step.weights for step in plan.steps] == [(("W", "W1"),), (), (("W", "W1"),), ()]
    assert [step.done for step in plan.steps] == [(0,), (), (2,), (1, 3)]
    assert plan.steps[3].shapes == ((2,), (2,))
    assert dict(plan.fan_in) == {"W1": 2}


def test_a_network_is_compiled_once_and_engines_run_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    network = parse("x=input(3); a=dense(x,2); b=power(a,2); c=sum(a,b); dense(c,1)")
    assert network.plan is network.plan
    assert network.plan.steps is network.plan.steps
    c = case(network, np.random.default_rng(0))
    expected = formulas.evaluate(network, c.weights, c.points)
    monkeypatch.setattr("polygeom.network.plan.compile_nodes", None)
    value = network.evaluate(ExactEngine(), c.weights, c.points)
    assert value.tolist() == expected.tolist()


class _Tracked(ExactEngine):
    """Counts the values that are alive when one is made."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: weakref.WeakSet[Any] = weakref.WeakSet()
        self.most = 0

    def power(self, x: Any, exponent: int) -> Any:
        value = super().power(x, exponent).view(_Array)
        self.alive.add(value)
        self.most = max(self.most, len(self.alive))
        return value


class _Array(np.ndarray):
    """An array that can be referred to weakly and hashed by identity."""

    __hash__ = object.__hash__


def test_values_are_let_go_after_their_last_use() -> None:
    text = "x0=input(1); " + "; ".join(f"x{k + 1}=power(x{k},1)" for k in range(12)) + "; dense(x12,1)"
    engine = _Tracked()
    parse(text).evaluate(engine, {"W1": engine.encode([[2]])}, engine.encode([[3]]))
    assert engine.most <= 2


def test_a_pickle_carries_the_nodes_alone() -> None:
    network = parse("[2,3,1] r=2")
    _ = network.plan.steps
    assert len(pickle.dumps(network)) < 500
    assert pickle.loads(pickle.dumps(network)).plan.parameters == network.plan.parameters


def test_families_and_texts_work_on_nodes() -> None:
    nodes = families.mlp((2, 3, 1), 2)
    assert isinstance(nodes, tuple)
    assert notation.write(nodes) == "[2,3,1] r=2"
    assert Network(nodes) == parse("[2,3,1] r=2")
