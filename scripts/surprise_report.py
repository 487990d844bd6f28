"""Whether the language model's surprise helps the verdict on news and the choice of what to ask.

    python scripts/surprise_report.py --data DIR [--language FOLDER] [--parts verdict,questions] [--limit N]
        [--out FILE]

The verdict: sentences of a dated stream, new or repeated by the rule of the novelty suite, and copies, changed or not.
Each is told by what the store has today (verdict, probabilities, cosine) and by the bits that it costs the network
alone, with its article before it, and with experience of all articles before. Questions: the spans of a sentence that
could be asked about, in today's order and by what they cost, beside those that people did ask about: of questions that
are kept out of the asker's training, and of more that are not, for neither order learns from any. Whether surprise adds
anything is told by two logistic regressions, without it and with it, that predict whole stories or passages that they
did not see. No article of the stream is among those that the language model learns from; some of the quizzes' are.
Nothing of a test set is read.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import comb
from pathlib import Path
from typing import Any

import numpy as np

from agent.evaluate_novelty import BATCH, REPEATS, learn_stream, read_newsroom, run_trials
from agent.ingest import Reading
from agent.novelty_copies import original_id
from agent.novelty_rule import find_covering
from agent.novelty_scores import Change, Ruled, Trials, first_scored
from agent.phrases import Sentence
from agent.progress import SilentProgress
from agent.questions import liked_questions, worth_of
from agent.spans import AnswerSpan, find_spans
from agent.wording import object_spans
from kb import Answerability, Article, Decision, Embedder, KnowledgeBase
from model import Tagger, load_encoder, load_tagger
from model.ask import same_words
from model.ask_data import DEVELOPMENT_YEARS, placed_questions
from model.ask_text import Asked
from model.checkpoint import current_commit
from model.experience import Experience
from model.gain import Flags, columns_of, compare, cross_scores, interval, stacked
from model.linear import Places
from model.predict import LanguageModel, load_language_model
from model.read_metrics import Floats
from model.read_news import YEARS, read_news_quizzes
from model.read_sources import SQUAD_FILE, read_squad
from model.surprise import Costs, Laid, Place, costs_of, dearest_word, lay_out, learn, mean_bits
from model.texts import split_sentences
from model.timing import describe_machine

REPORT = Path(__file__).resolve().parent / "reports" / "surprise.json"
LIMIT = 600
"""Articles learned."""
QUESTIONS_AN_ARTICLE = 3
"""Of each source, so many are read for each article learned."""
UNWORDED = -5.0
"""Worth of a span that no question can be worded about: below all others."""
TOP = ("first", "first_three")
"""Whether the span that comes first was asked about; whether one of the first three was."""

Found = dict[str, Any]
Home = tuple[str, int]
"""Of a sentence: its passage, and where it begins in that."""
Key = tuple[str, int]
"""Of a sentence of the stream or a copy: its article and where it begins."""


def main() -> int:
    """Measure what is asked for, and write the report."""
    options = _options()
    parts = options.parts.split(",")
    if unknown := sorted(set(parts) - set(PARTS)):
        sys.exit(f"no part {unknown[0]!r}; there is {', '.join(PARTS)}")
    model = load_language_model(options.language)
    if model.gate is None:
        sys.exit(f"{model.name} cannot hear experience: it has no gate")
    report: Found = {
        "report": "surprise",
        "model": {"name": model.name, "hash": model.hash, "bytes": model.bytes},
        "limit": options.limit,
        "machine": describe_machine(),
        "commit": current_commit(),
    }
    for name in parts:
        began = time.perf_counter()
        report[name] = PARTS[name](options.data, model, options.limit)
        report[name]["seconds"] = round(time.perf_counter() - began, 1)
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


# ---------------------------------------------------------------------------------------------------- the verdict
@dataclass(frozen=True, slots=True)
class Told:
    """An article, or as much of a copy as is read, with those of its sentences that are worth keeping."""

    title: str
    text: str
    sentences: tuple[Ruled, ...] = ()


def measure_verdict(data: Path, model: LanguageModel, limit: int) -> Found:
    """Learn the stream, make copies, and compare what tells news."""
    articles, stories = read_newsroom(data, limit)
    reading = Reading(load_encoder(), load_tagger(), None)
    with (
        tempfile.TemporaryDirectory() as home,
        KnowledgeBase.open(Path(home), reading.embedder, Answerability.load()) as kb,
    ):
        learn_stream(kb, reading, articles, SilentProgress())
        trials = run_trials(kb, reading, articles, stories, SilentProgress())
    experience = Experience()
    costs = dict(hear_stream(model, trials, experience))
    changed, known = changed_copies(trials), whole(trials.syndicated)
    for start in range(0, len(changed) + len(known), BATCH):
        costs |= _hear(model, [*changed, *known][start : start + BATCH], experience)
    covering = find_covering([one.said for one in trials.stream])
    stream = [
        (one, not earlier)
        for one, earlier in zip(trials.stream, covering, strict=True)
        if key_of(one) in costs
    ]
    copies = [(one, one is told.sentences[-1]) for told in changed for one in told.sentences]
    copies += [(one, False) for told in known for one in told.sentences]
    shelf = Shelf(trials, reading.embedder)
    return {
        "articles": len(articles),
        "new_or_repeated": _compared(stream, shelf, costs),
        "changed_or_known": _compared(copies, shelf, costs),
    }


def _compared(
    ruled: Sequence[tuple[Ruled, bool]], shelf: Shelf, costs: Mapping[Key, dict[str, float]]
) -> Found:
    sentences = [one for one, _ in ruled]
    far = 1 - shelf.nearest(sentences)
    today = [
        {**told_today(one), "distance": float(at)} for one, at in zip(sentences, far, strict=True)
    ]
    return compare(
        np.array([is_new for _, is_new in ruled]),
        [shelf.story(one.article) for one in sentences],
        columns_of(today),
        columns_of([costs[key_of(one)] for one in sentences]),
    )


def key_of(ruled: Ruled) -> Key:
    """What tells a sentence from all others."""
    return ruled.article.id, ruled.start_char


def whole(sentences: Iterable[Ruled]) -> list[Told]:
    """Their articles."""
    found: dict[str, list[Ruled]] = defaultdict(list)
    for ruled in sentences:
        found[ruled.article.id].append(ruled)
    return [Told(one[0].article.title, one[0].article.text, tuple(one)) for one in found.values()]


def changed_copies(trials: Trials) -> list[Told]:
    """Changed copies up to their changed sentence, which is the last."""
    return [told for one in (*trials.numbers, *trials.names) if (told := _until_changed(one))]


def _until_changed(change: Change) -> Told | None:
    if change.changed is None:
        return None
    article, end = change.changed.article, _place(change.changed)[1]
    before = [one for one in change.others if one.start_char < change.changed.start_char]
    return Told(article.title, article.text[:end], (*before, change.changed))


def hear_stream(
    model: LanguageModel, trials: Trials, experience: Experience
) -> Iterator[tuple[Key, dict[str, float]]]:
    """Learn the articles in order; of those that are scored, what their sentences cost before that."""
    worth = {one.sentences[0].article.id: one for one in whole(trials.stream)}
    told = [worth.get(one.id, Told(one.title, one.text)) for one in trials.articles]
    first = first_scored(trials)
    _learn(model, told[:first], experience)
    for start in range(first, len(told), BATCH):
        batch = told[start : start + BATCH]
        yield from _hear(model, batch, experience).items()
        _learn(model, batch, experience)


def _learn(model: LanguageModel, told: Iterable[Told], experience: Experience) -> None:
    learn(model, (lay_out(one.title, one.text, ()).text for one in told), experience)


def _hear(
    model: LanguageModel, batch: Sequence[Told], experience: Experience
) -> dict[Key, dict[str, float]]:
    """What sentences cost behind what was learned and the articles before theirs in the batch."""
    laid = [lay_out(one.title, one.text, [_place(each) for each in one.sentences]) for one in batch]
    found = costs_of(model, [one.text for one in laid], experience)
    return {
        key_of(ruled): surprise_of(costs, here, place)
        for told, here, costs in zip(batch, laid, found, strict=True)
        for ruled, place in zip(told.sentences, here.places, strict=True)
    }


def _place(ruled: Ruled) -> Place:
    return ruled.start_char, ruled.start_char + len(ruled.quote)


def surprise_of(costs: Costs, laid: Laid, place: Place) -> dict[str, float]:
    """Bits a character that a sentence costs, and its dearest word's bits; each the higher, the newer."""
    alone, own, read = (mean_bits(each, place) for each in (costs.alone, costs.own, costs.read))
    return {
        "network": alone,
        "experience": read,
        "experience less network": read - alone,
        "left by earlier articles": read - own,
        "dearest word": dearest_word(costs.read, laid, place),
    }


