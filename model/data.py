"""Training text for the encoder: which files, which sentences, and which of them must not be used.

A recipe of sources names each file once with its share. Texts are drawn by the order of their own
hash, so the same folder always gives the same selection. Nothing under an evaluation folder is
ever a source: evaluation texts are read only to remove their equals from the training text.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import lzma
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from model.errors import DataError

MIN_CHARS = 2
MAX_CHARS = 300
MIN_SENTENCE_CHARS = 30
LAST_ARTICLE_YEAR = 2024

_SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"”’)]))\s+(?=[\"“‘(]?[A-Z0-9])")
_NOT_LETTER_OR_DIGIT = re.compile(r"[\W_]+")

Row = dict[str, Any]
T = TypeVar("T")


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


@dataclass(frozen=True, slots=True)
class Corpus:
    """The selected training texts and how they came about."""

    texts: tuple[str, ...]
    counts: dict[str, int]
    """Texts taken from each source."""
    contaminated: int
    """Texts left out because an evaluation set holds the same letters and digits."""

    @property
    def digest(self) -> str:
        """Hash of the texts in order; two runs on equal digests saw the same data."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(text.encode())
            digest.update(b"\0")
        return digest.hexdigest()[:16]


def split_sentences(text: str) -> list[str]:
    """Split paragraphs (parted by newlines) into sentences; whitespace is folded."""
    sentences: list[str] = []
    for paragraph in text.split("\n"):
        folded = " ".join(paragraph.split())
        sentences.extend(part for part in _SENTENCE_END.split(folded) if part)
    return sentences


def letters_and_digits(text: str) -> str:
    """The form by which two texts count as the same in the contamination check."""
    return _NOT_LETTER_OR_DIGIT.sub("", text.casefold())


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of one `.jsonl.xz` file.

    Raises:
        DataError: the file is missing, not xz, or not JSON lines.
    """
    try:
        with lzma.open(path, "rt", encoding="utf8") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, EOFError, lzma.LZMAError, ValueError) as exc:
        raise DataError(f"cannot read {path.name}: {exc}") from exc


def _news(row: Row) -> Iterator[str]:
    for sentence in split_sentences(row.get("body") or row.get("text") or ""):
        # Shorter lines and lines without a full stop are bylines, captions and "read more".
        if len(sentence) >= MIN_SENTENCE_CHARS and sentence[-1] in '.!?"”’)':
            yield sentence


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
    yield from _news({"text": row["context"]})


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


def _synonyms(row: Row) -> Iterator[str]:
    yield row["a"]
    yield row["b"]


SOURCES = (
    Source("captions", "train/pairs/captions_multi30k.jsonl.xz", _group, 75_000),
    Source("news", "realtimeqa/articles-*.jsonl.xz", _news, 55_000),
    Source("news titles", "realtimeqa/articles-*.jsonl.xz", _title, 25_000),
    Source("politics", "train/lm/news_abp_*.jsonl.xz", _news, 30_000),
    Source("politics titles", "train/lm/news_abp_*.jsonl.xz", _title, 18_000),
    Source("newswire", "train/lm/reuters21578.jsonl.xz", _news, 12_000),
    Source("newswire titles", "train/lm/reuters21578.jsonl.xz", _title, 8_000),
    Source("short news", "train/lm/agnews_part_train.jsonl.xz", _title, 4_000),
    Source("short news text", "train/lm/agnews_part_train.jsonl.xz", _news, 5_000),
    Source("radio news", "train/lm/abc_news_au_2006.jsonl.xz", _news, 5_000),
    Source("graded news", "train/lm/onestop_english.jsonl.xz", _news, 5_000),
    Source("events", "train/pairs/news_event_groups.jsonl.xz", _event_titles, 20_000),
    Source("headlines", "train/pairs/fnc1_headline_body.jsonl.xz", _heads, 5_000),
    Source("wiki", "train/lm/wiki_passages_dpr.jsonl.xz", _news, 15_000),
    Source("prose", "train/lm/general_brown_masc_wsj_speeches.jsonl.xz", _news, 20_000),
    Source("forums", "train/lm/newsgroups20_train.jsonl.xz", _news, 15_000),
    Source(
        "reviews", "train/qa/subjqa.jsonl.xz", lambda row: _news({"text": row["context"]}), 8_000
    ),
    Source("web", "train/tagging/ud_ewt_train.jsonl.xz", _text, 12_000),
    Source("genres", "train/tagging/ud_gum_train.jsonl.xz", _text, 8_000),
    Source("tweets", "train/tagging/ner_btc_wikigold_re3d.jsonl.xz", _tweet, 4_000),
    Source("paraphrases", "train/pairs/text_pairs.jsonl.xz", _paraphrases, 20_000),
    Source("simplified", "train/pairs/simplify_asset_turk.jsonl.xz", _group, 8_000),
    Source("entailments", "train/pairs/labelled_pairs.jsonl.xz", _entailments, 10_000),
    Source("squad", "train/qa/squad_part_train.jsonl.xz", _squad, 12_000),
    Source("squad questions", "train/qa/squad_qg_sentences.jsonl.xz", _sentence_question, 12_000),
    Source("qamr", "train/qa/qamr.jsonl.xz", _qamr, 10_000),
    Source("news quiz", "train/qa/newsquizqa.jsonl.xz", _quiz, 6_000),
    Source("weekly quiz", "realtimeqa/questions-202[23].jsonl.xz", _question, 5_000),
    Source("older quiz", "train/qa/realtimeqa_2020_2022.jsonl.xz", _question, 5_000),
    Source("yes-no", "train/qa/boolq_part.jsonl.xz", _boolq, 2_000),
    Source("clues", "train/qa/jeopardy_recent.jsonl.xz", _clue, 40_000),
    Source("words", "train/pairs/ppdb_lexical_synonyms.tsv.xz", _synonyms, 45_000),
)
TINY_SOURCES = (Source("graded news", "train/lm/onestop_english.jsonl.xz", _news, 2_000),)


def _source_rows(data: Path, source: Source) -> Iterator[Row]:
    paths = sorted(data.glob(source.files))
    if not paths:
        raise DataError(f"no training file matches {source.files}")
    for path in paths:
        year = re.search(r"articles-(\d{4})", path.name)
        if year and int(year[1]) > LAST_ARTICLE_YEAR:
            continue
        if path.suffixes[-2:] == [".tsv", ".xz"]:
            with lzma.open(path, "rt", encoding="utf8") as lines:
                for line in lines:
                    a, _, b = line.rstrip("\n").partition("\t")
                    yield {"a": a, "b": b}
        else:
            yield from read_rows(path)


def text_key(text: str) -> int:
    """A 64-bit hash of a text, stable between runs and machines."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def evaluation_forms(sts: Path) -> frozenset[str]:
    """Letters-and-digits forms of every text in a folder of similarity sets, all splits."""
    forms: set[str] = set()
    for path in sorted(sts.glob("*.jsonl.xz")):
        for row in read_rows(path):
            forms.update((letters_and_digits(row["a"]), letters_and_digits(row["b"])))
    return frozenset(forms)


