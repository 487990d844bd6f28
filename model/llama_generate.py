"""Text from a decoder, a token at a time: greedy, or drawn by temperature and nucleus.

Nothing is done against repetition.

Shapes: V vocab_size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from model.llama import Cache, Llama, prefill

CHUNK_LEN = 512
"""Tokens of a prompt that are read at once."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen."""

    temperature: float = 1.0
    """Logits are divided by it; 0 takes the likeliest token."""
    top_p: float = 1.0
    """Tokens are drawn from the fewest that are together at least so likely, above 0 to 1."""
    seed: int = 0
    """Of everything drawn."""

    def __post_init__(self) -> None:
        """Refuse values outside their ranges."""
        if not (0 <= self.temperature < math.inf and 0 < self.top_p <= 1):
            raise ValueError(f"temperature or top_p is out of range: {self}")


def nucleus(shares: Tensor, top_p: float) -> Tensor:
    """Keep the fewest tokens that are together at least so likely (Holtzman et al. 2020).

    Args:
        shares: floats (V,), probabilities.
        top_p: above 0 to 1; at least one token is kept, of equally likely ones the first.

    Returns:
        The same with the others at 0, summing to 1.
    """
    ordered, order = shares.sort(descending=True, stable=True)
    likelier = ordered.cumsum(0) - ordered  # what comes before each one
    is_kept = torch.zeros_like(shares, dtype=torch.bool)
    is_kept[order] = likelier < top_p  # the first one always is
    kept = torch.where(is_kept, shares, 0.0)
    return kept / kept.sum()


def choose(logits: Tensor, sampling: Sampling, rng: torch.Generator) -> int:
    """Choose a token.

    Args:
        logits: float32 (V,).
        sampling: how; its seed is not looked at.
        rng: on the CPU; moves on with every token drawn.
    """
    if sampling.temperature == 0:
        return int(logits.argmax())
    # Below the highest, so that a small temperature gives zeros, not infinities.
    logits = logits.cpu().double()
    shares = ((logits - logits.max()) / sampling.temperature).softmax(dim=0)
    return int(torch.multinomial(nucleus(shares, sampling.top_p), 1, generator=rng))


def generate(
    llama: Llama,
    prompt: Sequence[int],
    sampling: Sampling,
    *,
    max_tokens: int,
    stop_id: int | None = None,
) -> Iterator[int]:
    """Continue a prompt; the same arguments give the same tokens.

    Args:
        llama: the decoder.
        prompt: ids, at least one; where there is no window, `context_len` at most.
        sampling: how tokens are chosen.
        max_tokens: generated at most, from 0.
        stop_id: ends the text; it is not given out itself. None is no such token.

    Returns:
        The ids, each computed when it is asked for. They end before `stop_id`, after `max_tokens`,
        or where the context is full.

    Raises:
        ValueError: the prompt is empty, too long, or has an id outside the vocabulary; or
            max_tokens is negative. This is raised by the call, not by the iterator.
    """
    config = llama.config
    if not prompt or not all(0 <= it < config.vocab_size for it in prompt):
        raise ValueError("a prompt needs ids, all of them within the vocabulary")
    if max_tokens < 0:
        raise ValueError(f"max_tokens is negative: {max_tokens}")
    cache = Cache(config)
    if cache.limit is not None:
        if len(prompt) > cache.limit:
            raise ValueError(f"a prompt of {len(prompt)} tokens, {cache.limit} fit")
        # The last one is given out without being read again.
        max_tokens = min(max_tokens, cache.limit - len(prompt) + 1)
    ids = torch.tensor(prompt, device=llama.norm.weight.device)
    return islice(_continue(llama, ids, cache, sampling, stop_id), max_tokens)


def _continue(
    llama: Llama, ids: Tensor, cache: Cache, sampling: Sampling, stop_id: int | None
) -> Iterator[int]:
    rng = torch.Generator().manual_seed(sampling.seed)
    with torch.no_grad():
        logits = prefill(llama, ids, cache, chunk_len=CHUNK_LEN)
    while (chosen := choose(logits, sampling, rng)) != stop_id:
        yield chosen
        with torch.no_grad():
            logits = llama(ids.new_tensor([chosen]), cache)[-1]
