"""Fine-tuning of few weights: the base is frozen, and beside every linear layer a small one learns (LoRA).

A network is adapted in place and trained as any other; at the end each layer says what its weight has become. The base
is taken as it is, its weights rounded or not, or put into NF4 while it learns: a sixth of the memory (QLoRA, Dettmers
and others 2023). How NF4 rounds is the matter of `nf4.py`.

Shapes: I in_features, O out_features, R rank.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.nf4 import BLOCK, GROUP, PAIRS, quantize_nf4


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """How every linear layer is adapted."""

    rank: int = 8
    """Width of what is learned, 1 or more."""
    alpha: float = 16.0
    """What is learned counts alpha / rank times, so that another rank needs no other learning rate."""
    dropout: float = 0.0
    """Share of the inputs that what is learned does not see in a training step, 0 to below 1."""
    is_nf4: bool = False
    """Whether the base is in NF4, 4.127 bits a weight, instead of as it is."""

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


class PlainWeight(nn.Module):
    """A matrix as it is."""

    weight: Tensor

    def __init__(self, weight: Tensor) -> None:
        """Keep a copy."""
        super().__init__()
        self.register_buffer("weight", weight.detach().clone())

    def forward(self) -> Tensor:
        """The matrix (O, I)."""
        return self.weight


class AdaptedLinear(nn.Module):
    """A linear layer whose weight and bias are frozen, and what is learned on top: `up @ down`."""

    bias: Tensor | None

    def __init__(self, linear: nn.Linear, config: LoraConfig, generator: torch.Generator) -> None:
        """Take over a layer; at first the same comes out of it, or the same as from its weight in NF4.

        Args:
            linear: of any device.
            config: how it is adapted.
            generator: of the random weights, on the CPU.

        Raises:
            ValueError: the base is to be in NF4, and the weight is empty, not float32 or not finite.
        """
        super().__init__()
        bias = linear.bias
        self.base = (FrozenWeight if config.is_nf4 else PlainWeight)(linear.weight)
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        device, rank, width = linear.weight.device, config.rank, linear.in_features
        down = torch.randn(rank, width, generator=generator) * width**-0.5
        self.down = nn.Parameter(down.to(device))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank, device=device))
        self.dropout = nn.Dropout(config.dropout)
        self.factor = config.alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (..., I) to outputs (..., O)."""
        base: Tensor = _FrozenProduct.apply(x, self.base, self.bias)  # type: ignore[no-untyped-call]  # torch leaves it without types
        learned = functional.linear(functional.linear(self.dropout(x), self.down), self.up)
        return base + learned * self.factor

    @torch.no_grad()
    def merged_weight(self) -> Tensor:
        """The weight (O, I) of a plain layer that gives the same, its dropout excepted."""
        weight: Tensor = self.base() + self.up @ self.down * self.factor
        return weight


def adapt_linear_layers(network: nn.Module, config: LoraConfig, *, seed: int) -> None:
    """Put an adapted layer in the place of every linear one, and freeze all else.

    A layer that stands in two places is adapted once. Subclasses of `nn.Linear` are left alone:
    those who made them may look at their weight, as `nn.MultiheadAttention` does.

    Args:
        network: changed in place; it is not itself a linear layer.
        config: how each is adapted.
        seed: of the random weights.

    Raises:
        ValueError: there is no linear layer in it, or one's weight cannot be put into NF4 where that is asked for.
    """
    generator = torch.Generator().manual_seed(seed)
    places = {
        name: layer
        for name, layer in network.named_modules(remove_duplicate=False)
        if type(layer) is nn.Linear and name
    }
    if not places:
        raise ValueError("the network has no linear layer to adapt")
    adapted = {
        linear: AdaptedLinear(linear, config, generator)
        for linear in dict.fromkeys(places.values())
    }
    network.requires_grad_(False)
    for place, linear in places.items():
        network.set_submodule(place, adapted[linear].train(linear.training))
