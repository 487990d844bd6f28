"""An article forgotten: everything that came of it goes, and it does not come in again by itself.

What goes: the article, its facts with their answers, sources and links, its decisions, its rows of full text, its part
of its story, its passages over the experience graph, and what its feeds said of it. Of other articles' facts that it
stated it is a source no more; what its facts had superseded is superseded no more.

Other articles were judged by its facts: a sentence that these had said already is no fact, and a decision may quote
them. So what was learned of an article of which a verdict was taken on a fact that goes, goes too, and the article
waits to be learned again. That reaches as far as verdicts do, and no further: where a fact that goes was only
near, and changed no verdict, the verdict stays as it was taken and no longer tells of it.

After the others are learned again, facts, sources, links, stories and the graph are those of a store that learned the
same articles in the same order, each for the last time, and never the forgotten one. There are four exceptions. A
verdict so near to the threshold that the rarity of words, counted with the article or without it, decides. Which
article opened or joined which story. What a story's words weigh, where that depends on which stories are open. A single
word that stood for two names of one story, one of them the article's alone: what was learned of it stays with the
single word.

Not reached: the same text under another address, which is another article; vectors in an index folder that was set
aside as damaged; a language model that learned from the article overnight.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from kb import (
    sql_articles,
    sql_brought,
    sql_feeds,
    sql_forgotten,
    sql_removal,
    sql_stories,
    sql_story_log,
)
from kb.examine import REPEATS_PUBLISHER, words_hash
from kb.experience import Experience
from kb.lent import take_back_asked, take_back_fuller
from kb.reports import Forgotten
from kb.things import key_of
from kb.values import Article, Story, Topics

Retell = Callable[[Sequence[tuple[Article, Topics]]], Story]
"""Makes the story of articles in the order in which they joined it, of which there is at least one."""


@dataclass(frozen=True, slots=True)
class Hanging:
    """What goes with an article."""

    report: Forgotten
    fact_ids: tuple[str, ...]
    """Of all that go, for the vector index."""

    @property
    def article_ids(self) -> list[str]:
        """Of the article and of those of which what was learned goes with it."""
        return [self.report.article_id, *(article_id for article_id, _ in self.report.again)]


def hanging_on(connection: Connection, article: Article) -> Hanging:
    """Find what goes with an article; writes nothing."""
    own = [fact.id for fact in sql_removal.facts_of(connection, [article.id])]
    reached = _judged_by_it(connection, article.id)
    decisions, sources, links = sql_removal.counts(connection, [article.id], own)
    report = Forgotten(
        article_id=article.id,
        title=article.title,
        url=article.url,
        facts=len(own),
        decisions=decisions,
        sources=sources,
        links=links,
        again=tuple(sql_removal.learned_at(connection, reached)),
    )
    gone = sql_removal.facts_of(connection, [article.id, *sorted(reached)])
    return Hanging(report, tuple(fact.id for fact in gone))


def _judged_by_it(connection: Connection, article_id: str) -> set[str]:
    """The articles judged by the facts of this one, of those so found, and so on."""
    reached: set[str] = set()
    latest = {article_id}
    while latest:
        facts = sql_removal.facts_of(connection, sorted(latest))
        found = sql_removal.judged_by(connection, [fact.id for fact in facts])
        found |= sql_removal.copies_of(connection, sorted(latest))
        said = {(fact.publisher, fact.words_hash) for fact in facts}
        publishers = {fact.publisher for fact in facts}
        for other, publisher, quote in sql_removal.quotes_decided(
            connection, publishers, REPEATS_PUBLISHER
        ):
            if (publisher, words_hash(quote)) in said:
                found.add(other)
        latest = found - reached - {article_id}
        reached |= latest
    return reached


def forget(
    connection: Connection,
    article: Article,
    retell: Retell,
    experience: Experience,
    *,
    now: datetime,
) -> Hanging:
    """Take an article out of every table and mark its addresses; the caller's transaction makes it whole.

    Returns:
        what went; its vectors are still to be taken out of the index.
    """
    hanging = hanging_on(connection, article)
    gone = hanging.article_ids
    told = sql_stories.told_by(connection, gone)
    lent = _names_in(connection, gone)
    named = sql_brought.things_of_article(connection, article.id)
    elsewhere = {
        key_of(name) for one in gone[1:] for name in sql_brought.things_of_article(connection, one)
    }
    sql_removal.remove_learned(connection, gone)
    sql_story_log.remove(connection, gone)
    links = sql_feeds.empty(connection, article.id)
    sql_forgotten.mark(connection, article.id, [article.url, *links], now=now)
    sql_removal.remove_article(connection, article.id)
    for article_id in gone:
        experience.forget(connection, article_id)
    take_back_asked(connection, [name for name in named if key_of(name) not in elsewhere])
    for story_id in told:
        if (left := _retold(connection, story_id, retell)) is not None:
            take_back_fuller(connection, left.id, lent)
    return hanging


def _names_in(connection: Connection, article_ids: Sequence[str]) -> set[str]:
    return {
        entity.name
        for article_id in article_ids
        for entity in sql_articles.topics_of(connection, article_id).entities
    }


def _retold(connection: Connection, story_id: str, retell: Retell) -> Story | None:
    """The story of the articles that are left in it, stored in the place of the old one."""
    members = sql_stories.members(connection, story_id)
    left = [(one, sql_articles.topics_of(connection, one.id)) for one in members]
    story = retell(left) if left else None
    sql_stories.replace(connection, story_id, story)
    if story is None:
        sql_story_log.rename(connection, story_id, None)
    elif story.id != story_id:
        sql_story_log.rename(connection, story_id, story.id, opener_id=members[0].id)
    return story


def keeps_out(connection: Connection, entry_id: str, article: Article, *, now: datetime) -> bool:
    """Whether an entry's article was forgotten; then its entry is emptied and its link is known from now on."""
    addresses = (article.url, f"entry:{entry_id}")
    marked = sql_forgotten.marked(connection, addresses)
    if not marked:
        return False
    forgotten_id = next(iter(marked.values()))
    links = sql_feeds.empty(connection, forgotten_id, entry_id=entry_id)
    sql_forgotten.mark(connection, forgotten_id, links, now=now)
    return True


def let_in_again(connection: Connection, names: Sequence[str]) -> int | None:
    """Undo the marks of the forgotten articles that these ids or addresses name.

    Returns:
        how many feeds are now read anew, and may bring them again; None when nothing of that name was forgotten.
    """
    articles = sql_forgotten.articles_named(connection, names)
    for article_id in articles:
        sql_forgotten.unmark(connection, article_id)
    feeds = [sql_feeds.expect_again(connection, article_id) for article_id in articles]
    return max(feeds) if feeds else None
