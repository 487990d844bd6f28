"""One article against the store: find the facts near each draft and judge every question. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from kb import copies, sql_articles, sql_facts, sql_lexical
from kb.answerability import Answerability
from kb.exact import pack, unpack
from kb.protocols import Embedder, FloatArray
from kb.retrieve import Asked, rank_many, read_question
from kb.sentence import Sentence, read_sentence
from kb.shelf import Shelf
from kb.stored import StoredFact
from kb.values import Article, Draft, content_id
from kb.verdicts import Bench, Ruling, judge, twins_of
from kb.words import Rarity, plain, terms

NEAR_SENTENCE = 8  # facts taken near the sentence, by vector
NEAR_QUESTION = 4  # and near each of its questions
LEXICAL = 10  # and by its rarest words
REPEATS_PUBLISHER = "repeats a fact of its publisher"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A draft that raises questions, with its own vector and the facts near it."""

    draft: Draft
    sentence: Sentence
    asked: tuple[Asked, ...]
    near: tuple[StoredFact, ...]


def find_copy(connection: Connection, article: Article) -> tuple[str | None, tuple[str, ...]]:
    """The learned article this one copies, if any, and its own bands."""
    own_bands = copies.bands(article.text)
    declared = sql_articles.same_origin(connection, article)
    if declared is not None:
        return declared, own_bands
    rivals = sql_articles.get_many(
        connection, sql_articles.sharing_a_band(connection, article.id, own_bands)
    )
    texts = [(rival.id, rival.text) for rival in rivals.values()]
    return copies.copied(article.text, texts), own_bands


class Examiner:
    """Judges an article's drafts against the store as it stands."""

    def __init__(self, embedder: Embedder, answerability: Answerability, shelf: Shelf) -> None:
        self._embedder = embedder
        self._answerability = answerability
        self._shelf = shelf

    def examine(
        self, connection: Connection, article: Article, drafts: Sequence[Draft]
    ) -> tuple[tuple[Ruling, ...], dict[str, FloatArray]]:
        """Rule on every draft; also return the vectors of those that raised questions, by fact id."""
        kept, settled = self._without_repeats(connection, article, drafts)
        prepared = self._prepare(connection, article, kept)
        vectors = {fact_id(one.draft): one.sentence.vector for one in prepared}
        rulings = self._rule(prepared, self._shelf.rarity(connection))
        return tuple(settled.get(id(d)) or rulings[id(d)] for d in drafts), vectors

    def _without_repeats(
        self, connection: Connection, article: Article, drafts: Sequence[Draft]
    ) -> tuple[list[Draft], dict[int, Ruling]]:
        """Drafts left to judge, and rulings on those that raise nothing or say word for word what is known."""
        hashes = {id(draft): words_hash(draft.evidence.quote) for draft in drafts}
        known = sql_facts.with_words_hash(connection, hashes.values())
        facts = self._shelf.reader.read(connection, [s for seqs in known.values() for s in seqs])
        kept: list[Draft] = []
        settled: dict[int, Ruling] = {}
        seen: set[str] = set()
        for draft in drafts:
            said = hashes[id(draft)]
            same = [facts[seq] for seq in known.get(said, []) if seq in facts]
            if draft.skip_reason is not None or not draft.questions:
                reason = draft.skip_reason or "no question"
                settled[id(draft)] = Ruling(draft, (), reason)
            elif said in seen:
                settled[id(draft)] = Ruling(draft, (), "repeats a sentence of its article")
            elif any(fact.publisher == article.publisher for fact in same):
                settled[id(draft)] = Ruling(draft, (), REPEATS_PUBLISHER)
            else:
                kept.append(draft)
            seen.add(said)
        return kept, settled

    def _prepare(
        self, connection: Connection, article: Article, drafts: Sequence[Draft]
    ) -> list[_Prepared]:
        texts: list[str] = []
        for draft in drafts:
            texts.append(draft.evidence.quote)
            texts.extend(question.text for question in draft.questions)
        vectors = self._embed(texts)
        rarity = self._shelf.rarity(connection)
        nearest = self._shelf.vectors(connection).nearest(vectors, limit=NEAR_SENTENCE)
        wanted = [terms(draft.evidence.quote) for draft in drafts]
        lexical = sql_lexical.find_facts(connection, wanted, rarity, limit=LEXICAL)
        gathered: list[tuple[Draft, int, list[int]]] = []
        row = 0
        for draft, alike in zip(drafts, lexical, strict=True):
            seqs = [*nearest[row], *alike]
            for offset in range(1, len(draft.questions) + 1):
                seqs.extend(nearest[row + offset][:NEAR_QUESTION])
            gathered.append((draft, row, seqs))
            row += 1 + len(draft.questions)
        facts = self._shelf.reader.read(connection, [s for _, _, seqs in gathered for s in seqs])
        return [
            _Prepared(
                draft=draft,
                sentence=read_sentence(draft, article, vectors[row]),
                asked=tuple(
                    read_question(question, vectors[row + 1 + n], asked_at=article.published_at)
                    for n, question in enumerate(draft.questions)
                ),
                near=tuple(
                    facts[seq]
                    for seq in sorted(set(seqs))
                    if seq in facts and facts[seq].article_id != article.id
                ),
            )
            for draft, row, seqs in gathered
        ]

    def _embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors as they will be stored, so that a fact meets itself at exactly the same place."""
        if not texts:
            return np.zeros((0, self._embedder.dim), dtype=np.float32)
        return unpack(pack(self._embedder.embed(texts)), self._embedder.dim)

    def _rule(self, prepared: Sequence[_Prepared], rarity: Rarity) -> dict[int, Ruling]:
        """Rulings by the `id` of their draft."""
        beside = [(asked, one.near) for one in prepared for asked in one.asked]
        ranked = iter(rank_many(beside, rarity=rarity, answerability=self._answerability))
        rulings = {}
        for one in prepared:
            bench = self._bench(one, rarity)
            judgements = [judge(asked, next(ranked), bench) for asked in one.asked]
            rulings[id(one.draft)] = Ruling(one.draft, tuple(judgements))
        return rulings

    def _bench(self, prepared: _Prepared, rarity: Rarity) -> Bench:
        sentence = prepared.sentence
        places = (sentence.place_of(asked.question) for asked in prepared.asked)
        return Bench(
            sentence=sentence,
            rarity=rarity,
            threshold=self._answerability.known_threshold,
            twins=twins_of(sentence, prepared.near),
            places=tuple(place for place in places if place is not None),
        )


def words_hash(quote: str) -> str:
    """Equal for quotes that differ in case, blanks or punctuation only."""
    return content_id(plain(quote))


def fact_id(draft: Draft) -> str:
    """The id of the fact that a draft becomes."""
    evidence = draft.evidence
    return content_id(
        evidence.article_id, str(evidence.start_char), str(evidence.end_char), evidence.quote
    )
