"""Forgetting an article: nothing of it is left, and the store is as if it had never come."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlmodel import SQLModel

from kb import (
    Answer,
    AnswerKind,
    Article,
    CheckOutcome,
    Draft,
    Entity,
    Entry,
    Feed,
    FeedCheck,
    KnowledgeBase,
    Question,
    RecallWeights,
    Story,
    StoryProfile,
    Topics,
    content_id,
)
from kb.migrations import migrate
from kb.sql import DATABASE_NAME, open_engine, reading
from kb.tables import ExperienceEdgeRow, table_of
from tests.kb.newsroom import NOW, Newsroom

SAID = {
    "flood": "At least {} people were killed in the flood in Porto Verde on Monday.",
    "mayor": "Mayor John Smith of Porto Verde opened {} new schools in the harbour district.",
    "bridge": "Smith promised that {} bridges over the river Ald would be repaired by spring.",
    "ballet": "The ballet of Kingsmouth danced {} evenings in the hall of Ann Archer.",
}
ASKED = {
    "flood": "How many people were killed in the flood in Porto Verde?",
    "mayor": "How many new schools did the mayor open in the harbour district?",
    "bridge": "How many bridges over the river Ald would be repaired?",
    "ballet": "How many evenings did the ballet of Kingsmouth dance?",
}
NAMES = {
    "flood": ["Porto Verde"],
    "mayor": ["John Smith", "Porto Verde"],
    "bridge": ["Smith", "Ald"],
    "ballet": ["Kingsmouth", "Ann Archer"],
}
PUBLISHERS = ("Alpha Post", "Beta Times", "Gamma News")


@dataclass(frozen=True)
class Written:
    """An article with what is made of it outside the knowledge base."""

    article: Article
    drafts: tuple[Draft, ...]
    topics: Topics
    strand: str  # articles of one strand make a story
    learned_at: datetime


Strands = dict[str, list[tuple[Article, Topics]]]
"""The articles of each strand so far, in the order learned."""


def write(number, publisher, strand, said):
    """The `number`-th article, of sentences given as (topic, figure)."""
    newsroom = Newsroom()
    sentences = [SAID[topic].format(figure) for topic, figure in said]
    article = newsroom.article(
        sentences, publisher=publisher, title=f"Headline {number}", slug=f"n{number}", day=0
    )
    drafts = tuple(
        newsroom.draft(
            article, quote, (ASKED[topic], AnswerKind.HOW_MANY, str(figure)), names=NAMES[topic]
        )
        for quote, (topic, figure) in zip(sentences, said, strict=True)
    )
    names = dict.fromkeys(name for topic, _ in said for name in NAMES[topic])
    entities = tuple(Entity(name, "person", 1) for name in names)
    return Written(article, drafts, Topics(entities, ()), strand, NOW + timedelta(hours=number))


def retell(told):
    """A story of articles, from nothing but what the knowledge base hands over."""
    opener = told[0][0]
    vector = np.sum([[len(one.title), len(one.text)] for one, _ in told], axis=0, dtype=float)
    names = [entity.name for _, topics in told for entity in topics.entities]
    dates = [one.published_at for one, _ in told]
    terms = {name: float(names.count(name)) for name in names}
    profile = StoryProfile(terms, tuple(vector.tolist()), min(dates), max(dates), len(told))
    return Story(content_id("story", opener.id), opener.title, profile)


def teach(kb, written, strands):
    """Learn an article as the next of its strand."""
    told = strands.setdefault(written.strand, [])
    told.append((written.article, written.topics))
    kb.learn(
        written.article,
        written.drafts,
        topics=written.topics,
        story=retell(told),
        now=written.learned_at,
    )


def forget_and_learn_again(kb, gone, room):
    """What the agent does, and the articles in the order in which each was learned last."""
    by_id = {one.article.id: one for one in room}
    report = kb.forget(gone.article, retell, now=NOW)
    again = [by_id[article_id] for article_id, _ in report.again]
    left = [one for one in room if one is not gone and one not in again]
    strands: Strands = {}
    for one in left:
        strands.setdefault(one.strand, []).append((one.article, one.topics))
    for one in again:
        teach(kb, one, strands)
    return [*left, *again]


def rows(kb, *, without=("seq", "indexed_at")):
    """What facts, their sources and links, and stories say, whatever their order."""
    found = {}
    with reading(kb._engine, "home") as connection:
        for name in ("fact", "fact_answer", "fact_entity", "fact_source", "fact_link", "story"):
            table = SQLModel.metadata.tables[name]
            kept = [column for column in table.columns if column.name not in without]
            found[name] = sorted(map(repr, connection.execute(select(*kept))))
        places = connection.execute(text("SELECT id, story_id, copy_of FROM article"))
        found["in stories"] = sorted(map(repr, places))
    return found


def things(kb):
    """Things of the graph by name, with how many facts name them and how often they were passed."""
    nodes = kb.neighbourhood(now=NOW).nodes
    return {node.name: (node.fact_count, node.pass_count) for node in nodes}


def assert_same_graph(kb, other):
    """The same things, colours and edges; ids are only an order of arrival, and colours are stored rounded."""
    assert things(kb) == things(other)
    colours, strengths = zip(*(_colours_and_strengths(one) for one in (kb, other)), strict=True)
    for name, colour in colours[0].items():
        np.testing.assert_allclose(colour, colours[1][name], atol=5e-3)
    assert strengths[0] == pytest.approx(strengths[1])


def _colours_and_strengths(kb):
    shown = kb.neighbourhood(now=NOW)
    names = {node.id: node.name for node in shown.nodes}
    with reading(kb._engine, "home") as connection:
        edges = connection.execute(select(table_of(ExperienceEdgeRow))).all()
    strengths = {(names[edge.node], names[edge.other]): edge.strength for edge in edges}
    return {node.name: node.colour for node in shown.nodes}, strengths


@pytest.fixture
def empty_kb(tmp_path_factory, embedder, answerability):
    """Makes homes without a vector index, with a graph."""
    opened = []

    def make():
        home = tmp_path_factory.mktemp("home")
        engine = open_engine(home, None)
        migrate(engine, str(home))
        kb = KnowledgeBase(
            home,
            engine,
            None,
            embedder=embedder,
            answerability=answerability,
            recall=RecallWeights(2.0),
        )
        opened.append(kb)
        return kb

    yield make
    for kb in opened:
        kb.close()


def learned(kb, room):
    strands: Strands = {}
    for one in room:
        teach(kb, one, strands)
    return kb


articles = st.tuples(
    st.sampled_from(PUBLISHERS),
    st.sampled_from("xy"),
    st.lists(
        st.tuples(st.sampled_from(sorted(SAID)), st.sampled_from((12, 14))),
        min_size=1,
        max_size=3,
        unique_by=lambda said: said[0],
    ),
)


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],  # a smaller newsroom would tell no more, and each takes a second
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(articles, min_size=2, max_size=5), st.data())
def test_the_store_is_one_that_never_saw_the_forgotten_article(empty_kb, drawn, data):
    room = [write(number, *one) for number, one in enumerate(drawn)]
    gone = data.draw(st.sampled_from(room))
    kb = learned(empty_kb(), room)
    left = forget_and_learn_again(kb, gone, room)
    never = learned(empty_kb(), left)
    assert rows(kb) == rows(never)
    assert_same_graph(kb, never)


def room_of_three():
    """The second contradicts the first, and the third says what the second said first."""
    return [
        write(0, "Alpha Post", "x", [("flood", 12)]),
        write(1, "Beta Times", "x", [("flood", 14), ("mayor", 3)]),
        write(2, "Gamma News", "x", [("mayor", 3), ("bridge", 2)]),
    ]


def test_what_only_stood_in_it_is_unknown_and_what_others_say_too_is_their_fact(empty_kb):
    room = room_of_three()
    kb = learned(empty_kb(), room)
    older = kb.decisions_of(content_id(room[0].article.id, *_span(room[0])))[0].fact_id
    assert kb.fact(older).superseded_by is not None
    report = kb.hanging_on(room[1].article)
    assert (report.facts, report.links) == (2, 1)
    assert [article_id for article_id, _ in report.again] == [room[2].article.id]
    assert kb.counts().articles == 3  # only looked at

    forget_and_learn_again(kb, room[1], room)
    assert kb.fact(older).superseded_by is None
    assert kb.fact(older).superseded_at is None
    assert kb.conflicts_of(older) == []
    [match] = [one for one in kb.search("new schools") if "schools" in one.fact.evidence.quote]
    assert match.fact.article.id == room[2].article.id
    assert match.fact.publishers == ("Gamma News",)
    assert [node for node in things(kb) if "Smith" in node] == ["John Smith"]


def _span(written):
    evidence = written.drafts[0].evidence
    return str(evidence.start_char), str(evidence.end_char), evidence.quote


def test_a_fact_that_it_states_too_loses_that_source(empty_kb):
    room = [
        write(0, "Alpha Post", "x", [("mayor", 3)]),
        write(1, "Beta Times", "y", [("mayor", 3)]),
    ]
    kb = learned(empty_kb(), room)
    [fact] = [match.fact for match in kb.search("schools")]
    assert (fact.publishers, fact.copies) == (("Alpha Post",), 1)  # word for word: no confirmation
    assert kb.hanging_on(room[1].article).sources == 1
    assert kb.forget(room[1].article, retell, now=NOW).again == ()
    assert kb.fact(fact.id) == replace(fact, copies=0)
    assert [source.article_id for source in kb.sources_of(fact.id)] == [room[0].article.id]


def test_names_that_it_lent_are_taken_back(empty_kb):
    room = [
        write(0, "Alpha Post", "x", [("mayor", 3)]),
        write(1, "Beta Times", "x", [("bridge", 2)]),
    ]
    kb = learned(empty_kb(), room)
    [schools] = [
        match.fact for match in kb.search("schools") if match.fact.article.id == room[0].article.id
    ]
    assert "Smith" not in things(kb)
    forget_and_learn_again(kb, room[0], room)
    assert kb.fact(schools.id) is None
    assert {"Smith", "Ald"} <= set(things(kb))
    assert "John Smith" not in things(kb)


def test_no_table_and_no_file_holds_a_word_of_it(open_kb, tmp_path):
    secret = "zyzzyva"
    room = room_of_three()
    kb = open_kb(recall=RecallWeights(2.0))
    feed = Feed("https://feeds.example/all", "All")
    kb.subscribe([feed])
    article = replace(
        room[1].article,
        text=room[1].article.text + f" The {secret} danced in Quuxville.",
        url=f"https://beta.example/{secret}",
        id=content_id(f"https://beta.example/{secret}"),
        title=f"A {secret}",
    )
    newsroom = Newsroom()
    asked = ("Where did it dance?", AnswerKind.WHERE, "Quuxville")
    last = f"The {secret} danced in Quuxville."
    drafts = [newsroom.draft(article, last, asked, names=["Quuxville"])]
    drafts += [
        newsroom.draft(
            article, SAID[topic].format(figure), (ASKED[topic], AnswerKind.HOW_MANY, str(figure))
        )
        for topic, figure in (("flood", 14), ("mayor", 3))
    ]
    strands: Strands = {}
    teach(kb, room[0], strands)
    entry = Entry("e1", feed.url, f"{article.url}?from=feed", article.title, last, NOW)
    kb.record_check(feed, FeedCheck(CheckOutcome.UPDATED, NOW), [entry], now=NOW)
    kb.store_article("e1", article)
    topics = Topics((Entity("Quuxville", "location", 1),), ())
    mixed = Written(article, tuple(drafts), topics, "x", NOW)
    teach(kb, mixed, strands)
    teach(kb, room[2], strands)
    assert kb.find_article(entry.link) == article  # by the way it came

    kb.forget(article, retell, now=NOW)
    assert kb.find_article(article.url, article.id, entry.link) is None
    with reading(kb._engine, "home") as connection:
        naming = {
            name
            for name, table in SQLModel.metadata.tables.items()
            if article.id in repr(connection.execute(select(table)).all())
        }
    assert naming == {"entry", "forgotten"}
    decisions = list(kb.export_decisions())
    assert decisions
    assert not [one for one in decisions if "14" in one.reason or "14" in one.quote]
    report = kb.verify()
    assert (report.unsupported, report.index_missing, report.index_extra) == ((), 0, 0)
    assert kb._index.ids() == {match.fact.id for match in kb.search("flood schools", limit=99)}
    for word in (secret, "Quuxville", "quuxvil"):
        holding = [
            path.name
            for path in (tmp_path / "home").rglob("*")
            if path.is_file() and word.encode() in path.read_bytes()
        ]
        assert holding == [], word


def test_feeds_do_not_bring_it_back_unless_they_may(kb, newsroom):
    feed, other = Feed("https://a.example/feed", "A"), Feed("https://b.example/feed", "B")
    kb.subscribe([feed, other])
    article = newsroom.article(["A story about nothing."], slug="gone")
    entry = Entry("e1", feed.url, article.url, "A story", "<p>A story</p>", NOW)
    check = FeedCheck(CheckOutcome.UPDATED, NOW, etag='"1"', body_hash="1")
    kb.record_check(feed, check, [entry], now=NOW)
    kb.store_article("e1", article)
    kb.forget(article, retell, now=NOW)

    assert kb.record_check(feed, check, [entry], now=NOW) == 0
    moved = replace(entry, id="e2", feed_url=other.url)
    assert kb.record_check(other, check, [moved], now=NOW) == 0
    assert kb.queued_entries(NOW) == []
    elsewhere = replace(entry, id="e3", link="https://a.example/moved", feed_url=other.url)
    kb.record_check(other, check, [elsewhere], now=NOW)
    assert not kb.store_article("e3", article)  # its page turned out to be the same
    assert kb.record_check(feed, check, [replace(elsewhere, id="e4")], now=NOW) == 0
    assert kb.rejections() == [("its article was forgotten", 4)]
    assert kb.article(article.id) is None
    assert kb.is_forgotten(article.url)
    assert kb.is_forgotten(article.id)

    assert kb.let_in_again("https://nobody.example/") is None
    assert kb.let_in_again(article.url) == 2
    assert [state.body_hash for state in kb.feed_states()] == [None, None]
    assert not kb.is_forgotten(article.url)
    assert kb.record_check(feed, check, [entry], now=NOW) == 1
    assert kb.store_article("e1", article)


def test_an_article_without_an_address_is_kept_out_by_its_entry(kb, newsroom):
    feed = Feed("https://a.example/feed", "A")
    kb.subscribe([feed])
    article = replace(newsroom.article(["A note."]), url="entry:e1", id=content_id("entry:e1"))
    entry = Entry("e1", feed.url, None, "A note", "A note.", NOW)
    check = FeedCheck(CheckOutcome.UPDATED, NOW)
    kb.record_check(feed, check, [entry], now=NOW)
    kb.store_article("e1", article)
    kb.forget(article, retell, now=NOW)
    assert kb.record_check(feed, check, [entry], now=NOW) == 0
    assert not kb.store_article("e1", article)
    assert kb.article(article.id) is None


def test_forgetting_what_is_not_there_writes_nothing(kb, newsroom):
    article = newsroom.article(["A story about nothing."])
    with pytest.raises(ValueError, match=f"no article {article.id}"):
        kb.forget(article, retell, now=NOW)
    assert not kb.is_forgotten(article.id)


def test_an_article_that_was_never_learned_is_forgotten_too(kb, newsroom):
    article = newsroom.article(["A story about nothing."])
    newsroom.store(kb, article)
    assert kb.forget(article, retell, now=NOW).facts == 0
    assert kb.counts().articles == 0


class KilledIndexError(Exception):
    """Stands for the end of the process."""


def test_killed_between_rows_and_index_is_finished_at_the_next_start(open_kb, monkeypatch):
    room = room_of_three()
    kb = learned(open_kb(), room)

    def killed(ids):
        raise KilledIndexError

    monkeypatch.setattr(kb._index, "remove", killed)
    with pytest.raises(KilledIndexError):
        kb.forget(room[1].article, retell, now=NOW)
    kb.close()

    reopened = open_kb()
    report = reopened.verify()
    assert (report.unsupported, report.index_missing, report.index_extra) == ((), 0, 0)
    assert [one.id for one in reopened.unlearned_articles()] == [room[2].article.id]
    learn_rest = {"x": [(room[0].article, room[0].topics)]}
    teach(reopened, room[2], learn_rest)
    assert [one.fact.article.id for one in reopened.search("schools", limit=1)] == [
        room[2].article.id
    ]


def test_killed_before_the_rows_are_stored_changes_nothing(open_kb, tmp_path):
    room = room_of_three()
    kb = learned(open_kb(), room)
    before = rows(kb)

    def killed(told):
        raise KilledIndexError

    with pytest.raises(KilledIndexError):
        kb.forget(room[1].article, killed, now=NOW)
    assert rows(kb) == before
    assert (tmp_path / "home" / DATABASE_NAME).is_file()
    assert kb.verify().index_extra == 0


def test_questions_keep_no_name_that_only_it_had(empty_kb):
    room = [
        write(0, "Alpha Post", "x", [("flood", 12)]),
        write(1, "Beta Times", "y", [("ballet", 3)]),
    ]
    kb = learned(empty_kb(), room)
    question = Question("How many people did Ann Archer mourn in Porto Verde?", AnswerKind.HOW_MANY)
    reply = kb.answer(question, threshold=0.0)
    assert isinstance(reply, Answer)
    [flood] = [match for match in kb.search("flood") if "flood" in match.fact.evidence.quote]
    kb.remember(replace(reply, facts=(flood,)), now=NOW + timedelta(days=1))
    assert "Ann Archer" in things(kb)
    kb.forget(room[1].article, retell, now=NOW)
    assert set(things(kb)) == {"Headline 0", "Porto Verde"}
