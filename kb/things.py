"""The things that a sentence or a question names, each under one key however it is written. Pure.

A key is the words of a name, folded, without titles and company forms; "Mr Smith" is "John Smith" where the
article, or else the story, knows one John Smith. Nothing else is resolved: two people of one name are one thing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kb.names import name_words, words_as_written
from kb.words import STOP_WORDS, fold, singular, terms

MAX_THINGS = 12  # of one sentence: bounds the edges that it may bring
MAX_NAME_WORDS = 6
SHORT_TITLE_WORDS = 6  # a title this short may itself be a name; a headline is longer
LEAST_CHARS = 3  # of a single word that a question may name a thing by

_BRACKETED = re.compile(r"\s*\([^)]*\)")


def key_of(name: str) -> str:
    """The key of a name, its last word in the singular; "" when it holds no letter."""
    words = name_words(name)
    if not any(char.isalpha() for word in words for char in word):
        return ""
    return " ".join((*words[:-1], singular(words[-1])))


def fuller_names(names: Iterable[str]) -> dict[str, str]:
    """Single words -> the one longer name that each stands for: by its last word, or its initials.

    A word that could stand for two is left out.
    """
    found: dict[str, dict[str, str]] = {}
    for name in names:
        words = name_words(name)
        if len(words) > 1:
            for short in {words[-1], "".join(word[0] for word in words)}:
                found.setdefault(short, {}).setdefault(key_of(name), name)
    return {
        short: next(iter(longer.values())) for short, longer in found.items() if len(longer) == 1
    }


def things_of(
    names: Iterable[str],
    title: str,
    entities: Sequence[str],
    *fuller: Mapping[str, str],
) -> tuple[str, ...]:
    """The names of the things that a sentence is about, what its article is about first; one name a thing.

    Args:
        names: as they stand in the sentence.
        title: of its article.
        entities: of its article, most salient first.
        fuller: `fuller_names` of the article, then of its story: the first that knows a word decides.
    """
    found: dict[str, str] = {}
    for name in (*_subjects(title, entities), *names):
        words = name_words(name)
        full = name
        if len(words) == 1:
            full = next((known[words[0]] for known in fuller if words[0] in known), name)
        if key := key_of(full):
            found.setdefault(key, full)
    return tuple(found.values())[:MAX_THINGS]


def _subjects(title: str, entities: Sequence[str]) -> Iterator[str]:
    """What every sentence of an article is about: its title where that is a name, else who stands in it."""
    bare = _BRACKETED.sub("", title).strip()
    before, comma, after = bare.partition(",")
    if len(bare.split()) <= SHORT_TITLE_WORDS:
        yield before if comma and "," not in after else bare
    titled = set(terms(title))
    yield from (name for name in entities if terms(name) and set(terms(name)) <= titled)
    yield from entities[:1]


def spans_of_words(text: str) -> dict[tuple[int, int], str]:
    """Every stretch of up to `MAX_NAME_WORDS` words as (first word, word behind the last) -> the key it would have."""
    words = words_as_written(text)
    found = {}
    for start in range(len(words)):
        for end in range(start + 1, min(start + MAX_NAME_WORDS, len(words)) + 1):
            run = words[start:end]
            if any(map(_may_name if len(run) == 1 else _is_more_than_glue, run)):
                found[start, end] = key_of(" ".join(run))
    return found


def _may_name(word: str) -> bool:
    """Whether a word alone may name a thing: "US" may, "us" may not."""
    if word.isupper():
        return len(word) > 1
    return len(word) >= LEAST_CHARS and fold(word) not in STOP_WORDS


def _is_more_than_glue(word: str) -> bool:
    """Whether a word may be what tells of several that they name a thing, as in "The Who"."""
    return word[0].isupper() or _may_name(word)


def longest(spans: dict[tuple[int, int], str], known: Iterable[str]) -> list[str]:
    """The known keys among the spans, in text order: longer ones first, none inside another."""
    held = set(known)
    taken: set[int] = set()
    chosen: dict[int, str] = {}
    for (start, end), key in sorted(spans.items(), key=lambda it: (it[0][0] - it[0][1], it[0][0])):
        if key in held and taken.isdisjoint(range(start, end)):
            taken.update(range(start, end))
            chosen[start] = key
    return list(dict.fromkeys(chosen[start] for start in sorted(chosen)))
