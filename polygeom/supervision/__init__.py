"""Work in processes that can be stopped: deadlines and memory limits that hold whatever the work does."""

import sys

if sys.platform == "win32":
    raise ImportError("polygeom.supervision needs processes of Linux or macOS; on Windows run polygeom inside WSL")

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
