"""The version, in a file that imports nothing: every other file can read it."""

__version__ = "0.1.0"
"""Of this package, as in ``pip show``."""
