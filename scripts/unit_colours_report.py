"""Whether experience inside the encoder finds news later than its training: colours of units, and their neighbours.

    python scripts/unit_colours_report.py --data DIR [--work DIR] [--parts choice later elsewhere] [--out FILE]

Quizzes with the news of their week, in order. Graphs of units read all paragraphs of a week before the next week comes;
questions, and headlines, whose own paragraphs are sought, are asked twice: knowing the weeks before alone, and knowing
this week too, as after ingest. Paragraphs keep the vectors that they got when they came, made with what was known
before their week, as a store keeps them. Search is by vectors alone. Weights are chosen on weeks of 2024,
which the encoder's training has seen, and never on 2025. Then the same graphs are tried on sets that have nothing to do
with the news. Articles were found by the questions: a real week has fewer answers. Without `--work` a part alone
(`--parts`) finds nothing of the others.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from agent.quiz import Weeks, read_quiz
from agent.realtimeqa_scores import answer_words
from model import load_encoder
from model.checkpoint import current_commit
from model.embed import Encoder, FloatArray, Units, unit_length
from model.evaluate_search import score_search_set
from model.evaluate_similarity import read_pair_sets, score_pairs
from model.search_sets import SearchSet, read_search_set
from model.texts import read_rows, texts_digest
from model.timing import describe_machine
from model.trunk import text_sums
from model.unit_colours import ColouredEncoder, Hearing, UnitColours, principal_axes

REPORT = Path(__file__).resolve().parent / "reports" / "unit_colours.json"
CHOSEN_ON = Weeks("202410", "202411")
FIRST_WEEKS = 3
"""Of these are read before anything is asked; the axes of colours are theirs."""
REPORTED = Weeks("2025", "202506")
SEARCHED_WEEKS = 4
"""This week and those before it whose paragraphs are searched."""
PARAGRAPHS = 16
"""Of an article, the first ones."""
MIN_CHARS, MAX_CHARS = 60, 1200
"""Of a paragraph: what is shorter is a byline or a link, what is longer no paragraph."""
WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)
WIDTHS = (16, 32, 256)
"""Numbers of a colour; the second is used where widths are not compared."""
BEFORE, NOW = "weeks before", "this week too"
ALONE = "no colours"
METRICS = ("first_5", "first_10", "mrr")
DRAWS = 2000
SEARCH_SETS = {"trecqa": "test", "cranfield": "test"}
NO_ROW_IS_KNOWN = np.iinfo(np.int32).max
BATCH = 256
TIMED_TEXTS = 400
_WORD = re.compile(r"[^\W\d_]{3,}")

Found = dict[str, Any]
Vectors = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which units hear what was learned."""

    units: str
    """Which are nodes: `unknown` to the table, also `rare`, or `all`."""
    heard: str = "colour"
    """What of them, by the name of a field of `Hearing`."""
    width: int = WIDTHS[1]
    shuffled: bool = False
    """The control: each node has another's."""
    is_asked_only: bool = False
    """Only questions hear; stored vectors stay as they are."""

    @property
    def family(self) -> Way:
        """The way whose weight this one shares."""
        return Way(self.units, "neighbours" if self.heard == "neighbours" else "colour")

    @property
    def label(self) -> str:
        """Of its family."""
        return f"{self.units} units, {'neighbours' if self.heard == 'neighbours' else 'colours'}"

    @property
    def everywhere(self) -> Way:
        """The same, heard by paragraphs too."""
        return replace(self, is_asked_only=False)


Weighted = tuple[Way, float]
Graphs = Mapping[tuple[str, int], UnitColours]


