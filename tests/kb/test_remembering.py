"""A knowledge base with an experience graph: what passes over it, what it brings to mind, and that it can be off."""

from datetime import timedelta

import pytest

from kb import Answer, AnswerKind, Entity, KnowledgeBase, Question, RecallWeights, Topics
from kb.migrations import migrate
from kb.recall import in_mind_first
from kb.retrieve import Scored
from kb.sql import open_engine, reading
from kb.sql_experience import sizes
from kb.values import Scores
from tests.kb.newsroom import NOW

WEIGHTS = RecallWeights(5.0)
HELD = "Acme Corporation, whose chair is Ann Archer, built the bridge at Porto Verde in 1990."
FAR = "Ann Archer was born in the village of Little Snoring."


def teach(kb, newsroom, *sentences, names, title, slug):
    article = newsroom.article(sentences, title=title, slug=slug)
    newsroom.store(kb, article)
    drafts = [
        newsroom.draft(article, one, ("What is said?", AnswerKind.WHAT, one[:4]), names=of)
        for one, of in zip(sentences, names, strict=True)
    ]
    entities = tuple(Entity(name, "person", 1) for of in names for name in of)
    newsroom.teach(kb, article, drafts, topics=Topics(entities, ()))
    return article


@pytest.fixture
def opened(tmp_path, embedder, answerability):
    """Opens the test's home without a vector index, with the graph or without."""
    kept = []

    def open_home(*, graph=True):
        engine = open_engine(tmp_path, None)
        migrate(engine, str(tmp_path))
        kb = KnowledgeBase(
            tmp_path,
            engine,
            None,
            embedder=embedder,
            answerability=answerability,
            recall=WEIGHTS if graph else None,
        )
        kept.append(kb)
        return kb

    yield open_home
    for kb in kept:
        kb.close()


def size(kb):
    with reading(kb._engine, "home") as connection:
        return sizes(connection)


def two_hops(kb, newsroom):
    names = [["Acme Corporation", "Ann Archer", "Porto Verde"]]
    first = teach(kb, newsroom, HELD, names=names, title="A bridge", slug="one")
    names = [["Ann Archer", "Little Snoring"]]
    second = teach(kb, newsroom, FAR, names=names, title="Ann Archer", slug="two")
    for number in range(60):
        other = f"The village of Upper Wallop{number} in which the chair of nobody was born is old."
        teach(
            kb,
            newsroom,
            other,
            names=[[f"Upper Wallop{number}"]],
            title="Villages",
            slug=f"v{number}",
        )
    return first, second


def test_a_fact_two_steps_away_comes_to_mind(opened, newsroom):
    kb = opened()
    _, second = two_hops(kb, newsroom)
    asked = "In which village was the chair of Acme born?"
    with_graph = [match.fact.article.id for match in kb.search(asked, limit=5)]
    without = [match.fact.article.id for match in opened(graph=False).search(asked, limit=5)]
    assert second.id in with_graph
    assert second.id not in without


def test_without_a_graph_nothing_passes(opened, newsroom):
    kb = opened(graph=False)
    two_hops(kb, newsroom)
    assert size(kb) == (0, 0, 0)
    assert kb.sleep(now=NOW) is None


def test_facts_stored_without_a_graph_pass_when_there_is_one(opened, newsroom):
    two_hops(opened(graph=False), newsroom)
    kb = opened()
    kb._catch_up()
    late = size(kb)
    assert late[2] == 62
    kb._catch_up()
    assert size(kb) == late


def test_an_answer_is_remembered_once_for_each_asking(opened, newsroom):
    kb = opened()
    two_hops(kb, newsroom)
    before = size(kb)[2]
    [match] = kb.search("Where was Ann Archer born?", limit=1)
    kb.remember(Answer("Where was Ann Archer born?", 0.9, "", (match,)), now=NOW)
    kb.remember(Answer("Where was Ann Archer born?", 0.9, "", (match,)), now=NOW)
    assert size(kb)[2] == before + 2


