"""Which study takes data and networks of the user's own: read off the options, for the page of the studies."""

from __future__ import annotations

import dataclasses

from polygeom.experiments.registry import STUDIES
from polygeom.experiments.study import load

IMAGES = ("image", "images")
REASONS = {
    "anisotropy": "the inputs are made: one direction separates the classes",
    "coordinate-waves": "the frequencies of the signal must be known",
    "descent-in-dimension": "widths of squares; targets are drawn",
    "extrapolation": "the function must be known outside the training region",
    "interpolation-threshold": "targets are drawn",
    "kernel-spectrum": "widths of one family, whose limit is known",
    "learnable-functions": "targets are drawn",
    "learning-coefficient": "a teacher is drawn",
    "network-vs-ntk": "widths of one family, whose limit is known",
    "preferred-strata": "a teacher is drawn",
    "real-solutions": "targets are drawn",
    "teacher-recovery": "a teacher is drawn",
    "visual-analogy": "the pictures are made with their analogies",
}
"""Why a study has no data of the user's own."""


def networks_of(name: str) -> str:
    """The option of a study that takes networks of the user's own, with what it takes; empty if none does."""
    for one in dataclasses.fields(load(name).config):
        if one.metadata.get("own"):
            return f"`--{one.name}` factory or text"
        if one.name == "networks" and one.type not in ("bool", bool):
            return "`--networks` text"
    return ""


def data_of(name: str) -> str:
    """The option of a study that takes data of the user's own; empty if none does."""
    for one in dataclasses.fields(load(name).config):
        if one.name == "data":
            return "`--data` file or folder"
        if one.name in IMAGES and "path" in one.metadata["help"]:
            return f"`--{one.name}` picture"
    return ""


def table() -> str:
    """The table of the page, in Markdown."""
    lines = ["| study | data of your own | networks of your own |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {data_of(name) or REASONS[name]} | {networks_of(name) or 'widths and kinds'} |" for name in STUDIES
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
