"""The nouns of the story, as frozen values: what goes into the knowledge base and what comes out.

Times are aware UTC datetimes. Offsets are in characters (Unicode code points) of `Article.text`.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


def content_id(*parts: str) -> str:
    """First 16 hex digits of the SHA-256 of the parts joined by newlines: the same content, the same id."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def hash_of_text(text: str) -> str:
    """All 64 hex digits of the SHA-256 of an article's text, as `Article.text_hash` keeps it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# ---------------------------------------------------------------------------------------- feeds and entries
class FullText(StrEnum):
    """Where an article's text is taken from."""

    AUTO = "auto"  # the page; the feed's own content where the page gives less
    PAGE = "page"  # the page only
    FEED = "feed"  # the feed's own content only; no page is fetched


@dataclass(frozen=True, slots=True)
class Feed:
    """One subscription of feeds.yaml."""

    url: str
    title: str
    tags: tuple[str, ...] = ()
    interval_s: int = 3600
    full_text: FullText = FullText.AUTO


class FeedStatus(StrEnum):
    """Health of a feed."""

    NEW = "new"
    OK = "ok"
    FAILING = "failing"
    GONE = "gone"  # answered 410: not asked again until it is subscribed anew


@dataclass(frozen=True, slots=True)
class FeedState:
    """A subscription with all that is remembered about it."""

    feed: Feed
    current_url: str  # where permanent redirects have led; equals feed.url at first
    status: FeedStatus
    etag: str | None
    last_modified: str | None
    body_hash: str | None  # SHA-256 of the last good body: tells "unchanged" without validators
    next_check_at: datetime | None  # None: due now
    hold_until: datetime | None  # the server's Retry-After; binds manual runs too
    last_checked_at: datetime | None
    last_success_at: datetime | None
    last_entry_at: datetime | None  # when a check last brought a new entry
    error_count: int  # failures since the last success
    last_error: str | None
    entry_count: int  # entries ever seen


class CheckOutcome(StrEnum):
    """What became of one check of a feed."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class FeedCheck:
    """One check of one feed, as it is recorded."""

    outcome: CheckOutcome
    next_check_at: datetime
    hold_until: datetime | None = None
    current_url: str | None = None  # set when a permanent redirect moved the feed
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a feed, cleaned."""

    id: str  # content_id(feed url, identity)
    feed_url: str  # Feed.url of the subscription
    link: str | None  # canonical URL; None: only the feed's own content can be used
    title: str
    content_html: str | None  # the feed's own content or summary
    published_at: datetime | None
    authors: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # what was wrong and mended: "date invalid", "id missing", ...


@dataclass(frozen=True, slots=True)
class QueuedEntry:
    """An entry waiting for its article."""

    entry: Entry
    attempts: int  # failed fetches so far


# ------------------------------------------------------------------------------------- articles and topics
@dataclass(frozen=True, slots=True)
class Article:
    """An extracted article. `text` is what evidence offsets point into, and never changes under one id."""

    id: str  # content_id(url)
    url: str  # canonical; for an entry without link "entry:<entry id>"
    title: str
    text: str
    publisher: str
    language: str  # ISO 639-1, "und" when undetermined
    published_at: datetime | None
    date_source: str  # "feed", "page", "header", "none"
    fetched_at: datetime
    feed_url: str
    text_source: str  # "page" or "feed"
    canonical_elsewhere: str | None = (
        None  # rel=canonical of another host: this is that article's copy
    )
    text_hash: str = ""  # `hash_of_text`


@dataclass(frozen=True, slots=True)
class Entity:
    """A named entity as it stands in the article (its most frequent form)."""

    name: str
    kind: str  # "person", "organization", "location", "misc"
    count: int


@dataclass(frozen=True, slots=True)
class Topics:
    """What an article is about."""

    entities: tuple[Entity, ...]  # most salient first
    key_phrases: tuple[str, ...]  # most salient first, lower-cased


@dataclass(frozen=True, slots=True)
class StoryProfile:
    """What story clustering knows of one story or one article: mergeable sums, not means."""

    terms: dict[str, float]  # term -> weight
    vector: tuple[float, ...]  # sum of unit vectors of its articles
    first_at: datetime | None
    last_at: datetime | None
    article_count: int


@dataclass(frozen=True, slots=True)
class Story:
    """Articles about one event, in time order."""

    id: str  # content_id("story", id of its first article)
    label: str
    profile: StoryProfile


class Placement(StrEnum):
    """How an article came to its story."""

    OPENED = "opened"  # no open story was likely enough: it began one
    JOINED = "joined"


