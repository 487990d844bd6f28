"""Which addresses are not to bring an article in again: every query on the table `forgotten`.

A mark is a hash of the address, so that nothing of the article is kept, not even the words of its URL.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, insert, or_, select

from kb.sql import chunks
from kb.tables import ForgottenRow, table_of
from kb.values import content_id

_FORGOTTEN = table_of(ForgottenRow)


def mark(
    connection: Connection, article_id: str, addresses: Iterable[str], *, now: datetime
) -> None:
    """Mark addresses that lead to an article; its id is the hash of one of them already."""
    ids = {article_id, *map(content_id, addresses)}
    known = select(_FORGOTTEN.c.address_id).where(_FORGOTTEN.c.address_id.in_(ids))
    fresh = sorted(ids.difference(connection.execute(known).scalars()))
    rows = [{"address_id": one, "article_id": article_id, "forgotten_at": now} for one in fresh]
    if rows:
        connection.execute(insert(_FORGOTTEN), rows)


def marked(connection: Connection, addresses: Iterable[str]) -> dict[str, str]:
    """The marked ones of these addresses, each with the id of the article that it led to."""
    by_id = {content_id(address): address for address in addresses}
    found: dict[str, str] = {}
    for part in chunks(sorted(by_id)):
        query = select(_FORGOTTEN.c.address_id, _FORGOTTEN.c.article_id)
        for row in connection.execute(query.where(_FORGOTTEN.c.address_id.in_(part))):
            found[by_id[row.address_id]] = row.article_id
    return found


def articles_named(connection: Connection, names: Iterable[str]) -> list[str]:
    """Ids of the forgotten articles that these ids or addresses name."""
    ids = {one for name in names for one in (name, content_id(name))}
    naming = or_(_FORGOTTEN.c.address_id.in_(ids), _FORGOTTEN.c.article_id.in_(ids))
    query = select(_FORGOTTEN.c.article_id).where(naming).distinct()
    return sorted(connection.execute(query).scalars())


def unmark(connection: Connection, article_id: str) -> None:
    """Let an article come in again."""
    connection.execute(delete(_FORGOTTEN).where(_FORGOTTEN.c.article_id == article_id))
