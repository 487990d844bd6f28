"""Questions of two steps over news: the second does not say who is meant, and the articles are two."""

import json
import lzma

import pytest

from agent.judgement import load_judgement
from agent.memory_news import NEWS, STREAM, digest_of, news_questions, read_news_set
from agent.settings import load_settings

FIRST = "Harriet Quill won the primary election in Nevada on Tuesday."
SECOND = "Harriet Quill left the board of the Silver Bank in 2017."


@pytest.fixture(scope="module")
def tagger():
    return load_judgement(load_settings({})).reading.tagger


def row(number, text, *, story="s1", month="2019-07"):
    return {
        "url": f"https://news.example/{number}",
        "title": f"Headline {number}",
        "body": text,
        "published": f"{month}-0{number + 1}T08:00:00Z",
        "publisher": "Alpha Post",
        "story": story,
    }


def write(data, rows):
    (data / STREAM).parent.mkdir()
    with lzma.open(data / STREAM, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(one) + "\n" for one in rows)


def test_a_question_leads_over_the_thing_that_both_articles_name(tmp_path, tagger):
    alone, late = row(2, FIRST, story="s2"), row(3, SECOND, month="2020-01")
    write(tmp_path, [row(0, FIRST), row(1, SECOND), alone, late])
    [hops] = read_news_set(tmp_path, tagger)
    assert (hops.name, len(hops.paragraphs)) == (NEWS, 2)
    assert hops.questions
    for one in hops.questions:
        assert one.supporting == {"https://news.example/0", "https://news.example/1"}
        assert "that person" in one.text
        assert "Quill" not in one.text
        assert one.answers[0] not in one.text
    assert digest_of(hops) == digest_of(*read_news_set(tmp_path, tagger))
    [fewer] = read_news_set(tmp_path, tagger, limit=1)
    assert fewer.questions == hops.questions[:1]


def test_one_article_alone_asks_nothing(tagger):
    both = {"_id": "a", "title": "Headline", "text": f"{FIRST} {SECOND}"}
    assert news_questions([both], tagger) == []


def test_without_a_newsroom_there_is_no_such_set(tmp_path, tagger):
    assert read_news_set(tmp_path, tagger) == []
