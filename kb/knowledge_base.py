"""The knowledge base as its users see it: one object, one home.

Queries, scoring and verdicts stand in their own files.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from kb import (
    forgetting,
    ledger,
    sql_articles,
    sql_counts,
    sql_decisions,
    verify,
)
from kb.answerability import Answerability
from kb.ask import Asker, Window
from kb.choices import ChoiceWeights
from kb.errors import StoreError
from kb.examine import Examiner, find_copy
from kb.forgetting import Retell
from kb.ledger import Learned, Ledger, decisions_of, skipped_article
from kb.migrations import migrate
from kb.protocols import Embedder
from kb.recall import RecallWeights
from kb.remembering import Remembering
from kb.reports import Forgotten, StoreCounts, VerifyReport
from kb.reread import Rereader
from kb.shelf import Shelf
from kb.sql import empty_journal, open_engine, reading, writing
from kb.upkeep import Upkeep
from kb.values import (
    Answer,
    Article,
    ArticleReport,
    Decision,
    Draft,
    Match,
    NoAnswer,
    Question,
    RankedChoice,
    Story,
    StoryDecision,
    Topics,
)
from kb.vectors import VectorIndex
from kb.verdicts import Ruling

logger = logging.getLogger(__name__)

INDEX_BATCH = 100  # facts that wait for the index before they are sent to it together
UNDATED_STORIES = 50  # newest stories without a date that are still open to new articles


class KnowledgeBase(Remembering):
    """Everything stored under one home. Safe for threads; one process at a time may write (see `HomeLock`)."""

    def __init__(
        self,
        home: Path,
        engine: Engine,
        index: VectorIndex | None,
        *,
        embedder: Embedder,
        answerability: Answerability,
        rereader: Rereader | None = None,
        recall: RecallWeights | None = None,
    ) -> None:
        """Join opened parts; `open` is the usual way. Without an index every search is exact."""
        super().__init__(home, engine, embedder, recall)
        self._home = home
        self._index = index
        self._answerability = answerability
        self._shelf = Shelf(embedder.dim)
        self._examiner = Examiner(embedder, answerability, self._shelf)
        self._asker = Asker(self._shelf, index, embedder, answerability, rereader, recall)
        self._upkeep = Upkeep(engine, home, embedder)
        self._waiting = 0  # facts stored since the index was last filled

    @classmethod
    def open(
        cls,
        home: Path,
        embedder: Embedder,
        answerability: Answerability,
        *,
        rereader: Rereader | None = None,
        recall: RecallWeights | None = None,
        database_url: str | None = None,
        chroma_url: str | None = None,
        read_only: bool = False,
    ) -> "KnowledgeBase":
        """Open a home, making it when it is missing, and finish what an interrupted run left undone.

        Without a rereader the answers are those of retrieval alone; without `recall` there is no experience graph.
        Does not lock: a writer holds `HomeLock(home)` around this. With `read_only` nothing is written, repaired or
        indexed, and searching is exact over the vectors in SQL.

        Raises:
            StoreError: the home cannot be written, or its database is damaged; nothing is overwritten.
            MigrationError: a newer version wrote it.
            IndexMismatch: with `read_only`, the stored vectors are another encoder's.
        """
        if not read_only:
            _make_home(home)
        if answerability.encoder not in ("", embedder.name):
            logger.info(
                "answerability was fitted with another encoder",
                extra={"fitted_with": answerability.encoder, "encoder": embedder.name},
            )
        engine = open_engine(home, database_url, read_only=read_only)
        try:
            if read_only:
                sql_counts.require_current_schema(engine, str(home))
                Upkeep(engine, home, embedder).require_same_encoder()
            else:
                migrate(engine, str(home))
            index = (
                None
                if read_only
                else Upkeep(engine, home, embedder).open_index(chroma_url=chroma_url)
            )
        except BaseException:
            engine.dispose()
            raise
        opened = cls(
            home,
            engine,
            index,
            embedder=embedder,
            answerability=answerability,
            rereader=rereader,
            recall=recall,
        )
        if not read_only:
            opened._catch_up()
        return opened

    def close(self) -> None:
        """Index what still waits and let go of the files."""
        with self._lock:
            try:
                self._send_to_index()
            finally:
                if self._index is not None:
                    self._index.close()
                self._engine.dispose()

    def __enter__(self) -> "KnowledgeBase":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------ learning
    def ask_store(
        self,
        questions: Sequence[Question],
        *,
        as_of: datetime | None = None,
        exclude_article: str | None = None,
        limit: int = 5,
    ) -> list[list[Match]]:
        """For each question the facts likeliest to answer it, best first."""
        window = Window(as_of=as_of, exclude_article=exclude_article)
        with self._lock:
            self._send_to_index()
            with reading(self._engine, self._place) as connection:
                return self._asker.matches(connection, questions, window, limit=limit)

    def decide(self, article: Article, drafts: Sequence[Draft]) -> list[Decision]:
        """Raise the drafts' questions against the store as it stands; writes nothing."""
        with self._lock, reading(self._engine, self._place) as connection:
            rulings, _ = self._examiner.examine(connection, article, drafts)
        return list(self._log_rows(rulings))

    def learn(
        self,
        article: Article,
        drafts: Sequence[Draft],
        *,
        topics: Topics,
        story: Story | None,
        placed: StoryDecision | None = None,
        now: datetime,
    ) -> ArticleReport:
        """Decide on an article's drafts and store what they bring in one transaction, then index it.

        `placed` says why the story is this one. An article that is learned already is left as it is and its report
        returned.
        """
        with self._lock:
            with reading(self._engine, self._place) as connection:
                if (done := sql_articles.report(connection, article.id)) is not None:
                    return done
                copy_of, bands = find_copy(connection, article)
                rulings, vectors = self._examiner.examine(connection, article, drafts)
            brought = Ledger(article, copy_of=copy_of, bands=bands, now=now).rows(
                rulings,
                self._log_rows(rulings),
                vectors=vectors,
                story_id=story.id if story is not None else None,
            )
            with writing(self._engine, self._place) as connection:
                ledger.store(connection, Learned(article, topics, story, placed, now), brought)
                self._pass_new_facts(connection)
            if story is not None:
                self._shelf.keep_story(story)
            self._waiting += len(brought.facts)
            if self._waiting >= INDEX_BATCH:
                self._send_to_index()
            return brought.report

    def skip_article(self, article_id: str, reason: str, *, now: datetime) -> ArticleReport:
        """Close an article without learning from it, with one decision that says why.

        Raises:
            ValueError: no such article is stored.
        """
        with self._lock, writing(self._engine, self._place) as connection:
            if (done := sql_articles.report(connection, article_id)) is not None:
                return done
            article = sql_articles.get(connection, article_id)
            if article is None:
                raise ValueError(f"no article {article_id}")
            decision = skipped_article(
                article,
                reason,
                threshold=self._answerability.known_threshold,
                model=self._embedder.name,
            )
            sql_decisions.add(connection, [decision])
            report = ArticleReport(article_id, None, skipped_reason=reason)
            sql_articles.mark_learned(connection, report, copy_of=None, now=now)
            return report

    def open_stories(self, since: datetime | None = None) -> list[Story]:
        """Stories that may still grow: those active since then and the newest undated ones.

        They come in the order in which they were opened.
        """
        with self._lock, reading(self._engine, self._place) as connection:
            stories = list(self._shelf.stories(connection).values())
        undated = [story for story in stories if story.profile.last_at is None]
        kept = {story.id for story in undated[-UNDATED_STORIES:]}
        for story in stories:
            last_at = story.profile.last_at
            if last_at is not None and (since is None or last_at >= since):
                kept.add(story.id)
        return [story for story in stories if story.id in kept]

    def _log_rows(self, rulings: Sequence[Ruling]) -> tuple[Decision, ...]:
        threshold = self._answerability.known_threshold
        return decisions_of(rulings, threshold=threshold, model=self._embedder.name)

    def _send_to_index(self) -> None:
        if self._waiting:
            self._send_all_to_index()

    def _send_all_to_index(self) -> None:
        if self._index is not None:
            self._upkeep.fill(self._index)
            self._waiting = 0

    # ------------------------------------------------------------------------------------------------- reading
    @property
    def answer_threshold(self) -> float:
        """From this probability on a question counts as answered."""
        return self._asker.answer_threshold

    def answer(
        self,
        question: Question,
        *,
        as_of: datetime | None = None,
        limit: int = 5,
        threshold: float | None = None,
    ) -> Answer | NoAnswer:
        """Answer a question with its sources, or abstain with the nearest facts."""
        with self._lock:
            self._send_to_index()
            with reading(self._engine, self._place) as connection:
                return self._asker.answer(
                    connection, question, Window(as_of=as_of), limit=limit, threshold=threshold
                )

    def rank_choices(
        self,
        question: Question,
        options: Sequence[str],
        weights: ChoiceWeights,
        *,
        as_of: datetime | None = None,
    ) -> list[RankedChoice]:
        """Given options by how well the stored facts support each as the answer, best first."""
        with self._lock:
            self._send_to_index()
            with reading(self._engine, self._place) as connection:
                window = Window(as_of=as_of)
                return self._asker.rank_choices(connection, question, options, window, weights)

    def search(
        self,
        text: str,
        *,
        as_of: datetime | None = None,
        limit: int = 10,
        publisher: str | None = None,
        since: datetime | None = None,
    ) -> list[Match]:
        """Facts nearest to a text, best first."""
        window = Window(as_of=as_of, publisher=publisher, since=since)
        with self._lock:
            self._send_to_index()
            with reading(self._engine, self._place) as connection:
                return self._asker.nearest(connection, text, window, limit=limit)

    # ---------------------------------------------------------------------------------------------- forgetting
    def forget(self, article: Article, retell: Retell, *, now: datetime) -> Forgotten:
        """Take an article out of the store, see `kb.forgetting`: one transaction, then the index follows.

        The articles of the report's `again` are then unlearned. `retell` makes the stories anew.

        Raises:
            ValueError: no such article is stored.
        """
        with self._lock:
            self._send_all_to_index()
            with writing(self._engine, self._place) as connection:
                if sql_articles.get(connection, article.id) is None:
                    raise ValueError(f"no article {article.id}")
                gone = forgetting.forget(connection, article, retell, self._experience, now=now)
            self._shelf.forget()
            if self._index is not None:
                self._index.remove(gone.fact_ids)
            empty_journal(self._engine, self._place)
            return gone.report

    # ------------------------------------------------------------------------------------------------- upkeep
    def verify(self) -> VerifyReport:
        """Re-read every fact from its article and hold the index against the store."""
        with self._lock:
            self._send_to_index()
            indexed = self._index.ids() if self._index is not None else None
            with reading(self._engine, self._place) as connection:
                return verify.verify(connection, indexed)

    def reindex(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Rebuild the index and everything else derived from the rows; return how many facts were indexed.

        `progress` is called with the facts done so far and their total.

        Raises:
            StoreError: the knowledge base was opened for reading only.
        """
        if self._index is None:
            raise StoreError(f"{self._place}: opened for reading only")
        with self._lock:
            self._waiting = 0
            count = self._upkeep.rebuild(self._index, progress)
            self._shelf.forget()
            return count

    def counts(self) -> StoreCounts:
        """Sizes and health."""
        with self._lock:
            self._send_to_index()
            indexed = self._index.count() if self._index is not None else 0
            with reading(self._engine, self._place) as connection:
                return sql_counts.counts(
                    connection, self._home, indexed=indexed, embedder=self._embedder.name
                )


def _make_home(home: Path) -> None:
    """Make the home for this user alone, and find out now whether it can be written."""
    probe = home / ".writable"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as exc:
        raise StoreError(f"{home}: cannot be written: {exc.strerror or exc}") from exc
