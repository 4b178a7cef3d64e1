"""Memory that a computation is allowed, checked before anything large is made."""

from __future__ import annotations

import os

from polygeom.errors import BudgetError

_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def machine_memory() -> int:
    """Bytes of physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def require_memory(allowed: int | None, needed: int) -> None:
    """Raise unless ``needed`` bytes are allowed; None allows what the machine has.

    Raises
    ------
    BudgetError
        With the number of bytes to write instead.

    Examples
    --------
    >>> require_memory(None, 10**6)
    >>> require_memory(1000, 2_345_678)
    Traceback (most recent call last):
    polygeom.errors.BudgetError: memory: the Jacobian needs 2.3 MB, allowed are 1.0 kB; write memory=2400000 or more
    """
    if allowed is None:
        if needed > (most := machine_memory()):
            raise BudgetError(
                f"memory: the Jacobian needs {_bytes(needed)}, this machine has {_bytes(most)}; write a smaller network"
            )
    elif needed > allowed:
        unit = max(1, 10 ** (len(str(needed)) - 2))
        raise BudgetError(
            f"memory: the Jacobian needs {_bytes(needed)}, allowed are {_bytes(allowed)}; "
            f"write memory={-(-needed // unit) * unit} or more"
        )


def _bytes(number: int) -> str:
    for size, unit in _UNITS:
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} bytes"
