"""The `stories` suite: are articles put into the stories that people put them into?

The whole stream of two years goes once, in the order of its dates, through the code that the daemon places articles
with; most of it nobody labelled, and it gets in the way as real news would. Judged are the labelled articles of stories
that began when nothing was fitted any more.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from agent import story_comparators
from agent.ingest import Reading, StoryShelf, place_article
from agent.progress import Progress
from agent.story_metrics import DIGITS, bootstrap_difference, clustering_scores
from agent.story_stream import SPLIT, Stream, read_stream
from agent.topics import find_topics
from kb import Article, Story
from model import DataError

SET = "stream"


class NoStories:
    """A store in which no story was opened yet."""

    def open_stories(self, _since: datetime | None = None) -> list[Story]:
        """None."""
        return []


def evaluate_stories(
    data: Path, reading: Reading, *, compare: bool, limit: int | None, progress: Progress
) -> dict[str, Any]:
    """Run the suite.

    Args:
        data: the newsroom's folder, or one that holds it as `newsroom/`.
        reading: the model that reads.
        compare: also score clustering by TF-IDF, tuned on what ours was fitted on, and every article alone.
        limit: articles on each side of the split at most.
        progress: told of every article.

    Returns:
        `sets` and `mean` of the report, what was judged, and `comparators` where they are asked for.

    Raises:
        DataError: the stream is missing or broken, or holds nothing to judge.
    """
    stream = read_stream(data, limit)
    gold = stream.judged_from(SPLIT)
    found = place_stream(stream.articles, reading, progress)
    scores = clustering_scores(gold, found)
    report: dict[str, Any] = {
        "sets": {SET: scores},
        "mean": {"bcubed_f1": scores["bcubed_f1"]},
        "judged": {
            "from": SPLIT.isoformat(),
            "articles": len(gold),
            "stories": len(set(gold.values())),
            "read": len(stream.articles),
            "found": len(set(found.values())),
            "largest": max(Counter(found.values()).values()),
        },
    }
    if compare:
        report["comparators"] = {
            name: {"sets": {SET: clustering_scores(gold, theirs)}, **more}
            | {"difference": _difference(gold, found, theirs)}
            for name, theirs, more in _comparators(stream)
        }
    return report


def place_stream(
    articles: Sequence[Article], reading: Reading, progress: Progress
) -> dict[str, str]:
    """Article id -> story id, every article being placed as the daemon would."""
    progress.phase("reading", len(articles))
    shelf = StoryShelf(NoStories(), articles)
    found = {}
    for article in articles:
        topics = find_topics(article, reading.tagger).topics
        choice = place_article(article, topics, reading.embedder, shelf)
        shelf.keep(choice.story)
        found[article.id] = choice.story.id
        progress.advance()
    return found


def _comparators(stream: Stream) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    early = stream.before(SPLIT)
    if not early.gold:
        raise DataError(f"no labelled article before {SPLIT:%Y-%m-%d} to tune comparators on")
    chosen = story_comparators.tuned(
        early.articles, lambda found: clustering_scores(early.gold, found)["bcubed_f1"]
    )
    return [
        ("TF-IDF", story_comparators.cluster(stream.articles, chosen), {"tuned": asdict(chosen)}),
        ("every article alone", story_comparators.alone(stream.articles), {}),
    ]


def _difference(
    gold: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> dict[str, Any]:
    """Ours less theirs in B-cubed F1, with its interval over stories."""
    first, second = (clustering_scores(gold, found)["bcubed_f1"] for found in (ours, theirs))
    return {
        "bcubed_f1": round(first - second, DIGITS),
        "interval": bootstrap_difference(gold, ours, theirs),
    }
