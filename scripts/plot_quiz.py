"""Draw the accuracy of the news quiz by week, from its report: scripts/reports/realtimeqa.png.

python scripts/plot_quiz.py [--report FILE] [--out FILE]
"""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

REPORTS = Path(__file__).resolve().parent / "reports"
CHANCE = 25.0


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", type=Path, default=REPORTS / "realtimeqa.json")
    parser.add_argument("--out", type=Path, default=REPORTS / "realtimeqa.png")
    options = parser.parse_args()
    report = json.loads(options.report.read_text(encoding="utf-8"))
    days = [
        datetime.strptime(week["week"][:8], "%Y%m%d").replace(tzinfo=UTC)
        for week in report["weeks"]
    ]
    figure = Figure(figsize=(9, 3.5))
    axes = figure.subplots()
    # The library takes dates; what describes its types does not know it.
    weeks: list[Any] = days
    axes.plot(weeks, [week["mc_accuracy"] for week in report["weeks"]], marker="o", markersize=3)
    axes.axhline(report["mean"]["mc_accuracy"], linewidth=1, label="mean over all questions")
    if bm25 := report.get("comparators", {}).get("bm25"):
        axes.axhline(bm25["mc_accuracy"], color="0.5", linewidth=1, linestyle="--", label="BM25")
    axes.axhline(CHANCE, color="0.8", linewidth=1, label="chance")
    axes.set(ylim=(0, 100), ylabel="right option, %", title="News quiz by week, after its news")
    axes.legend(loc="lower right", fontsize="small")
    figure.tight_layout()
    FigureCanvasAgg(figure)
    figure.savefig(options.out, dpi=110)
    print(options.out.name)


if __name__ == "__main__":
    main()
