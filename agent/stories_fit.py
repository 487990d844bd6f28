"""Fit the decision "same story?" on a stream whose articles people put into stories, and report it beside a baseline.

Run `python -m agent.stories_fit --stream FILE.jsonl.xz`. The earlier part of the labelled stream is fitted on, the rest
reported. The coefficients printed are copied into `agent.stories` by hand; nothing is read at run time.
"""

import argparse
import hashlib
import json
import logging
import lzma
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agent import stories
from agent.topics import find_topics
from kb import Article, Story, StoryProfile
from model import load_encoder, load_tagger

logger = logging.getLogger(__name__)

FIT_SHARE = 0.7
WINDOW = timedelta(days=10)
MAX_CANDIDATES = 300
LEAD_CHARS = 600
DISTRACTORS = 2000
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """An article of the stream with its profile; `gold` is "" when nobody labelled it."""

    id: str
    gold: str
    profile: StoryProfile


def read_stream(path: Path, distractors: int) -> list[tuple[Article, str]]:
    """Labelled articles and a sample of the others, in time order."""
    labelled: list[tuple[Article, str]] = []
    others: list[tuple[Article, str]] = []
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            article = Article(
                id=row["id"],
                url=row["url"],
                title=row["title"],
                text=row["body"],
                publisher=row["publisher"],
                language=row["lang"],
                published_at=datetime.fromisoformat(row["published"]),
                date_source="feed",
                fetched_at=EPOCH,
                feed_url="",
                text_source="page",
            )
            (labelled if row["story"] else others).append((article, row["story"] or ""))
    others.sort(key=lambda pair: hashlib.sha256(pair[0].id.encode()).digest())
    chosen = labelled + others[:distractors]
    return sorted(chosen, key=lambda pair: (pair[0].published_at or EPOCH, pair[0].id))


def profile_stream(articles: Sequence[tuple[Article, str]]) -> list[Told]:
    """Read every article once."""
    tagger, encoder = load_tagger(), load_encoder()
    vectors = encoder.embed(
        [f"{article.title}\n{article.text[:LEAD_CHARS]}" for article, _ in articles]
    )
    told = []
    for (article, gold), vector in zip(articles, vectors, strict=True):
        topics = find_topics(article, tagger).topics
        told.append(Told(article.id, gold, stories.article_profile(article, topics, vector)))
    return told


def training_pairs(told: Sequence[Told]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Features and labels of labelled articles against the stories open at their time, stories being the true ones."""
    rows: list[tuple[float, ...]] = []
    labels: list[float] = []
    shelf: dict[str, Story] = {}
    for article in told:
        key = article.gold or article.id
        candidates = open_stories(shelf, article.profile.first_at)
        if article.gold:
            for story, features in stories.match_features(article.profile, candidates):
                # Nobody said whether an unlabelled article belongs here.
                if not story.label.startswith("?"):
                    rows.append(features)
                    labels.append(float(story.label == key))
        old = shelf.get(key)
        profile = stories.merge(old.profile, article.profile) if old else article.profile
        shelf[key] = Story(key, key if article.gold else f"?{key}", profile)
    return np.array(rows), np.array(labels)


def open_stories(shelf: dict[str, Story], moment: datetime | None) -> list[Story]:
    """Stories with an article in the window before a moment, the latest first."""
    near = [
        s
        for s in shelf.values()
        if moment and s.profile.last_at and moment - s.profile.last_at <= WINDOW
    ]
    near.sort(key=lambda s: (s.profile.last_at or EPOCH, s.id), reverse=True)
    return near[:MAX_CANDIDATES]


def fit_logistic(
    rows: npt.NDArray[np.float64],
    labels: npt.NDArray[np.float64],
    *,
    ridge: float = 1.0,
    steps: int = 50,
) -> npt.NDArray[np.float64]:
    """Weights and, last, the bias, by Newton's method."""
    design = np.hstack([rows, np.ones((len(rows), 1))])
    weights = np.zeros(design.shape[1])
    pull = ridge * np.eye(len(weights))
    pull[-1, -1] = 0.0
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -40, 40)))
        slope = design.T @ (labels - chance) - pull @ weights
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + pull
        weights += np.linalg.solve(curve, slope)
    return weights


