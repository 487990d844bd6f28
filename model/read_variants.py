"""Pairs for training out of examples: with the answer, and, by several kinds of damage, without it.

An answer is taken away by another paragraph of the article, by cutting its sentence out, or by changing the
question: a name, a number or a word of it for another, a word for its opposite, a negation put in. Texts without
questions give some of their own: a sentence with a name or number left out and asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.read_data import MAX_ANSWER_WORDS, Example, ReadSet
from model.read_exercise import (
    Exercise,
    Rng,
    fitted,
    holds,
    nearest,
    replaced,
    segments,
    without_answer,
)
from model.read_sources import Place
from model.read_words import (
    COMMON,
    DIGIT,
    NAME_KINDS,
    NUMBER,
    YEAR,
    TextWords,
    WordBook,
    join_words,
)

OTHER_PARAGRAPHS = 6
"""Of the article, looked at for one that tells most of the question."""
DIFFERENT = 0.5
"""A word is another one when the cosine of the two is below this."""
TRIES = 8
CONTEXT_WORDS = 14
"""Around an answer, of a question made from a sentence."""
KEPT_WORDS = 0.85
SHORTENED = 0.6
"""Share of the exercises whose passage is cut around the answer."""
SHORT_WORDS = 40, 110
ELSEWHERE, CUT, CHANGED = range(3)
OPPOSITES = (
    ("first", "last"), ("largest", "smallest"), ("most", "least"), ("before", "after"),
    ("more", "less"), ("more", "fewer"), ("north", "south"), ("east", "west"),
    ("northern", "southern"), ("eastern", "western"), ("high", "low"), ("higher", "lower"),
    ("highest", "lowest"), ("early", "late"), ("earliest", "latest"), ("old", "new"),
    ("oldest", "newest"), ("oldest", "youngest"), ("increase", "decrease"), ("increased", "decreased"),
    ("start", "end"), ("began", "ended"), ("begin", "end"), ("male", "female"), ("men", "women"),
    ("man", "woman"), ("win", "lose"), ("won", "lost"), ("best", "worst"), ("good", "bad"),
    ("long", "short"), ("longest", "shortest"), ("large", "small"), ("big", "small"), ("major", "minor"),
    ("positive", "negative"), ("inside", "outside"), ("above", "below"), ("with", "without"),
    ("always", "never"), ("all", "none"), ("buy", "sell"), ("bought", "sold"), ("allowed", "banned"),
    ("accepted", "rejected"), ("similar", "different"), ("common", "rare"), ("public", "private"),
    ("maximum", "minimum"), ("strong", "weak"), ("open", "closed"), ("opened", "closed"),
    ("arrive", "leave"), ("support", "oppose"), ("supported", "opposed"), ("white", "black"),
    ("rich", "poor"), ("success", "failure"), ("majority", "minority"), ("winter", "summer"),
    ("enemy", "ally"), ("king", "queen"), ("mother", "father"), ("son", "daughter"),
)  # fmt: skip
NEGATED = {
    "was", "were", "is", "are", "did", "does", "do", "can", "could", "has", "have", "had", "will",
    "would", "should",
}  # fmt: skip
"""A negation is put after these."""
ASKED_BY = {
    "person": ("Who", "Who", "Which person", "What person"),
    "organization": (
        "What",
        "Which company",
        "What organization",
        "Who",
        "Which group",
        "What team",
    ),
    "location": ("Where", "Where", "What city", "Which country", "What place", "In what country"),
    "misc": ("What", "Which", "What"),
    "year": ("When", "In what year", "What year", "When"),
    "number": ("How many", "How many", "How much", "What number"),
    "word": ("What", "What", "Which", "What kind of"),
}


@dataclass(frozen=True, slots=True)
class Shares:
    """How many of a source's pairs are changed, and how."""

    other_paragraph: float = 0.12
    cut_sentence: float = 0.14
    changed_question: float = 0.26
    company: int = 0
    """Passages like it, at most, that a passage is put among."""
    left_out: float = 0.0
    """In such company the passage itself is missing, for a teacher to say what answers and what does not."""


