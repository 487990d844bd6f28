"""The trunk while it is trained: a small transformer over the units of texts, looking both ways.

Its blocks are Llama's (RMSNorm before each half, grouped-query attention with rotary positions,
SwiGLU) and give the same numbers with the same weights; only the mask differs, since every unit
sees its whole window. Position is relative: rotary angles enter as differences alone, so every
unit is the centre of its own view.

The trunk refines a bag: a unit comes with its bag vector and leaves with that vector, moved and
weighed by what stands around it. All layers leave through the same door, so that a pass may stop
after any of them. `trunk.py` runs the same network by numpy alone.

Shapes: U units of all texts, S slots, N texts, C n_embd, H heads, K key-value heads, D = C / H, W
windows of L slots.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import TrunkConfig
from model.windows import Layout, Offsets, lay_out

NORM_EPS = 1e-5
ROTARY_BASE = 10_000.0
INIT_STD = 0.02


class RMSNorm(nn.Module):
    """Scale to unit mean square, then by a learned gain (Zhang and Sennrich 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        return functional.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), NORM_EPS)


class View:
    """What attention needs to know of some texts: slots, and their rotary angles (Su et al. 2021)."""

    def __init__(self, layout: Layout, config: TrunkConfig) -> None:
        self.unit_of = torch.from_numpy(layout.unit_of)
        self.slot_of = torch.from_numpy(layout.slot_of)
        self.is_filled = torch.from_numpy(layout.is_filled)
        self.groups = layout.groups
        head_width = config.n_embd // config.n_head
        exponents = torch.arange(0, head_width, 2, dtype=torch.float32) / head_width
        positions = torch.from_numpy(layout.positions).float()
        angles = positions[:, None] * ROTARY_BASE**-exponents * float(config.is_relative)
        self.cos = torch.cat((angles.cos(), angles.cos()), dim=1)[:, None]  # (S, 1, D)
        self.sin = torch.cat((-angles.sin(), angles.sin()), dim=1)[:, None]

    def turn(self, x: Tensor) -> Tensor:
        """Turn heads (S, H, D) by their positions."""
        half = x.shape[-1] // 2
        return x * self.cos.to(x.dtype) + x.roll(half, dims=-1) * self.sin.to(x.dtype)


class Attention(nn.Module):
    """Grouped-query attention within windows."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.config = config
        self.head_width = config.n_embd // config.n_head
        kv_width = config.n_kv_head * self.head_width
        self.q = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.k = nn.Linear(config.n_embd, kv_width, bias=False)
        self.v = nn.Linear(config.n_embd, kv_width, bias=False)
        self.o = nn.Linear(config.n_embd, config.n_embd, bias=False)

    def forward(self, x: Tensor, view: View) -> Tensor:
        """Mix each slot with its window, (S, C) to (S, C)."""
        H, K, D = self.config.n_head, self.config.n_kv_head, self.head_width
        q = view.turn(self.q(x).view(-1, H, D)) * D**-0.5
        k = view.turn(self.k(x).view(-1, K, D))
        v = self.v(x).view(-1, K, D)
        mixed = []
        sizes = [group.windows * group.length for group in view.groups]
        for group, q_, k_, v_, is_filled in zip(
            view.groups, *(part.split(sizes) for part in (q, k, v, view.is_filled)), strict=True
        ):
            W, L = group.windows, group.length
            # The heads that share a key lie under each other: one product for all of them.
            heads = q_.view(W, L, K, H // K, D).permute(0, 2, 3, 1, 4).reshape(W, K, -1, D)
            scores = heads @ k_.view(W, L, K, D).permute(0, 2, 3, 1)  # (W, K, H / K * L, L)
            scores = scores.masked_fill(~is_filled.view(W, 1, 1, L), -torch.inf)
            found = scores.softmax(dim=-1).to(v_.dtype) @ v_.view(W, L, K, D).transpose(1, 2)
            found = found.view(W, K, H // K, L, D).permute(0, 3, 1, 2, 4)
            mixed.append(found.reshape(-1, H * D))  # (W * L, C)
        out: Tensor = self.o(torch.cat(mixed))
        return out


class SwiGLU(nn.Module):
    """Gated feed-forward half (Shazeer 2020)."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.n_embd, config.mlp_width, bias=False)
        self.up = nn.Linear(config.n_embd, config.mlp_width, bias=False)
        self.down = nn.Linear(config.mlp_width, config.n_embd, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(S, C) to (S, C)."""
        out: Tensor = self.down(functional.silu(self.gate(x)) * self.up(x))
        return out


class Block(nn.Module):
    """Attention and feed-forward, each added to what it was given."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.n_embd)
        self.attention = Attention(config)
        self.mlp_norm = RMSNorm(config.n_embd)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, view: View) -> Tensor:
        """(S, C) to (S, C)."""
        mixed: Tensor = x + self.attention(self.attention_norm(x), view)
        out: Tensor = mixed + self.mlp(self.mlp_norm(mixed))
        return out


class Trunk(nn.Module):
    """Bag vectors of units to refined ones."""

    def __init__(self, config: TrunkConfig, width: int) -> None:
        """Set up with random weights that, at first, refine nothing.

        Args:
            config: the sizes.
            width: of the units' bag vectors.
        """
        super().__init__()
        self.config = config
        self.inlet = nn.Linear(width, config.n_embd, bias=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.outlet_norm = RMSNorm(config.n_embd)
        self.outlet = nn.Linear(config.n_embd, width, bias=False)
        self.gate = nn.Linear(config.n_embd, 1)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=INIT_STD)
        nn.init.normal_(self.inlet.weight, std=width**-0.5)
        for door in (self.outlet.weight, self.gate.weight, self.gate.bias):
            nn.init.zeros_(door)

    def forward(self, units: Tensor, text_offsets: Offsets) -> list[Tensor]:
        """Refine the units of some texts.

        Args:
            units: float32 (U, width), bag vectors.
            text_offsets: int64 (N + 1,), the first unit of each text.

        Returns:
            One float32 (U, width) for every layer, the first layer's first.
        """
        view = View(lay_out(text_offsets, self.config.window), self.config)
        size = units.norm(dim=1, keepdim=True)  # (U, 1)
        x = self.inlet(functional.rms_norm(units, units.shape[-1:], eps=NORM_EPS**2))  # (U, C)
        x = x.index_select(0, view.unit_of)  # (S, C)
        refined = []
        for block in self.blocks:
            x = block(x, view)
            out = self.outlet_norm(x.index_select(0, view.slot_of))  # (U, C)
            weight = 2 * torch.sigmoid(self.gate(out).float())  # (U, 1), one at first
            refined.append(weight * (units + size * self.outlet(out).float()))
        return refined


def owners_of(text_offsets: Offsets) -> Tensor:
    """The text of each unit, int64 (U,)."""
    return torch.from_numpy(np.repeat(np.arange(len(text_offsets) - 1), np.diff(text_offsets)))
