"""Names that an article lent to others in the experience graph, taken back when it is forgotten.

A story's article that says "Smith" passes over the "John Smith" of another; and a question that names a thing passes
over it, whoever named it first.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from kb import sql_articles, sql_brought, sql_experience
from kb.experience import pass_otherwise
from kb.things import fuller_names, key_of, things_of


def take_back_fuller(connection: Connection, story_id: str, names: Iterable[str]) -> None:
    """Let the facts of a story that passed over one of these names pass over what the articles left in it know.

    Args:
        connection: a writing one; the rows of the article that lent the names are gone.
        story_id: of the story as it is now.
        names: in the forgotten article.
    """
    lent = {key_of(name) for name in names}
    otherwise = {}
    for passed in sql_brought.passed_in_story(connection, story_id):
        if lent.isdisjoint(map(key_of, passed.things)):
            continue
        topics = sql_articles.topics_of(connection, passed.article_id)
        own = [entity.name for entity in topics.entities]
        elsewhere = sql_brought.names_of_story(
            connection, story_id, passed.article_id, before=passed.fact_seq
        )
        fuller = fuller_names(own), fuller_names(elsewhere)
        anew = things_of(passed.names, passed.title, own, *fuller)
        if anew != passed.things:
            otherwise[passed.seq] = anew
    pass_otherwise(connection, otherwise)


def take_back_asked(connection: Connection, names: Iterable[str]) -> None:
    """Let answered questions not have named what no fact names any more, of these names."""
    unnamed = sql_brought.only_asked(connection, {key_of(name) for name in names})
    pass_otherwise(
        connection,
        {
            row.seq: [name for name in row.things if key_of(name) not in unnamed[row.seq]]
            for row in sql_experience.passes(connection, unnamed)
        },
    )
