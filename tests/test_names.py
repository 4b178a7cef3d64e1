"""The public names: few enough to hold in the head, and the page about them is true."""

from __future__ import annotations

import pytest
from here import of_the_repository

pytest.importorskip("torch", reason="the extra learn")

from polygeom.testing.names import ROOMS, names, page


def test_the_page_of_names_is_current() -> None:
    written = of_the_repository("docs/api/names.md").read_text(encoding="utf-8")
    assert written == page(), "python -m polygeom.testing.names > docs/api/names.md"


def test_there_are_at_most_180_names_with_one_line_each() -> None:
    found = list(names())
    assert 100 < len(found) <= 180
    assert {room for room, _, _ in found} <= set(ROOMS)
    assert [name for _, name, line in found if not line.endswith((".", ":", "``")) or len(line) < 10] == []
