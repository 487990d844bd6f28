"""Training learns from a handful of sentences, honours open labels and the order of tags, and repeats exactly."""

import numpy as np
import pytest
import torch

from model.tag import IMPOSSIBLE, Tagger
from model.tag_data import NAME_TAGS, PARTS, Labelled, detokenise, entity_spans, label_names
from model.tag_train import (
    TagTrainConfig,
    feature_hashes,
    forbidden_transitions,
    forward_sum,
    train_head,
)
from model.tag_vocabulary import build_vocabulary
from model.tag_words import FEATURES

CONFIG = TagTrainConfig(
    name_rows=1 << 12, part_rows=1 << 12, epochs=12, batch_words=40, dropout=0.0
)
TEXTS = ["Ana Bell met Bo Li in Rome .", "Bo Li left Rome .", "The town of Rome is old ."] * 4


def sentences() -> list[Labelled]:
    names = {
        "Ana": "B-person",
        "Bell": "I-person",
        "Bo": "B-person",
        "Li": "I-person",
        "Rome": "B-location",
    }
    return [
        Labelled(tuple(text.split()), tuple((names.get(word, "O"),) for word in text.split()))
        for text in TEXTS
    ]


@pytest.fixture(scope="module")
def vocabulary():
    return build_vocabulary(TEXTS * 3, seed=1)


def test_a_few_sentences_can_be_learned_by_heart(vocabulary):
    names = train_head(sentences(), NAME_TAGS, rows=1 << 12, vocabulary=vocabulary, config=CONFIG)
    parts = train_head(
        [Labelled(s.words, tuple(("NN",) for _ in s.words)) for s in sentences()],
        PARTS,
        rows=1 << 12,
        vocabulary=vocabulary,
        config=CONFIG,
    )
    tagger = Tagger("test", names=names, parts=parts, vocabulary=vocabulary)
    text = "Ana Bell left Rome."
    assert [(text[s.start_char : s.end_char], s.kind) for s in tagger.tag(text)] == [
        ("Ana Bell", "person"),
        ("Rome", "location"),
    ]
    assert {word.pos for word in tagger.read(text).words} == {"NN"}


def test_training_twice_gives_the_same_weights(vocabulary):
    first, second = (
        train_head(sentences(), NAME_TAGS, rows=1 << 10, vocabulary=vocabulary, config=CONFIG)
        for _ in range(2)
    )
    assert np.array_equal(first.weights, second.weights)
    assert np.array_equal(first.transitions, second.transitions)


def test_a_sentence_features_do_not_depend_on_its_neighbours(vocabulary):
    words = [s.words for s in sentences()]
    together = feature_hashes(words, vocabulary)
    alone = feature_hashes(words[:1], vocabulary)
    assert together.shape == (sum(map(len, words)), FEATURES)
    assert np.array_equal(together[: len(words[0])], alone)


def test_inside_tags_only_follow_their_own_kind():
    forbidden = forbidden_transitions(NAME_TAGS)
    number = {tag: i for i, tag in enumerate(NAME_TAGS)}
    assert forbidden[number["O"], number["I-person"]]
    assert forbidden[-1, number["I-misc"]]
    assert forbidden[number["B-location"], number["I-person"]]
    assert not forbidden[number["B-person"], number["I-person"]]


def test_sum_over_paths_equals_enumeration():
    scores = torch.randn(3, 2, generator=torch.Generator().manual_seed(3))
    path = torch.tensor([[0.1, -0.2], [0.3, float(IMPOSSIBLE)], [0.0, 0.5]])
    paths = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    worth = [
        path[2, a] + scores[0, a] + path[a, b] + scores[1, b] + path[b, c] + scores[2, c]
        for a, b, c in paths
    ]
    assert forward_sum(scores, torch.tensor([3]), path).item() == pytest.approx(
        torch.logsumexp(torch.stack(worth), 0).item(), abs=1e-5
    )


def test_labels_follow_the_characters_when_words_are_split_anew():
    tokens = ["Ana", "Bell", "'s", "pro-Roman", "friend", "(", "Bo", ")", "won", "."]
    tags = ["B-PER", "I-PER", "O", "B-MISC", "O", "O", "B-PER", "O", "O", "O"]
    text, places = detokenise(tokens)
    assert text == "Ana Bell's pro-Roman friend (Bo) won."
    labelled = label_names(text, entity_spans(tags, places), ("O", "B-misc"))
    pairs = dict(zip(labelled.words, labelled.allowed, strict=True))
    assert pairs["Bell"] == ("I-person",)
    assert pairs["pro-Roman"] == ("B-misc",)
    assert pairs["friend"] == ("O", "B-misc")
