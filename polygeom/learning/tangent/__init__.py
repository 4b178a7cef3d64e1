"""Tangent kernels, operators and linearised networks."""
