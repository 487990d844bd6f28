"""Find what an article is about: named entities resolved within it, and key phrases.

A mention by surname joins the full name, a possessive is taken off, a name that was missed once is found again where it
recurs, and a name with several kinds gets the commonest. Key phrases are scored by their words: how often here, how
rare in news at large, how early. Nothing is resolved across articles.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.word_sets import word_set
from kb import Article, Entity, Topics
from model import Span, Tagger, Word

MAX_ENTITIES = 20
MAX_KEY_PHRASES = 10
MAX_PHRASE_WORDS = 4
MIN_PHRASE_CHARS = 4
TITLE_BONUS = 2.5
LEAD_CHARS = 500
LEAD_BONUS = 1.5
MAX_WORD_BITS = 12.0

_EDGE = re.compile(r"^[^\w@#]+|[^\w.)]+$")
_POSSESSIVE = re.compile(r"['’]s?$")
_HONORIFIC = re.compile(
    r"^(?:(?:Mr|Mrs|Ms|Dr|Sen|Rep|Gov|Gen|Prof|Rev|Sgt|Lt|Col|Capt)\.|Mr|Mrs|Ms|Dr|President"
    r"|Senator|Governor|Justice|Judge|Chancellor|Pope|"
    r"Prime Minister|Minister|Secretary|Sir|Dame|Lord|Lady)\s(?=\S)"
)
_PHRASE_PARTS = word_set("NN NNS JJ NNP")
_WEAK = word_set(
    "time year years day days week weeks month months people thing things way lot part number "
    "case many more most other others such same last next first second new own several former "
    "monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december mr mrs ms percent million billion "
    "statement interview spokesman spokeswoman photo image story article reuters ap file news "
    "update following"
)


@dataclass(frozen=True, slots=True)
class Mentions:
    """The topics of an article, and where in its text they and its words stand."""

    topics: Topics
    spans: tuple[Span, ...]
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class _Mention:
    span: Span
    name: str


def find_topics(article: Article, tagger: Tagger) -> Mentions:
    """Read the article: its entities (most salient first), key phrases, and their mentions in text order."""
    title_reading, reading = tagger.read_batch([article.title, article.text])
    spans = [*reading.spans, *_missed(article.text, reading.spans, reading.words)]
    spans.sort(key=lambda span: span.start_char)
    mentions = [
        _Mention(span, name)
        for span in spans
        if (name := clean_name(article.text[span.start_char : span.end_char]))
    ]
    in_title = [
        clean_name(article.title[span.start_char : span.end_char]) for span in title_reading.spans
    ]
    full = resolve_names([(mention.name, mention.span.kind) for mention in mentions])
    kinds = _kinds(mentions, full)
    resolved = tuple(
        Span(m.span.start_char, m.span.end_char, kinds[full[m.name]]) for m in mentions
    )
    entities = _entities(mentions, full, kinds, {full.get(name, name) for name in in_title})
    names = {word for entity in entities for word in entity.name.lower().split()}
    phrases = key_phrases(
        reading.words, title_reading.words, tagger.vocabulary.rarity_bits, skip=names
    )
    return Mentions(Topics(entities, phrases), resolved, reading.words)


def clean_name(name: str) -> str:
    """A name without honorifics, possessive, surrounding marks and line breaks; "" when nothing is left."""
    name = _EDGE.sub("", " ".join(name.split()))
    name = _HONORIFIC.sub("", _POSSESSIVE.sub("", name))
    return name if any(character.isalpha() for character in name) and len(name) > 1 else ""


def resolve_names(mentions: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Map every mentioned (name, kind) to the fullest form of the article: "Smith" to "John Smith".

    A surname that several full names share goes to the one mentioned last before it, or else to the first.
    """
    full: dict[str, str] = {}
    latest: dict[str, str] = {}
    people = [name for name, kind in mentions if kind == "person" and " " in name]
    first_bearer: dict[str, str] = {}
    for name in people:
        first_bearer.setdefault(name.split()[-1], name)
    for name, _ in mentions:
        if " " in name and name in people:
            latest[name.split()[-1]] = name
        if name not in full:
            bearer = latest.get(name) or first_bearer.get(name)
            full[name] = bearer if bearer and " " not in name else name
    return full


