"""The graph of units: it is bounded, fades, forgets the weakest, and follows from the texts in their order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model import CheckpointError
from model.embed import Encoder
from model.unit_colours import (
    EDGES,
    HALF_LIFE_DAYS,
    ColouredEncoder,
    Hearing,
    UnitColours,
    principal_axes,
)

ALL, UNKNOWN_ONLY = 0, 2**31 - 1
WIDTH = 4
SAME = 1e-5
DAY = 20_000.0

MakeGraph = Callable[..., UnitColours]


@pytest.fixture
def make(tiny_encoder: Encoder, sentences: list[str]) -> MakeGraph:
    axes = principal_axes(tiny_encoder.embed(sentences), WIDTH)

    def graph(*, from_row: int = ALL, limit: int = 200) -> UnitColours:
        return UnitColours(axes, from_row=from_row, limit=limit)

    return graph


def buckets_of(encoder: Encoder, text: str) -> np.ndarray:
    return encoder.units([text]).buckets


def test_units_are_told_with_their_rows(tiny_encoder: Encoder) -> None:
    texts = ["The mayor visits the old bridge.", "", "Zqxvortamayor opens"]
    units = tiny_encoder.units(texts)
    states, offsets = tiny_encoder.unit_states(texts)
    assert np.array_equal(units.vectors, states)
    assert np.array_equal(units.text_offsets, offsets)
    assert len(units.buckets) == len(units.rows) == len(states)
    assert units.buckets[0] == units.buckets[3], "the same word, in large and small letters"
    assert (units.rows[:7] >= 0).all()
    assert units.rows[offsets[2]] < 0, "known by its n-grams alone"
    rows = tiny_encoder.own_rows(units.buckets)
    assert rows[0].any()
    assert not rows[offsets[2]].any()


def test_axes_are_orthonormal_and_keep_the_most(make: MakeGraph, tiny_encoder: Encoder) -> None:
    axes = make().axes
    assert np.allclose(axes.T @ axes, np.eye(WIDTH), atol=SAME)
    vectors = tiny_encoder.embed(["the mayor", "a new school before noon", "in spring", "opens"])
    kept = [
        np.linalg.norm((vectors - vectors.mean(0)) @ principal_axes(vectors, k)) for k in (1, 2, 3)
    ]
    assert kept == sorted(kept)
    assert np.isclose(kept[2], np.linalg.norm(vectors - vectors.mean(0)))


def test_weights_grow_within_bounds_and_fade_by_half(
    make: MakeGraph, tiny_encoder: Encoder
) -> None:
    graph, units = make(), tiny_encoder.units(["the captain sells the harbour"])
    before = np.zeros(len(units.buckets), np.float32)
    for _ in range(40):
        graph.learn(units, day=DAY)
        weights = graph.weights(units.buckets, day=DAY)
        assert (weights >= before).all()
        assert (weights <= 1).all()
        before = weights
    later = [graph.weights(units.buckets, day=DAY + days) for days in (0, 1, 30, HALF_LIFE_DAYS)]
    assert all((a > b).all() for a, b in itertools.pairwise(later))
    assert np.allclose(later[-1], later[0] / 2, atol=SAME)
    assert np.allclose(graph.weights(units.buckets, day=DAY - 9), later[0]), "time runs one way"


def test_edges_are_shares_of_what_stood_beside(make: MakeGraph, tiny_encoder: Encoder) -> None:
    graph = make()
    acts = ("opens", "visits", "repairs", "sells", "praises", "closes")
    for act in (*acts, "visits", "visits", "visits"):
        graph.learn(tiny_encoder.units([f"our teacher {act} it"]), day=DAY)
    teacher = buckets_of(tiny_encoder, "teacher")
    neighbours, weights = graph.edges(teacher, day=DAY)
    before, after = weights[0, :EDGES], weights[0, EDGES:]
    assert neighbours[0, 0] == buckets_of(tiny_encoder, "our")[0]
    assert neighbours[0, EDGES + after.argmax()] == buckets_of(tiny_encoder, "visits")[0]
    assert after.max() > 0.6, "what follows most often is confident"
    assert before.sum() <= 1
    assert after.sum() <= 1
    assert (graph.edges(teacher, day=DAY + HALF_LIFE_DAYS)[1] <= weights / 2 + SAME).all()


def test_colours_are_directions_and_tell_company(
    make: MakeGraph, tiny_encoder: Encoder, sentences: list[str]
) -> None:
    graph = make(from_row=UNKNOWN_ONLY)
    graph.learn(tiny_encoder.units(sentences[:100]), day=DAY)
    assert len(graph) == 0, "all words of the training have rows"
    texts = ["Zqxvortamayor repairs the old bridge", "Wukkelbrimayor sells a small bakery"]
    graph.learn(tiny_encoder.units(texts * 5), day=DAY)
    names = buckets_of(tiny_encoder, "zqxvortamayor wukkelbrimayor")
    colours = graph.colours(names)
    assert np.allclose(np.linalg.norm(colours, axis=1), 1, atol=SAME)
    company = tiny_encoder.embed(["repairs the old bridge", "sells a small bakery"])
    likeness = colours @ (company @ graph.axes).T
    assert likeness[0, 0] > likeness[0, 1]
    assert likeness[1, 1] > likeness[1, 0]
    assert not graph.colours(buckets_of(tiny_encoder, "bridge")).any()


def test_what_was_read_brings_a_new_name_to_its_company(
    make: MakeGraph, tiny_encoder: Encoder, sentences: list[str]
) -> None:
    coloured = ColouredEncoder(tiny_encoder, make(from_row=UNKNOWN_ONLY), Hearing(colour=2.0))
    coloured.learn(sentences[:100], day=DAY)
    asked, told = ["zqxvortamayor"], ["repairs the old bridge"]
    before = coloured.embed(asked)
    assert np.allclose(before, tiny_encoder.embed(asked), atol=SAME)
    coloured.learn(["zqxvortamayor repairs the old bridge"] * 3, day=DAY + 1)
    assert coloured.day == DAY + 1
    bridge = tiny_encoder.embed(told)[0]
    assert coloured.embed(asked)[0] @ bridge > before[0] @ bridge + 0.05
    assert np.allclose(coloured.embed(told), tiny_encoder.embed(told), atol=SAME)
    heard = ColouredEncoder(tiny_encoder, coloured.known, Hearing(neighbours=1.0), day=DAY)
    repairs = tiny_encoder.own_rows(buckets_of(tiny_encoder, "repairs"))[0]
    added = heard.heard(tiny_encoder.units(asked))[0]
    assert added @ repairs / np.linalg.norm(added) / np.linalg.norm(repairs) > 0.99


def test_texts_in_their_order_make_the_graph(
    make: MakeGraph, tiny_encoder: Encoder, sentences: list[str], tmp_path: Path
) -> None:
    once, again, other = make(), make(), make()
    once.learn(tiny_encoder.units(sentences[:60]), day=DAY)
    for start in range(0, 60, 20):
        again.learn(tiny_encoder.units(sentences[start : start + 20]), day=DAY)
    other.learn(tiny_encoder.units(sentences[:60][::-1]), day=DAY)
    once.save(tmp_path / "graph")
    kept = UnitColours.load(tmp_path / "graph")
    buckets = np.unique(tiny_encoder.units(sentences[:60]).buckets)
    for same in (again, kept):
        assert len(same) == len(once) == len(buckets)
        assert same.learned == once.learned == 60
        assert np.allclose(same.colours(buckets), once.colours(buckets), atol=2e-3)
        assert np.array_equal(same.weights(buckets, day=DAY), once.weights(buckets, day=DAY))
        for at in range(2):
            mine, theirs = (graph.edges(buckets, day=DAY)[at] for graph in (same, once))
            assert np.array_equal(mine, theirs)
    assert not np.array_equal(other.edges(buckets, day=DAY)[1], once.edges(buckets, day=DAY)[1])
    kept.learn(tiny_encoder.units(sentences[60:80]), day=DAY)
    assert kept.learned == 80
    assert once.learned == 60


def test_limit_holds_and_the_weakest_are_forgotten(
    make: MakeGraph, tiny_encoder: Encoder, sentences: list[str]
) -> None:
    graph = make(from_row=UNKNOWN_ONLY, limit=16)
    size = graph.node_bytes
    old, strong = "zqxoldmayor opens", "zqxstrongmayor opens"
    graph.learn(tiny_encoder.units([old]), day=DAY)
    graph.learn(tiny_encoder.units([strong] * 5), day=DAY)
    for number in range(60):
        name = f"zq{chr(97 + number % 26)}{chr(97 + number // 26)}mayor sells"
        graph.learn(tiny_encoder.units([name]), day=DAY + 1)
        assert len(graph) <= 16
    names = buckets_of(tiny_encoder, "zqxoldmayor zqxstrongmayor zqhcmayor")
    assert (graph.weights(names, day=DAY + 1) > 0).tolist() == [False, True, True]
    assert graph.node_bytes == size
    crowd = " ".join(f"zq{chr(97 + at)}qmayor" for at in range(20))
    graph.learn(tiny_encoder.units([crowd]), day=DAY + 2)
    assert len(graph) == 16, "more new nodes in one text than there is room for"


def test_shuffled_nodes_have_the_same_colours_elsewhere(
    make: MakeGraph, tiny_encoder: Encoder, sentences: list[str]
) -> None:
    graph = make()
    graph.learn(tiny_encoder.units(sentences[:60]), day=DAY)
    buckets = np.unique(tiny_encoder.units(sentences[:60]).buckets)
    mine, theirs = graph.colours(buckets), graph.shuffled(1).colours(buckets)
    assert not np.allclose(mine, theirs)
    assert np.allclose(np.sort(mine, axis=0), np.sort(theirs, axis=0))
    assert np.array_equal(graph.colours(buckets), mine)


def test_damaged_graphs_are_refused(tiny_folder: Path) -> None:
    with pytest.raises(CheckpointError, match="no colours of units"):
        UnitColours.load(tiny_folder)
