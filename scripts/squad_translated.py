"""SQuAD 2.0 in other words, unanswerable questions too: `tidings train read --more OUT` reads it.

    git clone https://github.com/TurkuNLP/squad2-fi
    git clone https://github.com/asmitapoddar/question-answering-SQuAD2.0-dcn
    python scripts/squad_translated.py squad2-fi question-answering-SQuAD2.0-dcn --data DIR OUT

The first repository holds the training part of SQuAD 2.0 (Rajpurkar, Jia and Liang 2018, "Know What
You Don't Know"; CC BY-SA 4.0) translated by machine to Finnish and back, without saying which
questions have an answer. The second lists the answers of that part in order, with their places in
tokens, without saying whose they are. A paragraph's answerable questions stand before the others,
so all that is missing is how many they are: the list of answers is cut where its pieces fit the
paragraphs best, by words and places, of all ways to cut it (dynamic programming, done again with
the numbers that it found). Right are 690 of 694 paragraphs whose truth is at hand; all 679 sure ones.

What is not sure is dropped: questions whose label would change in a cut nearly as good, answers
found neither in the translated words nor in the colours that mark answers there, and unanswerable
questions with the words of an earlier one. So are the first articles, which the data folder has in
their own words, and what stands in the development set.
"""

import argparse
import json
import lzma
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, pairwise, takewhile
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lxml import html
from numpy.lib.stride_tricks import sliding_window_view

PAGES = "squad2-en-translated-raw/html/squad2_*en-US.html"
ANSWERS = "preprocessing/data/preprocessed_train_ans_{}.txt"
DEVELOPMENT = "train/qa/squad2_dev.jsonl.xz"
NAME = "squad2_translated.jsonl.xz"
KNOWN_ARTICLES, TRAINING_ARTICLES = 10, 442
"""The first ones are not written, nor those after the training part."""
WORDS_PER_TOKEN = 0.88  # tokens are of the original and count signs
STEM_CHARS, MOST_STEMS = 5, 12
STEM_GAIN, STEM_LOSS, NUMBER_LOSS = 0.45, 0.9, 1.6
"""For a stem that the paragraph has, times its weight; for one, or a number, that it lacks."""
RARE_WEIGHT = 2.2  # from here on a stem says where in the paragraph the answer stands
PLACE_GAIN, PLACE_LOSS, PLACE_WORDS = 2.0, 0.5, 10
END_LOSS, END_SHARE, END_WORDS = 4.0, 1.25, 8
"""For an answer that ends after that share of the paragraph, and so many words."""
WORST_FIT, BEST_FIT = -4.0, 9.0
BEAM = 60.0  # a way to cut the list is given up when it is so much worse than the best one
SURE = 3.0  # ways that are worse by less are as good as the best one
UNSEEN = 0.3  # added to how often each number of answers was found

FARTHEST_REPEATED, FARTHEST_COLOURED = 45, 40
"""Words from the expected place to one of several with an answer's words; to a coloured one."""
MOST_COLOURS = 8
LEAST_OVERLAP, WORD_COST = 0.6, 0.004
"""Of the stems of an answer and a coloured place (Dice); what a word's distance counts against it."""

_HEADING = re.compile(r"(Document number|Text number|Question) (\d+)")
_WORD, _STEM = re.compile(r"[^\W_]+"), re.compile(r"[a-z0-9]+")
_CURRENCY = ("$", "£", "€", "#")
_NEVER_FIRST, _NEVER_LAST = " ,.;:)]-–", " ,.;:([-–"