WAYS = {
    "unknown units, colours": Way("unknown"),
    "unknown units, colours, questions only": Way("unknown", is_asked_only=True),
    "unknown units, shuffled colours": Way("unknown", shuffled=True),
    "unknown units, shuffled colours, questions only": Way(
        "unknown", shuffled=True, is_asked_only=True
    ),
    "unknown units, colours of 16": Way("unknown", width=WIDTHS[0]),
    "unknown units, colours of 256": Way("unknown", width=WIDTHS[2]),
    "unknown units, neighbours": Way("unknown", heard="neighbours"),
    "rare units, colours": Way("rare"),
    "rare units, colours, questions only": Way("rare", is_asked_only=True),
    "rare units, shuffled colours": Way("rare", shuffled=True),
    "rare units, neighbours": Way("rare", heard="neighbours"),
    "all units, colours": Way("all"),
    "all units, colours, questions only": Way("all", is_asked_only=True),
    "all units, shuffled colours": Way("all", shuffled=True),
    "all units, themselves": Way("all", heard="itself"),
}
FAMILIES = tuple(dict.fromkeys(way.family for way in WAYS.values()))
"""Ways whose weights are chosen."""
UNKNOWN, RARE, NEW = "names a unit without a row", "names a rare unit", "names a new word"


# -------------------------------------------------------------------------------------------------- reading
@dataclass(frozen=True, slots=True)
class Texts:
    """Some texts and their units."""

    texts: tuple[str, ...]
    units: Units

    @property
    def sums(self) -> FloatArray:
        """Of each text's units, (N, D)."""
        return text_sums(self.units.vectors, self.units.text_offsets)


@dataclass(frozen=True, slots=True)
class Week:
    """A week of the quiz with its news."""

    name: str
    paragraphs: Texts
    articles: np.ndarray
    """int64 (N,), the article that each paragraph stands in, counted within the week."""
    question: Texts
    answers: tuple[str, ...]
    """The right one of each question, as bare words between blanks."""
    headline: Texts
    """One an article, in their order."""

    @property
    def day(self) -> float:
        """Days since 1970."""
        return datetime.strptime(self.name, "%Y%m%d").replace(tzinfo=UTC).timestamp() / 86_400


def read_weeks(data: Path, encoder: Encoder, taken: Weeks, work: Path) -> Iterator[Week]:
    """The weeks taken, in order; units once encoded are kept in a folder for another run."""
    quiz = read_quiz(data, taken)
    work.mkdir(parents=True, exist_ok=True)
    seen: set[str] = set()
    for name in quiz.weeks:
        rows, questions = quiz.articles.get(name, ()), quiz.questions[name]
        told = [(at, text) for at, row in enumerate(rows) for text in paragraphs_of(row, seen)]
        parts = {
            "paragraphs": tuple(text for _, text in told),
            "questions": tuple(str(row["question"]) for row in questions),
            "headlines": tuple(str(row.get("title") or "") for row in rows),
        }
        digest = texts_digest([text for texts in parts.values() for text in texts])
        units = _encoded(encoder, parts, work / f"{encoder.name}-{name}-{digest}.npz")
        yield Week(
            name,
            Texts(parts["paragraphs"], units["paragraphs"]),
            np.array([at for at, _ in told], np.int64),
            Texts(parts["questions"], units["questions"]),
            tuple(bare(row["choices"][row["answer"]]) for row in questions),
            Texts(parts["headlines"], units["headlines"]),
        )


def bare(text: str) -> str:
    """Its words as answers are compared, a blank on either side."""
    return f" {' '.join(answer_words(text))} "


def paragraphs_of(row: Mapping[str, Any], seen: set[str]) -> list[str]:
    """The first paragraphs of an article that are not among those seen, to which they are added."""
    stripped = [text.strip() for text in str(row["body"]).split("\n")]
    fitting = [text for text in dict.fromkeys(stripped) if MIN_CHARS <= len(text) <= MAX_CHARS]
    found = [text for text in fitting[:PARAGRAPHS] if text not in seen]
    seen.update(found)
    return found


def _encoded(encoder: Encoder, parts: Mapping[str, Sequence[str]], path: Path) -> dict[str, Units]:
    names = [one.name for one in fields(Units)]
    if not path.exists():
        arrays: dict[str, Any] = {}
        for part, texts in parts.items():
            units = encoder.units(texts)
            arrays |= {f"{part}.{name}": getattr(units, name) for name in names}
            arrays[f"{part}.vectors"] = units.vectors.astype(np.float16)
        draft = path.with_suffix(".tmp.npz")
        np.savez(draft, **arrays)
        draft.replace(path)
    with np.load(path) as stored:
        found: dict[str, dict[str, Any]] = {
            part: {name: stored[f"{part}.{name}"] for name in names} for part in parts
        }
    for each in found.values():
        each["vectors"] = each["vectors"].astype(np.float32)
    return {part: Units(**each) for part, each in found.items()}


