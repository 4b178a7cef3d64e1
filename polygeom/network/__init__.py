"""What a polynomial network is: layers, graphs, families and their text. No arithmetic, no files."""

from polygeom.network.builder import (
    Builder,
    as_network,
    ccp,
    convolutional,
    lightning_attention,
    linear,
    mlp,
    ncp,
    parse,
    product_network,
    write,
)
from polygeom.network.graph import Network
from polygeom.network.layers import (
    LAYERS,
    Attention,
    Bias,
    Convolution,
    Dense,
    Flatten,
    Input,
    Layer,
    Polynomial,
    Power,
    Product,
    Scale,
    Sum,
)
from polygeom.network.nodes import Node
from polygeom.network.ranges import Range, expand

__all__ = [
    "LAYERS",
    "Attention",
    "Bias",
    "Builder",
    "Convolution",
    "Dense",
    "Flatten",
    "Input",
    "Layer",
    "Network",
    "Node",
    "Polynomial",
    "Power",
    "Product",
    "Range",
    "Scale",
    "Sum",
    "as_network",
    "ccp",
    "convolutional",
    "expand",
    "lightning_attention",
    "linear",
    "mlp",
    "ncp",
    "parse",
    "product_network",
    "write",
]
