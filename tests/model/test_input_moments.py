"""Second moments of layers' inputs: what a layer is really given, and nothing of padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.embed import load_encoder
from model.input_moments import (
    Batch,
    input_moments,
    language_moments,
    reader_moments,
    trunk_moments,
)
from model.predict import LanguageModel
from model.read import load_reader
from model.read_network import VECTOR_SIZE
from model.read_sources import Asked, Source
from model.rounded_model import packaged
from model.spqr import second_moment
from model.stored import restored_arrays
from model.unit_hash import UnitHash
from tests.model.conftest import invented_sentences
from tests.model.language_models import checkpoint, predict_text


class TwoLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 3), nn.Linear(3, 2, bias=False)
        self.idle = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(torch.relu(self.first(x)))
        return out


def rows(count: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(count).standard_normal((2, count, 5))).float()


def test_are_of_what_each_layer_is_given() -> None:
    network, batches = TwoLayers().eval(), [rows(4), rows(7)]
    found = input_moments(network, [Batch((each,)) for each in batches])
    inputs = np.concatenate([each.numpy().reshape(-1, 5) for each in batches]).astype(np.float64)
    assert np.allclose(found["first.weight"], 2 / 22 * inputs.T @ inputs)
    weight, bias = (each.detach().numpy() for each in (network.first.weight, network.first.bias))
    hidden = np.maximum(inputs @ weight.T + bias, 0)
    assert np.allclose(found["second.weight"], second_moment(hidden), atol=1e-6)


def test_a_layer_that_is_not_called_has_none() -> None:
    assert set(input_moments(TwoLayers(), [Batch((rows(4),))])) == {"first.weight", "second.weight"}


def test_padding_does_not_count() -> None:
    network, x = TwoLayers().eval(), rows(4)
    is_counted = torch.tensor([[True, True, False, False], [True, True, True, False]])
    found = input_moments(network, [Batch((x,), is_counted)])
    assert np.allclose(found["first.weight"], second_moment(x[is_counted].numpy()))


def test_the_network_is_watched_no_longer() -> None:
    network = TwoLayers().eval()
    with pytest.raises(TypeError):
        input_moments(network, [Batch((rows(4),)), Batch(())])
    assert not any(module._forward_pre_hooks for module in network.modules())


# ------------------------------------------------------------------------------------- our networks
def normed(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.sqrt(np.square(x).mean(axis=1, keepdims=True) + 1e-5) * weight)


def test_the_language_model_is_given_characters_and_units() -> None:
    model = LanguageModel(checkpoint())
    text = model.alphabet.text(predict_text().development[:512])
    found = language_moments(model, text)
    arrays, hasher = model.stored.network, model.stored.hasher
    assert isinstance(hasher, UnitHash)
    ids = model.alphabet.ids(text)
    x = arrays["characters.weight"][ids] + arrays["units.weight"][hasher(ids[None])[0]].sum(axis=1)
    given = normed(x, arrays["up.0.0.norm.weight"])
    assert np.allclose(found["up.0.0.gate.weight"], second_moment(given), atol=1e-4)
    matrices = {name for name, each in arrays.items() if each.ndim == 2 and "near" not in name}
    assert set(found) == matrices - {"characters.weight", "units.weight"}
    assert all(each.shape == (arrays[name].shape[1],) * 2 for name, each in found.items())


def test_the_trunk_is_given_the_bags_of_units() -> None:
    checkpoint, encoder, texts = packaged("embed"), load_encoder(), invented_sentences(20)
    config = encoder.config.trunk
    assert config is not None
    found = trunk_moments(encoder, config, checkpoint, texts)
    units, _ = encoder.limited(depth=0).unit_states(texts)
    given = units / np.sqrt(np.square(units).mean(axis=1, keepdims=True) + 1e-10)
    assert np.allclose(found["trunk.inlet.weight"], second_moment(given), atol=1e-4)
    matrices = {name for name, each in restored_arrays(checkpoint.arrays).items() if each.ndim == 2}
    assert set(found) == {name for name in matrices if name.startswith("trunk.")}


def test_the_reader_is_given_the_vectors_of_words() -> None:
    passage = "In 1984 Anna Keller bought the old bridge in Oslo. The mayor was not amused."
    question = "Who bought the old bridge?"
    source = Source((passage,), ("",), (Asked(question, 0, ()), Asked("", 0, ())))
    checkpoint, reader = packaged("read"), load_reader(encoder=load_encoder())
    found = reader_moments(reader, checkpoint, source)
    words = np.concatenate([each.words for each in reader.book.read([question, passage])])
    given = reader.book.vectors[words] * VECTOR_SIZE
    assert np.allclose(found["inlet.weight"], second_moment(given), rtol=1e-4, atol=1e-4)
    matrices = {name for name, each in restored_arrays(checkpoint.arrays).items() if each.ndim == 2}
    others = {"part", "name", *(f"blocks.{layer}.near" for layer in range(3))}
    assert set(found) == matrices - others