def test_what_is_learned_does_not_depend_on_the_graph(tmp_path, opened, newsroom):
    with_graph = opened()
    two_hops(with_graph, newsroom)
    decided = list(with_graph.export_decisions())
    article = newsroom.article([HELD, FAR], slug="three")
    draft = newsroom.draft(article, FAR, ("Who was born?", AnswerKind.WHO, "Ann Archer"))
    again = with_graph.decide(article, [draft])
    assert list(with_graph.export_decisions()) == decided
    assert opened(graph=False).decide(article, [draft]) == again


def test_sleep_comes_once_a_night(opened, newsroom):
    kb = opened()
    two_hops(kb, newsroom)
    assert kb.sleep(now=NOW) is not None
    assert kb.sleep(now=NOW + timedelta(hours=3)) is None
    assert kb.sleep(now=NOW + timedelta(days=1)) is not None


def test_neighbourhood_holds_weights_of_its_moment(opened, newsroom):
    kb = opened()
    two_hops(kb, newsroom)
    now = kb.neighbourhood(now=NOW, limit=5)
    later = kb.neighbourhood(now=NOW + timedelta(days=90), limit=5)
    assert [node.id for node in now.nodes] == [node.id for node in later.nodes]
    assert now.edges
    for early, late in zip(now.edges, later.edges, strict=True):
        assert late.weight == pytest.approx(early.weight / 2)


def scored(seq, probability):
    fact = type("Fact", (), {"seq": seq})()
    return Scored(fact, Scores(0, 0, 0, 0, 0, 0, probability))


def test_facts_in_mind_gain_and_nothing_is_lost():
    ranked = [scored(n, p) for n, p in ((1, 0.6), (2, 0.4), (3, 0.02))]
    assert in_mind_first(ranked, {}, WEIGHTS) == ranked
    moved = in_mind_first(ranked, {3: 1.0}, WEIGHTS)
    assert [one.fact.seq for one in moved] == [3, 1, 2]
    assert in_mind_first(ranked, {3: 1.0}, RecallWeights(0.0)) == ranked


def test_answers_do_not_hear_the_graph_and_searches_do(opened, newsroom, monkeypatch):
    kb = opened()
    two_hops(kb, newsroom)
    asked = Question("Where was the chair of Acme Corporation born?", AnswerKind.WHERE)
    monkeypatch.setattr("kb.ask.brought_to_mind", lambda *_, **__: pytest.fail("it was heard"))
    kb.answer(asked, threshold=0.0)
    kb.ask_store([asked])
    with pytest.raises(pytest.fail.Exception, match="it was heard"):
        kb.search(asked.text)


def test_weights_are_read_back_as_they_were_written(tmp_path):
    path = tmp_path / "recall.json"
    path.write_text('{"weight": 2.5, "heat": 0.5, "metrics": {"n": 1}}', encoding="utf-8")
    assert RecallWeights.load(path) == RecallWeights(2.5, 0.5, {"n": 1})
    assert RecallWeights.load().weight > 0
    for broken in ("{}", '{"weight": -1, "heat": null, "metrics": {}}', "no JSON"):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(ValueError, match="no weights of recall"):
            RecallWeights.load(path)


def test_reindex_rebuilds_the_graph_from_its_log(tmp_path, embedder, answerability, newsroom):
    with KnowledgeBase.open(tmp_path, embedder, answerability, recall=WEIGHTS) as kb:
        names = [["Ann Archer", "Little Snoring"]]
        teach(kb, newsroom, FAR, names=names, title="Ann Archer", slug="two")
        before = kb.neighbourhood(now=NOW)
        kb.reindex()
        assert kb.neighbourhood(now=NOW) == before
        assert isinstance(
            kb.answer(Question("Where was Ann Archer born?", AnswerKind.WHERE), threshold=0.0),
            Answer,
        )
