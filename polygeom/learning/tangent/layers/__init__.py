"""Derivatives layer by layer: where weights meet data, and the ways to inner products of what they add."""
