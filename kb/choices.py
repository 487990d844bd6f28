"""Given options ranked by how well the stored facts support each: evidence counted, weighed, compared. Pure.

A quiz names its options, and the right one is rarely the one whose words are nearest to the question:
all of them are of the week's news. So for each option the facts are asked how well they hold the
question *and* the option, one by one and with their neighbours; what is told of an option is then set
against the others. The weights are fitted outside and loaded as data.

Shapes: N facts, C options, T terms, F features of one option.
"""

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kb.exact import cosines
from kb.protocols import FloatArray
from kb.quantities import is_same
from kb.retrieve import TITLE_SHARE, Asked, read_question
from kb.stored import StoredFact
from kb.values import Question
from kb.words import Rarity, plain, terms

SHIPPED = "choices.json"

NEIGHBOUR_SHARE = 0.6
"""Of a word that stands only in the sentence before or after."""
NEIGHBOUR_CHARS = 600
"""Facts of one article that begin within so many characters of each other are neighbours."""
BEST = 3
NEAREST = 30
SHARPNESS = 1.5
"""Of the soft maximum over facts, whose scores are in units of their spread."""
CANDIDATES = 40
"""Facts from each half of retrieval, for the question and for it with each option; as `kb.ask` takes."""

_ARTICLE = re.compile(r"^(?:a|an|the) ")
_NO_OPTION = re.compile(r"\b(?:of the above|of these|all three|both)\b", re.IGNORECASE)

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Option:
    """One of the answers given with a question."""

    text: str
    asked: Asked
    """The question with the option behind it."""
    terms: frozenset[str]
    """Its content words."""


def read_options(
    question: Question,
    options: Sequence[str],
    embed: Callable[[Sequence[str]], FloatArray],
    *,
    asked_at: datetime | None,
) -> tuple[Asked, list[Option]]:
    """Take a question and its options apart; one call of `embed` for all of them."""
    together = [f"{question.text} {option}" for option in options]
    vectors = embed([question.text, *together])
    asked = read_question(question, vectors[0], asked_at=asked_at)
    read = [
        Option(
            text=option,
            asked=read_question(Question(text, question.kind), vector, asked_at=asked_at),
            terms=frozenset(terms(option)),
        )
        for option, text, vector in zip(options, together, vectors[1:], strict=True)
    ]
    return asked, read


@dataclass(frozen=True, slots=True)
class ChoiceWeights:
    """A conditional logit over `features_of`, each feature in units of its spread in training."""

    names: tuple[str, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    encoder: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> "ChoiceWeights":
        """Read fitted weights: those at `path`, else the shipped ones.

        Raises:
            ValueError: the file cannot be read, or is something else.
        """
        path = path or Path(__file__).with_name(SHIPPED)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            columns = ("means", "spreads", "weights")
            found = {name: tuple(float(value) for value in stored[name]) for name in columns}
            names = tuple(str(name) for name in stored["names"])
            if names != COMPARED or {len(values) for values in found.values()} != {len(names)}:
                raise ValueError("features and weights do not fit")
            return cls(
                names,
                **found,
                encoder=str(stored["encoder"]),
                metrics=dict(stored.get("metrics", {})),
            )
        except (OSError, KeyError, TypeError, ValueError) as exc:
            raise ValueError(f"{path}: no weights of choices: {exc}") from exc

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "names": list(self.names),
            "means": list(self.means),
            "spreads": list(self.spreads),
            "weights": list(self.weights),
            "encoder": self.encoder,
            "metrics": dict(self.metrics),
        }

    def probabilities(self, features: Matrix) -> Matrix:
        """How likely each option is the right one, from features (C, F); they add up to 1."""
        compared = (compare(features) - np.asarray(self.means)) / np.asarray(self.spreads)
        scores = compared @ np.asarray(self.weights)
        likely = np.exp(scores - scores.max())
        return np.asarray(np.round(likely / likely.sum(), 6), dtype=np.float64)


def _best(values: Matrix, count: int) -> float:
    """Mean of the highest ones; 0 where there are none."""
    return float(np.sort(values)[::-1][:count].mean()) if len(values) else 0.0


FEATURES: tuple[str, ...] = (
    "words of the likeliest",
    "words near the likeliest",
    "words near the nearest",
    "question and option together",
    "likely",
    "likely near",
    "vectors and words",
    "gain",
    "mentions",
    "numbers",
    "words",
    "characters",
    "rarity",
    "has digits",
    "is no option",
    "in question",
)
"""What is told of an option; the last six by itself, the others by the facts."""
FORMS = ("value", "spread", "behind", "rank")
COMPARED = tuple(f"{name}: {form}" for form in FORMS for name in FEATURES)


def compare(features: Matrix) -> Matrix:
    """What is told of each option, and how that stands against the others.

    Args:
        features: (C, F).

    Returns:
        (C, 4 F): the values; in units of their spread around their mean; below the best; share of
        the others that are lower.
    """
    spread = features.std(axis=0)
    standard = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    behind = features - features.max(axis=0)
    lower = (features[:, None, :] > features[None]).sum(axis=1)
    rank = lower / max(len(features) - 1, 1)
    return np.concatenate((features, standard, behind, rank), axis=1)


