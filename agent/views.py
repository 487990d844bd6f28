"""Values as plain JSON: the shapes that other programs rely on. Pure."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from kb import (
    Answer,
    Article,
    Fact,
    FeedState,
    Match,
    NoAnswer,
    RankedChoice,
    StoryDecision,
    StoryNews,
    TimelineDay,
)

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]

SCORE_DIGITS = 4


def as_json(value: object) -> JSON:
    """Turn dataclasses, tuples, enums and datetimes into what `json.dumps` takes; times as ISO 8601 in UTC."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(item) for item in value]
    if isinstance(value, Enum):
        return as_json(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def answer_view(reply: Answer | NoAnswer) -> dict[str, JSON]:
    """The contract of `ask --json`."""
    known = isinstance(reply, Answer)
    return {
        "question": reply.question,
        "known": known,
        "probability": round(reply.probability, SCORE_DIGITS),
        "answer": reply.answer if isinstance(reply, Answer) else None,
        "as_of": as_json(reply.as_of),
        "facts": [match_view(match) for match in reply.facts] if isinstance(reply, Answer) else [],
        "conflicts": (
            [match_view(match) for match in reply.conflicts] if isinstance(reply, Answer) else []
        ),
        "nearest": [match_view(match) for match in reply.nearest],
    }


def choice_view(ranked: RankedChoice) -> JSON:
    """One of the given options, with the facts that speak for it."""
    return {
        "choice": ranked.choice,
        "probability": round(ranked.probability, SCORE_DIGITS),
        "facts": [match_view(match) for match in ranked.facts],
    }


def match_view(match: Match) -> JSON:
    """A fact beside a question, with the span that answers."""
    view = fact_view(match.fact)
    view["score"] = round(match.scores.probability, SCORE_DIGITS)
    view["answer"] = match.answer
    view["answer_start_char"] = match.answer_start_char
    view["answer_end_char"] = match.answer_end_char
    return view


def fact_view(fact: Fact) -> dict[str, JSON]:
    """A fact with its source and its two clocks."""
    return {
        "id": fact.id,
        "quote": fact.evidence.quote,
        "start_char": fact.evidence.start_char,
        "end_char": fact.evidence.end_char,
        "valid_from": as_json(fact.valid_from),
        "recorded_at": as_json(fact.recorded_at),
        "superseded_at": as_json(fact.superseded_at),
        "superseded_by": fact.superseded_by,
        "publishers": list(fact.publishers),
        "copies": fact.copies,
        "article": article_view(fact.article),
    }


def news_view(news: StoryNews) -> JSON:
    """What one story brought."""
    return {
        "story": as_json(news.story),
        "facts": [fact_view(fact) for fact in news.facts],
        "added": news.added,
        "corroborated": news.corroborated,
        "conflicting": news.conflicting,
    }


def day_view(day: TimelineDay) -> JSON:
    """One day of a story's timeline."""
    return {
        "day": None if day.day is None else day.day.isoformat(),
        "articles": [article_view(article) for article in day.articles],
        "facts": [fact_view(fact) for fact in day.facts],
        "added": day.added,
        "corroborated": day.corroborated,
        "conflicts": [
            {
                "question": one.question,
                "older": fact_view(one.older),
                "newer": fact_view(one.newer),
            }
            for one in day.conflicts
        ],
    }


def article_view(article: Article) -> dict[str, JSON]:
    """What names an article: everything but its text."""
    return {
        "id": article.id,
        "title": article.title,
        "url": article.url,
        "published_at": as_json(article.published_at),
        "publisher": article.publisher,
    }


def placement_view(decision: StoryDecision, article: Article | None) -> JSON:
    """A row of the story log, with the title of the article that it is about."""
    return {
        "article": decision.article_id,
        "title": "" if article is None else article.title,
        "story": decision.story_id,
        "placement": decision.placement.value,
        "nearest": decision.nearest_id,
        "probability": round(decision.probability, SCORE_DIGITS),
        "threshold": decision.threshold,
        "candidates": decision.candidates,
    }


def feed_view(state: FeedState, now: datetime) -> JSON:
    """The health of a subscription."""
    last = state.last_entry_at
    return {
        "title": state.feed.title,
        "url": state.feed.url,
        "current_url": state.current_url,
        "tags": list(state.feed.tags),
        "status": state.status.value,
        "last_checked_at": as_json(state.last_checked_at),
        "last_success_at": as_json(state.last_success_at),
        "next_check_at": as_json(state.next_check_at),
        "hold_until": as_json(state.hold_until),
        "errors_in_a_row": state.error_count,
        "last_error": state.last_error,
        "entries": state.entry_count,
        "silent_days": None if last is None else (now - last).days,
    }
