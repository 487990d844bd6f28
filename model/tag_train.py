"""Train the tagger: two conditional random fields over hashed features, a few passes, on one processor.

Labels may be partial: the loss is the log of all paths less the log of the allowed ones. Weights are stored in 4 bits.
Run `python -m model.tag_train --data DIR --out DIR`; `--data` is the folder that holds `train/` and `realtimeqa/`. With
`--round DIR` nothing is trained: the tagger of that folder is stored in four bits.

Shapes: S sentences of a batch, T words of the longest, N words in all, F features, K tags.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.checkpoint import META
from model.tag import IMPOSSIBLE, Tagger, load_tagger
from model.tag_data import (
    NAME_TAGS,
    PARTS,
    Labelled,
    bio_rows,
    newswire_rows,
    read_rows,
    treebank_rows,
)
from model.tag_round import round_table, text_reads
from model.tag_scores import Head, mix_slot, slot_hashes
from model.tag_sequence import layout
from model.tag_stored import HEADS, save_tagger
from model.tag_vocabulary import build_vocabulary
from model.tag_words import (
    BOUNDARY,
    FAR_FEATURES,
    FEATURES,
    OFFSETS,
    UNIT_FEATURES,
    Vocabulary,
    joint_features,
    word_features,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TagTrainConfig:
    """How to train; stored beside the weights."""

    seed: int = 20
    """Of initial order, dropout and clusters."""
    name_rows: int = 1 << 17
    """Rows of the table of names: more rows, fewer collisions, more bytes."""
    part_rows: int = 1 << 16
    """Rows of the table of parts of speech."""
    epochs: int = 4
    """Passes over the labelled sentences."""
    batch_words: int = 3000
    """Words of one step."""
    learning_rate: float = 0.03
    """Adam, falling linearly to nothing."""
    dropout: float = 0.2
    """Share of features left out of a word, so that none is trusted alone."""
    decay: float = 2e-6
    """Pull of every weight to nothing, a step."""
    articles: int = 10_000
    """Plain articles read for the background vocabulary."""


# --------------------------------------------------------------------------------------------------- features
def feature_hashes(
    sentences: Sequence[Sequence[str]], vocabulary: Vocabulary
) -> npt.NDArray[np.int32]:
    """Folded hashes (N, FEATURES) of all words, as the tagger computes them; padding is -1."""
    known: dict[str, int] = {}
    slots: list[npt.NDArray[np.uint64]] = []
    traits: list[tuple[int, ...]] = []

    def word_row(word: str) -> int:
        if word not in known:
            features = word_features(word, vocabulary)
            row = np.zeros(FEATURES - joint, np.uint64)
            unit, *near = slot_hashes(features.unit, features.near)
            row[: len(unit)] = unit
            row[UNIT_FEATURES:] = np.concatenate(near)
            known[word] = len(known)
            slots.append(row)
            traits.append(features.traits)
        return known[word]

    joint = joint_features(np.zeros((5, 5), np.uint64), np.zeros(1, bool)).shape[1]
    padded, is_word, is_first = layout(
        [[word_row(w) for w in words] for words in sentences], word_row(BOUNDARY)
    )
    slot_table = fold(np.stack(slots))
    here = np.flatnonzero(is_word)
    columns = [slot_table[padded[here], :UNIT_FEATURES]]
    place = UNIT_FEATURES
    for offset in OFFSETS:
        width = (
            (slot_table.shape[1] - UNIT_FEATURES - 2 * FAR_FEATURES) // 2
            if abs(offset) == 1
            else FAR_FEATURES
        )
        columns.append(slot_table[padded[here + offset], place : place + width])
        place += width
    joined = joint_features(np.array(traits, np.uint64)[padded], is_first[2:-2])
    columns.append(fold(mix_slot(joined, len(OFFSETS) + 1)[is_word[2:-2]]))
    return np.concatenate(columns, axis=1)


def fold(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
    """The low bits that any table uses; an empty feature (0) becomes -1."""
    return np.where(hashes == 0, -1, (hashes & np.uint64((1 << 24) - 1)).astype(np.int64)).astype(
        np.int32
    )


# --------------------------------------------------------------------------------------------------- the field
class Field(torch.nn.Module):
    """A linear-chain conditional random field whose word scores are sums of table rows."""

    def __init__(self, rows: int, tags: Sequence[str]) -> None:
        super().__init__()
        self.rows = rows
        self.table = torch.nn.EmbeddingBag(rows + 1, len(tags), mode="sum", padding_idx=rows)
        torch.nn.init.zeros_(self.table.weight)
        self.transitions = torch.nn.Parameter(torch.zeros(len(tags) + 1, len(tags)))
        self.register_buffer("forbidden", torch.from_numpy(forbidden_transitions(tags)))

    def path_scores(self) -> Tensor:
        """Transitions with the forbidden ones made impossible: (K + 1, K)."""
        assert isinstance(self.forbidden, Tensor)
        return self.transitions.masked_fill(self.forbidden, float(IMPOSSIBLE))

    def loss(self, features: Tensor, allowed: Tensor, lengths: Tensor, dropout: float) -> Tensor:
        """Mean loss in nats per word.

        Args:
            features: int64 (N, F) folded hashes, -1 for none.
            allowed: bool (N, K).
            lengths: int64 (S,), words of each sentence, longest first.
            dropout: share of features left out.
        """
        left_out = (features < 0) | (torch.rand(features.shape) < dropout)
        ids = (features & (self.rows - 1)).masked_fill(left_out, self.rows)
        scores = self.table(ids) / (1.0 - dropout)  # (N, K)
        path = self.path_scores()
        masked = scores.masked_fill(~allowed, float(IMPOSSIBLE))
        total = forward_sum(
            torch.cat([scores, masked]), torch.cat([lengths, lengths]), path
        )  # (2S,)
        every, right = total.chunk(2)
        return (every - right).sum() / len(features)


def forward_sum(scores: Tensor, lengths: Tensor, path: Tensor) -> Tensor:
    """Log of the sum over all tag sequences of each sentence: (S,)."""
    padded = torch.nn.utils.rnn.pad_sequence(
        list(torch.split(scores, lengths.tolist())), batch_first=True
    )  # (S, T, K)
    alpha = padded[:, 0] + path[-1]
    for t in range(1, padded.shape[1]):
        longer = torch.logsumexp(alpha[:, :, None] + path[None, :-1], dim=1) + padded[:, t]
        alpha = torch.where((lengths > t)[:, None], longer, alpha)
    return torch.logsumexp(alpha, dim=1)


def forbidden_transitions(tags: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Bool (K + 1, K): an I- tag may only follow its own kind."""
    forbidden = np.zeros((len(tags) + 1, len(tags)), bool)
    for column, tag in enumerate(tags):
        if tag.startswith("I-"):
            for row, before in enumerate((*tags, "O")):
                forbidden[row, column] = before[2:] != tag[2:]
    return forbidden


