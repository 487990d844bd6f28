"""The asker while it is trained: a causal transformer over characters.

Llama's blocks (RMSNorm, rotary position, grouped-query attention, SwiGLU) with a short convolution in front of
each, which shows a character those before it. Ids come in and scores of the next id go out by one table.
`ask_forward.py` runs the same network by numpy alone.

Shapes: B rows, T places, C n_embd, H heads, K heads of keys, D = C / H, V alphabet.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.ask_config import AskConfig
from model.rotary import Turns, turned, turns_of

NORM_EPS = 1e-5


class AskNorm(nn.Module):
    """Divide by the root mean square."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., C)."""
        normed = functional.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype), NORM_EPS)
        kind = x.device.type
        return (
            normed.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else normed
        )


class AskBlock(nn.Module):
    """Convolution, attention and feed-forward, each added to what it was given."""

    def __init__(self, config: AskConfig, dropout: float) -> None:
        super().__init__()
        C, self.heads, self.kv_heads = config.n_embd, config.n_head, config.n_kv_head
        self.head_width = C // config.n_head
        kv_width = self.kv_heads * self.head_width
        self.near_norm, self.attention_norm, self.mlp_norm = AskNorm(C), AskNorm(C), AskNorm(C)
        self.near = nn.Parameter(torch.randn(config.reach + 1, C) * 0.2)
        self.q, self.o = nn.Linear(C, C, bias=False), nn.Linear(C, C, bias=False)
        self.k, self.v = nn.Linear(C, kv_width, bias=False), nn.Linear(C, kv_width, bias=False)
        self.gate, self.up = (nn.Linear(C, config.mlp_width, bias=False) for _ in range(2))
        self.down = nn.Linear(config.mlp_width, C, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, turns: Turns) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        x = x + self._near(self.near_norm(x))
        x = x + self.dropout(self._attention(self.attention_norm(x), turns))
        y = self.mlp_norm(x)
        out: Tensor = x + self.dropout(self.down(functional.silu(self.gate(y)) * self.up(y)))
        return out

    def _near(self, x: Tensor) -> Tensor:
        weights = self.near.to(x.dtype)
        reach = len(weights) - 1
        padded = functional.pad(x, (0, 0, reach, 0))
        out = x * weights[reach]
        for offset in range(reach):
            out = torch.addcmul(out, padded[:, offset : offset + x.shape[1]], weights[offset])
        return out

    def _attention(self, x: Tensor, turns: Turns) -> Tensor:
        B, T, C = x.shape
        H, K, D = self.heads, self.kv_heads, self.head_width
        q = turned(self.q(x).view(B, T, H, D), turns).transpose(1, 2)
        k = turned(self.k(x).view(B, T, K, D), turns).transpose(1, 2)
        v = self.v(x).view(B, T, K, D).transpose(1, 2)
        # The heads that share a key lie next to each other.
        k, v = k.repeat_interleave(H // K, dim=1), v.repeat_interleave(H // K, dim=1)
        found = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.o(found.transpose(1, 2).reshape(B, T, C))
        return out


class AskNetwork(nn.Module):
    """Ids to scores of the next one."""

    def __init__(self, config: AskConfig, *, dropout: float) -> None:
        """Set up with random weights.

        Args:
            config: the sizes; `alphabet` is given.
            dropout: share of states left out in training.
        """
        super().__init__()
        self.config = config
        self.characters = nn.Parameter(torch.randn(config.alphabet, config.n_embd))
        self.blocks = nn.ModuleList(AskBlock(config, dropout) for _ in range(config.n_layer))
        self.out_norm = AskNorm(config.n_embd)
        self.dropout = nn.Dropout(dropout)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                deep = (2 * config.n_layer) ** -0.5 if name.endswith((".o", ".down")) else 1.0
                nn.init.normal_(module.weight, std=deep * module.in_features**-0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """Score the next id at every place.

        Args:
            ids: int64 (B, T), rows filled up at their ends.

        Returns:
            (B, T, V), of the type that the products are computed in.
        """
        x = self.dropout(functional.embedding(ids, self.characters))
        turns = turns_of(ids.shape[1], self.config.n_embd // self.config.n_head, ids.device)
        for block in self.blocks:
            x = block(x, turns)
        states = self.out_norm(x) * self.config.n_embd**-0.5
        return functional.linear(states, self.characters)


def question_loss(scores: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
    """Mean of minus the log of the share of what comes next, in nats.

    Args:
        scores: (B, T, V).
        ids: int64 (B, T).
        weights: float32 (B, T), how much each id counts where it is to be guessed.
    """
    targets, counted = ids[:, 1:].flatten(), weights[:, 1:].flatten()
    each = functional.cross_entropy(scores[:, :-1].flatten(0, 1).float(), targets, reduction="none")
    return (each * counted).sum() / counted.sum().clamp(min=1e-6)
