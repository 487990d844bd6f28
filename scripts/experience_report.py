"""What the language model gains from what was read before: a week of news, after ever more of the weeks before it.

    python scripts/experience_report.py --data DIR [--language FOLDER] [--out FILE] [--articles 60]

Of several weeks of the year after its training, evenly spread, some articles are read with the network alone, with the
experience of each article's own beginning, and with experience of the week, the month and the three months before, as
a daemon would have it; that of three months also in a graph that has room for fewer edges and forgets the weakest.
Bits a character, means over all articles with a 95 % bootstrap interval of the difference to
no experience; seconds to learn, and edges.
"""

import argparse
import json
import time
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from model.checkpoint import current_commit
from model.experience import MOST_EDGES, Experience
from model.predict import LanguageModel, load_language_model
from model.predict_data import ARTICLE_END, joined, read_dated_news
from model.timing import describe_machine

REPORT = Path(__file__).resolve().parent / "reports" / "experience.json"
WEEKS = 4
"""Weeks that are read."""
BEFORE = {"a week before": 7, "a month before": 28, "three months before": 91}
"""Days of news that were learned before a week."""
SMALLER = {"three months, 250,000 edges of a length": 250_000, "the same, 60,000": 60_000}
"""Edges that are held at most, after the longest time before a week."""
ALONE, ITSELF = "network alone", "its own beginning"
DRAWS = 1000

Dated = list[tuple[str, str]]
Found = dict[str, Any]


def main() -> None:
    """Read, and write the report."""
    options = _options()
    model = load_language_model(options.language)
    news = read_dated_news(options.data)
    mondays = weeks_of(news)
    bits: dict[str, list[float]] = {}
    chars: list[int] = []
    ways = {name: (days, MOST_EDGES) for name, days in BEFORE.items()}
    ways |= {name: (max(BEFORE.values()), edges) for name, edges in SMALLER.items()}
    learned: dict[str, list[Found]] = {name: [] for name in ways}
    for monday in mondays:
        week = between(news, monday, monday + timedelta(7))
        texts = week[:: max(len(week) // options.articles, 1)][: options.articles]
        chars += [len(text) for text in texts]
        add(bits, ITSELF, (model.costs(text, Experience()) for text in texts))
        for name, (days, edges) in ways.items():
            before = between(news, monday - timedelta(days), monday)
            experience, found = learn(model, before, most_edges=edges)
            learned[name].append(found)
            add(bits, name, (model.costs(text, experience) for text in texts))
    report: Found = {
        "benchmark": "experience",
        "command": f"python scripts/experience_report.py --data DIR --articles {options.articles}",
        "model": model.name,
        "weeks": [str(monday) for monday in mondays],
        "articles": len(chars),
        "characters": sum(chars),
        "ways": summarise(bits, np.array(chars)),
        "learned": {name: means(found) for name, found in learned.items()},
        "machine": describe_machine(),
        "commit": current_commit(),
    }
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for name, way in report["ways"].items():
        print(f"{name}: {way['bpc']:.3f}")


def weeks_of(news: Dated) -> list[date]:
    """Mondays of the weeks that are read: evenly spread, the longest time before each of them in the news."""
    first, last = (date.fromisoformat(news[at][0]) for at in (0, -1))
    begin = first + timedelta(max(BEFORE.values()))
    weeks = [begin + timedelta(7 * at) for at in range((last - begin).days // 7)]
    if len(weeks) < WEEKS:
        raise SystemExit(f"news from {first} to {last} is too short for {WEEKS} weeks")
    return [weeks[at] for at in np.linspace(0, len(weeks) - 1, WEEKS).astype(int)]


def between(news: Dated, begin: date, end: date) -> list[str]:
    """The articles from a day on and before another."""
    return [text for day, text in news if str(begin) <= day < str(end)]


def learn(model: LanguageModel, texts: list[str], *, most_edges: int) -> tuple[Experience, Found]:
    """Experience of some articles, learned one after the other, and what that took."""
    experience = Experience(most_edges=most_edges)
    began = time.process_time()
    for text in texts:
        experience.learn(model.alphabet.ids(text + ARTICLE_END))
    seconds = time.process_time() - began
    return experience, {
        "articles": len(texts),
        "characters": len(joined(texts)),
        "edges": experience.size,
        "processor_ms_an_article": round(1000 * seconds / max(len(texts), 1), 1),
    }


def add(bits: dict[str, list[float]], name: str, costs: Iterable[tuple[Any, Any]]) -> None:
    """Note the bits of articles, those of the network alone once."""
    for alone, heard in costs:
        if name == ITSELF:
            bits.setdefault(ALONE, []).append(float(alone.sum()))
        bits.setdefault(name, []).append(float(heard.sum()))


def summarise(bits: dict[str, list[float]], chars: np.ndarray) -> Found:
    """Bits a character in each way, and how much less than by the network alone, %."""
    rng = np.random.default_rng(1)
    draws = rng.integers(0, len(chars), (DRAWS, len(chars)))
    alone = np.array(bits[ALONE])
    found = {}
    for name, each in bits.items():
        costs = np.array(each)
        less = 100 * (1 - costs[draws].sum(axis=1) / alone[draws].sum(axis=1))
        low, high = np.percentile(less, (2.5, 97.5))
        found[name] = {
            "bpc": round(float(costs.sum() / chars.sum()), 4),
            "less_than_alone_percent": round(float(100 * (1 - costs.sum() / alone.sum())), 2),
            "interval": [round(float(low), 2), round(float(high), 2)],
        }
    return found


def means(found: list[Found]) -> Found:
    """Of what was learned before each week."""
    return {key: round(float(np.mean([each[key] for each in found])), 1) for key in found[0]}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--language", type=Path, help="folder of the model; default: the shipped")
    parser.add_argument("--articles", type=int, default=60, help="of each week")
    parser.add_argument("--out", type=Path, default=REPORT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
