"""Questions to tables: conditions on rows, conjectures, histograms and maps, shapes of architectures as columns."""

from polygeom.tables.conditions import select, sorted_by, with_shape
from polygeom.tables.conjectures import CONJECTURES, contradictions, survey, with_minimal_filling
from polygeom.tables.maps import defect_histogram, width_map, with_explanation

__all__ = [
    "CONJECTURES",
    "contradictions",
    "defect_histogram",
    "select",
    "sorted_by",
    "survey",
    "width_map",
    "with_explanation",
    "with_minimal_filling",
    "with_shape",
]
