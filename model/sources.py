"""The recipe of single texts: which files, and which texts of a row.

Each source is named once with its share. Nothing under an evaluation folder is ever a source, and
neither are the development and test rows that lie among the training files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from model.errors import DataError
from model.passages import all_passages, first_passages, news_sentences, whole_sentences
from model.texts import Row, split_sentences

MAX_MORE = 200_000
"""Texts taken from each further file."""


class Kind(StrEnum):
    """What sort of text it is; decides how long it may be and lets training weigh it."""

    SENTENCE = "sentence"
    PASSAGE = "passage"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of training text."""

    name: str
    """Shown in reports."""
    files: str
    """Glob below the data folder."""
    texts: Callable[[Row], Iterable[str]]
    """The texts of one row."""
    limit: int
    """At most this many distinct texts are taken."""
    kind: Kind = Kind.SENTENCE
    variants: int = 0
    """Variants of each taken sentence (`variants.py`) that are texts too."""


def _title(row: Row) -> Iterator[str]:
    yield row.get("title") or ""


def _group(row: Row) -> Iterator[str]:
    yield from row["group"]


def _event_titles(row: Row) -> Iterator[str]:
    for member in row["group"]:
        yield member["title"]
        yield from split_sentences(member["text"])[:2]


def _both(row: Row) -> Iterator[str]:
    yield row["a"]
    yield row["b"]


def _paraphrases(row: Row) -> Iterator[str]:
    # Lower-cased definitions of one science, noisy, and two thirds of the file.
    if row["src"] != "parasci":
        yield from _both(row)


def _definitions(row: Row) -> Iterator[str]:
    if row["src"] == "parasci":
        yield from _both(row)


def _entailments(row: Row) -> Iterator[str]:
    # Question pairs overlap a search benchmark; similarity sets are scored here. Both stay out.
    if row["src"].startswith(("mnli", "rte", "cb")) and "dev" not in row["src"]:
        yield from _both(row)


def _heads(row: Row) -> Iterator[str]:
    for heads in (row.get("heads") or {}).values():
        yield from heads


def _squad(row: Row) -> Iterator[str]:
    for qa in row["qas"]:
        yield qa["q"]
    yield from news_sentences({"text": row["context"]})


def _qamr(row: Row) -> Iterator[str]:
    yield row["context"]
    for qa in row["qas"][::3]:
        yield qa[0]


def _quiz(row: Row) -> Iterator[str]:
    if row.get("split") != "test":
        for qa in row["qa"]:
            yield qa[0]


def _question(row: Row) -> Iterator[str]:
    yield row.get("question") or row["q"]
    yield row.get("evidence") or ""


def _sentence_question(row: Row) -> Iterator[str]:
    yield row["sent"]
    yield row["q"]


def _clue(row: Row) -> Iterator[str]:
    yield row["clue"]
    yield row["answer"]


def _boolq(row: Row) -> Iterator[str]:
    if row["split"] == "train":
        yield row["q"]


def _text(row: Row) -> Iterator[str]:
    yield row["text"]


def _tweet(row: Row) -> Iterator[str]:
    yield row["tok"].replace(" .", ".").replace(" ,", ",").replace(" '", "'")


def _lead(row: Row) -> Iterator[str]:
    yield from first_passages(news_sentences(row))


def _passages(row: Row) -> Iterator[str]:
    yield from all_passages(whole_sentences(row["text"]))


def _science(row: Row) -> Iterator[str]:
    # Medicine, space, electronics, cryptography: words that news and encyclopedia rarely hold.
    if row["group"].startswith("sci."):
        yield from _passages(row)


def _squad_passage(row: Row) -> Iterator[str]:
    yield from first_passages(whole_sentences(row["context"]))


def _boolq_passage(row: Row) -> Iterator[str]:
    if row["split"] == "train":
        yield from first_passages(whole_sentences(row["passage"]))


def _review(row: Row) -> Iterator[str]:
    yield from news_sentences({"text": row["context"]})


