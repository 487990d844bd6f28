"""The vector index: the only door to Chroma. It holds nothing that cannot be rebuilt from the SQL store.

Chroma is imported when an index is opened and not with this module: the import costs a second that `--help`
should not pay.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from kb import seal
from kb.errors import IndexMismatch, StoreError
from kb.protocols import FloatArray

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.collection_configuration import CreateHNSWConfiguration
    from chromadb.api.models.Collection import Collection
    from chromadb.config import Settings

logger = logging.getLogger(__name__)

FOLDER = "chroma"
BATCH = 200
_RAISED_BY_CHROMA = (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
CHECKED = 8  # vectors read to see whether an index is sound


def collection_name(embedder_name: str) -> str:
    """A name Chroma accepts that changes with the encoder."""
    digest = hashlib.sha256(embedder_name.encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", embedder_name).strip("-")[:40]
    return "-".join(part for part in ("facts", readable, digest) if part)


def _hnsw() -> "CreateHNSWConfiguration":
    return {"space": "cosine", "ef_search": 256, "ef_construction": 128, "num_threads": 1}


class VectorIndex:
    """Fact ids and their vectors in one Chroma collection."""

    def __init__(
        self, client: "ClientAPI", embedder_name: str, *, home: Path | None = None
    ) -> None:
        """Use the collection of this encoder; with `home`, seal that home's folder on closing."""
        self._client = client
        self._home = home
        self._name = collection_name(embedder_name)
        with _translated(self._name):
            self._collection = self._open_collection()

    def _open_collection(self) -> "Collection":
        return self._client.get_or_create_collection(
            self._name,
            embedding_function=None,
            configuration={"hnsw": _hnsw()},
        )

    def add(self, ids: Sequence[str], vectors: FloatArray) -> None:
        """Put vectors under their ids, in the order given; an id that is there is overwritten."""
        with _translated(self._name):
            for start in range(0, len(ids), BATCH):
                part = slice(start, start + BATCH)
                self._collection.upsert(ids=list(ids[part]), embeddings=vectors[part])

    def nearest(self, vectors: FloatArray, *, limit: int) -> list[list[str]]:
        """Ids of the nearest facts of each vector, nearest first."""
        with _translated(self._name):
            limit = min(limit, self._collection.count())
            if not limit or not len(vectors):
                return [[] for _ in vectors]
            found = self._collection.query(query_embeddings=vectors, n_results=limit, include=[])
        return [list(ids) for ids in found["ids"]]

    def count(self) -> int:
        """How many vectors there are."""
        with _translated(self._name):
            return self._collection.count()

    def ids(self) -> set[str]:
        """Every id in the index."""
        with _translated(self._name):
            return set(self._collection.get(include=[])["ids"])

    def remove(self, ids: Sequence[str]) -> None:
        """Drop vectors by id."""
        with _translated(self._name):
            for start in range(0, len(ids), BATCH):
                self._collection.delete(ids=list(ids[start : start + BATCH]))

    def clear(self) -> None:
        """Drop this collection, and those that other encoders left behind; start an empty one."""
        with _translated(self._name):
            for collection in self._client.list_collections():
                if collection.name.startswith("facts-"):
                    self._client.delete_collection(collection.name)
            self._collection = self._open_collection()

    def check(self) -> None:
        """Search for a few of its own vectors, so that damage shows now and not in a question.

        Raises:
            IndexMismatch: the index cannot be read.
        """
        with _translated(self._name):
            total = self._collection.count()
            for offset in range(0, total, max(1, total // CHECKED)):
                got = self._collection.get(limit=1, offset=offset, include=["embeddings"])
                vector = np.asarray(got["embeddings"], dtype=np.float32)
                self._collection.query(query_embeddings=vector, n_results=1, include=[])

    def close(self) -> None:
        """Let go of the folder and seal it."""
        close = getattr(
            self._client, "close", None
        )  # absent from the interface, present in its clients
        if close is not None:
            close()
        if self._home is not None:
            seal.close(self._home, self._home / FOLDER)


def open_index(home: Path, embedder_name: str, *, chroma_url: str | None = None) -> VectorIndex:
    """Open the home's index for writing, or the one a Chroma server keeps.

    Raises:
        IndexMismatch: the folder is damaged; `set_aside` makes room for a new one.
        StoreError: the server cannot be reached.
    """
    if chroma_url is not None:
        return _open_server(chroma_url, embedder_name)
    trust = seal.examine(home, home / FOLDER)
    if trust is seal.Trust.CHANGED:
        raise IndexMismatch(f"{home / FOLDER}: its files are not as they were left")
    if trust is seal.Trust.UNKNOWN and not seal.survives_probe(home, embedder_name):
        raise IndexMismatch(f"{home / FOLDER}: it cannot be read")
    seal.take_off(home)
    index = open_folder(home, embedder_name)
    index.check()
    return index


def open_folder(home: Path, embedder_name: str) -> VectorIndex:
    """Open the home's index whatever its state; reading damaged files may end the process."""
    import chromadb

    with _translated(str(home / FOLDER)):
        client = chromadb.PersistentClient(home / FOLDER, _settings())
        return VectorIndex(client, embedder_name, home=home)


def _open_server(chroma_url: str, embedder_name: str) -> VectorIndex:
    import chromadb

    parts = urlsplit(chroma_url)
    try:
        client = chromadb.HttpClient(
            parts.hostname or "localhost",
            parts.port or (443 if parts.scheme == "https" else 8000),
            ssl=parts.scheme == "https",
            settings=_settings(),
        )
        return VectorIndex(client, embedder_name)
    except (ValueError, OSError, IndexMismatch) as exc:
        raise StoreError(f"{chroma_url}: the Chroma server does not answer: {exc}") from exc


def _settings() -> "Settings":
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False, allow_reset=False)


def set_aside(home: Path) -> Path:
    """Move a damaged folder out of the way, keeping it, and return where it went; a lost one leaves nothing to keep."""
    number = 1
    while (target := home / f"{FOLDER}.damaged-{number}").exists():
        number += 1
    _forget_clients()
    seal.take_off(home)
    try:
        (home / FOLDER).rename(target)
    except FileNotFoundError:
        return target
    except OSError as exc:
        raise StoreError(f"{home / FOLDER}: cannot be moved aside: {exc.strerror}") from exc
    return target


def _forget_clients() -> None:
    """Make Chroma forget the folders it has open: it would hand the damaged one out again under its path."""
    from chromadb.api.shared_system_client import SharedSystemClient

    SharedSystemClient.clear_system_cache()


@contextmanager
def _translated(place: str) -> Iterator[None]:
    from chromadb.errors import ChromaError

    try:
        yield
    # Beside its own errors it lets those of its parts through: "could not connect to tenant" is a
    # ValueError, a damaged catalogue may end as any of the others.
    except _RAISED_BY_CHROMA as exc:
        raise IndexMismatch(f"{place}: {type(exc).__name__}: {exc}") from exc
    except ChromaError as exc:
        raise IndexMismatch(f"{place}: {exc}") from exc
