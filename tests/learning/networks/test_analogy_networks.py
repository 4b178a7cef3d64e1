from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks on images need the extra learn")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.networks.analogy import (  # noqa: E402
    AnalogyNetwork,
    ConvolutionalEncoder,
    SequenceScorer,
    choices_correct,
)
from polygeom.learning.networks.normalisation import Normalisation  # noqa: E402


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(kind: str = "polynomial", seed: int = 0) -> AnalogyNetwork:
    encoder = ConvolutionalEncoder(kind, 16, maps=4, features=6)
    return AnalogyNetwork(encoder, Normalisation("context", 6), SequenceScorer(6, 8)).initialise(seed).double()


@pytest.mark.parametrize("resolution", [16, 32])
def test_the_published_sizes(resolution: int) -> None:
    encoder = ConvolutionalEncoder("plain", resolution, maps=32, features=256)
    shapes = [tuple(p.shape) for p in encoder.convolutions.parameters() if p.ndim == 4]
    assert shapes == [(32, 3, 4, 4), *[(32, 32, 4, 4)] * 3]
    assert encoder.dense[0].in_features == 32 * (resolution // 16) ** 2
    assert ConvolutionalEncoder("plain", 128).dense[0].in_features == 2048


def test_the_polynomial_encoder_multiplies_by_the_pooled_shortcut() -> None:
    encoder = network().encoder
    x = drawn(3, 3, 16, 16).abs()
    direct = encoder.shortcut(x).relu()
    value = encoder.convolutions[0](x).relu()
    for level in (1, 2, 3):
        value = encoder.convolutions[level](value).relu()
        block = direct.unfold(2, 2**level, 2**level).unfold(3, 2**level, 2**level)
        value = value * (1 + block.mean(dim=(-1, -2)))
    torch.testing.assert_close(encoder(x), encoder.dense(value.flatten(1)))


def test_without_the_shortcut_the_encoders_are_the_same() -> None:
    polynomial, plain = network("polynomial").encoder, network("plain").encoder
    plain.load_state_dict({k: v for k, v in polynomial.state_dict().items() if not k.startswith("shortcut")})
    with torch.no_grad():
        polynomial.shortcut.weight.zero_()
    x = drawn(2, 3, 16, 16)
    torch.testing.assert_close(polynomial(x), plain(x))


def test_the_recurrent_network_is_torchs_lstm_with_forget_bias_one() -> None:
    scorer = SequenceScorer(5, 7).double()
    with torch.no_grad():
        scorer.kernel.bias.copy_(drawn(28, seed=3))
    lstm = torch.nn.LSTM(5 + 4, 7, batch_first=True).double()
    take, new, keep, show = scorer.kernel.weight.chunk(4)
    biases = scorer.kernel.bias.chunk(4)
    with torch.no_grad():  # torch orders the gates: input, forget, cell, output
        kernel = torch.cat([take, keep, new, show])
        lstm.weight_ih_l0.copy_(kernel[:, :9])
        lstm.weight_hh_l0.copy_(kernel[:, 9:])
        lstm.bias_ih_l0.copy_(torch.cat([biases[0], biases[2] + 1, biases[1], biases[3]]))
        lstm.bias_hh_l0.zero_()
    x = drawn(3, 2, 4, 5)
    tagged = torch.cat([torch.eye(4, dtype=x.dtype).expand(3, 2, 4, 4), x], dim=-1).flatten(0, 1)
    expected = scorer.score(lstm(tagged)[0][:, -1]).reshape(3, 2)
    torch.testing.assert_close(scorer(x), expected)


def test_layer_normalisation_makes_the_gates_blind_to_their_scale() -> None:
    scorer = SequenceScorer(5, 7, layer_norm=True).double()
    x = drawn(3, 2, 4, 5)
    before = scorer(x)
    with torch.no_grad():
        scorer.kernel.weight.mul_(10)
    torch.testing.assert_close(scorer(x), before, rtol=1e-3, atol=1e-3)
    assert scorer.kernel.bias is None


def test_a_score_depends_on_its_own_candidate_alone() -> None:
    module, images = network(), drawn(2, 10, 3, 16, 16)
    before = module(images)
    images[:, 5] += 1
    changed = (module(images) - before).abs() > 1e-9
    assert changed.any(dim=0).tolist() == [False, False, True, False, False, False, False]
    order = torch.tensor([0, 1, 2, *(3 + torch.randperm(7)).tolist()])
    torch.testing.assert_close(module(images[:, order]), module(images)[:, order[3:] - 3])


def test_the_seed_fixes_the_weights_and_biases_start_at_zero() -> None:
    one, same, other = (network(seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert all(not value.any() for name, value in one.items() if name.endswith("bias"))
    bound = (6 / (6 + 6)) ** 0.5
    assert 0.8 * bound < float(one["encoder.dense.2.weight"].abs().max()) <= bound


def test_equal_scores_are_no_choice() -> None:
    scores = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [2.0, 1.0, 1.0]])
    assert choices_correct(scores).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ConvolutionalEncoder("cubic", 32), "kind must be one of plain, polynomial, got 'cubic'"),
        (lambda: ConvolutionalEncoder("plain", 40), "resolution must be a multiple of 16, got 40"),
        (lambda: SequenceScorer(3, 4)(torch.zeros(1, 7, 5, 3)), r"shape \(N, S, 4, features\), got \(1, 7, 5, 3\)"),
    ],
)
def test_wrong_arguments_are_named(call, message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        call()
