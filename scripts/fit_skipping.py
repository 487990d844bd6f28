"""Measure what is skipped though it is new at each known threshold, and write the curve into the answerability.

    python scripts/fit_skipping.py --data DIR [--weights kb/answerability.json] [--limit 600]

Articles of newsroom stories that `tidings evaluate novelty` leaves out are learned at a low threshold, and each skipped
sentence is followed to the threshold from which on it is kept. What is new is told by that suite's rule on words, which
takes a paraphrase for new: the curve shows the most that can be lost. Run it after `fit_answerability.py`.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.evaluate_novelty import ARTICLES, REPEATS, learn_stream, read_newsroom, ruled_sentences
from agent.ingest import Reading
from agent.novelty_rule import find_covering
from agent.novelty_scores import FITTED_SHARE, Ruled
from agent.progress import SilentProgress
from kb import Answerability, Decision, KnowledgeBase, Verdict
from kb.answerability import NEVER
from model import load_encoder, load_tagger

FLOOR = 0.05
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
SURE = "same words"
"""The reason of a verdict that no threshold decides."""
SHIPPED = Path(__file__).resolve().parents[1] / "kb" / "answerability.json"


def main() -> int:
    """Learn, follow, write, print the curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with `newsroom`")
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--limit", type=int, default=ARTICLES)
    options = parser.parse_args()
    shipped = Answerability.load(options.weights)
    reading = Reading(load_encoder(), load_tagger())
    ruled, scored = _learn(options.data, reading, replace(shipped, known_threshold=FLOOR), options)
    is_heard = [bool(earlier) for earlier in find_covering([one.said for one in ruled])]
    kept_from = np.array([_kept_from(one) for one in ruled])
    new = np.array([not heard for heard in is_heard])
    judged = np.array([one.article.id in scored for one in ruled])
    curve = tuple(
        (
            threshold,
            round(float((kept_from >= threshold)[judged & new].mean()), 4),
            round(float((kept_from < threshold)[judged].mean()), 4),
        )
        for threshold in THRESHOLDS
    )
    facts = {
        "command": "scripts/fit_skipping.py",
        "sentences": int(judged.sum()),
        "new": int((judged & new).sum()),
    }
    made = replace(shipped, skipping=curve, metrics={**shipped.metrics, "skipping": facts})
    options.weights.write_text(json.dumps(made.to_dict(), indent=1) + "\n", encoding="utf-8")
    print(json.dumps({**facts, "curve": curve}))
    return 0


def _learn(
    data: Path, reading: Reading, answerability: Answerability, options: argparse.Namespace
) -> tuple[list[Ruled], set[str]]:
    """The stream's sentences with their decisions, and the articles whose sentences are scored."""
    articles, _ = read_newsroom(data, options.limit, left_out=True)
    with (
        tempfile.TemporaryDirectory() as home,
        KnowledgeBase.open(Path(home), reading.embedder, answerability) as kb,
    ):
        learn_stream(kb, reading, articles, SilentProgress())
        ruled = [
            one
            for article in articles
            for one in ruled_sentences(article, kb.article_decisions(article.id))
        ]
    return ruled, {article.id for article in articles[len(articles) // FITTED_SHARE :]}


def _kept_from(ruled: Ruled) -> float:
    """The probability above which a threshold keeps the sentence."""
    return 0.0 if ruled.is_kept else min(_sure_to(decision) for decision in ruled.decisions)


def _sure_to(decision: Decision) -> float:
    """The largest threshold at which one question's verdict stands; where it is not logged, the least known bound."""
    is_sure = decision.reason == SURE or decision.reason.startswith(REPEATS)
    if is_sure or decision.verdict is not Verdict.CORROBORATED:
        return NEVER
    logged = dict(decision.nearest)
    return logged.get(decision.against_id or "", min(logged.values(), default=FLOOR))


if __name__ == "__main__":
    sys.exit(main())
