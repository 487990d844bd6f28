"""Copy the reports' numbers into the README, between its marks: no number is typed by hand.

python scripts/readme_tables.py            # rewrite README.md
python scripts/readme_tables.py --check    # exit 1 when it would change
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- results -->", "<!-- /results -->"


def main() -> None:
    """Rewrite the README, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    fresh = with_results(text)
    if options.check:
        sys.exit(0 if fresh == text else "README.md: results are not those of the reports")
    README.write_text(fresh, encoding="utf-8")


def with_results(readme: str) -> str:
    """The README's text with the tables of the reports as they are now."""
    before, rest = readme.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def tables() -> str:
    """All results as Markdown."""
    encoder = _report("model/weights/embed/evaluation.json")
    ingest = _report("scripts/reports/ingest.json")
    ask = _report("scripts/reports/ask.json")
    return "\n".join([*_similarity(encoder), "", *_speed(encoder, ingest, ask)])


def _report(path: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((ROOT / path).read_text(encoding="utf-8"))
    return report


def _similarity(report: dict[str, Any]) -> list[str]:
    """Spearman x100 of the encoder and its comparators, a set a column."""
    names = list(report["sets"])
    rows = {"Tidings' encoder": report["sets"]}
    for name, comparator in report["comparators"].items():
        if "sets" in comparator:
            rows[name] = comparator["sets"]
    table = [
        f"| Spearman x100 | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for title, sets in rows.items():
        table.append(f"| {title} | {' | '.join(str(sets[name]['spearman']) for name in names)} |")
    return table


def _speed(encoder: dict[str, Any], ingest: dict[str, Any], ask: dict[str, Any]) -> list[str]:
    ratio = encoder["comparators"]["all-MiniLM-L6-v2"]["speed_ratio"]
    size_mb = encoder["model"]["bytes"] / 1e6
    learned = (
        f"{ingest['articles']:.0f} articles, {ingest['counts']['added']:.0f} facts added, "
        f"{ingest['unsupported_facts']} unsupported"
    )
    rows = (
        (
            "encoder's texts per second against all-MiniLM-L6-v2, same cores, same run",
            f"{ratio:.0f} x, {size_mb:.1f} MB",
            "tidings evaluate sts --compare --json FILE",
        ),
        (
            "1,000 articles fetched from loopback, extracted, learned; waits between requests off",
            f"{ingest['seconds_per_1000_articles']:.0f} s ({learned})",
            "python scripts/bench_ingest.py",
        ),
        (
            f"`ask` on {ask['facts']:,} facts, median / 95th percentile / slowest of 200",
            f"{ask['median_ms']:.0f} / {ask['p95_ms']:.0f} / {ask['max_ms']:.0f} ms",
            "python scripts/bench_ask.py",
        ),
    )
    lines = [f"| {measure} | {figure} | `{command}` |" for measure, figure, command in rows]
    return ["| measure | figure | command |", "|---|---|---|", *lines]


if __name__ == "__main__":
    main()
