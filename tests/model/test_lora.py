"""Low-rank adaptation over a frozen base: nothing at first, then what is learned, then plain weights again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.lora import AdaptedLinear, FrozenWeight, LoraConfig, adapt_linear_layers
from model.nf4 import quantize_nf4, restore_nf4

CONFIG, NF4 = LoraConfig(rank=3, alpha=6), LoraConfig(rank=3, alpha=6, is_nf4=True)
WIDTH, HIDDEN, OUT = 20, 33, 5


class Network(nn.Module):
    """An embedding, a norm and three linear layers, one of them inside a list."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, WIDTH)
        self.layers = nn.ModuleList(
            [nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH, bias=False)]
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, OUT)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (..., OUT) of tokens."""
        x = self.table(tokens)
        x = self.norm(x + self.layers[1](torch.relu(self.layers[0](x))))
        scores: Tensor = self.out(x)
        return scores


def make_network(seed: int = 1) -> Network:
    torch.manual_seed(seed)
    return Network().eval()


def rounded(network: Network) -> Network:
    """The same network with every linear weight as NF4 restores it."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            stored = quantize_nf4(module.weight.detach().numpy())
            module.weight = nn.Parameter(torch.from_numpy(restore_nf4(stored)))
    return network


def as_base(network: Network, config: LoraConfig) -> Network:
    return rounded(network) if config.is_nf4 else network


def adapted(config: LoraConfig = CONFIG, seed: int = 1) -> Network:
    network = make_network(seed)
    adapt_linear_layers(network, config, seed=9)
    return network


