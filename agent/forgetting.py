"""Forget an article: out of the store with it, its stories told anew, and what hung on it learned again."""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import reduce

from agent.ingest import OpenStories, Reading, StoryShelf, learn_article, story_vector
from agent.stories import article_profile, merge, story_id, story_label
from kb import Article, Embedder, Forgotten, KnowledgeBase, Story, Topics

logger = logging.getLogger(__name__)


def forget_article(
    article: Article, kb: KnowledgeBase, reading: Reading, *, now: datetime
) -> Forgotten:
    """Take an article out of the store and learn again what its facts had judged, as of when it was learned before.

    Killed in between, the next ingest learns what is left to learn.
    """
    report = kb.forget(article, lambda told: retell(told, kb, reading.embedder), now=now)
    logger.info(
        "article forgotten",
        extra={
            "article_id": report.article_id,
            "facts": report.facts,
            "again": len(report.again),
        },
    )
    left = {one.id: one for one in kb.unlearned_articles()}
    again = [(left[one], learned_at) for one, learned_at in report.again if one in left]
    shelf = StoryShelf(kb, [one for one, _ in again])
    for one, learned_at in again:
        learn_article(one, kb, reading, shelf, now=learned_at)
    return report


def retell(told: Sequence[tuple[Article, Topics]], kb: OpenStories, embedder: Embedder) -> Story:
    """The story that articles make in this order, as if each had joined it; words weigh by the stories of now."""
    shelf = StoryShelf(kb, [article for article, _ in told])
    profiles = [
        article_profile(
            article, story_vector(article, embedder), shelf.candidates(article.published_at)
        )
        for article, _ in told
    ]
    opener, topics = told[0]
    return Story(story_id(opener), story_label(opener, topics), reduce(merge, profiles))
