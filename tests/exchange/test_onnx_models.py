"""ONNX files become networks with the same outputs, and initialisers come back; what is not polynomial is refused."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polygeom
from polygeom.cli import run
from polygeom.errors import PolygeomError
from polygeom.exchange.imported import outputs

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from polygeom.exchange.onnx_models import doubled  # noqa: E402

RNG = np.random.default_rng(5)
Node = tuple[Any, ...]


def node(op: str, inputs: str, out: str = "", **attributes: Any) -> Any:
    """A node; names in one text, and the output named after the operator if there is no other."""
    return helper.make_node(op, inputs.split(), (out or "y").split(), name=f"my_{op}", **attributes)


def model(
    nodes: Sequence[Any], shape: Sequence[Any], opset: int = 21, single: bool = False, output: str = "y", **arrays: Any
) -> Any:
    """A model with the input ``x``, initialisers by name (floats of one kind, integers as they are)."""
    kind = TensorProto.FLOAT if single else TensorProto.DOUBLE
    initialisers = []
    for name, array in arrays.items():
        a = np.asarray(array)
        a = a.astype(np.float32 if single else np.float64) if a.dtype.kind == "f" else a.astype(np.int64)
        initialisers.append(numpy_helper.from_array(a, name))
    graph = helper.make_graph(
        [*nodes],
        "g",
        [helper.make_tensor_value_info("x", kind, [*shape])],
        [helper.make_tensor_value_info(output, kind, None)],
        initialisers,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    return made


def w(*shape: int) -> np.ndarray:
    return RNG.integers(-9, 10, shape) / 8.0


ONE: dict[str, Callable[[], Any]] = {
    "Gemm": lambda: model([node("Gemm", "x a b", transB=1)], ["n", 3], a=w(2, 3), b=w(2)),
    "Gemm with factors": lambda: model(
        [node("Gemm", "x a b", alpha=0.5, beta=2.0)], ["n", 3], a=w(3, 2), b=w(2)),
    "Gemm of two values": lambda: model(
        [node("Unsqueeze", "x one", "u"), node("MatMul", "u row", "v"), node("Squeeze", "v first", "m"),
         node("Gemm", "m m", "g", transA=1), node("Unsqueeze", "g first", "y")],
        [1, 3], one=np.array([2]), row=w(1, 2), first=np.array([0])),
    "MatMul": lambda: model([node("MatMul", "x a", "h"), node("Add", "h b")], ["n", 3], a=w(3, 2), b=w(2)),
    "weights on the left": lambda: model([node("MatMul", "a x")], ["n", 3, 2], a=w(4, 3)),
    "heads of weights": lambda: model([node("MatMul", "x a")], ["n", 2, 2, 3], a=w(2, 3, 2)),
    "a constant adjacency": lambda: model(
        [node("Constant", "", "adjacency", value=numpy_helper.from_array(w(3, 3))), node("MatMul", "adjacency x", "h"),
         node("MatMul", "h a")], ["n", 3, 2], a=w(2, 2)),
    "products": lambda: model([node("Mul", "x a", "h"), node("Mul", "h x")], ["n", 3], a=w(3)),
    "Sub, Neg and Div": lambda: model(
        [node("Sub", "a x", "h"), node("Neg", "h", "k"), node("Div", "k two", "l"), node("Sub", "l b")],
        ["n", 3], a=w(3), b=w(3), two=np.array(2.0)),
    "rational": lambda: model(
        [node("MatMul", "x a", "h"), node("Add", "h c", "k"), node("Div", "x k")], ["n", 2], a=w(2, 1), c=w(1) + 9),
    "Reciprocal and Pow": lambda: model(
        [node("Pow", "x three", "h"), node("Add", "h b", "k"), node("Reciprocal", "k", "l"), node("Pow", "l minus")],
        ["n", 2], b=w(2) + 9, three=np.array(3.0), minus=np.array(-1.0)),
    "Sum and Mean": lambda: model([node("Sum", "x a x", "h"), node("Mean", "h x a b")], ["n", 3], a=w(3), b=w(3)),
    "Conv": lambda: model(
        [node("Conv", "x a b", kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], group=2)],
        ["n", 2, 4, 4], a=w(4, 1, 2, 2), b=w(4)),
    "Conv, uneven": lambda: model(
        [node("Conv", "x a", strides=[1, 2], pads=[0, 1, 1, 2])], ["n", 2, 3, 4], a=w(2, 2, 2, 3)),
    "Conv, SAME": lambda: model(
        [node("Conv", "x a", auto_pad="SAME_UPPER", strides=[2, 2])], [1, 1, 5, 5], a=w(2, 1, 2, 2)),
    "Conv of sequences": lambda: model(
        [node("Conv", "x a b", strides=[2], pads=[1, 0])], ["n", 2, 6], a=w(3, 2, 3), b=w(3)),
    "AveragePool": lambda: model(
        [node("Mul", "x a", "h"), node("AveragePool", "h", kernel_shape=[2, 2], strides=[1, 2])],
        ["n", 2, 3, 4], a=w(4)),
    "AveragePool, padded": lambda: model(
        [node("AveragePool", "x", "h", kernel_shape=[2, 2], strides=[2, 2], pads=[1, 0, 1, 0], count_include_pad=1),
         node("Mul", "h a")], ["n", 1, 4, 4], a=w(2)),
    "GlobalAveragePool": lambda: model(
        [node("Conv", "x a", "h"), node("GlobalAveragePool", "h", "k"), node("Flatten", "k")],
        ["n", 1, 3, 3], a=w(2, 1, 2, 2)),
    "ReduceMean, old": lambda: model(
        [node("Mul", "x a", "h"), node("ReduceMean", "h", axes=[1], keepdims=0)], ["n", 3, 2], 13, a=w(2)),
    "ReduceMean, new": lambda: model(
        [node("Mul", "x a", "h"), node("ReduceMean", "h axes")], ["n", 3, 2], 18, a=w(2), axes=np.array([-1])),
    "ReduceSumSquare": lambda: model(
        [node("Mul", "x a", "h"), node("ReduceSumSquare", "h axes", keepdims=0)],
        ["n", 3, 2], 18, a=w(2), axes=np.array([2])),
    "ReduceSum": lambda: model(
        [node("Mul", "x a", "h"), node("ReduceSum", "h axes", keepdims=0)], ["n", 3, 2], a=w(2), axes=np.array([1, 2])),
    "BatchNormalization": lambda: model(
        [node("BatchNormalization", "x g b m v", epsilon=0.125)], ["n", 2, 3], g=w(2), b=w(2), m=w(2), v=w(2) ** 2 + 1),
    "Reshape with zeros and -1": lambda: model(
        [node("Reshape", "x s", "h"), node("MatMul", "h a")], ["n", 2, 3, 2], s=np.array([0, -1, 3]), a=w(3, 2)),
    "Reshape by a shape": lambda: model(
        [node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n axis", "n1"),
         node("Concat", "n1 rest", "t", axis=0), node("Reshape", "x t", "h"), node("MatMul", "h a")],
        ["n", 2, 3], zero=np.array(0), axis=np.array([0]), rest=np.array([6]), a=w(6, 2)),
    "Transpose": lambda: model(
        [node("Transpose", "x", "h", perm=[0, 2, 1]), node("MatMul", "h a")], ["n", 3, 2], a=w(3, 2)),
    "Concat and Slice": lambda: model(
        [node("Concat", "x c", "h", axis=1), node("Slice", "h s e a t", "k"), node("Mul", "k u")],
        [1, 3], c=w(1, 2), s=np.array([-1]), e=np.array([-9]), a=np.array([1]), t=np.array([-2]), u=w(3)),
    "Slice, old": lambda: model(
        [node("Slice", "x", "h", starts=[1], ends=[3], axes=[1]), node("Mul", "h a")], ["n", 4], 9, a=w(2)),
    "Split, old": lambda: model(
        [node("Split", "x", "h k", axis=1, split=[1, 2]), node("Mul", "h a", "l"), node("Mul", "l k")],
        ["n", 3], 11, a=w(1)),
    "Split, new": lambda: model(
        [node("Split", "x", "h k", axis=-1, num_outputs=2), node("Mul", "h a", "l"), node("Concat", "l k", axis=1)],
        ["n", 3], 18, a=w(2)),
    "Unsqueeze, old": lambda: model(
        [node("Unsqueeze", "x", "h", axes=[1]), node("Mul", "h a", "k"), node("Squeeze", "k", axes=[1])],
        ["n", 3], 11, a=w(3)),
    "Expand and Pad": lambda: model(
        [node("Unsqueeze", "x one", "u"), node("Expand", "u s", "h"), node("Pad", "h p", "k"), node("Mul", "k a")],
        ["n", 3], one=np.array([1]), s=np.array([1, 2, 3]), p=np.array([0, 0, 1, 0, 1, 0]), a=w(4)),
    "Einsum": lambda: model([node("Einsum", "a x x", equation="oij,ni,nj->no")], ["n", 3], a=w(2, 3, 3)),
    "Einsum, implicit": lambda: model([node("Einsum", "x a", equation="aij, jk")], ["n", 2, 3], a=w(3, 2)),
    "Einsum of heads": lambda: model([node("Einsum", "x x a", equation="nti,nsi,hst->nht")], ["n", 3, 2], a=w(2, 3, 3)),
    "Cast, Identity and Dropout": lambda: model(
        [node("Cast", "x", "h", to=TensorProto.DOUBLE), node("Identity", "a", "b"), node("Mul", "h b", "k"),
         node("Dropout", "k", "y m")], ["n", 3], a=w(3)),
    "tied weights": lambda: model(
        [node("MatMul", "x a", "h"), node("Mul", "h h", "k"), node("MatMul", "k a")], ["n", 3], a=w(3, 3)),
    "scalars": lambda: model(
        [node("Constant", "", "c", value_float=0.1), node("Mul", "x c", "h"), node("Add", "h d", "k"),
         node("Mul", "k a")],
        ["n", 2], a=w(2), d=np.array(0.3)),
}  # fmt: skip


def rank_by_differences(made: Any, names: Sequence[str], shape: Sequence[int]) -> int:
    """Rank of the derivatives of outputs by initialisers, by central differences of the reference implementation."""
    points = np.random.default_rng(1).standard_normal((40, *shape))
    columns = []
    for k, initialiser in enumerate(made.graph.initializer):
        if initialiser.name in names:
            array = numpy_helper.to_array(initialiser).astype(np.float64)
            for place in np.ndindex(array.shape):
                values = []
                for step in (-1e-4, 1e-4):
                    moved, other = array.copy(), copy.deepcopy(made)
                    moved[place] += step
                    other.graph.initializer[k].CopyFrom(numpy_helper.from_array(moved, initialiser.name))
                    values.append(np.ravel(evaluated(other, points)))
                columns.append((values[1] - values[0]) / 2e-4)
    table = np.array(columns).T
    norms = np.linalg.norm(table, axis=0)
    return int(np.linalg.matrix_rank(table[:, norms > 0] / norms[norms > 0], rtol=1e-6))


def evaluated(made: Any, points: np.ndarray) -> np.ndarray:
    """Outputs in double precision by the reference implementation, one point at a time."""
    program = ReferenceEvaluator(doubled(made))
    return np.concatenate([np.asarray(program.run(None, {"x": p[None]})[0]) for p in points])


def shape_of(made: Any) -> list[int]:
    return [d.dim_value for d in made.graph.input[0].type.tensor_type.shape.dim][1:]


@pytest.mark.parametrize("name", ONE)
def test_every_operator_has_the_outputs_of_the_reference(name: str) -> None:
    made = ONE[name]()
    imported = polygeom.from_onnx(made)
    network, weights = imported
    assert {n: a.shape for n, a in weights.items()} == dict(network.parameters)
    points = RNG.standard_normal((4, *shape_of(made)))
    expected = evaluated(made, points)
    found = outputs(network, weights, points)
    assert np.allclose(found.reshape(expected.shape), expected, rtol=1e-12, atol=1e-12)
    own = {i.name: numpy_helper.to_array(i) for i in made.graph.initializer}
    back = imported.parameters()
    assert back
    for parameter, value in back.items():
        assert np.allclose(value, own[parameter], rtol=1e-14, atol=0)
    moved = {n: a + 1 for n, a in weights.items()}
    for names, link in imported.links.items():
        for n, a in zip(names, link.forward(imported.parameters(moved)), strict=True):
            assert np.allclose(a, moved[n], rtol=1e-12, atol=1e-12)
    assert polygeom.parse(network.text) == network


RANKED = ["Gemm", "MatMul", "heads of weights", "a constant adjacency", "rational", "Conv of sequences", "Einsum",
          "BatchNormalization", "tied weights", "ReduceSumSquare", "Concat and Slice"]  # fmt: skip


@pytest.mark.parametrize("name", RANKED)
def test_the_dimension_is_the_rank_of_differences_of_the_model(name: str) -> None:
    made = ONE[name]()
    imported = polygeom.from_onnx(made)
    rank = rank_by_differences(made, [*imported.parameters()], shape_of(made))
    assert polygeom.dimension(imported.network).dimension == rank


RUN = """
import sys, numpy, onnxruntime
folder, options = sys.argv[1], onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
for name in sys.argv[2:]:
    session = onnxruntime.InferenceSession(f"{folder}/{name}.onnx", options, providers=["CPUExecutionProvider"])
    points = numpy.load(f"{folder}/{name}.npy")
    found = [session.run(None, {"x": p[None]})[0] for p in points]
    numpy.save(f"{folder}/{name}.out.npy", numpy.concatenate(found))
