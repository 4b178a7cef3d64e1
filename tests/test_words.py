"""One word for one thing: what the arguments of public functions and methods are called."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra learn")

import polygeom.experiments
from polygeom.testing.names import names

OTHER_WORDS = {
    "rng": {"seed", "random_state", "generator", "random"},
    "memory": {"memory_budget", "memory_limit", "max_memory", "budget", "ram"},
    "timeout": {"seconds", "time_limit", "max_time", "deadline", "max_seconds", "time"},
    "journal": {"state", "state_file", "journal_file", "store"},
    "inputs": {"features_in", "X", "x", "data_in", "samples_in", "input_data"},
    "targets": {"labels_in", "Y", "y", "target_values", "outputs_wanted"},
    "out": {"output_file", "output_path", "outfile", "destination", "folder"},
    "workers": {"jobs", "n_jobs", "processes", "threads", "num_workers"},
    "batch_size": {"batchsize", "minibatch", "chunk_size", "block_size"},
    "progress": {"verbose", "callback", "on_progress", "show_progress"},
    "learning_rate": {"lr", "eta", "alpha_rate"},
    "optimiser": {"optimizer"},
    "network": {"architecture", "net", "model"},
    "module": {"torch_module", "nn_module"},
}
"""The word that is used, and those that are not."""
EXCEPTIONS = {
    ("run", "seed"): "the first of the seeds of the repeats, and a column of the table",
    ("DimensionResult", "seed"): "what was given as rng, in an answer",
    ("set_params", "random_state"): "scikit-learn's own",
    ("ResidualNetwork", "x"): "torch's own word in forward",
}
"""Where another thing is meant, with the reason."""
SKLEARN = "the words of scikit-learn's estimators are theirs"


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """All public functions, and the public methods of public classes written here."""
    for room, name, _ in names():
        value = getattr(importlib.import_module(room), name)
        if inspect.isclass(value):
            if any(base.__module__.startswith("sklearn") for base in value.__mro__):
                continue
            yield name, value.__init__
            for key, method in inspect.getmembers(value, inspect.isroutine):
                if not key.startswith("_") and str(getattr(method, "__module__", "")).startswith("polygeom"):
                    yield f"{name}.{key}", method
        elif inspect.isroutine(value):
            yield name, value
    yield "run", polygeom.experiments.run


def arguments(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters)


def test_one_word_for_one_thing() -> None:
    other = {word: right for right, words in OTHER_WORDS.items() for word in words}
    found = [
        f"{name}({word}=) should be {other[word]}="
        for name, function in functions()
        for word in arguments(function) & set(other)
        if (name.partition(".")[0], word) not in EXCEPTIONS
    ]
    assert sorted(found) == []


def test_the_words_are_in_use_and_the_exceptions_there() -> None:
    """A test over a list of names without functions could not fail."""
    used: dict[str, int] = {}
    for _, function in functions():
        for word in arguments(function):
            used[word] = used.get(word, 0) + 1
    for word, least in {"rng": 25, "timeout": 8, "memory": 12, "inputs": 10, "targets": 5, "progress": 6}.items():
        assert used.get(word, 0) >= least, word
    assert "seed" in arguments(polygeom.experiments.run)