def cluster(
    told: Sequence[Told], weights: npt.NDArray[np.float64], threshold: float
) -> dict[str, str]:
    """One pass with the given decision: article id -> story id."""
    shelf: dict[str, Story] = {}
    found: dict[str, str] = {}
    for article in told:
        best = (-math.inf, "")
        for story, features in stories.match_features(
            article.profile, open_stories(shelf, article.profile.first_at)
        ):
            best = max(best, (float(np.dot(weights[:-1], features) + weights[-1]), story.id))
        joins = best[1] and best[0] >= math.log(threshold / (1 - threshold))
        key = best[1] if joins else article.id
        profile = stories.merge(shelf[key].profile, article.profile) if joins else article.profile
        shelf[key] = Story(key, "", profile)
        found[article.id] = key
    return found


def cluster_baseline(told: Sequence[Told], threshold: float) -> dict[str, str]:
    """Single pass by TF-IDF cosine to the centroid; document counts grow with the stream."""
    spread: Counter[str] = Counter()
    sums: dict[str, Counter[str]] = {}
    last: dict[str, datetime] = {}
    found: dict[str, str] = {}
    for number, article in enumerate(told, start=1):
        words = {
            term: weight
            for term, weight in article.profile.terms.items()
            if not term.startswith("@")
        }
        spread.update(words.keys())
        raw = {
            term: weight * math.log((number + 1) / spread[term]) for term, weight in words.items()
        }
        length = math.hypot(*raw.values()) or 1.0
        unit = {term: weight / length for term, weight in raw.items()}
        moment = article.profile.first_at or EPOCH
        best = (0.0, "")
        for key, total in sums.items():
            if moment - last[key] <= WINDOW:
                dot = sum(weight * total[term] for term, weight in unit.items() if term in total)
                best = max(best, (dot / (math.hypot(*total.values()) or 1.0), key))
        key = best[1] if best[0] >= threshold else article.id
        sums.setdefault(key, Counter()).update(unit)
        last[key] = moment
        found[article.id] = key
    return found


def bcubed(told: Sequence[Told], found: dict[str, str]) -> dict[str, float]:
    """B-cubed precision, recall and F1 over the labelled articles."""
    labelled = [article for article in told if article.gold]
    by_gold: dict[str, set[str]] = defaultdict(set)
    by_found: dict[str, set[str]] = defaultdict(set)
    for article in labelled:
        by_gold[article.gold].add(article.id)
        by_found[found[article.id]].add(article.id)
    precision = recall = 0.0
    for article in labelled:
        both = len(by_gold[article.gold] & by_found[found[article.id]])
        precision += both / len(by_found[found[article.id]])
        recall += both / len(by_gold[article.gold])
    precision, recall = precision / len(labelled), recall / len(labelled)
    return {
        "precision": precision,
        "recall": recall,
        "bcubed_f1": 2 * precision * recall / (precision + recall),
    }


def fit(path: Path, distractors: int = DISTRACTORS) -> dict[str, object]:
    """Fit on the earlier part, choose thresholds there, and report on the later part."""
    told = profile_stream(read_stream(path, distractors))
    cut = int(FIT_SHARE * len(told))
    early, late = told[:cut], told[cut:]
    weights = fit_logistic(*training_pairs(early))
    grid = [round(0.05 * k, 2) for k in range(2, 19)]
    threshold = max(grid, key=lambda t: bcubed(early, cluster(early, weights, t))["bcubed_f1"])
    base_grid = [round(0.04 * k, 2) for k in range(2, 16)]
    base = max(base_grid, key=lambda t: bcubed(early, cluster_baseline(early, t))["bcubed_f1"])
    return {
        "coefficients": [round(float(w), 3) for w in weights[:-1]],
        "bias": round(float(weights[-1]), 3),
        "threshold": threshold,
        "features": stories.FEATURE_NAMES,
        "fitted": bcubed(early, cluster(early, weights, threshold)),
        "reported": bcubed(late, cluster(late, weights, threshold)),
        "baseline_threshold": base,
        "baseline": bcubed(late, cluster_baseline(late, base)),
        "articles": {
            "fitted": len(early),
            "reported": len(late),
            "labelled": sum(bool(t.gold) for t in late),
        },
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stream", type=Path, required=True)
    parser.add_argument("--distractors", type=int, default=DISTRACTORS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    logger.info(json.dumps(fit(options.stream, options.distractors), indent=1))


if __name__ == "__main__":
    main()
