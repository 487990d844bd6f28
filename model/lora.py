"""Fine-tuning of few weights: a frozen base in NF4, and beside every linear layer a small one that learns (QLoRA).

A network is adapted in place, trained as any other, and merged into plain weights at the end. How a
base is rounded is the matter of `nf4.py`.

Shapes: I in_features, O out_features, R rank.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.nf4 import BLOCK, GROUP, PAIRS, quantize_nf4

LayerT = TypeVar("LayerT", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """How every linear layer is adapted."""

    rank: int = 8
    """Width of what is learned, 1 or more."""
    alpha: float = 16.0
    """What is learned counts alpha / rank times, so that another rank needs no other learning rate."""
    dropout: float = 0.0
    """Share of the inputs that what is learned does not see in a training step, 0 to below 1."""

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"the rank is {self.rank}, not 1 or more")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"the dropout is {self.dropout}, not from 0 to below 1")


class FrozenWeight(nn.Module):
    """A matrix in NF4, restored each time it is asked for, on the device it is on."""

    codes: Tensor
    scales: Tensor
    steps: Tensor
    mean: Tensor
    pairs: Tensor

    def __init__(self, weight: Tensor) -> None:
        """Round a matrix.

        Args:
            weight: float32 (O, I).

        Raises:
            ValueError: it is empty, not float32 or not finite.
        """
        super().__init__()
        stored = quantize_nf4(weight.detach().cpu().numpy())
        self.shape = stored.shape
        for name in ("codes", "scales", "steps", "mean"):
            array = torch.from_numpy(getattr(stored, name))
            self.register_buffer(name, array.to(weight.device))
        pairs = torch.from_numpy(PAIRS.copy()).to(weight.device)
        self.register_buffer("pairs", pairs, persistent=False)

    @torch.no_grad()
    def forward(self) -> Tensor:
        """The matrix, rounded, float32 (O, I): what `restore_nf4` gives, to the bit."""
        steps = self.steps.double().repeat_interleave(GROUP)[: len(self.scales)]
        scales = (steps * self.scales + self.mean).clamp(0, torch.finfo(torch.float32).max)
        values = functional.embedding(self.codes.int(), self.pairs).view(-1, BLOCK)
        values *= scales.float()[:, None]
        return values.view(-1)[: math.prod(self.shape)].view(self.shape)


class _FrozenProduct(torch.autograd.Function):
    """A frozen linear layer whose matrix is restored anew for the gradient, not kept until then."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, restore: Callable[[], Tensor], bias: Tensor | None) -> Tensor:
        ctx.restore = restore
        return functional.linear(x, restore(), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        return gradient @ ctx.restore().to(gradient.dtype), None, None


class AdaptedLinear(nn.Module):
    """A linear layer whose weight and bias are frozen, and what is learned on top: `up @ down`."""

    bias: Tensor | None

    def __init__(self, linear: nn.Linear, config: LoraConfig, generator: torch.Generator) -> None:
        """Take over a layer; at first the same comes out as from its rounded weight.

        Args:
            linear: float32.
            config: how it is adapted.
            generator: of the random weights, on the CPU.

        Raises:
            ValueError: the weight is empty, not float32 or not finite.
        """
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.base = FrozenWeight(linear.weight)
        bias = linear.bias
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        device, rank = linear.weight.device, config.rank
        down = torch.randn(rank, self.in_features, generator=generator) * self.in_features**-0.5
        self.down = nn.Parameter(down.to(device))
        self.up = nn.Parameter(torch.zeros(self.out_features, rank, device=device))
        self.dropout = nn.Dropout(config.dropout)
        self.factor = config.alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (..., I) to outputs (..., O)."""
        base: Tensor = _FrozenProduct.apply(x, self.base, self.bias)  # type: ignore[no-untyped-call]  # torch leaves it without types
        learned = functional.linear(functional.linear(self.dropout(x), self.down), self.up)
        return base + learned * self.factor

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """A plain layer of float32 that gives the same, its dropout excepted."""
        weight = self.base() + self.up @ self.down * self.factor
        linear = nn.Linear(self.in_features, self.out_features, self.bias is not None, "meta")
        linear.weight = nn.Parameter(weight)
        if self.bias is not None:
            linear.bias = nn.Parameter(self.bias.clone())
        return linear.train(self.training)


def adapt_linear_layers(network: nn.Module, config: LoraConfig, *, seed: int) -> None:
    """Put an adapted layer in the place of every linear one, and freeze all else.

    A layer that stands in two places is adapted once. Subclasses of `nn.Linear` are left alone:
    those who made them may look at their weight, as `nn.MultiheadAttention` does.

    Args:
        network: changed in place; it is not itself a linear layer.
        config: how each is adapted.
        seed: of the random weights.

    Raises:
        ValueError: there is no linear layer in it, or one's weight is not finite float32.
    """
    generator = torch.Generator().manual_seed(seed)
    places = _places(network, nn.Linear)
    if not places:
        raise ValueError("the network has no linear layer to adapt")
    adapted = {
        linear: AdaptedLinear(linear, config, generator)
        for linear in dict.fromkeys(places.values())
    }
    network.requires_grad_(False)
    for place, linear in places.items():
        network.set_submodule(place, adapted[linear].train(linear.training))


def merge_adaptation(network: nn.Module) -> None:
    """Put a plain layer of float32 in the place of every adapted one, for good.

    The new layers can be trained; what else was frozen stays so.

    Args:
        network: changed in place.
    """
    places = _places(network, AdaptedLinear)
    merged = {layer: layer.merged() for layer in dict.fromkeys(places.values())}
    for place, layer in places.items():
        network.set_submodule(place, merged[layer])


def adaptation_state(network: nn.Module) -> dict[str, Tensor]:
    """A copy of what is learned: for each adapted layer `NAME.down` (R, I) and `NAME.up` (O, R)."""
    return {name: value.detach().clone() for name, value in _learned(network).items()}


def restore_adaptation(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Take over an `adaptation_state`.

    Args:
        network: adapted as the one that the state is from.
        state: on any device.

    Raises:
        ValueError: the state is of another network or another rank; nothing is changed then.
    """
    learned = _learned(network)
    if odd := sorted(learned.keys() ^ state.keys()):
        raise ValueError(f"the adaptation is of another network: {odd[0]}")
    for name, value in learned.items():
        if state[name].shape != value.shape:
            shapes = f"{tuple(state[name].shape)}, not {tuple(value.shape)}"
            raise ValueError(f"the adaptation is of another shape: {name} is {shapes}")
    with torch.no_grad():
        for name, value in learned.items():
            value.copy_(state[name])


def _learned(network: nn.Module) -> dict[str, nn.Parameter]:
    return {
        f"{name}.{part}": value
        for name, layer in network.named_modules()
        if isinstance(layer, AdaptedLinear)
        for part, value in (("down", layer.down), ("up", layer.up))
    }


def _places(network: nn.Module, kind: type[LayerT]) -> dict[str, LayerT]:
    """Every place of the layers of exactly this kind; a shared layer has several."""
    return {
        name: layer
        for name, layer in network.named_modules(remove_duplicate=False)
        if type(layer) is kind and name
    }
