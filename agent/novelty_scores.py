"""What the novelty suite counts: a contender's choices in, shares with intervals out. Pure.

Figures of the stream are of its last two thirds; the first third fills the store, and a comparator is fitted on it.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.novelty_rule import WIDELY_AT, WINDOW, Said, find_covering, is_alike, read_said, share_of
from kb import Article, Decision, Verdict

SEED = 11
CURVE_POINTS = 10
FITTED_SHARE = 3
"""One part in so many of the stream, the first, is not scored."""
MEANS = {
    "kept_precision": ("stream",),
    "kept_recall": ("stream",),
    "redundancy": ("stream",),
    "facts_per_article": ("stream",),
    "known": ("repeated_syndicated", "repeated_alike"),
    "flagged": ("changed_numbers", "changed_names"),
    "false_conflicts": ("changed_numbers", "changed_names"),
}
"""Metrics of the report's `mean`, and the sets they are the mean of."""


@dataclass(frozen=True, slots=True)
class Ruled:
    """A sentence that is worth keeping, for it raises questions, with what the store made of it."""

    article: Article
    start_char: int
    quote: str
    decisions: tuple[Decision, ...]
    said: Said

    @property
    def is_kept(self) -> bool:
        """Whether it becomes a fact."""
        return any(one.verdict in (Verdict.ADDED, Verdict.CONFLICTING) for one in self.decisions)

    @property
    def is_conflicting(self) -> bool:
        """Whether it is said to contradict a fact."""
        return any(one.verdict is Verdict.CONFLICTING for one in self.decisions)


@dataclass(frozen=True, slots=True)
class Change:
    """A copy with one thing changed, ruled on by the store."""

    changed: Ruled | None
    """The changed sentence; None when it raises no question any more."""
    before: Ruled
    """The sentence as it stood in the stream."""
    others: tuple[Ruled, ...]
    """The copy's other sentences."""

    @property
    def is_flagged(self) -> bool:
        """Whether the change is told as a conflict with a fact that says what the sentence said before."""
        right = {one.fact_id for one in self.before.decisions}
        return self.changed is not None and any(
            one.verdict is Verdict.CONFLICTING and one.against_id in right
            for one in self.changed.decisions
        )


@dataclass(frozen=True, slots=True)
class Trials:
    """All that the store ruled on."""

    articles: tuple[Article, ...]
    """The stream, oldest first."""
    stream: tuple[Ruled, ...]
    """Its sentences that are worth keeping, in order."""
    stories: Mapping[str, str]
    """Story by article id."""
    syndicated: tuple[Ruled, ...]
    """Sentences of syndicated copies."""
    counted_apart: tuple[tuple[str, bool], ...]
    """For each fact that such a copy confirms: the copy's id, and whether it is told from an independent source."""
    numbers: tuple[Change, ...]
    names: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that decides what is kept."""

    kept: Sequence[bool]
    """Of the stream's sentences."""
    keeps: Callable[[Ruled], bool]
    """Whether it would keep a copy's sentence, once the whole stream is read."""
    tells_conflicts: bool = False
    """Whether the rulings' own conflicts are its own."""


def ours(trials: Trials) -> Contender:
    """The store."""
    return Contender([ruled.is_kept for ruled in trials.stream], lambda ruled: ruled.is_kept, True)


def keep_everything(trials: Trials) -> Contender:
    """The comparator that stores every sentence that is worth keeping."""
    return Contender([True] * len(trials.stream), lambda _: True)


def score(trials: Trials, contender: Contender) -> dict[str, dict[str, Any]]:
    """The report's `sets` for one contender."""
    return {
        "stream": stream_metrics(trials, contender),
        "repeated_syndicated": syndicated_metrics(trials, contender),
        "repeated_alike": known_metrics(
            [(trials.stream[place], contender.kept[place]) for place in alike_places(trials)]
        ),
        "changed_numbers": change_metrics(trials.numbers, contender),
        "changed_names": change_metrics(trials.names, contender),
    }


