#!/usr/bin/env bash
# The figures of the paper, from the atlas and from a study: pip install ".[learn,plot]", then paper/figures.sh
set -euo pipefail
cd "$(dirname "$0")"
python - <<'PYTHON'
from pathlib import Path

from polygeom import load_atlas
from polygeom.experiments.folders import draw
from polygeom.report.plots import plot_map

draw(lambda atlas: plot_map(atlas, "[3,*,*,1]", 2, "defect"), load_atlas(), Path(), "defects")
PYTHON
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
polygeom study descent-in-dimension --preset quick --repeats 3 --out "$folder/study"
cp "$folder"/study/descent-in-dimension.png descent.png
rm defects.svg  # defects.png stays
