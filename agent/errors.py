"""Everything the agent can raise, split by what the caller does next.

AgentError
├── FetchError(url, reason)       skip this URL now
│   ├── Timeout                   try again later
│   ├── Unreachable               try again later: DNS, refused, reset, TLS, truncated body
│   ├── BadStatus(status)         4xx: give up on a page; 5xx: try again later
│   │   └── Gone                  410: stop asking
│   ├── RateLimited(retry_at)     429/503 with or without Retry-After: hold until then
│   ├── TooLarge                  a body past its bound, compressed or not
│   ├── Refused                   our own rule: scheme, private address, robots.txt, redirect limit
├── FeedError(url, reason)        the bytes are not a feed
├── ExtractionError(url, reason)  the page holds no article
└── ConfigError                   feeds.yaml, settings or the command line: stop and tell the user
"""

from datetime import datetime


class AgentError(Exception):
    """Base of every error that leaves this package; its message is one line for the user."""


class ConfigError(AgentError):
    """The user's input is wrong: names the file, the place and the thing."""


class _UrlError(AgentError):
    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.reason = reason


class FetchError(_UrlError):
    """A URL could not be fetched. `reason` is short and fit for the log and for counting."""


class Timeout(FetchError):
    """No answer, or no end of it, within the time allowed."""


class Unreachable(FetchError):
    """Name not resolved, connection refused, reset or cut short, TLS failed."""


class BadStatus(FetchError):
    """An HTTP status that brings no body we can use."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(url, f"HTTP {status}")
        self.status = status


class Gone(BadStatus):
    """410: the publisher says it is gone for good."""

    def __init__(self, url: str) -> None:
        super().__init__(url, 410)


class RateLimited(FetchError):
    """429 or 503: come back at `retry_at` (None when the server named no time)."""

    def __init__(self, url: str, status: int, retry_at: datetime | None) -> None:
        super().__init__(url, f"HTTP {status}, told to wait")
        self.status = status
        self.retry_at = retry_at


class TooLarge(FetchError):
    """The body, compressed or decompressed, passes its bound."""


class Refused(FetchError):
    """Not fetched by our own rule: scheme, private address, robots.txt, too many redirects."""


class FeedError(_UrlError):
    """The bytes are not a feed."""


class ExtractionError(_UrlError):
    """The page holds no article text."""
