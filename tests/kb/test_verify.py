"""`verify` finds every fact that its article no longer bears out."""

import pytest
from sqlalchemy import text

from kb.sql import writing
from tests.kb.test_learning import flood_article


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE fact SET quote = replace(quote, '12', '13')", "quote does not stand"),
        ("UPDATE fact SET start_char = start_char + 1", "quote does not stand"),
        ("UPDATE fact SET end_char = 9999", "id does not fit"),
        ("UPDATE article SET text = text || ' More.'", "text has changed"),
        (
            "UPDATE article SET text = replace(text, '12', '13'), text_hash = ''",
            "quote does not stand",
        ),
        ("UPDATE fact SET id = 'ffffffffffffffff'", "id does not fit"),
    ],
)
def test_tampering_is_found(kb, newsroom, change, reason):
    newsroom.teach(kb, *flood_article(newsroom))
    assert kb.verify().unsupported == ()
    with writing(kb._engine, "home") as connection:
        connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        connection.execute(text("DELETE FROM fact_answer"))
        connection.execute(text("DELETE FROM fact_source"))
        connection.execute(text("DELETE FROM fact_entity"))
        connection.execute(text(change))
    report = kb.verify()
    assert report.facts == 1
    [(_, found)] = report.unsupported
    assert reason in found


def test_quotes_outside_the_basic_plane_are_verified(kb, newsroom):
    from kb import AnswerKind

    said = "The 🎺 band of São Tomé played 𝄞 for 300 guests."
    article = newsroom.article(["Before 🎉 that.", said])
    asked = ("For how many guests did the band of São Tomé play?", AnswerKind.HOW_MANY, "300")
    newsroom.teach(kb, article, [newsroom.draft(article, said, asked)])
    assert kb.verify().unsupported == ()
    [match] = kb.search("band of Sao Tome")
    assert match.fact.evidence.quote == said
