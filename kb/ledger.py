"""The rulings on an article as rows: facts, answers, sources, links and the decision log."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from kb import sql_articles, sql_decisions, sql_facts, sql_lexical, sql_stories, sql_story_log
from kb.exact import pack
from kb.examine import fact_id, words_hash
from kb.protocols import FloatArray
from kb.retrieve import Scored
from kb.values import (
    Article,
    ArticleReport,
    Decision,
    Draft,
    Question,
    Story,
    StoryDecision,
    Topics,
    Verdict,
    content_id,
)
from kb.verdicts import Judgement, Ruling
from kb.words import plain

COPY_WORDS = 8  # a sentence this long that recurs word for word was copied, not written twice


@dataclass(frozen=True, slots=True)
class Learned:
    """An article with what was made of it outside the knowledge base."""

    article: Article
    topics: Topics
    story: Story | None
    placed: StoryDecision | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Brought:
    """The rows an article brings."""

    report: ArticleReport
    decisions: tuple[Decision, ...]
    copy_of: str | None = None
    bands: tuple[str, ...] = ()
    facts: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)


def store(connection: Connection, learned: Learned, brought: Brought) -> None:
    """Write all that an article brings; the caller's transaction makes it whole."""
    article = learned.article
    sql_articles.add(connection, article)
    if learned.story is not None:
        sql_stories.save(connection, learned.story)
    if learned.placed is not None:
        sql_story_log.add(connection, learned.placed)
    seqs = sql_facts.add(
        connection,
        facts=brought.facts,
        answers=brought.answers,
        sources=brought.sources,
        links=brought.links,
    )
    quotes = [fact["quote"] for fact in brought.facts]
    sql_lexical.add_facts(
        connection,
        [(seq, article.title, quote) for seq, quote in zip(seqs, quotes, strict=True)],
    )
    sql_decisions.add(connection, brought.decisions)
    sql_articles.add_topics(connection, article.id, learned.topics)
    sql_articles.add_bands(connection, article.id, brought.bands)
    sql_articles.mark_learned(connection, brought.report, copy_of=brought.copy_of, now=learned.now)


def decisions_of(
    rulings: Sequence[Ruling], *, threshold: float, model: str
) -> tuple[Decision, ...]:
    """The log rows of an article's rulings, in text order."""
    rows: list[Decision] = []
    for ruling in rulings:
        if ruling.judgements:
            rows.extend(_decision(ruling, one, threshold, model) for one in ruling.judgements)
        else:
            rows.append(_skipped(ruling, threshold, model))
    return tuple({decision.id: decision for decision in rows}.values())


def _decision(ruling: Ruling, judgement: Judgement, threshold: float, model: str) -> Decision:
    evidence = ruling.draft.evidence
    question, against = judgement.question, judgement.against
    confirmed = judgement.verdict is Verdict.CORROBORATED and against is not None
    return Decision(
        id=_decision_id(ruling.draft, question.text),
        article_id=evidence.article_id,
        start_char=evidence.start_char,
        end_char=evidence.end_char,
        quote=evidence.quote,
        question=question.text,
        kind=question.kind.value,
        answer=question.answer or "",
        verdict=judgement.verdict,
        reason=judgement.reason,
        fact_id=against.fact.id if confirmed and against else fact_id(ruling.draft),
        against_id=against.fact.id if against is not None else None,
        nearest=tuple((one.fact.id, round(one.scores.probability, 4)) for one in judgement.nearest),
        threshold=threshold,
        model=model,
    )


def _skipped(ruling: Ruling, threshold: float, model: str) -> Decision:
    evidence = ruling.draft.evidence
    return Decision(
        id=_decision_id(ruling.draft, ""),
        article_id=evidence.article_id,
        start_char=evidence.start_char,
        end_char=evidence.end_char,
        quote=evidence.quote,
        question="",
        kind="",
        answer="",
        verdict=Verdict.SKIPPED,
        reason=ruling.skip_reason or "no question",
        fact_id=None,
        against_id=None,
        nearest=(),
        threshold=threshold,
        model=model,
    )


def skipped_article(article: Article, reason: str, *, threshold: float, model: str) -> Decision:
    """The one log row of an article from which nothing is learned."""
    return Decision(
        id=content_id(article.id, "0", "0", ""),
        article_id=article.id,
        start_char=0,
        end_char=0,
        quote="",
        question="",
        kind="",
        answer="",
        verdict=Verdict.SKIPPED,
        reason=reason,
        fact_id=None,
        against_id=None,
        nearest=(),
        threshold=threshold,
        model=model,
    )


def _decision_id(draft: Draft, question: str) -> str:
    evidence = draft.evidence
    return content_id(
        evidence.article_id, str(evidence.start_char), str(evidence.end_char), question
    )


