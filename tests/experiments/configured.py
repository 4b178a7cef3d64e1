"""Configurations of studies with small numbers everywhere, whether an option has an effect there or not."""

from __future__ import annotations

import dataclasses
from typing import Any

from polygeom.experiments.study import Study, check


def configured(study: Study[Any], preset: str = "quick", **changes: Any) -> Any:
    """A preset with some fields changed and checked, without asking whether they have an effect."""
    config = dataclasses.replace(study.presets[preset], **changes)
    check(config)
    return config
