"""The language model of levels while it is trained: characters in, on every level the code of what comes next out.

A character's vector is its own and, where there is a table of larger units (`unit_hash.py`), those of what ends there.
The lowest level sees a few characters back by gated convolutions. Two states of a level are pooled into one of the
next, which looks back by causal attention with rotary positions. On the way down each level is told what the one above
knew when its latest block was complete. A state knows the characters up to the end of its own block, and no later one.

Shapes: B rows, T characters, K larger units that end at one, L blocks of a level, C width of its states, H heads,
D = C / H.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.level_config import LevelConfig, LevelsOf, mlp_width
from model.rotary import turned, turns_of
from model.transformer import RMSNorm


class GatedMlp(nn.Module):
    """SwiGLU (Shazeer 2020) behind a norm, added to what it was given."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        inner = mlp_width(width)
        self.norm = RMSNorm(width)
        self.gate, self.up = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) to (B, L, C)."""
        y = self.norm(x)
        out: Tensor = x + self.dropout(self.down(functional.silu(self.gate(y)) * self.up(y)))
        return out


class NearBlock(nn.Module):
    """A gated convolution over the last few states, and a feed-forward half."""

    def __init__(self, width: int, reach: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm = RMSNorm(width)
        self.near = nn.Parameter(torch.randn(reach + 1, width) * (reach + 1) ** -0.5)
        self.gate, self.out = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.mlp = GatedMlp(width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) to (B, L, C)."""
        y = self.norm(x)
        reach = len(self.near) - 1
        padded = functional.pad(y, (0, 0, reach, 0)).transpose(1, 2)
        near = functional.conv1d(padded, self.near.T[:, None], groups=y.shape[2]).transpose(1, 2)
        out: Tensor = self.mlp(x + self.dropout(self.out(near * torch.sigmoid(self.gate(y)))))
        return out


class FarBlock(nn.Module):
    """Causal attention to all blocks before, and a feed-forward half."""

    def __init__(self, width: int, head_width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.head_width = head_width
        self.norm = RMSNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.mlp = GatedMlp(width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) to (B, L, C)."""
        B, L, C = x.shape
        y = self.norm(x)
        q, k, v = (part(y).view(B, L, -1, self.head_width) for part in (self.q, self.k, self.v))
        q, k, v = (part.transpose(1, 2) for part in (*self.placed(q, k), v))
        found = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        found = found.transpose(1, 2).reshape(B, L, C)
        out: Tensor = self.mlp(x + self.dropout(self.o(found)))
        return out

    def placed(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys (B, L, H, D) that know where they stand."""
        turns = turns_of(q.shape[1], self.head_width, q.device)
        return turned(q, turns), turned(k, turns)


class LevelNetwork(nn.Module):
    """Characters to what each level predicts."""

    levels_of = LevelsOf.CHARACTERS

    def __init__(
        self,
        config: LevelConfig,
        *,
        dropout: float = 0.0,
        unit_dropout: float = 0.0,
        far: type[FarBlock] = FarBlock,
    ) -> None:
        """Set up with random weights.

        Args:
            config: sizes.
            dropout: share of each half's output that is left out in training.
            unit_dropout: share of the larger units that are left out in training, each by itself.
            far: the blocks of all levels but the lowest; run time (`level_forward.py`) knows the usual ones alone.

        Raises:
            ValueError: the levels have states of something else.
        """
        super().__init__()
        if config.levels_of is not self.levels_of:
            raise ValueError(f"levels of {config.levels_of} are not levels of {self.levels_of}")
        self.config, self.unit_dropout = config, unit_dropout
        widths = config.widths
        self.characters = nn.Embedding(config.alphabet, widths[0])
        self.units = nn.Embedding(config.rows, widths[0]) if config.rows else None
        self.up = nn.ModuleList(
            nn.Sequential(
                *(
                    far(width, config.head_width, dropout)
                    if level
                    else NearBlock(width, config.reach, dropout)
                    for _ in range(config.layers[level])
                )
            )
            for level, width in enumerate(widths)
        )
        self.pools = nn.ModuleList(
            nn.Linear(2 * below, width, bias=False) for below, width in itertools.pairwise(widths)
        )
        self.told = nn.ModuleList(
            nn.Linear(above, width, bias=False) for width, above in itertools.pairwise(widths)
        )
        self.last = NearBlock(widths[0], config.reach, dropout)
        self.norms = nn.ModuleList(RMSNorm(width) for width in widths)
        self.heads = nn.ModuleList(
            nn.Linear(width, code_width)
            for width, code_width in zip(widths, config.code_widths, strict=True)
        )
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                deep = 0.5 if name.endswith((".o", ".out", ".down")) else 1.0
                deep = 0.1 if name.startswith("heads.") else deep  # at first nothing is claimed
                nn.init.normal_(module.weight, std=deep * module.in_features**-0.5)
        nn.init.normal_(self.characters.weight)
        if self.units is not None:
            nn.init.zeros_(self.units.weight)

    def forward(self, ids: Tensor, units: Tensor | None = None) -> list[Tensor]:
        """Predict on every level.

        Args:
            ids: int64 (B, T), T a multiple of the stride.
            units: int64 (B, T, K), rows of the larger units that end at each character, where there is a table.

        Returns:
            By level l (B, T / 2**l, code width): what block j's place says of block j + 1.

        Raises:
            ValueError: the length is no multiple of the stride.
        """
        if ids.shape[1] % self.config.stride:
            raise ValueError(f"{ids.shape[1]} characters are no multiple of {self.config.stride}")
        states = [self.up[0](self._embedded(ids, units))]
        for pool, blocks in zip(self.pools, list(self.up)[1:], strict=True):
            B, L, C = states[-1].shape
            states.append(blocks(pool(states[-1].reshape(B, L // 2, 2 * C))))
        for level in range(self.config.levels - 2, -1, -1):
            states[level] = states[level] + at_latest(self.told[level](states[level + 1]))
        return self._said(states)

    def _embedded(self, ids: Tensor, units: Tensor | None) -> Tensor:
        """Vectors of characters and what ends at them, (B, T, C)."""
        x: Tensor = self.characters(ids)
        return x if self.units is None else x + self._heard(self.units(units)).sum(dim=2)

    def _said(self, states: list[Tensor]) -> list[Tensor]:
        """What states that were told all predict, by level."""
        states[0] = self.last(states[0])
        return [
            head(norm(state))
            for state, norm, head in zip(states, self.norms, self.heads, strict=True)
        ]

    def _heard(self, units: Tensor) -> Tensor:
        """Larger units (B, T, K, C), in training some of them left out."""
        if not self.training or not self.unit_dropout:
            return units
        kept = functional.dropout(units.new_ones(*units.shape[:3], 1), self.unit_dropout)
        return units * kept


def at_latest(above: Tensor) -> Tensor:
    """For each block of a level what is known of the latest complete one above it, (B, L, C) to (B, 2 L, C)."""
    shifted = functional.pad(above, (0, 0, 1, 0))  # before the first one is complete: nothing
    return shifted.repeat_interleave(2, dim=1)[:, 1:-1]
