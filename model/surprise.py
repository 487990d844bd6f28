"""How surprising the parts of a text are to the language model: what their characters cost it, in bits.

Three listen. The network alone knows its window; with experience of the text itself it also knows all that the text
has said; with all experience it knows besides what was read earlier. Nothing is learned here.

Shapes: T characters of a text as it is laid out.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt

from model.alphabet import Ids
from model.errors import CheckpointError
from model.experience import Experience, Traces
from model.gate import Gate
from model.predict import LanguageModel
from model.predict_data import ARTICLE_END
from model.texts import fold_blanks

Doubles = npt.NDArray[np.float64]
Place = tuple[int, int]

_BREAK = re.compile(r"\s*\n\s*")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Laid:
    """A text as the language model learned to read it, and where its parts stand in that."""

    text: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Costs:
    """Bits of every character of a text; all (T,), 0 for the first."""

    alone: Doubles
    """To the network alone."""
    own: Doubles
    """With what the text itself said before."""
    read: Doubles
    """With what was read earlier as well."""


def lay_out(title: str, text: str, places: Sequence[Place]) -> Laid:
    """A title and paragraphs, one a line, NFC.

    Args:
        title: may be empty.
        text: the paragraphs.
        places: parts of the text that neither begin nor end in blanks; they may overlap.
    """
    written = f"{unicodedata.normalize('NFC', fold_blanks(title))}\n"
    cuts = sorted({0, len(text), *chain.from_iterable(places)})
    moved = {0: len(written)}
    for begin, end in pairwise(cuts):
        written += unicodedata.normalize("NFC", _BREAK.sub("\n", text[begin:end]))
        moved[end] = len(written)
    return Laid(written, tuple((moved[begin], moved[end]) for begin, end in places))


def costs_of(
    model: LanguageModel, texts: Sequence[str], experience: Experience | None = None
) -> list[Costs]:
    """What the characters of some texts cost.

    Args:
        model: with a gate.
        texts: in the order of reading: each is heard with those before it, and they are looked up at once.
        experience: what was read before them; None where nothing was, not even the other texts.

    Raises:
        CheckpointError: the model has no gate to hear experience through.
    """
    if model.gate is None:
        raise CheckpointError(f"{model.name} cannot hear experience: it has no gate")
    ids = [_ids(model, text) for text in texts]
    known = [] if experience is None or not ids else experience.look(np.concatenate(ids))
    found, begin = [], 0
    for each in ids:
        here = [trace.part(begin, begin + len(each)) for trace in known]
        costs = _costs(model, model.gate, each, here)
        found.append(Costs(*(cost[: len(each) - len(ARTICLE_END)] for cost in costs)))
        begin += len(each)
    return found


def learn(model: LanguageModel, texts: Iterable[str], experience: Experience) -> None:
    """Add texts to experience as `costs_of` looks them up."""
    for text in texts:
        experience.learn(_ids(model, text))


def _ids(model: LanguageModel, text: str) -> Ids:
    return model.alphabet.ids(text + ARTICLE_END)


def _costs(
    model: LanguageModel, gate: Gate, ids: Ids, known: Sequence[Traces]
) -> tuple[Doubles, Doubles, Doubles]:
    logs, following = model.logs_of(ids), ids[1:]
    others = model.alphabet.other_bits * (following == model.alphabet.other)

    def bits(found: Doubles) -> Doubles:
        return np.concatenate((np.zeros(1), others - found / math.log(2)))

    def heard(traces: Sequence[Traces]) -> Doubles:
        return bits(gate.logs(logs, following, [each.part(1, len(ids)) for each in traces]))

    own = heard(Experience().look(ids))
    alone = bits(logs[np.arange(len(logs)), following])
    return alone, own, heard(known) if known else own


def mean_bits(costs: Doubles, place: Place) -> float:
    """Bits a character of a part."""
    return float(costs[place[0] : place[1]].mean())


def dearest_word(costs: Doubles, laid: Laid, place: Place) -> float:
    """Bits of the part's word that costs most; words are parted by blanks."""
    begin, end = place
    words = (match.span() for match in _WORD.finditer(laid.text, begin, end))
    return max((float(costs[first:last].sum()) for first, last in words), default=0.0)
