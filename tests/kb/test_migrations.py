"""The schema: from nothing, from every earlier version, and never half."""

import pytest
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from kb import Answer, KnowledgeBase, MigrationError, Question
from kb.migrations import MIGRATIONS, current_version, migrate
from kb.sql import open_engine
from kb.values import AnswerKind
from tests.kb.test_learning import flood_article

PLACE = "home"


def schema(engine):
    found = {}
    names = inspect(engine).get_table_names()
    for table in names:
        if "_fts" not in table:
            found[table] = {column["name"] for column in inspect(engine).get_columns(table)}
    return found


def test_every_earlier_version_becomes_the_same_schema(tmp_path):
    schemas = []
    for version in range(len(MIGRATIONS) + 1):
        home = tmp_path / str(version)
        home.mkdir()
        engine = open_engine(home, None)
        if version:
            migrate(engine, PLACE, migrations=MIGRATIONS[:version])
        assert current_version(engine, PLACE) == version
        assert migrate(engine, PLACE) == len(MIGRATIONS)
        schemas.append(schema(engine))
        engine.dispose()
    assert all(found == schemas[0] for found in schemas)


def test_migrated_schema_is_what_the_rows_say(tmp_path):
    engine = open_engine(tmp_path, None)
    migrate(engine, PLACE)
    found = schema(engine)
    wanted = {
        name: {column.name for column in table.columns}
        for name, table in SQLModel.metadata.tables.items()
    }
    assert {name: found[name] for name in wanted} == wanted
    for name, table in SQLModel.metadata.tables.items():
        nullable = {c["name"]: c["nullable"] for c in inspect(engine).get_columns(name)}
        for column in table.columns:
            if not column.primary_key:
                assert nullable[column.name] == column.nullable, (name, column.name)
    engine.dispose()


def test_full_text_is_filled_from_rows_of_version_1(tmp_path, embedder, answerability, newsroom):
    with KnowledgeBase.open(tmp_path, embedder, answerability) as kb:
        newsroom.teach(kb, *flood_article(newsroom))
    engine = open_engine(tmp_path, None)
    with engine.begin() as connection:  # back to version 1
        for table in ("fact_fts", "decision_fts"):
            connection.execute(text(f"DROP TABLE {table}_vocabulary"))
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("DROP TABLE article_band"))
        connection.execute(text("DROP TABLE forgotten"))
        connection.execute(text("DROP TABLE story_decision"))
        for table in ("node", "edge", "pass", "trace"):
            connection.execute(text(f"DROP TABLE experience_{table}"))
        connection.execute(text("DELETE FROM schema_version WHERE version > 1"))
    engine.dispose()
    with KnowledgeBase.open(tmp_path, embedder, answerability) as kb:
        assert kb.counts().schema_version == len(MIGRATIONS)
        assert kb.decisions_like("killing people by floods")
        reply = kb.answer(
            Question("How many people were killed in Porto Verde?", AnswerKind.HOW_MANY)
        )
        assert isinstance(reply, Answer)
        assert reply.answer == "12"


def test_failed_migration_leaves_the_version_before_it(tmp_path):
    engine = open_engine(tmp_path, None)
    migrate(engine, PLACE)

    def half_done(connection):
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        connection.execute(text("CREATE TABLE half (id INTEGER)"))

    with pytest.raises(MigrationError, match=rf"migration {len(MIGRATIONS) + 1} \(half\) failed"):
        migrate(engine, PLACE, migrations=(*MIGRATIONS, ("half", half_done)))
    assert current_version(engine, PLACE) == len(MIGRATIONS)
    assert not inspect(engine).has_table("half")
    engine.dispose()
