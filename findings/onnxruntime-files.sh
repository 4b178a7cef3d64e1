#!/usr/bin/env bash
# One inference with onnxruntime, in which no option asks for a file, writes three: a file in the folder for temporary files,
# and an identifier of the device and a database below ~/.cache. They outlive the process, so that a test that looks for what
# it left behind finds them. (onnxruntime 1.32.0, onnx 1.23.2)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy
mkdir "$folder/home" "$folder/temporary" "$folder/here"
cd "$folder/here"
env -i PATH="$PATH" HOME="$folder/home" TMPDIR="$folder/temporary" OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
graph = helper.make_graph([helper.make_node("Mul", ["x", "x"], ["y"])], "square", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
assert session.run(None, {"x": np.array([2, 3], np.float32)})[0].tolist() == [4, 9]
PYTHON
cd "$folder"
find home temporary here -type f | sort | tee found.txt
grep -qx "temporary/.ses" found.txt
grep -q "^home/.cache/Microsoft/DeveloperTools/.onnxruntime/deviceid" found.txt
grep -q "^home/.cache/Microsoft/DeveloperTools/.onnxruntime/.*\.db" found.txt
test "$(grep -c ^here found.txt || true)" = 0
