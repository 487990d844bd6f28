"""The language model at run time: how likely a text is, character by character, and what may come next.

It predicts the code of what follows on every level, of 1, 2, 4 and 8 characters, whenever a state of the level is
complete: after so many characters, or after 1, 2 and 4 words. On the lowest one likenesses to the codes of all
characters make an exact distribution; above it a code is read back to the block that it is likeliest of, and its length
says how sure the model is. Needs numpy only.

Shapes: T characters, V of the alphabet, D width of a level's codes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.alphabet import Ids
from model.checkpoint import WEIGHTS, Checkpoint, load_checkpoint
from model.errors import CheckpointError
from model.experience import Experience
from model.level_ends import Places
from model.level_forward import LevelForward
from model.predict_stored import StoredModel, restore_model
from model.unit_hash import LOOK_BACK, UnitFinder, letters_of

FloatArray = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

READ_AT_ONCE = 512
WINDOW = 512
"""Characters that attention looks back over: as many as in training."""
_NAME_DIGITS = 8


class LanguageModel:
    """A trained language model; `reading` begins a text, several may be read at a time."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Set up from a checkpoint.

        Raises:
            CheckpointError: it holds another kind of model.
        """
        self.stored: StoredModel = restore_model(checkpoint)
        self.alphabet = self.stored.alphabet
        self._is_letter = letters_of(self.alphabet)
        self.hash = str(checkpoint.meta.get("hash", ""))
        self.name = f"tidings-predict-{checkpoint.config['preset']}-{self.hash[:_NAME_DIGITS]}"
        self.params = sum(array.size for array in self.stored.network.values())
        self.bytes = sum(array.nbytes for array in checkpoint.arrays.values())
        self.gate = self.stored.gate
        self.sureness = tuple(
            Sureness(tuple(each["lengths"]), tuple(each["shares"]))
            for each in checkpoint.config.get("sureness", ())
        )

    def reading(self, *, window: int = WINDOW) -> Reading:
        """Begin a text.

        Args:
            window: characters that attention looks back over.
        """
        stored = self.stored
        forward = LevelForward.of(
            stored.network, stored.levels, window=window, is_letter=self._is_letter
        )
        return Reading(forward, stored.hasher)

    def bits(self, text: str, experience: Experience | None = None) -> Doubles:
        """What each character after the first costs when all before it are known, in bits, float64 (T - 1,).

        The text is normalised to NFC first. A character that the alphabet does not hold costs the bits of the choice
        among all others besides.

        Args:
            text: any.
            experience: what was read before, heard beside the network with what of the text has been read; itself it
                learns nothing. None for the network alone.

        Raises:
            CheckpointError: there is experience, but the model has no gate to hear it through.
        """
        return self.costs(text, experience)[1]

    def costs(self, text: str, experience: Experience | None) -> tuple[Doubles, Doubles]:
        """The `bits` of the network alone, and those with experience: without any they are the same."""
        ids = self.alphabet.ids(text)
        if experience is not None and self.gate is None:
            raise CheckpointError(f"{self.name} cannot hear experience: it has no gate")
        traces = experience.copy().read(ids) if experience is not None else []
        alone, heard = [np.zeros(0)], [np.zeros(0)]
        for first, logs in self._logs_by_stretch(ids):
            following = ids[first : first + len(logs)]
            alone.append(logs[np.arange(len(logs)), following])
            if traces and self.gate is not None:
                here = [trace.part(first, first + len(logs)) for trace in traces]
                heard.append(self.gate.logs(logs, following, here))
        others = self.alphabet.other_bits * (ids[1:] == self.alphabet.other)
        bits = np.concatenate(alone) / -math.log(2) + others
        return bits, np.concatenate(heard) / -math.log(2) + others if traces else bits

    def logs_of(self, ids: Ids) -> Doubles:
        """Logs of the network's distributions of every character after the first, float64 (T - 1, V)."""
        found = [np.zeros((0, self.alphabet.size))]
        return np.concatenate(found + [logs for _, logs in self._logs_by_stretch(ids)])

    def _logs_by_stretch(self, ids: Ids) -> Iterator[tuple[int, Doubles]]:
        """The same by stretches, with the place of the first character that each tells of."""
        reading = self.reading()
        for first in range(0, len(ids) - 1, READ_AT_ONCE):
            said = reading.read(ids[first : first + READ_AT_ONCE])[0]
            yield first + 1, self.log_shares(said[: len(ids) - 1 - first])

    def scores(self, said: FloatArray) -> FloatArray:
        """Scores of all characters, (T, V), from what the lowest level says, (T, D)."""
        found: FloatArray = said @ self.stored.table.T + self.stored.bias
        return found

    def log_shares(self, said: FloatArray) -> Doubles:
        """Logs of the distribution over all characters, float64 (T, V), from what the lowest level says."""
        scores = self.scores(said).astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        return np.asarray(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))

    def signs(self, level: int, codes: FloatArray) -> Doubles:
        """What tells how sure a level is of blocks whose codes (N, D) it predicts, float64 (N,): their lengths."""
        del level  # the same on all of them
        return np.asarray(np.linalg.norm(codes, axis=1), np.float64)

    def share_right(self, level: int, code: FloatArray) -> float:
        """How often a level's block is right whose code (D,) has such a sign."""
        return self.sureness[level].share(float(self.signs(level, code[None])[0]))


