"""Questions in an asker's words: those that pass take the templates' place, nothing else changes."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from agent.grammar_questions import grammar_questions
from agent.judgement import load_judgement
from agent.questions import draft_facts
from agent.replay import article_of
from agent.rewording import reword_questions
from agent.settings import load_settings
from agent.topics import find_topics
from kb import AnswerKind, Draft, Evidence, Question
from model import load_tagger

NEWS = (
    "Anna Keller said the town would build a new bridge over the river. "
    "The town council of Marram voted on Monday to close the harbour for two years. "
    "About 400 people were hurt when the old bridge fell on Tuesday."
)
TEXT = "Anna Keller bought the old bridge in Oslo."


@dataclass(frozen=True)
class Proposal:
    question: str
    fault: str | None


class Writer:
    """Has better words for names, and the same for everything else."""

    def propose(self, spans):
        return [
            Proposal(f"Who is meant by {text[end:].split()[0]}?", None if start == 0 else "lost")
            for text, start, end in spans
        ]


def draft(*questions, first=100):
    return Draft(Evidence("a", first, first + len(TEXT), TEXT), questions, ("Anna Keller",))


def question(text, answer, first=100):
    start = first + TEXT.index(answer)
    return Question(text, AnswerKind.WHO, answer, start, start + len(answer))


def test_words_that_pass_take_the_place_of_the_templates():
    who = question("Who bought the old bridge in Oslo?", "Anna Keller")
    where = question("Where did Anna Keller buy the old bridge?", "Oslo")
    (found,) = reword_questions([draft(who, where)], Writer())
    assert [q.text for q in found.questions] == ["Who is meant by bought?", where.text]
    assert found.questions[0].answer == "Anna Keller"
    assert found.questions[0].answer_start_char == who.answer_start_char
    assert found.questions[1] is not where
    assert found.questions[1] == where


def test_no_two_questions_of_a_sentence_are_the_same():
    (found,) = reword_questions(
        [draft(question("Who?", "Anna Keller"), question("Who else?", "Anna Keller"))], Writer()
    )
    assert [q.text for q in found.questions] == ["Who is meant by bought?"]


def test_drafts_without_questions_stay_as_they_are():
    skipped = Draft(Evidence("a", 0, 3, "Hm."), (), (), "too short")
    unplaced = draft(Question("Who?", AnswerKind.WHO))
    assert reword_questions([skipped, unplaced], Writer()) == (skipped, unplaced)


def test_the_grammar_asks_of_articles():
    row = {"url": "https://a.example/1", "title": "A bridge", "body": f"{TEXT} {TEXT}\n\n  "}
    found = list(grammar_questions([row, {**row, "body": " "}], load_tagger()))
    assert found
    assert len({(sentence, start) for sentence, start, _, _ in found}) == len(found)
    for sentence, start, end, text in found:
        assert sentence[start:end]
        assert text.endswith("?")


def test_the_asker_words_questions_only_where_the_user_wants_it():
    assert load_judgement(load_settings({})).reading.writer is None
    wanted = load_settings({"TIDINGS_MODEL__NATURAL_QUESTIONS": "true"})
    reading = load_judgement(wanted).reading
    assert reading.writer is not None
    row = {"url": "https://a.example/1", "title": "Harbour", "body": NEWS, "published": None}
    article = article_of(row, fetched_at=datetime(2025, 1, 1, tzinfo=UTC))
    drafts = draft_facts(article, find_topics(article, reading.tagger))
    reworded = reword_questions(drafts, reading.writer)
    assert [d.evidence for d in reworded] == [d.evidence for d in drafts]
    for draft, other in zip(drafts, reworded, strict=True):
        assert {q.answer for q in other.questions} <= {q.answer for q in draft.questions}
    assert reworded == reword_questions(drafts, reading.writer)


def test_words_that_ask_for_another_kind_are_not_taken():
    where = replace(question("Where is it?", "Anna Keller"), kind=AnswerKind.WHERE)
    assert reword_questions([draft(where)], Writer()) == (draft(where),)
