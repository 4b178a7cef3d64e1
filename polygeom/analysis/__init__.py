"""Questions to tables: conditions on rows, and the shapes of architectures as columns."""

from polygeom.analysis.conditions import select, sorted_by, with_shape

__all__ = ["select", "sorted_by", "with_shape"]
