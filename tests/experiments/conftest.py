"""The fixture that tests of studies ask for when they do not test the pool of workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from experiments.here import in_this_process


@pytest.fixture
def here() -> Iterator[None]:
    """Studies measure their cases in this process."""
    with in_this_process():
        yield
