"""The same articles in the same order give the same decisions, however often the run is cut."""

from collections.abc import Callable, Sequence

import pytest

from kb import Answerability, AnswerKind, Article, Decision, Draft, KnowledgeBase, Question, Topics
from kb import knowledge_base as knowledge_base_module
from tests.kb.newsroom import NOW, Newsroom

TOWNS = ("Porto Verde", "Santa Lucia", "New Haven", "Old Bridge", "Lake Town")
EVENTS = ("flood", "fire", "storm", "strike", "march")
OUTLETS = ("Alpha Post", "Beta Times", "Gamma News", "Delta Wire")
Taught = Sequence[tuple[Article, list[Draft]]]


@pytest.fixture(scope="module")
def taught() -> Taught:
    """Forty articles of four outlets, with repeats, other numbers and other words."""
    newsroom = Newsroom()
    made = []
    for n in range(40):
        town, event, outlet = TOWNS[n % 5], EVENTS[(n // 3) % 5], OUTLETS[n % 4]
        number = 10 + n // 10
        sentences = [
            f"The {event} in {town} drew {number} helpers from all over the region.",
            f"Mayor Ana Costa of {town} said the {event} would cost ${n % 3 + 1} million.",
            f"Outlet note {n} closes the page.",
        ]
        article = newsroom.article(
            sentences, publisher=outlet, day=n // 8, slug=str(n), title=f"{event} in {town}"
        )
        drafts = [
            newsroom.draft(
                article,
                sentences[0],
                (
                    f"How many helpers did the {event} in {town} draw?",
                    AnswerKind.HOW_MANY,
                    str(number),
                ),
                names=[town],
            ),
            newsroom.draft(
                article,
                sentences[1],
                (f"Who said the {event} in {town} would cost money?", AnswerKind.WHO, "Ana Costa"),
                (
                    f"How much would the {event} in {town} cost?",
                    AnswerKind.HOW_MANY,
                    f"${n % 3 + 1} million",
                ),
                names=["Ana Costa", town],
            ),
            newsroom.draft(article, sentences[2]),
        ]
        made.append((article, drafts))
    return made


def learn_all(kb: KnowledgeBase, taught: Taught) -> list[Decision]:
    for article, drafts in taught:
        kb.learn(article, drafts, topics=Topics((), ()), story=None, now=NOW)
    return list(kb.export_decisions())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, taught) -> list[Decision]:
    from tests.embedders import HashEmbedder

    home = tmp_path_factory.mktemp("undisturbed")
    with KnowledgeBase.open(home, HashEmbedder(), Answerability.default()) as kb:
        return learn_all(kb, taught)


def test_the_run_has_every_verdict(undisturbed):
    assert {decision.verdict for decision in undisturbed} == {
        "added",
        "corroborated",
        "conflicting",
        "skipped",
    }


def test_a_run_cut_after_every_few_articles_decides_the_same(
    open_kb: Callable[..., KnowledgeBase], taught, undisturbed
):
    for cut in (2, 17, 33, 40):
        kb = open_kb()
        learn_all(kb, taught[:cut])
        # A kill: nothing is flushed, nothing is closed.
        kb._engine.dispose()
        kb._waiting = 0
    assert list(open_kb().export_decisions()) == undisturbed


def test_a_rebuilt_index_in_other_batches_decides_the_same(
    open_kb, taught, undisturbed, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(knowledge_base_module, "INDEX_BATCH", 7)
    kb = open_kb()
    learn_all(kb, taught[:20])
    assert kb.reindex() == kb.counts().facts
    learn_all(kb, taught[20:30])
    kb.reindex()
    assert learn_all(kb, taught) == undisturbed


def test_deciding_writes_nothing_and_foretells_learning(open_kb, taught, undisturbed):
    kb = open_kb()
    learn_all(kb, taught[:25])
    article, drafts = taught[25]
    before = kb.counts().decisions
    foretold = kb.decide(article, drafts)
    assert kb.counts().decisions == before
    learn_all(kb, taught[25:26])
    stored = [d for d in kb.export_decisions() if d.article_id == article.id]
    assert sorted(foretold, key=lambda d: d.id) == sorted(stored, key=lambda d: d.id)


def test_answers_do_not_depend_on_the_index(open_kb, taught):
    kb = open_kb()
    learn_all(kb, taught)
    question = Question("How many helpers did the storm in Lake Town draw?", AnswerKind.HOW_MANY)
    first = kb.answer(question)
    kb.reindex()
    assert kb.answer(question) == first
    kb.close()
    assert open_kb(read_only=True).answer(question) == first


def test_reindexing_reports_progress(open_kb, taught):
    kb = open_kb()
    learn_all(kb, taught[:10])
    steps: list[tuple[int, int]] = []
    count = kb.reindex(lambda done, total: steps.append((done, total)))
    assert steps[-1] == (count, count)