@dataclass(frozen=True, slots=True)
class Sureness:
    """How often a level's block is right whose code is so long; fitted on text that was not trained on."""

    lengths: tuple[float, ...]
    """Ascending; none where a level never said anything of that text."""
    shares: tuple[float, ...]
    """0 to 1, never falling."""

    def share(self, length: float) -> float:
        """Of blocks with such a code, how many are right; 0 where nothing is known of it."""
        return float(np.interp(length, self.lengths, self.shares)) if self.lengths else 0.0


class Reading:
    """How far one text has been read."""

    def __init__(self, network: LevelForward, hasher: UnitFinder | None) -> None:
        self._network, self._hasher = network, hasher
        self._tail = np.zeros(0, np.uint8)

    @property
    def length(self) -> int:
        """Characters read."""
        return self._network.length

    def ends(self, level: int) -> Places:
        """Where the states of a level end that the last stretch completed; see `LevelEnds.of`."""
        return self._network.ends.of(level)

    def read(self, ids: Ids) -> list[FloatArray]:
        """Read on; see `LevelForward.read`."""
        units = None
        if self._hasher is not None:
            known = np.concatenate((self._tail, ids))
            units = self._hasher(known[None])[0, len(self._tail) :]
            self._tail = known[
                -(LOOK_BACK + len(ids)) :
            ]  # so much that all of it may be taken back
        return self._network.read(ids, units)

    def take_back(self, count: int) -> None:
        """Forget the last characters of the stretch that was read last."""
        self._network.take_back(count)
        self._tail = self._tail[: len(self._tail) - count]


def load_language_model(folder: Path | None = None) -> LanguageModel:
    """Load a language model; see `language_checkpoint`.

    Raises:
        CheckpointError: besides, the files are of another kind of model, or an array is not what it should be.
    """
    checkpoint = language_checkpoint(folder)
    try:
        return LanguageModel(checkpoint)
    except CheckpointError as exc:
        place = f"the packaged {WEIGHTS}" if folder is None else folder / WEIGHTS
        raise CheckpointError(f"cannot use {place}: {exc}") from exc


def language_checkpoint(folder: Path | None = None) -> Checkpoint:
    """Read a language model's weights.

    Args:
        folder: with `weights.safetensors`, `config.json` and `meta.json`; the packaged one by default.

    Raises:
        CheckpointError: files are missing, damaged, or of another format.
    """
    if folder is not None:
        return load_checkpoint(folder)
    with as_file(files("model") / "weights" / "predict") as packaged:
        if not packaged.is_dir():
            raise CheckpointError("no language model is packaged; name a folder, or train one")
        return load_checkpoint(packaged)
