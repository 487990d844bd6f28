"""The `memory` suite: what the experience graph is worth where an answer is spread over several texts.

Paragraphs are learned as articles, by the path that the daemon uses, and questions are asked of the store with and
without the graph. Then every question is asked, as a user would, and once more: does asking make finding better? At
last time passes, and the graph sleeps: what is left?
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from agent.judgement import Judgement
from agent.memory_news import NEWS, digest_of, read_news_set
from agent.memory_sets import SINGLE_HOP, Hop, HopSet, read_hop_sets
from agent.progress import Progress
from agent.questions import parse_question
from agent.realtimeqa_scores import exact_match, mean_interval, word_f1
from agent.replay import article_of, learn_replayed, learned_chars_per_s
from kb import Answer, KnowledgeBase, Match, RecallWeights
from model.evaluate_search import public_words
from model.fusion import z_scores

AT = 5
SEARCHED = 40
"""Facts whose articles are looked at: five of them are different nearly always."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = (90, 365, 730, 1460)
"""After the asking, when it is looked again."""
HOPS_FROM, SECOND_HOP = 3, 0.3
"""Of the comparator: texts whose names are searched for next, and what the second search adds to the first. The best
of a grid on these sets, in the comparator's favour."""
DIGITS = 4

Ranks = Callable[[Hop], list[str]]


def evaluate_memory(
    data: Path,
    judgement: Judgement,
    *,
    compare: bool,
    limit: int | None,
    progress: Progress,
) -> dict[str, Any]:
    """Run the suite.

    Args:
        data: see `agent.memory_sets.read_hop_sets`; where it has a newsroom, with the set of `agent.memory_news`.
        judgement: the model, and the weights that decide; the graph is looked at whatever the settings say of it.
        compare: also score BM25, and BM25 searching again for the names that it found.
        limit: questions of each set at most.
        progress: told of every set.

    Returns:
        `sets`; `mean` over those of several hops but the news; `chars_per_s`; `comparators`.

    Raises:
        DataError: the data are missing or broken.
    """
    sets = read_hop_sets(data, limit)
    sets += read_news_set(data, judgement.reading.tagger, limit)
    recall = judgement.recall or RecallWeights.load()
    progress.phase("sets", len(sets))
    found: dict[str, dict[str, Any]] = {}
    chars, seconds = [], 0.0
    for one in sets:
        with tempfile.TemporaryDirectory() as home:
            found[one.name], took = _Runner(Path(home), one, judgement, recall).run()
        seconds += took
        chars += [row["text"] for row in one.paragraphs]
        progress.advance()
    report: dict[str, Any] = {
        "sets": found,
        "mean": _mean([value for name, value in found.items() if name not in (SINGLE_HOP, NEWS)]),
        "chars_per_s": learned_chars_per_s(chars, seconds),
    }
    if compare:
        scored = {one.name: _lexical(one) for one in sets}
        report["comparators"] = {
            name: {"sets": {key: value[name] for key, value in scored.items()}}
            for name in ("BM25", "BM25 two-hop")
        }
    return report


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    kinds = [key for key, value in rows[0].items() if isinstance(value, dict)]
    return {
        kind: {
            name: round(float(np.mean([row[kind][name] for row in rows])), DIGITS)
            for name in rows[0][kind]
        }
        for kind in kinds
    }


