"""Measure article extraction on pages with known text: `extraction_report.py --data DIR --json FILE`.

DIR holds `*.jsonl.xz` files (or a `pages` folder with them) of records with `url`, `html` and `gold_text`. Each page
is scored by the F1 of its 4-word shingles, counted with repetition; a set's score is the mean over its pages. The same
pages go through trafilatura's defaults for comparison.
"""

import argparse
import json
import logging
import lzma
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import trafilatura

from agent.page_text import read_page

SHINGLE_WORDS = 4


def main() -> int:
    """Score every set of a folder and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with *.jsonl.xz of pages")
    parser.add_argument("--json", type=Path, required=True, help="where the report is written")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)  # trafilatura tells of every page it cannot read
    folder = args.data / "pages" if (args.data / "pages").is_dir() else args.data
    files = sorted(folder.glob("*.jsonl.xz"))
    if not files:
        sys.stderr.write(f"{folder}: no *.jsonl.xz\n")
        return 2
    report = {
        "suite": "extraction",
        "trafilatura": version("trafilatura"),
        "sets": {file.name.removesuffix(".jsonl.xz"): score_set(file) for file in files},
    }
    args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(report["sets"], indent=1) + "\n")
    return 0


def score_set(file: Path) -> dict[str, float]:
    """Mean scores and times of one set of pages, ours beside trafilatura's."""
    extractors: dict[str, Callable[[str, str], str]] = {
        "": lambda markup, url: read_page(markup, url=url, before=datetime.now(UTC)).text,
        "trafilatura_": lambda markup, url: trafilatura.extract(markup, url=url) or "",
        "trafilatura_no_comments_": lambda markup, url: (
            trafilatura.extract(markup, url=url, include_comments=False) or ""
        ),
    }
    records = list(read_records(file))
    scores: dict[str, float] = {"n": len(records)}
    for name, extract in extractors.items():
        started = time.process_time()
        texts = [extract(record["html"], record["url"]) for record in records]
        seconds = time.process_time() - started
        found = [f1(text, record["gold_text"]) for text, record in zip(texts, records, strict=True)]
        scores[f"{name}f1"] = round(sum(found) / len(found), 4)
        scores[f"{name}empty"] = sum(not text for text in texts)
        scores[f"{name}cpu_ms_per_page"] = round(1000 * seconds / len(records), 1)
    return scores


def read_records(file: Path) -> Iterator[dict[str, Any]]:
    """The records of a set that hold both a page and its text."""
    with lzma.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record.get("html") and record.get("gold_text"):
                yield {**record, "url": record.get("url") or ""}


def f1(text: str, gold: str) -> float:
    """Harmonic mean of precision and recall of shingles, each counted as often as it stands."""
    ours, theirs = shingles(text), shingles(gold)
    shared = sum((ours & theirs).values())
    return 2 * shared / (sum(ours.values()) + sum(theirs.values())) if shared else 0.0


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """Runs of `SHINGLE_WORDS` lower-cased words; a shorter text is one run."""
    words = re.findall(r"\w+", text.lower())
    starts = range(max(1, len(words) - SHINGLE_WORDS + 1)) if words else ()
    return Counter(tuple(words[start : start + SHINGLE_WORDS]) for start in starts)


if __name__ == "__main__":
    sys.exit(main())
