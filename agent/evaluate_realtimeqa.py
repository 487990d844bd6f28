"""The `realtimeqa` suite: a news quiz, travelled in time.

Week after week every question of the quiz is asked before the week's articles are learned, when the right
answer is "not known", and again afterwards. Articles go through the path that the daemon uses; a question
sees only articles of weeks up to its own. A killed run goes on after its last finished week.

The articles were found *by* the questions: a week's news is denser in answers than a real feed.
"""

import json
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from agent.judgement import Judgement
from agent.progress import Progress
from agent.questions import parse_question
from agent.quiz import Row, Weeks, read_quiz
from agent.quiz_memory import tell_both
from agent.quiz_summary import summarise
from agent.realtimeqa_scores import Asked, exact_match, holds_answer, word_f1
from agent.replay import article_of, learn_replayed, learned_chars_per_s
from agent.sentences import split_sentences
from kb import (
    Answer,
    Article,
    Embedder,
    FloatArray,
    KnowledgeBase,
    NoAnswer,
    Verdict,
)
from kb.calibrate import Corpus, Passage
from model import DataError
from model.lexical import EnglishTokens, LexicalIndex, WordWeights

STATE, BEFORE, HOME = "weeks.jsonl", "before.json", "home"
RECALL_AT = 10
BEST_PARAGRAPHS = 3
COSINE_THRESHOLDS = (0.7, 0.8, 0.9)
KEPT = (Verdict.ADDED, Verdict.CONFLICTING, Verdict.CORROBORATED)
"""What these say is in the store, in these words or in others."""


