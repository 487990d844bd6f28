"""Verdicts: what is added, confirmed, contradicted or skipped, and what is shown of it later."""

from datetime import timedelta

import pytest

from kb import Answer, AnswerKind, NoAnswer, Question, Topics, Verdict
from tests.kb.newsroom import NOW

HOW_MANY, WHO, WHERE, WHEN, WHAT = (
    AnswerKind.HOW_MANY,
    AnswerKind.WHO,
    AnswerKind.WHERE,
    AnswerKind.WHEN,
    AnswerKind.WHAT,
)

FLOOD = "At least 12 people were killed in the flood in Porto Verde on Monday."
FLOOD_ASKED = ("How many people were killed in the flood in Porto Verde on Monday?", HOW_MANY, "12")


def flood_article(newsroom, *, number="12", publisher="Alpha Post", day=0, **options):
    quote = FLOOD.replace("12", number)
    article = newsroom.article([quote], publisher=publisher, day=day, **options)
    question = (FLOOD_ASKED[0], HOW_MANY, number)
    return article, [newsroom.draft(article, quote, question, names=["Porto Verde"])]


def test_unknown_sentence_becomes_a_fact(kb, newsroom):
    report = newsroom.teach(kb, *flood_article(newsroom))
    assert (report.added, report.corroborated, report.conflicting, report.skipped) == (1, 0, 0, 0)
    [decision] = kb.export_decisions()
    assert (decision.verdict, decision.reason) == (Verdict.ADDED, "not known")
    fact = kb.fact(decision.fact_id)
    text = fact.article.text
    assert text[fact.evidence.start_char : fact.evidence.end_char] == fact.evidence.quote == FLOOD
    assert fact.answers[0].answer == "12"


def test_learning_twice_is_learning_once(kb, newsroom):
    first = newsroom.teach(kb, *flood_article(newsroom))
    before = (kb.counts(), list(kb.export_decisions()))
    assert newsroom.teach(kb, *flood_article(newsroom), now=NOW + timedelta(days=9)) == first
    assert (kb.counts(), list(kb.export_decisions())) == before


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Twelve people were killed when the flood hit Porto Verde on Monday.", "Twelve"),
        ("The flood in Porto Verde killed a dozen people on Monday, police said.", "a dozen"),
    ],
)
def test_same_answer_in_other_words_confirms(kb, newsroom, said, answer):
    newsroom.teach(kb, *flood_article(newsroom))
    article = newsroom.article([said], publisher="Beta Times", day=1)
    draft = newsroom.draft(article, said, (FLOOD_ASKED[0], HOW_MANY, answer))
    report = newsroom.teach(kb, article, [draft])
    assert (report.added, report.corroborated) == (0, 1)
    decision = list(kb.export_decisions())[-1]
    fact = kb.fact(decision.fact_id)
    assert decision.against_id == fact.id
    assert (fact.publishers, fact.copies) == (("Alpha Post", "Beta Times"), 0)
    assert [source.quote for source in kb.sources_of(fact.id)] == [FLOOD, said]


def test_same_publisher_again_is_no_independent_source(kb, newsroom):
    newsroom.teach(kb, *flood_article(newsroom))
    said = "Twelve people were killed when the flood hit Porto Verde on Monday."
    article = newsroom.article([said], day=1)
    newsroom.teach(
        kb, article, [newsroom.draft(article, said, (FLOOD_ASKED[0], HOW_MANY, "Twelve"))]
    )
    [match] = kb.search("flood", limit=1)
    assert (match.fact.publishers, match.fact.copies) == (("Alpha Post",), 1)


def test_syndicated_copy_is_counted_apart(kb, newsroom):
    original, drafts = flood_article(newsroom)
    newsroom.teach(kb, original, drafts)
    for publisher, options in (
        ("Copy One", {"canonical_elsewhere": original.url}),
        ("Copy Two", {}),
    ):
        newsroom.teach(kb, *flood_article(newsroom, publisher=publisher, day=1, **options))
    newsroom.teach(
        kb, *flood_article(newsroom, number="Twelve", publisher="Own Desk", day=1)
    )  # other words, other text
    [match] = kb.search("flood", limit=1)
    assert match.fact.publishers == ("Alpha Post", "Own Desk")
    assert match.fact.copies == 2
    assert {s.publisher for s in kb.sources_of(match.fact.id) if s.is_copy} == {
        "Copy One",
        "Copy Two",
    }


def test_another_number_is_a_conflict_and_both_stay(kb, newsroom):
    newsroom.teach(kb, *flood_article(newsroom))
    report = newsroom.teach(
        kb, *flood_article(newsroom, number="30", publisher="Beta Times", day=1)
    )
    assert (report.added, report.conflicting) == (0, 1)
    decision = list(kb.export_decisions())[-1]
    assert decision.verdict is Verdict.CONFLICTING
    older, newer = kb.fact(decision.against_id), kb.fact(decision.fact_id)
    assert older.superseded_by == newer.id
    assert newer.superseded_by is None
    assert kb.conflicts_of(older.id) == [newer]

    reply = kb.answer(
        Question("How many people were killed in the flood in Porto Verde?", HOW_MANY)
    )
    assert isinstance(reply, Answer)
    assert reply.answer == "30"
    assert [match.answer for match in reply.conflicts] == ["12"]


