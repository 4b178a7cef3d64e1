"""The monomials that the outputs of a small network may have, one by one: every input is a group of its own."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from polygeom.errors import PolygeomError
from polygeom.network.ambient.degrees import Multidegrees
from polygeom.network.ambient.spans import Ambient, evaluated

MOST_INPUTS = 12


@lru_cache(maxsize=4096)
def monomial_space(network: Any) -> Ambient | None:
    """As `polygeom.network.ambient.spans.ambient`, monomial by monomial; None where there are too many, or poles.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> monomial_space(parse("x=input(2); a=power(x,2); b=dense(x,2); c=dense(a,2); product(b,c)")).dimension
    8
    """
    if network.input_dimension > MOST_INPUTS:
        return None
    try:
        return evaluated(network, Multidegrees(tuple((j,) for j in range(network.input_dimension))))
    except PolygeomError:
        return None
