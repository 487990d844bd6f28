"""Second moments of what the linear layers of a network are given, collected while it runs.

Of nothing but linear layers: rows of a table are looked up one by one, and inputs of a convolution over one channel
never meet those of another.

Shapes: B rows, L places, U units of a text, D inputs of a layer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from model.checkpoint import Arrays, Checkpoint
from model.config import TrunkConfig
from model.embed import Encoder
from model.predict import WINDOW, LanguageModel
from model.read import Reader
from model.read_layout import (
    GAP,
    MAX_PASSAGE_WORDS,
    MAX_QUESTION_WORDS,
    PADDING,
    lay_out_pairs,
)
from model.read_network import ReadNetwork, RowTensors
from model.read_sources import Source
from model.spqr_stored import Doubles
from model.step_batch import Windows
from model.stored import restored_arrays
from model.transformer import Trunk
from model.trunk import PREFIX
from model.word_levels import network_maker

ROWS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Batch:
    """What a network is called with once."""

    arguments: tuple[object, ...]
    is_counted: Tensor | None = None
    """bool (B, L): places that are no padding; None for all. Inputs of other shapes than (B, L, D) all count."""


class _Moment:
    """Of the inputs of one layer: sum of products so far, and how many inputs there were."""

    def __init__(self, width: int) -> None:
        self.sum = torch.zeros((width, width), dtype=torch.float64)
        self.count = 0

    def add(self, inputs: Tensor) -> None:
        """Inputs (n, D)."""
        inputs = inputs.to("cpu", torch.float64)
        self.sum += inputs.T @ inputs
        self.count += len(inputs)


def input_moments(network: nn.Module, batches: Iterable[Batch]) -> dict[str, Doubles]:
    """Run a network, and watch its linear layers.

    Args:
        network: in evaluation mode; it is given back as it was.
        batches: what it is called with.

    Returns:
        By the name of a layer's weight, as torch has it, `spqr.second_moment` of everything the layer was given,
        float64 (D, D); a layer that was given nothing is left out.
    """
    moments: dict[str, _Moment] = {}
    is_counted: Tensor | None = None

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def add(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            inputs = given[0]
            if is_counted is not None and inputs.shape[:-1] == is_counted.shape:
                inputs = inputs[is_counted]
            width = inputs.shape[-1]
            moments.setdefault(name, _Moment(width)).add(inputs.reshape(-1, width))

        return add

    hooks = [
        module.register_forward_pre_hook(watch(f"{name}.weight"))
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        with torch.no_grad():
            for batch in batches:
                is_counted = batch.is_counted
                network(*batch.arguments)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        name: (2 / moment.count * moment.sum).numpy()
        for name, moment in moments.items()
        if moment.count
    }


# ------------------------------------------------------------------------------------ our networks
def language_moments(model: LanguageModel, text: str) -> dict[str, Doubles]:
    """`input_moments` of a language model that reads a text of its stride, or more."""
    stored = model.stored
    network = network_maker(stored.levels, stored.alphabet)(stored.levels).eval()
    network.load_state_dict(_tensors(stored.network))
    ids, stride = model.alphabet.ids(text), stored.levels.stride
    length = min(WINDOW, len(ids) // stride * stride)
    rows = ids[: len(ids) // length * length].reshape(-1, length)

    def batches() -> Iterator[Batch]:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[first : first + ROWS_AT_ONCE]
            units = torch.from_numpy(stored.hasher(part)) if stored.hasher is not None else None
            yield Batch((torch.from_numpy(part.astype(np.int64)), units))

    return input_moments(network, batches())


def reader_moments(reader: Reader, checkpoint: Checkpoint, source: Source) -> dict[str, Doubles]:
    """`input_moments` of a reader that looks for all answers of a source, at the beginning of long passages.

    Args:
        reader: gives words their vectors and tags.
        checkpoint: its weights.
        source: questions and passages.
    """
    arrays = restored_arrays(checkpoint.arrays)
    network = ReadNetwork(
        reader.config,
        dim=arrays["inlet.weight"].shape[1],
        parts=len(arrays["part"]),
        dropout=(0, 0),
    ).eval()
    network.load_state_dict(_tensors(arrays))

    def batches() -> Iterator[Batch]:
        for asked in source.asked:
            question, passage = reader.book.read([asked.question, source.passages[asked.passage]])
            pair = (
                question.take(slice(0, MAX_QUESTION_WORDS)),
                passage.take(slice(0, MAX_PASSAGE_WORDS)),
            )
            if all(len(side) for side in pair):
                length = len(pair[0]) + GAP + len(pair[1])
                rows = RowTensors.of(lay_out_pairs(reader.book, [pair], length))
                yield Batch((rows, torch.from_numpy(reader.book.vectors)), rows.sides != PADDING)

    return input_moments(network, batches())


def trunk_moments(
    encoder: Encoder, config: TrunkConfig, checkpoint: Checkpoint, texts: Sequence[str]
) -> dict[str, Doubles]:
    """`input_moments` of an encoder's trunk that refines texts, each by all layers; of long ones the beginning.

    Args:
        encoder: gives the texts' units their bag vectors.
        config: of its trunk.
        checkpoint: its weights.
        texts: one unit at least in all.

    Returns:
        By the names of the checkpoint.
    """
    arrays = {
        name.removeprefix(PREFIX): array
        for name, array in restored_arrays(checkpoint.arrays).items()
        if name.startswith(PREFIX)
    }
    trunk = Trunk(config, encoder.dim).eval()
    trunk.load_state_dict(_tensors(arrays))
    units, offsets = encoder.limited(depth=0).unit_states(texts)

    def batches() -> Iterator[Batch]:
        for first, end in itertools.pairwise(offsets):
            of_text = torch.from_numpy(units[first : min(end, first + config.window)])
            if len(of_text):
                places, one = torch.arange(len(of_text)), torch.zeros(len(of_text)).long()
                yield Batch((of_text, Windows(places, one[None], places, one)))

    return {PREFIX + name: moment for name, moment in input_moments(trunk, batches()).items()}


def _tensors(arrays: Arrays) -> Mapping[str, Tensor]:
    return {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in arrays.items()}