def words_before(data: Path, year: str) -> set[str]:
    """Every word of the articles of earlier years, in small letters."""
    found: set[str] = set()
    for path in sorted((data / "realtimeqa").glob("articles-*.jsonl.xz")):
        if path.name < f"articles-{year}":
            for row in read_rows(path):
                found.update(words_of(f"{row.get('title') or ''} {row['body']}"))
    return found


def words_of(text: str) -> set[str]:
    """Its words of three letters and more, in small letters."""
    return set(_WORD.findall(text.lower()))


# -------------------------------------------------------------------------------------------------- weeks in order
class Travel:
    """Takes one week after the other, and keeps what is known and what is searched."""

    def __init__(self, encoder: Encoder, graphs: Graphs, words: AbstractSet[str]) -> None:
        """Set out with what was learned before.

        Args:
            encoder: whose units are coloured.
            graphs: by their units and the width of their colours; they learn.
            words: those that are not new.
        """
        self.graphs = graphs
        self._encoder, self._known_words = encoder, words
        self._searched: list[_Searched] = []

    def coloured(self, way: Way, weight: float, *, day: float) -> ColouredEncoder:
        """The encoder as it hears now."""
        graph = self.graphs[way.units, way.width]
        graph = graph.shuffled(1) if way.shuffled else graph
        return ColouredEncoder(self._encoder, graph, Hearing(**{way.heard: weight}), day=day)

    def learn(self, week: Week) -> None:
        """Let a week's paragraphs pass over every graph, and ask nothing."""
        for graph in self.graphs.values():
            graph.learn(week.paragraphs.units, day=week.day)

    def run(self, week: Week, ways: Mapping[str, Weighted], moments: Sequence[str]) -> list[Found]:
        """Ask a week's questions and headlines in every way, and learn it.

        Args:
            week: which.
            ways: each with its weight.
            moments: when questions are asked: `BEFORE`, `NOW` or both.

        Returns:
            A row a query: its kind, flags, and ranks by moment and way.
        """
        self._keep(week)
        stored = {name: self._vectors(*weighted) for name, weighted in ways.items()}
        stored[ALONE] = self._vectors(None, 0.0)
        kinds = {"question": week.question, "headline": week.headline}
        sought = {"question": self._with_answers(week), "headline": self._own(week)}
        ranks: dict[str, Found] = {kind: {moment: {} for moment in moments} for kind in kinds}
        for moment in (BEFORE, NOW):
            if moment == NOW:
                self.learn(week)
            for kind, asked in kinds.items() if moment in moments else ():
                heard = self._heard(asked, ways.values(), day=week.day)
                for name, vectors in stored.items():
                    way, weight = ways.get(name, (None, 0.0))
                    added = 0 if way is None else weight * heard[way.everywhere]
                    scores = unit_length(asked.sums + added) @ vectors.T
                    ranks[kind][moment][name] = ranks_of(scores, sought[kind])
        return [
            {
                "kind": kind,
                "flags": flags,
                "ranks": {m: {w: found[at] for w, found in r.items()} for m, r in of.items()},
            }
            for kind, of in ranks.items()
            for at, flags in enumerate(self._flags(kinds[kind]))
        ]

    def _keep(self, week: Week) -> None:
        heard = self._heard(week.paragraphs, [(way, 1.0) for way in WAYS.values()], day=week.day)
        texts = week.paragraphs.texts
        stored = _Searched(texts, tuple(map(bare, texts)), week.paragraphs.sums, heard)
        self._searched = [*self._searched, stored][-SEARCHED_WEEKS:]

    def _heard(
        self, texts: Texts, ways: Collection[Weighted], *, day: float
    ) -> dict[Way, FloatArray]:
        """What each way adds to the sums of texts, at weight 1."""
        plain = dict.fromkeys(way.everywhere for way, _ in ways)
        return {way: self.coloured(way, 1.0, day=day).heard(texts.units) for way in plain}

    def _vectors(self, way: Way | None, weight: float) -> FloatArray:
        """Of all paragraphs that are searched."""
        sums = [
            week.sums if way is None or way.is_asked_only else week.sums + weight * week.heard[way]
            for week in self._searched
        ]
        return unit_length(np.concatenate(sums))

    def _with_answers(self, week: Week) -> list[np.ndarray]:
        said = [text for stored in self._searched for text in stored.bare]
        return [
            np.array([bool(answer.strip()) and answer in text for text in said])
            for answer in week.answers
        ]

    def _own(self, week: Week) -> list[np.ndarray]:
        before = np.zeros(sum(len(stored.texts) for stored in self._searched[:-1]), bool)
        return [
            np.concatenate((before, week.articles == at)) for at in range(len(week.headline.texts))
        ]

    def _flags(self, texts: Texts) -> list[dict[str, bool]]:
        rows, offsets = texts.units.rows, texts.units.text_offsets
        return [
            {
                UNKNOWN: bool((rows[first:last] < 0).any()),
                RARE: bool((rows[first:last] >= self._encoder.trusted_rows).any()),
                NEW: not words_of(text) <= self._known_words,
            }
            for text, first, last in zip(texts.texts, offsets[:-1], offsets[1:], strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Searched:
    """A week's paragraphs as they are stored."""

    texts: tuple[str, ...]
    bare: tuple[str, ...]
    sums: FloatArray
    heard: Mapping[Way, FloatArray]
    """What each way adds to the sums at weight 1, knowing the weeks before."""


def ranks_of(scores: np.ndarray, sought: Sequence[np.ndarray]) -> list[int]:
    """The place, from 1, of the best of what each query seeks; 0 where there is nothing to seek."""
    return [
        int(1 + (row > row[mask].max()).sum()) if mask.any() else 0
        for row, mask in zip(scores, sought, strict=True)
    ]


# -------------------------------------------------------------------------------------------------- what it is worth
def measures(rows: Sequence[Found], moment: str, way: str) -> np.ndarray:
    """(n, 3): whether the first 5 and 10 hold what is sought, and 1 / rank."""
    ranks = np.array([row["ranks"][moment][way] for row in rows])
    return np.stack((ranks <= 5, ranks <= 10, 1 / ranks), axis=1).astype(np.float64)


def answerable(rows: Sequence[Found]) -> list[Found]:
    """Queries that something of what is searched answers."""
    return [row for row in rows if row["ranks"][NOW][ALONE] > 0]


def worth_of(rows: Sequence[Found], way: str) -> float:
    """What weights are chosen by: MRR, the mean of both kinds of queries, knowing this week too; x 100."""
    kinds = [[row for row in rows if row["kind"] == kind] for kind in ("question", "headline")]
    return float(np.mean([100 * measures(mine, NOW, way)[:, 2].mean() for mine in kinds if mine]))


def choose(worth: Mapping[str, float], tried: Mapping[str, Weighted]) -> dict[Way, float]:
    """The weight of each family that is worth most."""
    best: dict[Way, tuple[float, float]] = {}
    for name, (way, weight) in tried.items():
        best[way] = max(best.get(way, (0.0, 0.0)), (worth[name], weight))
    return {way: weight for way, (_, weight) in best.items()}


def summarise(rows: Sequence[Found]) -> Found:
    """Every way's figures over parts of the queries, and how much more than without colours."""
    report: Found = {}
    for kind in ("question", "headline"):
        mine = [row for row in rows if row["kind"] == kind]
        parts = {"all": mine}
        parts |= {flag: [r for r in mine if r["flags"][flag]] for flag in (UNKNOWN, NEW, RARE)}
        report[kind] = {part: _compared(chosen) for part, chosen in parts.items() if chosen}
    return report


def _compared(rows: Sequence[Found]) -> Found:
    draws = np.random.default_rng(1).integers(0, len(rows), (DRAWS, len(rows)))
    shares = np.stack([np.bincount(draw, minlength=len(rows)) for draw in draws]) / len(rows)
    found: Found = {"n": len(rows)}
    for moment, ways in rows[0]["ranks"].items():
        found[moment] = {}
        for way in ways:
            mine = 100 * measures(rows, moment, way)
            more = mine - 100 * measures(rows, moment, ALONE)
            bounds = np.percentile(shares @ more, (2.5, 97.5), axis=0)
            found[moment][way] = {
                name: {
                    "value": round(float(mine[:, at].mean()), 2),
                    "more": round(float(more[:, at].mean()), 2),
                    "interval": [round(float(bound), 2) for bound in bounds[:, at]],
                }
                for at, name in enumerate(METRICS)
            }
    return found


# -------------------------------------------------------------------------------------------------- elsewhere, costs
class Known:
    """Texts whose vectors were made before."""

    def __init__(self, vectors: Mapping[str, FloatArray]) -> None:
        self._vectors = vectors

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Float32 (N, D)."""
        return np.stack([self._vectors[text] for text in texts])


class DenseIndex:
    """Documents by the vectors of the whole."""

    def __init__(self, known: Known, searched: SearchSet) -> None:
        self._known, self._documents = known, known.embed(searched.documents)

    def scores(self, queries: Sequence[str]) -> dict[str, FloatArray]:
        """Float32 (Q, D)."""
        return {"dense": np.round(self._known.embed(queries) @ self._documents.T, 6)}


def embedded(
    encoder: Encoder, ways: Mapping[str, ColouredEncoder], texts: Sequence[str]
) -> dict[str, Known]:
    """Vectors of different texts in every way, read once."""
    unique = list(dict.fromkeys(texts))
    vectors: dict[str, dict[str, FloatArray]] = {name: {} for name in (ALONE, *ways)}
    for start in range(0, len(unique), BATCH):
        batch = unique[start : start + BATCH]
        units = encoder.units(batch)
        sums = text_sums(units.vectors, units.text_offsets)
        vectors[ALONE].update(zip(batch, unit_length(sums), strict=True))
        for name, way in ways.items():
            vectors[name].update(zip(batch, unit_length(sums + way.heard(units)), strict=True))
    return {name: Known(found) for name, found in vectors.items()}


def measure_cost(encoder: Encoder, coloured: ColouredEncoder, texts: Sequence[str]) -> Found:
    """Processor time of a text, ms: encoded alone, with colours, and learned by a graph that knows its units."""
    seconds = {}
    for name, embed in (("encoded", encoder.embed), ("encoded_with_colours", coloured.embed)):
        embed(texts[:10])
        began = time.process_time()
        embed(texts)
        seconds[name] = time.process_time() - began
    units = encoder.units(texts)
    graph = coloured.known.copy()
    began = time.process_time()
    graph.learn(units, day=coloured.day)
    seconds["learned"] = time.process_time() - began
    return {
        **{f"{name}_ms": round(1000 * s / len(texts), 3) for name, s in seconds.items()},
        "nodes": len(graph),
        "node_bytes": graph.node_bytes,
    }


# -------------------------------------------------------------------------------------------------- the parts
def choose_weights(data: Path, encoder: Encoder, work: Path, report: Found) -> Found:
    """Learn weeks of 2024, and see what weight is worth most there."""
    del report
    weeks = read_weeks(data, encoder, CHOSEN_ON, work)
    first = [next(weeks) for _ in range(FIRST_WEEKS)]
    travel = Travel(encoder, empty_graphs(encoder, first), set())
    for week in first:
        travel.learn(week)
    tried = {f"{way.label} {weight}": (way, weight) for way in FAMILIES for weight in WEIGHTS}
    rows = answerable([row for week in weeks for row in travel.run(week, tried, [NOW])])
    worth = {name: worth_of(rows, name) for name in (ALONE, *tried)}
    save_graphs(travel.graphs, work / CHOSEN_ON.last)
    return {
        "queries": len(rows),
        "mrr": {name: round(value, 3) for name, value in worth.items()},
        "weights": {way.label: weight for way, weight in choose(worth, tried).items()},
    }


def measure_later(data: Path, encoder: Encoder, work: Path, report: Found) -> Found:
    """Go on with news later than training."""
    weights = report["choice"]["weights"]
    ways = {name: (way, weights[way.label]) for name, way in WAYS.items()}
    graphs = load_graphs(work / CHOSEN_ON.last)
    travel = Travel(encoder, graphs, words_before(data, REPORTED.first))
    rows: list[Found] = []
    for week in read_weeks(data, encoder, REPORTED, work):
        rows += travel.run(week, ways, [BEFORE, NOW])
        sys.stderr.write(f"{week.name}\n")
    save_graphs(travel.graphs, work / REPORTED.last)
    return {
        "last_week": week.name,
        "last_day": week.day,
        "paragraphs_learned": graphs["all", WIDTHS[1]].learned,
        "asked": len(rows),
        **summarise(answerable(rows)),
    }


def measure_elsewhere(data: Path, encoder: Encoder, work: Path, report: Found) -> Found:
    """Similarity and search with colours learned from the news, and without, and what they cost."""
    weights, day = report["choice"]["weights"], report["later"]["last_day"]
    travel = Travel(encoder, load_graphs(work / REPORTED.last), set())
    ways = {way.label: travel.coloured(way, weights[way.label], day=day) for way in FAMILIES}
    found: Found = {name: {"sts": {}, "search": {}} for name in (ALONE, *ways)}
    sets = read_pair_sets(data / "eval" / "sts")
    for pairs in sets:
        for name, known in embedded(encoder, ways, pairs.texts).items():
            found[name]["sts"][pairs.name] = score_pairs(known, pairs)["spearman"]
    for one in found.values():
        one["sts_mean"] = round(float(np.mean(list(one["sts"].values()))), 2)
    for folder, split in SEARCH_SETS.items():
        searched = read_search_set(data / "eval" / "beir" / folder, split)
        for name, known in embedded(encoder, ways, searched.texts).items():
            scored = score_search_set(DenseIndex(known, searched), searched)
            found[name]["search"][folder] = scored["dense"]
    for name, way in ways.items():
        found[name]["cost"] = measure_cost(encoder, way, sets[0].texts[:TIMED_TEXTS])
    return found


PARTS = {"choice": choose_weights, "later": measure_later, "elsewhere": measure_elsewhere}
"""In this order; each goes on from what those before it wrote and kept."""


def empty_graphs(encoder: Encoder, weeks: Sequence[Week]) -> dict[tuple[str, int], UnitColours]:
    """One for every kind of nodes and width; the axes of colours are those of the paragraphs of some weeks."""
    vectors = np.concatenate([unit_length(week.paragraphs.sums) for week in weeks])
    from_row = {"unknown": NO_ROW_IS_KNOWN, "rare": encoder.trusted_rows, "all": 0}
    axes = {width: principal_axes(vectors, width) for width in WIDTHS}
    return {
        (way.units, way.width): UnitColours(axes[way.width], from_row=from_row[way.units])
        for way in WAYS.values()
    }


def save_graphs(graphs: Graphs, folder: Path) -> None:
    """Write all."""
    for (units, width), graph in graphs.items():
        graph.save(folder / f"{units}-{width}")


def load_graphs(folder: Path) -> dict[tuple[str, int], UnitColours]:
    """Read all."""
    keys = dict.fromkeys((way.units, way.width) for way in WAYS.values())
    return {key: UnitColours.load(folder / f"{key[0]}-{key[1]}") for key in keys}


def main() -> None:
    """Measure what is asked for, and write the report."""
    options = _options()
    encoder = load_encoder()
    report: Found = {
        "benchmark": "unit colours",
        "command": "python scripts/unit_colours_report.py --data DIR",
        "model": encoder.name,
    }
    if options.parts != list(PARTS) and options.out.exists():
        report = json.loads(options.out.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        for part in options.parts:
            measure = PARTS[part]
            report[part] = measure(options.data, encoder, options.work or Path(scratch), report)
            report |= {"machine": describe_machine(), "commit": current_commit()}
            options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--work", type=Path, help="folder where weeks and graphs are kept")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, default=REPORT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
