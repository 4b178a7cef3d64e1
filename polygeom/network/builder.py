"""Ways to make a network: from a text, as a member of a family, node by node."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from polygeom.checks import is_integer
from polygeom.errors import PolygeomError
from polygeom.network import families, models
from polygeom.network.graph import Network
from polygeom.network.nodes import Nodes, Wiring
from polygeom.network.text import notation

_P = ParamSpec("_P")
_LONGEST_CACHED = 300


class Builder(Wiring):
    """Put a network together node by node; `add` returns the number of the new node.

    Parameters
    ----------
    dims:
        Shape of an input point: an integer for vectors, or a tuple.

    Examples
    --------
    >>> from polygeom.network import Builder, Dense, Product
    >>> b = Builder(2)
    >>> left, right = b.add(Dense(3), b.input), b.add(Dense(3), b.input)
    >>> b.network(b.add(Dense(1), b.add(Product(), left, right))).degree
    2
    """

    def network(self, output: int) -> Network:
        """The network that computes node ``output``, nodes renumbered in the order in which the output needs them."""
        return Network(self.nodes(output))


def parse(text: str) -> Network:
    """The network that ``text`` describes.

    Parameters
    ----------
    text:
        A multilayer perceptron, a family, a program or JSON; see `polygeom.network.text.notation` and the page
        "Networks" of the documentation.

    Raises
    ------
    FormatError
        When the text does not follow the grammar or describes no network; it carries the position and what to write.

    Examples
    --------
    >>> parse("[2,3,1] r=2").parameter_count
    9
    >>> parse("x=input(2); a=dense(x,3); b=power(a,2); dense(b,1)") == parse("[2, 3, 1] r=2")
    True
    """
    if isinstance(text, str) and len(text) <= _LONGEST_CACHED:
        return _parse_cached(text)
    return _parse(text)


def as_network(network: Any, name: str = "network") -> Network:
    """A `Network` as it is, and the network that a text describes: what functions of networks begin with.

    Raises
    ------
    PolygeomError
        For anything else: a module of torch, a list of widths.

    Examples
    --------
    >>> as_network("[2,3,1] r=2").widths
    (2, 3, 1)
    """
    if isinstance(network, Network):
        return network
    if isinstance(network, str):
        return parse(network)
    hint = "write '[2,3,1] r=2'"
    if isinstance(network, list | tuple) and all(is_integer(width) for width in network):
        hint = f"widths alone say no degree; write '[{','.join(map(str, network))}] r=2' or mlp({list(network)}, 2)"
    elif isinstance(getattr(network, "network", None), Network):
        hint = f"write {name}=module.network"
    elif callable(getattr(network, "state_dict", None)):
        hint = (
            "a torch module is no polynomial network as such; write the network as text, or use "
            "polygeom.learning.tangent.jacobian and numerical_rank, which take modules"
        )
    raise PolygeomError(f"{name} must be a Network or its text, got {type(network).__name__}; {hint}")


def _parse(text: str) -> Network:
    nodes = notation.read(text)
    with notation.pointing_at(text):
        return Network(nodes)


_parse_cached = functools.lru_cache(maxsize=4096)(_parse)


def write(network: Network) -> str:
    """The canonical text of ``network``: equal networks have equal texts, and ``parse`` gives the network back.

    A network equal to an `mlp` is written in brackets, one equal to another family as its call, any other as a program.

    Examples
    --------
    >>> write(parse(" [2, 3, 3, 1]  r=2,2"))
    '[2,3,3,1] r=2'
    """
    return network.text


def _network(family: Callable[_P, Nodes]) -> Callable[_P, Network]:
    """The family with networks as its values."""

    @functools.wraps(family)
    def function(*args: _P.args, **kwargs: _P.kwargs) -> Network:
        return Network(family(*args, **kwargs))

    function.__module__ = __name__
    function.__annotations__ = {**family.__annotations__, "return": "Network"}
    return function


mlp = _network(families.mlp)
linear = _network(families.linear)
ccp = _network(families.ccp)
ncp = _network(families.ncp)
product_network = _network(families.product_network)
convolutional = _network(families.convolutional)
lightning_attention = _network(families.lightning_attention)
convolutional2d = _network(models.convolutional2d)
group_convolutional = _network(models.group_convolutional)
multihead_attention = _network(models.multihead_attention)
transformer_block = _network(models.transformer_block)
graph_network = _network(models.graph_network)
kan = _network(models.kan)
rational_mlp = _network(models.rational_mlp)
