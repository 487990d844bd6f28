"""The rows of the store. `kb/migrations.py` creates them; a test holds the two together.

Values cross this door as rows and leave it as the frozen values of `kb.values`; nothing outside `kb/sql*.py`
sees a row. Identifiers derive from content; `seq` columns keep the order in which rows arrived.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, LargeBinary, Table, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlmodel import Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in and out; SQLite itself keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: a guess here would shift facts by hours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        del dialect  # every one gives UTC
        return None if value is None else value.replace(tzinfo=UTC)


def _utc(*, nullable: bool = True, index: bool = False) -> Any:
    return Field(
        default=None,
        sa_type=UtcDateTime,
        nullable=nullable,
        index=index,
    )


def _bytes() -> Any:
    return Field(default=None, sa_type=LargeBinary, nullable=True)


class SchemaVersionRow(SQLModel, table=True):
    """One applied migration."""

    __tablename__ = "schema_version"

    version: int = Field(primary_key=True)
    name: str


class MetaRow(SQLModel, table=True):
    """One remembered setting of the store, such as the encoder its vectors came from."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str


class FeedRow(SQLModel, table=True):
    """A subscription and its state."""

    __tablename__ = "feed"

    seq: int | None = Field(default=None, primary_key=True)
    url: str = Field(unique=True)
    title: str
    tags: str  # JSON list
    interval_s: int
    full_text: str
    current_url: str
    status: str
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    next_check_at: datetime | None = _utc(index=True)
    hold_until: datetime | None = _utc()
    last_checked_at: datetime | None = _utc()
    last_success_at: datetime | None = _utc()
    last_entry_at: datetime | None = _utc()
    error_count: int = 0
    last_error: str | None = None
    entry_count: int = 0


class EntryRow(SQLModel, table=True):
    """An entry ever seen. `state`: queued, failed (may be tried again), stored, known, rejected."""

    __tablename__ = "entry"

    seq: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    feed_url: str = Field(index=True)
    link: str | None = Field(default=None, index=True)
    title: str
    content_html: str | None = None  # dropped once the entry is settled
    published_at: datetime | None = _utc()
    authors: str = "[]"
    problems: str = "[]"
    state: str = Field(index=True)
    attempts: int = 0
    retry_at: datetime | None = _utc()
    reason: str | None = None
    article_id: str | None = None


class ArticleRow(SQLModel, table=True):
    """A stored article and, once it is learned, what it brought."""

    __tablename__ = "article"

    id: str = Field(primary_key=True)
    url: str = Field(unique=True)
    title: str
    text: str
    publisher: str
    language: str
    published_at: datetime | None = _utc(index=True)
    date_source: str
    fetched_at: datetime = _utc(nullable=False)
    feed_url: str
    text_source: str
    canonical_elsewhere: str | None = Field(default=None, index=True)
    text_hash: str
    learned_at: datetime | None = _utc(index=True)
    copy_of: str | None = None
    story_id: str | None = None
    added: int = 0
    corroborated: int = 0
    conflicting: int = 0
    skipped: int = 0
    skipped_reason: str | None = None


class ArticleBandRow(SQLModel, table=True):
    """One band of an article's MinHash: articles that share one may be copies of each other."""

    __tablename__ = "article_band"

    band: int = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    article_id: str = Field(primary_key=True)


class FactRow(SQLModel, table=True):
    """A fact: a span of its article, its vector, its two clocks."""

    __tablename__ = "fact"

    seq: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    article_id: str = Field(index=True)
    start_char: int
    end_char: int
    quote: str
    words_hash: str = Field(index=True)  # of the quote without case and punctuation
    names: str = "[]"  # JSON list
    valid_from: datetime | None = _utc()
    recorded_at: datetime = _utc(nullable=False, index=True)
    superseded_at: datetime | None = _utc()
    superseded_by: str | None = None
    vector: bytes | None = _bytes()  # float16, little endian; encoder named in meta
    indexed_at: datetime | None = _utc(index=True)


class FactAnswerRow(SQLModel, table=True):
    """A question a fact was stored for, with its answer."""

    __tablename__ = "fact_answer"

    fact_id: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    question: str
    kind: str
    answer: str
    start_char: int | None = None
    end_char: int | None = None


