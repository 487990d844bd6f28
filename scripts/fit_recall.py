"""Fit what being brought to mind is worth (`kb/recall.json`) on development questions of several hops.

For every weight of the grid, with and without the gate by colours: recall@5 of the sets of several hops, and of the
questions that one paragraph answers. Chosen is the best mean of the former among those that cost the latter nothing.
With --check nothing is written.
"""

import argparse
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agent.judgement import Judgement, load_judgement
from agent.memory_sets import HopSet, read_hop_sets
from agent.replay import article_of, learn_replayed
from agent.settings import load_settings
from kb import KnowledgeBase, RecallWeights
from kb.recall import LEAST
from kb.spread import brought_to_mind
from kb.sql import open_engine, reading
from kb.sql_facts import seqs_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEIGHTS = (0.0, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0)
HEATS = (None, 1.0, 0.5, 0.2)
SEARCHED, AT = 200, 5
TARGET = Path(__file__).parent.parent / "kb" / "recall.json"


def main() -> None:
    """Learn every set once, search it with every weight."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--limit", type=int, help="questions of each set at most")
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args()
    judgement = load_judgement(load_settings({}))
    sets = read_hop_sets(args.data, args.limit)
    found = {one.name: recalls(one, judgement) for one in sets}
    grid = [(weight, heat) for heat in HEATS for weight in WEIGHTS]
    several = [one.name for one in sets if one.name != "squad2_dev"]
    for at, (weight, heat) in enumerate(grid):
        print(
            f"weight {weight}  heat {heat}  "
            + "  ".join(f"{n} {v[at]:.4f}" for n, v in found.items())
        )
    means = [float(np.mean([found[name][at] for name in several])) for at in range(len(grid))]
    single = found.get("squad2_dev", [0.0] * len(grid))
    fine = [at for at in range(len(grid)) if single[at] >= single[0]]
    best = max(fine, key=lambda at: (means[at], -grid[at][0]))
    metrics = {name: {"off": values[0], "on": values[best]} for name, values in found.items()}
    chosen = RecallWeights(*grid[best], metrics)
    print(f"chosen: weight {chosen.weight}, heat {chosen.heat}")
    if not args.check:
        TARGET.write_text(json.dumps(chosen.to_dict(), indent=1) + "\n", encoding="utf-8")


def recalls(hops: HopSet, judgement: Judgement) -> list[float]:
    """Recall@5 of a set for every point of the grid, gates outside, weights inside."""
    rows = [{"url": r["_id"], "title": r["title"], "body": r["text"]} for r in hops.paragraphs]
    articles = [article_of(row, fetched_at=NOW) for row in rows]
    found: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        parts = (Path(home), judgement.encoder, judgement.answerability)
        with KnowledgeBase.open(*parts, recall=RecallWeights(0.0)) as kb:
            learn_replayed(kb, judgement.reading, articles, now=NOW)
        for heat in HEATS:
            shares = shares_found(Path(home), hops, judgement, RecallWeights(0.0, heat))
            found += [round(float(value), 4) for value in shares.mean(axis=0)]
    return found


def shares_found(
    home: Path, hops: HopSet, judgement: Judgement, start: RecallWeights
) -> npt.NDArray[np.float64]:
    """Share of each question's paragraphs among the first five (questions, weights)."""
    engine = open_engine(home, None, read_only=True)
    parts = (home, judgement.encoder, judgement.answerability)
    shares = []
    with (
        KnowledgeBase.open(*parts, recall=start, read_only=True) as kb,
        reading(engine, str(home)) as connection,
    ):
        for one in hops.questions:
            matches = kb.search(one.text, limit=SEARCHED)
            seqs = seqs_of(connection, [match.fact.id for match in matches])
            vector = judgement.encoder.embed([one.text])[0]
            brought = brought_to_mind(connection, one.text, vector, gate=start.gate)
            gains = np.array([brought.get(seqs[match.fact.id], 0.0) for match in matches])
            likely = np.clip([m.scores.probability for m in matches], LEAST, 1 - LEAST)
            urls = [match.fact.article.url for match in matches]
            row = []
            for weight in WEIGHTS:
                order = np.argsort(-(np.log(likely / (1 - likely)) + weight * gains), kind="stable")
                first = list(dict.fromkeys(urls[at] for at in order))[:AT]
                row.append(len(one.supporting.intersection(first)) / len(one.supporting))
            shares.append(row)
    engine.dispose()
    return np.asarray(shares)


if __name__ == "__main__":
    main()
