"""The suite of stories, on a few articles made up here."""

import json
import lzma
from datetime import timedelta

import pytest

from agent.evaluate_stories import evaluate_stories, place_stream
from agent.judgement import load_judgement
from agent.progress import SilentProgress
from agent.replay import learn_replayed
from agent.settings import load_settings
from agent.stories_fit import fit, read_articles
from agent.story_comparators import LINKS, Tfidf, cluster, tuned
from agent.story_stream import SPLIT, read_stream
from kb import Answerability, KnowledgeBase
from model import DataError

EVENTS = {
    "bridge": (
        "The Karlsund Bridge in Stockholm reopened after Maria Lindqvist replaced its steel cables.",
        "Engineer Maria Lindqvist declared the steel cables of the Karlsund Bridge in Stockholm safe.",
    ),
    "vote": (
        "Voters in Portugal gave the Orange Party of Rui Tavares 112 seats, steel workers among them.",
        "Rui Tavares and his Orange Party won 112 seats in Portugal; Stockholm sent observers.",
    ),
    "": (
        "A ferry sank off the coast of Chile near Valdivia; all passengers were rescued by fishermen.",
        "Doctors in Nairobi described a new treatment of malaria that children can take by mouth.",
    ),
}


def rows():
    for months in (-100, 3):
        for number, (story, texts) in enumerate(EVENTS.items()):
            for hour, text in enumerate(texts):
                at = SPLIT + timedelta(days=months + 2 * number, hours=9 + hour)
                yield {
                    "url": f"https://news.invalid/{months}/{number}/{hour}",
                    "title": " ".join(text.split()[:7]),
                    "body": text,
                    "published": at.isoformat(),
                    "publisher": f"Post {hour}",
                    "story": f"{story} {months}" if story else None,
                }


@pytest.fixture
def data(tmp_path):
    with lzma.open(tmp_path / "stream.jsonl.xz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows())
    return tmp_path


@pytest.fixture(scope="module")
def reading():
    return load_judgement(load_settings({})).reading


def test_only_stories_after_the_split_are_judged(data):
    stream = read_stream(data, None)
    assert len(stream.articles) == 12
    assert set(stream.judged_from(SPLIT).values()) == {"bridge 3", "vote 3"}
    assert len(stream.before(SPLIT).articles) == 6
    assert len(stream.before(SPLIT).gold) == 4
    assert [a.published_at for a in read_stream(data, 2).articles] == [
        a.published_at for a in stream.articles[4:8]
    ]


def test_a_stream_without_anything_to_judge_is_named(tmp_path):
    with lzma.open(tmp_path / "stream.jsonl.xz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps({**row, "story": None}) + "\n" for row in rows())
    with pytest.raises(DataError, match="no labelled story"):
        read_stream(tmp_path, None)


def test_every_figure_is_reported_beside_the_comparators(data, reading):
    report = evaluate_stories(data, reading, compare=True, limit=None, progress=SilentProgress())
    figures = {"bcubed_f1", "bcubed_precision", "bcubed_recall", "pairwise_f1"}
    assert set(report["sets"]["stream"]) == figures
    assert report["sets"]["stream"]["bcubed_precision"] == 1.0
    assert (report["judged"]["articles"], report["judged"]["stories"]) == (4, 2)
    assert report["judged"]["read"] == 12
    alone = report["comparators"]["every article alone"]
    assert alone["sets"]["stream"]["bcubed_f1"] == pytest.approx(2 / 3, abs=1e-4)
    assert set(report["comparators"]["TF-IDF"]["sets"]["stream"]) == figures
    assert report["comparators"]["TF-IDF"]["tuned"]["link"] in LINKS
    assert len(alone["difference"]["interval"]) == 2


def test_the_same_stream_gives_the_same_stories(data, reading):
    articles = read_stream(data, None).articles
    first = place_stream(articles, reading, SilentProgress())
    assert first == place_stream(articles, reading, SilentProgress())
    assert list(first) == [article.id for article in articles]


def test_the_suite_finds_the_stories_that_the_store_keeps_and_logs(data, reading, tmp_path):
    articles = read_stream(data, None).articles
    home = tmp_path / "home"
    with KnowledgeBase.open(home, reading.embedder, Answerability.default()) as kb:
        reports = learn_replayed(kb, reading, articles, now=SPLIT)
        logged = {
            decision.article_id: decision.story_id for decision in kb.export_story_decisions()
        }
        assert kb.verify().unsupported == ()
    assert logged == {report.article_id: report.story_id for report in reports}
    assert logged == place_stream(articles, reading, SilentProgress())


def test_tfidf_puts_equal_words_together_within_its_days(data):
    stream = read_stream(data, None)
    found = cluster(stream.articles, Tfidf(600, 1.0, "centroid", 3, 0.2))
    judged = stream.judged_from(SPLIT)
    assert {found[it] for it, story in judged.items() if story == "vote 3"} == {
        next(it for it, story in judged.items() if story == "vote 3")
    }
    assert len(set(found.values())) == 8  # two stories of two and two single articles, twice


def test_tuning_takes_the_best_of_the_grid(data):
    early = read_stream(data, None).before(SPLIT)
    few = tuned(early.articles, lambda found: -len(set(found.values())))
    many = tuned(early.articles, lambda found: len(set(found.values())))
    assert [len(set(cluster(early.articles, it).values())) for it in (few, many)] == [4, 5]


def test_fitting_learns_what_people_put_together(data, reading):
    stream = read_stream(data, None)
    fitted = fit(stream, read_articles(stream.articles, reading.embedder))
    assert len(fitted["coefficients"]) == len(fitted["features"])
    assert max(fitted["by_threshold"].values()) == 1.0
