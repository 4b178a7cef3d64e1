"""Bounds for networks of any kind by the space in which polynomials in the values at a cut lie."""