"""


def test_single_precision_agrees_with_onnxruntime(tmp_path: Path) -> None:
    """In a process of its own, since the runtime leaves files open."""
    if find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not there")
    names = ["Gemm", "Conv", "Conv, uneven", "AveragePool, padded", "Einsum", "Split, new", "BatchNormalization"]
    for name in names:
        made = ONE[name]()
        for value in (*made.graph.input, *made.graph.output):
            value.type.tensor_type.elem_type = TensorProto.FLOAT
        for initialiser in made.graph.initializer:
            if initialiser.data_type == TensorProto.DOUBLE:
                array = numpy_helper.to_array(initialiser).astype(np.float32)
                initialiser.CopyFrom(numpy_helper.from_array(array, initialiser.name))
        onnx.save(made, tmp_path / f"{name}.onnx")
        np.save(tmp_path / f"{name}.npy", RNG.standard_normal((3, *shape_of(made))).astype(np.float32))
    own = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", RUN, str(tmp_path), *names], env=own, check=True, timeout=200)
    for name in names:
        imported = polygeom.from_onnx(tmp_path / f"{name}.onnx")
        points, expected = (np.load(tmp_path / f"{name}{end}.npy") for end in ("", ".out"))
        found = outputs(imported.network, imported.weights, points.astype(np.float64))
        assert np.allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)


def test_numbers_of_single_precision_stay_exact() -> None:
    made = model([node("Constant", "", "c", value_float=0.001), node("Mul", "x c", "h"), node("Mul", "h a")],
                 ["n", 2], single=True, a=w(2))  # fmt: skip
    imported = polygeom.from_onnx(made)
    points = RNG.standard_normal((3, 2))
    expected = evaluated(made, points)
    assert np.allclose(outputs(imported.network, imported.weights, points), expected, rtol=1e-13, atol=0)


def test_constants_are_no_weights() -> None:
    made = model([node("MatMul", "adjacency x", "h"), node("MatMul", "h a")], ["n", 3, 2], a=w(2, 2), adjacency=w(3, 3))
    every = polygeom.from_onnx(made)
    fixed = polygeom.from_onnx(made, constants=["adjacency"])
    assert sorted(every.parameters()) == ["a", "adjacency"]
    assert sorted(fixed.parameters()) == ["a"]
    assert polygeom.dimension(fixed.network).dimension == 4
    assert polygeom.dimension(every.network).dimension == 9 + 4 - 1
    with pytest.raises(PolygeomError, match="constants must name initialisers"):
        polygeom.from_onnx(made, constants=["b"])


def test_files_and_external_data(tmp_path: Path, capsys: Any) -> None:
    made = model(
        [node("MatMul", "x a", "h"), node("Mul", "h h", "k"), node("MatMul", "k b")], ["n", 3], a=w(3, 4), b=w(4, 1)
    )
    onnx.save(made, tmp_path / "plain.onnx")
    onnx.save(made, tmp_path / "external.onnx", save_as_external_data=True, location="numbers.bin", size_threshold=0)
    assert (tmp_path / "numbers.bin").stat().st_size == 8 * 16
    for name in ("plain.onnx", "external.onnx"):
        imported = polygeom.from_onnx(tmp_path / name)
        assert str(imported.network) == "[3,4,1] r=2"
    assert run(["dim", "--onnx", str(tmp_path / "external.onnx")]) == 0
    assert "dimension 6 (proved)" in capsys.readouterr().out
    (tmp_path / "numbers.bin").unlink()
    with pytest.raises(PolygeomError, match="external data"):
        polygeom.from_onnx(tmp_path / "external.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    for name in ("text.onnx", "nowhere.onnx"):
        with pytest.raises(PolygeomError, match="; "):
            polygeom.from_onnx(tmp_path / name)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "Relu": (lambda: model([node("Relu", "x")], ["n", 3]), "operation Relu .*; write a square"),
    "LeakyRelu": (lambda: model([node("LeakyRelu", "x")], ["n", 3]), "operation LeakyRelu .*; write a square"),
    "Softmax": (lambda: model([node("Softmax", "x")], ["n", 3]), "attention without softmax"),
    "LayerNormalization": (
        lambda: model([node("LayerNormalization", "x a")], ["n", 3], a=w(3)), "use BatchNorm"),
    "MaxPool": (lambda: model([node("MaxPool", "x", kernel_shape=[2, 2])], ["n", 1, 4, 4]), "use a mean"),
    "Gelu": (lambda: model([node("Gelu", "x")], ["n", 3]), "polynomial of low degree"),
    "Clip": (lambda: model([node("Clip", "x")], ["n", 3]), "leave the bounds out"),
    "Abs": (lambda: model([node("Abs", "x")], ["n", 3]), "square"),
    "root": (lambda: model([node("Pow", "x h")], ["n", 3], h=np.array(0.5)), "exponent 0.5 is not whole"),
    "powers that differ": (lambda: model([node("Pow", "x h")], ["n", 2], h=np.array([1.0, 2.0])), "one by one"),
    "a power of the input": (lambda: model([node("Pow", "x x")], ["n", 2]), "its input 2 depends on the input"),
    "dilation": (
        lambda: model([node("Conv", "x a", dilations=[2, 2])], ["n", 1, 5, 5], a=w(1, 1, 2, 2)), "dilated window"),
    "volumes": (lambda: model([node("Conv", "x a")], ["n", 1, 3, 3, 3], a=w(1, 1, 2, 2, 2)), "convolution of volumes"),
    "border means": (
        lambda: model([node("AveragePool", "x", kernel_shape=[2, 2], pads=[1, 1, 1, 1])], ["n", 1, 4, 4]),
        "count_include_pad=True"),
    "training": (
        lambda: model([node("BatchNormalization", "x a a a a", "y s t", training_mode=1)], ["n", 2], a=w(2) ** 2),
        "call module.eval"),
    "two inputs": (lambda: _two_inputs(), "the model has 2 inputs"),
    "two outputs": (lambda: _two_outputs(), "the model has 2 outputs"),
    "five points": (lambda: model([node("Mul", "x a")], [5, 3], a=w(3)), "for exactly 5 points"),
    "a free axis": (lambda: model([node("Mul", "x a")], ["n", "m"], a=w(1)), "without a fixed length"),
    "no points": (lambda: model([node("Mul", "x a")], [3], a=w(3)), "no axis of points"),
    "integers": (lambda: _integers(), "not of floats"),
    "a constant output": (lambda: model([node("Identity", "a")], ["n", 3], a=w(1, 3)), "does not depend on the input"),
    "mixed points": (
        lambda: model([node("Reshape", "x s", "h"), node("Mul", "h a")], ["n", 2], s=np.array([1, -1]), a=w(2)),
        "cannot be compared|outputs at several points"),
    "sum over points": (
        lambda: model([node("ReduceSum", "x axes")], ["n", 2], axes=np.array([0])), "axis of points; leave it out"),
    "foreign domain": (lambda: _foreign(), "com.somebody.Square is not polynomial, or not known"),
    "tied normalisation": (
        lambda: model([node("BatchNormalization", "x g b m v", "h"), node("BatchNormalization", "h g b m v")],
                      ["n", 2], g=w(2), b=w(2), m=w(2), v=w(2) ** 2 + 1), "two normalisations"),
    "weights in two ways": (
        lambda: model([node("Mul", "x a", "h"), node("Add", "h a")], ["n", 3], a=w(3)), "used in two ways"),
    "wrong sizes": (lambda: model([node("MatMul", "x a")], ["n", 3], a=w(2, 2)), "not known|columns|features"),
    "If": (lambda: _branch(), "a network has no branches"),
    "not a model": (lambda: model([node("Mul", "x nothing")], ["n", 3]), "not a valid ONNX model"),
    "dots": (lambda: model([node("Einsum", "x a", equation="...i,ij->...j")], ["n", 3], a=w(3, 2)), "has dots"),
    "division by zero": (lambda: model([node("Div", "x z")], ["n", 3], z=np.array(0.0)), "division by zero"),
}  # fmt: skip


def _two_inputs() -> Any:
    made = model([node("Add", "x z")], ["n", 3])
    made.graph.input.append(helper.make_tensor_value_info("z", TensorProto.DOUBLE, ["n", 3]))
    return made


def _two_outputs() -> Any:
    made = model([node("Mul", "x x"), node("Neg", "x", "z")], ["n", 3])
    made.graph.output.append(helper.make_tensor_value_info("z", TensorProto.DOUBLE, None))
    return made


def _integers() -> Any:
    made = model([node("Gather", "a x")], ["n", 3], a=w(5, 2))
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return made


def _foreign() -> Any:
    made = model([helper.make_node("Square", ["x"], ["y"], domain="com.somebody")], ["n", 3])
    made.opset_import.append(helper.make_opsetid("com.somebody", 1))
    return made


def _branch() -> Any:
    value = helper.make_tensor_value_info("z", TensorProto.DOUBLE, None)
    parts = [helper.make_graph([node(op, "x", "z")], op, [], [value]) for op in ("Neg", "Identity")]
    made = model(
        [node("ReduceSum", "x", "s", keepdims=0), node("Cast", "s", "c", to=TensorProto.BOOL),
         helper.make_node("If", ["c"], ["y"], then_branch=parts[0], else_branch=parts[1])], [1, 3])  # fmt: skip
    del made.graph.node[0], made.graph.node[0]
    made.graph.initializer.append(numpy_helper.from_array(np.array(True), "c"))
    made.graph.initializer[-1].name = "c"
    return made


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_polynomial_is_refused_with_its_node(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(PolygeomError, match=message) as info:
        polygeom.from_onnx(make())
    assert "; " in str(info.value)


def test_a_refusal_names_the_node() -> None:
    with pytest.raises(PolygeomError, match=r"in the node 'my_Tanh' \(Tanh\) that makes 'h'"):
        polygeom.from_onnx(model([node("Tanh", "x", "h"), node("Mul", "h h")], ["n", 3]))
    with pytest.raises(PolygeomError, match=r'write from_onnx\("model.onnx"\)'):
        polygeom.from_onnx(3)  # type: ignore[arg-type]


def test_functions_of_the_model_are_written_out() -> None:
    square = helper.make_function(
        "mine", "Square", ["u"], ["v"], [helper.make_node("Mul", ["u", "u"], ["v"])], [helper.make_opsetid("", 21)]
    )
    squared = helper.make_node("Square", ["h"], ["k"], domain="mine")
    made = model([node("MatMul", "x a", "h"), squared, node("MatMul", "k b")], ["n", 3], a=w(3, 2), b=w(2, 1))
    made.functions.append(square)
    made.opset_import.append(helper.make_opsetid("mine", 1))
    assert str(polygeom.from_onnx(made).network) == "[3,2,1] r=2"


def exported(module: Any, shape: Sequence[int], path: Path, dynamo: bool) -> None:
    import torch
    import tqdm

    tqdm.tqdm.monitor_interval = 0  # no thread that stays

    x, free = torch.zeros(1, *shape), {0: torch.export.Dim("n", min=1)}
    options: dict[str, Any] = (
        {"dynamic_shapes": (free,), "verbose": False} if dynamo else {"dynamic_axes": {"x": {0: "n"}}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporters about themselves
        torch.onnx.export(module.eval(), (x,), path, dynamo=dynamo, input_names=["x"], **options)


def check_export(name: str, dynamo: bool, folder: Path) -> None:
    """An exported model has the dimension of the module, and its outputs up to single precision."""
    torch = pytest.importorskip("torch", reason="needs the extra learn")
    pytest.importorskip("onnxscript", reason="onnxscript is not there")
    from exchange.test_torch_models import MODELS

    module, shape = MODELS[name]
    exported(copy.deepcopy(module), shape, folder / "model.onnx", dynamo)
    imported = polygeom.from_onnx(folder / "model.onnx")
    points = torch.randn(4, *shape)
    with torch.no_grad():
        expected = copy.deepcopy(module).eval()(points).numpy()
    found = outputs(imported.network, imported.weights, points.double().numpy())
    assert np.allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)
    direct = polygeom.dimension(polygeom.from_torch(module, torch.zeros(1, *shape)).network).dimension
    buffer = 1 if name == "parameters" else 0  # the exported file does not say that the mask is no parameter
    if name != "batch norm" and name != "images":  # there exporters fold weights together
        assert direct <= polygeom.dimension(imported.network).dimension <= direct + 3 * buffer


@pytest.mark.thorough
def test_the_exporter_of_traces(tmp_path: Path) -> None:
    check_export("heads", False, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("dynamo", [True, False])
@pytest.mark.parametrize(
    "name", ["sequential", "functional", "residual", "images", "attention", "heads", "einsum", "parameters", "rational"]
)
def test_all_modules_by_both_exporters(name: str, dynamo: bool, tmp_path: Path) -> None:
    check_export(name, dynamo, tmp_path)
