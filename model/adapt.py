"""A language model learns from new articles: QLoRA over its stored weights, on a CPU.

The base is frozen, its matrices rounded as they are stored; beside every linear layer a small one learns, with its
moments in a mapped file. Only the lowest level is trained: of longer blocks a stored model keeps the way from a code to
its characters and not the way back, so there is nothing to compare a higher level with. What the higher levels say
changes with the states below them; how far they can be trusted is measured anew. At the end what was learned is added
to the matrices of the base, and these are stored in rows of eight bits, however they were stored before: at four bits,
rounding night after night would lose much of what a night brings. All else stays as it is, to the bit: alphabet, codes,
tables, norms, and matrices of which nothing was learned.

Whether the result is any better is the matter of `adapt_judge.py`. A run that is killed leaves its file of moments,
which nobody takes up: the next run begins anew.

Shapes: B stretches, T characters of one, V of the alphabet, D width of the lowest level's codes.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.adapt_text import AdaptText
from model.alphabet import Ids
from model.averaged import LARGEST_GRADIENT, rise_and_fall
from model.checkpoint import Arrays, Checkpoint
from model.errors import DataError, ModelError
from model.lora import AdaptedLinear, LoraConfig, adapt_linear_layers
from model.mapped_adam import MappedAdam
from model.predict_data import joined
from model.predict_stored import StoredModel, restore_model
from model.predict_train import with_sureness
from model.quantize import SCALES, quantize_rows
from model.stored import without
from model.word_levels import network_maker

logger = logging.getLogger(__name__)

BETAS = 0.9, 0.98
WARM_UP_STEPS = 20
PROBED = 10
"""After so many steps it is settled how many there will be."""
LEAST_STRETCHES = 4
"""Of training text: less is learned by heart."""
SURENESS_CHARS = 100_000
"""How far levels can be trusted is measured on so many characters."""
_STEPS = 7_927


@dataclass(frozen=True, slots=True)
class AdaptConfig:
    """How a language model is adapted."""

    steps: int = 300
    minutes: float = 30.0
    """Bound on the steps' time. Where it binds, the same seed does not give the same weights."""
    texts: int = 8
    """Stretches of text a step."""
    chars: int = 512
    """Of each of them, a multiple of the highest level's characters."""
    rehearsal: float = 0.25
    """Share of the stretches that are of older articles, where there are any."""
    learning_rate: float = 6e-3
    """Peak of the schedule, a short rise and a cosine fall."""
    lora: LoraConfig = field(default_factory=LoraConfig)
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of the steps."""

    checkpoint: Checkpoint
    """Its meta is the base's, and so is how far its levels are trusted: see `with_new_sureness`."""
    steps: int
    seconds: float
    """Of the steps alone."""


