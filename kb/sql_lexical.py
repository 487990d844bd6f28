"""The lexical half of retrieval: SQLite FTS5 over stems of our own making (`kb.words`).

Stems are made here and not by FTS5 so that coverage, rarity and matching count the same words, and so that another
database can take this file's place. Tables are contentless: the text itself stands in `fact` and `decision`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from kb.words import Rarity, terms

MAX_POSTINGS = 2_000  # rows that one look-up may score: bounds its time at any size of the store
MAX_TERMS = 12

_TABLES = ("fact_fts", "decision_fts")


def create(connection: Connection) -> None:
    """Make the full-text tables and fill them from the rows."""
    for table in _TABLES:
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE {table} USING fts5("
            "terms, content='', detail=none, tokenize=\"unicode61 tokenchars '.'\")"
        )
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE {table}_vocabulary USING fts5vocab({table}, 'row')"
        )
    facts = connection.exec_driver_sql(
        "SELECT fact.seq, article.title, fact.quote FROM fact"
        " JOIN article ON article.id = fact.article_id ORDER BY fact.seq"
    )
    add_facts(connection, [(seq, title, quote) for seq, title, quote in facts])
    sentences = connection.exec_driver_sql(
        "SELECT MIN(seq), quote FROM decision GROUP BY article_id, start_char, quote ORDER BY 1"
    )
    add_decisions(connection, [(seq, quote) for seq, quote in sentences])


def rebuild(connection: Connection) -> None:
    """Drop the full-text tables and make them anew."""
    for table in _TABLES:
        connection.exec_driver_sql(f"DROP TABLE {table}_vocabulary")
        connection.exec_driver_sql(f"DROP TABLE {table}")
    create(connection)


def fact_terms(title: str, quote: str) -> tuple[str, ...]:
    """What a fact is found by: its own words and its article's title."""
    return terms(title) + terms(quote)


def add_facts(connection: Connection, facts: Iterable[tuple[int, str, str]]) -> None:
    """Index facts given as (seq, article title, quote)."""
    _add(connection, "fact_fts", [(seq, " ".join(fact_terms(t, q))) for seq, t, q in facts])


def add_decisions(connection: Connection, sentences: Iterable[tuple[int, str]]) -> None:
    """Index decided sentences, each under the seq of its first decision."""
    _add(connection, "decision_fts", [(seq, " ".join(terms(quote))) for seq, quote in sentences])


def _add(connection: Connection, table: str, rows: Sequence[tuple[int, str]]) -> None:
    if rows:
        connection.exec_driver_sql(f"INSERT INTO {table} (rowid, terms) VALUES (?, ?)", list(rows))


def remove_facts(connection: Connection, facts: Iterable[tuple[int, str, str]]) -> None:
    """Take out facts given as they were added: what is not quite the same would damage the index."""
    _remove(connection, "fact_fts", [(seq, " ".join(fact_terms(t, q))) for seq, t, q in facts])


def remove_decisions(connection: Connection, sentences: Iterable[tuple[int, str]]) -> None:
    """Take out decided sentences, given as they were added."""
    _remove(connection, "decision_fts", [(seq, " ".join(terms(quote))) for seq, quote in sentences])


def _remove(connection: Connection, table: str, rows: Sequence[tuple[int, str]]) -> None:
    if rows:
        removal = f"INSERT INTO {table} ({table}, rowid, terms) VALUES ('delete', ?, ?)"
        connection.exec_driver_sql(removal, list(rows))
        # Until its parts are merged, the index keeps removed words beside the note that they are.
        connection.exec_driver_sql(f"INSERT INTO {table} ({table}) VALUES ('optimize')")


def document_counts(connection: Connection) -> Counter[str]:
    """In how many facts each stem occurs."""
    rows = connection.exec_driver_sql("SELECT term, doc FROM fact_fts_vocabulary")
    return Counter({str(term): int(doc) for term, doc in rows})


def find_facts(
    connection: Connection, wanted: Sequence[Iterable[str]], rarity: Rarity, *, limit: int
) -> list[list[int]]:
    """For each set of wanted stems the seqs of the facts that hold the rarest and most of them, best first.

    Among equals the oldest come first. A stem that is wanted more than once is looked up once.
    """
    return _best(connection, "fact_fts", wanted, rarity, limit)


def find_decisions(connection: Connection, text: str, *, limit: int) -> list[int]:
    """Seqs of the first decisions on the sentences that share words with the text, as `find_facts` ranks facts."""
    wanted = set(terms(text))
    marks = ", ".join("?" * len(wanted))
    rows = connection.exec_driver_sql(
        f"SELECT term, doc FROM decision_fts_vocabulary WHERE term IN ({marks})", tuple(wanted)
    )
    counts = Counter({str(term): int(doc) for term, doc in rows})
    last = connection.exec_driver_sql(
        "SELECT rowid FROM decision_fts ORDER BY rowid DESC LIMIT 1"
    ).scalar()
    return _best(connection, "decision_fts", [wanted], Rarity(counts, int(last or 0)), limit)[0]


def _best(
    connection: Connection,
    table: str,
    wanted: Sequence[Iterable[str]],
    rarity: Rarity,
    limit: int,
) -> list[list[int]]:
    # FTS5's own bm25() is 0 for every row of a table that keeps neither text nor the places of words.
    chosen = [rarest(stems, rarity.counts) for stems in wanted]
    held = {
        stem: _postings(connection, table, stem) for stem in {s for stems in chosen for s in stems}
    }
    return [
        _heaviest([(held[stem], rarity.weight(stem)) for stem in stems], limit) for stems in chosen
    ]


def _heaviest(held: Sequence[tuple[npt.NDArray[np.int64], float]], limit: int) -> list[int]:
    """The seqs with the largest sums of weights."""
    if not held:
        return []
    weights = np.repeat([weight for _, weight in held], [len(seqs) for seqs, _ in held])
    seqs, places = np.unique(np.concatenate([seqs for seqs, _ in held]), return_inverse=True)
    best = np.argsort(-np.bincount(places, weights), kind="stable")[:limit]
    found: list[int] = seqs[best].tolist()
    return found


def _postings(connection: Connection, table: str, term: str) -> npt.NDArray[np.int64]:
    # One string of numbers, by the driver's own cursor: a row each, by the engine's, costs more than the search.
    cursor = connection.connection.cursor()
    # A stem holds only letters, digits and full stops; the quotes make FTS5 read it as a word and nothing else.
    cursor.execute(f"SELECT group_concat(rowid) FROM {table} WHERE {table} MATCH ?", (f'"{term}"',))
    joined: str | None = cursor.fetchall()[0][0]
    return np.fromstring(joined or "", dtype=np.int64, sep=",")


def rarest(wanted: Iterable[str], counts: Mapping[str, int]) -> list[str]:
    """The wanted stems that the store holds, rarest first, until their postings fill the bound."""
    held = sorted(((counts[t], t) for t in set(wanted) if counts.get(t)), key=lambda pair: pair)
    chosen: list[str] = []
    postings = 0
    for count, term in held[:MAX_TERMS]:
        postings += count
        if chosen and postings > MAX_POSTINGS:
            break
        chosen.append(term)
    return chosen