def evaluate_realtimeqa(
    data: Path,
    judgement: Judgement,
    weeks: Weeks,
    *,
    work: Path,
    compare: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Run the chosen weeks.

    Args:
        data: see `agent.quiz.read_quiz`.
        judgement: the model, and the weights that decide.
        weeks: which of them.
        work: folder for the store and a JSON line a week; what it holds of a killed run is used.
        compare: run the comparators beside it.
        progress: told of every week.

    Returns:
        `sets`, one a year, and `mean`, over all questions; `weeks`; `chars_per_s`; `comparators`.

    Raises:
        DataError: the data are missing or broken, no week is left, or `work` holds another run.
    """
    quiz = read_quiz(data, weeks)
    settings = {
        "compare": compare,
        "encoder": judgement.reading.embedder.name,
        "reader": judgement.rereader.weights.reader,
        "recall": None if judgement.recall is None else judgement.recall.to_dict(),
        "weights": [
            list(judgement.answerability.weights),
            list(judgement.rereader.weights.weights),
            list(judgement.choices.weights),
        ],
    }
    work.mkdir(parents=True, exist_ok=True)
    done = _finished(work / STATE, settings, quiz.weeks)
    progress.phase("weeks", len(quiz.weeks))
    progress.advance(len(done))
    embedder = judgement.reading.embedder
    with KnowledgeBase.open(
        work / HOME,
        embedder,
        judgement.answerability,
        rereader=judgement.rereader,
        recall=judgement.recall,
    ) as kb:
        runner = _Runner(kb, judgement, work, compare=compare)
        for week in quiz.weeks[len(done) :]:
            done.append(runner.run(week, quiz.questions[week], quiz.articles.get(week, ())))
            with (work / STATE).open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[-1]) + "\n")
            progress.advance()
    rows = [row for week in quiz.weeks for row in quiz.articles.get(week, ())]
    chars_per_s = learned_chars_per_s(
        (str(row["body"]).strip() for row in rows), sum(week["seconds"] for week in done)
    )
    return summarise(done, compare=compare) | {"chars_per_s": chars_per_s}


def _finished(
    path: Path, settings: Mapping[str, Any], weeks: Sequence[str]
) -> list[dict[str, Any]]:
    """The weeks that a killed run has finished; a line that was not written to its end is dropped.

    They must be the first of the chosen weeks: what is learned in a week depends on those before it alone.
    """
    if not path.exists():
        path.write_text(json.dumps(settings) + "\n", encoding="utf-8")
        return []
    whole, newline, _ = path.read_text(encoding="utf-8").rpartition("\n")
    lines = whole.split("\n")
    try:
        done = [json.loads(line) for line in lines[1:]]
        is_begun = [week["week"] for week in done] == list(weeks[: len(done)])
        if not is_begun or json.loads(lines[0]) != settings:
            raise DataError(f"{path}: of a run with other weeks, weights or options")
    except ValueError as exc:
        raise DataError(f"{path}: broken: {exc}") from exc
    path.write_text(whole + newline, encoding="utf-8")
    return done


# ------------------------------------------------------------------------------------------------------ one week
class _Runner:
    """Takes one week after the other."""

    def __init__(
        self,
        kb: KnowledgeBase,
        judgement: Judgement,
        work: Path,
        *,
        compare: bool,
    ) -> None:
        self._kb, self._work, self._compare = kb, work, compare
        self._reading, self._choices = judgement.reading, judgement.choices
        self._judgement, self._answerability = judgement, judgement.answerability
        self._embedder = _Remembering(judgement.reading.embedder)

    def run(self, week: str, questions: Sequence[Row], rows: Sequence[Row]) -> dict[str, Any]:
        """The record of one week."""
        before = self._before(week, questions)
        now = datetime.strptime(week[:8], "%Y%m%d").replace(tzinfo=UTC)
        articles = [article_of(row, fetched_at=now) for row in rows]
        began = time.perf_counter()
        learn_replayed(self._kb, self._reading, articles, now=now)
        seconds = time.perf_counter() - began
        sentences = [passage for article in articles for passage in passages_of(article)]
        kept = self._kept(articles)
        found = {
            "kept": self._found(
                questions, [p for p in sentences if (p.article_id, p.start_char) in kept]
            ),
            "all": self._found(questions, sentences),
        }
        rivals = _rival_choices(questions, articles) if self._compare else [{} for _ in questions]
        asked = [
            self._asked(row, before[row["id"]], found["kept"][n], found["all"][n], rivals[n])
            for n, row in enumerate(questions)
        ]
        record = {
            "week": week,
            "articles": len(articles),
            "seconds": round(seconds, 2),
            "sentences": len(sentences),
            "stored": self._stored(articles),
            "asked": [asdict(one) for one in asked],
        }
        if self._compare:
            record["memory"] = self._memory(questions)
            record["cosine"] = self._cosine(questions, sentences)
        self._embedder.forget()
        (self._work / BEFORE).unlink(missing_ok=True)
        return record

    def _before(self, week: str, questions: Sequence[Row]) -> dict[str, Any]:
        """What the store says before the week; written down, for a run that is killed while it learns."""
        path = self._work / BEFORE
        if path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["week"] == week:
                return dict(stored["before"])
        before = {}
        for row in questions:
            reply = self._reply(row)
            ranked = self._ranked(row)
            before[row["id"]] = {
                "probability": reply.probability,
                "known": reply.probability >= self._kb.answer_threshold,
                "right_choice": ranked == row["answer"],
            }
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps({"week": week, "before": before}), encoding="utf-8")
        draft.replace(path)
        return before

    def _reply(self, row: Row) -> Answer | NoAnswer:
        """The best answer, however unlikely."""
        return self._kb.answer(parse_question(row["question"]), threshold=0.0)

    def _ranked(self, row: Row) -> int:
        """The place of the option that the store supports best."""
        ranked = self._kb.rank_choices(
            parse_question(row["question"]), row["choices"], self._choices
        )
        return int(row["choices"].index(ranked[0].choice))

    def _asked(
        self, row: Row, before: Row, found_kept: bool, found_all: bool, rivals: Mapping[str, bool]
    ) -> Asked:
        reply = self._reply(row)
        given = reply.answer if isinstance(reply, Answer) else ""
        right = row["choices"][row["answer"]]
        return Asked(
            id=row["id"],
            probability_before=before["probability"],
            probability=reply.probability,
            known_before=before["known"],
            known=reply.probability >= self._kb.answer_threshold,
            em=exact_match(given, right),
            f1=word_f1(given, right),
            right_choice=self._ranked(row) == row["answer"],
            right_choice_before=before["right_choice"],
            found_kept=found_kept,
            found_all=found_all,
            rivals=rivals,
        )

    def _kept(self, articles: Iterable[Article]) -> set[tuple[str, int]]:
        """Which sentences are in the store, by article and place."""
        return {
            (article.id, decision.start_char)
            for article in articles
            for decision in self._kb.article_decisions(article.id)
            if decision.verdict in KEPT
        }

    def _stored(self, articles: Iterable[Article]) -> int:
        """Facts that these articles brought."""
        return len(
            {
                (article.id, decision.start_char)
                for article in articles
                for decision in self._kb.article_decisions(article.id)
                if decision.verdict in (Verdict.ADDED, Verdict.CONFLICTING)
            }
        )

    def _memory(self, questions: Sequence[Row]) -> dict[str, Any]:
        """What is told with the experience graph and without it; nothing where the user wants none."""
        if self._judgement.recall is None:
            return {}
        told = tell_both(self._work / HOME, self._judgement, questions)
        return {name: [asdict(one) for one in rows] for name, rows in told.items()}

    def _found(self, questions: Sequence[Row], passages: Sequence[Passage]) -> list[bool]:
        """Whether the ten best of these sentences hold each question's right answer."""
        right = [row["choices"][row["answer"]] for row in questions]
        asked = [parse_question(row["question"]) for row in questions]
        with tempfile.TemporaryDirectory() as folder:
            corpus = Corpus(passages, self._embedder, Path(folder))
            pairs = corpus.ask(asked, asked_at=[None] * len(asked))
            corpus.close()
        found = []
        for answer, pair in zip(right, pairs, strict=True):
            likely = self._answerability.probability(pair.features)
            best = np.argsort(-likely, kind="stable")[:RECALL_AT]
            texts = [passages[pair.passages[at]] for at in best]
            found.append(any(holds_answer(f"{one.title} {one.text}", answer) for one in texts))
        return found

    def _cosine(self, questions: Sequence[Row], sentences: Sequence[Passage]) -> dict[str, Any]:
        """Dropping a sentence that is too near to one before: stored share, and what is still found."""
        vectors = self._embedder.embed([passage.text for passage in sentences])
        nearest = np.zeros(len(sentences))
        for at in range(1, len(sentences)):
            nearest[at] = float((vectors[:at] @ vectors[at]).max())
        found = {}
        for threshold in COSINE_THRESHOLDS:
            kept = [p for p, near in zip(sentences, nearest, strict=True) if near < threshold]
            found[str(threshold)] = {
                "stored": len(kept),
                "found": sum(self._found(questions, kept)),
            }
        return found


class _Remembering:
    """An embedder that encodes a text once: the same sentences are searched several times."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dim = embedder.name, embedder.dim
        self._embedder = embedder
        self._known: dict[str, FloatArray] = {}

    def embed(self, texts: Sequence[str]) -> FloatArray:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._embedder.embed(new), strict=True))
        found = [self._known[text] for text in texts]
        return np.stack(found) if found else np.zeros((0, self.dim), dtype=np.float32)

    def forget(self) -> None:
        self._known.clear()


def passages_of(article: Article) -> list[Passage]:
    """Every sentence of an article."""
    return [
        Passage(article.text[start:end], article.title, article.published_at, article.id, start)
        for start, end in split_sentences(article.text)
    ]


def _rival_choices(questions: Sequence[Row], articles: Sequence[Article]) -> list[dict[str, bool]]:
    """Plain BM25 over the week's paragraphs: the option whose best paragraphs, with the question, score most."""
    paragraphs = [
        f"{article.title} {paragraph}"
        for article in articles
        for paragraph in article.text.split("\n")
        if paragraph.strip()
    ]
    index = LexicalIndex(paragraphs, EnglishTokens(), WordWeights(k1=0.9, b=0.4))
    right = []
    for row in questions:
        scores = index.scores([f"{row['question']} {option}" for option in row["choices"]])
        best = np.sort(scores, axis=1)[:, -BEST_PARAGRAPHS:].sum(axis=1)
        right.append({"bm25": int(np.argmax(best)) == row["answer"]})
    return right
