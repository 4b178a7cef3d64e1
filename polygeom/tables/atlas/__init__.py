"""The atlas: a table of every multilayer perceptron in a box of widths, depths and activation degrees, ready to use.

`load_atlas` reads the table that comes with the package; `polygeom.tables.atlas.build` computes it anew.
"""

from polygeom.tables.atlas.table import BOX, DEGREES, load_atlas

__all__ = ["BOX", "DEGREES", "load_atlas"]
