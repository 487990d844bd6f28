"""Questions that people asked without anybody marking the answer: a teacher says what it is.

Sentences with a question each from the articles of SQuAD's training part, their capitals put back, and the statements
that answered news questions make, with the other questions of their stories.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from model.ask_data import (
    PAIRS_FILE,
    STORIES_FILE,
    cased_texts,
    is_fair,
    read_pairs,
    read_stories,
    tidy,
)
from model.ask_text import Asked as AskedSentence
from model.read_sources import PAIRS, STORIES, Asked, Source


def told_sources(data: Path, *, kept_out: Source, max_questions: int) -> dict[str, Source]:
    """Those of the data folder; a place of an answer is given where it is known.

    Args:
        data: folder with `train/qa/` and `train/lm/`.
        kept_out: whose questions are left out.
        max_questions: of each source.

    Raises:
        DataError: a file is not of its layout.
    """
    folder = data / "train" / "qa"
    pairs = read_pairs(folder / PAIRS_FILE, cased_texts(data), lambda *_: (0, 0))
    unseen = {_letters(asked.question) for asked in kept_out.asked}
    found = {PAIRS: pairs, STORIES: read_stories(folder / STORIES_FILE)}
    return {
        name: _source((one for one in each if _letters(one.question) not in unseen), max_questions)
        for name, each in found.items()
    }


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _source(found: Iterable[AskedSentence], count: int) -> Source:
    fair = [one for one in map(tidy, found) if is_fair(one)][:count]
    passages = {text: at for at, text in enumerate(dict.fromkeys(one.sentence for one in fair))}
    asked = tuple(
        Asked(
            one.question,
            passages[one.sentence],
            ((one.start, one.end),) if one.end > one.start else (),
        )
        for one in fair
    )
    return Source(tuple(passages), tuple(passages), asked)
