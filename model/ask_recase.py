"""Capitals put back into lower-cased text, as other texts write its words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

LEAST_SEEN = 2
UNSEEN_NAME = 4
"""A word that no text has is a name, if it is so long."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


class Recaser:
    """Knows how words are written within sentences, after the word before them if that is known."""

    def __init__(self, sentences: Iterable[str]) -> None:
        alone: defaultdict[str, Counter[str]] = defaultdict(Counter)
        after: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for sentence in sentences:
            words = _WORD.findall(sentence)
            for before, word in pairwise(words):
                alone[word.lower()][word] += 1
                after[before.lower(), word.lower()][word] += 1
        self._alone = {
            low: max(sorted(forms), key=forms.__getitem__) for low, forms in alone.items()
        }
        self._after = {
            pair: max(sorted(forms), key=forms.__getitem__)
            for pair, forms in after.items()
            if sum(forms.values()) >= LEAST_SEEN
        }

    def recased(self, text: str, *, like: str = "") -> str:
        """The text with capitals.

        Args:
            text: in lower case.
            like: another lower-cased text, in which a word that both share is written as it would be there.
        """
        forms = {found[0]: form for found, form in self._forms(like)} if like else {}
        out, at = [], 0
        for found, form in self._forms(text):
            out += [text[at : found.start()], forms.get(found[0], form)]
            at = found.end()
        whole = "".join([*out, text[at:]])
        first = re.search(r"[^\W_]", whole)
        return whole if first is None else whole[: first.end()].upper() + whole[first.end() :]

    def _forms(self, text: str) -> Iterable[tuple[re.Match[str], str]]:
        before = ""
        for found in _WORD.finditer(text):
            word = found[0]
            unseen = word.capitalize() if len(word) >= UNSEEN_NAME and word.isalpha() else word
            yield found, self._after.get((before, word), self._alone.get(word, unseen))
            before = word
