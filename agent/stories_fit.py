"""Fit the decision "same story?" on articles that people put into stories, before the months that are reported.

Run `python -m agent.stories_fit --data DIR`. Weights are fitted against the stories as people have them, and every
threshold is tried on the same months. What is printed is copied into `agent.stories` by hand; nothing is read at run
time.
"""

import argparse
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent import stories
from agent.evaluate_stories import NoStories
from agent.ingest import StoryShelf, story_vector
from agent.story_metrics import clustering_scores
from agent.story_stream import SPLIT, Stream, read_stream
from kb import Article, Embedder, Story
from model import load_encoder

logger = logging.getLogger(__name__)

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(7, 14))

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Read:
    """An article as it was read."""

    article: Article
    vector: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights of `stories.match_features` and the bias."""

    coefficients: Doubles
    bias: float

    def score(self, features: Sequence[float]) -> float:
        """Log odds that article and story are one."""
        return float(self.coefficients @ np.array(features)) + self.bias


def read_articles(articles: Sequence[Article], embedder: Embedder) -> list[Read]:
    """Read every article once."""
    return [Read(article, story_vector(article, embedder)) for article in articles]


def training_pairs(read: Sequence[Read], gold: Mapping[str, str]) -> tuple[Doubles, Doubles]:
    """Features and labels of labelled articles against the stories open at their time, stories being the true ones."""
    rows: list[tuple[float, ...]] = []
    labels: list[float] = []
    shelf = _shelf(read)
    grown: dict[str, Story] = {}
    for one in read:
        story_id = gold.get(one.article.id)
        candidates = shelf.candidates(one.article.published_at)
        profile = stories.article_profile(one.article, one.vector, candidates)
        if story_id is not None:
            for story, features in stories.match_features(profile, candidates):
                # Nobody said whether a story of unlabelled articles is the same one.
                if story.id in grown:
                    rows.append(features)
                    labels.append(float(story.id == story_id))
        old = grown.get(story_id or "")
        merged = stories.merge(old.profile, profile) if old else profile
        story = Story(story_id or one.article.id, "", merged)
        if story_id is not None:
            grown[story_id] = story
        shelf.keep(story)
    return np.array(rows), np.array(labels)


def fit_logistic(rows: Doubles, labels: Doubles, *, ridge: float = 1.0, steps: int = 50) -> Fitted:
    """Weights and bias by Newton's method; `ridge` holds the weights of standardised columns."""
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread == 0] = 1.0  # a column that never changes tells nothing
    design = np.hstack([(rows - centre) / spread, np.ones((len(rows), 1))])
    weights = np.zeros(design.shape[1])
    pull = ridge * np.eye(len(weights))
    pull[-1, -1] = 0.0
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -40, 40)))
        slope = design.T @ (labels - chance) - pull @ weights
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + pull
        weights += np.linalg.solve(curve, slope)
    coefficients = weights[:-1] / spread
    return Fitted(coefficients, float(weights[-1] - coefficients @ centre))


def cluster(read: Sequence[Read], fitted: Fitted, threshold: float) -> dict[str, str]:
    """One pass with the given decision: article id -> story id."""
    shelf = _shelf(read)
    found: dict[str, str] = {}
    least = math.log(threshold / (1 - threshold))
    for one in read:
        candidates = shelf.candidates(one.article.published_at)
        profile = stories.article_profile(one.article, one.vector, candidates)
        scored = [
            (fitted.score(features), story)
            for story, features in stories.match_features(profile, candidates)
        ]
        odds, near = max(scored, key=lambda pair: (pair[0], pair[1].id), default=(-math.inf, None))
        if near is not None and odds >= least:
            story = Story(near.id, "", stories.merge(near.profile, profile))
        else:
            story = Story(one.article.id, "", profile)
        shelf.keep(story)
        found[one.article.id] = story.id
    return found


def fit(stream: Stream, read: Sequence[Read]) -> dict[str, Any]:
    """Fit on all that is labelled in a stream, and try the thresholds there."""
    rows, labels = training_pairs(read, stream.gold)
    fitted = fit_logistic(rows, labels)
    scores = {
        threshold: clustering_scores(stream.gold, cluster(read, fitted, threshold))
        for threshold in THRESHOLDS
    }
    return {
        "features": stories.FEATURE_NAMES,
        "coefficients": [round(float(weight), 3) for weight in fitted.coefficients],
        "bias": round(fitted.bias, 3),
        "pairs": len(rows),
        "articles": len(read),
        "labelled": len(stream.gold),
        "by_threshold": {str(one): found["bcubed_f1"] for one, found in scores.items()},
    }


def _shelf(read: Sequence[Read]) -> StoryShelf:
    return StoryShelf(NoStories(), [one.article for one in read])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="articles nearest to the reported months")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    early = read_stream(options.data, options.limit).before(SPLIT)
    read = read_articles(early.articles, load_encoder())
    logger.info(json.dumps(fit(early, read), indent=1))


if __name__ == "__main__":
    main()
