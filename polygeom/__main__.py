"""``python -m polygeom`` is the command line."""

from polygeom.cli import main

main()
