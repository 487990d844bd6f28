"""The stream of news that people put into stories, and which part of it nothing was fitted on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.evaluate_novelty import FOLDER, STREAM, stream_rows
from kb import Article
from model import DataError

SPLIT = datetime(2020, 1, 1, tzinfo=UTC)
"""Decisions are fitted on what came before, and judged on stories that began later."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Articles in the order of their dates, and the stories of those that people labelled."""

    articles: tuple[Article, ...]
    gold: Mapping[str, str]
    """Article id -> story; an article that is not in it belongs to no story that anyone knows of."""

    def before(self, moment: datetime) -> "Stream":
        """The articles that came out earlier."""
        early = tuple(article for article in self.articles if _date(article) < moment)
        return Stream(early, {it.id: self.gold[it.id] for it in early if it.id in self.gold})

    def judged_from(self, moment: datetime) -> dict[str, str]:
        """The labelled articles of the stories that began then or later."""
        begun: dict[str, datetime] = {}
        for article in self.articles:
            if article.id in self.gold:
                begun.setdefault(self.gold[article.id], _date(article))
        return {it: story for it, story in self.gold.items() if begun[story] >= moment}


def read_stream(data: Path, limit: int | None) -> Stream:
    """Read the stream, oldest first.

    Args:
        data: the newsroom's folder, or one that holds it as `newsroom/`.
        limit: articles on each side of `SPLIT` at most, the nearest to it.

    Raises:
        DataError: the file is missing or broken, or no labelled story began after `SPLIT`.
    """
    folder = data / FOLDER if (data / FOLDER).is_dir() else data
    rows = sorted(stream_rows(folder / STREAM), key=lambda row: (_date(row[0]), row[0].id))
    if limit is not None:
        first_late = sum(_date(article) < SPLIT for article, _ in rows)
        rows = rows[max(0, first_late - limit) : first_late + limit]
    stream = Stream(
        tuple(article for article, _ in rows), {it.id: story for it, story in rows if story}
    )
    if not stream.judged_from(SPLIT):
        raise DataError(f"{folder.name}: no labelled story after {SPLIT:%Y-%m-%d} in {STREAM}")
    return stream


def _date(article: Article) -> datetime:
    assert article.published_at is not None, "stream_rows leaves undated rows out"
    return article.published_at
