"""Text to comparable words: folded, split, stemmed. What the lexical index stores and what coverage is counted in."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

_UNITED_STATES = re.compile(r"\bU\.S\.A?\.?|\bUSA?\b|\bUnited States(?: of America)?\b")
_ACRONYM = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_WORD = re.compile(r"\d+(?:\.\d+)+|[^\W_]+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_POSSESSIVE = re.compile(r"['’](?:s|S)?\b")
_MARKS = re.compile("[\u0300-\u036f]+")  # accents, once they stand apart from their letters
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")

_STOP = """
    a about above after again against all also am an and any are as at be because been before
    being below between both but by can could did do does doing down during each few for from
    further had has have having he her here hers him his how i if in into is it its itself just
    me more most my no nor not now of off on once only or other our ours out over own said same
    say says she should so some such than that the their theirs them then there these they this
    those through to told too under until up upon very was we were what when where which while
    who whom whose why will with would you your yours many much according may might must shall
    since yet
"""
STOP_WORDS = frozenset(_STOP.split())


# Past and participle to the verb: questions say "did it rise" where the sentence says "rose".
_IRREGULAR = """
became become|began begun begin|bought buy|broke broken break|brought bring|built build|came come
caught catch|chose chosen choose|drew drawn draw|drove driven drive|fell fallen fall|flew flown fly|fought fight
found find|gave given give|got gotten get|grew grown grow|held hold|hit hit|kept keep|knew known know
led lead|left leave|lost lose|made make|meant mean|met meet|paid pay|ran run|rose risen rise|saw seen see
sent send|shot shoot|sold sell|spent spend|spoke spoken speak|stole stolen steal|stood stand
struck strike|swore sworn swear|taught teach|thought think|threw thrown throw|took taken take
went gone go|won win|wore worn wear|wrote written write|died die|dying die|laid lay|lay lie
"""
_VERBS = {
    past: forms.split()[-1]
    for forms in _IRREGULAR.replace("\n", "|").split("|")
    for past in forms.split()[:-1]
}


def fold(text: str) -> str:
    """Lower case without diacritics, in compatibility form."""
    return text.lower() if text.isascii() else unmarked(text).casefold()


def unmarked(text: str) -> str:
    """A text without diacritics, in compatibility form."""
    return text if text.isascii() else _MARKS.sub("", unicodedata.normalize("NFKD", text))


def words(text: str) -> list[str]:
    """Folded words in text order: possessives and thousands separators dropped, acronyms closed up."""
    # Looking for the one character that a pattern cannot do without is cheaper than the pattern.
    if "U" in text:
        text = _UNITED_STATES.sub(" usa ", text)
    if "." in text:
        text = _ACRONYM.sub(lambda match: match.group().replace(".", ""), text)
    if "'" in text or "’" in text:
        text = _POSSESSIVE.sub("", text)
    if "," in text:
        text = _THOUSANDS.sub("", text)
    return _WORD.findall(fold(text))


@lru_cache(maxsize=1 << 12)
def terms(text: str) -> tuple[str, ...]:
    """Stems of the words that carry content, in text order, repeats kept; remembered for the sentences just read."""
    return tuple(stem(word) for word in words(text) if word not in STOP_WORDS)


def plain(text: str) -> str:
    """The text as bare letters and digits: equal for quotes that differ in case, blanks or punctuation only."""
    return " ".join(_NOT_ALPHANUMERIC.sub(" ", fold(text)).split())


@lru_cache(maxsize=1 << 17)
def stem(word: str) -> str:
    """Cut English inflection: "killings", "killed" and "kills" meet; words under four letters are left alone."""
    word = _VERBS.get(word, word)
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    word = singular(word)
    for suffix in ("ing", "ed"):
        root = word[: -len(suffix)]
        if word.endswith(suffix) and len(root) > 2 and re.search("[aeiouy]", root):
            doubled = root[-1] == root[-2] and root[-1] not in "lsz"
            word = root[:-1] if doubled else root
            break
    if word.endswith("ly") and len(word) > 5:
        word = word[:-2]
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word


def singular(word: str) -> str:
    """Cut the ending of an English plural off a folded word, right or wrong the same way each time."""
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


class Rarity:
    """How telling a word is in this store: the rarer, the more."""

    def __init__(self, counts: Counter[str], fact_count: int) -> None:
        self.counts = counts
        self.fact_count = fact_count

    def weight(self, term: str) -> float:
        """Inverse document frequency; a word the store has never seen weighs as one seen once."""
        return math.log(2.0 + self.fact_count / max(self.counts.get(term, 0), 1))

    def add(self, facts: Iterable[Sequence[str]]) -> None:
        """Count new facts, given as their words."""
        for words in facts:
            self.counts.update(set(words))
            self.fact_count += 1
