"""The form of a question: what can be told of it without knowing what it asks.

Rules of thumb against the faults that a small network makes: a second verb where the first still waits for its
own, words that stammer, words that the sentence does not know. A good question that breaks a rule is lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from model.tag import Word

LEAST_CHARS = 12
FIRST_WORDS = 3
"""The wh-word is one of so many."""
STEM = 4
MOST_UNKNOWN = 1
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WH = frozenset({"who", "whom", "whose", "what", "which", "when", "where", "why", "how"})
_BE_HAVE = _set("is was are were 's has have had isn't wasn't aren't weren't hasn't haven't hadn't")
_DO = _set("do does did")
_PAST = (
    _BE_HAVE
    | _DO
    | _set("went took gave saw came became began ran wrote broke knew grew fell spoke threw")
)
"""No participles."""
_FINITE = _set("VBD VBZ VBP MD")
_OPENS_CLAUSE = _set("IN WDT WP WRB CC")
_DANGLING = _set("DT PRP$ CC TO WDT MD")
"""Parts of speech that end no question."""
_PREPOSITIONS = _set(
    "of in on at for from with by to into over under between among against about near without within per during "
    "across through throughout around"
)
_LITTLE = _set(
    "about above after against also among around because been before being between both called could does "
    "doing down during each from have having here into itself just kind less like many more most much name "
    "named near only other over people place same should some sort such than that their them then there these "
    "they this those through type under until very were what when where which while whom whose will with "
    "would your"
)


def is_question(text: str) -> bool:
    """Whether a text has the form of one: a wh-word early on, a mark at its end, brackets and quotes in pairs."""
    words = [word.lower() for word in _WORD.findall(text)]
    paired = text.count('"') % 2 == 0 and text.count("(") == text.count(")")
    return (
        len(text) >= LEAST_CHARS
        and text.endswith("?")
        and text[0].isupper()
        and not _WH.isdisjoint(words[:FIRST_WORDS])
        and paired
        and text.count("“") == text.count("”")
    )


def is_well_formed(words: Sequence[Word]) -> bool:
    """Whether the main clause has the verbs that it needs and none too many, as far as parts of speech tell.

    Args:
        words: of the question, tagged.
    """
    words = [word for word in words if word.text.strip("?")]
    asked = next((at for at, word in enumerate(words) if word.text.lower() in _WH), None)
    if asked is None or words[-1].pos in _DANGLING or _has_stray_article(words):
        return False
    verbs = [at for at, word in enumerate(words) if at > asked and word.pos in _FINITE]
    if not verbs:
        return False
    first, after = words[verbs[0]], words[verbs[0] + 1 :]
    if first.text.lower() in _DO:
        return _has_infinitive(after)
    if first.pos != "MD" and first.text.lower() not in _BE_HAVE:
        return True
    for word in after:
        if word.pos in _OPENS_CLAUSE and word.text.lower() not in _PREPOSITIONS:
            break
        if word.text == ",":
            break
        # What looks like a past tense may be a participle: "was the bridge sold".
        if first.pos == "MD" and word.pos in {"VB", "VBP"}:
            continue
        if word.pos in _FINITE - {"VBD"} or word.text.lower() in _PAST:
            return False
    return True


def _has_infinitive(after: Sequence[Word]) -> bool:
    """Whether the first verb after "did" is in its plain form."""
    for before, word in pairwise(after):
        if word.pos in {"VB", "VBP"} and before.pos != "TO":
            return True
        if word.pos in {"VBD", "VBZ", "MD"}:
            return False
    return False


def _has_stray_article(words: Sequence[Word]) -> bool:
    """Whether an article is followed by another one, with at most adjectives between them."""
    is_open = False
    for word in words:
        if word.pos == "DT":
            if is_open:
                return True
            is_open = word.text.lower() in {"a", "an", "the"}
        elif not word.pos.startswith("JJ"):
            is_open = False
    return False


def is_told(text: str, sentence: str) -> bool:
    """Whether a question repeats nothing more often than its sentence, and knows no more than one word beside it.

    The word after "what", "which" or "how many" says what kind of thing is asked for, and is free.
    """
    words = [word.lower() for word in _WORD.findall(text)]
    if any(a == b and a.isalpha() for a, b in pairwise(words)):
        return False
    said = Counter(word.lower()[:STEM] for word in _WORD.findall(sentence))
    counted = Counter(word[:STEM] for word in words if len(word) >= STEM and word not in _LITTLE)
    if any(count > max(said[stem], 1) for stem, count in counted.items()):
        return False
    free = {
        words[at + step]
        for at, word in enumerate(words)
        if word in {"what", "which", "many", "much"}
        for step in (1, 2)
        if at + step < len(words)
    }
    unknown = [
        word
        for word in words
        if len(word) >= STEM and word not in _LITTLE and word not in free and not said[word[:STEM]]
    ]
    return len(unknown) <= MOST_UNKNOWN
