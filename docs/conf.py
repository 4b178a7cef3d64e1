"""Sphinx settings for the documentation of polygeom."""

from __future__ import annotations

from importlib.util import find_spec

import polygeom

project = "polygeom"
author = "The polygeom developers"
copyright = "2026, The polygeom developers"
release = version = polygeom.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"  # `name` in a docstring links to what it names
autodoc_mock_imports = [name for name in ("torch", "sklearn", "matplotlib") if find_spec(name) is None]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"polygeom {release}"
