"""Modules of torch into networks and weights, and weights back, through the graphs of ``torch.export``."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom.errors import MissingPackageError, PolygeomError
from polygeom.exchange.imported import Imported
from polygeom.exchange.operations import unknown
from polygeom.exchange.torch_operations import OPERATIONS
from polygeom.exchange.tracing import Constant, Link, Tracer, Value, Weights
from polygeom.network import Network

if TYPE_CHECKING:
    import torch


def from_torch(module: torch.nn.Module, example_input: torch.Tensor) -> Imported:
    """The network that a module of torch computes, with its weights.

    Linear and convolutional layers, sums, products and whole powers, polynomials written by the user, reshaping,
    pooling by means, products of matrices such as attention without softmax, and BatchNorm, which is taken in
    evaluation.

    Parameters
    ----------
    module:
        Any module that ``torch.export`` traces.
    example_input:
        Its input, with an axis of points first, of any length.

    Returns
    -------
    `Imported`. The outputs of the network were compared with those of the module on random points, up to 1e-12.

    Raises
    ------
    PolygeomError
        When an operation is not polynomial: with its name, the line of the module's source, and what could replace it.

    Examples
    --------
    >>> import torch
    >>> module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Flatten(), torch.nn.Linear(2, 1))
    >>> network, weights = from_torch(module, torch.zeros(1, 3))
    >>> print(network, sorted(weights))
    [3,2,1] r=1 bias ['W1', 'W2', 'b1', 'b2']
    """
    try:
        import torch
    except ImportError as error:
        raise MissingPackageError("from_torch", "torch") from error
    if not isinstance(module, torch.nn.Module):
        raise PolygeomError(
            f"module must be a torch.nn.Module, got {type(module).__name__}; write from_torch(module, x)"
        )
    if not isinstance(example_input, torch.Tensor) or example_input.ndim < 2:
        raise PolygeomError("example_input must be a tensor with an axis of points first; write torch.zeros(1, 3)")
    model = copy.deepcopy(module).double().eval()
    example = example_input[:1].detach().double()
    if len(example) != 1:
        raise PolygeomError("example_input must have at least one point; write torch.zeros(1, 3)")
    try:
        with torch.no_grad(), warnings.catch_warnings(), _no_monitor():
            warnings.simplefilter("ignore")  # of torch about itself
            program = torch.export.export(model, (example,)).run_decompositions()
    except Exception as error:  # whatever the tracer of torch raises
        reason = str(error).strip().splitlines()
        raise PolygeomError(
            f"module: torch.export cannot trace it ({type(error).__name__}: {reason[0][:120] if reason else ''}); "
            "write its forward without branches on values"
        ) from error
    reader = _Reader(program, tuple(example.shape[1:]))
    network, links = reader.read()
    state = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    weights: dict[str, np.ndarray] = {}
    for names, link in links.items():
        weights |= dict(zip(names, link.forward(state), strict=True))
    imported = Imported(network, weights, links, state)
    _compare(model, imported, tuple(example.shape[1:]))
    return imported


@contextmanager
def _no_monitor() -> Iterator[None]:
    """No thread of tqdm's, which torch's tracer would start and leave."""
    import tqdm

    before = tqdm.tqdm.monitor_interval
    tqdm.tqdm.monitor_interval = 0
    try:
        yield
    finally:
        tqdm.tqdm.monitor_interval = before


def _compare(model: torch.nn.Module, imported: Imported, shape: tuple[int, ...]) -> None:
    import torch

    x = torch.randn((3, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    own = imported.network.to_torch(initialisation="zero")
    with torch.no_grad():
        for name, parameter in own.named_parameters():
            parameter.copy_(torch.as_tensor(imported.weights[name]))
        expected, found = model(x), own(x)
    if expected.numel() != found.numel():
        raise PolygeomError("module: its output has no axis of points first; return one row for each point")
    size = max(1.0, float(expected.abs().max()))
    if not float((expected.reshape(found.shape) - found).abs().max()) <= 1e-12 * size:
        raise PolygeomError(
            "module: its outputs at several points are not those at each point alone; "
            "write operations that keep points apart, without views that mix them"
        )


class _Reader:
    """Follows the graph of an exported program."""

    def __init__(self, program: Any, shape: tuple[int, ...]) -> None:
        self.program, self.tracer = program, Tracer(shape)
        self.values: dict[Any, Any] = {}

    def read(self) -> tuple[Network, dict[tuple[str, ...], Link]]:
        signature, state = self.program.graph_signature, self.program.state_dict
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        constants = {**self.program.constants}
        lifted = getattr(signature, "inputs_to_lifted_tensor_constants", {})
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                if node.name in signature.inputs_to_parameters:
                    name = names[node.name]
                    tensor: Any = Weights(name, np.arange(state[name].numel()).reshape(tuple(state[name].shape)))
                elif node.name in names or node.name in lifted:
                    key = names.get(node.name) or lifted[node.name]
                    source = state[key] if key in state else constants[key]
                    tensor = Constant(source.detach().double().numpy())
                else:
                    tensor = self.tracer.input
                self.values[node] = tensor
            elif node.op == "call_function":
                self.values[node] = self._call(node)
            elif node.op == "output":
                outputs = node.args[0]
                if len(outputs) != 1:
                    raise PolygeomError(f"module: it returns {len(outputs)} tensors; return one, concatenated")
                result = self.values[outputs[0]]
                if not isinstance(result, Value):
                    raise PolygeomError("module: its output does not depend on the input; return one that does")
                return self.tracer.network(result)
        raise PolygeomError("module: its graph has no output; return a tensor")

    def _call(self, node: Any) -> Any:
        schema = getattr(node.target, "_schema", None)
        word = str(node.target) if schema is None else str(schema.name).split("::")[-1]
        operation = OPERATIONS.get(word) or (OPERATIONS["getitem"] if "getitem" in word else None)
        arguments = [self._argument(a) for a in node.args]
        named = {k: self._argument(v) for k, v in node.kwargs.items()}
        try:
            if operation is None:
                unknown(word)
            return operation(self.tracer, *arguments, **named)
        except PolygeomError as error:
            raise PolygeomError(f"module: {error}{_line(node)}") from None
        except (TypeError, ValueError, NotImplementedError) as error:
            raise PolygeomError(
                f"module: the operation {word} is used in a way that is not known ({error}){_line(node)}"
            ) from error

    def _argument(self, a: Any) -> Any:
        if isinstance(a, list | tuple):
            return [self._argument(x) for x in a]
        return self.values[a] if hasattr(a, "op") else a


def _line(node: Any) -> str:
    """Where a node comes from, for a message."""
    trace = (node.meta.get("stack_trace") or "").strip().splitlines()
    places = [k for k, line in enumerate(trace) if line.strip().startswith("File ")]
    if not places:
        return ""
    own = [k for k in places if "/torch/" not in trace[k]] or places
    file = trace[own[-1]].strip()
    code = trace[own[-1] + 1].strip() if own[-1] + 1 < len(trace) else ""
    stack = [*(node.meta.get("nn_module_stack") or {}).values()]
    module = f" in the module {stack[-1][0].rsplit('.', 1)[-1] or 'itself'!r} ({stack[-1][1]})" if stack else ""
    return f"{module}\n    {file}\n        {code}"
