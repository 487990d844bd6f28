"""The `novelty` suite: its rule, its copies, its figures worked by hand, and the whole of it on a tiny newsroom."""

import json
import lzma
import re
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from agent.evaluate_novelty import evaluate_novelty, read_newsroom
from agent.ingest import Reading
from agent.novelty_copies import another_name, another_number, changed_copy, syndicated_copy
from agent.novelty_rule import covers, find_covering, is_alike, read_said, share_of
from agent.novelty_scores import (
    Change,
    Contender,
    Ruled,
    Trials,
    alike_places,
    change_metrics,
    keep_everything,
    mean_of_sets,
    ours,
    ruled_of,
    stream_metrics,
    syndicated_metrics,
)
from agent.novelty_threshold import cosine_threshold
from agent.progress import SilentProgress
from kb import Answerability, AnswerKind, Article, Decision, Verdict, content_id
from model import DataError, load_tagger
from tests.agent.articles_for_tests import NOON, article
from tests.embedders import HashEmbedder

FLOOD = "The flood in Porto Verde killed twelve people and closed the old harbour bridge."


def said(quote: str, *answers: str, of: str = "a1", hours: int = 0):
    return read_said(of, NOON + timedelta(hours=hours), quote, answers)


# ---------------------------------------------------------------------------------------------- the rule
@pytest.mark.parametrize(
    ("later", "is_heard"),
    [
        (FLOOD, True),
        ("A flood killed 12 people in Porto Verde and closed the harbour bridge.", True),
        ("The flood in Porto Verde killed 13 people and closed the old harbour bridge.", False),
        ("The flood in Santa Verde killed twelve people and closed the old harbour.", False),
        ("The flood in Porto Verde killed twelve people and delayed many regional trains.", False),
        ("Twelve people, in Porto Verde.", False),  # too few words to prove anything
    ],
)
def test_sentence_is_redundant_when_one_earlier_sentence_holds_it(later, is_heard):
    assert covers(said(FLOOD), said(later, of="a2")) is is_heard


def test_answer_must_stand_in_the_earlier_sentence():
    quote = "The flood in Porto Verde killed twelve people and closed the harbour bridge early."
    assert covers(said(FLOOD), said(quote))
    assert not covers(said(FLOOD), said(quote, "early"))


def test_alike_goes_both_ways():
    longer = FLOOD.removesuffix(".") + " while the mayor slept through warnings from engineers."
    assert covers(said(longer), said(FLOOD))
    assert not is_alike(said(longer), said(FLOOD))
    assert is_alike(said(FLOOD), said(FLOOD.replace("closed", "shut")))


def test_covering_sentences_are_earlier_of_another_article_and_near_in_time():
    sentences = [
        said(FLOOD),
        said(FLOOD),
        said(FLOOD, of="a2", hours=24),
        said(FLOOD, of="a3", hours=11 * 24),
        said("Nothing of the kind was ever heard in the quiet town of Lund.", of="a4", hours=264),
    ]
    assert find_covering(sentences) == [[], [], [0, 1], [2], []]


def test_share_is_of_all_counted_and_its_interval_is_drawn_by_group():
    assert share_of([(1, 2), (0, 2), (0, 0)], seed=1) == (0.25, [0.0, 0.5])
    assert share_of([(3, 3), (1, 1)], seed=1) == (1.0, [1.0, 1.0])
    assert share_of([(0, 0)], seed=1) is None


# -------------------------------------------------------------------------------------------- the copies
@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("12", r"\d+"),
        ("680", r"\d{3}|\d,\d{3}"),
        ("$1.2 billion", r"\$\d\.\d billion"),
        ("12,000", r"\d{1,2},\d{3}"),
        ("60 percent", r"\d\d percent"),
        ("3%", r"\d+%"),
        ("twelve", r"[a-z]+"),
        ("Two", r"[A-Z][a-z]+"),
    ],
)
def test_other_number_is_written_alike_and_is_no_rounding(answer, form):
    others = {another_number(answer, key=key) for key in "abcdefghijklmnop"}
    assert len(others) > 1
    for other in others:
        assert other is not None
        assert re.fullmatch(form, other)
        if answer[-1].isdigit():
            old, new = (Fraction(text.replace(",", "")) for text in (answer, other))
            assert abs(old - new) >= max(old, new) / 3


