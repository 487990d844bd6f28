"""Find the clauses of a sentence from its parts of speech: who does, what is done, and what follows.

A shallow reading: a clause is a finite verb group with the noun phrase before it. What it cannot read plainly (relative
clauses, inverted sentences, fragments) it leaves out. Places are numbers of words in the sentence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.verbs import AUXILIARIES, BE, HAVE, MODALS
from agent.word_sets import word_set
from model import Word

FINITE = word_set("VBD VBZ VBP MD")
NOUNS = frozenset({"NN", "NNS", "NNP"})
PRONOUNS = word_set("i you he she it we they this that these those there who which what one")
_NOMINAL = NOUNS | {"DT", "PRP$", "JJ", "JJR", "JJS", "CD", "POS", "VBN", "VBG"}
_JOINS = word_set("of for in from at on with to between against about near and & or over")
_SUBORDINATE = word_set(
    "while although though because since unless if whether before after until as when where who "
    "which whom whose that what how why despite including whereas"
)
_DOUBTFUL = word_set("if whether unless")
_STOPS = word_set("; : — – - ( ) -- [ ]")
_DATE_WORDS = word_set(
    "monday tuesday wednesday thursday friday saturday sunday january february march april june "
    "july august september october november december yesterday today tomorrow tonight week "
    "month year morning afternoon evening night"
)


@dataclass(frozen=True, slots=True)
class Clause:
    """Words subject[0]:subject[1] do verbs[0]:verbs[1]; what follows runs to `end`."""

    lead: int
    """Where the clause begins, before any adverbial in front of the subject."""
    subject: tuple[int, int]
    verbs: tuple[int, int]
    end: int
    is_main: bool
    is_pronoun: bool


def find_clauses(words: Sequence[Word]) -> list[Clause]:
    """Clauses in text order, the subject known to each."""
    groups = _verb_groups(words)
    clauses: list[Clause] = []
    for place, (start, stop) in enumerate(groups):
        subject = _subject_before(words, start, clauses[-1].verbs[1] if clauses else 0)
        if subject is None:
            continue
        following = [
            group for group in groups[place + 1 :] if _subject_before(words, group[0], stop)
        ]
        subjects = [
            found[0] for group in following if (found := _subject_before(words, group[0], stop))
        ]
        end = _clause_end(words, stop, [group[0] for group in following], subjects)
        before = words[subject[0] - 1].text.lower() if subject[0] else ""
        if before in _DOUBTFUL or _is_relative(words, subject[0]):
            continue
        lead = _lead_start(words, subject[0])
        clauses.append(
            Clause(
                lead,
                subject,
                (start, stop),
                end,
                is_main=before not in _SUBORDINATE,
                is_pronoun=subject[1] - subject[0] == 1
                and words[subject[0]].text.lower() in PRONOUNS,
            )
        )
    return clauses


def _is_relative(words: Sequence[Word], subject: int) -> bool:
    """Whether the clause describes a noun ("the deal that they made"): its object is missing."""
    return (
        subject > 1
        and words[subject - 1].text.lower() in {"that", "which", "whom", "who"}
        and words[subject - 2].pos in NOUNS | {"IN", "TO"}
    )


def _verb_groups(words: Sequence[Word]) -> list[tuple[int, int]]:
    groups = []
    here = 0
    while here < len(words):
        if words[here].pos in FINITE:
            stop = _verb_group_end(words, here)
            groups.append((here, stop))
            here = stop
        else:
            here += 1
    return groups


def _verb_group_end(words: Sequence[Word], start: int) -> int:
    """After an auxiliary come adverbs and non-finite forms; a full verb stands alone."""
    stop = start + 1
    if words[start].text.lower() not in AUXILIARIES | BE | HAVE | MODALS:
        return stop
    here = stop
    while here < len(words) and here - start < 7:
        part, low = words[here].pos, words[here].text.lower()
        if part in {"VB", "VBN", "VBG"} or low in {"been", "be", "being"}:
            stop = here + 1
        elif part != "RB" and low not in {"not", "n't"}:
            break
        here += 1
    return stop


def _subject_before(words: Sequence[Word], verb: int, floor: int) -> tuple[int, int] | None:
    stop = verb
    while stop > floor and words[stop - 1].pos == "RB":
        stop -= 1
    stop = _before_aside(words, stop, floor)
    if stop <= floor:
        return None
    last = words[stop - 1]
    if last.text.lower() in PRONOUNS - {"who", "which", "that", "what"} and last.pos in {
        "PRP",
        "DT",
        "EX",
    }:
        return stop - 1, stop
    if last.pos not in NOUNS | {"CD"} or last.text.lower() in _DATE_WORDS:
        return None
    start = _true_start(words, _phrase_start(words, stop, floor), stop, floor)
    # A phrase that hangs on a preposition is the end of something longer, which we did not read.
    if (
        start < stop
        and start > 0
        and words[start - 1].pos in {"IN", "TO"}
        and words[start - 1].text.lower() not in _SUBORDINATE
    ):
        return None
    return (start, stop) if start < stop else None


def _true_start(words: Sequence[Word], start: int, stop: int, floor: int) -> int:
    """Leave out what the phrase before left behind: "in a statement Day said", "was glad Day came"."""
    if start >= stop:
        return start
    if words[start].text.lower() in {"a", "an"} and words[stop - 1].pos in {"NNP", "NN"}:
        names = [
            i for i in range(start + 2, stop) if words[i].pos == "NNP" and words[i - 1].pos == "NN"
        ]
        if names:
            return names[0]
    if start == floor and start > 0 and words[start].pos == "JJ" and words[start].text.islower():
        return start + 1 if start + 1 < stop else start
    return start


def _before_aside(words: Sequence[Word], stop: int, floor: int) -> int:
    """Step back over ", an aside," between subject and verb."""
    if stop - 1 <= floor or words[stop - 1].text not in {",", "—", "–", ")"}:
        return stop
    opener = {",": ",", "—": "—", "–": "–", ")": "("}[words[stop - 1].text]
    for here in range(stop - 2, max(floor, stop - 25) - 1, -1):
        if words[here].text == opener:
            # ", D-N.Y., and others," goes on further back than one pair of commas shows.
            if here > floor and words[here - 1].pos in NOUNS and words[here + 1].pos != "CC":
                return here
            return stop
        if (
            words[here].pos in FINITE
            and opener == ","
            and words[here - 1].text.lower() not in {"who", "which", "that"}
        ):
            return stop
    return stop


def _phrase_start(words: Sequence[Word], stop: int, floor: int) -> int:
    start = stop
    while start > floor:
        word = words[start - 1]
        low = word.text.lower()
        if low in _DATE_WORDS and start < stop and words[start].pos != "POS":
            break
        if word.pos in _NOMINAL or word.text in {"%", "$", "&", "'s", "’s"}:
            start -= 1
        elif (
            low in _JOINS
            and start < stop
            and start - 1 > floor
            and words[start - 2].pos in NOUNS | {"CD"}
        ):
            if low in {"in", "on", "at"} and words[start - 2].text.lower() in _DATE_WORDS:
                break
            start -= 1
        elif (
            word.text == "."
            and start - 2 >= floor
            and words[start - 2].pos == "NNP"
            and start < stop
        ):
            start -= 1
        else:
            break
    while start < stop and (
        words[start].pos in {"POS", "CC"} or words[start].text in {"&", "'s", "’s", "."}
    ):
        start += 1
    return start


def _clause_end(
    words: Sequence[Word], verbs_end: int, next_verbs: Sequence[int], next_subjects: Sequence[int]
) -> int:
    """A clause ends at a strong stop, or at a comma that opens another clause or an aside of its own."""
    depth = 0
    for here in range(verbs_end, len(words)):
        text, low = words[here].text, words[here].text.lower()
        if text in {"“", "”", '"'}:
            depth += 1
        if text in _STOPS or (text in {".", "!", "?", "…", "..."} and here > verbs_end):
            return here
        if text == "," and here + 1 in next_subjects:
            return here
        if text == "," and here + 1 < len(words):
            after = words[here + 1]
            if after.pos in {"WDT", "WP", "WRB", "VBG", "CC"} or after.text.lower() in _SUBORDINATE:
                is_list = after.pos == "CC" and not any(
                    verb - here < 9 and verb > here for verb in next_verbs
                )
                if not is_list:
                    return here
            if after.text.lower() in {"according", "adding", "saying"} or after.text in {
                "“",
                '"',
                "”",
            }:
                return here
        if (
            low
            in _SUBORDINATE
            - {"that", "what", "how", "why", "including", "as", "before", "after", "since", "until"}
            and here > verbs_end
        ):
            return here - (words[here - 1].pos in {"IN", "TO"})
        if low in {"and", "but"} and any(verb - here < 7 and verb > here for verb in next_verbs):
            return here
    return len(words)


def _lead_start(words: Sequence[Word], subject: int) -> int:
    """Where ", subject" follows an adverbial at the start of the sentence, the sentence's start."""
    if subject == 0 or words[subject - 1].text != ",":
        return subject
    head = words[: subject - 1]
    is_adverbial = (
        0 < len(head) < 14
        and words[0].pos in {"IN", "RB", "NNP", "NN", "TO", "CD"}
        and not any(word.pos in FINITE or word.text == "," for word in head)
    )
    return 0 if is_adverbial else subject
