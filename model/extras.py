"""Libraries that only some commands need: what is missing is said in one line, with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from model.errors import ModelError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Surround the imports of an optional extra.

    Raises:
        ModelError: one of them is not installed; names it and the extra.
    """
    try:
        yield
    except ImportError as exc:
        library = exc.name or str(exc)
        raise ModelError(
            f"{library} is not installed: pip install 'tidings[{name}]' (extra `{name}`)"
        ) from exc