def told_today(ruled: Ruled) -> dict[str, float]:
    """What the store made of a sentence, each the higher, the newer."""
    known = [_best_probability(one) for one in ruled.decisions]
    return {
        "kept": float(ruled.is_kept),
        "conflicting": float(ruled.is_conflicting),
        "least known question": 1 - min(known),
        "best known question": 1 - max(known),
    }


def _best_probability(decision: Decision) -> float:
    if decision.reason.startswith(REPEATS):
        return 1.0
    return max((probability for _, probability in decision.nearest), default=0.0)


class Shelf:
    """The sentences that were kept of the stream, as vectors."""

    def __init__(self, trials: Trials, embedder: Embedder) -> None:
        self._embedder, self._stories = embedder, trials.stories
        self._order = {article.id: at for at, article in enumerate(trials.articles)}
        kept = [one for one in trials.stream if one.is_kept]
        self._places = np.array([self._order[one.article.id] for one in kept])
        self._vectors = np.asarray(embedder.embed([one.quote for one in kept]))

    def nearest(self, sentences: Sequence[Ruled]) -> Floats:
        """Cosine of each and the nearest that was kept of an earlier article, of any for a copy; -1 for none."""
        vectors = np.asarray(self._embedder.embed([one.quote for one in sentences]))
        wanted = [self._order.get(one.article.id, len(self._order)) for one in sentences]
        pairs = zip(vectors, np.searchsorted(self._places, wanted), strict=True)
        return np.array([(self._vectors[:end] @ one).max(initial=-1.0) for one, end in pairs])

    def story(self, article: Article) -> str:
        """Of an article of the stream, or of a copy's original."""
        is_copy = article.id not in self._order
        return self._stories[original_id(article) if is_copy else article.id]


