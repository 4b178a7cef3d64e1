"""Pages that lay dimension, equations and training behaviour of one network side by side."""

from __future__ import annotations

from polygeom.report.composition import portrait

__all__ = ["portrait"]