@dataclass(frozen=True, slots=True)
class StoryDecision:
    """One row of the story log. Nothing in it depends on the clock or the machine."""

    article_id: str
    story_id: str
    placement: Placement
    nearest_id: str | None  # the likeliest open story, joined or not; None when none was near
    probability: float  # that the article tells of the nearest story; 0 without one
    threshold: float  # least probability with which an article joined
    candidates: int  # open stories that the article was compared with


# --------------------------------------------------------------------------------- questions, facts, verdicts
class AnswerKind(StrEnum):
    """What a question asks for."""

    WHO = "who"
    WHAT = "what"
    WHERE = "where"
    WHEN = "when"
    HOW_MANY = "how_many"


@dataclass(frozen=True, slots=True)
class Question:
    """A question; raised from an article it carries its answer there, asked by a user it does not."""

    text: str
    kind: AnswerKind
    answer: str | None = None
    answer_start_char: int | None = None  # into Article.text
    answer_end_char: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A span of a stored article: text[start_char:end_char] == quote."""

    article_id: str
    start_char: int
    end_char: int
    quote: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A sentence that may become a fact, with the questions it answers; none and a reason when it may not."""

    evidence: Evidence
    questions: tuple[Question, ...]
    names: tuple[str, ...]  # names of entities in the sentence
    skip_reason: str | None = (
        None  # "too short", "opinion", "boilerplate", "no answer-bearing span", ...
    )


@dataclass(frozen=True, slots=True)
class Fact:
    """A stored fact: the article's own words, with its two clocks."""

    id: str  # content_id(article id, start, end, quote)
    evidence: Evidence
    article: Article
    valid_from: datetime | None  # the article's date, when it has one
    recorded_at: datetime
    superseded_at: (
        datetime | None
    )  # when a newer word on the same question was recorded; it stays queryable
    superseded_by: str | None
    publishers: tuple[str, ...]  # independent publishers that state it, its own first
    copies: int  # syndicated copies, counted apart
    answers: tuple[Question, ...] = ()  # the questions it was stored for, with its answers


@dataclass(frozen=True, slots=True)
class Scores:
    """Why a fact was thought to answer a question; each in 0..1."""

    dense: float  # cosine of question and fact
    lexical: (
        float  # share of the question's content words (by rarity) that the fact or its title holds
    )
    names: (
        float  # share of the question's names that the fact or its title holds; 1.0 without names
    )
    numbers: float  # the same for numbers
    dates: float  # the same for dates
    has_kind: (
        float  # 1.0 when the fact holds a span of the kind asked for that is not in the question
    )
    probability: float  # calibrated: the fact answers the question


@dataclass(frozen=True, slots=True)
class Match:
    """A fact beside a question."""

    fact: Fact
    scores: Scores
    answer: str | None  # the span of the fact that answers, when one can be named
    answer_start_char: int | None  # into the article's text
    answer_end_char: int | None


class Verdict(StrEnum):
    """What became of a question raised from the news."""

    ADDED = "added"
    CORROBORATED = "corroborated"
    CONFLICTING = "conflicting"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the decision log. Nothing in it depends on the clock or the machine."""

    id: str  # content_id(article id, start, end, question text)
    article_id: str
    start_char: int
    end_char: int
    quote: str
    question: str  # "" when the sentence was skipped before any question was raised
    kind: str
    answer: str
    verdict: Verdict
    reason: str
    fact_id: str | None  # the stored fact: the new one, or the one corroborated
    against_id: str | None  # the fact it agrees or conflicts with
    nearest: tuple[tuple[str, float], ...]  # (fact id, probability), best first, at most 3
    threshold: float
    model: str  # Embedder.name


@dataclass(frozen=True, slots=True)
class ArticleReport:
    """What one article brought, counted in facts (sentences)."""

    article_id: str
    story_id: str | None
    added: int = 0
    corroborated: int = 0
    conflicting: int = 0
    skipped: int = 0
    skipped_reason: str | None = None  # the whole article was skipped: "language es", ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply with its sources."""

    question: str
    probability: float
    answer: str
    facts: tuple[Match, ...]
    conflicts: tuple[Match, ...] = ()
    nearest: tuple[Match, ...] = ()
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class RankedChoice:
    """A given option, how likely it is the right one of them, and the facts that speak for it."""

    choice: str
    probability: float  # over the given options, which add up to 1
    facts: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """An abstention: the store does not know, and this is the nearest it has."""

    question: str
    probability: float
    nearest: tuple[Match, ...] = field(default=())
    as_of: datetime | None = None
