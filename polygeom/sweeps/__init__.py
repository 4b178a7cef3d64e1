"""Many tasks of any kind: each in a process that can be killed, results stored durably as they come.

Nothing here knows what a task computes. `polygeom.tables.dimensions` makes tables of dimensions with it, and
`polygeom.experiments` measures the cases of its studies.
"""

import sys

if sys.platform == "win32":
    raise ImportError("polygeom.sweeps needs processes of Linux or macOS; on Windows run polygeom inside WSL")

from polygeom.sweeps.crew import supervise
from polygeom.sweeps.journal import Journal, read_journal, salvage_journal
from polygeom.sweeps.run import Plan, perform
from polygeom.sweeps.task import Task

__all__ = [
    "Journal",
    "Plan",
    "Task",
    "perform",
    "read_journal",
    "salvage_journal",
    "supervise",
]
