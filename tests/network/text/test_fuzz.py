"""Whatever the text, reading gives a network or says what to write; whatever the network, its text reads back."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from network import examples

from polygeom.errors import FormatError
from polygeom.network import Network, expand, parse
from polygeom.network.builder import write

KEYS = ["format", "version", "nodes", "layer", "inputs", "shares", "dims"]

arbitrary_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.sampled_from(["format", "version", "nodes", "layer", "inputs", "shares", "dims"]),
                st.text(max_size=4),
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


def read(text: str, how: Callable[[str], Any] = parse) -> Any:
    """What ``how`` gives for the text, or its `FormatError`."""
    try:
        return how(text)
    except FormatError as error:
        return error


def reads_or_says_what_to_write(text: str) -> None:
    result = read(text)
    if isinstance(result, Network):
        assert parse(write(result)) == result
    else:
        assert 0 <= result.position <= len(text)
        assert result.hint
        assert len(str(result)) < 1000


@given(st.one_of(st.text(max_size=60), st.text("[](),;=.|-r2 1x", max_size=30)))
@example("")
@example("\ufeff[2,3,1] r=2")
@example("[2,3,1] r=" + "9" * 10_000)
def test_arbitrary_text(text: str) -> None:
    reads_or_says_what_to_write(text)


@given(examples.mutated())
@settings(max_examples=300)
def test_mutated_text(text: str) -> None:
    reads_or_says_what_to_write(text)


@given(examples.mutated())
def test_mutated_ranges(text: str) -> None:
    result = read(text, expand)
    if isinstance(result, FormatError):
        assert result.hint
    else:
        assert result.count() >= 1
        assert isinstance(result[0], Network)


@given(arbitrary_json)
def test_arbitrary_json(value: Any) -> None:
    reads_or_says_what_to_write(json.dumps(value))
    reads_or_says_what_to_write(json.dumps({"format": "polygeom-network", "version": 1, "nodes": value}))
    reads_or_says_what_to_write(json.dumps({"format": "polygeom-network", "version": 1, "nodes": [value, value]}))


@given(st.data())
def test_mutated_json(data: st.DataObject) -> None:
    """One value of a valid record replaced by something else."""
    record = json.loads(data.draw(examples.networks).to_json())
    parent: Any = record
    key: Any = data.draw(st.sampled_from(sorted(parent)))
    while isinstance(parent[key], dict | list) and parent[key] and data.draw(st.booleans()):
        parent = parent[key]
        key = data.draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else range(len(parent))))
    parent[key] = data.draw(arbitrary_json)
    reads_or_says_what_to_write(json.dumps(record))


@given(examples.networks)
def test_every_network_has_a_text_that_reads_back(network: Network) -> None:
    text = write(network)
    assert parse(text) == network
    assert write(parse(text)) == text
    assert parse(network.to_json()) == network == Network.from_json(network.to_json())
    assert hash(parse(text)) == hash(network)
    assert pickle.loads(pickle.dumps(network)) == network
    assert text.isascii()
