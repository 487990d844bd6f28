"""Store the matrices of trained weights by SpQR, in less than five bits a weight.

    python -m model.pack language --weights FOLDER --out FOLDER --data DIR [--state FILE] [--bits 4]
    python -m model.pack reader --out FOLDER --data DIR

Matrices that act on states are rounded column by column for the inputs that they meet (`spqr.py`): the language model's
on news that was kept out of its training, the reader's on questions of its training. All else stays as it was stored,
but that scales of rows take half their bytes. What is lost is measured by `scripts/rounding_report.py`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.checkpoint import Checkpoint, current_commit, load_checkpoint, save_checkpoint
from model.embed import load_encoder
from model.input_moments import language_moments, reader_moments
from model.predict import LanguageModel
from model.predict_data import joined, read_news_text
from model.predict_train import LOOKED_AT, PredictText, with_gate, with_sureness
from model.quantize import SCALES, quantize_rows
from model.read import Reader
from model.read_sources import SQUAD_FILE, read_squad
from model.rounded_model import packaged, stored_matrices, trained_matrices
from model.spqr import SpqrConfig, quantize_matrix
from model.spqr_stored import Doubles, FloatArray, pack_matrix
from model.stored import array_name, without
from model.tag import load_tagger

MOMENT_CHARS, MOMENT_QUESTIONS = 200_000, 500
"""That second moments are collected on."""
ARTICLES_BEFORE = 500
"""Of the training text, for the gate: more characters than it looks at."""


def packed(
    checkpoint: Checkpoint,
    moments: Mapping[str, Doubles],
    *,
    bits: int = 4,
    trained: Mapping[str, FloatArray] | None = None,
) -> Checkpoint:
    """The same model with its matrices stored by SpQR.

    Args:
        checkpoint: matrices as rows of small integers.
        moments: float64 (D, D), second moments of the inputs of those that are to be stored so, by name.
        bits: of a code, 2 to 8.
        trained: the matrices as they were before they were rounded first, float32 (R, D); by default as rounded.
    """
    known = {name: each.matrix for name, each in stored_matrices(checkpoint).items()}
    arrays = dict(checkpoint.arrays)
    for name, moment in moments.items():
        weight = (trained or known)[name]
        matrix = quantize_matrix(weight, moment, SpqrConfig(bits=bits, tau=math.inf))
        arrays = {**without(arrays, name), **pack_matrix(name, matrix)}
    for name, values in arrays.items():
        if name.endswith(SCALES) and array_name(name) not in moments:
            arrays[name] = values.astype(np.float16)
    return replace(checkpoint, arrays=arrays)


def pack_language(
    checkpoint: Checkpoint, data: Path, *, state: Path | None, bits: int
) -> Checkpoint:
    """A language model packed, for what news of its years make of its inputs.

    What it knows of its own sureness, and its gate, are fitted anew, as at the end of its training.
    """
    news = read_news_text(data)
    development = joined(news.development)
    moments = language_moments(LanguageModel(checkpoint), development[:MOMENT_CHARS])
    known = {name: each.matrix for name, each in stored_matrices(checkpoint).items()}
    known = {name: matrix for name, matrix in known.items() if name in moments}
    trained = known if state is None else trained_matrices(state, known)
    found = _with_small_codes(packed(checkpoint, moments, bits=bits, trained=trained))
    alphabet = LanguageModel(found).alphabet
    training = alphabet.ids(joined(news.training[:ARTICLES_BEFORE]))
    text = PredictText(alphabet, training, alphabet.ids(development)[:LOOKED_AT], news.digest)
    return with_gate(with_sureness(found, text.development), text)


def _with_small_codes(checkpoint: Checkpoint) -> Checkpoint:
    """Four bits for what reads the codes of blocks back: which character is likeliest bears it."""
    arrays = checkpoint.arrays
    for name, each in stored_matrices(checkpoint).items():
        if name.startswith("codes."):
            rows, scales = quantize_rows(each.matrix, bits=4)
            arrays = {**arrays, name: rows, name + SCALES: scales.astype(np.float16)}
    return replace(checkpoint, arrays=arrays)


def pack_reader(checkpoint: Checkpoint, data: Path, *, bits: int) -> Checkpoint:
    """A reader packed, for what questions of its training make of its inputs."""
    source = read_squad(data / "train" / "qa" / SQUAD_FILE)
    step = max(len(source.asked) // MOMENT_QUESTIONS, 1)
    some = replace(source, asked=source.asked[::step][:MOMENT_QUESTIONS])
    reader = Reader(checkpoint, load_encoder(), load_tagger())
    return packed(checkpoint, reader_moments(reader, checkpoint, some), bits=bits)


def main() -> None:
    """Command line."""
    options = _options()
    if options.part == "language":
        checkpoint = load_checkpoint(options.weights)
        found = pack_language(checkpoint, options.data, state=options.state, bits=options.bits)
    else:
        checkpoint = (
            packaged("read") if options.weights is None else load_checkpoint(options.weights)
        )
        found = pack_reader(checkpoint, options.data, bits=options.bits)
    made = {
        "command": f"python -m model.pack {options.part} --bits {options.bits}",
        "commit": current_commit(),
        "of": checkpoint.meta.get("hash"),
        "from_float32": options.state is not None,
    }
    save_checkpoint(replace(found, meta={**found.meta, "packed": made}), options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("language", "reader"))
    parser.add_argument("--weights", type=Path, help="the folder of what is packed")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--state", type=Path, help="a training run's weights in float32")
    parser.add_argument("--bits", type=int, default=4)
    options = parser.parse_args()
    if options.part == "language" and options.weights is None:
        parser.error("which language model? name its folder by --weights")
    return options


if __name__ == "__main__":
    main()