def test_late_arriving_older_news_is_not_the_newer_word(kb, newsroom):
    newsroom.teach(kb, *flood_article(newsroom, number="30", publisher="Beta Times", day=1))
    newsroom.teach(kb, *flood_article(newsroom))
    reply = kb.answer(Question(FLOOD_ASKED[0], HOW_MANY))
    assert reply.answer == "30"
    assert [match.answer for match in reply.conflicts] == ["12"]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("At least 30 houses in Porto Verde were lost in the flood on Monday.", "30"),
        ("At least 30 people were killed in the fire in Santa Lucia on Monday.", "30"),
        ("At least 30 people were killed in the flood in Porto Verde in August 2019.", "30"),
        ("About 12,000 people were moved before the flood in Porto Verde on Monday.", "12,000"),
    ],
)
def test_number_of_something_else_is_no_conflict(kb, newsroom, said, answer):
    newsroom.teach(kb, *flood_article(newsroom))
    article = newsroom.article([said], publisher="Beta Times", day=1)
    asked = said.replace("At least ", "").replace(answer, "How many").rstrip(".") + "?"
    report = newsroom.teach(kb, article, [newsroom.draft(article, said, (asked, HOW_MANY, answer))])
    assert (report.added, report.conflicting, report.corroborated) == (1, 0, 0)


def test_other_name_in_the_same_sentence_is_a_conflict(kb, newsroom):
    def teach(winner, publisher, day):
        said = f"{winner} won the mayoral election in Porto Verde on Sunday."
        article = newsroom.article([said], publisher=publisher, day=day)
        question = ("Who won the mayoral election in Porto Verde on Sunday?", WHO, winner)
        draft = newsroom.draft(article, said, question, names=[winner, "Porto Verde"])
        return newsroom.teach(kb, article, [draft])

    assert teach("Ana Costa", "Alpha Post", 0).added == 1
    assert teach("Costa", "Beta Times", 0).corroborated == 1
    assert teach("Rui Lopes", "Gamma News", 1).conflicting == 1


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        ("The trial of Rui Lopes in Porto Verde begins on", "conflicting"),
        ("Mayor Rui Lopes spoke to fishermen in Porto Verde on", "added"),
    ],
)
def test_another_day_is_a_conflict_only_for_what_happens_once(kb, newsroom, event, verdict):
    reports = []
    for publisher, day in (("Alpha Post", "May 20"), ("Beta Times", "June 3")):
        article = newsroom.article([f"{event} {day}."], publisher=publisher)
        asked = (f"When does it happen: {event.removesuffix(' on')}?", WHEN, day)
        draft = newsroom.draft(article, article.text, asked, names=["Rui Lopes", "Porto Verde"])
        reports.append(newsroom.teach(kb, article, [draft]))
    assert reports[0].added == 1
    assert getattr(reports[1], verdict) == 1


def test_sentence_with_one_new_answer_is_kept(kb, newsroom):
    newsroom.teach(kb, *flood_article(newsroom))
    said = "Twelve people were killed in the flood in Porto Verde on Monday, Mayor Ana Costa told Radio Sol."
    article = newsroom.article([said], publisher="Beta Times", day=0)
    draft = newsroom.draft(
        article,
        said,
        (FLOOD_ASKED[0], HOW_MANY, "Twelve"),
        (
            "Who told Radio Sol about the people killed in the flood in Porto Verde?",
            WHO,
            "Ana Costa",
        ),
        names=["Porto Verde", "Ana Costa", "Radio Sol"],
    )
    report = newsroom.teach(kb, article, [draft])
    assert report.added == 1
    verdicts = [d.verdict for d in kb.export_decisions() if d.article_id == article.id]
    assert sorted(verdicts) == ["added", "corroborated"]


def test_skipped_sentences_say_why(kb, newsroom):
    article = newsroom.article([FLOOD, FLOOD, "Read more here."])
    asked = [FLOOD_ASKED]
    drafts = [newsroom.draft(article, FLOOD, *asked), newsroom.draft(article, "Read more here.")]
    second = article.text.index(FLOOD, 5)
    repeated = drafts[0].evidence
    drafts.append(
        type(drafts[0])(
            type(repeated)(article.id, second, second + len(FLOOD), FLOOD),
            drafts[0].questions,
            (),
        )
    )
    report = newsroom.teach(kb, article, drafts)
    assert (report.added, report.skipped) == (1, 2)
    again = newsroom.article([FLOOD, "Nothing else is known."], day=1)
    report = newsroom.teach(kb, again, [newsroom.draft(again, FLOOD, *asked)])
    assert report.skipped == 1
    reasons = [d.reason for d in kb.export_decisions() if d.verdict is Verdict.SKIPPED]
    assert sorted(reasons) == [
        "no answer-bearing span",
        "repeats a fact of its publisher",
        "repeats a sentence of its article",
    ]


