"""ONNX files into networks and weights, and weights back."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom.errors import MissingPackageError, PolygeomError
from polygeom.exchange.imported import Imported, outputs
from polygeom.exchange.onnx_operations import OPERATORS, Call
from polygeom.exchange.operations import shape_of, unknown
from polygeom.exchange.tracing import Constant, Link, Tracer, Value, Weights
from polygeom.network import Network

if TYPE_CHECKING:
    import onnx

_DOMAINS = ("", "ai.onnx")
_POINTS = 3


def from_onnx(path: str | Path | onnx.ModelProto, *, constants: Collection[str] = ()) -> Imported:
    """The network that a model in an ONNX file computes, with its weights.

    Gemm, MatMul, Einsum, Conv, sums, products, whole powers, quotients, means and mean pooling, BatchNormalization,
    which is taken in evaluation, and everything that moves entries, in all versions of the operators. Nodes with
    constant inputs alone are computed.

    Parameters
    ----------
    path:
        The file, with its external data beside it, or a model that is read already. Its input has an axis of points
        first, of no fixed length or of length 1.
    constants:
        Names of initialisers that are numbers and no weights, such as the adjacency of a graph. Initialisers without
        axes, and those that are no floats, always are.

    Returns
    -------
    `Imported`; its ``parameters()`` are the initialisers by name. The outputs were compared with those of the model in
    double precision, by the reference implementation of the package onnx, up to 1e-12.

    Raises
    ------
    PolygeomError
        When the file is no model, or an operator is not polynomial: with its name, its node, and what could replace it.
    MissingPackageError
        Without the package onnx.
    """
    try:
        import onnx.checker
    except ImportError as error:
        raise MissingPackageError("from_onnx", "onnx") from error
    source, model = (str(path), _load(path)) if isinstance(path, str | Path) else ("model", path)
    if not isinstance(model, onnx.ModelProto):
        raise PolygeomError(
            f'path must be a path or an onnx.ModelProto, got {model!r:.40}; write from_onnx("model.onnx")'
        )
    reader = _Reader(source, _inlined(source, model), frozenset(constants))
    network, links = reader.read()
    weights: dict[str, np.ndarray] = {}
    for names, link in links.items():
        weights |= dict(zip(names, link.forward(reader.state), strict=True))
    used = {n.name for n in reader.tensors.values() if isinstance(n, Weights)}
    imported = Imported(network, weights, links, {name: a for name, a in reader.state.items() if name in used})
    _compare(source, reader, imported)
    return imported


def _load(path: str | Path) -> Any:
    import onnx

    try:
        return onnx.load(path)
    except OSError as error:
        raise PolygeomError(f"{path}: cannot read it: {error.strerror or error}; write the path of a model") from error
    except Exception as error:  # whatever protobuf raises for what is no message
        reason = str(error).strip().splitlines()
        raise PolygeomError(
            f"{path}: not an ONNX model ({reason[0][:120] if reason else type(error).__name__}); "
            "write the path of a file with its external data beside it"
        ) from error


def _inlined(source: str, model: Any) -> Any:
    """A checked model without functions of its own."""
    import onnx.checker
    import onnx.inliner

    if any(not value.type.tensor_type.HasField("shape") for value in model.graph.output):
        model = _copy(model)  # some exporters leave out what can be inferred, and the checker asks for it
        for value in model.graph.output:
            value.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
        return onnx.inliner.inline_local_functions(model) if model.functions else model
    except Exception as error:  # whatever the checker finds
        reason = " ".join(str(error).split())
        raise PolygeomError(f"{source}: not a valid ONNX model: {reason[:200]}; export it again") from error


class _Reader:
    """Follows the graph of a model."""

    def __init__(self, source: str, model: Any, constants: frozenset[str]) -> None:
        import onnx.numpy_helper

        self.source, self.model, self.graph = source, model, model.graph
        self.opset = next((o.version for o in model.opset_import if o.domain in _DOMAINS), 1)
        arrays = {i.name: onnx.numpy_helper.to_array(i) for i in self.graph.initializer}
        if constants - arrays.keys():
            known = ", ".join(sorted(arrays)[:8]) or "none"
            raise PolygeomError(
                f"constants must name initialisers, got {min(constants - arrays.keys())!r}; write {known}"
            )
        self.state: dict[str, np.ndarray] = {}
        self.tensors: dict[str, Any] = {}
        for name, array in arrays.items():
            if array.dtype.kind == "f" and array.ndim and name not in constants:
                self.state[name] = array.astype(np.float64)
                self.tensors[name] = Weights(name, np.arange(array.size).reshape(array.shape))
            else:
                self.tensors[name] = _constant(array)
        self.name, self.shape, self.several = self._input(arrays)
        self.tracer = Tracer(self.shape)
        self.tensors[self.name] = self.tracer.input

    def _input(self, initialisers: Collection[str]) -> tuple[str, tuple[int, ...], bool]:
        """Name of the input, its shape at one point, and whether it takes several."""
        inputs = [i for i in self.graph.input if i.name not in initialisers]
        if len(inputs) != 1:
            names = ", ".join(i.name for i in inputs) or "none"
            raise PolygeomError(
                f"{self.source}: the model has {len(inputs)} inputs ({names:.80}); export one, concatenated"
            )
        kind = inputs[0].type.tensor_type
        dims = [d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim]
        word = f"{self.source}: the input {inputs[0].name}"
        if kind.elem_type not in (1, 10, 11, 16):
            raise PolygeomError(f"{word} is not of floats; export the part of the model behind embeddings and lookups")
        if len(dims) < 2:
            raise PolygeomError(f"{word} has no axis of points and of features; export it with shape (n, …)")
        if dims[0] not in (0, 1):
            raise PolygeomError(
                f"{word} is for exactly {dims[0]} points; export it for one, or with a dynamic first axis"
            )
        if 0 in dims[1:]:
            raise PolygeomError(
                f"{word} has an axis without a fixed length; export it with one, only the first may be free"
            )
        return inputs[0].name, tuple(dims[1:]), dims[0] == 0

    def read(self) -> tuple[Network, dict[tuple[str, ...], Link]]:
        for node in self.graph.node:
            results = self._call(node)
            self.tensors |= dict(zip(node.output, results, strict=False))
        if len(self.graph.output) != 1:
            raise PolygeomError(
                f"{self.source}: the model has {len(self.graph.output)} outputs; export one, concatenated"
            )
        result = self.tensors[self.graph.output[0].name]
        if not isinstance(result, Value):
            raise PolygeomError(f"{self.source}: the output does not depend on the input; export one that does")
        if result.index.ndim < 1 or result.index.shape[0] != 1:
            raise PolygeomError(f"{self.source}: the output has no axis of points first; export one row for each point")
        return self.tracer.network(result)

    def _call(self, node: Any) -> list[Any]:
        inputs = [self.tensors[name] if name else None for name in node.input]
        try:
            if node.domain not in _DOMAINS:
                unknown(f"{node.domain}.{node.op_type}")
            if node.op_type in ("If", "Loop", "Scan"):  # inputs of their graphs are not listed
                unknown(node.op_type)
            if node.op_type == "Shape":
                shape = shape_of(inputs[0])
                return [Constant(np.array(shape[slice(*_ends(node))], dtype=np.int64))]
            if node.op_type == "Cast" and not isinstance(inputs[0], Constant):
                return [_cast(node, inputs[0])]
            if all(x is None or isinstance(x, Constant) for x in inputs):
                return self._computed(node, inputs)
            operator = OPERATORS.get(node.op_type)
            if operator is None:
                unknown(node.op_type)
            call = Call(self.tracer, inputs, _attributes(node), len(node.output), self.state)
            result = operator(call)
            return result if isinstance(result, list) else [result]
        except PolygeomError as error:
            raise PolygeomError(f"{self.source}: {error}{_place(node)}") from None
        except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
            raise PolygeomError(
                f"{self.source}: the operation {node.op_type} is used in a way that is not known ({error!s:.120}); "
                f"write it with sums and products{_place(node)}"
            ) from error

    def _computed(self, node: Any, inputs: list[Any]) -> list[Any]:
        """A node of constants, by the reference implementation."""
        from onnx.reference import ReferenceEvaluator

        given = {name: x.array for name, x in zip(node.input, inputs, strict=True) if x is not None}
        try:
            found = ReferenceEvaluator(node, opsets={"": self.opset}).run(None, given)
        except Exception as error:  # whatever a node of foreign constants raises
            raise PolygeomError(
                f"the operation {node.op_type} fails ({error!s:.120}); export the model again"
            ) from error
        return [_constant(np.asarray(array)) for array in found]


def _constant(array: np.ndarray) -> Constant:
    return Constant(array.astype(np.float64) if array.dtype.kind == "f" else array)


def _ends(node: Any) -> tuple[int | None, int | None]:
    attributes = _attributes(node)
    return attributes.get("start"), attributes.get("end")


def _cast(node: Any, x: Any) -> Any:
    if _attributes(node)["to"] not in (1, 10, 11, 16):
        raise PolygeomError("a cast to numbers that are not floats; leave it out")
    return x


def _attributes(node: Any) -> dict[str, Any]:
    import onnx

    found: dict[str, Any] = {}
    for a in node.attribute:
        value = onnx.helper.get_attribute_value(a)
        found[a.name] = value.decode() if isinstance(value, bytes) else [*value] if hasattr(value, "__len__") else value
    return found


def _place(node: Any) -> str:
    """Which node it is, for a message."""
    name = f" {node.name!r}" if node.name else ""
    return f"\n    in the node{name} ({node.op_type}) that makes {', '.join(node.output)!r:.120}"


def _compare(source: str, reader: _Reader, imported: Imported) -> None:
    """Compare outputs at random points with the model in double precision."""
    from onnx.reference import ReferenceEvaluator

    points = np.random.default_rng(0).standard_normal((_POINTS, *reader.shape))
    found = outputs(imported.network, imported.weights, points)
    model: Any = ReferenceEvaluator(doubled(reader.model))
    try:
        parts = [points] if reader.several else [point[None] for point in points]
        expected = np.concatenate([np.asarray(model.run(None, {reader.name: part})[0]) for part in parts])
    except Exception as error:  # whatever the reference implementation raises at several points
        reason = str(error).strip().splitlines()
        raise PolygeomError(
            f"{source}: its outputs cannot be compared ({reason[0][:120] if reason else type(error).__name__}); "
            "export it so that it runs at several points"
        ) from error
    size = max(1.0, float(np.abs(expected).max()))
    if expected.size != found.size or not np.abs(expected.reshape(found.shape) - found).max() <= 1e-12 * size:
        raise PolygeomError(
            f"{source}: its outputs at several points are not those at each point alone; "
            "export operations that keep points apart, without shapes that mix them"
        )


def _copy(model: Any) -> Any:
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def doubled(model: Any) -> Any:
    """A copy of a model that computes in double precision."""
    import onnx
    from onnx import numpy_helper

    copy = _copy(model)
    single = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)

    def wide(tensor: Any) -> None:
        if tensor.data_type in single:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))

    for tensor in copy.graph.initializer:
        wide(tensor)
    for node in copy.graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i in single:
                attribute.i = onnx.TensorProto.DOUBLE
            elif attribute.type == onnx.AttributeProto.TENSOR:
                wide(attribute.t)
            elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                number = attribute.f if attribute.name == "value_float" else [*attribute.floats]
                tensor = numpy_helper.from_array(np.array(number, dtype=np.float64))
                attribute.CopyFrom(onnx.helper.make_attribute("value", tensor))
    for value in (*copy.graph.input, *copy.graph.output, *copy.graph.value_info):
        if value.type.tensor_type.elem_type in single:
            value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    return copy
