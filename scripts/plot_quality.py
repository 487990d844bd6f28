"""Draw the encoder's quality against its speed, beside those it is compared with, from the reports.

python scripts/plot_quality.py            # reads the shipped reports

Each panel is one suite, each point one way to do its work: texts per second to the right, on a
logarithmic scale, quality upwards. Suites without a report, or whose report was made without
--compare, are left out.
"""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

REPORTS = Path(__file__).resolve().parents[1] / "model" / "weights" / "embed" / "evaluation"
PICTURE = Path(__file__).resolve().parent / "reports" / "quality.png"
SIMILARITY_SETS = ("STS12", "STS13", "STS15", "SICK-R")
OURS = "Tidings"
OURS_COLOUR, OTHERS_COLOUR = "#c0392b", "#34495e"
PANEL_INCHES = 3.6
LABEL_LIFTS = (8, -8, 16, -16, 24, -24)
"""Points between a mark and its name; the next where names of near marks stand already."""
NEAR = 0.4
"""Share of a panel's width that a name may take."""

Found = Mapping[str, Any]
"""One contender's part of a report: `sets` and `mean`."""


@dataclass(frozen=True, slots=True)
class Panel:
    """How one suite is drawn."""

    suite: str
    title: str
    quality: Callable[[Found], float | None]


@dataclass(frozen=True, slots=True)
class Point:
    """One contender of one suite."""

    name: str
    texts_per_s: float
    quality: float
    is_ours: bool


def similarity(found: Found) -> float | None:
    """Mean Spearman of the four sets that are compared, if they are all there."""
    sets = found["sets"]
    if not set(SIMILARITY_SETS) <= set(sets):
        return None
    return float(sum(sets[name]["spearman"] for name in SIMILARITY_SETS) / len(SIMILARITY_SETS))


def classification(found: Found) -> float | None:
    """Mean accuracy of the six tasks that are compared."""
    value = found["mean"].get("accuracy_of_six")
    return None if value is None else float(value)


def text_search(found: Found) -> float | None:
    """Mean nDCG@10, of the hybrid search where there are several."""
    return float(found["mean"].get("hybrid", found["mean"])["ndcg@10"])


def code_search(found: Found) -> float | None:
    """Mean MRR, of the hybrid search where there are several."""
    return float(found["mean"].get("hybrid", found["mean"])["mrr"])


PANELS = (
    Panel("sts", "similarity: Spearman x100", similarity),
    Panel("classification", "classification: accuracy, six tasks", classification),
    Panel("retrieval", "text search: nDCG@10", text_search),
    Panel("codesearch", "code search: MRR", code_search),
)


def main() -> None:
    """Draw what there is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=Path, default=REPORTS)
    parser.add_argument("--out", type=Path, default=PICTURE)
    options = parser.parse_args()
    print(draw(options.reports, options.out))


def draw(reports: Path, out: Path) -> str:
    """Draw the reports of a folder; the same reports always give the same file."""
    drawn = [(panel, points_of(reports, panel)) for panel in PANELS]
    drawn = [(panel, points) for panel, points in drawn if points]
    if not drawn:
        return f"no report with comparators in {reports}"
    size = (PANEL_INCHES * len(drawn), PANEL_INCHES)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)  # draws into memory: no display is needed
    axes = figure.subplots(1, len(drawn), squeeze=False)
    for axis, (panel, points) in zip(axes[0], drawn, strict=True):
        _draw_panel(axis, panel, points)
    # Nothing of when and by which release it was drawn, so that equal pictures are equal files.
    figure.savefig(out, dpi=120, metadata={"Software": None})
    return f"{out}: {', '.join(panel.suite for panel, _ in drawn)}"


def points_of(reports: Path, panel: Panel) -> list[Point]:
    """All contenders of a suite, ours first; none without comparators."""
    path = reports / f"{panel.suite}.json"
    if not path.exists():
        return []
    report = json.loads(path.read_text(encoding="utf-8"))
    compared = dict(report.get("comparators", {}))
    timing = compared.pop("timing", None)
    if timing is None:
        return []
    ours = {OURS: {**report, "texts_per_s": timing["texts_per_s"]}}
    for kind, rate in timing.get("parts", {}).items():
        part = {"sets": {}, "mean": report["mean"][kind], "texts_per_s": rate}
        ours[f"{OURS}, {kind} alone"] = part
    ours |= {f"{OURS}, {name}": found for name, found in report.get("variants", {}).items()}
    points = []
    for name, found in {**ours, **compared}.items():
        quality = panel.quality(found)
        if quality is not None:
            points.append(Point(name, found["texts_per_s"], quality, name in ours))
    return points


def _draw_panel(axis: Axes, panel: Panel, points: list[Point]) -> None:
    for at, point in enumerate(points):
        colour = OURS_COLOUR if point.is_ours else OTHERS_COLOUR
        marker = "o" if point.is_ours else "s"
        axis.plot(point.texts_per_s, point.quality, marker, color=colour, markersize=5)
        crowd = sum(_are_near(point, other, points) for other in points[:at])
        axis.annotate(
            point.name,
            (point.texts_per_s, point.quality),
            xytext=(0, LABEL_LIFTS[min(crowd, len(LABEL_LIFTS) - 1)]),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=6,
            color=colour,
        )
    axis.set_xscale("log")
    axis.margins(x=0.25, y=0.2)
    axis.set_title(panel.title, fontsize=8)
    axis.set_xlabel("texts per second", fontsize=7)
    axis.tick_params(labelsize=6)
    axis.grid(visible=True, alpha=0.25)


def _are_near(first: Point, second: Point, points: Sequence[Point]) -> bool:
    """Whether the names of two points would stand in each other's way."""
    speeds = [math.log10(point.texts_per_s) for point in points]
    qualities = [point.quality for point in points]
    wide = NEAR * max(max(speeds) - min(speeds), 1e-9)
    high = NEAR / 4 * max(max(qualities) - min(qualities), 1e-9)
    apart = abs(math.log10(first.texts_per_s) - math.log10(second.texts_per_s))
    return apart < wide and abs(first.quality - second.quality) < high


if __name__ == "__main__":
    main()
