"""What a reader is trained on travels in one file, as words, to a machine that has not the data folder."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest

from model import DataError, Encoder, load_tagger
from model.read_data import as_sets
from model.read_recipe import ReadMaterial, read_recipe, write_recipe
from model.read_sources import gather_texts
from model.read_words import TextWords, WordBook
from model.tag_data import PARTS
from tests.model.test_read_data import write_training_data


def fresh_book(encoder: Encoder) -> WordBook:
    return WordBook(encoder, load_tagger(), PARTS)


def assert_same(one: TextWords, other: TextWords) -> None:
    for name in ("words", "parts", "names", "sentences"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_material_travels_in_one_file(tmp_path: Path, tiny_encoder: Encoder) -> None:
    data = write_training_data(tmp_path / "data")
    book, path = fresh_book(tiny_encoder), tmp_path / "recipe.xz"
    texts = gather_texts(data, max_questions=1000, max_texts=1000)
    sets = as_sets(texts, book)
    written = ReadMaterial(sets, texts.development, texts.counts, texts.digest)
    write_recipe(written, book, path)
    other = fresh_book(tiny_encoder)
    read = read_recipe(path, other)
    assert other.texts == book.texts
    np.testing.assert_array_equal(other.rarity, book.rarity)
    assert (read.development, read.counts, read.digest) == (
        texts.development,
        texts.counts,
        texts.digest,
    )
    assert list(read.sets) == list(sets)
    for name, given in sets.items():
        found = read.sets[name]
        assert found.siblings == given.siblings
        assert [(e.passage, e.answers) for e in found.examples] == [
            (e.passage, e.answers) for e in given.examples
        ]
        for one, other_text in zip(given.passages, found.passages, strict=True):
            assert_same(one, other_text)
        for example, like in zip(given.examples, found.examples, strict=True):
            assert_same(example.question, like.question)


def test_a_book_that_has_words_is_refused(tmp_path: Path, tiny_encoder: Encoder) -> None:
    book, path = fresh_book(tiny_encoder), tmp_path / "recipe.xz"
    texts = gather_texts(write_training_data(tmp_path), max_questions=9, max_texts=9)
    sets = as_sets(texts, book)
    material = ReadMaterial(sets, texts.development, texts.counts, texts.digest)
    write_recipe(material, book, path)
    used = fresh_book(tiny_encoder)
    used.read(["Zanzibar was here before."])
    with pytest.raises(DataError, match="other words"):
        read_recipe(path, used)


@pytest.mark.parametrize(
    "content", [b"", b"not packed", lzma.compress(b"{}"), lzma.compress(b'{"format": 0}')]
)
def test_a_damaged_recipe_is_said(tmp_path: Path, tiny_encoder: Encoder, content: bytes) -> None:
    path = tmp_path / "recipe.xz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"recipe\.xz"):
        read_recipe(path, fresh_book(tiny_encoder))
