"""Questions of two steps made by us from news, for the `memory` suite: a held-out check, on which nothing was chosen.

The sets of `agent.memory_sets` are about an encyclopedia, whose articles are titled by what they are about, and the
graph's one weight was chosen on them. Here two facts of different articles name one thing, the bridge: the grammar's
question about the first has it for its answer, the one about the second names it. The second is asked with "that
person" in its place, so that only the first says who is meant:

    Who did the court name as guardian of the estate? When did that person leave the bank?

The texts are the articles of labelled stories of six months of the newsroom's stream. Which questions are asked
follows from the texts and the tagger: with another tagger they are others, and the report's digest tells.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.memory_sets import Hop, HopSet
from agent.questions import draft_facts
from agent.replay import article_of
from agent.topics import find_topics
from agent.word_sets import word_set
from kb import Question, content_id
from kb.things import fuller_names, key_of
from model import Tagger
from model.texts import read_rows

NEWS = "news_two_steps"
STREAM = "newsroom/stream.jsonl.xz"
FROM, BEFORE = "2019-06", "2019-12"
QUESTIONS = 200
MOST_ARTICLES = 25
"""That name the bridge: a name in all the news says nothing of which fact is meant."""
EACH = 4
"""Questions over one bridge, no half of them asked twice."""
FEWEST_WORDS, MOST_WORDS = 5, 26
"""Of either question."""
LOST_WORDS = 8
"""Of a sentence, besides the answer, that its question leaves out at most: cut short, questions read poorly."""
STAND_INS = {"person": "that person", "organization": "that organization", "location": "that place"}

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_ASKS = re.compile(r"(?:Who|Whom|When|Where|How many|How much)\b")
"""The grammar's "what" and "which" read poorly too often."""
_NO_VERB = re.compile(r"Who(?: said)? \w+ing\b")
_SAYS_WHICH = re.compile(r" [A-Z0-9]\w")
_INSIDE_A_NAME = re.compile(r"[A-Z]\w* (?:in|of|for|on) $")
_UNCLEAR = re.compile(
    r"\b(?:he|she|him|hers|they|them|it|this(?! week| month| year)|these|those|i|we|us|our|my|me|you|your|here"
    r"|there|which (?:place|person|organization)|former|latter|that (?:person|organization|place))\b|[\"“”:;()\[\]]",
    re.IGNORECASE,
)
_ASKING = word_set("did does do was is were are has had have will would could should can")
_BEFORE = _ASKING | word_set(
    "about after against among and as at before behind between by during for from in into of on over since "
    "through to toward under until when where whether while with without"
)
_DONE_TO = re.compile(
    r"(?:[a-z]+(?:ed|ing)|told|tell|tells|met|meet|gave|give|sent|send|beat|led|saw|see|hit|sued|sue|won|left|join"
    r"|call|ask|accuse|press|help|support|replace|defeat|face|visit|describe|against)"
)
_BEHIND = _BEFORE | word_set("not or who which but because if than")


@dataclass(frozen=True, slots=True)
class _Step:
    """A question about a sentence of an article, beside a thing that it asks for or names."""

    row: int
    question: Question
    name: str
    """As it stands in the article."""
    kind: str


def read_news_set(data: Path, tagger: Tagger, limit: int | None = None) -> list[HopSet]:
    """The set; none where the data folder has no newsroom, or asks nothing.

    Args:
        data: the data folder.
        tagger: finds names, and the words that questions are made of.
        limit: questions at most.

    Raises:
        DataError: the file is broken.
    """
    if not (data / STREAM).is_file():
        return []
    rows = _articles_of_stories(read_rows(data / STREAM))
    hops = news_questions(rows, tagger)[: min(limit or QUESTIONS, QUESTIONS)]
    return [HopSet(NEWS, tuple(rows), tuple(hops))] if hops else []


def digest_of(hops: HopSet) -> str:
    """The same for the same questions with the same gold."""
    return content_id(*(f"{one.text} {sorted(one.supporting)}" for one in hops.questions))


