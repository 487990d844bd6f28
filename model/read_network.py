"""The reader while it is trained: words of question and passage together through a small transformer.

A word comes with its vector, its tags and counted features, and with the mean of the other side's words that
are like it. Blocks are the trunk's (`transformer.py`) with a convolution in front. All spans of a passage and
"none" share one softmax, so that the scores of a span and of its absence can be compared.
`read_forward.py` runs the same network by numpy alone.

Shapes: B rows, L places, V words of the book, D width of word vectors, F features, C n_embd, M match_width, S
max_span_words.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import TrunkConfig
from model.device import OnDevice
from model.read_config import ReaderConfig
from model.read_features import FEATURES
from model.read_layout import PADDING, Rows
from model.read_words import NAME_TAGS
from model.rotary import Turns, turned, turns_of
from model.span_head import IMPOSSIBLE, SpanHead, set_small
from model.transformer import RMSNorm, SwiGLU

VECTOR_SIZE = 16.0
"""Word vectors of length one are multiplied by this: their numbers are then about one."""


@dataclass(frozen=True, slots=True)
class RowTensors(OnDevice):
    """`Rows` as tensors."""

    words: Tensor
    parts: Tensor
    names: Tensor
    features: Tensor
    sides: Tensor

    @classmethod
    def of(cls, rows: Rows) -> RowTensors:
        """The same numbers."""
        return cls(
            torch.from_numpy(rows.words).long(),
            torch.from_numpy(rows.parts).long(),
            torch.from_numpy(rows.names).long(),
            torch.from_numpy(rows.features),
            torch.from_numpy(rows.sides),
        )


class SharedDropout(nn.Module):
    """Leave out the same numbers of every place of a row: one mask a row costs next to nothing."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) to (B, L, C)."""
        if not self.training or self.share == 0:
            return x
        kept = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) >= self.share
        return x * (kept / (1 - self.share))


class ReadAttention(nn.Module):
    """Attention of every place to all filled places of its row, by rotary positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, turns: Turns, is_filled: Tensor) -> Tensor:
        """(B, L, C) to (B, L, C)."""
        B, L, C = x.shape
        shape = (B, L, self.heads, C // self.heads)
        q, k = (turned(part(x).view(shape), turns).transpose(1, 2) for part in (self.q, self.k))
        v = self.v(x).view(shape).transpose(1, 2)
        seen = is_filled[:, None, None]
        found = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        out: Tensor = self.o(found.transpose(1, 2).reshape(B, L, C))
        return out


class ReadBlock(nn.Module):
    """Convolution, attention and feed-forward, each added to what it was given."""

    def __init__(self, config: ReaderConfig, dropout: float) -> None:
        super().__init__()
        C = config.n_embd
        self.reach = config.reach
        self.near_norm, self.attention_norm, self.mlp_norm = RMSNorm(C), RMSNorm(C), RMSNorm(C)
        self.near = nn.Parameter(torch.randn(2 * config.reach + 1, C) * 0.2)
        self.attention = ReadAttention(C, config.n_head)
        trunk = TrunkConfig(config.n_layer, C, config.n_head, config.n_head, config.mlp_width)
        self.mlp = SwiGLU(trunk)
        self.dropout = SharedDropout(dropout)

    def forward(self, x: Tensor, turns: Turns, is_filled: Tensor) -> Tensor:
        """(B, L, C) to (B, L, C)."""
        # As an image of one line whose channels come last, the convolution takes a third of the time.
        line = (self.near_norm(x) * is_filled[:, :, None]).transpose(1, 2)[:, :, None]
        line = line.to(memory_format=torch.channels_last)
        kernel = self.near.T[:, None, None]
        near = functional.conv2d(line, kernel, padding=(0, self.reach), groups=x.shape[2])
        x = x + self.dropout(near[:, :, 0].transpose(1, 2))
        x = x + self.dropout(self.attention(self.attention_norm(x), turns, is_filled))
        out: Tensor = x + self.dropout(self.mlp(self.mlp_norm(x)))
        return out


class ReadNetwork(SpanHead):
    """Rows to the scores of all spans and of none."""

    def __init__(self, config: ReaderConfig, *, dim: int, parts: int, dropout: tuple[float, float]):
        """Set up with random weights.

        Args:
            config: the sizes.
            dim: width of the words' vectors.
            parts: parts of speech, the unknown one counted.
            dropout: share of states and of word vectors left out in training.
        """
        C = config.n_embd
        super().__init__(C, config, dropout=dropout[0])
        self.config = config
        self.inlet = nn.Linear(dim, C, bias=False)
        self.value = nn.Linear(dim, C, bias=False)
        self.alike = nn.Linear(C, C, bias=False)
        self.common = nn.Linear(C, C, bias=False)
        self.match = nn.Linear(dim, config.match_width, bias=False)
        self.feature = nn.Linear(FEATURES, C)
        self.part = nn.Parameter(torch.randn(parts, C) * 0.1)
        self.name = nn.Parameter(torch.randn(NAME_TAGS, C) * 0.1)
        self.blocks = nn.ModuleList(ReadBlock(config, dropout[0]) for _ in range(config.n_layer))
        self.out_norm = RMSNorm(C)
        self.word_dropout = SharedDropout(dropout[1])
        self.dropout = SharedDropout(dropout[0])
        set_small(self)

    def forward(self, rows: RowTensors, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Score, see `SpanHead.score`."""
        return self.score(self.states(rows, vectors), rows.sides)

    def states(self, rows: RowTensors, vectors: Tensor) -> Tensor:
        """What the blocks make of each word, (B, L, C).

        Args:
            rows: question and passage.
            vectors: float32 (V, D), of the book's words.
        """
        is_filled = rows.sides != PADDING
        turns = turns_of(
            rows.sides.shape[1], self.config.n_embd // self.config.n_head, rows.sides.device
        )
        x = self.enter(rows, vectors[rows.words]) * is_filled[:, :, None]
        for block in self.blocks:
            x = block(x, turns, is_filled)
        states: Tensor = self.dropout(self.out_norm(x))
        return states

    def enter(self, rows: RowTensors, vectors: Tensor) -> Tensor:
        """What each word comes with, float32 (B, L, C), from its vectors, (B, L, D)."""
        vectors = self.word_dropout(vectors * VECTOR_SIZE)
        keys = functional.relu(self.match(vectors))
        likeness = keys @ keys.transpose(1, 2) * self.config.match_width**-0.5  # (B, L, L)
        is_other = (rows.sides[:, :, None] != rows.sides[:, None]) & (rows.sides > 0)[:, None]
        shares = likeness.masked_fill(~is_other, IMPOSSIBLE).softmax(dim=-1)
        values = self.value(vectors)
        like = shares @ values  # (B, L, C)
        own = self.inlet(vectors) + self.alike(like) + self.common(values * like)
        tags = self.part[rows.parts] + self.name[rows.names]
        out: Tensor = own + tags + self.feature(rows.features)
        return out