SOURCES = (
    Source("captions", "train/pairs/captions_multi30k.jsonl.xz", _group, 75_000, variants=3),
    Source("news", "realtimeqa/articles-*.jsonl.xz", news_sentences, 110_000, variants=2),
    Source("news titles", "realtimeqa/articles-*.jsonl.xz", _title, 25_000, variants=2),
    Source("politics", "train/lm/news_abp_*.jsonl.xz", news_sentences, 45_000, variants=1),
    Source("politics titles", "train/lm/news_abp_*.jsonl.xz", _title, 18_000, variants=2),
    Source("newswire", "train/lm/reuters21578.jsonl.xz", news_sentences, 12_000, variants=1),
    Source("newswire titles", "train/lm/reuters21578.jsonl.xz", _title, 8_000),
    Source("short news", "train/lm/agnews_part_train.jsonl.xz", _title, 4_000),
    Source(
        "short news text", "train/lm/agnews_part_train.jsonl.xz", news_sentences, 5_000, variants=1
    ),
    Source("radio news", "train/lm/abc_news_au_2006.jsonl.xz", news_sentences, 5_000, variants=1),
    Source("graded news", "train/lm/onestop_english.jsonl.xz", news_sentences, 5_000, variants=1),
    Source("events", "train/pairs/news_event_groups.jsonl.xz", _event_titles, 20_000, variants=2),
    Source("headlines", "train/pairs/fnc1_headline_body.jsonl.xz", _heads, 5_000, variants=2),
    Source("wiki", "train/lm/wiki_passages_dpr.jsonl.xz", news_sentences, 30_000, variants=1),
    Source(
        "prose",
        "train/lm/general_brown_masc_wsj_speeches.jsonl.xz",
        news_sentences,
        20_000,
        variants=1,
    ),
    Source("forums", "train/lm/newsgroups20_train.jsonl.xz", news_sentences, 15_000, variants=1),
    Source("reviews", "train/qa/subjqa.jsonl.xz", _review, 8_000, variants=1),
    Source("web", "train/tagging/ud_ewt_train.jsonl.xz", _text, 12_000, variants=1),
    Source("genres", "train/tagging/ud_gum_train.jsonl.xz", _text, 8_000, variants=1),
    Source("tweets", "train/tagging/ner_btc_wikigold_re3d.jsonl.xz", _tweet, 4_000),
    Source("paraphrases", "train/pairs/text_pairs.jsonl.xz", _paraphrases, 20_000, variants=2),
    Source("simplified", "train/pairs/simplify_asset_turk.jsonl.xz", _group, 8_000, variants=2),
    Source("entailments", "train/pairs/labelled_pairs.jsonl.xz", _entailments, 10_000, variants=2),
    Source("squad", "train/qa/squad_part_train.jsonl.xz", _squad, 12_000, variants=1),
    Source("squad questions", "train/qa/squad_qg_sentences.jsonl.xz", _sentence_question, 12_000),
    Source("qamr", "train/qa/qamr.jsonl.xz", _qamr, 10_000, variants=1),
    Source("news quiz", "train/qa/newsquizqa.jsonl.xz", _quiz, 6_000),
    Source("weekly quiz", "realtimeqa/questions-202[23].jsonl.xz", _question, 5_000),
    Source("older quiz", "train/qa/realtimeqa_2020_2022.jsonl.xz", _question, 5_000),
    Source("yes-no", "train/qa/boolq_part.jsonl.xz", _boolq, 2_000),
    Source("clues", "train/qa/jeopardy_recent.jsonl.xz", _clue, 40_000),
    Source("definitions", "train/pairs/text_pairs.jsonl.xz", _definitions, 60_000, variants=2),
    Source("news leads", "realtimeqa/articles-*.jsonl.xz", _lead, 14_000, Kind.PASSAGE),
    Source("politics leads", "train/lm/news_abp_*.jsonl.xz", _lead, 7_000, Kind.PASSAGE),
    Source("newswire leads", "train/lm/reuters21578.jsonl.xz", _lead, 5_000, Kind.PASSAGE),
    Source("science forums", "train/lm/newsgroups20_train.jsonl.xz", _science, 5_000, Kind.PASSAGE),
    Source("forum passages", "train/lm/newsgroups20_train.jsonl.xz", _lead, 3_000, Kind.PASSAGE),
    Source("wiki passages", "train/lm/wiki_passages_dpr.jsonl.xz", _passages, 6_000, Kind.PASSAGE),
    Source(
        "squad passages", "train/qa/squad_part_train.jsonl.xz", _squad_passage, 3_000, Kind.PASSAGE
    ),
    Source("yes-no passages", "train/qa/boolq_part.jsonl.xz", _boolq_passage, 2_000, Kind.PASSAGE),
    Source("radio passages", "train/lm/abc_news_au_2006.jsonl.xz", _passages, 2_500, Kind.PASSAGE),
    Source("graded passages", "train/lm/onestop_english.jsonl.xz", _lead, 500, Kind.PASSAGE),
    Source("words", "train/pairs/ppdb_lexical_synonyms.tsv.xz", _both, 45_000),
)
TINY_SOURCES = (Source("graded news", "train/lm/onestop_english.jsonl.xz", news_sentences, 2_000),)


def more_sources(folder: Path) -> tuple[Source, ...]:
    """Every `*.jsonl.xz` of a folder as a source of its own; a row holds one sentence as `text`.

    Raises:
        DataError: the folder has no such file.
    """
    names = sorted(path.name for path in folder.glob("*.jsonl.xz"))
    if not names:
        raise DataError(f"no further training text in {folder}: expected *.jsonl.xz")
    return tuple(Source(name.split(".")[0], name, _given_text(name), MAX_MORE) for name in names)


def _given_text(name: str) -> Callable[[Row], Iterator[str]]:
    def texts(row: Row) -> Iterator[str]:
        text = row.get("text") if isinstance(row, dict) else None
        if not isinstance(text, str):
            raise DataError(f"{name}: a row has no text")
        yield text

    return texts
