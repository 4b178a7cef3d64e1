"""Tables of many networks: how they are made, their files, and questions to them."""

from typing import TYPE_CHECKING

from polygeom._lazy import attach

if TYPE_CHECKING:
    from polygeom.tables.conditions import select, with_shape
    from polygeom.tables.conjectures import contradictions, with_minimal_filling
    from polygeom.tables.dimensions import sweep, table_of_journal
    from polygeom.tables.foreign import read_any
    from polygeom.tables.maps import defect_histogram, width_map, with_explanation
    from polygeom.tables.published import write_published_format
    from polygeom.tables.rechecking import recheck
    from polygeom.tables.table import read_table, write_table

__all__ = [
    "contradictions",
    "defect_histogram",
    "read_any",
    "read_table",
    "recheck",
    "select",
    "sweep",
    "table_of_journal",
    "width_map",
    "with_explanation",
    "with_minimal_filling",
    "with_shape",
    "write_published_format",
    "write_table",
]

# A question to a table loads nothing that makes one.
__getattr__, __dir__ = attach(
    __name__,
    {
        "contradictions": "polygeom.tables.conjectures",
        "defect_histogram": "polygeom.tables.maps",
        "read_any": "polygeom.tables.foreign",
        "read_table": "polygeom.tables.table",
        "recheck": "polygeom.tables.rechecking",
        "select": "polygeom.tables.conditions",
        "sweep": "polygeom.tables.dimensions",
        "table_of_journal": "polygeom.tables.dimensions",
        "width_map": "polygeom.tables.maps",
        "with_explanation": "polygeom.tables.maps",
        "with_minimal_filling": "polygeom.tables.conjectures",
        "with_shape": "polygeom.tables.conditions",
        "write_published_format": "polygeom.tables.published",
        "write_table": "polygeom.tables.table",
    },
)