Place = tuple[int, int]
Piece = tuple[str, str]  # a text and its colour
Row = dict[str, Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph and its questions; of coloured text every place that may be an answer."""

    article: int
    text: str
    coloured: tuple[Place, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's original words, its first token and its last, -1 where that is unknown."""

    text: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Split:
    """Where in the list a paragraph's answers begin, and between what bounds their number is."""

    start: int
    is_start_sure: bool
    fewest: int
    most: int


def main() -> None:
    """Write the paragraphs that have questions with a sure label."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", type=Path, help="a clone of squad2-fi")
    parser.add_argument("answers", type=Path, help="a clone of question-answering-SQuAD2.0-dcn")
    parser.add_argument("--data", type=Path, required=True, help="folder of the training data")
    parser.add_argument("out", type=Path, help="folder to write to")
    options = parser.parse_args()
    left_out = read_development(options.data / DEVELOPMENT)
    answers = read_answers(options.answers)
    paragraphs = read_paragraphs(options.pages)
    labelled = zip(paragraphs, align(paragraphs, answers), strict=True)
    rows = list(rows_of(labelled, answers, left_out))
    options.out.mkdir(parents=True, exist_ok=True)
    with lzma.open(options.out / NAME, "wt", encoding="utf8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    labels = Counter(asked["answerable"] for row in rows for asked in row["qas"])
    print(len(rows), "paragraphs", labels[True], "answerable", labels[False], "unanswerable")


def read_development(path: Path) -> set[str]:
    """Keys of the development set's paragraphs and questions."""
    rows = map(json.loads, _read_lines(path))
    texts = ([row["context"], *(asked["q"] for asked in row["qas"])] for row in rows)
    return set(map(key_of, chain.from_iterable(texts)))


def read_answers(repository: Path) -> list[Answer]:
    """The answers in order; their words and places are two files."""
    texts, spans = (_read_lines(repository / ANSWERS.format(kind)) for kind in ("text", "span"))
    if len(texts) != len(spans):
        raise SystemExit(f"{repository}: {len(texts)} answers, but {len(spans)} places")
    words = (text.replace("-LRB-", "(").replace("-RRB-", ")") for text in texts)
    places = ([int(at) if at.isdigit() else -1 for at in span.split()] for span in spans)
    return [Answer(text, first, last) for text, (first, last) in zip(words, places, strict=True)]


def _read_lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        text = lzma.decompress(content) if path.suffix == ".xz" else content
        return text.decode("utf8").rstrip("\n").split("\n")
    except (OSError, lzma.LZMAError, ValueError) as exc:
        raise SystemExit(f"cannot read {path}: {exc}") from exc


def read_paragraphs(repository: Path) -> list[Paragraph]:
    """The paragraphs of the training part, in order."""
    found = parse_pages(path.read_text("utf8") for path in sorted(repository.glob(PAGES)))
    found = [paragraph for paragraph in found if paragraph.article < TRAINING_ARTICLES]
    if (count := len({paragraph.article for paragraph in found})) < TRAINING_ARTICLES:
        raise SystemExit(f"{repository}: {count} of {TRAINING_ARTICLES} articles in {PAGES}")
    return found


def parse_pages(pages: Iterable[str]) -> list[Paragraph]:
    """Paragraphs and questions, each below a heading in bold type."""
    article = -1
    found: list[tuple[int, list[list[Piece]]]] = []  # texts of a paragraph and its questions
    for block in chain.from_iterable(html.fromstring(page).iter("p") for page in pages):
        is_bold = block.find(".//b") is not None
        heading = _HEADING.fullmatch(_joined(_pieces(block))) if is_bold else None
        if heading and heading[1] == "Document number":
            article = int(heading[2])
        elif heading and heading[1] == "Text number":
            found.append((article, [[]]))
        elif heading:
            found[-1][1].append([])
        elif found:
            found[-1][1][-1] += [*_pieces(block), (" ", "")]
    return [_paragraph(article, texts) for article, texts in found]


def _pieces(node: html.HtmlElement, colour: str = "") -> Iterator[Piece]:
    yield node.text or "", colour
    for child in node:
        yield from _pieces(child, child.get("color", colour))
        yield child.tail or "", colour


def _paragraph(article: int, texts: Sequence[Sequence[Piece]]) -> Paragraph:
    text, *questions = map(_joined, texts)
    signs = ((sign, colour) for part, colour in texts[0] for sign in part)
    pairs = pairwise([(" ", ""), *signs])
    colours = [colour for (last, _), (sign, colour) in pairs if not (last + sign).isspace()]
    runs = [(key, list(run)) for key, run in groupby(range(len(text)), colours.__getitem__)]
    coloured = (
        _trimmed(text, run[0], later[-1] + 1)
        for at, (_, run) in enumerate(runs)
        for _, later in takewhile(itemgetter(0), runs[at : at + MOST_COLOURS])
    )
    return Paragraph(article, text, tuple(coloured), tuple(questions))


def _joined(pieces: Iterable[Piece]) -> str:
    return " ".join("".join(text for text, _ in pieces).split())


def align(paragraphs: Sequence[Paragraph], answers: Sequence[Answer]) -> list[Split]:
    """Cut the list of answers where its pieces fit the paragraphs best; all must be used."""
    fits = _Fits(paragraphs, answers)
    chances = {size: _guessed(size) for size in fits.sizes}
    counts = [int(best.max(axis=0).argmax()) for _, best in _best_sums(fits, chances)]
    found = Counter(zip(fits.sizes, counts, strict=True))
    for size in chances:
        numbers = np.array([found[size, count] + UNSEEN for count in range(size + 1)])
        chances[size] = np.log(numbers / numbers.sum())
    return [_split(start, best) for start, best in _best_sums(fits, chances)]


def _guessed(size: int) -> Floats:
    """Log chances of each number of answers to so many questions: all, or about five."""
    some = [-2.0 - 0.3 * abs(count - 5) - (0.0 if count else 1.5) for count in range(size)]
    return np.array([*some, -0.4])


def _split(first: int, best: Floats) -> Split:
    """What the ways to cut that are nearly as good as the best one agree on."""
    by_start, by_count = best.max(axis=1), best.max(axis=0)
    is_sure = int((best.max() - by_start < SURE).sum()) == 1
    counts = np.flatnonzero(best.max() - by_count < SURE)
    return Split(first + int(by_start.argmax()), is_sure, int(counts[0]), int(counts[-1]))


class _Fits:
    """How well answers fit paragraphs."""

    def __init__(self, paragraphs: Sequence[Paragraph], answers: Sequence[Answer]) -> None:
        self.sizes = [len(paragraph.questions) for paragraph in paragraphs]
        self.answers = answers
        self._answer_stems = [stems_of(answer.text)[:MOST_STEMS] for answer in answers]
        self._stems = [stems_of(paragraph.text) for paragraph in paragraphs]
        self._positions: list[dict[str, list[int]]] = []
        for stems in self._stems:
            self._positions.append({stem: [] for stem in stems})
            for position, stem in enumerate(stems):
                self._positions[-1][stem].append(position)
        self._found_in = Counter(chain.from_iterable(self._positions))

    def sums(self, paragraph: int, start: int, count: int) -> Floats:
        """(count + 1,): fits of none, one, two, ... answers; minus infinity beyond the last."""
        places = range(start, min(start + count, len(self.answers)))
        fits = [self._fit(paragraph, place) for place in places]
        return np.cumsum([0.0, *fits, *[-np.inf] * (count - len(fits))])

    def _fit(self, paragraph: int, place: int) -> float:
        answer, positions = self.answers[place], self._positions[paragraph]
        expected = answer.first * WORDS_PER_TOKEN
        fit, distances = 0.0, list[float]()
        for stem in self._answer_stems[place]:
            if stem not in positions:
                fit -= NUMBER_LOSS if stem.isdigit() else STEM_LOSS
                continue
            weight = math.log((len(self._positions) + 1) / (self._found_in[stem] + 1))
            fit += STEM_GAIN * weight
            if weight > RARE_WEIGHT or not distances:
                distances.append(min(abs(position - expected) for position in positions[stem]))
        if distances:
            fit += PLACE_GAIN * math.exp(-min(distances) / PLACE_WORDS) - PLACE_LOSS
        if answer.last > len(self._stems[paragraph]) * END_SHARE + END_WORDS:
            fit -= END_LOSS
        return max(WORST_FIT, min(fit, BEST_FIT))


def _best_sums(fits: _Fits, chances: Mapping[int, Floats]) -> list[tuple[int, Floats]]:
    """Of each paragraph a start and (W, Q + 1), sums over all paragraphs in the best of all ways.

    Its answers begin at start + row and are as many as the column says.
    """
    start, before = 0, np.zeros(1)
    steps = []
    for paragraph, size in enumerate(fits.sizes):
        width = len(before)
        sums = fits.sums(paragraph, start, width - 1 + size)
        steps.append((start, before[:, None], sums))
        best = _with_fits(before[:, None], sums, chances[size])
        reached = np.full(len(sums), -np.inf)
        for count in range(size + 1):
            so_far = reached[count : count + width]
            np.maximum(so_far, best[:, count], out=so_far)
        near = np.flatnonzero(reached > reached.max() - BEAM)
        start, before = start + int(near[0]), reached[near[0] : near[-1] + 1]
    after = np.where(start + np.arange(len(before)) == len(fits.answers), 0.0, -np.inf)
    if after.max() < 0:
        raise SystemExit(f"{len(fits.answers)} answers do not fit {len(fits.sizes)} paragraphs")
    found = []
    for size, (earlier, reached, sums) in zip(reversed(fits.sizes), reversed(steps), strict=True):
        later = np.full(len(sums), -np.inf)
        later[start - earlier : start - earlier + len(after)] = after
        onward = _with_fits(sliding_window_view(later, size + 1), sums, chances[size])
        found.append((earlier, reached + onward))
        start, after = earlier, onward.max(axis=1)
    return found[::-1]


def _with_fits(others: Floats, sums: Floats, chances: Floats) -> Floats:
    """(W, Q + 1): sums of other paragraphs with the fits and chances of each start and number."""
    ends = sliding_window_view(sums, len(chances))
    return others + ends - sums[: len(ends), None] + chances


def rows_of(
    labelled: Iterable[tuple[Paragraph, Split]], answers: Sequence[Answer], left_out: set[str]
) -> Iterator[Row]:
    """One row for each paragraph that has a question with a sure label."""
    for paragraph, split in labelled:
        if paragraph.article < KNOWN_ARTICLES or key_of(paragraph.text) in left_out:
            continue
        own = answers[split.start : split.start + split.fewest] if split.is_start_sure else ()
        asked = [row for row in _asked(paragraph, split, own) if key_of(row["q"]) not in left_out]
        if asked:
            title = f"squad2-train-article-{paragraph.article:03d}"
            yield {"title": title, "context": paragraph.text, "qas": asked}


def _asked(paragraph: Paragraph, split: Split, answers: Sequence[Answer]) -> Iterator[Row]:
    for question, answer in zip(paragraph.questions, answers, strict=False):
        if place := find_answer(paragraph, answer):
            quote = paragraph.text[slice(*place)]
            yield {"q": question, "answers": [[quote, place[0]]], "answerable": True}
    earlier = {frozenset(stems_of(question)) for question in paragraph.questions[: split.most]}
    for question in paragraph.questions[split.most :]:
        if frozenset(stems_of(question)) not in earlier:
            yield {"q": question, "answers": [], "answerable": False}


def find_answer(paragraph: Paragraph, answer: Answer) -> Place | None:
    """Where an answer stands by its words, else by the colours; None if there is no sure place."""
    text, words = paragraph.text, list(_WORD.finditer(paragraph.text))
    spelt = [plain(word[0]) for word in words]
    wanted = [plain(word) for word in _WORD.findall(answer.text)]
    expected, count = answer.first * WORDS_PER_TOKEN, len(wanted)
    if not wanted:
        return None
    same = [at for at in range(len(words) - count + 1) if spelt[at : at + count] == wanted]
    if not same:
        return _find_coloured(paragraph, wanted, expected)
    distance, at = min((abs(at - expected), at) for at in same)
    if len(same) > 1 and distance > FARTHEST_REPEATED:
        return None
    start, end = words[at].start(), words[at + count - 1].end()
    original = answer.text.strip()
    start -= original.startswith(_CURRENCY) and text[:start].endswith(_CURRENCY)
    end += original.endswith("%") and text.startswith("%", end)
    return start, end


def _find_coloured(paragraph: Paragraph, words: Sequence[str], expected: float) -> Place | None:
    wanted = Counter(word[:STEM_CHARS] for word in words)
    best, found = -math.inf, None
    for start, end in paragraph.coloured:
        part = _WORD.findall(paragraph.text[start:end])
        stems = Counter(plain(word)[:STEM_CHARS] for word in part)
        overlap = 2 * (wanted & stems).total() / (wanted.total() + stems.total())
        distance = abs(len(_WORD.findall(paragraph.text[:start])) - expected)
        if overlap and overlap - WORD_COST * distance > best:
            best = overlap - WORD_COST * distance
            is_sure = overlap >= LEAST_OVERLAP and distance < FARTHEST_COLOURED
            found = (start, end) if is_sure else None
    return found


def _trimmed(text: str, start: int, end: int) -> Place:
    """A place without signs at its ends, nor a quote or bracket there that stands alone."""
    part = text[start:end]
    start += len(part) - len(part.lstrip(_NEVER_FIRST))
    part = text[start:end].rstrip(_NEVER_LAST)
    end = start + len(part)
    for signs in ('"', "()"):
        if sum(map(part.count, signs)) == 1:
            start += part.startswith(signs[0])
            end -= part.endswith(signs[-1])
    return start, end


def plain(text: str) -> str:
    """Lower-case, without accents."""
    if text.isascii():
        return text.lower()
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).lower()


def stems_of(text: str) -> list[str]:
    """The beginnings of words, and whole numbers."""
    return [word if word.isdigit() else word[:STEM_CHARS] for word in _STEM.findall(plain(text))]


def key_of(text: str) -> str:
    """What texts are compared by: lower-cased letters and digits."""
    return re.sub(r"[^a-z0-9]+", "", text.lower())


if __name__ == "__main__":
    main()
