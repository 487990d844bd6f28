"""What stays in memory of the store between questions; everything on it is read from SQL and can be dropped."""

from collections import Counter

from sqlalchemy import Connection

from kb import sql_facts, sql_lexical, sql_stories
from kb.exact import ExactVectors, unpack
from kb.stored import FactReader
from kb.values import Story
from kb.words import Rarity

BATCH = 5_000  # rows read at once


class Shelf:
    """Vectors, word counts, facts and stories of one store; each is loaded when first wanted."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self.reader = FactReader(dim)
        self._vectors = ExactVectors(dim)
        self._rarity: Rarity | None = None
        self._counted_to = 0  # seq of the last fact in the word counts
        self._stories: dict[str, Story] | None = None

    def vectors(self, connection: Connection) -> ExactVectors:
        """The vectors of every fact that the connection sees."""
        while rows := sql_facts.vectors_after(connection, self._vectors.last_seq, BATCH):
            matrix = unpack([packed for _, _, packed in rows], self._dim)
            self._vectors.append([seq for seq, _, _ in rows], matrix)
        return self._vectors

    def rarity(self, connection: Connection) -> Rarity:
        """Word counts over every fact that the connection sees."""
        if self._rarity is None:
            self._rarity = Rarity(Counter(sql_lexical.document_counts(connection)), 0)
            self._rarity.fact_count = sql_facts.count(connection)
            self._counted_to = sql_facts.last_seq(connection)
            return self._rarity
        for seq, title, quote in sql_facts.words_after(connection, self._counted_to):
            self._rarity.add([sql_lexical.fact_terms(title, quote)])
            self._counted_to = seq
        return self._rarity

    def stories(self, connection: Connection) -> dict[str, Story]:
        """Every story by id, in the order they were opened."""
        if self._stories is None:
            self._stories = {story.id: story for story in sql_stories.load_all(connection)}
        return self._stories

    def keep_story(self, story: Story) -> None:
        """Replace a story that has been stored."""
        if self._stories is not None:
            self._stories[story.id] = story

    def forget(self) -> None:
        """Drop everything, because the store was rebuilt."""
        self.reader.forget()
        self._vectors = ExactVectors(self._dim)
        self._rarity = None
        self._counted_to = 0
        self._stories = None
