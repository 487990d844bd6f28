"""A quiz that was travelled in time, summed up: from the records of its weeks to figures. Pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agent.quiz import Row
from agent.quiz_memory import WITH, WITHOUT, Told, memory_figures
from agent.realtimeqa_scores import Asked, figures, rivals_accuracy


def summarise(weeks: Sequence[Row], *, compare: bool) -> dict[str, Any]:
    """The figures of each year and of all questions, and the curve by week."""
    years = sorted({week["week"][:4] for week in weeks})
    report: dict[str, Any] = {
        "sets": {year: _part([w for w in weeks if w["week"].startswith(year)]) for year in years},
        "mean": _part(weeks),
        "weeks": [
            {
                "week": week["week"],
                "n": len(week["asked"]),
                "mc_accuracy": round(
                    100 * float(np.mean([a["right_choice"] for a in week["asked"]])), 2
                ),
            }
            for week in weeks
        ],
    }
    if compare:
        report["comparators"] = _compared(weeks)
    return report


def _asked_in(weeks: Sequence[Row]) -> list[Asked]:
    return [Asked(**asked) for week in weeks for asked in week["asked"]]


def _part(weeks: Sequence[Row]) -> dict[str, Any]:
    articles = sum(week["articles"] for week in weeks)
    stored = sum(week["stored"] for week in weeks)
    return figures(_asked_in(weeks)) | {
        "facts_per_article": round(stored / max(articles, 1), 2),
        "stored_share": round(stored / max(sum(week["sentences"] for week in weeks), 1), 4),
        "seconds_per_article": round(sum(week["seconds"] for week in weeks) / max(articles, 1), 4),
        "articles": articles,
    }


def _compared(weeks: Sequence[Row]) -> dict[str, Any]:
    rows = _asked_in(weeks)
    sentences = max(sum(week["sentences"] for week in weeks), 1)
    found_all = max(sum(row.found_all for row in rows), 1)
    cosine = {
        threshold: {
            "stored_share": round(
                sum(week["cosine"][threshold]["stored"] for week in weeks) / sentences, 4
            ),
            "recall@10_kept": round(
                sum(week["cosine"][threshold]["found"] for week in weeks) / found_all, 4
            ),
        }
        for threshold in weeks[0]["cosine"]
    }
    told = {
        side: [Told(**one) for week in weeks for one in week["memory"].get(side, ())]
        for side in (WITH, WITHOUT)
    }
    return {
        **({"experience graph": memory_figures(told)} if told[WITH] else {}),
        **{name: {"mc_accuracy": value} for name, value in rivals_accuracy(rows).items()},
        "store everything": {"recall@10_kept": 1.0, "stored_share": 1.0},
        "cosine threshold": cosine,
    }
