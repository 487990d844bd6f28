"""What the knowledge base says of itself and of the news: read-only summaries, as frozen values."""

from dataclasses import dataclass
from datetime import date, datetime

from kb.values import Article, Fact


@dataclass(frozen=True, slots=True)
class FactSource:
    """An article that states a fact, with the sentence that does."""

    article_id: str
    publisher: str
    url: str
    title: str
    published_at: datetime | None
    is_copy: bool  # a syndicated or copied text, or the same publisher again: no independent confirmation
    start_char: int
    end_char: int
    quote: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What re-reading every fact found."""

    facts: int
    unsupported: tuple[tuple[str, str], ...]  # (fact id, reason)
    index_missing: int  # facts that the vector index lacks
    index_extra: int  # vectors that no fact stands behind


@dataclass(frozen=True, slots=True)
class StorySummary:
    """A story as it is listed."""

    id: str
    label: str
    first_at: datetime | None
    last_at: datetime | None
    article_count: int
    fact_count: int
    publishers: tuple[str, ...]  # those with most articles first
    entities: tuple[str, ...]  # those named in most articles first


@dataclass(frozen=True, slots=True)
class StoryNews:
    """What one story brought since a time; `story` is None for facts outside any story."""

    story: StorySummary | None
    facts: tuple[Fact, ...]  # newest first, within the limit asked for
    added: int
    corroborated: int
    conflicting: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went with a forgotten article, or would go."""

    article_id: str
    title: str
    url: str
    facts: int
    decisions: int
    sources: int  # facts of other articles that it stated
    links: int  # conflicts of its facts
    again: tuple[tuple[str, datetime], ...]
    """Articles judged by its facts, which wait to be learned again, with when they were learned, in that order."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two facts that answer one question differently."""

    question: str
    older: Fact
    newer: Fact


@dataclass(frozen=True, slots=True)
class TimelineDay:
    """What a story brought on one day (UTC); `day` is None for articles without a date."""

    day: date | None
    articles: tuple[Article, ...]
    facts: tuple[Fact, ...]  # the foremost of the new ones, within the limit asked for
    added: int
    corroborated: int
    conflicts: tuple[Disagreement, ...]  # what its new facts say otherwise than facts before them


@dataclass(frozen=True, slots=True)
class Slept:
    """What a night's sleep left of the experience graph, and what it dropped."""

    nodes: int
    edges: int  # pairs of nodes, in one direction or both
    edges_pruned: int  # each direction counted
    nodes_dropped: int
    questions_dropped: int  # answered so long ago that nothing is left of them


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A thing of the experience graph."""

    id: int
    name: str
    fact_count: int  # facts that name it, of those looked at
    pass_count: int  # facts and answered questions that ever passed through it
    colour: tuple[float, ...]  # of unit length


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """Two things met together."""

    a: int  # the smaller id
    b: int
    weight: float  # in (0, 1], at the moment asked for


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """A part of the experience graph."""

    nodes: tuple[GraphNode, ...]  # those that stand in most facts first
    edges: tuple[GraphEdge, ...]  # among these nodes, by their ids


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """The size and health of a home."""

    feeds: int
    entries: int
    queued_entries: int
    articles: int
    unlearned_articles: int
    facts: int
    sources: int
    conflicts: int
    decisions: int
    stories: int
    indexed: int  # vectors in the index
    bytes_on_disk: int
    schema_version: int
    journal_mode: str
    integrity: str  # "ok", or the database's first complaint
    embedder: str