def test_other_number_is_decided_by_its_key():
    assert another_number("450", key="a") == another_number("450", key="a")


def test_share_of_a_whole_stays_below_the_whole():
    assert {another_number("95 percent", key=key) for key in "abcdefgh"} == {
        "38 percent",
        "48 percent",
    }


@pytest.mark.parametrize("answer", ["dozens", "two to three", "12 of 30", "twenty-one", ""])
def test_number_that_cannot_be_scaled_is_left_alone(answer):
    assert another_number(answer, key="a") is None


def test_other_name_is_of_as_many_words_and_strange_to_the_article():
    pool = ["Ana Costa", "Rui Lopes", "Costa", "Maria da Silva"]
    assert another_name("Jo Berg", "person", pool, avoid="Ana Costa spoke.", key="k") == "Rui Lopes"
    surnames = {another_name("Berg", "person", pool, avoid="", key=key) for key in "abcdefghij"}
    assert surnames == {"Costa", "Lopes"}
    assert another_name("Berg", "location", ["Rui Lopes"], avoid="", key="k") is None


def test_syndicated_copy_is_the_article_in_another_dress():
    original = article("LUND (Agency) - One is here. Two is.\n\nThree is cut.\n\nFour stays.")
    copy = syndicated_copy(original)
    assert copy.text == "By a Staff Writer\n\nOne is here. Two is.\n\nFour stays."
    assert copy.id == content_id(copy.url) != original.id
    assert copy.publisher != original.publisher
    assert copy.published_at == NOON + timedelta(hours=1)


def test_changed_copy_differs_in_one_place():
    copy = changed_copy(article("It took 12 days."), (8, 10), "30")
    assert copy.text == "It took 30 days."


# -------------------------------------------------------------------------------------------- the figures
def ruled(of: Article, quote: str, verdict: Verdict, *, against: str | None = None) -> Ruled:
    decision = Decision(
        id=content_id(of.id, quote),
        article_id=of.id,
        start_char=0,
        end_char=len(quote),
        quote=quote,
        question="What happened?",
        kind=AnswerKind.WHAT,
        answer="",
        verdict=verdict,
        reason="",
        fact_id=f"fact of {of.id}",
        against_id=against,
        nearest=(),
        threshold=0.5,
        model="m",
    )
    return ruled_of(of, 0, [decision])


def trials(**parts) -> Trials:
    nothing = Trials((), (), {}, (), (), (), ())
    return replace(nothing, **parts)


@pytest.fixture
def told() -> Trials:
    """Three articles of one story; the first is not scored. The second repeats it, the third repeats and adds."""
    articles = tuple(
        article(FLOOD, article_id=f"a{n}", at=NOON + timedelta(hours=n)) for n in range(3)
    )
    new = "Engineers from Lund will rebuild the railway station before Christmas Eve."
    stream = (
        ruled(articles[0], FLOOD, Verdict.ADDED),
        ruled(articles[1], FLOOD, Verdict.CORROBORATED),
        ruled(articles[2], FLOOD, Verdict.ADDED),
        ruled(articles[2], new, Verdict.CONFLICTING),
    )
    return trials(articles=articles, stream=stream, stories=dict.fromkeys(("a0", "a1", "a2"), "s"))


def test_stream_is_counted_as_by_hand(told):
    metrics = stream_metrics(told, ours(told))
    assert metrics["n"] == 3  # sentences of the second and third article
    assert metrics["n_redundant"] == 2
    assert metrics["kept_precision"] == 0.5  # of two kept, one is new
    assert metrics["kept_recall"] == 1.0
    assert metrics["redundancy"] == 0.5  # the other repeats the fact of the first article
    assert metrics["redundant_dropped"] == 0.5
    assert metrics["facts_per_article"] == 1.0
    assert metrics["conflicts_per_1000"] == 250.0
    assert [point["facts_per_article"] for point in metrics["curve"] if point["articles"]] == [
        1,
        0,
        2,
    ]


