"""From what is known of each word to the scores of all spans and of none, and what training asks of them.

All spans of a passage and "none" share one softmax, so that the scores of a span and of its absence can be compared.

Shapes: B rows, L places, C width of the states, E pair_width, S max_span_words.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.read_config import ReaderConfig
from model.read_layout import PASSAGE, QUESTION

IMPOSSIBLE = -1e9


class SpanHead(nn.Module):
    """States to scores; what makes the states is added by those that build on it."""

    def __init__(self, width: int, config: ReaderConfig, *, dropout: float) -> None:
        super().__init__()
        C = width
        self.pool = nn.Linear(C, 2, bias=False)
        self.first, self.last = nn.Linear(C, C), nn.Linear(C, C)
        self.first_pair = nn.Linear(C, config.pair_width, bias=False)
        self.last_pair = nn.Linear(C, config.pair_width, bias=False)
        self.length = nn.Parameter(torch.zeros(config.max_span_words))
        self.none_in = nn.Linear(3 * C, C)
        self.none_out = nn.Linear(C, 1)
        self.none_dropout = nn.Dropout(dropout)

    def score(self, x: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
        """Score all spans and none.

        Args:
            x: float32 (B, L, C), what is known of each word.
            sides: (B, L): padding, question or passage.

        Returns:
            Scores of spans by first word and length, float32 (B, L, S), impossible ones very low;
            and of none, float32 (B,).
        """
        is_question, is_passage = sides == QUESTION, sides == PASSAGE
        pools = self.pool(x)  # (B, L, 2)
        asked = _pooled(x, pools[:, :, 0], is_question)
        told = _pooled(x, pools[:, :, 1], is_passage)
        missed = x.masked_fill(~is_question[:, :, None], IMPOSSIBLE).amax(dim=1)
        hidden = functional.silu(self.none_in(torch.cat((asked, told, missed), dim=1)))
        none = self.none_out(self.none_dropout(hidden))[:, 0]
        return self._spans(x, asked, is_passage), none

    def _spans(self, x: Tensor, asked: Tensor, is_passage: Tensor) -> Tensor:
        L, C = x.shape[1:]
        E, S = self.first_pair.out_features, len(self.length)
        first = (x @ self.first(asked)[:, :, None])[:, :, 0] * C**-0.5  # (B, L)
        last = (x @ self.last(asked)[:, :, None])[:, :, 0] * C**-0.5
        last = last.masked_fill(~is_passage, IMPOSSIBLE)
        first = first.masked_fill(~is_passage, IMPOSSIBLE)
        bound = self.first_pair(x) @ self.last_pair(x).transpose(1, 2) * E**-0.5  # (B, L, L)
        ends = torch.arange(L, device=x.device)[:, None] + torch.arange(
            S, device=x.device
        )  # (L, S)
        inside = ends.clamp(max=L - 1)
        band = bound.gather(2, inside.expand(len(x), L, S))
        scores = first[:, :, None] + last[:, inside] + band + self.length
        possible: Tensor = scores.masked_fill(ends >= L, IMPOSSIBLE)
        return possible


def set_small(network: nn.Module) -> None:
    """Random weights for every linear layer, small enough that the sum of many is not."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.7 * module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _pooled(x: Tensor, scores: Tensor, is_there: Tensor) -> Tensor:
    """Mean of states weighed by scores, (B, C)."""
    shares = scores.masked_fill(~is_there, IMPOSSIBLE).softmax(dim=1)
    return (shares[:, None] @ x)[:, 0]


def span_loss(spans: Tensor, none: Tensor, right: Tensor) -> Tensor:
    """Mean of minus the log of the share of the right spans, or of none where there is no right one.

    Args:
        spans: float32 (B, L, S).
        none: float32 (B,).
        right: bool (B, L, S).
    """
    everything = torch.cat((none[:, None], spans.flatten(1)), dim=1)
    is_right = torch.cat((~right.flatten(1).any(dim=1, keepdim=True), right.flatten(1)), dim=1)
    total = everything.logsumexp(dim=1)
    return (total - everything.masked_fill(~is_right, -torch.inf).logsumexp(dim=1)).mean()


def told_loss(spans: Tensor, none: Tensor, told_spans: Tensor, told_none: Tensor) -> Tensor:
    """Mean divergence of the shares from those that a teacher gives, 0 where they are the same.

    Args:
        spans: float32 (B, L, S).
        none: float32 (B,).
        told_spans: the teacher's, as `spans`.
        told_none: the teacher's, as `none`.
    """
    ours = torch.cat((none[:, None], spans.flatten(1)), dim=1).log_softmax(dim=1)
    told = torch.cat((told_none[:, None], told_spans.flatten(1)), dim=1).log_softmax(dim=1)
    return functional.kl_div(ours, told, reduction="batchmean", log_target=True)
