"""Time `ask` on a loaded store of 50,000 facts learned from real news.

    python scripts/bench_ask.py --data "$TIDINGS_DATA" --json ask.json [--home DIR]

With `--home` the filled store is kept there and used again by the next run.
"""

import argparse
import json
import lzma
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.app import open_service
from agent.ingest import StoryShelf, learn_article
from agent.service import Service
from agent.settings import load_settings
from kb import Article, Entry, Feed, content_id

QUESTIONS = 200
SEED = 7


def main() -> None:
    """Run the benchmark and write its report."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        with open_service(load_settings({}), home) as service:
            filled_s = _fill(service, options.data, options.facts)
            report = _measure(service) | {"filled_in_s": filled_s}
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(report) + "\n")


def _fill(service: Service, data: Path, wanted: int) -> float:
    """Learn real articles, oldest first, until the store holds `wanted` facts."""
    started, kb = time.monotonic(), service.kb
    facts, now = int(kb.counts().facts), datetime.now(UTC)
    for article in _articles(data):
        if facts >= wanted:
            break
        if _store(service, article, now):
            shelf = StoryShelf(kb, [article])
            report = learn_article(article, kb, service.reading, shelf, now=now)
            facts += report.added + report.conflicting
    return round(time.monotonic() - started, 1)


def _store(service: Service, article: Article, now: datetime) -> bool:
    from kb import CheckOutcome, FeedCheck

    feed = Feed(url=article.feed_url, title=article.publisher)
    entry = Entry(
        id=content_id(feed.url, article.url),
        feed_url=feed.url,
        link=article.url,
        title=article.title,
        content_html=None,
        published_at=article.published_at,
    )
    service.kb.subscribe([feed])
    service.kb.record_check(feed, FeedCheck(CheckOutcome.UPDATED, now), [entry], now=now)
    return service.kb.store_article(entry.id, article)


def _articles(data: Path) -> Iterator[Article]:
    for name in ("newsroom/stream.jsonl.xz", "realtimeqa/articles-2023.jsonl.xz"):
        with lzma.open(data / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield _article(json.loads(line))


def _article(row: dict[str, Any]) -> Article:
    text = row["body"].strip()
    published = row.get("published")
    moment = datetime.fromisoformat(published) if published else None
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Article(
        id=content_id(row["url"]),
        url=row["url"],
        title=row["title"] or "",
        text=text,
        publisher=row.get("publisher") or "benchmark",
        language="en",
        published_at=moment,
        date_source="feed" if moment else "none",
        fetched_at=datetime.now(UTC),
        feed_url="https://benchmark.invalid/feed",
        text_source="page",
        text_hash=content_id(text),
    )


def _measure(service: Service) -> dict[str, Any]:
    asked = [row.question for row in service.kb.export_decisions() if row.question]
    questions = random.Random(SEED).sample(asked, min(QUESTIONS, len(asked)))
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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--json", type=Path, required=True, help="where the report goes")
    parser.add_argument("--home", type=Path, help="keep the filled store here")
    parser.add_argument("--facts", type=int, default=50_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
