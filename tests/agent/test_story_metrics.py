"""The figures of clusterings: on cases that can be worked out by hand, and what holds of all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.story_metrics import bcubed, bootstrap_difference, clustering_scores, pairwise_f1

GOLD = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y"}

CLUSTERINGS = st.integers(1, 12).flatmap(
    lambda size: st.tuples(*(st.lists(st.sampled_from("pqrs"), min_size=size, max_size=size),) * 2)
)


def named(stories):
    return {f"article {number}": story for number, story in enumerate(stories)}


def test_what_people_put_together_is_perfect():
    scores = clustering_scores(GOLD, {it: f"story {story}" for it, story in GOLD.items()})
    assert set(scores.values()) == {1.0}


def test_everything_in_one_story_is_complete_and_impure():
    scores = clustering_scores(GOLD, dict.fromkeys(GOLD, "all"))
    assert scores["bcubed_recall"] == 1.0
    assert scores["bcubed_precision"] == pytest.approx((3 * 3 / 5 + 2 * 2 / 5) / 5)
    assert scores["pairwise_f1"] == pytest.approx(2 * 4 / (4 + 10), abs=1e-4)


def test_every_article_alone_is_pure_and_incomplete():
    scores = clustering_scores(GOLD, {it: it for it in GOLD})
    assert scores["bcubed_precision"] == 1.0
    assert scores["bcubed_recall"] == pytest.approx((3 * 1 / 3 + 2 * 1 / 2) / 5)
    assert scores["pairwise_f1"] == 0.0


def test_one_article_astray_costs_what_the_paper_says():
    found = {"a": "1", "b": "1", "c": "2", "d": "2", "e": "2"}
    each = bcubed(GOLD, found)
    assert each.precision.tolist() == pytest.approx([1, 1, 1 / 3, 2 / 3, 2 / 3])
    assert each.recall.tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1, 1])
    assert pairwise_f1(GOLD, found) == pytest.approx(2 * 2 / (4 + 4))


def test_articles_that_nobody_labelled_are_not_judged():
    found = {"a": "1", "b": "1", "c": "1", "d": "2", "e": "2", "unlabelled": "1"}
    assert clustering_scores(GOLD, found)["bcubed_f1"] == 1.0


def test_nothing_to_judge_is_an_error():
    with pytest.raises(ValueError, match="no labelled"):
        clustering_scores({}, {"a": "1"})


@given(CLUSTERINGS)
def test_the_names_of_stories_do_not_matter_and_sides_swap(pair):
    gold, found = map(named, pair)
    scores, swapped = clustering_scores(gold, found), clustering_scores(found, gold)
    assert scores["bcubed_precision"] == swapped["bcubed_recall"]
    assert scores["pairwise_f1"] == swapped["pairwise_f1"]
    renamed = {it: story.upper() for it, story in found.items()}
    assert clustering_scores(gold, renamed) == scores
    assert all(0.0 <= value <= 1.0 for value in scores.values())


def test_the_difference_of_equals_is_none_and_of_a_better_one_is_not():
    gold = {f"{story}{n}": str(story) for story in range(40) for n in range(2)}
    alone = {it: it for it in gold}
    assert bootstrap_difference(gold, alone, alone) == [0.0, 0.0]
    low, high = bootstrap_difference(gold, gold, alone)
    assert 0.3 < low <= high < 0.4  # every story gains the same: 1 against 2 x 0.5 / 1.5
    assert bootstrap_difference(gold, gold, alone) == [low, high]
