"""Facts read for scoring: each part is found when wanted, and only the last ones used are kept."""

import pytest

from kb import AnswerKind, stored
from kb.retrieve import rank, rank_many, read_question
from kb.sql import reading
from kb.stored import FactReader
from kb.values import Question

SAID = [
    "Twelve fishermen were lost in Porto Verde on Monday.",
    "The mayor Ana Costa opened the bridge in Santa Lucia.",
    "The trial of Rui Lopes begins on 3 June 2024.",
]
ASKED = [
    Question("How many fishermen were lost in Porto Verde?", AnswerKind.HOW_MANY),
    Question("Who opened the bridge in Santa Lucia?", AnswerKind.WHO),
    Question("When does the trial of Rui Lopes begin?", AnswerKind.WHEN),
]
ANSWERS = ["Twelve", "Ana Costa", "3 June 2024"]


@pytest.fixture
def taught(kb, newsroom):
    article = newsroom.article(SAID)
    drafts = [
        newsroom.draft(article, said, (asked.text, asked.kind, answer))
        for said, asked, answer in zip(SAID, ASKED, ANSWERS, strict=True)
    ]
    newsroom.teach(kb, article, drafts)
    return kb


def test_a_fact_is_taken_apart_when_it_is_asked(taught):
    reader = FactReader(taught._embedder.dim)
    with reading(taught._engine, "") as connection:
        facts = reader.read(connection, [1, 2, 3])
    assert [fact.quote for _, fact in sorted(facts.items())] == SAID
    assert "quantities" not in vars(facts[1])
    assert [int(number.value) for number in facts[1].quantities] == [12]
    assert "quantities" in vars(facts[1])
    assert next(facts[2].quote[start:end] for start, end in facts[2].spans) == "Ana Costa"
    assert [day.words for day in facts[3].dates] == ["3 june 2024"]
    assert [answer.answer for answer in facts[3].answers] == ["3 June 2024"]


def test_the_reader_keeps_what_was_used_last(taught, monkeypatch):
    monkeypatch.setattr(stored, "CACHE_FACTS", 2)
    reader = FactReader(taught._embedder.dim)
    with reading(taught._engine, "") as connection:
        first = reader.read(connection, [1, 2])[1]
        assert reader.read(connection, [1])[1] is first
        reader.read(connection, [3])
        assert set(reader._kept) == {1, 3}
        assert reader.read(connection, [1])[1] is first


def test_many_questions_rank_their_facts_as_one_by_one(taught):
    shelf, answerability = taught._shelf, taught._answerability
    with reading(taught._engine, "") as connection:
        rarity = shelf.rarity(connection)
        facts = list(shelf.reader.read(connection, [1, 2, 3]).values())
    vectors = taught._embedder.embed([question.text for question in ASKED])
    asked = [
        read_question(question, vector, asked_at=None)
        for question, vector in zip(ASKED, vectors, strict=True)
    ]
    beside = [(asked[0], facts), (asked[1], []), (asked[1], facts[:1]), (asked[2], facts)]
    together = rank_many(beside, rarity=rarity, answerability=answerability)
    alone = [rank(one, near, rarity=rarity, answerability=answerability) for one, near in beside]
    assert [[(s.fact.seq, s.scores) for s in row] for row in together] == [
        [(s.fact.seq, s.scores) for s in row] for row in alone
    ]
    assert together[0][0].fact.quote == SAID[0]
