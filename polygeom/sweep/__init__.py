"""Many tasks: each in a process that can be killed, results stored durably as they come, tables at the end."""

from polygeom.sweep.process import StopSignal
from polygeom.sweep.supervisor import Supervisor
from polygeom.sweep.task import Kind, Limits, Outcome, Status, Task

__all__ = ["Kind", "Limits", "Outcome", "Status", "StopSignal", "Supervisor", "Task"]
