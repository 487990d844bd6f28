"""The `novelty` suite: does the store keep what is new and drop what it knows?

Articles that people put into stories are learned oldest first, as the daemon would. Then second copies are made of
some, and the store is asked what it would do with each: a syndicated copy holds nothing new, a changed one one thing.
What is new in the stream itself is told by a rule on words (`novelty_rule.py`), which sees no paraphrase.
"""

import json
import lzma
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.ingest import Reading
from agent.novelty_copies import (
    another_name,
    another_number,
    changed_copy,
    pick,
    syndicated_copy,
)
from agent.novelty_scores import (
    Change,
    Contender,
    Ruled,
    Trials,
    keep_everything,
    mean_of_sets,
    ours,
    ruled_of,
    score,
)
from agent.novelty_threshold import cosine_threshold
from agent.progress import Progress
from agent.questions import draft_facts
from agent.replay import article_of, learn_replayed, learned_chars_per_s
from agent.sentences import Place
from agent.topics import find_topics
from kb import Answerability, AnswerKind, Article, Decision, KnowledgeBase, Verdict
from model import DataError

FOLDER = "newsroom"
STREAM, STORIES = "stream.jsonl.xz", "stories.jsonl.xz"
ARTICLES = 600
"""Articles learned unless a limit is given: about four minutes."""
BATCH = 20
CHANGED_SHARE = 3
"""One article in so many is given a changed number, and one a changed name."""
SYNDICATED_SHARE = 10
"""One article in so many is syndicated."""
REPEATS = "repeats "
"""How the reasons begin for which a sentence that raises questions is skipped without asking them."""
NOW = datetime(2100, 1, 1, tzinfo=UTC)
"""When the suite reads, for the store: always the same, and later than all that it reads."""


def evaluate_novelty(
    data: Path,
    reading: Reading,
    answerability: Answerability,
    *,
    compare: bool,
    limit: int | None,
    progress: Progress,
) -> dict[str, Any]:
    """Run the suite.

    Args:
        data: the newsroom's folder, or one that holds it as `newsroom/`.
        reading: the model that reads and judges.
        answerability: what the store decides with.
        compare: also score the comparators, on the same sentences.
        limit: articles to learn, by default `ARTICLES`.
        progress: told of every article.

    Returns:
        `sets`, `mean` and `chars_per_s` of the report, and `comparators` where they are asked for.

    Raises:
        DataError: a file is missing or broken, or no story has two articles.
    """
    articles, stories = read_newsroom(data, limit or ARTICLES)
    with (
        tempfile.TemporaryDirectory() as home,
        KnowledgeBase.open(Path(home), reading.embedder, answerability) as kb,
    ):
        began = time.perf_counter()
        learn_stream(kb, reading, articles, progress)
        seconds = time.perf_counter() - began
        trials = run_trials(kb, reading, articles, stories, progress)
    report = _scored(trials, ours(trials))
    report["chars_per_s"] = learned_chars_per_s((a.text for a in articles), seconds)
    if compare:
        cosine, threshold = cosine_threshold(trials, reading.embedder)
        report["comparators"] = {
            "store everything": _scored(trials, keep_everything(trials)),
            "cosine threshold": _scored(trials, cosine) | {"threshold": threshold},
        }
    return report


def _scored(trials: Trials, contender: Contender) -> dict[str, Any]:
    sets = score(trials, contender)
    return {"sets": sets, "mean": mean_of_sets(sets)}


# ------------------------------------------------------------------------------------------------------ reading
def read_newsroom(
    data: Path, limit: int, *, left_out: bool = False
) -> tuple[list[Article], dict[str, str]]:
    """The articles to learn, oldest first, and the story of each: whole stories, evenly spread over time.

    Args:
        data: the newsroom's folder, or one that holds it as `newsroom/`.
        limit: articles at most.
        left_out: instead, as many of the stories that are not chosen so.

    Raises:
        DataError: a file is missing or broken, or no story has two articles.
    """
    folder = data / FOLDER if (data / FOLDER).is_dir() else data
    rows = {
        article.url: (article, story) for article, story in stream_rows(folder / STREAM) if story
    }
    sizes = Counter(story for _, story in rows.values())
    listed = [story for story in _listed_stories(folder / STORIES) if sizes[story] > 1]
    if not listed:
        raise DataError(f"{folder.name}: no story has two articles in {STREAM}")
    chosen = set(_spread(listed, sizes, limit))
    if left_out and (others := [story for story in listed if story not in chosen]):
        chosen = set(_spread(others, sizes, limit))
    found = [(article, story) for article, story in rows.values() if story in chosen]
    found.sort(key=lambda pair: (pair[0].published_at or NOW, pair[0].id))
    return [article for article, _ in found], {article.id: story for article, story in found}


