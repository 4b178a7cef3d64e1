#!/usr/bin/env bash
# Bertini 2 says of x - 10001 = 0 that it has no solution, and of x^2 - 100001 x + 100000 = 0 that it has one: solutions whose
# coordinates exceed 10^4 count as infinite, without a word in the answer. x - 9999 = 0 has one. (bertini2 4.0.0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q bertini2==4.0.0 numpy==2.4.6
cd "$folder"
cat > large.py <<'PYTHON'
import bertini


def count(polynomial):
    system = bertini.parse.system(f"variable_group x;\nfunction f;\nf = {polynomial};\n")
    return len(bertini.solve(system, seed=1, show_progress=False))


found = {f: count(f) for f in ("x - 9999", "x - 10001", "x^2 - 100001*x + 100000", "x^2 - 3000*x + 2000000")}
for polynomial, solutions in found.items():
    print(f"{polynomial} = 0: {solutions} solution(s)")
assert list(found.values()) == [1, 0, 1, 2], found
PYTHON
"$folder/venv/bin/python" large.py
