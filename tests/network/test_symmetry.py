"""Symmetries against formulas from the literature."""

from __future__ import annotations

import pytest

from polygeom.network import linear, mlp, parse


@pytest.mark.parametrize("widths", [(3, 2, 3), (2, 3, 1), (4, 2, 3, 5), (1, 5, 5, 1), (2, 2)])
def test_linear_networks_have_determinantal_dimension(widths: tuple[int, ...]) -> None:
    network, m = linear(widths), min(widths)
    assert network.parameter_count - network.gauge == m * (widths[0] + widths[-1] - m)


@pytest.mark.parametrize("widths", [(2, 3, 1), (3, 4, 5, 2), (1, 1, 1, 1)])
def test_perceptrons_lose_one_parameter_for_each_hidden_neuron(widths: tuple[int, ...]) -> None:
    assert mlp(widths, 2).gauge == sum(widths[1:-1])
    assert mlp(widths, 2, bias=True).gauge == sum(widths[1:-1])


@pytest.mark.parametrize(("d", "a", "outputs"), [(3, 2, 4), (3, 5, 2), (2, 1, 1), (12, 7, 3)])
def test_one_attention_layer(d: int, a: int, outputs: int) -> None:
    network = parse(f"x=input(2,{d}); attention(x,{a},{outputs})")
    a = min(a, d)
    assert network.parameter_count - network.gauge == a * (2 * d - a) + d * outputs - 1