class Ledger:
    """Turns the rulings on one article into rows."""

    def __init__(
        self, article: Article, *, copy_of: str | None, bands: tuple[str, ...], now: datetime
    ) -> None:
        self._article = article
        self._copy_of = copy_of
        self._bands = bands
        self._now = now

    def rows(
        self,
        rulings: Sequence[Ruling],
        decisions: Sequence[Decision],
        *,
        vectors: dict[str, FloatArray],
        story_id: str | None,
    ) -> Brought:
        """Everything to be written for the article."""
        tally = [ruling.verdict for ruling in rulings]
        report = ArticleReport(
            article_id=self._article.id,
            story_id=story_id,
            added=tally.count(Verdict.ADDED),
            corroborated=tally.count(Verdict.CORROBORATED),
            conflicting=tally.count(Verdict.CONFLICTING),
            skipped=tally.count(Verdict.SKIPPED),
        )
        news = list({fact_id(r.draft): r for r in rulings if r.is_news}.values())
        brought = Brought(report, tuple(decisions), self._copy_of, self._bands)
        for ruling in news:
            brought.facts.append(self._fact(ruling.draft, vectors[fact_id(ruling.draft)]))
            brought.answers.extend(_answers(ruling.draft))
            brought.sources.append(self._source(fact_id(ruling.draft), ruling.draft, is_copy=False))
            brought.links.extend(self._links(ruling))
        brought.sources.extend(self._confirmations(rulings))
        return brought

    def _fact(self, draft: Draft, vector: FloatArray) -> dict[str, Any]:
        evidence = draft.evidence
        return {
            "id": fact_id(draft),
            "article_id": evidence.article_id,
            "start_char": evidence.start_char,
            "end_char": evidence.end_char,
            "quote": evidence.quote,
            "words_hash": words_hash(evidence.quote),
            "names": json.dumps(list(draft.names), ensure_ascii=False),
            "valid_from": self._article.published_at,
            "recorded_at": self._now,
            "vector": pack(vector[None])[0],
        }

    def _source(self, target_id: str, draft: Draft, *, is_copy: bool) -> dict[str, Any]:
        return {
            "fact_id": target_id,
            "article_id": self._article.id,
            "publisher": self._article.publisher,
            "is_copy": is_copy,
            "start_char": draft.evidence.start_char,
            "end_char": draft.evidence.end_char,
            "published_at": self._article.published_at,
            "recorded_at": self._now,
        }

    def _confirmations(self, rulings: Sequence[Ruling]) -> list[dict[str, Any]]:
        """One source row per confirmed fact; of several sentences that confirm it, the first."""
        found: dict[str, dict[str, Any]] = {}
        for ruling in rulings:
            for one in ruling.judgements:
                if one.verdict is Verdict.CORROBORATED and one.against is not None:
                    is_copy = self._is_copy(ruling.draft, one.against)
                    row = self._source(one.against.fact.id, ruling.draft, is_copy=is_copy)
                    found.setdefault(one.against.fact.id, row)
        return list(found.values())

    def _is_copy(self, draft: Draft, against: Scored) -> bool:
        fact = against.fact
        if fact.publisher == self._article.publisher:
            return True
        origin = self._copy_of
        if origin is not None and origin in (fact.article_id, fact.copy_of):
            return True
        said = plain(draft.evidence.quote)
        return len(said.split()) >= COPY_WORDS and said == plain(fact.quote)

    def _links(self, ruling: Ruling) -> list[dict[str, Any]]:
        """Conflicts with older facts; the later word is the newer one, whichever was read first."""
        own_id = fact_id(ruling.draft)
        rows: dict[str, dict[str, Any]] = {}
        for one in ruling.judgements:
            if one.verdict is not Verdict.CONFLICTING or one.against is None:
                continue
            other = one.against.fact
            ours, theirs = self._article.published_at, other.published_at
            is_newer = ours is None or theirs is None or ours >= theirs
            older, newer = (other.id, own_id) if is_newer else (own_id, other.id)
            rows[other.id] = {
                "older_id": older,
                "newer_id": newer,
                "decision_id": _decision_id(ruling.draft, one.question.text),
                "question": one.question.text,
                "recorded_at": self._now,
            }
        return list(rows.values())


def _answers(draft: Draft) -> list[dict[str, Any]]:
    def row(position: int, question: Question) -> dict[str, Any]:
        return {
            "fact_id": fact_id(draft),
            "position": position,
            "question": question.text,
            "kind": question.kind.value,
            "answer": question.answer or "",
            "start_char": question.answer_start_char,
            "end_char": question.answer_end_char,
        }

    return [row(position, question) for position, question in enumerate(draft.questions)]
