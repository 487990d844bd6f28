"""One text for everything: a part to train on, one for the gate, one to validate; and what the last costs at run time.

For programs that train a language model on a single text and report how well it reads the rest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace

from model.checkpoint import Checkpoint
from model.experience import Experience
from model.predict import LanguageModel
from model.predict_stored import language_model_config, stored_arrays
from model.predict_train import PredictText, with_gate
from model.predict_trainer import PredictTrainer


def keep_out(text: PredictText, chars: int) -> tuple[PredictText, PredictText]:
    """Part the first characters from a training text, for the gate to be fitted on.

    The first ones: the last tell of those whom the validation text goes on to tell of.

    Returns:
        What is trained on, with the validation text; the same with what was kept out in its place.
    """
    training, first = text.training[chars:], text.training[:chars]
    return replace(text, training=training), replace(text, training=training, development=first)


def as_stored(trainer: PredictTrainer, text: PredictText, *, name: str) -> Checkpoint:
    """What a trainer has come to, as it would be shipped."""
    arrays = stored_arrays(trainer.averaged(), trainer.codes)
    return Checkpoint(arrays, language_model_config(name, trainer.levels, text.alphabet), {})


def run_time_nats(
    checkpoint: Checkpoint, text: PredictText, kept_out: PredictText
) -> Mapping[str, float]:
    """What the validation text costs a character, nats, in every way a model can read it.

    Args:
        checkpoint: what was trained.
        text: with the validation text.
        kept_out: as `keep_out` gave it.

    Returns:
        `stored`: by the network alone; `experienced`: with experience that begins with nothing; `after_training_text`:
        with that of the whole training text; and `experience_s`, seconds that gate and experience took.
    """
    began = time.perf_counter()
    model = LanguageModel(with_gate(checkpoint, kept_out))
    read = Experience()
    read.learn(kept_out.development)
    read.learn(kept_out.training)
    prepared_s = time.perf_counter() - began
    validation = text.alphabet.text(text.development)
    alone, experienced = model.costs(validation, Experience())
    bits = {
        "stored": alone,
        "experienced": experienced,
        "after_training_text": model.bits(validation, read),
    }
    nats = {name: round(float(each.mean()) * math.log(2), 4) for name, each in bits.items()}
    return {**nats, "experience_s": round(prepared_s, 1)}