def features_of(
    asked: Asked,
    options: Sequence[Option],
    facts: Sequence[StoredFact],
    likely: Matrix,
    rarity: Rarity,
) -> Matrix:
    """What the facts tell of each option.

    Args:
        asked: the question alone.
        options: what may be answered; one at least.
        facts: candidates for the question and for it with each option.
        likely: (N,), the probability of each fact to answer the question.
        rarity: how telling words are.

    Returns:
        (C, F), F as in `FEATURES`.
    """
    ordered = sorted(range(len(facts)), key=lambda n: (facts[n].article_id, facts[n].start_char))
    board = _Board(asked, options, [facts[n] for n in ordered], likely[ordered], rarity)
    return np.asarray([board.tell(option) for option in options], dtype=np.float64)


class _Board:
    """Facts in text order, and how well each holds every word in question."""

    def __init__(
        self,
        asked: Asked,
        options: Sequence[Option],
        facts: Sequence[StoredFact],
        likely: Matrix,
        rarity: Rarity,
    ) -> None:
        self._asked, self._facts, self._likely = asked, facts, likely
        words = sorted(asked.terms.union(*(option.terms for option in options)))
        self._columns = {word: at for at, word in enumerate(words)}
        self._weights = np.array([rarity.weight(word) for word in words])
        self._alone, self._near = self._held(words)
        vectors = np.array([fact.vector for fact in facts], dtype=np.float32)
        self._vectors = vectors.reshape(len(facts), len(asked.vector))
        self._cosines = cosines(asked.vector, self._vectors)
        weights = self._weight_of(asked.terms)
        self._near_question = self._near @ weights
        self._liking = _standard(self._alone @ weights) + _standard(self._cosines)
        soft = np.exp(SHARPNESS * (self._liking - self._liking.max(initial=0.0)))
        self._soft = soft / soft.sum() if len(soft) else soft
        self._nearest = np.argsort(-self._liking, kind="stable")[:NEAREST]
        self._plain = [f" {plain(fact.quote)} " for fact in facts]

    def _held(self, words: Sequence[str]) -> tuple[Matrix, Matrix]:
        """How well each fact, alone and with its neighbours, holds each word; (N, T) each."""
        alone = np.array([_shares(fact, words) for fact in self._facts])
        alone = alone.reshape(len(self._facts), len(words))
        near = alone.copy()
        for at, (one, other) in enumerate(itertools.pairwise(self._facts)):
            is_near = other.start_char - one.start_char <= NEIGHBOUR_CHARS
            if one.article_id == other.article_id and is_near:
                near[at + 1] = np.maximum(near[at + 1], NEIGHBOUR_SHARE * alone[at])
                near[at] = np.maximum(near[at], NEIGHBOUR_SHARE * alone[at + 1])
        return alone, near

    def _weight_of(self, words: frozenset[str]) -> Matrix:
        weights = np.zeros(len(self._columns))
        for word in words:
            weights[self._columns[word]] = self._weights[self._columns[word]]
        return weights

    def tell(self, option: Option) -> tuple[float, ...]:
        """The features of one option."""
        own = option.terms - self._asked.terms or option.terms
        weights = self._weight_of(own)
        total = float(weights.sum()) or 1.0
        mass = self._near @ weights
        covers, near = self._alone @ weights / total, mass / total
        nearest = near[self._nearest]
        gains = cosines(option.asked.vector, self._vectors) - self._cosines
        return (
            float(self._soft @ covers),
            float(self._soft @ near),
            float(nearest.mean()) if len(nearest) else 0.0,
            _best(self._near_question + mass, BEST),
            _best(self._likely * covers, 1),
            _best(self._likely * near, 1),
            _best(self._cosines * near, BEST),
            _best(self._likely * gains, 1),
            self._mentions(option),
            self._numbers(option),
            float(len(option.terms)),
            float(len(option.text)),
            total / max(len(own), 1),
            float(any(c.isdigit() for c in option.text)),
            float(_NO_OPTION.search(option.text) is not None),
            len(option.terms & self._asked.terms) / max(len(option.terms), 1),
        )

    def _mentions(self, option: Option) -> float:
        """How near to the question the facts stand that hold the option word for word; 0 without any."""
        said = f" {_ARTICLE.sub('', plain(option.text))} "
        held = np.array([said in quote for quote in self._plain], dtype=bool)
        return _best(np.maximum(self._liking, 0.0)[held], BEST)

    def _numbers(self, option: Option) -> float:
        """The same for those that hold one of its numbers."""
        wanted = [
            one
            for one in option.asked.quantities
            if not any(is_same(one, other) for other in self._asked.quantities)
        ]
        if not wanted:
            return 0.0
        held = np.array(
            [any(is_same(a, b) for a in wanted for b in f.quantities) for f in self._facts],
            dtype=bool,
        )
        return _best(np.maximum(self._liking, 0.0)[held], 1)


def _shares(fact: StoredFact, words: Sequence[str]) -> list[float]:
    """How well a fact holds each word: whole, by its title, not at all."""
    return [
        1.0 if word in fact.quote_terms else TITLE_SHARE if word in fact.title_terms else 0.0
        for word in words
    ]


def _standard(values: Matrix) -> Matrix:
    spread = values.std() if len(values) else 0.0
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)
