"""Decide which story an article tells: one that is open, or a new one.

One pass, in the order of the articles. Words count by how few of the open stories hold them, so that what everybody
writes about these days tells little. The stories that share most are compared by the mean cosine of the article's words
with those of theirs, by the encoder's vectors and by the days between; a logistic combination, fitted on stories that
people put together, says whether they are one. Pure: the same article and candidates give the same choice.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from agent.word_sets import word_set
from kb import Article, Placement, Story, StoryDecision, StoryProfile, Topics, content_id

MAX_TERMS = 300
"""Of a story; the lightest beyond it are forgotten."""
SHORTLIST = 12
TEXT_CHARS = 2500
TITLE_WEIGHT = 3.0
FADE_DAYS = 1.5
MAX_LABEL_CHARS = 90
MIN_CANDIDATES = 20
"""Rarity is reckoned with as many candidates at least, so that the first few stories do not make every word rare."""

BIAS = -9.582
COEFFICIENTS = (13.713, 3.768, 4.854)
"""Weights of `match_features`, fitted by `agent.stories_fit`."""
THRESHOLD = 0.55
"""Least probability with which an article joins a story: the middle of where all do equally well."""

FEATURE_NAMES = ("words", "vector", "days")

_WORD = re.compile(r"[^\W\d_][\w'’-]+|\d[\d.,]*\d")
_STOP = word_set(
    "the and for that with was are has have had been were will would could should this from "
    "they their them his her she its not but who what when where which than then there here "
    "also after before about into over more most some such only other you your our out all any "
    "can may one two new said says say told according his him while during since until because "
    "being between both those these very just like even still many much made make well now how "
    "did does don't it's year years week month day time people monday tuesday wednesday "
    "thursday friday saturday sunday first last percent million billion against under through "
    "another including would've per via mr mrs ms reuters ap cnn fox news usa today washington "
    "read story photo image"
)


@dataclass(frozen=True, slots=True)
class StoryChoice:
    """The story as it is with the article in it."""

    story: Story
    decision: StoryDecision
    """What goes into the story log."""

    @property
    def is_new(self) -> bool:
        """Whether the article opened it."""
        return self.decision.placement is Placement.OPENED


def assign_story(
    article: Article, topics: Topics, vector: npt.NDArray[np.float32], candidates: Sequence[Story]
) -> StoryChoice:
    """Put an article into the likeliest candidate, or open a new story.

    Args:
        article: the article.
        topics: what it is about.
        vector: of unit length, by the encoder.
        candidates: stories it may join; their order does not matter.
    """
    profile = article_profile(article, vector, candidates)
    likely = [
        (probability(features), story) for story, features in match_features(profile, candidates)
    ]
    chance, nearest = max(likely, key=lambda pair: (pair[0], pair[1].id), default=(0.0, None))
    if nearest is not None and chance >= THRESHOLD:
        placement = Placement.JOINED
        story = Story(nearest.id, nearest.label, merge(nearest.profile, profile))
    else:
        placement = Placement.OPENED
        story = Story(story_id(article), story_label(article, topics), profile)
    decision = StoryDecision(
        article_id=article.id,
        story_id=story.id,
        placement=placement,
        nearest_id=None if nearest is None else nearest.id,
        probability=chance,
        threshold=THRESHOLD,
        candidates=len(candidates),
    )
    return StoryChoice(story, decision)


def story_id(opener: Article) -> str:
    """The id of the story that an article opens."""
    return content_id("story", opener.id)


def article_profile(
    article: Article, vector: npt.NDArray[np.float32], candidates: Sequence[Story]
) -> StoryProfile:
    """What clustering knows of one article among the stories that are open.

    Its words are a unit vector, in which one weighs more the fewer candidates hold it.
    """
    counts = Counter(story_words(f"{article.title}\n{article.text[:TEXT_CHARS]}"))
    title = set(story_words(article.title))
    rarity = _rarity(counts.keys(), candidates)
    weights = {
        word: (1 + math.log(count)) * (TITLE_WEIGHT if word in title else 1.0) * rarity[word]
        for word, count in counts.items()
    }
    return StoryProfile(
        _top(_unit(weights)),
        tuple(float(x) for x in vector),
        article.published_at,
        article.published_at,
        1,
    )


def _rarity(words: Set[str], candidates: Sequence[Story]) -> dict[str, float]:
    """How much a word tells: the logarithm of the candidates to one that holds it."""
    spread: Counter[str] = Counter()
    for story in candidates:
        spread.update(words & story.profile.terms.keys())
    total = max(len(candidates), MIN_CANDIDATES)
    return {word: math.log((total + 1.0) / (spread[word] + 0.5)) for word in words}


def merge(old: StoryProfile, new: StoryProfile) -> StoryProfile:
    """Sum two profiles; the lightest terms beyond the bound are forgotten."""
    terms = dict(old.terms)
    for term, weight in new.terms.items():
        terms[term] = terms.get(term, 0.0) + weight
    moments = [
        moment for moment in (old.first_at, old.last_at, new.first_at, new.last_at) if moment
    ]
    vector = tuple(a + b for a, b in zip(old.vector, new.vector, strict=True))
    return StoryProfile(
        _top(terms),
        vector,
        min(moments, default=None),
        max(moments, default=None),
        old.article_count + new.article_count,
    )


def match_features(
    profile: StoryProfile, candidates: Sequence[Story]
) -> list[tuple[Story, tuple[float, ...]]]:
    """The few candidates that share most with an article, each with the features the decision is made of."""
    scored = [
        (cosine, story)
        for story in candidates
        if (cosine := mean_cosine(profile.terms, story.profile)) > 0
    ]
    scored.sort(key=lambda pair: (-pair[0], pair[1].id))
    return [
        (
            story,
            (
                cosine,
                _cosine(profile.vector, story.profile.vector),
                closeness(profile.first_at, story.profile),
            ),
        )
        for cosine, story in scored[:SHORTLIST]
    ]


def mean_cosine(words: Mapping[str, float], story: StoryProfile) -> float:
    """Mean cosine of an article's words, a unit vector, with those of the articles of a story."""
    shared = words.keys() & story.terms.keys()
    # An exact sum: a rounded one depends on the order, and sets have none.
    return math.fsum([words[word] * story.terms[word] for word in shared]) / story.article_count


