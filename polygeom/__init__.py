"""polygeom: dimensions, equations and training behaviour of polynomial neural networks."""

__version__ = "0.1.0"