class FactSourceRow(SQLModel, table=True):
    """An article that states a fact; the first is the fact's own."""

    __tablename__ = "fact_source"

    fact_id: str = Field(primary_key=True)
    article_id: str = Field(primary_key=True, index=True)
    publisher: str
    is_copy: bool = False
    start_char: int
    end_char: int
    published_at: datetime | None = _utc()
    recorded_at: datetime = _utc(nullable=False, index=True)


class FactLinkRow(SQLModel, table=True):
    """Two facts that answer one question differently."""

    __tablename__ = "fact_link"

    older_id: str = Field(primary_key=True)
    newer_id: str = Field(primary_key=True, index=True)
    decision_id: str
    question: str
    recorded_at: datetime = _utc(nullable=False, index=True)


class DecisionRow(SQLModel, table=True):
    """One row of the decision log."""

    __tablename__ = "decision"

    seq: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    article_id: str = Field(index=True)
    start_char: int
    end_char: int
    quote: str
    question: str
    kind: str
    answer: str
    verdict: str
    reason: str
    fact_id: str | None = Field(default=None, index=True)
    against_id: str | None = Field(default=None, index=True)
    nearest: str = "[]"  # JSON list of [fact id, probability]
    threshold: float
    model: str


class StoryRow(SQLModel, table=True):
    """A story and its mergeable profile."""

    __tablename__ = "story"

    seq: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    label: str
    terms: str  # JSON object
    vector: bytes  # float64, little endian: sums must come back exactly
    first_at: datetime | None = _utc()
    last_at: datetime | None = _utc(index=True)
    article_count: int


class StoryDecisionRow(SQLModel, table=True):
    """One row of the story log."""

    __tablename__ = "story_decision"

    seq: int | None = Field(default=None, primary_key=True)
    article_id: str = Field(unique=True)
    story_id: str = Field(index=True)
    placement: str
    nearest_id: str | None = None
    probability: float
    threshold: float
    candidates: int


class ArticleEntityRow(SQLModel, table=True):
    """A named entity of an article."""

    __tablename__ = "article_entity"

    article_id: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    name: str = Field(index=True)
    kind: str
    count: int


class ArticlePhraseRow(SQLModel, table=True):
    """A key phrase of an article."""

    __tablename__ = "article_phrase"

    article_id: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    phrase: str


class FactEntityRow(SQLModel, table=True):
    """A name that stands in a fact."""

    __tablename__ = "fact_entity"

    fact_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True, index=True)


class ExperienceNodeRow(SQLModel, table=True):
    """A thing that facts name. `kb/experience.py` says what the numbers are."""

    __tablename__ = "experience_node"

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    name: str  # as it was first written
    fact_count: int
    pass_count: int
    colour: bytes  # float16, little endian


class ExperienceEdgeRow(SQLModel, table=True):
    """One direction of an edge; the other is a row of its own, found by its own node."""

    __tablename__ = "experience_edge"

    node: int = Field(primary_key=True)
    other: int = Field(primary_key=True)
    strength: float


class ExperiencePassRow(SQLModel, table=True):
    """One passage over the graph: a fact that was learned, or a question that a fact answered."""

    __tablename__ = "experience_pass"

    seq: int | None = Field(default=None, primary_key=True)
    passed_at: datetime = _utc(nullable=False, index=True)
    fact_seq: int = Field(index=True)
    article_id: str = Field(index=True)  # of the fact
    is_question: bool
    things: str  # JSON list of names
    colour: bytes  # of the fact or question, float16


class ExperienceTraceRow(SQLModel, table=True):
    """A node that a passage went through, and the fact that it led to."""

    __tablename__ = "experience_trace"

    node: int = Field(primary_key=True)
    pass_seq: int = Field(primary_key=True, index=True)
    fact_seq: int
    share: float


class ForgottenRow(SQLModel, table=True):
    """An address whose article is not to be stored again; nothing of it is kept but hashes."""

    __tablename__ = "forgotten"

    address_id: str = Field(primary_key=True)  # content_id of the address
    article_id: str = Field(index=True)
    forgotten_at: datetime = _utc(nullable=False)


def table_of(row: type[SQLModel]) -> Table:
    """The table behind a row class, for queries on columns."""
    table: Table = row.__table__  # type: ignore[attr-defined]  # sqlmodel's stub does not show it
    return table