def _missed(text: str, spans: Iterable[Span], words: Sequence[Word]) -> Iterator[Span]:
    """Names and surnames found somewhere, where the tagger passed over them elsewhere."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    taken = bytearray(len(text) + 1)
    for span in spans:
        taken[span.start_char : span.end_char] = b"\x01" * (span.end_char - span.start_char)
        name = clean_name(text[span.start_char : span.end_char])
        if name and " " not in name:
            kinds[name][span.kind] += 1
        elif name and span.kind == "person":
            kinds[name.split()[-1]][span.kind] += 1
    for word in words:
        seen = kinds.get(word.text)
        is_free = not taken[word.start_char] and not taken[word.end_char - 1]
        if (
            seen
            and is_free
            and word.pos == "NNP"
            and len(word.text) > 3
            and word.text[0].isupper()
            and not word.text.isupper()
        ):
            kind = max(sorted(seen), key=lambda k: seen[k])
            if kind != "misc":
                yield Span(word.start_char, word.end_char, kind)


def _kinds(mentions: Iterable[_Mention], full: Mapping[str, str]) -> dict[str, str]:
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for mention in mentions:
        votes[full[mention.name]][mention.span.kind] += 1 + mention.name.count(" ")
    return {
        name: max(sorted(counts), key=lambda kind: counts[kind]) for name, counts in votes.items()
    }


def _entities(
    mentions: Sequence[_Mention],
    full: Mapping[str, str],
    kinds: Mapping[str, str],
    in_title: set[str],
) -> tuple[Entity, ...]:
    counts = Counter(full[mention.name] for mention in mentions)
    first = {full[mention.name]: mention.span.start_char for mention in reversed(mentions)}

    def salience(name: str) -> float:
        bonus = (TITLE_BONUS if name in in_title else 1.0) * (
            LEAD_BONUS if first[name] < LEAD_CHARS else 1.0
        )
        return math.sqrt(counts[name]) * bonus * (0.6 if kinds[name] == "misc" else 1.0)

    ranked = sorted(counts, key=lambda name: (-salience(name), first[name], name))
    return tuple(Entity(name, kinds[name], counts[name]) for name in ranked[:MAX_ENTITIES])


def key_phrases(
    words: Sequence[Word],
    title: Sequence[Word],
    rarity_bits: Callable[[str], float],
    *,
    skip: set[str],
) -> tuple[str, ...]:
    """Noun phrases that say what the article is about, lower-cased, best first.

    Args:
        words: of the article's text, with parts of speech.
        title: of its title.
        rarity_bits: how rare a lower-case word is.
        skip: words of names, which entities already tell.
    """
    counts: Counter[str] = Counter()
    first: dict[str, int] = {}
    for number, phrase in enumerate(_noun_phrases(words, skip)):
        counts[phrase] += 1
        first.setdefault(phrase, number)
    in_title = {word.text.lower() for word in title}

    def weight(phrase: str) -> float:
        parts = phrase.split()
        strength = sum(min(rarity_bits(part), MAX_WORD_BITS) for part in parts) / math.sqrt(
            len(parts)
        )
        titled = 1.0 + sum(part in in_title for part in parts) / len(parts)
        early = 1.0 + 1.0 / (1.0 + 0.1 * first[phrase])
        return math.sqrt(counts[phrase]) * strength * titled * early

    ranked = sorted(counts, key=lambda phrase: (-weight(phrase), first[phrase], phrase))
    kept: list[str] = []
    for phrase in ranked:
        parts = set(phrase.split())
        if not any(parts <= set(known.split()) or set(known.split()) <= parts for known in kept):
            kept.append(phrase)
        if len(kept) == MAX_KEY_PHRASES:
            break
    return tuple(kept)


def _noun_phrases(words: Sequence[Word], skip: set[str]) -> Iterator[str]:
    run: list[str] = []
    last_is_noun = False
    for word in (*words, Word(0, 0, ".", ".")):
        low = word.text.lower()
        is_part = (
            word.pos in _PHRASE_PARTS
            and low not in _WEAK
            and low not in skip
            and len(low) > 2
            and low[0].isalpha()
        )
        if is_part and len(run) < MAX_PHRASE_WORDS:
            run.append(low)
            last_is_noun = word.pos != "JJ"
            continue
        if run and last_is_noun and len(" ".join(run)) >= MIN_PHRASE_CHARS:
            yield " ".join(run)
        run = [low] if is_part else []
        last_is_noun = is_part and word.pos != "JJ"
