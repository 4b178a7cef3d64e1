#!/usr/bin/env bash
# The figures of the paper, from the atlas and from a study: pip install ".[learn,plot]", then paper/figures.sh
set -euo pipefail
cd "$(dirname "$0")"
python - <<'PYTHON'
import matplotlib

matplotlib.use("Agg")
from polygeom import load_atlas
from polygeom.report.plots import plot_map

axes = plot_map(load_atlas(), "[3,*,*,1]", 2, "defect")
axes.figure.savefig("defects.png", dpi=200, bbox_inches="tight")
PYTHON
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
polygeom study descent-in-dimension --preset quick --out "$folder/study"
cp "$folder"/study/*.png descent.png
