"""A decoder of the Llama 2 and Mistral family: the next token of a text, from all before it.

Pre-RMSNorm, rotary positions, grouped-query attention and SwiGLU as in Touvron et al. 2023; a
sliding window with a rolling buffer as in Jiang et al. 2023. One text at a time. It neither reads
files (`llama_files.py`) nor chooses tokens (`llama_generate.py`).

Shapes: T tokens given at once, P earlier ones still held, S slots of the buffer, V vocab_size,
C n_embd, H heads, K key-value heads, D head_width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.transformer import RMSNorm, SwiGLU


@dataclass(frozen=True, slots=True)
class LlamaConfig:
    """What a decoder is."""

    vocab_size: int
    n_embd: int
    n_layer: int
    n_head: int
    n_kv_head: int
    """Heads with keys and values of their own; each serves n_head / n_kv_head heads."""
    head_width: int
    mlp_width: int
    context_len: int
    """Tokens of the longest text it was trained on; without a window a cache holds no more."""
    rope_base: float = 10_000.0
    norm_eps: float = 1e-6
    window: int | None = None
    """Tokens that one sees, itself included; None is all of them."""
    is_tied: bool = False
    """Whether the embedding is also the output matrix."""

    def __post_init__(self) -> None:
        """Refuse sizes that do not go together."""
        widths = (self.n_embd, self.head_width, self.mlp_width)
        counts = (self.vocab_size, self.n_layer, self.n_head, self.n_kv_head, self.context_len)
        window = self.context_len if self.window is None else self.window
        smallest = min(*widths, *counts, window)
        if smallest < 1 or self.n_head % self.n_kv_head or self.head_width % 2:
            raise ValueError(f"sizes of the decoder do not go together: {self}")
        if not (self.rope_base > 0 and self.norm_eps > 0):
            raise ValueError(f"base and epsilon must be above zero: {self}")


class Cache:
    """Keys and values of the tokens of one text, so that each is computed once.

    The buffer grows until it has as many slots as the window, or as its limit where there is no
    window. Position p is in slot p mod S, so within a window new tokens take the place of those
    that nobody will see any more.
    """

    def __init__(self, config: LlamaConfig, *, limit: int | None = None) -> None:
        """Set up for a text of which nothing is known yet.

        Args:
            config: of the decoder.
            limit: of tokens in all; None is `context_len`. A window has no limit and ignores it.

        Raises:
            ValueError: the limit is below one.
        """
        limit = config.context_len if limit is None else limit
        if limit < 1:
            raise ValueError(f"a cache must hold at least one token, not {limit}")
        self.limit = limit if config.window is None else None
        self.length = 0
        self._size = limit if config.window is None else config.window
        self._buffers = [
            torch.empty(2, config.n_kv_head, 0, config.head_width) for _ in range(config.n_layer)
        ]  # keys and values, (2, K, S, D) each

    @property
    def slot_count(self) -> int:
        """Slots of each layer's buffer so far."""
        return self._buffers[0].shape[2]

    def positions(self) -> Tensor:
        """Positions of the tokens held, int64 (P,), in the order of their slots."""
        last = self.length - 1
        slots = torch.arange(min(self.length, self._size))
        return last - (last - slots) % self._size

    def make_room(self, count: int) -> None:
        """Get ready for some more tokens.

        Raises:
            ValueError: with them the text is longer than the limit; nothing has changed then.
        """
        end = self.length + count
        if self.limit is not None and end > self.limit:
            raise ValueError(f"the cache holds {self.limit} tokens, {end} are too many")
        if min(end, self._size) > self.slot_count:
            # Twice as many each time, so that each token is copied about once.
            slot_count = min(max(end, 2 * self.slot_count), self._size)
            missing = slot_count - self.slot_count
            self._buffers = [functional.pad(it, (0, 0, 0, missing)) for it in self._buffers]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Hold keys and values of the next tokens in one layer; `advance` counts them.

        Args:
            layer: from 0.
            keys: (K, T, D).
            values: (K, T, D).

        Returns:
            Keys and values (K, P + T, D): those held until now as in `positions`, then the new.
        """
        new = torch.stack((keys, values))
        buffer = self._buffers[layer] = self._buffers[layer].to(new)
        held = buffer[:, :, : min(self.length, self._size)]
        seen = torch.cat((held, new), dim=2)
        kept = new.detach()[:, :, -self._size :]
        end = self.length + new.shape[2]
        slots = torch.arange(end - kept.shape[2], end, device=new.device) % self._size
        buffer[:, :, slots] = kept
        return seen[0], seen[1]

    def advance(self, count: int) -> None:
        """Count tokens that all layers hold by now."""
        self.length += count


class View:
    """What attention needs to know of some tokens: whom they see, and rotary angles (Su et al. 2021)."""

    def __init__(
        self, config: LlamaConfig, positions: Tensor, earlier: Tensor, device: torch.device
    ) -> None:
        """Lay out tokens.

        Args:
            config: of the decoder.
            positions: int64 (T,), of the tokens.
            earlier: int64 (P,), of those held in a cache.
            device: of the decoder.
        """
        distances = positions[:, None] - torch.cat((earlier, positions))  # (T, P + T)
        is_seen = distances >= 0
        if config.window is not None:
            is_seen &= distances < config.window
        self.is_seen = is_seen.to(device)
        exponents = torch.arange(0, config.head_width, 2, dtype=torch.float32) / config.head_width
        # A reciprocal, not a negative power: published weights were trained with its rounding.
        angles = positions[:, None].float() * (1.0 / config.rope_base**exponents)
        angles = angles.to(device)
        self.cos, self.sin = angles.cos()[:, None], angles.sin()[:, None]  # (T, 1, D / 2)

    def turn(self, x: Tensor) -> Tensor:
        """Turn heads (T, H, D) by their positions; the halves of D are the two coordinates."""
        left, right = x.chunk(2, dim=-1)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)


class Norm(RMSNorm):
    """RMSNorm with an epsilon of its own."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__(width)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        return functional.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


