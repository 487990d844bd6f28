"""Labelled text for the tagger: rows of the tagging folder turned back into plain text, then split our way.

Tokenised rows are detokenised first, so that training sees what a page would show; labels then follow the characters.
A source that does not mark a kind leaves it open: its unmarked words may be that kind or nothing, and training sums
over both. Test and development parts are named by the caller and never mixed in.

Shapes: N words of a sentence, K tags.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import DataError
from model.tag_words import WORD

NAME_TAGS = (
    "O",
    *(f"{mark}-{kind}" for kind in ("person", "organization", "location", "misc") for mark in "BI"),
)
KINDS = {
    "PER": "person", "ORG": "organization", "LOC": "location", "MISC": "misc",
    "person": "person", "group": "organization", "corporation": "organization", "location": "location",
    "product": "misc", "creative-work": "misc",
    "PERSON": "person", "ORGANIZATION": "organization", "LOCATION": "location",
    "organization": "organization", "place": "location", "event": "misc",
}  # fmt: skip
PARTS = (
    "NN", "NNS", "NNP", "PRP", "PRP$", "DT", "IN", "TO", "CC", "CD", "JJ", "JJR", "JJS", "RB", "VB", "VBD", "VBG",
    "VBN", "VBP", "VBZ", "MD", "WDT", "WP", "WRB", "EX", "RP", "POS", "UH", "X", ".",
)  # fmt: skip
_PART_OF = {"NNPS": "NNP", "RBR": "RB", "RBS": "RB", "WP$": "WP", "PDT": "DT"}

Allowed = tuple[str, ...]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence in our words, with the tags each word may have."""

    words: tuple[str, ...]
    allowed: tuple[Allowed, ...]


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of one packed file.

    Raises:
        DataError: missing, damaged or not JSON lines.
    """
    try:
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)
    except (OSError, EOFError, lzma.LZMAError, ValueError) as exc:
        raise DataError(f"cannot read {path.name}: {exc}") from exc


def detokenise(tokens: Iterable[str]) -> tuple[str, list[tuple[int, int]]]:
    """Join tokens as a page would print them, with each token's place."""
    text = ""
    places = []
    glue = True
    quote_open = False
    for token in tokens:
        closes = token in {".", ",", ";", ":", "!", "?", "%", ")", "]", "''", "...", "n't"} or (
            token[0] in "'’" and len(token) in (2, 3)
        )
        if token == '"':
            closes, quote_open = quote_open, not quote_open
        if text and not glue and not closes:
            text += " "
        places.append((len(text), len(text) + len(token)))
        text += token
        glue = token in {"(", "[", "$", "£", "``", "@", "#"} or (token == '"' and quote_open)
    return text, places


def find_tokens(text: str, tokens: Iterable[str]) -> list[tuple[int, int]]:
    """Places of the tokens of a text that is given untokenised."""
    places = []
    here = 0
    for token in tokens:
        found = text.find(token, here)
        start = found if found >= 0 else here
        here = start + len(token)
        places.append((start, here))
    return places


def entity_spans(tags: list[str], places: list[tuple[int, int]]) -> list[tuple[int, int, str]]:
    """Character spans of BIO tags whose kind we know."""
    spans: list[tuple[int, int, str]] = []
    for tag, (start, end) in zip(tags, places, strict=True):
        mark, _, kind = tag.partition("-")
        if kind not in KINDS:
            continue
        if mark == "I" and spans and spans[-1][2] == KINDS[kind] and start - spans[-1][1] <= 1:
            spans[-1] = (spans[-1][0], end, spans[-1][2])
        else:
            spans.append((start, end, KINDS[kind]))
    return spans


def label_names(
    text: str, spans: list[tuple[int, int, str]], unmarked: Allowed = ("O",)
) -> Labelled:
    """Split a text and give each word its BIO tag; words outside every span may be `unmarked`."""
    words: list[str] = []
    allowed: list[Allowed] = []
    before: tuple[int, int, str] | None = None
    for match in WORD.finditer(text):
        start, end = match.span()
        middle = (start + end) / 2
        inside = next((span for span in spans if span[0] <= middle < span[1]), None)
        words.append(match[0])
        if inside is None:
            allowed.append(unmarked)
        else:
            allowed.append((f"{'I' if inside == before else 'B'}-{inside[2]}",))
        before = inside
    return Labelled(tuple(words), tuple(allowed))


def bio_rows(path: Path, *, splits: frozenset[tuple[str, str]]) -> Iterator[Labelled]:
    """Labelled sentences of the (source, split) pairs asked for."""
    open_misc = ("O", "B-misc", "I-misc")
    for row in read_rows(path):
        if (row["src"], row["split"]) in splits:
            tokens, tags = row["tok"].split(), row["ner"].split()
            text, places = detokenise(tokens)
            unmarked = open_misc if row["src"] == "btc" else ("O",)
            labelled = label_names(text, entity_spans(tags, places), unmarked)
            if labelled.words:
                yield labelled


def newswire_rows(path: Path) -> Iterator[Labelled]:
    """Newswire stories with character spans, one labelled paragraph-free text a story; misc is not marked there."""
    open_misc = ("O", "B-misc", "I-misc")
    for row in read_rows(path):
        spans = [(start, end, KINDS[kind]) for start, end, kind in row["spans"] if kind in KINDS]
        yield label_names(row["text"], spans, open_misc)


def treebank_rows(path: Path) -> Iterator[tuple[Labelled, Labelled]]:
    """Sentences with parts of speech, and the same with names where marked; other proper nouns stay open."""
    for row in read_rows(path):
        text = row["text"]
        tokens, parts = row["tok"].split(), row["xpos"].split()
        places = find_tokens(text, tokens)
        tags = row["ner"].split() if "ner" in row else ["O"] * len(tokens)
        spans = entity_spans(tags, places)
        words, part_allowed, name_allowed = [], [], []
        marked = label_names(text, spans)
        for match, name in zip(WORD.finditer(text), marked.allowed, strict=True):
            inner = [
                part
                for part, (a, b) in zip(parts, places, strict=True)
                if a < match.end() and b > match.start()
            ]
            part = _plain_part(inner[-1] if inner else "X")
            words.append(match[0])
            part_allowed.append((part,))
            is_open = name == ("O",) and part in {"NNP", "JJ"} and not match[0].islower()
            name_allowed.append(NAME_TAGS if is_open else name)
        if words:
            yield (
                Labelled(tuple(words), tuple(part_allowed)),
                Labelled(tuple(words), tuple(name_allowed)),
            )


def _plain_part(part: str) -> str:
    part = _PART_OF.get(part, part)
    if part in PARTS:
        return part
    return "." if not part[:1].isalpha() or part in {"HYPH", "NFP"} else "X"