def adapt(
    base: Checkpoint,
    text: AdaptText,
    config: AdaptConfig,
    work: Path,
    *,
    on_step: Callable[[int, int], None] = lambda _step, _steps: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Adapted:
    """Adapt a language model to articles.

    Args:
        base: left as it is.
        text: what is learned and rehearsed; the rest is not looked at.
        config: how.
        work: folder for the moments, of this run alone; made, and removed at the end, whatever comes.
        on_step: told each step's number, from 1, and how many there will be.
        clock: tells the seconds.

    Raises:
        CheckpointError: the base is no language model.
        DataError: there is too little to train on.
        ModelError: the loss or a weight is not finite, or the moments cannot be written.
    """
    stored = restore_model(base)
    ids = stored.alphabet.ids(joined(text.training))
    if len(ids) < (least := LEAST_STRETCHES * config.chars):
        raise DataError(f"too little to learn from: {len(ids)} characters, not {least} or more")
    known = stored.alphabet.ids(joined(text.rehearsed))
    try:
        adapter = Adapter(stored, config, work)
        began = clock()
        planned = config.steps
        while adapter.step < planned and clock() - began < 60 * config.minutes:
            bits = adapter.take_step(stretches(ids, known, config, adapter.step), planned)
            if adapter.step == PROBED:
                planned = min(planned, math.ceil(60 * config.minutes / (clock() - began) * PROBED))
            on_step(adapter.step, planned)
            logger.debug("adapting", extra={"step": adapter.step, "bits": round(bits, 4)})
        seconds = clock() - began
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Adapted(replace(base, arrays=adapter.merged(base.arrays)), adapter.step, seconds)


def with_new_sureness(checkpoint: Checkpoint, text: AdaptText) -> Checkpoint:
    """An adapted model that knows how often its blocks are right, measured on text that was kept out of training."""
    ids = restore_model(checkpoint).alphabet.ids(joined((*text.held_out, *text.older)))
    return with_sureness(checkpoint, ids[:SURENESS_CHARS])


def stretches(new: Ids, known: Ids, config: AdaptConfig, step: int) -> Ids:
    """What a step sees, uint8 (B, T); it depends on the seed and the step's number alone.

    Args:
        new: text to learn, uint8 (N,), a stretch at least.
        known: text to rehearse, uint8 (M,), perhaps none.
        config: how many, and how long.
        step: from 0.
    """
    T = config.chars
    rehearsed = round(config.rehearsal * config.texts) if len(known) >= T else 0
    rng = np.random.default_rng((config.seed, _STEPS, step))
    parts = ((new, config.texts - rehearsed), (known, rehearsed))
    return np.stack(
        [
            text[at : at + T]
            for text, count in parts
            if count
            for at in rng.integers(0, len(text) - T + 1, count)
        ]
    )


class Adapter:
    """The network with what is learned beside it, and how far it is."""

    def __init__(self, stored: StoredModel, config: AdaptConfig, work: Path) -> None:
        """Set up: at first it says what the base says.

        Args:
            stored: the base.
            config: how it is adapted.
            work: folder of the moments.

        Raises:
            ValueError: the stretches are no multiple of the stride.
            ModelError: the moments cannot be written.
        """
        if config.chars % stored.levels.stride:
            raise ValueError(f"{config.chars} characters are no multiple of {stored.levels.stride}")
        self.stored, self.config, self.step = stored, config, 0
        self.table, self.bias = torch.tensor(stored.table), torch.tensor(stored.bias)
        self.network = network_maker(stored.levels, stored.alphabet)(stored.levels)
        self.network.load_state_dict({k: torch.tensor(v) for k, v in stored.network.items()})
        adapt_linear_layers(self.network, config.lora, seed=config.seed)
        self.learned = [it for it in self.network.parameters() if it.requires_grad]
        group = {"params": self.learned, "lr": 0.0, "betas": BETAS, "weight_decay": 0.0}
        self.optimizer = MappedAdam([group], work)

    def take_step(self, rows: Ids, steps: int) -> float:
        """One update.

        Args:
            rows: stretches of text, uint8 (B, T).
            steps: how many there will be.

        Returns:
            Bits a character of these stretches, before the update.

        Raises:
            ModelError: the loss is not finite; nothing was changed.
        """
        torch.manual_seed(self.config.seed + self.step)  # of what `LoraConfig.dropout` leaves out
        loss = self.loss(rows)
        if not bool(torch.isfinite(loss.detach())):
            raise ModelError(
                f"adapting stopped at step {self.step + 1}: the loss is {loss.detach().item()}; "
                "the weights in use stay"
            )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward without types
        nn.utils.clip_grad_norm_(self.learned, LARGEST_GRADIENT)
        share = rise_and_fall((self.step + 1) / WARM_UP_STEPS, self.step / steps)
        self.optimizer.param_groups[0]["lr"] = share * self.config.learning_rate
        self.optimizer.step()
        self.step += 1
        return float(loss.detach()) / math.log(2)

    def loss(self, rows: Ids) -> Tensor:
        """Exact cross-entropy of the characters of stretches, uint8 (B, T), nats a character."""
        ids = torch.from_numpy(rows.astype(np.int64))
        hasher = self.stored.hasher
        units = None if hasher is None else torch.from_numpy(hasher(rows))
        said = self.network(ids, units)[0][:, :-1]  # (B, T - 1, D)
        scores = said @ self.table.T + self.bias  # (B, T - 1, V)
        return functional.cross_entropy(scores.flatten(0, 1), ids[:, 1:].flatten())

    def merged(self, arrays: Arrays) -> Arrays:
        """The stored arrays of the base with the matrices that learned in place of its own, in rows of eight bits.

        Args:
            arrays: of the base, however its matrices are stored.

        Raises:
            ModelError: a weight is not finite.
        """
        found = dict(arrays)
        for layer, module in self.network.named_modules():
            # A layer that nothing was learned of is not rounded again.
            if not isinstance(module, AdaptedLinear) or not bool(module.up.any()):
                continue
            name, weight = f"{layer}.weight", module.merged_weight().numpy()
            if not np.isfinite(weight).all():
                raise ModelError(f"adapting failed: {name} is not finite; the weights in use stay")
            found = without(found, name)
            found[name], found[name + SCALES] = quantize_rows(weight)
        return found