class Rows(nn.Linear):
    """A matrix without bias whose rows are floats, or int8 with a scale each."""

    scales: Tensor | None

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__(in_width, out_width, bias=False)
        self.register_buffer("scales", None)

    def keep_as_int8(self, values: Tensor, scales: Tensor) -> None:
        """Take over rounded rows; they can no longer be trained.

        Args:
            values: int8 (out_width, in_width).
            scales: floats (out_width,), in the type that results shall have.

        Raises:
            ValueError: they are of another shape or type.
        """
        shape = (self.out_features, self.in_features)
        if values.dtype != torch.int8 or values.shape != shape or scales.shape != shape[:1]:
            raise ValueError(f"values and scales do not fit rows of shape {shape}")
        self.weight = nn.Parameter(values, requires_grad=False)
        self.scales = scales

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, (..., in_width) to (..., out_width)."""
        if self.scales is None:
            return functional.linear(x, self.weight)
        return functional.linear(x, self.weight.to(x.dtype)) * self.scales

    def look_up(self, ids: Tensor) -> Tensor:
        """Rows by their numbers, int64 (T,) to (T, in_width)."""
        rows = functional.embedding(ids, self.weight)
        return rows if self.scales is None else rows * self.scales[ids, None]


class Attention(nn.Module):
    """Grouped-query attention (Ainslie et al. 2023) to what a token may see."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        heads_width = config.n_head * config.head_width
        kv_width = config.n_kv_head * config.head_width
        self.q = Rows(config.n_embd, heads_width)
        self.k = Rows(config.n_embd, kv_width)
        self.v = Rows(config.n_embd, kv_width)
        self.o = Rows(heads_width, config.n_embd)

    def forward(self, x: Tensor, view: View, cache: Cache | None) -> Tensor:
        """Mix each token with those that it sees, (T, C) to (T, C)."""
        H, K, D = self.config.n_head, self.config.n_kv_head, self.config.head_width
        T = len(x)
        q = view.turn(self.q(x).view(T, H, D)).transpose(0, 1)  # (H, T, D)
        k = view.turn(self.k(x).view(T, K, D)).transpose(0, 1)  # (K, T, D)
        v = self.v(x).view(T, K, D).transpose(0, 1)
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)  # (K, P + T, D)
        found = functional.scaled_dot_product_attention(
            q[None], k[None], v[None], attn_mask=view.is_seen, enable_gqa=True
        )  # (1, H, T, D)
        out: Tensor = self.o(found[0].transpose(0, 1).reshape(T, H * D))
        return out


