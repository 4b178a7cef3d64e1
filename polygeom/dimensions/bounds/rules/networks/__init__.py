"""Bounds for networks that are not plain perceptrons."""
