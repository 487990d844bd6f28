"""Time `ask` on a store of 50,000 facts of real news, and a search with the experience graph and without.

    python scripts/bench_ask.py --data "$TIDINGS_DATA" --json ask.json [--home DIR]

With `--home` the filled store is kept there and used again by the next run; any other home will do, such as the one
that the news quiz leaves in its working folder. Searches are timed in turns, by the processor time of this process,
over the same vectors in SQL, once the graph has slept as it does every day.
"""

import argparse
import json
import lzma
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from agent.app import open_service
from agent.judgement import load_judgement
from agent.replay import article_of, learn_replayed
from agent.service import Service
from agent.settings import load_settings
from kb import Article, KnowledgeBase
from model.checkpoint import current_commit
from model.timing import describe_machine

QUESTIONS = 200
SEED = 7


def main() -> None:
    """Run the benchmark and write its report."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        with open_service(load_settings({}), home) as service:
            filled_s = _fill(service, options.data, options.facts)
            questions = _questions(service)
            report = _measure(service, questions) | {"filled_in_s": filled_s}
            service.kb.sleep(now=datetime.now(UTC))
        report["search_ms"] = _search_ms(home, questions)
        report |= {"machine": describe_machine(), "commit": current_commit()}
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(report) + "\n")


def _fill(service: Service, data: Path, wanted: int) -> float:
    """Learn real articles, oldest first, until the store holds `wanted` facts."""
    started, kb = time.monotonic(), service.kb
    facts, now = int(kb.counts().facts), datetime.now(UTC)
    for article in _articles(data, now):
        if facts >= wanted:
            break
        for report in learn_replayed(kb, service.reading, [article], now=now):
            facts += report.added + report.conflicting
    return round(time.monotonic() - started, 1)


def _articles(data: Path, now: datetime) -> Iterator[Article]:
    for name in ("newsroom/stream.jsonl.xz", "realtimeqa/articles-2023.jsonl.xz"):
        with lzma.open(data / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield article_of(json.loads(line), fetched_at=now)


def _questions(service: Service) -> list[str]:
    asked = [row.question for row in service.kb.export_decisions() if row.question]
    return random.Random(SEED).sample(asked, min(QUESTIONS, len(asked)))


def _measure(service: Service, questions: Sequence[str]) -> dict[str, Any]:
    service.call("ask", {"question": questions[0]})
    times_ms = []
    for question in questions:
        started = time.perf_counter()
        service.call("ask", {"question": question})
        times_ms.append((time.perf_counter() - started) * 1000)
    times_ms.sort()
    return {
        "benchmark": "ask",
        "facts": int(service.kb.counts().facts),
        "questions": len(questions),
        "median_ms": round(statistics.median(times_ms), 1),
        "p95_ms": round(times_ms[int(0.95 * len(times_ms))], 1),
        "max_ms": round(times_ms[-1], 1),
    }


def _search_ms(home: Path, questions: Sequence[str]) -> dict[str, float]:
    """Medians of a search with the graph and without it, and of what the graph adds to one; and that of 95 %."""
    judgement = load_judgement(load_settings({}))
    with ExitStack() as opened:
        stores = [
            opened.enter_context(
                KnowledgeBase.open(
                    home,
                    judgement.encoder,
                    judgement.answerability,
                    recall=recall,
                    read_only=True,
                )
            )
            for recall in (judgement.recall, None)
        ]
        for kb in stores:
            kb.search(questions[0])  # what only a first search reads
        times = np.array([[_spent_ms(kb, question) for kb in stores] for question in questions])
    added = times[:, 0] - times[:, 1]
    return {
        "with_graph": round(float(np.median(times[:, 0])), 1),
        "without": round(float(np.median(times[:, 1])), 1),
        "added": round(float(np.median(added)), 1),
        "added_p95": round(float(np.percentile(added, 95)), 1),
    }


def _spent_ms(kb: KnowledgeBase, question: str) -> float:
    began = time.process_time()
    kb.search(question)
    return 1000 * (time.process_time() - began)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--json", type=Path, required=True, help="where the report goes")
    parser.add_argument("--home", type=Path, help="keep the filled store here")
    parser.add_argument("--facts", type=int, default=50_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
