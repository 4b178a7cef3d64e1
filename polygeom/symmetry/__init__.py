"""Symmetries of a network's weights: scalings, exponents, and how many parameters they make redundant."""
