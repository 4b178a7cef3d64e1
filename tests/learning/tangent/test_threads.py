"""Threads that ask for the kernel of one module, or of modules with a part in common, take turns."""

from __future__ import annotations

import threading
import time
import warnings

import pytest

torch = pytest.importorskip("torch", reason="tangent kernels need the extra learn")

from learning.tangent_models import seeded  # noqa: E402
from torch import nn  # noqa: E402

from polygeom.learning.calls import alone, call_with, plain_attention  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import empirical_ntk  # noqa: E402


class Slow(nn.Linear):
    """Lets others run meanwhile."""

    def forward(self, x):
        time.sleep(0.001)
        return super().forward(x)


def together(*calls) -> list[Exception]:
    """What went wrong in threads that make these calls at once."""
    wrong: list[Exception] = []
    start = threading.Barrier(len(calls))

    def run(call) -> None:
        try:
            start.wait()
            call()
        except Exception as error:  # noqa: BLE001  it is looked at below
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return wrong


@pytest.mark.parametrize("method", ["auto", "layerwise", "pointwise", "single"])
def test_two_threads_have_the_kernel_that_one_has(method: str) -> None:
    shared = seeded(lambda: Slow(3, 3))
    modules = [nn.Sequential(shared, nn.Tanh(), Slow(3, count).double()) for count in (2, 2)]
    modules.append(modules[0])
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = [empirical_ntk(module, x, method="single") for module in modules]
    held = [dict(module.named_parameters()) for module in modules]
    filters = list(warnings.filters)

    def ask(number: int):
        def call() -> None:
            for _ in range(4):
                found = empirical_ntk(modules[number], x, method=method)
                assert (found - expected[number]).abs().max() <= 1e-12 * expected[number].abs().max()

        return call

    assert together(*map(ask, range(3))) == []
    assert list(warnings.filters) == filters
    for module, own in zip(modules, held, strict=True):
        now = dict(module.named_parameters())
        assert all(now[name] is one for name, one in own.items())


def test_modules_without_a_common_part_do_not_wait_and_one_thread_never_does() -> None:
    one, other = nn.Linear(2, 1), nn.Linear(2, 1)
    x = torch.ones(1, 2)
    inside = threading.Event()
    with alone(one), alone(one):
        assert together(lambda: (call_with(other, {}, x), inside.set())) == []
        assert inside.is_set()
        inside.clear()
        waiting = threading.Thread(target=lambda: (call_with(one, {}, x), inside.set()))
        waiting.start()
        assert not inside.wait(0.05)
    waiting.join(60)
    assert inside.is_set()


def test_settings_of_attention_come_back_whichever_thread_ends_last() -> None:
    def settings() -> tuple[bool, ...]:
        backends = torch.backends
        return (
            backends.cuda.flash_sdp_enabled(),
            backends.cuda.mem_efficient_sdp_enabled(),
            backends.cuda.math_sdp_enabled(),
            backends.mha.get_fastpath_enabled(),
        )

    before, entered, left = settings(), threading.Event(), threading.Event()

    def first() -> None:
        with plain_attention():
            entered.wait(60)
        left.set()

    def second() -> None:
        with plain_attention():
            entered.set()
            left.wait(60)
            assert settings() == (False, False, True, False)

    assert together(first, second) == []
    assert settings() == before
