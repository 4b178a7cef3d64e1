#!/usr/bin/env bash
# MonodromySolver's `monodromySolve` with its defaults finds 1, 3 or 9 of the nine solutions of {x^3 - a, y^3 - b}, by the
# seed, and says no word; of two cubics, one in x and one in y, with all eight coefficients as parameters, 2, 3 or 9. It walks
# on one fixed graph of four edges between two random systems, and ends when these bring nothing new. (MonodromySolver 1.16
# of Macaulay2 1.26.06, in the wheel passagemath-macaulay2 10.8.13)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q passagemath-macaulay2==10.8.13
cd "$folder"
cat > powers.m2 <<'M2'
needsPackage "MonodromySolver"
counts = L -> apply(8, k -> (setRandomSeed(k + 1); length (first monodromySolve polySystem L).PartialSols))
R = CC[a, b][x, y]
few = counts {x^3 - a, y^3 - b}
S = CC[a_1 .. a_8][x, y]
dense = counts {a_1 + a_2*x + a_3*x^2 + a_4*x^3, a_5 + a_6*y + a_7*y^2 + a_8*y^3}
print("package " | (options MonodromySolver).Version)
print("two constants are parameters: " | toString few | ", all coefficients: " | toString dense | "; true 9")
if max few > 9 or number(few, n -> n < 9) < 4 or number(dense, n -> n < 9) < 4 then exit 1
M2
M2=$(find "$folder/venv" -path '*sage_wheels/bin/M2' | head -1)
"$M2" --script powers.m2 2>/dev/null
