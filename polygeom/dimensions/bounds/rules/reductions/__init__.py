"""Bounds by smaller networks of the same kind."""
