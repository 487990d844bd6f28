"""Decide which story an article tells: one that is open, or a new one.

One pass, in the order of the articles. An article is compared with each open story by the rarity-weighted words and
names they share, and with the nearest few by the encoder's vectors and their distance in time; a logistic combination,
fitted on stories that people put together, says whether they are one. Pure: the same article and candidates give the
same choice.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from agent.word_sets import word_set
from kb import Article, Placement, Story, StoryDecision, StoryProfile, Topics, content_id

MAX_TERMS = 200
SHORTLIST = 12
TEXT_CHARS = 2500
TITLE_WEIGHT = 2.0
ENTITY_WEIGHT = 1.5
PHRASE_WEIGHT = 1.0
FADE_HOURS = 72.0
MAX_LABEL_CHARS = 90
MIN_CANDIDATE_WEIGHT = 20.0
"""Candidates that rarity is reckoned with at least, so that the first few stories do not make every word rare."""

BIAS = -10.966
COEFFICIENTS = (7.934, 0.085, 3.978, 4.764, 5.57, -2.393)
"""Weights of `match_features`, fitted by `agent.stories_fit`."""
THRESHOLD = 0.35
"""Least probability with which an article joins a story."""

FEATURE_NAMES = ("cosine", "shared names", "shared words", "vector cosine", "time", "size")

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
    profile = article_profile(article, topics, vector)
    likely = [
        (probability(features), story) for story, features in match_features(profile, candidates)
    ]
    chance, nearest = max(likely, key=lambda pair: (pair[0], pair[1].id), default=(0.0, None))
    if nearest is not None and chance >= THRESHOLD:
        placement = Placement.JOINED
        story = Story(nearest.id, nearest.label, merge(nearest.profile, profile))
    else:
        placement = Placement.OPENED
        story = Story(content_id("story", article.id), story_label(article, topics), profile)
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


def article_profile(
    article: Article, topics: Topics, vector: npt.NDArray[np.float32]
) -> StoryProfile:
    """What clustering knows of one article: its terms as a unit vector, names marked with "@"."""
    words = Counter(story_words(f"{article.title}\n{article.text[:TEXT_CHARS]}"))
    in_title = set(story_words(article.title))
    terms = {
        word: (1 + math.log(count)) * (TITLE_WEIGHT if word in in_title else 1.0)
        for word, count in words.items()
    }
    for entity in topics.entities:
        terms[f"@{entity.name.lower()}"] = ENTITY_WEIGHT * (1 + math.log(entity.count))
    for phrase in topics.key_phrases:
        if " " in phrase:
            terms[phrase] = PHRASE_WEIGHT
    return StoryProfile(
        _unit(_top(terms)),
        tuple(float(x) for x in vector),
        article.published_at,
        article.published_at,
        1,
    )


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
    shared = [profile.terms.keys() & story.profile.terms.keys() for story in candidates]
    spread: Counter[str] = Counter()
    for terms in shared:
        spread.update(terms)
    total = max(float(len(candidates)), MIN_CANDIDATE_WEIGHT)
    rarity = {term: math.log((total + 1.0) / (spread[term] + 0.5)) for term in profile.terms}
    weights = _unit({term: weight * rarity[term] for term, weight in profile.terms.items()})
    scored = []
    for story, terms in zip(candidates, shared, strict=True):
        if terms:
            theirs = story.profile.terms
            # An exact sum: a rounded one depends on the order, and sets have none.
            dot = math.fsum([weights[term] * theirs[term] for term in terms])
            scored.append((dot / math.hypot(*theirs.values()), story, terms))
    scored.sort(key=lambda entry: (-entry[0], entry[1].id))
    names = {term: weight for term, weight in weights.items() if term.startswith("@")}
    words = {term: weight for term, weight in weights.items() if not term.startswith("@")}
    return [
        (
            story,
            (
                cosine,
                _share(names, terms),
                _share(words, terms),
                _cosine(profile.vector, story.profile.vector),
                closeness(profile.first_at, story.profile),
                math.log(story.profile.article_count),
            ),
        )
        for cosine, story, terms in scored[:SHORTLIST]
    ]


def closeness(moment: datetime | None, story: StoryProfile) -> float:
    """1 within the story's life, falling with a Gaussian of the hours outside it; 1 when a date is missing."""
    if moment is None or story.first_at is None or story.last_at is None:
        return 1.0
    gap = (
        max(
            (story.first_at - moment).total_seconds(), (moment - story.last_at).total_seconds(), 0.0
        )
        / 3600
    )
    return math.exp(-0.5 * (gap / FADE_HOURS) ** 2)


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


def _share(weights: Mapping[str, float], shared: set[str]) -> float:
    total = math.fsum(weights.values())
    common = math.fsum([weights[term] for term in shared if term in weights])
    return common / total if total else 0.0


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    scale = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / scale if scale else 0.0
