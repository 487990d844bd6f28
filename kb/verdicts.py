"""What becomes of a question raised from the news, given the facts nearest to it. Pure.

A wrong confirmation loses news and a wrong conflict cries wolf, so both need the same question *and* a
clear answer; whatever is unsure is added.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from kb.agreement import Agreement, Said, compare, find_answer
from kb.dates import must_differ
from kb.names import bare_terms
from kb.quantities import Quantity, count_the_same, is_different, is_same, surroundings, unify
from kb.retrieve import Asked, Scored, quoted_share
from kb.sentence import Sentence
from kb.stored import StoredFact
from kb.twins import Spoken, Twin, find_twin
from kb.values import AnswerKind, Draft, Question, Verdict
from kb.words import Rarity, plain, stem, terms

NEAREST = 3

# Share of the question that the older sentence itself must hold, its title aside.
CONFIRMS_AT = 0.6
CONFLICTS_AT = 0.7  # the same for a conflict
ALONE_AT = 0.85  # the same where nothing says what a number counts
LIKENESS_AT = 0.75  # Jaccard index of two questions that are one
FEWEST_TERMS = 4  # a question of fewer content words fits too many sentences to tell a conflict
FEWEST_CONFIRMING = 3  # or to tell that two say the same
TWIN_AT = 0.6  # share of content words from which two sentences are compared word by word
# What one person, body or place does alone: elsewhere two names are two who did it.
_ALONE = """
appointed arrested based became beat born captured chosen convicted crowned defeated died elected fired
founded headquartered heads held hired inaugurated invented killed landed lost married named nominated
opened overtook played replaced resigned sentenced signed sold succeeded swore won wrote
"""
_ALONE_STEMS = frozenset(stem(word) for word in f"{_ALONE} win wins winning become".split())
# What happens once, or is set for one day.
_ONCE = "begin begins due launch launches open opens scheduled set start starts takes"
_ONCE_STEMS = _ALONE_STEMS | frozenset(stem(word) for word in _ONCE.split())
SAME_NEWS = timedelta(days=10)  # sentences further apart in time speak of different days
REPRINTED_WITHIN = timedelta(days=2)
_QUOTED = re.compile(
    '“[^”]*(?:”|$)|"[^"]*(?:"|$)'
)  # what somebody said is not what is claimed of them
_PRONOUN = re.compile(r"\b(?:he|she)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one question."""

    question: Question
    verdict: Verdict
    reason: str
    against: Scored | None  # the fact it agrees or conflicts with
    nearest: tuple[Scored, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdicts on a sentence. `skip_reason` is set when no question was raised at all."""

    draft: Draft
    judgements: tuple[Judgement, ...]
    skip_reason: str | None = None

    @property
    def is_news(self) -> bool:
        """Whether the sentence becomes a fact."""
        return any(one.verdict in (Verdict.ADDED, Verdict.CONFLICTING) for one in self.judgements)

    @property
    def verdict(self) -> Verdict:
        """The sentence's one verdict, for counting."""
        for verdict in (Verdict.CONFLICTING, Verdict.ADDED, Verdict.CORROBORATED):
            if any(one.verdict is verdict for one in self.judgements):
                return verdict
        return Verdict.SKIPPED


@dataclass(frozen=True, slots=True)
class Bench:
    """What every judgement of one sentence shares."""

    sentence: Sentence
    rarity: Rarity
    threshold: float
    twins: Mapping[str, Twin]  # by id of the fact
    places: tuple[tuple[int, int], ...]  # of the answers of all its questions

    def asks_what_differs(self, question: Question, twin: Twin) -> bool:
        """Whether the question asks for what the twin has otherwise; every one does when none of them asks for it."""
        if twin.place is None or not twin.rival:
            return False
        asking = [place for place in self.places if _meet(place, twin.place)]
        return not asking or self.sentence.place_of(question) in asking


def _meet(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def twins_of(sentence: Sentence, facts: Iterable[StoredFact]) -> dict[str, Twin]:
    """The facts that say what the sentence says, or the same with one thing otherwise."""
    ours = Spoken(sentence.text, sentence.quantities, sentence.dates, sentence.names)
    found = {}
    for fact in facts:
        longest = max(len(sentence.terms), len(fact.quote_terms))
        is_near = len(sentence.terms & fact.quote_terms) >= TWIN_AT * longest
        if not is_near or (_other_days(sentence, fact) and not _is_reprint(sentence, fact)):
            continue
        theirs = Spoken(fact.quote, fact.quantities, fact.dates, fact.spans)
        if (twin := find_twin(ours, theirs)) is not None:
            found[fact.id] = twin
    return found


def _is_reprint(sentence: Sentence, fact: StoredFact) -> bool:
    """Whether the same words were printed twice within days: "today" is then the day of the first."""
    if sentence.published_at is None or fact.published_at is None:
        return False
    is_soon = abs(sentence.published_at - fact.published_at) <= REPRINTED_WITHIN
    return is_soon and plain(sentence.text) == plain(fact.quote)


def judge(asked: Asked, ranked: Sequence[Scored], bench: Bench) -> Judgement:
    """Decide on one question with its answer."""
    question = asked.question
    nearest = tuple(ranked[:NEAREST])
    twins = [(one, twin) for one in ranked if (twin := bench.twins.get(one.fact.id)) is not None]
    for one, twin in twins:
        if twin.place is None:
            return Judgement(question, Verdict.CORROBORATED, "same words", one, nearest)
    for one, twin in twins:
        if bench.asks_what_differs(question, twin):
            reason = f"another answer: {twin.rival}"
            return Judgement(question, Verdict.CONFLICTING, reason, one, nearest)
    likely = [one for one in ranked if one.scores.probability >= bench.threshold]
    for one in likely:
        # A sentence that has one thing otherwise does not confirm the rest.
        if one.fact.id not in bench.twins and confirms(asked, one.fact, bench):
            return Judgement(question, Verdict.CORROBORATED, "same answer", one, nearest)
    for one in likely:
        if (rival := conflicting_answer(asked, one.fact, bench)) is not None:
            reason = f"another answer: {rival}"
            return Judgement(question, Verdict.CONFLICTING, reason, one, nearest)
    reason = "related fact differs" if likely else "not known"
    return Judgement(question, Verdict.ADDED, reason, None, nearest)


def confirms(asked: Asked, fact: StoredFact, bench: Bench) -> bool:
    """Whether the older sentence gives the same answer to the same question."""
    if len(asked.terms) < FEWEST_CONFIRMING or _other_days(bench.sentence, fact):
        return False
    if quoted_share(asked, fact, bench.rarity) < CONFIRMS_AT:
        return False
    if quoted_share(asked, fact, bench.rarity, names=False) < CONFIRMS_AT:
        return False
    ours = bench.sentence.quantity_at(asked.question)
    if ours is not None and not _is_said_of(ours, bench.sentence, fact):
        return False
    answer = Said(asked.question.answer or "", bench.sentence.published_at)
    quote = Said(fact.quote, fact.published_at)
    return find_answer(answer, quote, asked.question.kind) is not None


def conflicting_answer(asked: Asked, fact: StoredFact, bench: Bench) -> str | None:
    """The other answer that the older sentence gives to the same question, when it surely does."""
    if len(asked.terms) < FEWEST_TERMS or not _names_held(asked, fact):
        return None
    is_when = asked.question.kind is AnswerKind.WHEN
    if _far_apart(bench.sentence, fact) or (not is_when and _other_days(bench.sentence, fact)):
        return None
    match asked.question.kind:
        case AnswerKind.HOW_MANY:
            return _other_number(asked, fact, bench)
        case AnswerKind.WHEN:
            # With more dates than one on either side, one may be the day of something else.
            if len(fact.dates) != 1 or len(bench.sentence.dates) != 1:
                return None
            if asked.terms.isdisjoint(_ONCE_STEMS):
                return None
            return _other_stored_answer(asked, fact, bench.sentence, LIKENESS_AT)
        case AnswerKind.WHO | AnswerKind.WHERE:
            if asked.terms.isdisjoint(_ALONE_STEMS):
                return None
            # "Who said, “we will win”?" claims no victory: there only the very same words tell another speaker.
            claimed = frozenset(terms(_QUOTED.sub(" ", asked.question.text)))
            likeness = 1.0 if claimed.isdisjoint(_ALONE_STEMS) else LIKENESS_AT
            return _other_stored_answer(asked, fact, bench.sentence, likeness)
        case AnswerKind.WHAT:
            return None


def _names_held(asked: Asked, fact: StoredFact) -> bool:
    return all(name[-1] in fact.quote_terms or name[-1] in fact.title_terms for name in asked.names)


def _other_days(sentence: Sentence, fact: StoredFact) -> bool:
    """Whether the two speak of different days, by their words or by when they were published."""
    if sentence.dates and fact.dates:
        return all(must_differ(a, b) for a in sentence.dates for b in fact.dates)
    return _far_apart(sentence, fact)


def _far_apart(sentence: Sentence, fact: StoredFact) -> bool:
    if sentence.published_at is None or fact.published_at is None:
        return False
    return abs(sentence.published_at - fact.published_at) > SAME_NEWS


def _other_number(asked: Asked, fact: StoredFact, bench: Bench) -> str | None:
    """The older sentence's number for the same thing, when the two cannot be one amount."""
    sentence = bench.sentence
    ours = sentence.quantity_at(asked.question)
    if ours is None:
        return None
    other = _counterpart(ours, sentence.quantities, fact.quantities)
    if other is None or not is_different(ours, other):
        return None
    if not _is_said_of(ours, sentence, fact) or not _say_alike(ours, sentence, other, fact):
        return None
    if _PRONOUN.search(asked.question.text) and not _name_one(sentence, fact):
        return None
    needed = CONFLICTS_AT if _says_what(ours, other) else ALONE_AT
    if quoted_share(asked, fact, bench.rarity) < needed:
        return None
    return fact.quote[other.start_char : other.end_char]


def _counterpart(
    ours: Quantity, own: Sequence[Quantity], theirs: Sequence[Quantity]
) -> Quantity | None:
    """The number of the other sentence in the place of ours; of several, only when the rest agree."""
    own = [number for number in own if count_the_same(ours, number)]
    theirs = [number for number in theirs if count_the_same(ours, number)]
    if len(own) != len(theirs) or ours not in own:
        return None
    place = own.index(ours)
    rest = [pair for n, pair in enumerate(zip(own, theirs, strict=True)) if n != place]
    return theirs[place] if all(is_same(a, b) for a, b in rest) else None


def _is_said_of(ours: Quantity, sentence: Sentence, fact: StoredFact) -> bool:
    """Whether the very words around our number stand in the older sentence: "moved" is not "killed"."""
    return surroundings(sentence.text, ours) <= unify(fact.quote_terms)


def _say_alike(ours: Quantity, sentence: Sentence, other: Quantity, fact: StoredFact) -> bool:
    """Whether the words around both numbers meet, besides in what is counted: "banned" is not "infected"."""
    counted = {*ours.counted, *other.counted}
    mine = surroundings(sentence.text, ours) - counted
    theirs = surroundings(fact.quote, other) - counted
    return not mine or not theirs or not mine.isdisjoint(theirs)


def _name_one(sentence: Sentence, fact: StoredFact) -> bool:
    """Whether a name of the sentence stands in the other: else its "he" is another man."""
    names = [sentence.text[start:end] for start, end in sentence.names]
    return not names or any(
        set(bare_terms(name)) <= fact.quote_terms | fact.title_terms for name in names
    )


def _says_what(a: Quantity, b: Quantity) -> bool:
    return bool(set(a.counted) & set(b.counted))


def _other_stored_answer(
    asked: Asked, fact: StoredFact, sentence: Sentence, least: float
) -> str | None:
    """The answer that the older sentence was stored for under a question at least so like."""
    answer = Said(asked.question.answer or "", sentence.published_at)
    for stored in fact.answers:
        likeness = len(asked.terms & stored.terms) / len(asked.terms | stored.terms)
        if stored.kind is not asked.question.kind or likeness < least:
            continue
        other = Said(stored.answer, fact.published_at)
        crossed = find_answer(
            answer, Said(fact.quote, fact.published_at), stored.kind
        ) or find_answer(other, Said(sentence.text, sentence.published_at), stored.kind)
        if crossed is None and compare(answer, other, stored.kind) is Agreement.DIFFERENT:
            return stored.answer
    return None
