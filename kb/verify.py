"""Re-read every fact: does its article still say that, at that place, under that id?"""

from typing import Any

from sqlalchemy import Connection

from kb import sql_facts
from kb.reports import VerifyReport
from kb.values import content_id, hash_of_text


def verify(connection: Connection, indexed: set[str] | None) -> VerifyReport:
    """Check every span, hash and id, and hold the facts against the ids in the vector index, where there is one."""
    unsupported: list[tuple[str, str]] = []
    fact_ids: set[str] = set()
    hashes: dict[str, bool] = {}
    for row in sql_facts.every_span(connection):
        fact_ids.add(row.id)
        if (reason := _fault(row, hashes)) is not None:
            unsupported.append((row.id, reason))
    return VerifyReport(
        facts=len(fact_ids),
        unsupported=tuple(unsupported),
        index_missing=0 if indexed is None else len(fact_ids - indexed),
        index_extra=0 if indexed is None else len(indexed - fact_ids),
    )


def _fault(row: Any, hashes: dict[str, bool]) -> str | None:
    if row.text is None:
        return "its article is missing"
    if row.article_id not in hashes:
        hashes[row.article_id] = not row.text_hash or hash_of_text(row.text) == row.text_hash
    if not hashes[row.article_id]:
        return "its article's text has changed"
    if row.text[row.start_char : row.end_char] != row.quote:
        return "the quote does not stand at its place"
    derived = content_id(row.article_id, str(row.start_char), str(row.end_char), row.quote)
    return None if derived == row.id else "its id does not fit its content"
