#!/usr/bin/env bash
# `numericalImageDim` of NumericalImplicitization says of deep quadratic networks, by the seed, that they fill their space: widths
# 2,2,2,2,1 have dimension 7 of 9 and are given 9 at 2 of 30 seeds, widths 2,2,2,2,2,1 have 9 of 17 and are given 17 at 8 of 12.
# It cuts at the first gap of 10^5 between neighbouring singular values; those of a deep map fall without such a gap, and then
# it takes the whole space, in silence. The rank of the same Jacobian modulo 32003 is 7 and 9 at every seed.
# (NumericalImplicitization 2.2.0 of Macaulay2 1.26.06, in the wheel passagemath-macaulay2 10.8.13)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q passagemath-macaulay2==10.8.13
cd "$folder"
cat > depth.m2 <<'M2'
needsPackage "NumericalImplicitization"
forms = (w, K) -> (
    n := sum(#w - 1, l -> w#l * w#(l+1));
    t := symbol t;
    x := symbol x;
    S := K[t_1 .. t_n, x_1 .. x_(w#0)];
    R := K[t_1 .. t_n];
    k := -1;
    h := drop(gens S, n);
    for l from 0 to #w - 2 do (
        h = for i from 0 to w#(l+1) - 1 list sum(w#l, j -> (k = k + 1; S_k * h#j));
        if l < #w - 2 then h = apply(h, e -> e^2));
    c := last coefficients(first h, Variables => drop(gens S, n));
    apply(flatten entries c, e -> sub(e, R)))
P = ZZ/32003
dimensions = (w, seeds) -> (
    F := forms(w, CC);
    floats := apply(seeds, k -> (setRandomSeed k; numericalImageDim(F, ideal 0_(ring first F))));
    J := jacobian matrix{forms(w, P)};
    exact := apply(5, k -> (setRandomSeed k; rank sub(J, random(P^1, P^(numgens ring J)))));
    << w << ": " << #F << " coefficients, numericalImageDim " << toString pairs tally floats;
    << ", modulo 32003 " << toString pairs tally exact << endl;
    (floats, exact))
(a, b) = dimensions({2,2,2,1}, 30)
if unique(a | b) != {5} then exit 1
(a, b) = dimensions({2,2,2,2,1}, 30)
if unique b != {7} or not member(9, a) then exit 1
(a, b) = dimensions({2,2,2,2,2,1}, 12)
if unique b != {9} or number(a, d -> d == 17) < 4 then exit 1
M2
M2=$(find "$folder/venv" -path '*sage_wheels/bin/M2' | head -1)
"$M2" --script depth.m2 2>/dev/null
