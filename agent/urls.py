"""One spelling for each article address, so that the same article is met only once.

Purely textual: nothing is resolved or fetched, and whether an address may be fetched is decided elsewhere.
"""

import ipaddress
import re
from urllib.parse import quote, unquote, urljoin, urlsplit

MAX_URL_CHARS = 4096

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})|%")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SAFE_IN_PATH = "%/:@!$&'()*+,;="
_SAFE_IN_QUERY = _SAFE_IN_PATH + "?"

# Parameters that tell where a reader came from and never what is read. Broader lists (AdGuard's, courlan's) also drop
# "source", "session" or "keyword", which on some sites choose the article.
# fmt: off
_TRACKING_PREFIXES = (
    "utm_", "mc_", "mtm_", "pk_", "piwik_", "matomo_", "hsa_", "_hs", "at_", "ns_", "itm_", "vero_",
    "oly_", "guce_", "wt.", "ga_",
)
_TRACKING = frozenset((
    "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "twclid", "yclid",
    "ysclid", "igshid", "igsh", "ttclid", "mkt_tok", "_ga", "_gl", "cmpid", "cmp", "icmpid", "ncid",
    "ocid", "icid", "intcmp", "s_cid", "s_kwcid", "s_campaign", "xtor", "wt_mc", "wtmc", "ref",
    "ref_src", "ref_url", "referrer", "referer", "partner", "sref", "smid", "smtyp", "taid",
    "guccounter", "spm", "ftag", "via", "srnd", "traffic_source", "link_source", "leadsource",
    "cvid", "campaign_id", "campaignid", "echobox", "soc_src", "soc_trk", "wpisrc", "wpmm",
    "feedtype", "feedname",
))
# fmt: on
_CHANNELS = re.compile(
    r"(rss|feed|atom|twitter|facebook|newsletter|email|social|flipboard|googlenews)", re.IGNORECASE
)
_CHANNEL_PARAMETERS = frozenset(("source", "src", "from", "rss", "medium", "feed"))
_SAME_SITE_LABELS = re.compile(r"(www\d?|m|mobile|amp)\.")


def canonical_url(url: str, base: str | None = None) -> str:
    """Spell an http(s) URL in its one canonical form; a canonical URL is its own canonical form.

    Scheme and host lower-cased, default port, user info, fragment, dot segments and tracking parameters removed,
    escapes normalised. The order of the remaining parameters is kept: to some servers it matters.

    Args:
        url: as it stands in a feed or a page; blanks around it and line breaks inside it are dropped.
        base: what a relative URL is relative to.

    Raises:
        ValueError: not an http(s) URL, or one without a valid host.
    """
    url = re.sub(r"[\t\r\n]", "", url).strip("".join(map(chr, range(33))))
    if not url.strip("/") and url != "/":
        raise ValueError("empty URL")
    if len(url) > MAX_URL_CHARS:
        raise ValueError("URL too long")
    parts = urlsplit(_absolute(url, base))
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("not an http(s) URL")
    port = parts.port
    suffix = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    path = _without_dot_segments(_normal_escapes(parts.path, _SAFE_IN_PATH)) or "/"
    query = _without_tracking(_normal_escapes(parts.query, _SAFE_IN_QUERY))
    return f"{parts.scheme}://{_host(parts.hostname)}{suffix}{path}{'?' + query if query else ''}"


def site_of(url: str) -> str:
    """Name the site of a canonical URL: its host and port without a leading "www.", "m." or "amp."."""
    netloc = urlsplit(url).netloc
    shorter = (
        _SAME_SITE_LABELS.sub("", netloc, count=1) if _SAME_SITE_LABELS.match(netloc) else netloc
    )
    return shorter if "." in shorter else netloc


def _absolute(url: str, base: str | None) -> str:
    parts = urlsplit(url)
    if base is None or parts.scheme:
        return url  # "http:story" and "http://" are broken, not relative
    if " " in url and "/" not in url:
        raise ValueError("words, not a URL")
    return urljoin(base, url)


def _host(hostname: str | None) -> str:
    if not hostname:
        raise ValueError("URL without a host")
    if ":" in hostname:
        address = ipaddress.IPv6Address(hostname)
        if address.scope_id:
            raise ValueError("IPv6 address with a zone")
        return f"[{address.compressed}]"
    host = hostname.rstrip(".")
    if not host.isascii():
        host = host.encode("idna").decode("ascii").lower()
    if not _HOST.fullmatch(host):
        raise ValueError(f"not a host: {hostname[:80]!r}")
    return host


def _normal_escapes(part: str, safe: str) -> str:
    """Escape what must be escaped, unescape what need not be, and write escapes in upper case."""

    def normal(match: re.Match[str]) -> str:
        if match[1] is None:
            return "%25"
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else match[0].upper()

    return quote(_ESCAPE.sub(normal, part), safe=safe + "~", errors="replace")


def _without_dot_segments(path: str) -> str:
    """RFC 3986, 5.2.4, for an absolute path."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _without_tracking(query: str) -> str:
    return "&".join(piece for piece in query.split("&") if piece and not _is_tracking(piece))


def _is_tracking(piece: str) -> bool:
    name, _, value = piece.partition("=")
    name = unquote(name).lower()
    if name in _CHANNEL_PARAMETERS:
        return _CHANNELS.match(value) is not None or (name == "rss" and value in ("", "1", "true"))
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)
