"""Closed sets of words, written in the code as one line of text."""


def word_set(words: str) -> frozenset[str]:
    """The blank-separated words as a set."""
    return frozenset(words.split())
