"""Pairs of texts that belong together, for the contrastive loss.

A recipe names each file once: which texts of a row are a pair, and how many pairs are taken, in the
order of their hash. Nothing under an evaluation folder is a source, nor are development and test
rows; a pair of which one side resembles an evaluation text is dropped.

Shapes: P pairs.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.code_pairs import CodePair
from model.contamination import EvaluationTexts, read_evaluation_texts
from model.hard_negatives import find_hard_negatives
from model.passages import first_passages, news_sentences, whole_sentences
from model.texts import Row, by_hash, fill, fold_blanks, letters_and_digits, texts_digest
from model.texts import training_rows as rows_of

MAX_ANCHOR_CHARS = 300
MAX_POSITIVE_CHARS = 600
MIN_CHARS = 3
MAX_MINED = 30_000
"""Anchors of one source for which a hard negative is looked for."""
MAX_PER_POSITIVE = 3
"""Pairs that share a positive: in one batch they would be taken for each other's negatives."""
NO_NEGATIVE = ""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PairSource:
    """One kind of pair."""

    name: str
    files: str
    """Glob below the data folder."""
    pairs: Callable[[Row], Iterable[Pair]]
    """The pairs of one row."""
    limit: int
    """At most this many pairs are taken."""
    has_hard_negatives: bool = False
    """Whether the nearest wrong positive by BM25 is shown beside the right one."""


@dataclass(frozen=True, slots=True)
class PairSet:
    """All pairs, source by source."""

    anchors: tuple[str, ...]
    positives: tuple[str, ...]
    negatives: tuple[str, ...]
    """A hard negative for each pair; `NO_NEGATIVE` where there is none."""
    sources: tuple[str, ...]
    counts: dict[str, int]
    """Pairs taken from each source."""
    removed: dict[str, int]
    """Pairs left out of each source because an evaluation set holds one side, or a part of it."""

    @property
    def digest(self) -> str:
        """Hash of all pairs in order."""
        return texts_digest((*self.anchors, *self.positives, *self.negatives))


def _cut(text: str, chars: int = MAX_POSITIVE_CHARS) -> str:
    """Leading whole sentences of a text."""
    return fill(whole_sentences(text), chars)[0]


def _title_and_lead(row: Row) -> Iterator[Pair]:
    for passage in first_passages(news_sentences(row)):
        yield row.get("title") or "", _cut(passage)


def _title_and_text(row: Row) -> Iterator[Pair]:
    yield row["title"], row["text"]


def _events(row: Row) -> Iterator[Pair]:
    members = row["group"]
    for one, other in itertools.pairwise([*members, members[0]]):
        yield one["title"], other["title"]
        yield one["title"], _cut(other["text"])


def _headlines(row: Row) -> Iterator[Pair]:
    body = _cut(row["text"])
    for head in (row.get("heads") or {}).get("agree", ()):
        yield head, body


def _captions(row: Row) -> Iterator[Pair]:
    yield from itertools.pairwise(row["group"])


def _rewrites(row: Row) -> Iterator[Pair]:
    group = row["group"]
    yield from itertools.islice(zip(group[::2], group[1::2], strict=False), 3)


def _paraphrase(row: Row) -> Iterator[Pair]:
    if row["src"] != "parasci":
        yield row["a"], row["b"]


def _definition(row: Row) -> Iterator[Pair]:
    if row["src"] == "parasci":
        yield row["a"], row["b"]


def _entailment(row: Row) -> Iterator[Pair]:
    # Question pairs overlap a search benchmark; similarity sets are scored here. Both stay out.
    is_ours = row["src"].startswith(("mnli", "rte", "cb")) and "dev" not in row["src"]
    if is_ours and row.get("nli") == "entailment":
        yield row["b"], _cut(row["a"]) or row["a"]


def _squad(row: Row) -> Iterator[Pair]:
    context = _cut(row["context"], MAX_POSITIVE_CHARS + 300)
    for qa in row["qas"]:
        if qa.get("answerable", True) and qa["answers"] and qa["answers"][0][0] in context:
            yield qa["q"], context


def _sentence_question(row: Row) -> Iterator[Pair]:
    yield row["q"], row["sent"]


def _qamr(row: Row) -> Iterator[Pair]:
    for qa in row["qas"][::4]:
        yield qa[0], row["context"]


def _selqa(row: Row) -> Iterator[Pair]:
    if row["split"] == "dev":
        for at in row["answers"]:
            yield row["q"], row["cands"][at]


def _yes_no(row: Row) -> Iterator[Pair]:
    if row["split"] == "train":
        yield row["q"], _cut(row["passage"])


def _clue(row: Row) -> Iterator[Pair]:
    yield f"{row['cat'].lower()}: {row['clue']}", row["answer"]


def _evidence(row: Row) -> Iterator[Pair]:
    yield row.get("question") or row["q"], _cut(row.get("evidence") or "")


def _first_and_rest(row: Row) -> Iterator[Pair]:
    first, *rest = whole_sentences(row["text"]) or [""]
    yield first, fill(rest, MAX_POSITIVE_CHARS)[0]


def _synonym(row: Row) -> Iterator[Pair]:
    yield row["a"], row["b"]


