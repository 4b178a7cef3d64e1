"""One kind of progress bar, on a terminal and in Jupyter."""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec
from typing import Any

_WIDTH = 100


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    found = sys.modules.get("IPython")
    shell = None if found is None else found.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def bar(total: int | None, name: str, *, unit: str = "", show: bool = True) -> Any:
    """A bar of tqdm without a thread that watches it, or one that shows nothing.

    Parameters
    ----------
    total, name, unit:
        How much there is to do, and in which words.
    show:
        Whether it is seen. It goes to standard error; in Jupyter it is a widget where ipywidgets is installed, and
        elsewhere a line of text that is written over.
    """
    notebook = in_notebook()
    if notebook and find_spec("ipywidgets") is not None:
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0

    Bar.set_lock(threading.RLock())  # tqdm's own lock would hold a semaphore until the program ends
    shape = {"ncols": _WIDTH} if notebook else {"dynamic_ncols": True}
    hidden = not show or sys.stderr is None
    return Bar(total=total, desc=name, unit=unit, smoothing=0, file=sys.stderr, disable=hidden, **shape)


__all__ = ["bar", "in_notebook"]
