"""The plain baseline of the language model of levels: nanoGPT's character model (Karpathy), with its names and numbers.

A transformer over single characters: learned absolute positions, LayerNorm before each half, GELU, and one table that
is both the characters' vectors and the output head. It is there to be measured against. It keeps no cache: as in
nanoGPT's `generate`, the whole context is read anew for every character that is written.

Shapes: B rows, T characters <= block_size, C n_embd, H heads, D = C / H, V characters of the alphabet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.alphabet import Ids

INIT_STD = 0.02
MLP_FACTOR = 4
NORM_EPS = 1e-5
SCORED_AT_ONCE = 4096
"""Characters that are read at once where a text is scored, or one stretch."""

Scores = Callable[[Tensor], Tensor]
"""Scores of what follows at every place, int64 (B, T) to (B, T, V); a place knows no later one."""


@dataclass(frozen=True, slots=True)
class GptConfig:
    """What a baseline is."""

    alphabet: int
    """Characters."""
    block_size: int
    """Characters of the context, with a position each."""
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float
    """Share that is left out in training: of the attention, of each half's output, of the vectors that go in."""
    bias: bool
    """Whether linear maps and norms have one."""

    def __post_init__(self) -> None:
        """Refuse sizes that do not go together."""
        sizes = (self.alphabet, self.block_size, self.n_layer, self.n_head, self.n_embd)
        if min(sizes) < 1 or not 0 <= self.dropout < 1:
            raise ValueError(f"sizes of the baseline do not go together: {self}")
        if self.n_embd % self.n_head:
            raise ValueError(f"{self.n_embd} numbers cannot be shared by {self.n_head} heads")

    @classmethod
    def cpu(cls, alphabet: int) -> GptConfig:
        """As nanoGPT's README trains it on a processor."""
        return cls(alphabet, 64, n_layer=4, n_head=4, n_embd=128, dropout=0.0, bias=False)

    @classmethod
    def gpu(cls, alphabet: int) -> GptConfig:
        """As nanoGPT's `config/train_shakespeare_char.py` trains it on an accelerator."""
        return cls(alphabet, 256, n_layer=6, n_head=6, n_embd=384, dropout=0.2, bias=False)


class Attention(nn.Module):
    """Each character looks back over the context."""

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        self.n_head, self.share_left_out = config.n_head, config.dropout
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        B, T, C = x.shape
        q, k, v = (
            part.view(B, T, self.n_head, -1).transpose(1, 2)  # (B, H, T, D)
            for part in self.qkv(x).chunk(3, dim=2)
        )
        left_out = self.share_left_out if self.training else 0.0
        found = functional.scaled_dot_product_attention(q, k, v, dropout_p=left_out, is_causal=True)
        out: Tensor = self.dropout(self.proj(found.transpose(1, 2).reshape(B, T, C)))
        return out


class Mlp(nn.Module):
    """The feed-forward half."""

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        inner = MLP_FACTOR * config.n_embd
        self.up = nn.Linear(config.n_embd, inner, bias=config.bias)
        self.proj = nn.Linear(inner, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        out: Tensor = self.dropout(self.proj(functional.gelu(self.up(x))))
        return out


class Block(nn.Module):
    """Both halves, each behind a norm and added to what it was given."""

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        self.before_attention, self.before_mlp = _norm(config), _norm(config)
        self.attention, self.mlp = Attention(config), Mlp(config)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        x = x + self.attention(self.before_attention(x))
        out: Tensor = x + self.mlp(self.before_mlp(x))
        return out


class Gpt(nn.Module):
    """Characters to scores of what follows."""

    def __init__(self, config: GptConfig) -> None:
        """Set up with random weights."""
        super().__init__()
        self.config = config
        self.characters = nn.Embedding(config.alphabet, config.n_embd)
        self.positions = nn.Embedding(config.block_size, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config.n_layer)))
        self.norm = _norm(config)
        self.head = nn.Linear(config.n_embd, config.alphabet, bias=False)
        self.head.weight = self.characters.weight
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                # As GPT-2 has it: sums of so many halves stay as large as one.
                shrink = (2 * config.n_layer) ** -0.5 if name.endswith(".proj") else 1.0
                nn.init.normal_(module.weight, std=INIT_STD * shrink)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, ids: Tensor) -> Tensor:
        """Score what follows at every place.

        Args:
            ids: int64 (B, T).

        Returns:
            Scores (B, T, V).

        Raises:
            ValueError: there are more characters than the context has.
        """
        scores: Tensor = self.head(self.states(ids))
        return scores

    def states(self, ids: Tensor) -> Tensor:
        """What the head reads, (B, T) to (B, T, C); see `forward`."""
        T, most = ids.shape[1], self.config.block_size
        if most < T:
            raise ValueError(f"{T} characters are more than a context of {most}")
        x = self.characters(ids) + self.positions(torch.arange(T, device=ids.device))
        states: Tensor = self.norm(self.blocks(self.dropout(x)))
        return states


@torch.no_grad()
def generate(
    gpt: Gpt,
    ids: Tensor,
    count: int,
    *,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Write on, one character at a time.

    Args:
        gpt: with nothing left out (`eval`).
        ids: int64 (B, T), T one at least.
        count: characters to write.
        temperature: scores are divided by it; 0 takes the likeliest character.
        generator: of what is drawn.

    Returns:
        int64 (B, T + count), what was given and what was written.
    """
    for _ in range(count):
        scores = gpt.head(gpt.states(ids[:, -gpt.config.block_size :])[:, -1])  # (B, V)
        if temperature > 0:
            shares = (scores / temperature).softmax(dim=1)
            following = torch.multinomial(shares, 1, generator=generator)
        else:
            following = scores.argmax(dim=1, keepdim=True)
        ids = torch.cat((ids, following), dim=1)
    return ids


@torch.no_grad()
def text_nats(scores: Scores, ids: Ids, *, window: int, stride: int | None = None) -> float:
    """Mean loss over a text, nats a character; each character but the first counts once.

    Args:
        scores: of any model that knows no later character.
        ids: uint8 (N,), two characters at least.
        window: characters that are read together.
        stride: from the beginning of one stretch to that of the next, a window if it is not given. The last so many
            places of a stretch count, all of the first: those have `window - stride` characters before them or more.

    Raises:
        ValueError: the text is too short, or strides would leave characters out.
    """
    stride = window if stride is None else stride
    if len(ids) < 2 or not 1 <= stride <= window:
        raise ValueError(f"no strides of {stride} by {window} over {len(ids)} characters")
    asked = len(ids) - 1
    starts = np.arange(0, max(asked - window, 0) + stride, stride)
    places = starts[:, None] + np.arange(window)  # (stretches, window)
    is_new = (np.arange(window) >= window - stride) | (starts[:, None] == 0)
    is_counted = is_new & (places < asked)
    padded = np.pad(ids.astype(np.int64), (0, window))  # seen by no place that counts
    at_once = max(SCORED_AT_ONCE // window, 1)
    total = 0.0
    for first in range(0, len(starts), at_once):
        part = places[first : first + at_once]
        counted = torch.from_numpy(is_counted[first : first + at_once])
        found = scores(torch.from_numpy(padded[part]))[counted].float()
        following = torch.from_numpy(padded[part + 1])[counted].to(found.device)
        total += float(functional.cross_entropy(found, following, reduction="sum"))
    return total / asked


def _norm(config: GptConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.n_embd, eps=NORM_EPS, bias=config.bias)