SOURCES = (
    PairSource("news", "realtimeqa/articles-*.jsonl.xz", _title_and_lead, 20_000, True),
    PairSource("politics", "train/lm/news_abp_*.jsonl.xz", _title_and_lead, 16_000, True),
    PairSource("newswire", "train/lm/reuters21578.jsonl.xz", _title_and_lead, 8_000, True),
    PairSource("short news", "train/lm/agnews_part_train.jsonl.xz", _title_and_text, 4_000, True),
    PairSource("events", "train/pairs/news_event_groups.jsonl.xz", _events, 16_000),
    PairSource("headlines", "train/pairs/fnc1_headline_body.jsonl.xz", _headlines, 4_000, True),
    PairSource("captions", "train/pairs/captions_multi30k.jsonl.xz", _captions, 60_000),
    PairSource("simplified", "train/pairs/simplify_asset_turk.jsonl.xz", _rewrites, 12_000),
    PairSource("paraphrases", "train/pairs/text_pairs.jsonl.xz", _paraphrase, 14_000),
    PairSource("definitions", "train/pairs/text_pairs.jsonl.xz", _definition, 20_000),
    PairSource("entailments", "train/pairs/labelled_pairs.jsonl.xz", _entailment, 10_000),
    PairSource("squad", "train/qa/squad_part_train.jsonl.xz", _squad, 10_000, True),
    PairSource(
        "sentences", "train/qa/squad_qg_sentences.jsonl.xz", _sentence_question, 12_000, True
    ),
    PairSource("qamr", "train/qa/qamr.jsonl.xz", _qamr, 8_000),
    PairSource("selqa", "train/qa/selqa.jsonl.xz", _selqa, 2_000, True),
    PairSource("yes-no", "train/qa/boolq_part.jsonl.xz", _yes_no, 2_000, True),
    PairSource("clues", "train/qa/jeopardy_recent.jsonl.xz", _clue, 30_000),
    PairSource("quiz", "train/qa/realtimeqa_2020_2022.jsonl.xz", _evidence, 3_000, True),
    PairSource("weekly quiz", "realtimeqa/questions-202[23].jsonl.xz", _evidence, 3_000, True),
    PairSource("wiki", "train/lm/wiki_passages_dpr.jsonl.xz", _first_and_rest, 9_000, True),
    PairSource("forums", "train/lm/newsgroups20_train.jsonl.xz", _first_and_rest, 9_000, True),
    PairSource("synonyms", "train/pairs/ppdb_lexical_synonyms.tsv.xz", _synonym, 40_000),
)
CODE = "code"


def build_pairs(
    data: Path,
    sources: tuple[PairSource, ...] = SOURCES,
    *,
    functions: Sequence[CodePair] = (),
    evaluation: EvaluationTexts | None = None,
) -> PairSet:
    """Select the pairs and look for hard negatives.

    Args:
        data: folder with `train/`, `realtimeqa/` and (for the contamination check) `eval/`.
        sources: the recipe.
        functions: code and what it is for.
        evaluation: what to keep out, if it was read already.

    Raises:
        DataError: a source's files, or the evaluation texts to keep out, are missing.
    """
    evaluation = evaluation or read_evaluation_texts(data)
    chosen: list[tuple[str, list[Pair], list[str]]] = []
    counts, removed = {}, {}
    for source in sources:
        found = {
            (fold_blanks(anchor), fold_blanks(positive))
            for row in rows_of(data, source.files)
            for anchor, positive in source.pairs(row)
        }
        pairs, removed[source.name] = _select(found, source.limit, evaluation)
        chosen.append((source.name, pairs, _negatives(pairs, is_wanted=source.has_hard_negatives)))
        counts[source.name] = len(pairs)
    if functions:
        code = {(function.query, function.code) for function in functions}
        pairs, removed[CODE] = _select(code, len(code), evaluation)
        chosen.append((CODE, pairs, _negatives(pairs, is_wanted=True)))
        counts[CODE] = len(pairs)
    return PairSet(
        anchors=tuple(anchor for _, pairs, _ in chosen for anchor, _ in pairs),
        positives=tuple(positive for _, pairs, _ in chosen for _, positive in pairs),
        negatives=tuple(text for _, _, negatives in chosen for text in negatives),
        sources=tuple(name for name, pairs, _ in chosen for _ in pairs),
        counts=counts,
        removed=removed,
    )


def _select(found: set[Pair], limit: int, evaluation: EvaluationTexts) -> tuple[list[Pair], int]:
    """Pairs in the order of their hash, each anchor once; and how many were seen in evaluation.

    All pairs found are counted, not only those before the limit is reached.
    """
    ordered = sorted((pair for pair in found if _is_usable(pair)), key=_pair_hash)
    seen_anchors = evaluation.contain([anchor for anchor, _ in ordered])
    seen = seen_anchors | evaluation.contain([positive for _, positive in ordered])
    anchors: set[str] = set()
    uses: Counter[str] = Counter()
    chosen: list[Pair] = []
    for pair, is_seen in zip(ordered, seen.tolist(), strict=True):
        anchor, positive = pair
        if len(chosen) == limit:
            break
        if not is_seen and anchor not in anchors and uses[positive] < MAX_PER_POSITIVE:
            anchors.add(anchor)
            uses[positive] += 1
            chosen.append(pair)
    return chosen, int(seen.sum())


def _is_usable(pair: Pair) -> bool:
    anchor, positive = pair
    return (
        MIN_CHARS <= len(anchor) <= MAX_ANCHOR_CHARS
        and MIN_CHARS <= len(positive) <= MAX_POSITIVE_CHARS + MAX_ANCHOR_CHARS
        and letters_and_digits(anchor) != letters_and_digits(positive)
    )


def _pair_hash(pair: Pair) -> tuple[int, str]:
    return by_hash("\0".join(pair))


def _negatives(pairs: Sequence[Pair], *, is_wanted: bool) -> list[str]:
    if not is_wanted:
        return [NO_NEGATIVE] * len(pairs)
    mined = pairs[:MAX_MINED]
    return [*find_hard_negatives(mined), *[NO_NEGATIVE] * (len(pairs) - len(mined))]
