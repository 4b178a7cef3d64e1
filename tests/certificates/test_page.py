"""The page about certificates names every field that a checker reads, and every rule, and none besides."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from polygeom.certificates import CHECKERS
from polygeom.dimensions.proofs import rules
from polygeom.dimensions.proofs.graphs import bounds

PAGE = Path(__file__).parents[2] / "docs" / "certificates.md"
COMMON = {"kind", "format", "version", "network"}


def structure(kind: str) -> Any:
    module, name = CHECKERS[kind]
    return msgspec.inspect.type_info(getattr(importlib.import_module(module), name))


def fields(record: Any, leaves: set[type], prefix: str = "") -> Iterator[str]:
    """Paths of the fields of a record, with those of the records in them and in lists; ``leaves`` are not opened."""
    for field in record.fields:
        kinds, many = [field.type], ""
        if isinstance(field.type, msgspec.inspect.ListType):
            kinds, many = [field.type.item_type], "[]"
        if isinstance(field.type, msgspec.inspect.UnionType):
            kinds = [*field.type.types]
        records = [k for k in kinds if isinstance(k, msgspec.inspect.StructType) and k.cls not in leaves]
        path = prefix + field.encode_name
        if not records:
            yield path
        for inner in records:
            if inner.tag_field is not None:
                yield f"{path}{many}.{inner.tag_field}"
            yield from fields(inner, leaves | {inner.cls}, f"{path}{many}.")


def section(kind: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## The certificate of an? {kind}\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    assert found, kind
    return found[1]


def named(text: str) -> list[str]:
    """The fields in the first column of the table ``field | checked how``."""
    table = text.split("| field | checked how |\n")[1].split("\n\n")[0]
    return [name for row in table.splitlines() for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


@pytest.mark.parametrize("kind", CHECKERS)
def test_every_field_is_on_the_page_once(kind: str) -> None:
    other = {structure(k).cls for k in CHECKERS if k != kind} | ({rules.Step} if kind == "frontier" else set())
    wanted = sorted(set(fields(structure(kind), other)))
    assert sorted(named(section(kind))) == wanted
    assert {"claim.count"} & {*wanted} or {"claim.lower", "claim.counts"} & {*wanted}  # records are opened
    assert {*wanted} >= COMMON


def test_every_rule_is_on_the_page() -> None:
    """Rules of perceptrons are those of the page on dimensions."""
    text = section("dimension")
    rows = {
        name for row in re.findall(r"^\| (\*[^|]+) \|", text, re.MULTILINE) for name in re.findall(r"\*(.+?)\*", row)
    }
    assert rows - {*bounds._FOR_PROGRAMS, *bounds.GRAPH_RULES, *rules.NAMES} == set()
    assert {*bounds._FOR_PROGRAMS, *bounds.GRAPH_RULES} - rows == set()
