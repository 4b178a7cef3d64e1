"""What a polynomial network is: layers, graphs, families and their text. No arithmetic, no files."""

from polygeom.network.builder import Builder
from polygeom.network.families import (
    ccp,
    convolutional,
    lightning_attention,
    linear,
    mlp,
    ncp,
    product_network,
)
from polygeom.network.graph import Network, Node
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
from polygeom.network.text.notation import parse, write
from polygeom.network.text.ranges import Range, expand

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