def _spread(stories: Sequence[str], sizes: Mapping[str, int], limit: int) -> list[str]:
    """As many stories as hold no more articles than the limit, at even steps; at least one."""
    for count in range(min(len(stories), limit), 1, -1):
        chosen = [stories[n * len(stories) // count] for n in range(count)]
        if sum(sizes[story] for story in chosen) <= limit:
            return chosen
    return [stories[0]]


def stream_rows(path: Path) -> Iterator[tuple[Article, str]]:
    """The dated articles of the stream with the story that people put each into, "" for none.

    Raises:
        DataError: the file is missing or broken.
    """
    for row in _read_rows(path):
        try:
            if row["published"] and str(row["body"]).strip():
                yield article_of(row, fetched_at=NOW), row["story"] or ""
        except (KeyError, TypeError, ValueError) as exc:
            raise DataError(f"{path.name} is not a stream of articles: {exc!r}") from exc


def _listed_stories(path: Path) -> list[str]:
    """Stories by date."""
    try:
        rows = [(str(row["published"]), str(row["story"])) for row in _read_rows(path)]
    except (KeyError, TypeError) as exc:
        raise DataError(f"{path.name} is not a list of stories: {exc!r}") from exc
    return list(dict.fromkeys(story for _, story in sorted(rows)))


def _read_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, EOFError, lzma.LZMAError, ValueError) as exc:
        raise DataError(f"cannot read {path.name}: {exc}") from exc


# ------------------------------------------------------------------------------------------------------- trials
def learn_stream(
    kb: KnowledgeBase, reading: Reading, articles: Sequence[Article], progress: Progress
) -> None:
    """Learn the articles, oldest first."""
    progress.phase("learning", len(articles))
    for start in range(0, len(articles), BATCH):
        batch = articles[start : start + BATCH]
        learn_replayed(kb, reading, batch, now=NOW)
        progress.advance(len(batch))


def run_trials(
    kb: KnowledgeBase,
    reading: Reading,
    articles: Sequence[Article],
    stories: Mapping[str, str],
    progress: Progress,
) -> Trials:
    """Of the learned stream: ask about changed copies without learning them, and learn syndicated ones last."""
    stream = _rulings(kb, articles)
    changer = Changer(kb, reading, stream, stories)
    chosen = articles[::CHANGED_SHARE]
    progress.phase("changed copies", len(chosen))
    numbers, names = [], []
    for article in chosen:
        numbers.append(changer.change_number(article))
        names.append(changer.change_name(article))
        progress.advance()
    originals = articles[::SYNDICATED_SHARE]
    progress.phase("syndicated copies", len(originals))
    copies = [syndicated_copy(article) for article in originals]
    for copy in copies:
        learn_replayed(kb, reading, [copy], now=NOW)
        progress.advance()
    return Trials(
        articles=tuple(articles),
        stream=tuple(stream),
        stories=stories,
        syndicated=tuple(_rulings(kb, copies)),
        counted_apart=tuple(_counted_apart(kb, copies)),
        numbers=tuple(change for change in numbers if change is not None),
        names=tuple(change for change in names if change is not None),
    )


def _rulings(kb: KnowledgeBase, articles: Sequence[Article]) -> list[Ruled]:
    """The sentences of learned articles that are worth keeping, in the order of the articles."""
    logged: dict[str, list[Decision]] = defaultdict(list)
    for decision in kb.export_decisions():
        logged[decision.article_id].append(decision)
    return [ruled for article in articles for ruled in ruled_sentences(article, logged[article.id])]


def ruled_sentences(article: Article, decisions: Iterable[Decision]) -> list[Ruled]:
    """The sentences that raised questions, with their decisions, in text order."""
    sentences: dict[int, list[Decision]] = defaultdict(list)
    for decision in decisions:
        if decision.question or decision.reason.startswith(REPEATS):
            sentences[decision.start_char].append(decision)
    return [ruled_of(article, start, found) for start, found in sorted(sentences.items())]


def _counted_apart(kb: KnowledgeBase, copies: Iterable[Article]) -> Iterator[tuple[str, bool]]:
    """For each fact that a copy confirms, whether the copy is kept apart from independent sources."""
    copy_ids = {copy.id for copy in copies}
    confirmed = {
        (decision.article_id, decision.fact_id)
        for decision in kb.export_decisions()
        if decision.article_id in copy_ids and decision.verdict is Verdict.CORROBORATED
    }
    for copy_id, fact_id in sorted((a, f) for a, f in confirmed if f):
        for source in kb.sources_of(fact_id):
            if source.article_id == copy_id:
                yield copy_id, source.is_copy


class Changer:
    """Makes changed copies of learned articles and asks the store about them."""

    def __init__(
        self,
        kb: KnowledgeBase,
        reading: Reading,
        stream: Iterable[Ruled],
        stories: Mapping[str, str],
    ) -> None:
        self._kb = kb
        self._reading = reading
        self._stories = stories
        self._sentences: dict[str, list[Ruled]] = defaultdict(list)
        for ruled in stream:
            self._sentences[ruled.article.id].append(ruled)
        self._entities = {
            article_id: kb.article_topics(article_id).entities for article_id in stories
        }
        self._named: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for article_id, entities in self._entities.items():
            for entity in entities:
                self._named[entity.kind][entity.name].add(stories[article_id])

    def change_number(self, article: Article) -> Change | None:
        """Change one number that a question asks for; None when there is none."""
        return self._change(article, (AnswerKind.HOW_MANY,), self._other_number)

    def change_name(self, article: Article) -> Change | None:
        """Change one name that a question asks for; None when there is none."""
        return self._change(article, (AnswerKind.WHO, AnswerKind.WHERE), self._other_name)

    def _change(
        self,
        article: Article,
        kinds: Sequence[AnswerKind],
        other: Callable[[Article, Decision], str | None],
    ) -> Change | None:
        options = [
            (ruled, span, words)
            for ruled in self._sentences[article.id]
            for decision in ruled.decisions
            if decision.kind in kinds
            and decision.fact_id is not None
            and (span := _place(ruled, decision.answer)) is not None
            and (words := other(article, decision)) is not None
        ]
        if not options:
            return None
        before, span, words = pick(options, key=article.id)
        copy = changed_copy(article, span, words)
        mentions = find_topics(copy, self._reading.tagger)
        decisions = self._kb.decide(copy, draft_facts(copy, mentions))
        sentences = ruled_sentences(copy, decisions)
        changed = [ruled for ruled in sentences if ruled.start_char == before.start_char]
        others = [ruled for ruled in sentences if ruled.start_char != before.start_char]
        return Change(changed[0] if changed else None, before, tuple(others))

    def _other_number(self, _: Article, decision: Decision) -> str | None:
        return another_number(decision.answer, key=decision.id)

    def _other_name(self, article: Article, decision: Decision) -> str | None:
        kind = self._kind_of(article, decision.answer)
        if kind is None:
            return None
        own = {self._stories[article.id]}
        pool = [name for name, told_in in self._named[kind].items() if not told_in <= own]
        return another_name(decision.answer, kind, pool, avoid=article.text, key=decision.id)

    def _kind_of(self, article: Article, name: str) -> str | None:
        """Kind of the entity that goes by the name, in full or by its last word."""
        for entity in self._entities[article.id]:
            if name == entity.name or name == entity.name.split()[-1]:
                return entity.kind
        return None


def _place(ruled: Ruled, answer: str) -> Place | None:
    """Where the answer stands in its article; None when the sentence holds it more than once."""
    found = list(re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", ruled.quote))
    if len(found) != 1:
        return None
    start, end = found[0].span()
    return ruled.start_char + start, ruled.start_char + end
