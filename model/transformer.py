"""The trunk while it is trained: a small transformer over the units of texts, looking both ways.

Its blocks are Llama's (RMSNorm before each half, grouped-query attention with rotary positions,
SwiGLU) and give the same numbers with the same weights; only the mask differs, since every unit
sees its whole window. Position is relative: rotary angles enter as differences alone, so every
unit is the centre of its own view.

The trunk refines a bag: a unit comes with its bag vector and leaves with that vector, moved and
weighed by what stands around it. All layers leave through the same door, so that a pass may stop
after any of them. `trunk.py` runs the same network by numpy alone.

Shapes: U units of all texts, N texts, W windows of L slots, C n_embd, H heads, K key-value heads,
D = C / H.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import TrunkConfig
from model.step_batch import Windows

NORM_EPS = 1e-5
ROTARY_BASE = 10_000.0


class RMSNorm(nn.Module):
    """Scale to unit mean square, then by a learned gain (Zhang and Sennrich 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        return functional.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), NORM_EPS)


class View:
    """What attention needs to know of some windows: who sees whom, and rotary angles.

    Rotary angles are those of Su et al. 2021; since they enter as differences alone, it does not
    matter where in its window a text begins.
    """

    def __init__(self, piece_of: Tensor, config: TrunkConfig) -> None:
        self.is_seen = piece_of[:, :, None] == piece_of[:, None]  # (W, L, L)
        head_width = config.n_embd // config.n_head
        device = piece_of.device
        exponents = torch.arange(0, head_width, 2, dtype=torch.float32, device=device) / head_width
        positions = torch.arange(piece_of.shape[1], dtype=torch.float32, device=device)
        angles = positions[:, None] * ROTARY_BASE**-exponents * float(config.is_relative)
        self.cos, self.sin = angles.cos()[:, None], angles.sin()[:, None]  # (L, 1, D / 2)

    def turn(self, x: Tensor) -> Tensor:
        """Turn heads (W, L, H, D) by their positions."""
        left, right = x.chunk(2, dim=-1)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)


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
        """Mix each slot with those of its window that it sees, (W, L, C) to (W, L, C)."""
        H, K, D = self.config.n_head, self.config.n_kv_head, self.head_width
        W, L, _ = x.shape
        q = view.turn(self.q(x).view(W, L, H, D)) * D**-0.5
        k = view.turn(self.k(x).view(W, L, K, D))
        v = self.v(x).view(W, L, K, D)
        # The heads that share a key lie under each other: one product for all of them.
        heads = q.view(W, L, K, H // K, D).permute(0, 2, 3, 1, 4).reshape(W, K, -1, D)
        scores = (heads @ k.permute(0, 2, 3, 1)).view(W, H, L, L)
        scores = scores.masked_fill(~view.is_seen[:, None], -torch.inf)
        shares = scores.softmax(dim=-1).to(v.dtype).view(W, K, -1, L)
        found = (shares @ v.transpose(1, 2)).view(W, H, L, D).transpose(1, 2)
        out: Tensor = self.o(found.reshape(W, L, H * D))
        return out


class SwiGLU(nn.Module):
    """Gated feed-forward half (Shazeer 2020)."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.n_embd, config.mlp_width, bias=False)
        self.up = nn.Linear(config.n_embd, config.mlp_width, bias=False)
        self.down = nn.Linear(config.mlp_width, config.n_embd, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(W, L, C) to (W, L, C)."""
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
        """(W, L, C) to (W, L, C)."""
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
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
        for door in (self.outlet.weight, self.gate.weight, self.gate.bias):
            nn.init.zeros_(door)
        self._refine = self.refine_slots

    def compile(self) -> None:
        """Refine by generated code from now on."""
        self._refine = torch.compile(self.refine_slots, dynamic=True)

    def forward(self, units: Tensor, windows: Windows) -> list[Tensor]:
        """Refine the units of some texts.

        Args:
            units: float32 (U, width), bag vectors.
            windows: where each unit is put.

        Returns:
            One float32 (U, width) for every layer, the first layer's first.
        """
        slots = units.index_select(0, windows.unit_of)
        refined = self._refine(slots.view(*windows.piece_of.shape, -1), windows.piece_of)
        return [states.flatten(0, 1).index_select(0, windows.slot_of) for states in refined]

    def refine_slots(self, slots: Tensor, piece_of: Tensor) -> list[Tensor]:
        """Refine units in windows, (W, L, width) to the same after every layer."""
        view = View(piece_of, self.config)
        size = slots.norm(dim=-1, keepdim=True)  # (W, L, 1)
        x = self.inlet(functional.rms_norm(slots, slots.shape[-1:], eps=NORM_EPS**2))  # (W, L, C)
        refined = []
        for block in self.blocks:
            x = block(x, view)
            out = self.outlet_norm(x)
            weight = 2 * torch.sigmoid(self.gate(out).float())  # (W, L, 1), one at first
            refined.append(weight * (slots + size * self.outlet(out).float()))
        return refined
