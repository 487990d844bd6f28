"""Clean Unicode text out of whatever a feed or a page holds: composed, without control characters, blanks collapsed."""

import html
import re
import unicodedata

PARAGRAPH_BREAK = "\n\n"

# Marks that are never seen and would only shift offsets: soft hyphen, zero-width space, byte order mark, bidirectional
# controls. The zero-width joiners stay: in some scripts, and in emoji, they are letters.
_INVISIBLE = dict.fromkeys(
    [0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
_LINE_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_MAX_LINE_CHARS = 10_000
_UNREAD = re.compile(r"<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_UNKNOWN_ENTITY = re.compile(r"&[a-zA-Z]\w{0,31};")
_BREAK = re.compile(r"<(?:br|p|div|li)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->", re.DOTALL)


def clean_line(text: str) -> str:
    """Put a text on one line: NFC, blanks collapsed, nothing invisible."""
    return " ".join(_without_controls(text).split())


def clean_text(text: str) -> str:
    """Put each line of a text that is not blank into a paragraph of its own."""
    lines = (" ".join(line.split()) for line in _without_controls(text).split("\n"))
    return PARAGRAPH_BREAK.join(line for line in lines if line)


def text_of_markup(markup: str) -> str:
    """Read a single line of HTML (a title, a name), such as feeds carry with and without need."""
    markup = markup[:_MAX_LINE_CHARS]
    if "<" in markup:
        markup = _TAG.sub("", _BREAK.sub(" ", _UNREAD.sub(" ", markup)))
    text = html.unescape(html.unescape(markup))  # feeds that escape twice are many
    return clean_line(_UNKNOWN_ENTITY.sub("", text))


def markup_of_text(text: str) -> str:
    """Write plain text as HTML paragraphs."""
    paragraphs = re.split(r"\n\s*\n", _LINE_BREAKS.sub("\n", text).strip())
    return "\n".join(f"<p>{html.escape(p, quote=False)}</p>" for p in paragraphs if p)


def _without_controls(text: str) -> str:
    text = _LINE_BREAKS.sub("\n", text).translate(_INVISIBLE)
    return unicodedata.normalize("NFC", _CONTROLS.sub("", text))