class _Runner:
    """Takes one set through its life."""

    def __init__(
        self, home: Path, hops: HopSet, judgement: Judgement, recall: RecallWeights
    ) -> None:
        self._home, self._hops = home, hops
        self._judgement, self._recall = judgement, recall
        rows = [
            {
                **row,
                "url": str(row["_id"]),
                "body": row["text"],
            }  # news has dates and publishers, too
            for row in hops.paragraphs
        ]
        self._articles = [article_of(row, fetched_at=NOW) for row in rows]

    def _open(self, *, graph: bool, read_only: bool) -> KnowledgeBase:
        return KnowledgeBase.open(
            self._home,
            self._judgement.encoder,
            self._judgement.answerability,
            rereader=self._judgement.rereader,
            recall=self._recall if graph else None,
            read_only=read_only,
        )

    def run(self) -> tuple[dict[str, Any], float]:
        """The figures of the set, and the seconds that learning took."""
        with self._open(graph=True, read_only=False) as kb:
            began = time.perf_counter()
            learn_replayed(kb, self._judgement.reading, self._articles, now=NOW)
            took = time.perf_counter() - began
        figures: dict[str, Any] = {
            "n": len(self._hops.questions),
            "texts": len(self._articles),
            "digest": digest_of(self._hops),
        }
        shares = {}
        for name, graph in (("graph_off", False), ("graph_on", True)):
            with self._open(graph=graph, read_only=True) as kb:
                shares[name], ms = self._shares(kb)
                figures[name] = {**_recall(shares[name], ms), **self._answers_of(kb)}
        gains = np.subtract(shares["graph_on"], shares["graph_off"])
        figures["graph_gain_95"] = np.round(mean_interval(gains), DIGITS).tolist()
        with self._open(graph=True, read_only=False) as kb:
            figures["asked_once"], figures["told_once"] = self._after_asking(kb)
            figures["forgetting"] = {}
            for days in DAYS:
                kb.sleep(now=NOW + timedelta(days=days))
                figures["forgetting"][f"{days} days"] = _mean_share(self._shares(kb)[0])
        return figures, took

    def _shares(self, kb: KnowledgeBase) -> tuple[list[float], float]:
        """Of each question the share of its texts that is found, and the milliseconds that a search takes."""
        questions = self._hops.questions
        began = time.perf_counter()
        found = [kb.search(one.text, limit=SEARCHED) for one in questions]
        spent = time.perf_counter() - began
        shares = [
            _share_found([match.fact.article.url for match in matches], one)
            for matches, one in zip(found, questions, strict=True)
        ]
        return shares, round(1000 * spent / len(questions), 1)

    def _recall_of(self, kb: KnowledgeBase) -> dict[str, float]:
        return _recall(*self._shares(kb))

    def _answers_of(self, kb: KnowledgeBase) -> dict[str, float]:
        """What the free answers are worth, however unlikely."""
        em, f1 = [], []
        for one in self._hops.questions:
            reply = kb.answer(parse_question(one.text), threshold=0.0)
            given = reply.answer if isinstance(reply, Answer) else ""
            em.append(max(exact_match(given, right) for right in one.answers))
            f1.append(max(word_f1(given, right) for right in one.answers))
        return {
            "em": round(float(np.mean(em)), DIGITS),
            "f1": round(float(np.mean(f1)), DIGITS),
        }

    def _after_asking(self, kb: KnowledgeBase) -> tuple[dict[str, float], dict[str, float]]:
        """Recall once each question was asked and answered as the store does, and once it was answered right."""
        given = 0
        for one in self._hops.questions:
            reply = kb.answer(parse_question(one.text))
            if isinstance(reply, Answer):
                given += 1
                kb.remember(reply, now=NOW)
        asked = {
            **self._recall_of(kb),
            "answered": round(given / len(self._hops.questions), DIGITS),
        }
        for one in self._hops.questions:
            for match in self._right_facts(kb, one):
                kb.remember(Answer(one.text, 1.0, "", (match,)), now=NOW)
        return asked, self._recall_of(kb)

    def _right_facts(self, kb: KnowledgeBase, one: Hop) -> list[Match]:
        """The likeliest fact of each paragraph that supports the answer, of those that are found at all."""
        best: dict[str, Match] = {}
        for match in kb.search(one.text, limit=SEARCHED):
            if match.fact.article.url in one.supporting:
                best.setdefault(match.fact.article.url, match)
        return list(best.values())


def _recall(shares: Sequence[float], ms: float) -> dict[str, float]:
    return {f"recall@{AT}": _mean_share(shares), "ms": ms}


def _mean_share(shares: Sequence[float]) -> float:
    return round(float(np.mean(shares)), DIGITS)


def _share_found(ranked: Sequence[str], one: Hop) -> float:
    """Share of the supporting paragraphs among the first different ones."""
    first = list(dict.fromkeys(ranked))[:AT]
    return len(one.supporting.intersection(first)) / len(one.supporting)


def _lexical(hops: HopSet) -> dict[str, dict[str, float]]:
    """Recall of BM25 over whole paragraphs, and with a second search for the names in what the first one found."""
    ids = [str(row["_id"]) for row in hops.paragraphs]
    texts = [f"{row['title']} {row['text']}" for row in hops.paragraphs]
    index = public_words().index(texts)
    questions = [one.text for one in hops.questions]
    first = z_scores(index.scores(questions))
    second = first.copy()
    for at, question in enumerate(questions):
        best = np.argsort(-first[at], kind="stable")[:HOPS_FROM]
        further = z_scores(index.scores([f"{question} {texts[hit]}" for hit in best]))
        further[np.arange(len(best)), best] = 0.0
        trusted = np.exp(first[at][best] - first[at][best[0]])[:, None]
        second[at] += SECOND_HOP * (further * trusted).max(axis=0)
    return {
        name: {
            f"recall@{AT}": round(
                float(
                    np.mean(
                        [
                            _share_found(
                                [ids[n] for n in np.argsort(-row, kind="stable")[:AT]], one
                            )
                            for row, one in zip(scores, hops.questions, strict=True)
                        ]
                    )
                ),
                DIGITS,
            ),
            "n": len(questions),
        }
        for name, scores in (("BM25", first), ("BM25 two-hop", second))
    }
