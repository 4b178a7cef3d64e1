"""Many tasks: each in a process that can be killed, results stored durably as they come, tables at the end.

The package can be called like its main function: ``polygeom.sweep(["[2,3,1] r=2", "[3,3,3] r=2"], timeout=60)``.
"""

import sys

if sys.platform == "win32":
    raise ImportError("polygeom.sweep needs processes of Linux or macOS; on Windows run polygeom inside WSL")

from polygeom._callable import make_callable
from polygeom.supervision import Limits, Outcome, Status, StopSignal, Supervisor
from polygeom.sweep.crew import supervise
from polygeom.sweep.entry import sweep, table_of_journal
from polygeom.sweep.journal import Journal, read_journal, salvage_journal
from polygeom.sweep.task import KINDS, Kind, Task
from polygeom.tables.published import published_paths, read_published_format, write_published_format
from polygeom.tables.table import COLUMNS, NAMES, SCHEMA, TIMINGS, Column, read_table, write_table

__all__ = [
    "sweep",
    "Task",
    "Kind",
    "KINDS",
    "Status",
    "Limits",
    "Outcome",
    "Supervisor",
    "StopSignal",
    "supervise",
    "Journal",
    "read_journal",
    "salvage_journal",
    "table_of_journal",
    "Column",
    "COLUMNS",
    "NAMES",
    "TIMINGS",
    "SCHEMA",
    "read_table",
    "write_table",
    "read_published_format",
    "write_published_format",
    "published_paths",
]

make_callable(__name__)