def closeness(moment: datetime | None, story: StoryProfile) -> float:
    """1 on the days of the story's life, falling with a Gaussian of those outside it; 1 when a date is missing.

    The time of day does not count: it says when an outlet publishes.
    """
    if moment is None or story.first_at is None or story.last_at is None:
        return 1.0
    day = moment.date()
    gap = max((story.first_at.date() - day).days, (day - story.last_at.date()).days, 0)
    return math.exp(-0.5 * (gap / FADE_DAYS) ** 2)


def probability(features: Sequence[float]) -> float:
    """Probability that article and story are one."""
    score = BIAS + sum(weight * value for weight, value in zip(COEFFICIENTS, features, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, score))))


def story_label(article: Article, topics: Topics) -> str:
    """The article's title; without one its foremost names and phrases; without those its first words."""
    title = " ".join(article.title.split())
    names = ", ".join(
        [entity.name for entity in topics.entities[:2]] + list(topics.key_phrases[:2])
    )
    label = title or names or " ".join(article.text[: 2 * MAX_LABEL_CHARS].split()) or "Untitled"
    if len(label) <= MAX_LABEL_CHARS:
        return label
    return label[: MAX_LABEL_CHARS - 1].rsplit(" ", 1)[0].rstrip(" ,;:-–—") + "…"


def story_words(text: str) -> list[str]:
    """The words that tell stories apart: lower-cased, without possessives, commonplaces and newsroom talk."""
    words = (
        match[0].lower().replace("’", "'").removesuffix("'s") for match in _WORD.finditer(text)
    )
    return [word for word in words if len(word) > 2 and word not in _STOP]


def _top(terms: Mapping[str, float]) -> dict[str, float]:
    kept = sorted(terms.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_TERMS]
    return dict(kept)


def _unit(terms: Mapping[str, float]) -> dict[str, float]:
    length = math.hypot(*terms.values()) or 1.0
    return {term: weight / length for term, weight in terms.items()}


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    scale = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / scale if scale else 0.0