def _articles_of_stories(stream: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Articles of the months that people put into stories of two or more of them, oldest first."""
    told = [row for row in stream if row["story"] and FROM <= row["published"] < BEFORE]
    sizes = Counter(row["story"] for row in told)
    return [
        {
            "_id": row["url"],
            "title": row["title"],
            "text": row["body"],
            "published": row["published"],
            "publisher": row["publisher"],
        }
        for row in told
        if sizes[row["story"]] > 1
    ]


def news_questions(rows: Sequence[Mapping[str, Any]], tagger: Tagger) -> list[Hop]:
    """A few questions a bridge, in an order that has nothing to do with what they are about."""
    asked: defaultdict[str, list[_Step]] = defaultdict(list)
    told: defaultdict[str, list[_Step]] = defaultdict(list)
    named: defaultdict[str, set[int]] = defaultdict(set)
    for number, row in enumerate(rows):
        for key, step, is_answer in _steps(number, row, tagger):
            named[key].add(number)
            if step is not None:
                (asked if is_answer else told)[key].append(step)
    hops = []
    for key in sorted(asked.keys() & told.keys(), key=content_id):
        if len(named[key]) > MOST_ARTICLES:
            continue
        pairs = [
            (hop, {first.question.text, second.question.text})
            for first in asked[key]
            for second in told[key]
            if (text := _second_step(second)) and (hop := _joined(rows, first, second, text))
        ]
        pairs.sort(key=lambda pair: (pair[0].text.count(","), content_id(pair[0].text)))
        used: set[str] = set()
        for hop, halves in pairs:
            if used.isdisjoint(halves) and len(used) < 2 * EACH:
                used |= halves
                hops.append(hop)
    return sorted(hops, key=lambda hop: content_id(hop.text))


def _steps(
    number: int, row: Mapping[str, Any], tagger: Tagger
) -> Iterator[tuple[str, _Step | None, bool]]:
    """(Key of a thing, a question that it answers or that names it, which of both); without question: it is named."""
    article = article_of(
        {"url": row["_id"], "title": row["title"], "body": row["text"]}, fetched_at=_NOW
    )
    mentions = find_topics(article, tagger)
    kinds = {key_of(entity.name): entity.kind for entity in mentions.topics.entities}
    fuller = fuller_names(entity.name for entity in mentions.topics.entities)
    for key in kinds:
        yield key, None, False
    for draft in draft_facts(article, mentions):
        for question in draft.questions:
            if not _is_clear(question, draft.evidence.quote):
                continue
            for name in draft.names:
                key = key_of(fuller.get(name.lower(), name))
                kind = kinds.get(key, "")
                if kind not in STAND_INS or (kind == "person" and " " not in key):
                    continue
                step = _Step(number, question, name, kind)
                if key_of(name) == key_of(question.answer or ""):
                    if not _meet(key, question.text) and _SAYS_WHICH.search(question.text):
                        yield key, step, True
                elif name in question.text:
                    yield key, step, False


def _is_clear(question: Question, sentence: str) -> bool:
    words = len(question.text.split())
    lost = len(sentence.split()) - len((question.answer or "").split()) - words
    return (
        lost <= LOST_WORDS
        and FEWEST_WORDS <= words <= MOST_WORDS
        and _ASKS.match(question.text) is not None
        and _UNCLEAR.search(question.text) is None
        and _NO_VERB.match(question.text) is None
    )


def _meet(key: str, text: str) -> bool:
    """Whether a text holds a word of a thing's name."""
    return not set(key.split()).isdisjoint(re.findall(r"\w+", text.lower()))


def _second_step(step: _Step) -> str | None:
    """The question with something else in the place of the name; None where that would be no English."""
    start = step.question.text.find(step.name)
    before, behind = (
        step.question.text[:start].split(),
        step.question.text[start + len(step.name) :],
    )
    if before and before[-1] == "the" and step.kind != "person":
        before.pop()
    if _INSIDE_A_NAME.search(step.question.text[:start]):
        return None
    follows = re.match(r"(?:['’]s\b)?[\s,?]*(\w*)", behind)
    if not before or follows is None:
        return None
    if before[-1].lower() not in _BEFORE and not _DONE_TO.fullmatch(before[-1]):
        return None
    is_owner = behind.startswith(("'s", "’s"))
    is_subject = before[-1].lower() in _ASKING and behind.startswith(" ")
    closes = not follows[1] or behind.startswith((",", "?")) or follows[1] in _BEHIND
    if not (is_owner or closes or (is_subject and follows[1].islower())):
        return None
    text = " ".join([*before, STAND_INS[step.kind]]) + behind
    return None if _meet(key_of(step.name), text) else text


def _joined(
    rows: Sequence[Mapping[str, Any]], first: _Step, second: _Step, text: str
) -> Hop | None:
    """Both steps as one question, if they are of two articles and do not give away the answer."""
    answer = second.question.answer or ""
    whole = f"{first.question.text} {text}"
    if first.row == second.row or not answer or answer.lower() in whole.lower():
        return None
    return Hop(whole, frozenset(str(rows[one.row]["_id"]) for one in (first, second)), (answer,))
