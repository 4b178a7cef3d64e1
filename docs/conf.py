"""Sphinx settings for the documentation of polygeom."""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number

import polygeom
from polygeom.dimensions import formulas
from polygeom.dimensions.bounds.catalogue import catalogue
from polygeom.network.text.catalogue import layer_table
from polygeom.tables import families, frontiers

if TYPE_CHECKING:
    from sphinx.application import Sphinx

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
html_math_renderer = "mathml"  # formulas that browsers draw themselves: no script, no network
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


def describe_returns(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Put the annotated type above a Returns section written as prose, the form that napoleon expects."""
    for start, line in enumerate(lines[:-1]):
        if line == "Returns" and lines[start + 1].startswith("---"):
            end = next((i for i in range(start, len(lines)) if not lines[i].strip()), len(lines))
            prose = [f"    {part}" for part in lines[start + 2 : end]]
            lines[start + 2 : end] = [str(inspect.signature(obj).return_annotation), *prose]
            return


def insert_registers(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the rules for upper bounds and the layers, as the registers hold them, where a page asks for them."""
    if name == "bounds":
        source[0] = source[0].replace("<!-- rules of polygeom.dimensions.bounds -->", catalogue())
    if name == "formulas":
        source[0] = source[0].replace("<!-- formulas of polygeom.dimensions -->", formulas.catalogue())
        tables = families.catalogue(Path(__file__).parent / "dimensions")
        source[0] = source[0].replace("<!-- tables of polygeom.tables.families -->", tables)
    if name == "frontier":
        table = frontiers.shown(frontiers.read(Path(__file__).parent / "frontiers.csv"))
        source[0] = source[0].replace("<!-- table of polygeom.tables.frontiers -->", table)
    if name == "networks":
        source[0] = source[0].replace("<!-- layers of polygeom.network -->", layer_table())


def inline_formula(writer: Any, node: Any) -> None:
    """A formula in a line, as MathML."""
    writer.body.append(convert(node.astext()))
    raise SkipNode


def displayed_formula(writer: Any, node: Any) -> None:
    """A formula on its own, as MathML, with its number if it has one."""
    number = f'<span class="eqno">({get_node_equation_number(writer, node)})</span>' if node["number"] else ""
    writer.body.append(f'<div class="math">{number}{convert(node.astext(), display="block")}</div>')
    raise SkipNode


def setup(app: Sphinx) -> None:
    """Connect ahead of napoleon, whose priority is the default of 500."""
    app.add_html_math_renderer("mathml", (inline_formula, None), (displayed_formula, None))
    app.connect("autodoc-process-docstring", describe_returns, priority=400)
    app.connect("source-read", insert_registers)
