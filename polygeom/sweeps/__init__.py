"""Many tasks of any kind: each in a process that can be killed, results stored durably as they come.

Nothing here knows what a task computes. `polygeom.tables.dimensions` makes tables of dimensions with it, and
`polygeom.experiments` measures the cases of its studies.
"""

import sys
from typing import TYPE_CHECKING

from polygeom._lazy import attach

if sys.platform == "win32":
    raise ImportError("polygeom.sweeps needs processes of Linux or macOS; on Windows run polygeom inside WSL")

if TYPE_CHECKING:
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

# Who follows paths or computes ranks beside others needs crews and tasks, and nothing that keeps journals.
__getattr__, __dir__ = attach(
    __name__,
    {
        "Journal": "polygeom.sweeps.journal",
        "Plan": "polygeom.sweeps.run",
        "Task": "polygeom.sweeps.task",
        "perform": "polygeom.sweeps.run",
        "read_journal": "polygeom.sweeps.journal",
        "salvage_journal": "polygeom.sweeps.journal",
        "supervise": "polygeom.sweeps.crew",
    },
)