def learned_something(network: Network, seed: int = 4) -> Network:
    """As after training: nothing is zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith((".up", ".down")):
                value.copy_(torch.randn(value.shape, generator=generator) * 0.2)
    return network


TOKENS = torch.arange(11).repeat(2, 1)


# -------------------------------------------------------------------------------------------- base
@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (64, 64), (130, 257)])
def test_frozen_weight_restores_as_nf4_does(shape):
    torch.manual_seed(0)
    weight = torch.randn(shape)
    expected = torch.from_numpy(restore_nf4(quantize_nf4(weight.numpy())))
    assert torch.equal(FrozenWeight(weight)(), expected)


def test_base_takes_4_127_bits_a_value_and_is_no_parameter():
    linear = nn.Linear(512, 512, bias=False)
    network = nn.Sequential(linear)
    adapt_linear_layers(network, NF4, seed=1)
    base = [value for name, value in network.state_dict().items() if ".base." in name]
    bits = 8 * sum(value.numel() * value.element_size() for value in base) / linear.weight.numel()
    assert bits == pytest.approx(4.127, abs=1e-3)
    assert [name for name, _ in network.named_parameters()] == ["0.down", "0.up"]


BASES = pytest.mark.parametrize("config", [CONFIG, NF4], ids=["as it is", "NF4"])


@BASES
def test_base_is_no_parameter_and_not_kept_for_the_gradient(config):
    network = nn.Sequential(nn.Linear(64, 48))
    adapt_linear_layers(network, config, seed=1)
    assert [name for name, _ in network.named_parameters()] == ["0.down", "0.up"]
    kept: list[torch.Size] = []

    def note(value: Tensor) -> Tensor:
        kept.append(value.shape)
        return value

    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        network(torch.randn(2, 64, requires_grad=True))
    assert kept
    assert not {(48, 64), (64, 48)} & set(kept)


@BASES
def test_gradients_are_those_of_plain_layers(config):
    plain = as_base(make_network(), config)
    network = adapted(config)
    gradients = []
    for it in (plain, network):
        it.table.weight.requires_grad_(True)
        it(TOKENS).square().sum().backward()
        gradients.append(it.table.weight.grad)
    assert gradients[0] is not None
    assert gradients[1] is not None
    assert gradients[0].abs().max() > 0.1
    assert torch.allclose(gradients[0], gradients[1], atol=1e-5)


def test_adapted_layers_compute_in_bfloat16_when_told_so():
    network = adapted()
    network.table.weight.requires_grad_(True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = network(TOKENS)
    scores.float().square().sum().backward()
    assert scores.dtype == torch.bfloat16
    assert torch.allclose(scores.float(), network(TOKENS), atol=0.1)
    assert network.out.up.grad is not None
    assert network.out.up.grad.dtype == torch.float32


# ---------------------------------------------------------------------------------------- at first
@BASES
def test_adaptation_changes_nothing_at_first_but_the_rounding(config):
    expected = as_base(make_network(), config)(TOKENS)
    assert torch.allclose(adapted(config)(TOKENS), expected, atol=1e-6)


def test_every_linear_layer_is_adapted_and_nothing_else_is_trained():
    network = adapted()
    sizes = [(WIDTH, HIDDEN), (HIDDEN, WIDTH), (WIDTH, OUT)]
    trained = sum(value.numel() for value in network.parameters() if value.requires_grad)
    assert trained == CONFIG.rank * sum(inner + outer for inner, outer in sizes)
    assert not [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert not network.table.weight.requires_grad
    assert not network.norm.weight.requires_grad


def test_seed_decides_the_first_weights():
    first, same, other = (make_network() for _ in range(3))
    for network, seed in ((first, 1), (same, 1), (other, 2)):
        adapt_linear_layers(network, CONFIG, seed=seed)
    downs = [network.get_parameter("out.down") for network in (first, same, other)]
    assert torch.equal(downs[0], downs[1])
    assert not torch.equal(downs[0], downs[2])


def test_shared_layer_stays_shared():
    shared = nn.Linear(6, 6)
    network = nn.Sequential(shared, nn.Sequential(nn.ReLU(), shared))
    adapt_linear_layers(network, CONFIG, seed=1)
    assert isinstance(network[0], AdaptedLinear)
    assert network[0] is network.get_submodule("1.1")
    assert len(list(network.parameters())) == 2


def test_attention_of_torch_still_works():
    network = nn.Sequential(nn.Linear(8, 8))
    network.append(nn.MultiheadAttention(8, 2))
    adapt_linear_layers(network, CONFIG, seed=1)
    x = network[0](torch.randn(3, 1, 8))
    assert network[1](x, x, x)[0].shape == (3, 1, 8)


def test_dropout_is_for_training_alone():
    torch.manual_seed(2)
    network = learned_something(adapted(LoraConfig(rank=3, dropout=0.5)))
    assert torch.equal(network(TOKENS), network(TOKENS))
    network.train()
    assert not torch.equal(network(TOKENS), network(TOKENS))


def test_alpha_weighs_what_is_learned():
    inputs = torch.randn(4, 12)
    changes = []
    for alpha in (2.0, 6.0):
        torch.manual_seed(3)
        network = nn.Sequential(nn.Linear(12, 7))
        adapt_linear_layers(network, LoraConfig(rank=2, alpha=alpha), seed=1)
        before = network(inputs)
        with torch.no_grad():
            network.get_parameter("0.up").fill_(0.5)
        changes.append(network(inputs) - before)
    assert torch.allclose(changes[1], 3 * changes[0], atol=1e-5)


@pytest.mark.parametrize(("rank", "dropout"), [(0, 0.0), (2, 1.0), (2, -0.1)])
def test_impossible_settings_are_refused(rank, dropout):
    with pytest.raises(ValueError, match="rank" if rank < 1 else "dropout"):
        LoraConfig(rank=rank, dropout=dropout)


def test_network_without_linear_layers_is_refused():
    with pytest.raises(ValueError, match="no linear layer"):
        adapt_linear_layers(nn.Sequential(nn.ReLU()), CONFIG, seed=1)


# ---------------------------------------------------------------------------------------- learning
def test_regression_is_learned_with_the_base_unchanged():
    torch.manual_seed(6)
    network = nn.Sequential(nn.Linear(16, 16))
    adapt_linear_layers(network, LoraConfig(rank=2, alpha=4), seed=1)
    base = {name: value.clone() for name, value in network.named_buffers()}
    inputs = torch.randn(128, 16)
    with torch.no_grad():
        targets = network(inputs) + inputs @ torch.randn(16, 1) @ torch.randn(1, 16)
    optimizer = torch.optim.AdamW([it for it in network.parameters() if it.requires_grad], lr=0.03)
    losses = []
    for _ in range(200):
        loss = functional.mse_loss(network(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]
    assert base.keys() == dict(network.named_buffers()).keys()
    assert all(torch.equal(value, base[name]) for name, value in network.named_buffers())


def test_plain_layers_of_merged_weights_give_the_same():
    network = learned_something(adapted())
    plain = make_network()
    for name, layer in plain.named_modules():
        if isinstance(layer, nn.Linear):
            learned = network.get_submodule(name)
            assert isinstance(learned, AdaptedLinear)
            layer.weight = nn.Parameter(learned.merged_weight())
    assert not torch.allclose(network(TOKENS), adapted()(TOKENS), atol=0.1)
    assert torch.allclose(plain(TOKENS), network(TOKENS), atol=1e-5)


def test_whole_state_of_an_adapted_network_can_be_loaded():
    network = learned_something(adapted())
    other = adapted(seed=2)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(TOKENS), network(TOKENS))
