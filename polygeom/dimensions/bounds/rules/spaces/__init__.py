"""Bounds by the space in which the functions of a layer lie."""
