"""The vocabulary of layers, one file a family. Every module in this folder and below is read: a new layer is one file.

A layer of another package is entered in `LAYERS` when its class is defined (`polygeom.network.layers.base.Layer`).
"""

from __future__ import annotations

from polygeom._lazy import import_below
from polygeom.network.layers.activation import Polynomial, Power
from polygeom.network.layers.arrangement import Concatenate, Gather, Slice
from polygeom.network.layers.attention import Attention
from polygeom.network.layers.base import LAYERS, Layer, Shape
from polygeom.network.layers.convolutions.convolution import Convolution
from polygeom.network.layers.convolutions.convolution2d import Convolution2d
from polygeom.network.layers.convolutions.group import GroupConvolution
from polygeom.network.layers.fixed import Fixed
from polygeom.network.layers.formula import Formula
from polygeom.network.layers.linear import Bias, Dense, Scale
from polygeom.network.layers.mixing import Edges, Matmul, Mix
from polygeom.network.layers.quotients import Inverse, Rational
from polygeom.network.layers.wiring import Flatten, Input, Product, Sum

import_below(__name__, __path__)

__all__ = [
    "Concatenate",
    "Convolution2d",
    "Edges",
    "Fixed",
    "Formula",
    "Gather",
    "GroupConvolution",
    "Inverse",
    "Matmul",
    "Mix",
    "Rational",
    "Slice",
    "LAYERS",
    "Attention",
    "Bias",
    "Convolution",
    "Dense",
    "Flatten",
    "Input",
    "Layer",
    "Polynomial",
    "Power",
    "Product",
    "Scale",
    "Shape",
    "Sum",
]
