"""What our stories are held against: clustering by TF-IDF in one pass, and every article alone.

TF-IDF is the textbook's single pass: the cosine of an article with each story that had one within some days, and a
threshold. Document frequencies are those of the stream so far. How much text is read, what a word of the title counts,
how a story is compared, the days and the threshold are chosen on the articles that ours was fitted on.

Shapes: A articles, P pairs of an article with the ones before it.
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from agent.stories import story_words
from kb import Article

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

TEXT_CHARS = (600, 2500)
TITLE_WEIGHTS = (1.0, 3.0)
LINKS = ("centroid", "average", "max")
DAYS = (1, 3, 10)
THRESHOLDS = (0.12, 0.16, 0.2, 0.24, 0.28, 0.32, 0.36, 0.4)
DAY_S = timedelta(days=1).total_seconds()


@dataclass(frozen=True, slots=True)
class Tfidf:
    """One choice of everything that can be chosen."""

    text_chars: int
    title_weight: float
    link: str
    days: int
    threshold: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """Every article beside those in the days before it."""

    at: Doubles
    """(A,) days."""
    earlier: list[Integers]
    """Of each article: numbers of articles before it that share a word with it."""
    cosines: list[Doubles]


def tuned(articles: Sequence[Article], score: Callable[[dict[str, str]], float]) -> Tfidf:
    """The choice whose stories of these articles score best; of equals the first of the grid."""
    best: tuple[float, Tfidf] | None = None
    for text_chars, title_weight in itertools.product(TEXT_CHARS, TITLE_WEIGHTS):
        pairs = tfidf_pairs(articles, text_chars=text_chars, title_weight=title_weight)
        for link, days, threshold in itertools.product(LINKS, DAYS, THRESHOLDS):
            chosen = Tfidf(text_chars, title_weight, link, days, threshold)
            scored = score(_named(articles, _one_pass(pairs, chosen)))
            if best is None or scored > best[0]:
                best = scored, chosen
    assert best is not None
    return best[1]


def cluster(articles: Sequence[Article], chosen: Tfidf) -> dict[str, str]:
    """Article id -> story id, articles being in time order."""
    pairs = tfidf_pairs(articles, text_chars=chosen.text_chars, title_weight=chosen.title_weight)
    return _named(articles, _one_pass(pairs, chosen))


def alone(articles: Sequence[Article]) -> dict[str, str]:
    """Every article a story of its own."""
    return {article.id: article.id for article in articles}


def tfidf_pairs(articles: Sequence[Article], *, text_chars: int, title_weight: float) -> Pairs:
    """Cosines of every article with those of the days before it.

    Raises:
        ValueError: an article has no date.
    """
    at = np.array([_moment(article) / DAY_S for article in articles])
    postings: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    pairs = Pairs(at, [], [])
    first = 0
    weighed = _weights(articles, text_chars, title_weight)
    for number, weights in enumerate(weighed):
        while at[number] - at[first] > max(DAYS):
            first += 1
        dots: defaultdict[int, float] = defaultdict(float)
        for word, weight in weights.items():
            holders = postings[word]
            if holders and holders[0][0] < first:
                holders[:] = [entry for entry in holders if entry[0] >= first]
            for other, theirs in holders:
                dots[other] += weight * theirs
            holders.append((number, weight))
        pairs.earlier.append(np.fromiter(dots.keys(), np.int64, len(dots)))
        pairs.cosines.append(np.fromiter(dots.values(), np.float64, len(dots)))
    return pairs


def _moment(article: Article) -> float:
    if article.published_at is None:
        raise ValueError(f"article {article.id} has no date")
    return article.published_at.timestamp()


def _weights(
    articles: Sequence[Article], text_chars: int, title_weight: float
) -> Iterator[dict[str, float]]:
    """A unit vector of each article."""
    spread: Counter[str] = Counter()
    for number, article in enumerate(articles, start=1):
        words = Counter(story_words(f"{article.title}\n{article.text[:text_chars]}"))
        in_title = set(story_words(article.title))
        spread.update(words.keys())
        weights = {
            word: (1 + math.log(count))
            * (title_weight if word in in_title else 1.0)
            * math.log((number + 1) / spread[word])
            for word, count in words.items()
        }
        length = math.hypot(*weights.values()) or 1.0
        yield {word: weight / length for word, weight in weights.items() if weight > 0}


def _one_pass(pairs: Pairs, chosen: Tfidf) -> Integers:
    """(A,) the number of the first article of each one's story."""
    count = len(pairs.at)
    story, size = np.zeros(count, np.int64), np.zeros(count)
    squared, last = np.zeros(count), np.zeros(count)
    for number in range(count):
        earlier, cosines = pairs.earlier[number], pairs.cosines[number]
        near, total = number, 0.0
        if len(earlier):
            near_stories, place = np.unique(story[earlier], return_inverse=True)
            totals = np.bincount(place, cosines).astype(np.float64)
            scores = _linked(chosen.link, totals, size[near_stories], squared[near_stories])
            if chosen.link == "max":
                np.maximum.at(scores, place, cosines)
            scores[pairs.at[number] - last[near_stories] > chosen.days] = 0.0
            best = int(scores.argmax())
            if scores[best] >= chosen.threshold:
                near, total = int(near_stories[best]), float(totals[best])
        story[number], last[near] = near, pairs.at[number]
        size[near] += 1
        squared[near] += 1 + 2 * total
    return story


def _linked(link: str, totals: Doubles, size: Doubles, squared: Doubles) -> Doubles:
    """Cosine with the centroid, mean of the cosines with its articles, or zeros to be raised to their largest."""
    if link == "centroid":
        return totals / np.sqrt(squared)
    return totals / size if link == "average" else np.zeros(len(totals))


def _named(articles: Sequence[Article], story: Integers) -> dict[str, str]:
    return {
        article.id: articles[number].id
        for article, number in zip(articles, story.tolist(), strict=True)
    }
