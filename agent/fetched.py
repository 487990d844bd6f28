"""What a fetch brings, and the reading of the headers that are kept with it."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

MAX_VALIDATOR_CHARS = 2048
"""An ETag longer than this is not kept: it would be sent back for ever."""

_SENDABLE = re.compile(r"[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([\w.:+-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A body with what its server said about it. Header names are lower-case."""

    url: str  # where it was found, after redirects
    body: bytes
    content_type: str  # the whole header; "" when absent
    charset: str | None  # the header's charset, when it is one that can be decoded
    headers: Mapping[str, str]
    etag: str | None  # opaque: latin-1 text to be sent back as it is
    last_modified: str | None  # opaque too
    permanent_url: str | None  # the end of the permanent redirects that begin the way, if any do
    fetched_at: datetime
    received_bytes: int  # as received, compressed


@dataclass(frozen=True, slots=True)
class NotModified:
    """The server says that nothing has changed since the validators were given out."""

    url: str
    headers: Mapping[str, str]
    permanent_url: str | None
    fetched_at: datetime


def sendable_validator(value: str | None) -> str | None:
    """Pass an ETag or a date on as it is, unless it could not be sent back."""
    if value is None or len(value) > MAX_VALIDATOR_CHARS or not _SENDABLE.fullmatch(value):
        return None
    return value


def charset_of(content_type: str) -> str | None:
    """Name the charset of a Content-Type header; None without one, or when it cannot be decoded."""
    match = _CHARSET.search(content_type)
    if match is None:
        return None
    try:
        b" ".decode(match[1], "replace")  # refuses codecs that are no text encodings, such as "hex"
        return codecs.lookup(match[1]).name
    except (LookupError, ValueError):
        return None
