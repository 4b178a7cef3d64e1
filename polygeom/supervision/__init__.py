"""Work in processes that can be stopped: deadlines and memory limits that hold whatever the work does."""

import sys
from typing import TYPE_CHECKING

from polygeom._lazy import attach

if sys.platform == "win32":
    raise ImportError("polygeom.supervision needs processes of Linux or macOS; on Windows run polygeom inside WSL")

if TYPE_CHECKING:
    from polygeom.supervision.alone import run_alone
    from polygeom.supervision.crew import LocalCrew
    from polygeom.supervision.interrupts import Interrupts
    from polygeom.supervision.job import Call, Job, Outcome, Status
    from polygeom.supervision.limits import Limits, parse_memory, parse_timeout
    from polygeom.supervision.process import StopSignal
    from polygeom.supervision.supervisor import Supervisor

__all__ = [
    "Call",
    "Job",
    "Outcome",
    "Status",
    "Limits",
    "parse_memory",
    "parse_timeout",
    "Supervisor",
    "StopSignal",
    "LocalCrew",
    "run_alone",
    "Interrupts",
]

# Who names a status or a limit starts no process.
__getattr__, __dir__ = attach(
    __name__,
    {
        "Call": "polygeom.supervision.job",
        "Interrupts": "polygeom.supervision.interrupts",
        "Job": "polygeom.supervision.job",
        "Limits": "polygeom.supervision.limits",
        "LocalCrew": "polygeom.supervision.crew",
        "Outcome": "polygeom.supervision.job",
        "Status": "polygeom.supervision.job",
        "StopSignal": "polygeom.supervision.process",
        "Supervisor": "polygeom.supervision.supervisor",
        "parse_memory": "polygeom.supervision.limits",
        "parse_timeout": "polygeom.supervision.limits",
        "run_alone": "polygeom.supervision.alone",
    },
)