# ------------------------------------------------------------------------------------------------------ questions
@dataclass(frozen=True, slots=True)
class Choice:
    """A sentence with spans to ask about, and which of them people asked about."""

    home: Home
    spans: tuple[AnswerSpan, ...]
    worths: tuple[float, ...]
    is_asked: tuple[bool, ...]


def measure_questions(data: Path, model: LanguageModel, limit: int) -> Found:
    """Compare orders of the spans that could be asked about, by source of the questions."""
    homes, tagger = read_homes(data), load_tagger()
    report: Found = {}
    for kept_out in (True, False):
        most = QUESTIONS_AN_ARTICLE * limit
        for name, asked in placed_questions(data, kept_out=kept_out, max_questions=most).items():
            choices = list(find_choices(asked, homes, tagger))
            # A sentence whose spans were all asked about, or none, leaves nothing to choose.
            decided = [one for one in choices if len(set(one.is_asked)) == 2]
            report[f"{name}, kept out" if kept_out else name] = {
                "questions": len(asked),
                "sentences": len(choices),
                "sentences_asked_about_a_span": sum(any(one.is_asked) for one in choices),
                **(measure_choices(model, decided) if decided else {}),
            }
    return report


def read_homes(data: Path) -> dict[str, Home]:
    """Where sentences that are asked about stand, of all whose passage is there."""
    squad = read_squad(data / "train" / "qa" / SQUAD_FILE)
    quizzes = read_news_quizzes(data / "realtimeqa", (*YEARS, *DEVELOPMENT_YEARS))
    homes = {}
    for passage in chain(squad.passages, (paragraphs[0] for _, _, paragraphs in quizzes)):
        for sentence in split_sentences(passage):
            if (at := passage.find(sentence)) >= 0:
                homes[sentence] = passage, at
    return homes


def find_choices(
    asked: Iterable[Asked], homes: Mapping[str, Home], tagger: Tagger
) -> Iterator[Choice]:
    """One for each sentence with an answer; without a home it stands alone."""
    by_sentence: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        if one.start < one.end:
            by_sentence[one.sentence].append(one)
    readings = tagger.read_batch(list(by_sentence))
    for (text, questions), reading in zip(by_sentence.items(), readings, strict=True):
        sentence = Sentence.read(text, reading.words)
        named = find_spans(text, reading.spans)
        liked = {
            (span.start, span.end): worth_of(span, question)
            for span, question in liked_questions(sentence, named)
        }
        found = [((span.start, span.end), span) for span in (*object_spans(sentence), *named)]
        spans = dict(sorted(found, key=lambda pair: pair[0]))
        yield Choice(
            homes.get(text, (text, 0)),
            tuple(spans.values()),
            tuple(liked.get(place, UNWORDED) for place in spans),
            tuple(any(asks_about(one, span) for one in questions) for span in spans.values()),
        )


def asks_about(asked: Asked, span: AnswerSpan) -> bool:
    """Whether the span is mostly the answer, where it stands."""
    overlaps = span.start < asked.end and asked.start < span.end
    return overlaps and same_words(span.text, asked.answer)