def mean_of_sets(sets: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The report's `mean`."""
    means = {}
    for metric, names in MEANS.items():
        values = [sets[name][metric] for name in names if metric in sets[name]]
        if values:
            means[metric] = round(statistics.fmean(values), 4)
    return means


def stream_metrics(trials: Trials, contender: Contender) -> dict[str, Any]:
    """Precision, recall and redundancy of what is kept, and facts an article as the stream grows."""
    heard = [ruled.said for ruled in trials.stream]
    covering, widely = find_covering(heard), find_covering(heard, at=WIDELY_AT)
    scored = {article.id for article in trials.articles[first_scored(trials) :]}
    rows = [
        _Row(
            ruled.article.id,
            is_kept=kept,
            is_heard=bool(earlier),
            repeats_fact=any(contender.kept[n] for n in earlier),
            resembles_fact=any(contender.kept[n] for n in near),
        )
        for ruled, kept, earlier, near in zip(
            trials.stream, contender.kept, covering, widely, strict=True
        )
    ]
    judged = [row for row in rows if row.article_id in scored]
    kept = [row for row in judged if row.is_kept]
    metrics = {
        **_share("kept_precision", [(row.article_id, not row.is_heard) for row in kept]),
        **_share(
            "kept_recall", [(row.article_id, row.is_kept) for row in judged if not row.is_heard]
        ),
        **_share("redundancy", [(row.article_id, row.repeats_fact) for row in kept]),
        **_share("redundancy_widely", [(row.article_id, row.resembles_fact) for row in kept]),
        **_share(
            "redundant_dropped",
            [(row.article_id, not row.is_kept) for row in judged if row.is_heard],
        ),
        "facts_per_article": round(len(kept) / max(len(scored), 1), 2),
        "curve": _curve(trials, rows),
    }
    if contender.tells_conflicts:
        told = sum(ruled.is_conflicting for ruled in trials.stream)
        metrics["conflicts_per_1000"] = round(1000 * told / max(len(trials.stream), 1), 2)
    return metrics | {
        "n": len(judged),
        "n_redundant": sum(row.is_heard for row in judged),
        "articles": len(trials.articles),
    }


@dataclass(frozen=True, slots=True)
class _Row:
    article_id: str
    is_kept: bool
    is_heard: bool  # an earlier sentence says it
    repeats_fact: bool  # and was kept
    resembles_fact: bool  # the same by the wider net


def first_scored(trials: Trials) -> int:
    """Place of the first article whose sentences are scored."""
    return len(trials.articles) // FITTED_SHARE


def _curve(trials: Trials, rows: Iterable[_Row]) -> list[dict[str, float]]:
    """Facts an article, and the share kept of what is worth keeping, in each tenth of the stream."""
    kept: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        kept[row.article_id].append(row.is_kept)
    points, count = [], len(trials.articles)
    for n in range(CURVE_POINTS):
        start, end = n * count // CURVE_POINTS, (n + 1) * count // CURVE_POINTS
        flags = [flag for article in trials.articles[start:end] for flag in kept[article.id]]
        if flags:
            points.append(
                {
                    "articles": end,
                    "facts_per_article": round(sum(flags) / (end - start), 2),
                    "kept_share": round(sum(flags) / len(flags), 4),
                }
            )
    return points


def alike_places(trials: Trials) -> list[int]:
    """Sentences nearly identical with an earlier one of another article of their story, within the window."""
    told: dict[str, list[Said]] = defaultdict(list)
    places = []
    for place, ruled in enumerate(trials.stream):
        said, story = ruled.said, trials.stories[ruled.article.id]
        if any(
            other.article_id != said.article_id
            and said.published_at - other.published_at <= WINDOW
            and is_alike(other, said)
            for other in told[story]
        ):
            places.append(place)
        told[story].append(said)
    return places


def known_metrics(rows: Sequence[tuple[Ruled, bool]]) -> dict[str, Any]:
    """Share of sentences that are not kept again, for they are known."""
    return {
        **_share("known", [(ruled.article.id, not kept) for ruled, kept in rows]),
        "n": len(rows),
    }


def syndicated_metrics(trials: Trials, contender: Contender) -> dict[str, Any]:
    """The same of syndicated copies, and the share of confirmations by them that are counted apart."""
    known = known_metrics([(ruled, contender.keeps(ruled)) for ruled in trials.syndicated])
    if not contender.tells_conflicts:
        return known
    conflicting = [(ruled.article.id, ruled.is_conflicting) for ruled in trials.syndicated]
    return {
        **_share("counted_apart", trials.counted_apart),
        **_share("conflicting", conflicting),
        **known,
    }


def change_metrics(changes: Sequence[Change], contender: Contender) -> dict[str, Any]:
    """Share of changes that are flagged, of those that are lost, and of conflicts where nothing was changed."""
    flagged, lost, false = [], [], []
    for change in changes:
        article_id = change.before.article.id
        flagged.append((article_id, contender.tells_conflicts and change.is_flagged))
        is_lost = change.changed is None or not contender.keeps(change.changed)
        lost.append((article_id, is_lost))
        false += [
            (article_id, contender.tells_conflicts and other.is_conflicting)
            for other in change.others
        ]
    return {
        **_share("flagged", flagged),
        **_share("lost", lost),
        **_share("false_conflicts", false),
        "n": len(changes),
        "n_unchanged": len(false),
    }


def _share(name: str, flags: Iterable[tuple[str, bool]]) -> dict[str, Any]:
    """A share with its 95 % interval, drawn by article; nothing where there is nothing to count."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for article_id, is_hit in flags:
        counted[article_id][0] += is_hit
        counted[article_id][1] += 1
    found = share_of([(hits, count) for hits, count in counted.values()], seed=SEED)
    return {} if found is None else {name: found[0], f"{name}_95": found[1]}


def ruled_of(article: Article, start_char: int, decisions: Sequence[Decision]) -> Ruled:
    """A sentence with its decisions."""
    quote = decisions[0].quote
    # Articles without a date do not come into the stream.
    published_at = article.published_at or article.fetched_at
    said = read_said(article.id, published_at, quote, [one.answer for one in decisions])
    return Ruled(article, start_char, quote, tuple(decisions), said)
