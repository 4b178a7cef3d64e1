#!/usr/bin/env bash
# The wheel of Macaulay2 brings no gfan and asks for none, but componentsOfKernel of its package MultigradedImplicitization
# looks for it in every call: it fails with "could not find gfan" for the kernel of a Veronese map. With the wheel of gfan
# beside it, the same lines find six quadrics. (passagemath-macaulay2 10.8.13 with Macaulay2 1.26.06, passagemath-gfan 10.8.13)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-deps passagemath-macaulay2==10.8.13
cd "$folder"
export HOME=$folder
programs=$(echo "$folder"/venv/lib/python3*/site-packages/sage_wheels/bin)
cat > kernel.m2 <<'M2'
needsPackage "MultigradedImplicitization"
R = QQ[x,y,z]
F = map(R, QQ[t_1..t_6], {x^2,x*y,x*z,y^2,y*z,z^2})
print(#flatten values componentsOfKernel(2, F))
exit 0
M2
run() { env -i HOME="$folder" PATH="$programs:/usr/bin:/bin" "$programs/M2" --script kernel.m2 2>&1 || true; }
run | tee without.txt
grep -qi "could not find.*gfan\|gfan.*not found" without.txt
"$folder/venv/bin/pip" install -q --no-deps passagemath-gfan==10.8.13
echo "with gfan:"
run | tee with.txt
test "$(tail -1 with.txt)" = 6