def measure_choices(model: LanguageModel, choices: Sequence[Choice]) -> Found:
    """How each order fares, and whether surprise adds to what there is."""
    known = columns_of(known_of(choices))
    surprise = columns_of([row for one in choices for row in span_costs(model, one)])
    labels = np.array(list(chain.from_iterable(one.is_asked for one in choices)))
    groups = [one.home[0] for one in choices for _ in one.spans]
    ends = np.cumsum([len(one.spans) for one in choices])
    places = np.split(np.arange(len(labels)), ends[:-1])
    orders = {"today": known["worth"], "first in the sentence": known["early"]}
    orders |= {"longest": known["length"], **surprise}
    orders["today, fitted"] = cross_scores(stacked(known), labels, groups)
    orders["with surprise, fitted"] = cross_scores(stacked(known | surprise), labels, groups)
    hits = {name: hits_of(scores, labels, places) for name, scores in orders.items()}
    chance = np.mean([chance_of(len(one), int(labels[one].sum())) for one in places], axis=0)
    passages = [one.home[0] for one in choices]
    fitted_gain = hits["with surprise, fitted"] - hits["today, fitted"]
    return {
        "sentences_with_a_choice": len(choices),
        "orders": {
            "chance": {name: round(float(at), 4) for name, at in zip(TOP, chance, strict=True)},
            **{name: shares_of(each, passages) for name, each in hits.items()},
        },
        "beside_today": {
            name: shares_of(hits[name] - hits["today"], passages) for name in surprise
        },
        "fitted_gain": shares_of(fitted_gain, passages),
        "asked_or_not": compare(labels, groups, known, surprise),
    }


def known_of(choices: Iterable[Choice]) -> list[dict[str, float]]:
    """What is known of each span without a language model."""
    sorts = sorted({span.sort for one in choices for span in one.spans})
    return [
        {
            "worth": worth,
            "is worded": float(worth > UNWORDED),
            "early": -float(span.start),
            "length": float(span.end - span.start),
            **{sort: float(span.sort == sort) for sort in sorts},
        }
        for one in choices
        for span, worth in zip(one.spans, one.worths, strict=True)
    ]


def span_costs(model: LanguageModel, choice: Choice) -> list[dict[str, float]]:
    """What each span costs behind the passage before it: the network, and it with experience of that passage."""
    passage, begin = choice.home
    places = [(begin + span.start, begin + span.end) for span in choice.spans]
    laid = lay_out("", passage[: max(end for _, end in places)], places)
    costs = costs_of(model, [laid.text])[0]
    return [span_surprise(costs, place) for place in laid.places]


def span_surprise(costs: Costs, place: Place) -> dict[str, float]:
    """Bits of a span: a character, of its dearest one, in all."""
    row = {}
    for name, cost in {"network": costs.alone, "experience": costs.own}.items():
        here = cost[place[0] : place[1]]
        row[f"{name}, mean"] = float(here.mean())
        row[f"{name}, most"] = float(here.max())
        row[f"{name}, sum"] = float(here.sum())
    return row


def hits_of(scores: Floats, labels: Flags, places: Sequence[Places]) -> Floats:
    """Whether a sentence's span that scores highest was asked about, and one of the three that do; (N, 2)."""
    ranked = [labels[one[np.argsort(-scores[one], kind="stable")]] for one in places]
    return np.array([(found[0], found[:3].any()) for found in ranked], dtype=np.float64)


def chance_of(count: int, asked: int) -> tuple[float, float]:
    """The same of spans in any order."""
    tried = min(3, count)
    return asked / count, 1 - comb(count - asked, tried) / comb(count, tried)


def shares_of(hits: Floats, groups: Sequence[str]) -> Found:
    """Means of hits, or of differences of hits, with intervals."""
    found: Found = {}
    for name, column in zip(TOP, hits.T, strict=True):
        found[name] = round(float(column.mean()), 4)
        found[f"{name}_95"] = interval(groups, partial(_mean, column))
    return found


def _mean(values: Floats, rows: Places) -> float:
    return float(values[rows].mean())


PARTS: Mapping[str, Callable[[Path, LanguageModel, int], Found]] = {
    "verdict": measure_verdict,
    "questions": measure_questions,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument(
        "--language", type=Path, help="of a language model; by default the packaged"
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="by default all")
    parser.add_argument("--limit", type=int, default=LIMIT, help="articles learned")
    parser.add_argument("--out", type=Path, default=REPORT)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