def test_fact_is_not_redundant_to_what_was_not_kept(told):
    """Nobody kept the flood before: its third telling is no news, but the only fact of it."""
    chooser = Contender([False, False, True, True], lambda _: True)
    metrics = stream_metrics(told, chooser)
    assert (metrics["kept_precision"], metrics["redundancy"]) == (0.5, 0.0)
    assert "conflicts_per_1000" not in metrics


def test_storing_everything_drops_nothing(told):
    metrics = stream_metrics(told, keep_everything(told))
    assert (metrics["kept_recall"], metrics["redundant_dropped"]) == (1.0, 0.0)
    assert metrics["kept_precision"] == 0.3333


def test_alike_sentences_are_found_within_a_story(told):
    assert alike_places(told) == [1, 2]
    assert alike_places(replace(told, stories={"a0": "s", "a1": "t", "a2": "u"})) == []


def test_changes_are_counted_as_by_hand():
    one = article(FLOOD)
    before = ruled(one, FLOOD, Verdict.ADDED)
    right, wrong = "fact of a1", "fact of a9"
    changes = [
        Change(ruled(one, FLOOD, Verdict.CONFLICTING, against=right), before, (before, before)),
        Change(ruled(one, FLOOD, Verdict.CONFLICTING, against=wrong), before, ()),
        Change(ruled(one, FLOOD, Verdict.CORROBORATED, against=right), before, ()),
        Change(None, before, (ruled(one, FLOOD, Verdict.CONFLICTING, against=right), before)),
    ]
    metrics = change_metrics(changes, ours(trials()))
    assert (metrics["flagged"], metrics["n"]) == (0.25, 4)
    assert metrics["lost"] == 0.5
    assert (metrics["false_conflicts"], metrics["n_unchanged"]) == (0.25, 4)
    blind = change_metrics(changes, keep_everything(trials()))
    assert (blind["flagged"], blind["lost"], blind["false_conflicts"]) == (0.0, 0.25, 0.0)


def test_syndicated_copies_are_counted_as_by_hand():
    one = article(FLOOD)
    judged = trials(
        syndicated=tuple(
            ruled(one, FLOOD, verdict)
            for verdict in (Verdict.SKIPPED, Verdict.CORROBORATED, Verdict.ADDED, Verdict.SKIPPED)
        ),
        counted_apart=(("a1", True), ("a1", False)),
    )
    metrics = syndicated_metrics(judged, ours(judged))
    assert (metrics["known"], metrics["counted_apart"], metrics["n"]) == (0.75, 0.5, 4)


def test_mean_passes_over_sets_without_the_metric():
    sets: dict[str, dict[str, Any]] = {
        "stream": {"kept_recall": 0.5},
        "repeated_syndicated": {"known": 1.0},
        "repeated_alike": {"n": 0},
        "changed_numbers": {"flagged": 0.5},
        "changed_names": {"flagged": 1.0},
    }
    assert mean_of_sets(sets) == {"kept_recall": 0.5, "known": 1.0, "flagged": 0.75}


def test_cosine_threshold_drops_what_it_has(told):
    contender, threshold = cosine_threshold(told, HashEmbedder())
    assert list(contender.kept) == [True, False, False, True]
    assert 0.5 <= threshold <= 0.98
    assert not contender.keeps(told.stream[1])
    assert contender.keeps(ruled(article(FLOOD), "Quite another thing.", Verdict.ADDED))


# ------------------------------------------------------------------------------------------ the whole suite
BODIES = (
    "A flood in Porto Verde killed 12 fishermen on Monday, Mayor Ana Costa said.\n\n"
    "The storm destroyed 40 boats in the harbour of Porto Verde on Monday morning.\n\n"
    "Engineer Rui Lopes inspected the stone bridge over the river on Tuesday.\n\n",
    "The storm destroyed 40 boats in the harbour of Porto Verde on Monday morning.\n\n"
    "Governor Marta Dias promised $3 million for the families of the fishermen.\n\n",
)


