#!/usr/bin/env bash
# neural-tangents asks for jax of any version from 0.4.16 on, and pip accepts it with today's, but it cannot be imported:
# jax.core has lost Jaxpr. (neural-tangents 0.6.5 with jax 0.10.2)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q neural-tangents==0.6.5 jax==0.10.2
"$folder/venv/bin/pip" check
cd "$folder"
export JAX_PLATFORMS=cpu TF_CPP_MIN_LOG_LEVEL=3
"$folder/venv/bin/python" -c "import jax; print(jax.numpy.ones(2).sum())"
"$folder/venv/bin/python" -c "import neural_tangents" 2>&1 | tee import.txt && imported=yes || imported=no
grep "ImportError: cannot import name 'Jaxpr' from 'jax.core'" import.txt
test "$imported" = no
