"""Make a clean question of pieces of a sentence: shortened, spaced, closed with a question mark."""

import re

from agent.word_sets import word_set

MAX_QUESTION_WORDS = 32
MIN_QUESTION_WORDS = 4
MIN_CONTENT_WORDS = 2
_BREAKS = word_set(
    "in on at for with by from after before to during as that while who which and but , because "
    "amid"
)
_WH = re.compile(r"\b(?:who|whom|whose|what|which|when|where|how)\b", re.IGNORECASE)
_LOOSE_END = re.compile(
    r"(?:[\s,;:—–-]+(?:and|or|but|the|a|an|of|on|for|from|by|that|as|how|when|where|who|which"
    r"|what|why|if|whether|because|while|is|was|its|his|her|their|during|amid|than))+[\s,]*$"
)
_QUOTES = re.compile('[“”"]')
_BLANKS = re.compile(r"\s+")
_BLANK_BEFORE = re.compile(r"\s+(['’]s\b|n['’]t\b|[,.;:%)])")
_BLANK_BEHIND = re.compile(r"([($£])\s+")
_COMMAS = re.compile(r",(?:\s*,)+")
_RELATIVE = re.compile(r", (?:who|which)\b")
_ADDRESS = re.compile(r"\w+,")


def shorten(text: str, words: int) -> str:
    """At most so many words, cut where a phrase begins."""
    parts = text.split()
    if len(parts) <= words:
        return " ".join(parts)
    for cut in range(words, words // 2, -1):
        if parts[cut].lower() in _BREAKS or parts[cut - 1].endswith(","):
            return " ".join(parts[:cut]).rstrip(",")
    return " ".join(parts[:words])


def tidy_question(text: str, answer: str) -> str | None:
    """One clean line ending in a question mark; None when it holds the answer or is no question's length."""
    text = _QUOTES.sub("", text).replace("<<", "“").replace(">>", "”")
    text = _BLANKS.sub(" ", text)
    text = _BLANK_BEFORE.sub(r"\1", text)
    text = _BLANK_BEHIND.sub(r"\1", text)
    text = _COMMAS.sub(",", text).strip(" ,;:—–-.…")
    closed = _LOOSE_END.sub("", text)
    text = closed if _WH.search(closed) else text
    content = sum(len(word) > 3 and not _WH.match(word) for word in text.split())
    if _RELATIVE.search(text) and not text.startswith(("Who", "Wh")):
        return None
    if content < MIN_CONTENT_WORDS or _ADDRESS.match(text):
        return None
    if (
        not MIN_QUESTION_WORDS <= len(text.split()) <= MAX_QUESTION_WORDS
        or answer.casefold() in text.casefold()
    ):
        return None
    return text[0].upper() + text[1:] + "?"
