"""Names of people, places and bodies: when two spellings are one."""

import re
from functools import lru_cache

from kb.words import STOP_WORDS, fold, stem, terms, unmarked, words

_TITLE_WORDS = """
    mr mrs ms miss dr sir dame lord lady prof professor president vice prime minister chancellor
    king queen prince princess pope sen senator rep representative congressman congresswoman gov
    governor mayor judge justice chief gen general col colonel lt sgt capt captain officer
    secretary ambassador former then acting us uk ex deputy speaker attorney director ceo
    chairman chairwoman coach
"""
_TITLES = frozenset(_TITLE_WORDS.split())
_SUFFIX_WORDS = """
    inc corp corporation co company ltd plc llc group holdings jr sr ii iii
"""
_SUFFIXES = frozenset(_SUFFIX_WORDS.split())
_BESIDE_NAMES = _TITLES | _SUFFIXES | STOP_WORDS
_GLUE = frozenset(
    ["the", "of", "and", "for", "de", "la", "el", "al", "van", "von", "der", "a", "an", "in", "at"]
)
_ALIASES = {
    "usa": "united states",
    "us": "united states",
    "united states of america": "united states",
    "america": "united states",
    "uk": "united kingdom",
    "britain": "united kingdom",
    "great britain": "united kingdom",
    "uae": "united arab emirates",
    "eu": "european union",
    "un": "united nations",
    "washington dc": "washington",
    "nyc": "new york city",
    "covid": "covid 19",
    "coronavirus": "covid 19",
}
_SPLIT = re.compile(r"[^\w&]+|_")
_POSSESSIVE = re.compile(r"['’]s\b|['’](?=\s|$)")
_DOTS = re.compile(r"(?<=\b\w)\.(?=\w\b|\s|$|\W)")

# A word that begins with a capital and is no common opener of a sentence; runs of them are names.
_NAME = re.compile(
    r"(?:\b[A-Z][\w’'.&-]*[\w]|\b[A-Z])"
    r"(?:\s(?:(?:of the|of|and the|de|la|al|von|van|bin|der|for)\s)?(?:[A-Z][\w’'&-]*\w|[A-Z]\.?))*"
)
_OPENER_WORDS = """
    who what where when which how why whose whom is are was were did does do has have had can
    could will would the a an in on at of to for from by with and but if as after before i it he
    she they we this that these those there his her its their our my during under about many
    much
"""
_OPENERS = frozenset(_OPENER_WORDS.split())


@lru_cache(maxsize=1 << 15)
def name_words(name: str) -> tuple[str, ...]:
    """The words that carry a name: folded, without titles, company forms and possessives."""
    parts = [word.casefold() for word in words_as_written(name)]
    alias = _ALIASES.get(" ".join(part for part in parts if part != "the"))
    if alias is not None:
        return tuple(alias.split())
    kept = [part for part in parts if part not in _GLUE]
    bare = [part for part in kept if part not in _TITLES and part not in _SUFFIXES]
    return tuple(bare or kept or parts)


def words_as_written(text: str) -> list[str]:
    """The words of a text as `name_words` takes a name apart, in their own case: "AT&T's U.S. arm" is AT&T, US, arm."""
    closed = _DOTS.sub("", _POSSESSIVE.sub("", text))
    return [part for part in _SPLIT.split(unmarked(closed)) if part]


@lru_cache(maxsize=1 << 15)
def bare_terms(name: str) -> tuple[str, ...]:
    """The stems under which a text that holds the name is found, titles left out."""
    return tuple(stem(word) for word in words(name) if word not in _BESIDE_NAMES) or terms(name)


def is_same_name(a: str, b: str) -> bool:
    """Whether two names can be one: with or without title, surname for full name, initials for the whole."""
    x, y = name_words(a), name_words(b)
    if x == y:
        return bool(x) or fold(a) == fold(b)
    if not x or not y:
        return False
    short, long = sorted((x, y), key=lambda parts: (len(parts), parts))
    if len(short) == len(long):
        return _initials_fit(short, long)
    if len(short) == 1:
        return short[0] == long[-1] or _is_acronym(short[0], long)
    return set(short) <= set(long) and (short[-1] == long[-1] or short[0] == long[0])


def _initials_fit(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether one could be the other shortened: "J. Biden" and "Joe Biden"."""
    if len(a) < 2 or a[-1] != b[-1]:
        return False
    return all(
        x == y or (min(len(x), len(y)) == 1 and x[0] == y[0])
        for x, y in zip(a[:-1], b[:-1], strict=True)
    )


def _is_acronym(short: str, long: tuple[str, ...]) -> bool:
    return len(short) > 1 and len(long) > 1 and short == "".join(part[0] for part in long)


def name_spans(text: str) -> list[tuple[int, int]]:
    """Where the capitalised runs of a text stand, without the word that merely opens the sentence."""
    spans = []
    for match in _NAME.finditer(text):
        start, run = match.start(), match.group()
        while (opener := run.partition(" ")[0]).lower() in _OPENERS and opener != run:
            start += len(opener) + 1
            run = run[len(opener) + 1 :]
        if run.lower() not in _OPENERS:
            cut = _POSSESSIVE.sub("", run)
            spans.append((start, start + len(cut if run.startswith(cut) else run)))
    return spans


def names_in(text: str) -> list[str]:
    """The capitalised runs of a text, in order."""
    return [text[start:end] for start, end in name_spans(text)]