def batches(lengths: Sequence[int], words: int, generator: torch.Generator) -> Iterator[list[int]]:
    """Sentence numbers in random batches of like length, about `words` words each."""
    noise = torch.rand(len(lengths), generator=generator).tolist()
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i] // 6, noise[i]))
    groups: list[list[int]] = [[]]
    count = 0
    for i in order:
        if count + lengths[i] > words and groups[-1]:
            groups.append([])
            count = 0
        groups[-1].append(i)
        count += lengths[i]
    for k in torch.randperm(len(groups), generator=generator).tolist():
        yield groups[k]


def train_head(
    sentences: Sequence[Labelled],
    tags: Sequence[str],
    *,
    rows: int,
    vocabulary: Vocabulary,
    config: TagTrainConfig,
) -> Head:
    """Fit one tag set and round it as it is stored."""
    torch.manual_seed(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    lengths = [len(sentence.words) for sentence in sentences]
    starts = [0, *itertools.accumulate(lengths)]
    features = torch.from_numpy(
        feature_hashes([sentence.words for sentence in sentences], vocabulary)
    )
    reads = text_reads(features.numpy(), rows)
    number = {tag: i for i, tag in enumerate(tags)}
    allowed = torch.zeros(len(features), len(tags), dtype=torch.bool)
    for word, choices in enumerate(itertools.chain.from_iterable(s.allowed for s in sentences)):
        allowed[word, [number[tag] for tag in choices]] = True
    field = Field(rows, tags)
    optimiser = torch.optim.Adam(field.parameters(), lr=config.learning_rate, betas=(0.9, 0.99))
    steps = config.epochs * sum(1 for _ in batches(lengths, config.batch_words, generator))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: max(0.02, 1 - step / steps)
    )
    for epoch in range(config.epochs):
        losses = []
        for group in batches(lengths, config.batch_words, generator):
            group.sort(key=lambda i: -lengths[i])
            here = torch.cat([torch.arange(starts[i], starts[i + 1]) for i in group])
            sizes = torch.tensor([lengths[i] for i in group])
            loss = field.loss(features[here].long(), allowed[here], sizes, config.dropout)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                field.table.weight.mul_(
                    1.0 - config.decay * schedule.get_last_lr()[0] / config.learning_rate * 100
                )
            losses.append(loss.item())
        logger.info(
            "epoch done", extra={"epoch": epoch + 1, "loss_nats": round(float(np.mean(losses)), 4)}
        )
    head = quantised(field, tags)
    return replace(head, weights=round_table(head.weights, reads))


def quantised(field: Field, tags: Sequence[str]) -> Head:
    """Weights as int8 with one step size a tag; the few beyond the largest step are clipped."""
    weights = field.table.weight.detach().numpy()[:-1]
    scale = np.maximum(np.quantile(np.abs(weights), 0.9999, axis=0) / 127, 1e-6).astype(np.float32)
    steps = np.clip(np.round(weights / scale), -127, 127).astype(np.int8)
    return Head(tuple(tags), steps, scale, field.path_scores().detach().numpy().astype(np.float32))