def test_skipped_article_leaves_one_decision(kb, newsroom):
    article = newsroom.article(["Doce personas murieron."])
    newsroom.store(kb, article)
    report = kb.skip_article(article.id, "language es", now=NOW)
    assert report.skipped_reason == "language es"
    assert kb.skip_article(article.id, "language es", now=NOW) == report
    [decision] = kb.export_decisions()
    assert (decision.verdict, decision.reason, decision.question) == (
        Verdict.SKIPPED,
        "language es",
        "",
    )
    assert kb.unlearned_articles() == []


def test_as_of_shows_what_was_known_then(kb, newsroom):
    newsroom.teach(kb, *flood_article(newsroom))
    newsroom.teach(kb, *flood_article(newsroom, number="30", publisher="Beta Times", day=3))
    question = Question(FLOOD_ASKED[0], HOW_MANY)

    before = kb.answer(question, as_of=NOW - timedelta(days=1))
    assert isinstance(before, NoAnswer)
    assert before.nearest == ()
    then = kb.answer(question, as_of=NOW + timedelta(days=1))
    assert (then.answer, then.conflicts) == ("12", ())
    assert then.facts[0].fact.superseded_by is None
    assert kb.answer(question, as_of=NOW + timedelta(days=3)).answer == "30"
    [old] = kb.search("flood", as_of=NOW + timedelta(days=1))
    assert old.fact.evidence.quote == FLOOD


def test_later_source_is_not_shown_before_its_day(kb, newsroom):
    newsroom.teach(kb, *flood_article(newsroom))
    newsroom.teach(kb, *flood_article(newsroom, number="Twelve", publisher="Beta Times", day=2))
    [then] = kb.search("flood", as_of=NOW + timedelta(days=1))
    [now] = kb.search("flood")
    assert then.fact.publishers == ("Alpha Post",)
    assert now.fact.publishers == ("Alpha Post", "Beta Times")


def test_question_about_something_else_is_not_answered(kb, newsroom):
    newsroom.teach(kb, *flood_article(newsroom))
    reply = kb.answer(Question("Who won the chess championship in Norway?", WHO))
    assert isinstance(reply, NoAnswer)
    assert reply.probability < 0.5


def test_search_filters_by_publisher_and_date(kb, newsroom):
    newsroom.teach(kb, *flood_article(newsroom))
    other = newsroom.article(["Ana Costa opened the new bridge."], publisher="Beta Times", day=4)
    asked = ("Who opened the new bridge?", WHO, "Ana Costa")
    newsroom.teach(kb, other, [newsroom.draft(other, other.text, asked, names=["Ana Costa"])])
    assert len(kb.search("flood bridge")) == 2
    [only] = kb.search("flood bridge", publisher="beta times")
    assert only.fact.article.publisher == "Beta Times"
    [recent] = kb.search("flood bridge", since=NOW + timedelta(days=1))
    assert recent.fact == only.fact


def test_why_and_why_not_find_decisions(kb, newsroom):
    newsroom.teach(kb, *flood_article(newsroom))
    newsroom.teach(kb, *flood_article(newsroom, number="Twelve", publisher="Beta Times", day=1))
    [added] = [d for d in kb.export_decisions() if d.verdict is Verdict.ADDED]
    assert [d.verdict for d in kb.decisions_of(added.fact_id)] == ["added", "corroborated"]
    assert [d.quote for d in kb.decisions_like("twelve PEOPLE were killed")] == [
        FLOOD.replace("12", "Twelve")
    ]
    assert {d.article_id for d in kb.decisions_like("floods killing people of Porto Verde")} == {
        d.article_id for d in kb.export_decisions()
    }
    assert kb.decisions_like("zzz") == kb.decisions_like("   ") == []


@pytest.mark.parametrize("text", ['"', "AND OR NOT", "a* NEAR(b)", "' OR 1=1 --", "", "??", "\x00"])
def test_any_text_can_be_asked(kb, newsroom, text):
    newsroom.teach(kb, *flood_article(newsroom))
    assert isinstance(kb.answer(Question(text, WHAT)), Answer | NoAnswer)
    kb.search(text)
    kb.decisions_like(text)


def test_topics_come_back_in_order(kb, newsroom):
    from kb import Entity

    article, drafts = flood_article(newsroom)
    topics = Topics(
        (Entity("Porto Verde", "location", 2), Entity("Ana Costa", "person", 1)), ("flood",)
    )
    newsroom.teach(kb, article, drafts, topics=topics)
    assert kb.article_topics(article.id) == topics