def write_newsroom(folder: Path, *, stories: int = 4) -> Path:
    folder.mkdir()
    rows = [
        {
            "id": f"r{n}-{part}",
            "url": f"https://paper{part}.invalid/{n}",
            "published": f"2031-05-{6 + n:02}T{8 + part:02}:00:00Z",
            "title": "Storm over the coast",
            "body": body.replace("Porto Verde", place),
            "story": f"s{n}",
            "publisher": f"Paper {part}",
        }
        for n, place in enumerate(
            ["Porto Verde", "Santa Lucia", "Monte Alto", "Vila Nova"][:stories]
        )
        for part, body in enumerate(BODIES)
    ]
    listed = [{"story": f"s{n}", "published": f"2031-05-{6 + n:02}"} for n in range(stories)]
    for name, lines in (("stream", rows), ("stories", listed)):
        with lzma.open(folder / f"{name}.jsonl.xz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return folder


@pytest.fixture(scope="module")
def reading() -> Reading:
    return Reading(HashEmbedder(256), load_tagger())


def run(data: Path, reading: Reading, **options):
    options = {"compare": False, "limit": None, "progress": SilentProgress(), **options}
    return evaluate_novelty(data, reading, Answerability.default(), **options)


def test_suite_reports_every_set_and_comparator(tmp_path, reading):
    write_newsroom(tmp_path / "newsroom")
    report = run(tmp_path, reading, compare=True)
    json.dumps(report, allow_nan=False)
    names = {
        "stream",
        "repeated_syndicated",
        "repeated_alike",
        "changed_numbers",
        "changed_names",
    }
    assert set(report["sets"]) == names
    assert report["chars_per_s"] > 0
    assert set(report["comparators"]) == {"store everything", "cosine threshold"}
    assert all(set(one["sets"]) == names for one in report["comparators"].values())
    sets = report["sets"]
    assert sets["stream"]["articles"] == 8
    assert (sets["repeated_alike"]["known"], sets["repeated_alike"]["n"]) == (1.0, 4)
    assert (sets["repeated_syndicated"]["known"], sets["repeated_syndicated"]["counted_apart"]) == (
        1.0,
        1.0,
    )
    assert sets["changed_numbers"]["n"] > 0
    assert report["comparators"]["store everything"]["sets"]["repeated_alike"]["known"] == 0.0


def test_suite_gives_the_same_twice(tmp_path, reading):
    data = write_newsroom(tmp_path / "newsroom", stories=2)
    first, second = run(data, reading), run(data, reading)
    for report in (first, second):
        report.pop("chars_per_s")  # as fast as the machine is
    assert first == second


def test_limit_takes_whole_stories_spread_over_time(tmp_path):
    data = write_newsroom(tmp_path / "newsroom")
    articles, stories = read_newsroom(data, 5)
    assert [stories[one.id] for one in articles] == ["s0", "s0", "s2", "s2"]
    assert len(read_newsroom(data, 100)[0]) == 8
    assert set(read_newsroom(data, 5, left_out=True)[1].values()) == {"s1", "s3"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "stream.jsonl.xz").unlink(), "cannot read stream.jsonl.xz"),
        (lambda folder: (folder / "stories.jsonl.xz").unlink(), "cannot read stories.jsonl.xz"),
        (
            lambda folder: (folder / "stream.jsonl.xz").write_bytes(
                (folder / "stream.jsonl.xz").read_bytes()[:-40]
            ),
            "cannot read stream.jsonl.xz",
        ),
        (
            lambda folder: (folder / "stream.jsonl.xz").write_bytes(lzma.compress(b'{"url": 1}\n')),
            "stream.jsonl.xz is not a stream of articles",
        ),
        (
            lambda folder: (folder / "stories.jsonl.xz").write_bytes(lzma.compress(b"[]\n")),
            "stories.jsonl.xz is not a list of stories",
        ),
        (
            lambda folder: (folder / "stories.jsonl.xz").write_bytes(lzma.compress(b"")),
            "no story has two articles",
        ),
    ],
)
def test_broken_data_is_told_in_one_line(tmp_path, reading, damage, message):
    data = write_newsroom(tmp_path / "newsroom", stories=1)
    damage(data)
    with pytest.raises(DataError, match=message) as caught:
        run(data, reading)
    assert "\n" not in str(caught.value)
