"""Fine-tuning of few weights: the base is frozen, and beside every linear layer a small one learns (LoRA).

A network is adapted in place and trained as any other; at the end each layer says what its weight has become. The base
is taken as it is: where its weights were rounded to be stored, what is learned is learned on top of the rounded ones
(QLoRA).

Shapes: I in_features, O out_features, R rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


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


class AdaptedLinear(nn.Module):
    """A linear layer whose weight and bias are frozen, and what is learned on top: `up @ down`."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear, config: LoraConfig, generator: torch.Generator) -> None:
        """Take over a layer; at first the same comes out of it.

        Args:
            linear: of any device.
            config: how it is adapted.
            generator: of the random weights, on the CPU.
        """
        super().__init__()
        bias = linear.bias
        self.register_buffer("weight", linear.weight.detach().clone())
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        device, rank, width = linear.weight.device, config.rank, linear.in_features
        down = torch.randn(rank, width, generator=generator) * width**-0.5
        self.down = nn.Parameter(down.to(device))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank, device=device))
        self.dropout = nn.Dropout(config.dropout)
        self.factor = config.alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (..., I) to outputs (..., O)."""
        base = functional.linear(x, self.weight, self.bias)
        learned = functional.linear(functional.linear(self.dropout(x), self.down), self.up)
        return base + learned * self.factor

    @torch.no_grad()
    def merged_weight(self) -> Tensor:
        """The weight (O, I) of a plain layer that gives the same, its dropout excepted."""
        return self.weight + self.up @ self.down * self.factor


def adapt_linear_layers(network: nn.Module, config: LoraConfig, *, seed: int) -> None:
    """Put an adapted layer in the place of every linear one, and freeze all else.

    A layer that stands in two places is adapted once. Subclasses of `nn.Linear` are left alone:
    those who made them may look at their weight, as `nn.MultiheadAttention` does.

    Args:
        network: changed in place; it is not itself a linear layer.
        config: how each is adapted.
        seed: of the random weights.

    Raises:
        ValueError: there is no linear layer in it.
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