# ---------------------------------------------------------------------------------------------------- the run
TRAIN_SPLITS = frozenset(
    {
        ("conll2003", "train"),
        ("wnut17", "train"),
        ("wikigold", "all"),
        *(("btc", part) for part in "abefgh"),
    }
)


def plain_articles(data: Path, limit: int) -> Iterator[str]:
    """Texts for the background vocabulary: newswire and news pages, none of a later year than the encoder reads."""
    for row in itertools.islice(read_rows(data / "train/lm/reuters21578.jsonl.xz"), 0, None, 2):
        yield row["text"]
    paths = [data / f"realtimeqa/articles-{year}.jsonl.xz" for year in (2022, 2023, 2024)]
    for path in paths:
        for row in itertools.islice(read_rows(path), limit // len(paths)):
            yield row["body"][:6000]


def labelled_sentences(data: Path) -> tuple[list[Labelled], list[Labelled]]:
    """Training sentences for names and for parts of speech."""
    folder = data / "train/tagging"
    names = [
        row
        for file in ("ner_conll2003", "ner_wnut17", "ner_btc_wikigold_re3d")
        for row in bio_rows(folder / f"{file}.jsonl.xz", splits=TRAIN_SPLITS)
    ]
    names += newswire_rows(folder / "ner_ieer_newswire_spans.jsonl.xz")
    parts = []
    for treebank in ("ud_ewt_train", "ud_gum_train"):
        for part, name in treebank_rows(folder / f"{treebank}.jsonl.xz"):
            parts.append(part)
            names.append(name)
    return [short for row in names for short in _cut(row)], [
        short for row in parts for short in _cut(row)
    ]


def _cut(sentence: Labelled, words: int = 60) -> Iterator[Labelled]:
    for start in range(0, len(sentence.words), words):
        allowed = sentence.allowed[start : start + words]
        opening = tuple(
            tag.replace("I-", "B-") if tag.startswith("I-") else tag for tag in allowed[0]
        )
        yield Labelled(sentence.words[start : start + words], (opening, *allowed[1:]))


def data_digest(*groups: Sequence[Labelled]) -> str:
    """Hash of the labelled sentences in order."""
    digest = hashlib.sha256()
    for group in groups:
        for sentence in group:
            digest.update(repr((sentence.words, sentence.allowed)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def train(data: Path, out: Path, config: TagTrainConfig) -> Tagger:
    """Train both heads and write the weights; returns the tagger read back from them."""
    began = time.monotonic()
    vocabulary = build_vocabulary(plain_articles(data, config.articles), seed=config.seed)
    logger.info(
        "vocabulary built",
        extra={"forms": len(vocabulary.keys), "seconds": round(time.monotonic() - began)},
    )
    names, parts = labelled_sentences(data)
    heads = {
        "names": train_head(
            names, NAME_TAGS, rows=config.name_rows, vocabulary=vocabulary, config=config
        ),
        "parts": train_head(
            parts, PARTS, rows=config.part_rows, vocabulary=vocabulary, config=config
        ),
    }
    meta = {
        "command": f"python -m model.tag_train --seed {config.seed}",
        "config": asdict(config),
        "data_digest": data_digest(names, parts),
        "sentences": {"names": len(names), "parts": len(parts)},
        "seconds": round(time.monotonic() - began),
    }
    save_tagger(out, heads, vocabulary, meta=meta)
    return load_tagger(out)


def round_tagger(data: Path, folder: Path, out: Path) -> Tagger:
    """Store a trained tagger in four bits a weight, rounded for the text it was trained on; returns it as stored."""
    began = time.monotonic()
    tagger = load_tagger(folder)
    sentences = labelled_sentences(data)
    heads = {}
    for name, own, head in zip(HEADS, sentences, tagger.heads, strict=True):
        features = feature_hashes([sentence.words for sentence in own], tagger.vocabulary)
        reads = text_reads(features, len(head.weights))
        heads[name] = replace(head, weights=round_table(head.weights, reads))
        logger.info("table rounded", extra={"head": name})
    meta = {
        "command": "python -m model.tag_train --round",
        "rounded_from": {
            "name": tagger.name,
            **json.loads((folder / META).read_text("utf-8")),
        },
        "data_digest": data_digest(*sentences),
        "seconds": round(time.monotonic() - began),
    }
    save_tagger(out, heads, tagger.vocabulary, meta=meta, rounded_from=tagger.name)
    return load_tagger(out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=TagTrainConfig().seed)
    parser.add_argument("--round", type=Path, help="a tagger's folder")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    if options.round is not None:
        round_tagger(options.data, options.round, options.out)
    else:
        train(options.data, options.out, TagTrainConfig(seed=options.seed))


if __name__ == "__main__":
    main()