def is_usable(text: str) -> bool:
    """Whether a text has a sensible length for training."""
    return MIN_CHARS <= len(text) <= MAX_CHARS


def build_corpus(data: Path, sources: tuple[Source, ...] = SOURCES) -> Corpus:
    """Select the training texts, mixed by hash so that every prefix is as varied as the whole.

    Args:
        data: folder with `train/`, `realtimeqa/` and (for the contamination check) `eval/sts/`.
        sources: the recipe.

    Raises:
        DataError: a source's files, or the evaluation texts to keep out, are missing.
    """
    banned = evaluation_forms(data / "eval" / "sts")
    if not banned:
        raise DataError("no evaluation texts under eval/sts: cannot check for contamination")
    seen: set[str] = set()
    counts: dict[str, int] = {}
    chosen: list[str] = []
    contaminated = 0
    for source in sources:
        rows = _source_rows(data, source)
        candidates = {" ".join(text.split()) for row in rows for text in source.texts(row)}
        # By hash, not by place in the file: a limited source is a sample of all its rows.
        ordered = sorted((text for text in candidates if is_usable(text)), key=_by_hash)
        taken = 0
        for text in ordered:
            form = letters_and_digits(text)
            if not form or form in seen:
                continue
            if form in banned:
                contaminated += 1
                continue
            seen.add(form)
            chosen.append(text)
            taken += 1
            if taken == source.limit:
                break
        counts[source.name] = taken
    # Chosen texts have low hashes where a source was cut short: another hash mixes the sources.
    mixed = sorted(chosen, key=lambda text: hashlib.md5(text.encode()).digest())
    return Corpus(tuple(mixed), counts, contaminated)


def _by_hash(text: str) -> tuple[int, str]:
    return text_key(text), text


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Consecutive batches of at most `size` items."""
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, size)):
        yield batch
