"""Everything the knowledge base can raise.

KBError
├── StoreError        the SQL store cannot be read or written: disk full, read-only home, damaged file
├── StoreBusy         another process owns this home
├── IndexMismatch     the vector index was built by another encoder, or has drifted from the SQL store
└── MigrationError    the store was written by a newer version, or a migration failed
"""


class KBError(Exception):
    """Base of every error that leaves this package; its message is one line for the user."""


class StoreError(KBError):
    """The SQL store cannot be read or written."""


class StoreBusy(KBError):
    """Another process holds the lock of this home."""


class IndexMismatch(KBError):
    """The vector index does not fit the encoder or the SQL store; `tidings reindex` rebuilds it."""


class MigrationError(KBError):
    """The store's schema cannot be brought to this version."""
