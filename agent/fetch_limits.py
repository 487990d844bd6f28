"""The bounds of fetching, as the fetcher takes them; settings are read elsewhere."""

from dataclasses import dataclass

from agent.network import AllowedNetwork


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How long, how much, how far and how fast."""

    connect_timeout_s: float = 5.0
    """Seconds for connecting, TLS included."""

    read_timeout_s: float = 10.0
    """Seconds without a single byte after which a server counts as silent."""

    total_s: float = 30.0
    """Seconds on the network for one URL with its redirects; waiting for turns is not counted."""

    max_bytes: int = 10 * 2**20
    """Body bytes as received, still compressed."""

    max_decompressed_bytes: int = 32 * 2**20
    """Body bytes once decompressed: a feed of ten thousand entries fits, a bomb does not."""

    max_redirects: int = 5
    """Hops after the first request."""

    user_agent: str = "tidings/0.1 (news reader; no contact set)"
    """What servers see; put a way to reach you into it."""

    host_gap_s: float = 1.0
    """Seconds from one request to a host to the next."""

    host_gap_jitter: float = 0.5
    """Up to this share of the gap is added at random."""

    max_per_host: int = 2
    """Requests to one host under way at once."""

    allow_private: tuple[AllowedNetwork, ...] = ()
    """Private, loopback and other special networks that may be reached all the same."""

    obey_robots: bool = True
    """Whether article pages are fetched only where robots.txt allows it."""

    max_crawl_delay_s: float = 30.0
    """A longer Crawl-delay of robots.txt is cut to this."""

    hold_patience_s: float = 2.0
    """A Retry-After that ends this soon is waited for; a longer one is an error at once."""

    def __post_init__(self) -> None:
        if not (
            self.user_agent.strip() and self.user_agent.isascii() and self.user_agent.isprintable()
        ):
            raise ValueError("user_agent must be one line of printable ASCII")
