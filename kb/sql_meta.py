"""What a store remembers of itself: the table `meta`."""

from sqlalchemy import Connection, delete, insert, select
from sqlmodel import col

from kb.tables import MetaRow

ENCODER = "embedder"  # the encoder that made the stored vectors
EXPERIENCED = "experienced"  # seq of the last fact that passed over the experience graph
SLEPT = "slept_at"  # when the experience graph was last pruned


def get(connection: Connection, key: str) -> str | None:
    """The value under a key."""
    return connection.execute(select(col(MetaRow.value)).where(col(MetaRow.key) == key)).scalar()


def put(connection: Connection, key: str, value: str) -> None:
    """Store a value under a key in place of the old one."""
    connection.execute(delete(MetaRow).where(col(MetaRow.key) == key))
    connection.execute(insert(MetaRow).values(key=key, value=value))
