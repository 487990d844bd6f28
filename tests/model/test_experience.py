"""The graph of what was read, and the gate through which it is heard beside the network."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict

import numpy as np
import numpy.typing as npt
import pytest

from model import CheckpointError, experience
from model.alphabet import Ids
from model.experience import Experience
from model.gate import features
from model.predict import LanguageModel
from tests.model.language_models import (
    checkpoint,
    gated_checkpoint,
    invented_text,
    predict_text,
)

LENGTHS = (2, 5)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(gated_checkpoint())


def counted(ids: Ids, length: int) -> npt.NDArray[np.int64]:
    """Times, kinds, weight, last and age at every character, by plain counting."""
    followers: dict[bytes, Counter[int]] = defaultdict(Counter)
    latest: dict[bytes, tuple[int, int]] = {}
    rows = [(0, 0, 0, 0, 0)] * min(length, len(ids))
    for at in range(length, len(ids)):
        node, one = ids[at - length : at].tobytes(), int(ids[at])
        seen = followers[node]
        last, place = latest.get(node, (0, at))
        rows.append((seen.total(), len(seen), seen[one], last, at - place))
        seen[one] += 1
        latest[node] = one, at
    return np.array(rows)


def as_rows(traces: experience.Traces) -> npt.NDArray[np.int64]:
    return np.stack([getattr(traces, each.name) for each in dataclasses.fields(traces)], axis=1)


def test_a_text_that_is_read_counts_within_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "PENDING", 300)
    ids = np.random.default_rng(1).integers(0, 5, 1500).astype(np.uint8)
    for bound in (10**6, 200):
        graph = Experience(LENGTHS, most_edges=bound)
        other = graph.copy()
        found = [as_rows(each) for each in graph.read(ids)]
        assert (other.size, other.learned, graph.learned) == (0, 0, len(ids))
        assert graph.size <= bound * len(LENGTHS)
        is_same = [
            np.array_equal(rows, counted(ids, at)) for rows, at in zip(found, LENGTHS, strict=True)
        ]
        assert is_same == [True, bound > 200]  # of two characters there are 125 edges at most
    assert [as_rows(each).shape for each in Experience(LENGTHS).read(ids[:0])] == [(0, 5)] * 2


@pytest.mark.parametrize("pending", [1 << 17, 300, 1])
def test_it_counts_what_followed(pending: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "PENDING", pending)
    ids = np.random.default_rng(1).integers(0, 5, 1500).astype(np.uint8)
    graph, found = Experience(LENGTHS), []
    for part in np.split(ids, [1, 4, 400, 900, 901, 1300]):
        found.append([as_rows(each) for each in graph.look(part)])
        graph.learn(part)
    for at, length in enumerate(LENGTHS):
        rows = np.concatenate([each[at] for each in found])
        np.testing.assert_array_equal(rows, counted(ids, length))


def test_it_grows_only_with_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "PENDING", 1)
    graph = Experience(LENGTHS)
    once = np.frombuffer(b"abcdefgh" * 8, np.uint8)
    graph.learn(once)
    size = graph.size
    graph.learn(once)
    assert 0 < graph.size == size
    assert graph.learned == 128


def test_looking_teaches_nothing() -> None:
    graph = Experience(LENGTHS)
    ids = np.arange(40, dtype=np.uint8)
    first = [as_rows(each) for each in graph.look(ids)]
    second = [as_rows(each) for each in graph.look(ids)]
    np.testing.assert_array_equal(first, second)


def test_an_empty_text_has_no_traces() -> None:
    graph = Experience(LENGTHS)
    graph.learn(np.zeros(0, np.uint8))
    assert [len(each.times) for each in graph.look(np.zeros(0, np.uint8))] == [0, 0]


def test_what_is_heard_is_a_distribution(model: LanguageModel) -> None:
    """The shares of all characters that might come add up to one, wherever experience knows something."""
    graph = Experience()
    graph.learn(model.alphabet.ids(invented_text(200, seed=5)))
    known = model.alphabet.ids(invented_text(2, seed=6)[:90])
    assert model.gate is not None
    total = 0.0
    for one in range(model.alphabet.size):
        ids = np.append(known, np.uint8(one))
        traces = [each.part(len(known), len(ids)) for each in graph.look(ids)]
        total += float(np.exp(model.gate.logs(model.logs_of(ids)[-1:], ids[-1:], traces)[0]))
    assert total == pytest.approx(1, abs=1e-6)


def test_the_gate_does_not_see_what_comes_now(model: LanguageModel) -> None:
    graph = Experience()
    graph.learn(predict_text().training[:3000])
    known = predict_text().development[:50]
    seen = []
    for one in (0, 7):
        ids = np.append(known, np.uint8(one))
        traces = [each.part(1, len(ids)) for each in graph.look(ids)]
        seen.append(features(model.logs_of(ids), traces))
    np.testing.assert_array_equal(seen[0], seen[1])


def test_what_was_read_before_costs_less(model: LanguageModel) -> None:
    new = "A heron named Quillon ate 17 fish near Zwolle. "
    graph = Experience()
    before = model.bits(new, graph).mean()
    graph.learn(model.alphabet.ids(new))
    assert model.bits(new, graph).mean() < 0.9 * before
    assert model.bits(new + new, Experience())[len(new) :].mean() < 0.9 * before


def test_without_a_gate_nothing_can_be_heard() -> None:
    with pytest.raises(CheckpointError, match="it has no gate"):
        LanguageModel(checkpoint()).bits("text", Experience())


def test_with_a_gate_the_network_alone_says_what_it_said(model: LanguageModel) -> None:
    text = invented_text(10, seed=4)
    np.testing.assert_array_equal(model.bits(text), LanguageModel(checkpoint()).bits(text))


def test_when_it_is_full_the_weakest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "PENDING", 1)
    monkeypatch.setattr(experience, "HALF_LIFE", 100)
    graph, unbounded = Experience((2,), most_edges=12), Experience((2,))
    often, once, late = (
        np.frombuffer(part, np.uint8) for part in (b"abcd" * 30, b"rstuvwxyz", b"mnop")
    )
    for part in (once, often, late):
        graph.learn(part)
        unbounded.learn(part)
        assert graph.size <= 12
    assert unbounded.size > 12
    known = [as_rows(graph.look(part)[0])[2:] for part in (often[:6], late, once)]
    assert (known[0][:, 0] > 20).all()  # passed often
    assert (known[1][:, 0] == 1).all()  # passed lately
    assert known[2][:, 0].tolist() == [0, 0, 0, 0, 0, 1, 1]  # five were too many
    np.testing.assert_array_equal(known[0], as_rows(unbounded.look(often[:6])[0])[2:])


def test_what_is_passed_often_outlives_what_is_passed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "PENDING", 1)
    graph = Experience((3,), most_edges=400)
    rng = np.random.default_rng(3)
    often = np.arange(200, 216, dtype=np.uint8)
    for _ in range(8):
        graph.learn(often)
    for _ in range(20):
        graph.learn(rng.integers(0, 200, 100).astype(np.uint8))
    assert graph.size == 400
    assert (as_rows(graph.look(often)[0])[3:, 2] == 8).all()