class Exercises:
    """Draws exercises from a set; the same for the same random numbers."""

    def __init__(self, book: WordBook, given: ReadSet, shares: Shares) -> None:
        self.book, self.given, self.shares = book, given, shares
        self._near = nearest(book, given.passages) if shares.company else None
        words = {word for wordings in ASKED_BY.values() for w in wordings for word in w.split()}
        words |= {word for pair in OPPOSITES for word in pair} | {"not", "never"}
        read = dict(zip(sorted(words), book.read(sorted(words)), strict=True))
        self._words = read
        self._opposite: dict[int, list[TextWords]] = {}
        for one, other in OPPOSITES:
            for here, there in ((one, other), (other, one)):
                self._opposite.setdefault(int(read[here].words[0]), []).append(read[there])
        self._negated = {
            number for number, text in enumerate(book.texts) if text.lower() in NEGATED
        }

    def draw(self, rng: Rng, *, damage: float = 1.0) -> Exercise:
        """One exercise; `damage` multiplies the shares of those that are changed."""
        if not self.given.examples:
            return self._made(rng, damage)
        example = self.given.examples[int(rng.integers(len(self.given.examples)))]
        passage = self.given.passages[example.passage]
        whole = Exercise(example.question, passage, example.answers)
        exercise = self._shortened(whole, rng)
        way = self._way(rng, damage)
        changed = None
        if way == ELSEWHERE:
            changed = self._elsewhere(example, rng)
        elif way == CUT:
            changed = without_answer(self.book, exercise)
        elif way == CHANGED:
            changed = self.changed(exercise, rng)
        exercise = changed or exercise
        return (
            self._among_others(exercise, example.passage, rng)
            if self._near is not None
            else exercise
        )

    def _way(self, rng: Rng, damage: float) -> int:
        shares = (
            self.shares.other_paragraph,
            self.shares.cut_sentence,
            self.shares.changed_question,
        )
        return int(np.searchsorted(np.cumsum(shares) * damage, rng.random(), side="right"))

    def _shortened(self, exercise: Exercise, rng: Rng) -> Exercise:
        """Often a part of the passage around the answer: more exercises in the same time."""
        if rng.random() >= SHORTENED:
            return exercise
        return fitted(exercise, rng, words=int(rng.integers(*SHORT_WORDS)))

    def _among_others(self, exercise: Exercise, passage: int, rng: Rng) -> Exercise:
        assert self._near is not None
        near = self._near[passage]
        count = int(rng.integers(self.shares.company + 1))
        others = [self.given.passages[int(at)] for at in rng.choice(near, count, replace=False)]
        if others and rng.random() < self.shares.left_out:
            return Exercise(exercise.question, join_words(others), ())
        before = others[: int(rng.integers(count + 1))]
        after = others[len(before) :]
        moved = sum(len(other) for other in before)
        answers = tuple((first + moved, last + moved) for first, last in exercise.answers)
        joined = join_words([*before, exercise.passage, *after])
        return Exercise(exercise.question, joined, answers)

    def _elsewhere(self, example: Example, rng: Rng) -> Exercise | None:
        """The question with that paragraph of the article which tells most of it and no answer."""
        siblings = self.given.siblings[example.passage]
        if not siblings:
            return None
        book, passages = self.book, self.given.passages
        asked = example.question.words[book.looks[example.question.words, COMMON] == 0]
        here = passages[example.passage]
        answers = [book.stems[here.words[a : b + 1]] for a, b in example.answers]
        found, most = None, -1.0
        for at in rng.choice(siblings, min(OTHER_PARAGRAPHS, len(siblings)), replace=False):
            passage = passages[int(at)]
            stems = book.stems[passage.words]
            told = float(book.rarity[asked] @ np.isin(book.stems[asked], stems))
            if len(passage) and told > most and not any(holds(stems, answer) for answer in answers):
                found, most = passage, told
        return Exercise(example.question, found, ()) if found is not None else None

    # ------------------------------------------------------------------------------ changed questions
    def changed(self, exercise: Exercise, rng: Rng) -> Exercise | None:
        """The question asking for something that the passage does not tell."""
        ways = (self._other_name, self._other_number, self._other_word, self._opposed, self._denied)
        # Names and numbers are what people change most.
        chances = np.array((0.34, 0.2, 0.26, 0.15, 0.05)) * rng.random(len(ways))
        for way in np.argsort(-chances):
            question = ways[way](exercise, rng)
            if question is not None:
                return Exercise(question, exercise.passage, ())
        return None

    def _other_name(self, exercise: Exercise, rng: Rng) -> TextWords | None:
        question = exercise.question
        names = segments(question.names > 0, question.names)
        if not names:
            return None
        first, end = names[int(rng.integers(len(names)))]
        others = segments(exercise.passage.names > 0, exercise.passage.names)
        kind = (question.names[first] - 1) // 2
        same = [s for s in others if (exercise.passage.names[s[0]] - 1) // 2 == kind]
        for a, b in self._shuffled(same or others, rng):
            if not any(a <= y and x < b for x, y in exercise.answers):
                other = exercise.passage.take(slice(a, b))
                if not self._share_a_word(other, question):
                    return replaced(question, first, end, other)
        return None

    def _other_number(self, exercise: Exercise, rng: Rng) -> TextWords | None:
        book, question, passage = self.book, exercise.question, exercise.passage
        own = np.flatnonzero(book.looks[question.words, NUMBER] > 0)
        if not len(own):
            return None
        at = int(rng.choice(own))
        is_year = book.looks[question.words[at], YEAR]
        looks = book.looks[passage.words]
        others = np.flatnonzero((looks[:, NUMBER] > 0) & (looks[:, YEAR] == is_year))
        for place in rng.permutation(others)[:TRIES]:
            if book.lowers[passage.words[place]] not in book.lowers[question.words]:
                return replaced(question, at, at + 1, passage.take(slice(place, place + 1)))
        return self._number_from_anywhere(question, at, rng)

    def _number_from_anywhere(self, question: TextWords, at: int, rng: Rng) -> TextWords | None:
        book = self.book
        looks = book.looks[question.words[at], [DIGIT, YEAR]]
        for _ in range(TRIES):
            passage = self.given.passages[int(rng.integers(len(self.given.passages)))]
            like = (book.looks[passage.words][:, [DIGIT, YEAR]] == looks).all(axis=1)
            like &= book.looks[passage.words, NUMBER] > 0
            if like.any():
                place = int(rng.choice(np.flatnonzero(like)))
                other = passage.take(slice(place, place + 1))
                if not self._share_a_word(other, question):
                    return replaced(question, at, at + 1, other)
        return None

    def _other_word(self, exercise: Exercise, rng: Rng) -> TextWords | None:
        """A word for one of the same part of speech that means something else."""
        book, question, passage = self.book, exercise.question, exercise.passage
        is_own = (book.looks[question.words, COMMON] == 0) & (question.names == 0)
        own = np.flatnonzero(
            is_own & np.isin(book.stems[question.words], book.stems[passage.words])
        )
        if not len(own):
            return None
        at = int(rng.choice(own))
        is_other = (passage.parts == question.parts[at]) & (book.looks[passage.words, COMMON] == 0)
        for place in rng.permutation(np.flatnonzero(is_other))[:TRIES]:
            number = passage.words[place]
            cosines = book.vectors[question.words] @ book.vectors[number]
            if not any(x <= place <= y for x, y in exercise.answers) and cosines.max() < DIFFERENT:
                return replaced(question, at, at + 1, passage.take(slice(place, place + 1)))
        return None

    def _opposed(self, exercise: Exercise, rng: Rng) -> TextWords | None:
        question = exercise.question
        places = [at for at, word in enumerate(question.words) if int(word) in self._opposite]
        if not places:
            return None
        at = places[int(rng.integers(len(places)))]
        opposites = self._opposite[int(question.words[at])]
        other = opposites[int(rng.integers(len(opposites)))]
        return replaced(question, at, at + 1, other)

    def _denied(self, exercise: Exercise, rng: Rng) -> TextWords | None:
        question = exercise.question
        places = [at for at, word in enumerate(question.words) if int(word) in self._negated]
        if not places:
            return None
        word = self._words["not" if rng.random() < 0.5 else "never"]
        return replaced(question, places[0] + 1, places[0] + 1, word)

    # ----------------------------------------------------------------------------- made of a sentence
    def _made(self, rng: Rng, damage: float) -> Exercise:
        """A question made of a sentence by leaving a name, a number or a word of it out."""
        while True:
            passage = self.given.passages[int(rng.integers(len(self.given.passages)))]
            answer = self._some_answer(passage, rng)
            if answer is not None:
                break
        (first, last), kind = answer
        inside = np.flatnonzero(passage.sentences == passage.sentences[first])
        begin = max(int(inside[0]), first - int(rng.integers(3, CONTEXT_WORDS)))
        end = min(int(inside[-1]) + 1, last + 1 + int(rng.integers(3, CONTEXT_WORDS)))
        around = [np.arange(begin, first), np.arange(last + 1, end)]
        if rng.random() < 0.3:
            around.reverse()
        places = np.concatenate(around)
        places = places[rng.random(len(places)) < KEPT_WORDS]
        wordings = ASKED_BY[kind]
        asking = [self._words[word] for word in wordings[int(rng.integers(len(wordings)))].split()]
        question = join_words([*asking, passage.take(places)])
        exercise = Exercise(question, passage, ((first, last),))
        way = self._way(rng, damage)
        changed = None
        if way == CUT:
            changed = without_answer(self.book, exercise)
        elif way == CHANGED:
            changed = self.changed(exercise, rng)
        return changed or exercise

    def _some_answer(self, passage: TextWords, rng: Rng) -> tuple[Place, str] | None:
        looks = self.book.looks[passage.words]
        names = [
            (s, NAME_KINDS[(int(passage.names[s[0]]) - 1) // 2])
            for s in segments(passage.names > 0, passage.names)
        ]
        is_number = (looks[:, NUMBER] > 0) & (passage.names == 0)
        numbers = [
            ((int(at), int(at) + 1), "year" if looks[at, YEAR] else "number")
            for at in np.flatnonzero(is_number)
        ]
        is_word = (looks[:, COMMON] == 0) & (passage.names == 0) & ~is_number
        words = [
            ((int(at), int(at) + 1), "word") for at in rng.permutation(np.flatnonzero(is_word))[:3]
        ]
        found = [*names, *numbers, *words]
        if not found:
            return None
        (first, end), kind = found[int(rng.integers(len(found)))]
        return ((first, end - 1), kind) if end - first <= MAX_ANSWER_WORDS else None

    def _share_a_word(self, one: TextWords, other: TextWords) -> bool:
        return bool(np.isin(self.book.lowers[one.words], self.book.lowers[other.words]).any())

    @staticmethod
    def _shuffled(places: Sequence[Place], rng: Rng) -> list[Place]:
        return [places[at] for at in rng.permutation(len(places))[:TRIES]]