class Mlp(SwiGLU):
    """The trunk's gated half, with rows that may be int8."""

    def __init__(self, config: LlamaConfig) -> None:
        nn.Module.__init__(self)  # the trunk's own set-up knows floats alone
        self.gate = Rows(config.n_embd, config.mlp_width)
        self.up = Rows(config.n_embd, config.mlp_width)
        self.down = Rows(config.mlp_width, config.n_embd)


class Block(nn.Module):
    """Attention and feed-forward, each added to what it was given."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = Norm(config.n_embd, config.norm_eps)
        self.attention = Attention(config, layer)
        self.mlp_norm = Norm(config.n_embd, config.norm_eps)
        self.mlp = Mlp(config)

    def forward(self, x: Tensor, view: View, cache: Cache | None) -> Tensor:
        """(T, C) to (T, C)."""
        mixed: Tensor = x + self.attention(self.attention_norm(x), view, cache)
        out: Tensor = mixed + self.mlp(self.mlp_norm(mixed))
        return out


class Llama(nn.Module):
    """Tokens to the logits of their successors."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = Rows(config.n_embd, config.vocab_size)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.norm = Norm(config.n_embd, config.norm_eps)
        self.head = None if config.is_tied else Rows(config.n_embd, config.vocab_size)

    def forward(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        """Score the next token after each one.

        A text may be given in chunks of any length to the same cache: the logits are those of the
        whole text at once.

        Args:
            ids: int64 (T,), each in 0 .. V - 1; the text, or its continuation with a cache.
            cache: of what went before; the new tokens are added to it. None is nothing.

        Returns:
            logits float32 (T, V).

        Raises:
            ValueError: there is no token, or the cache's limit would be passed.
            IndexError: an id is outside the vocabulary; the cache has not changed then.
        """
        if ids.ndim != 1 or not len(ids):
            raise ValueError(f"expected some tokens in a row, not shape {tuple(ids.shape)}")
        x = self.embedding.look_up(ids)  # (T, C)
        start, earlier = 0, torch.arange(0)
        if cache is not None:
            cache.make_room(len(ids))
            start, earlier = cache.length, cache.positions()
        view = View(self.config, torch.arange(start, start + len(ids)), earlier, x.device)
        for block in self.blocks:
            x = block(x, view, cache)
        if cache is not None:
            cache.advance(len(ids))
        head = self.embedding if self.head is None else self.head
        logits: Tensor = head(self.norm(x))
        return logits.float()


def prefill(llama: Llama, ids: Tensor, cache: Cache, *, chunk_len: int) -> Tensor:
    """Read a text in chunks: attention needs memory for a chunk times what it sees, not for all.

    Args:
        llama: the decoder.
        ids: int64 (T,), at least one.
        cache: filled by this.
        chunk_len: tokens read at once, at least 1.

    Returns:
        Logits after the last token, float32 (V,).

    Raises:
        ValueError: there is no token, or the cache's limit would be passed.
    """
    if not len(ids) or chunk_len < 1:
        raise ValueError("a prompt and its chunks must have at least one token")
    for chunk in torch.split(ids, chunk_len):
        logits = llama(chunk, cache)
    last: Tensor = logits[-1]
    return last
