"""Keeps the vector index in step with the SQL store: fills, repairs and rebuilds it.

A fact's row is written first with `indexed_at` empty, then its vector goes into the index, then `indexed_at` is set.
Whatever breaks in between is found here at the next start.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from kb import copies, sql_articles, sql_facts, sql_lexical, sql_meta, vectors
from kb.errors import IndexMismatch
from kb.exact import pack, unpack
from kb.experience import Experience
from kb.protocols import Embedder
from kb.sql import reading, writing
from kb.vectors import VectorIndex

logger = logging.getLogger(__name__)

BATCH = 200

Progress = Callable[[int, int], None]


class Upkeep:
    """The index of one home beside its SQL store."""

    def __init__(self, engine: Engine, home: Path, embedder: Embedder) -> None:
        self._engine = engine
        self._home = home
        self._place = str(home)
        self._embedder = embedder

    def open_index(self, *, chroma_url: str | None) -> VectorIndex:
        """Open the index, setting a damaged folder aside, and bring it up to date with the SQL store."""
        self.renew_vectors()
        try:
            index = vectors.open_index(self._home, self._embedder.name, chroma_url=chroma_url)
        except IndexMismatch as exc:
            kept_at = vectors.set_aside(self._home)
            logger.warning(
                "vector index damaged, rebuilding it from the store",
                extra={"reason": str(exc), "kept_at": str(kept_at)},
            )
            index = vectors.open_index(self._home, self._embedder.name, chroma_url=chroma_url)
            with writing(self._engine, self._place) as connection:
                sql_facts.mark_all_unindexed(connection)
        self.mend(index)
        self.fill(index)
        return index

    def mend(self, index: VectorIndex) -> None:
        """Find facts the index has lost and vectors no fact stands behind; cheap when the counts agree."""
        with reading(self._engine, self._place) as connection:
            expected = sql_facts.indexed_count(connection)
            unfinished = len(sql_facts.unindexed(connection, BATCH))
        held = index.count()
        if expected <= held <= expected + unfinished:
            return
        present = index.ids()
        with writing(self._engine, self._place) as connection:
            known = sql_facts.ids(connection)
            missing = sql_facts.indexed_ids(connection) - present
            seqs = sorted(sql_facts.seqs_of(connection, sorted(missing)).values())
            sql_facts.mark_indexed(connection, seqs, now=None)
        if extra := sorted(present - known):
            index.remove(extra)
        logger.warning(
            "vector index out of step, mended",
            extra={"missing": len(missing), "extra": len(extra)},
        )

    def fill(self, index: VectorIndex, progress: Progress | None = None) -> int:
        """Index what is not indexed, in the order it was stored; return how many facts that were."""
        total = done = 0
        if progress is not None:
            with reading(self._engine, self._place) as connection:
                total = sql_facts.count(connection) - sql_facts.indexed_count(connection)
        while True:
            with reading(self._engine, self._place) as connection:
                rows = sql_facts.unindexed(connection, BATCH)
            if not rows:
                return done
            matrix = unpack([packed for _, _, packed in rows], self._embedder.dim)
            index.add([fact_id for _, fact_id, _ in rows], matrix)
            with writing(self._engine, self._place) as connection:
                # The machine's clock: nothing is ever decided by when a vector was indexed.
                now = datetime.now(UTC)
                sql_facts.mark_indexed(connection, [seq for seq, _, _ in rows], now=now)
            done += len(rows)
            if progress is not None:
                progress(done, max(total, done))

    def renew_vectors(self, *, force: bool = False) -> None:
        """Embed every fact anew when the stored vectors came from another encoder."""
        with reading(self._engine, self._place) as connection:
            stored = sql_meta.get(connection, sql_meta.ENCODER)
            is_empty = sql_facts.count(connection) == 0
        if stored == self._embedder.name and not force:
            return
        if not is_empty:
            logger.warning(
                "embedding every fact anew",
                extra={"stored_encoder": stored, "encoder": self._embedder.name},
            )
            self._embed_all()
        with writing(self._engine, self._place) as connection:
            sql_facts.mark_all_unindexed(connection)
            if stored != self._embedder.name:
                Experience(self._embedder.dim).recolour(connection)
            sql_meta.put(connection, sql_meta.ENCODER, self._embedder.name)

    def require_same_encoder(self) -> None:
        """Refuse vectors that this encoder did not make.

        Raises:
            IndexMismatch: another one made them.
        """
        with reading(self._engine, self._place) as connection:
            stored = sql_meta.get(connection, sql_meta.ENCODER)
        if stored != self._embedder.name:
            raise IndexMismatch(
                f"{self._place}: its vectors come from {stored}, not from {self._embedder.name};"
                " `tidings reindex` makes them anew"
            )

    def _embed_all(self) -> None:
        seq = 0
        while True:
            with reading(self._engine, self._place) as connection:
                rows = sql_facts.texts_after(connection, seq, BATCH)
            if not rows:
                return
            matrix = np.asarray(self._embedder.embed([quote for _, quote in rows]))
            packed = pack(matrix)
            with writing(self._engine, self._place) as connection:
                pairs = [(row[0], bytes_) for row, bytes_ in zip(rows, packed, strict=True)]
                sql_facts.set_vectors(connection, pairs)
            seq = rows[-1][0]

    def rebuild(self, index: VectorIndex, progress: Progress | None = None) -> int:
        """Make everything derived anew: full text, copy bands, experience graph, vectors, index."""
        with writing(self._engine, self._place) as connection:
            sql_lexical.rebuild(connection)
            sql_articles.clear_bands(connection)
            for article_id, text in sql_articles.learned_texts(connection):
                sql_articles.add_bands(connection, article_id, copies.bands(text))
            Experience(self._embedder.dim).rebuild(connection)
        self.renew_vectors(force=True)
        index.clear()
        return self.fill(index, progress)
