"""Activation regions, their boundaries, and gradient confusion.

The names are imported when they are first used (``__init__.pyi`` says from where).
"""

from polygeom._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
