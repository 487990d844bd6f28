"""Labels of translated questions: pages are read, answers are shared out and found again."""

from __future__ import annotations

import json
import lzma
import random
import re
import shutil
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts import squad_translated
from scripts.squad_translated import (
    ANSWERS,
    DEVELOPMENT,
    NAME,
    PAGES,
    WORDS_PER_TOKEN,
    Answer,
    Paragraph,
    Split,
    align,
    find_answer,
    main,
    parse_pages,
    plain,
    read_answers,
    rows_of,
)

PAGE = """<html><body lang="en-US">
<p><u><b>Document number 0</b></u></p>
<p><b>Text number 0</b></p>
<p>The mill of  <font color="#a9a9a9">Old
Harlow </font>was built (<font color="#dcdcdc">in </font><font color="#2f4f4f">1812</font>) by &quot;Ann
<font color="#556b2f">Weaver</font>&quot;. </p>
<p><b>Question 0</b></p>
<p>When was the mill
built?<br/>
</p>
<p><b>Question 1</b></p>
<p>Who burnt it &amp; when?</p>
<p><b>Text number 1</b></p>
<p>It <b>stands</b> still.</p>
<p><u><b>Document number 1</b></u></p>
<p><b>Text number 0</b></p>
<p>A harbour.</p>
<p><b>Question 0</b></p>
<p>What is it?</p>
</body></html>"""

COUNTS = [(4, 3), (5, 5), (3, 0), (6, 2), (1, 1), (5, 3), (4, 4), (2, 0), (7, 4), (5, 1)]
"""Of invented paragraphs: questions, and how many have an answer."""


def invented(seed: int = 1) -> tuple[list[Paragraph], list[Answer]]:
    """Paragraphs of made-up words, one an article, with answers of two words in their order."""
    rng = random.Random(seed)
    paragraphs, answers = [], []
    for article, (questions, answered) in enumerate(COUNTS):
        words = ["".join(rng.choices("abdeiklmnorstu", k=7)) for _ in range(40)]
        text = " ".join(words).capitalize() + "."
        asked = [f"Which {''.join(rng.choices('aeklmr', k=6))} is it?" for _ in range(questions)]
        paragraphs.append(Paragraph(article, text, (), tuple(asked)))
        for _ in range(answered):
            at = rng.randrange(38)
            token = round(at / WORDS_PER_TOKEN)
            answers.append(Answer(" ".join(words[at : at + 2]), token, token + 1))
    return paragraphs, answers


def quotes(paragraph: Paragraph) -> list[str]:
    return [paragraph.text[start:end] for start, end in paragraph.coloured]


def coloured(text: str, *parts: str) -> Paragraph:
    places = ((text.index(part), text.index(part) + len(part)) for part in parts)
    return Paragraph(20, text, tuple(places), ())


# ------------------------------------------------------------------------------------------ pages
def test_pages_hold_paragraphs_and_their_questions() -> None:
    first, second, third = parse_pages([PAGE])
    assert first.text == 'The mill of Old Harlow was built (in 1812) by "Ann Weaver".'
    assert first.questions == ("When was the mill built?", "Who burnt it & when?")
    assert (second.text, second.questions) == ("It stands still.", ())
    assert (third.text, third.questions) == ("A harbour.", ("What is it?",))
    assert [paragraph.article for paragraph in (first, second, third)] == [0, 0, 1]


def test_coloured_places_are_of_one_colour_or_of_neighbours() -> None:
    first, *others = parse_pages([PAGE])
    assert quotes(first) == ["Old Harlow", "in", "in 1812", "1812", "Weaver"]
    assert [paragraph.coloured for paragraph in others] == [(), ()]


@pytest.mark.parametrize(
    ("part", "quote"),
    [
        ("(about ten", "about ten"),
        ('the "Swan', 'the "Swan'),
        ('"Swan', "Swan"),
        ('"Swan"', '"Swan"'),
        (", one (of two) ", "one (of two)"),
    ],
)
def test_coloured_places_begin_and_end_with_words(part, quote) -> None:
    heading, colour = "<p><b>Text number 0</b></p>", '<font color="#8b0000">'
    (found,) = parse_pages([f"{heading}<p>Here {colour}{part}</font> again.</p>"])
    assert quotes(found) == [quote]


# -------------------------------------------------------------------------------------- labelling
@pytest.mark.parametrize("seed", range(3))
def test_answers_are_shared_out_among_their_paragraphs(seed) -> None:
    paragraphs, answers = invented(seed)
    starts = [sum(answered for _, answered in COUNTS[:at]) for at in range(len(COUNTS))]
    assert align(paragraphs, answers) == [
        Split(start, True, answered, answered)
        for start, (_, answered) in zip(starts, COUNTS, strict=True)
    ]


def test_an_answer_that_fits_two_paragraphs_is_nobodys() -> None:
    text = "The grey heron waits at the weir."
    paragraphs = [Paragraph(at, text, (), ("Who waits?", "Who waits where?")) for at in range(2)]
    answers = [Answer("the weir", 5, 6), Answer("grey heron", 1, 2), Answer("grey heron", 1, 2)]
    first, second = align(paragraphs, answers)
    assert (first.fewest, first.most) == (1, 2)
    assert not second.is_start_sure


def test_more_answers_than_questions_fit_nowhere() -> None:
    paragraphs, answers = invented()
    with pytest.raises(SystemExit, match=r"69 answers do not fit 10 paragraphs"):
        align(paragraphs, answers * 3)


# ----------------------------------------------------------------------------------------- places
@pytest.mark.parametrize(
    ("answer", "quote"),
    [
        ("In Zürich", "in Zurich"),
        ("$ 40", "$40"),
        ("12 %", "12%"),
        ("-LRB- nothing -RRB-", None),
        ("...", None),
        ("the old northern gateways", "old northern gateway"),
        ("bridges", None),
    ],
)
def test_an_answer_is_found_by_its_words_or_by_colour(answer, quote) -> None:
    paragraph = coloured(
        "Entry at the old northern gateway in Zurich was $40, later 12% less.",
        "old northern gateway",
        "later",
    )
    place = find_answer(paragraph, Answer(answer, 5, 6))
    assert (paragraph.text[slice(*place)] if place else None) == quote


def test_of_several_places_the_nearest_counts_if_it_is_near() -> None:
    paragraph = coloured("Rain. " + "More " * 60 + "rain.")
    assert find_answer(paragraph, Answer("rain", 0, 0)) == (0, 4)
    end = len(paragraph.text) - 1
    assert find_answer(paragraph, Answer("rain", 70, 70)) == (end - 4, end)
    assert find_answer(paragraph, Answer("rain", 200, 200)) is None


words = st.text("abcÉé", min_size=1, max_size=3)


@given(st.lists(words, min_size=1, max_size=12), st.data())
def test_what_is_found_has_the_words_of_the_answer(spelt, data) -> None:
    at = data.draw(st.integers(0, len(spelt) - 1))
    answer = " ".join(spelt[at : at + 2])
    paragraph = coloured(", ".join(spelt))
    place = find_answer(paragraph, Answer(answer, at, at + 1))
    assert place is not None
    assert plain(paragraph.text[slice(*place)]).replace(",", "") == plain(answer)


# ------------------------------------------------------------------------------------------- rows
def asked(split: Split, *questions: str) -> list[tuple[str, bool]]:
    paragraph = Paragraph(20, "A red door and a blue door.", (), questions)
    answers = [Answer("red", 1, 1), Answer("blue", 5, 5)]
    rows = rows_of([(paragraph, split)], answers, {"isthedoorgreen"})
    return [(each["q"], each["answerable"]) for row in rows for each in row["qas"]]


def test_only_what_is_sure_is_labelled() -> None:
    questions = ("What is red?", "What is blue?", "What is grey?")
    red, blue, grey = zip(questions, (True, True, False), strict=True)
    assert asked(Split(0, True, 2, 2), *questions) == [red, blue, grey]
    assert asked(Split(0, True, 1, 2), *questions) == [red, grey]
    assert asked(Split(0, False, 2, 2), *questions) == [grey]
    assert asked(Split(0, True, 0, 3), *questions) == []


def test_a_question_in_the_words_of_an_answerable_one_is_left_out() -> None:
    assert asked(Split(0, True, 1, 1), "What is red?", "Red is what?") == [("What is red?", True)]


def test_questions_of_the_development_set_are_left_out() -> None:
    assert asked(Split(0, True, 0, 0), "Is the door GREEN?", "Is it?") == [("Is it?", False)]


# ---------------------------------------------------------------------------------- whole program
def page_of(paragraphs: list[Paragraph]) -> str:
    lines = []
    for paragraph in paragraphs:
        lines += [f"<u><b>Document number {paragraph.article}</b></u>", "<b>Text number 0</b>"]
        lines.append(escape(paragraph.text))
        for at, question in enumerate(paragraph.questions):
            lines += [f"<b>Question {at}</b>", escape(question)]
    return "<html><body>" + "".join(f"<p>{line}</p>\n" for line in lines) + "</body></html>"


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Both clones and the data folder, invented; the fourth paragraph is in the development set."""
    paragraphs, answers = invented()
    monkeypatch.setattr(squad_translated, "TRAINING_ARTICLES", len(paragraphs))
    monkeypatch.setattr(squad_translated, "KNOWN_ARTICLES", 2)
    later = Paragraph(len(paragraphs), "Not of the training part.", (), ("Is it?",))
    development = {"context": paragraphs[3].text.upper(), "qas": [{"q": "Is it?"}]}
    files = {
        "pages/" + PAGES.replace("*", "000 fi "): page_of(paragraphs[:4]),
        "pages/" + PAGES.replace("*", "001 fi "): page_of([*paragraphs[4:], later]),
        "answers/" + ANSWERS.format("text"): "".join(f"{it.text}\n" for it in answers),
        "answers/" + ANSWERS.format("span"): "".join(f"{it.first} {it.last}\n" for it in answers),
        "data/" + DEVELOPMENT: json.dumps(development) + "\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = text.encode()
        path.write_bytes(lzma.compress(content) if path.suffix == ".xz" else content)
    folders = [str(tmp_path / name) for name in ("pages", "answers", "out")]
    monkeypatch.setattr("sys.argv", ["squad_translated.py", *folders, "--data", f"{tmp_path}/data"])
    return folders


def written(folder: str) -> list[dict[str, Any]]:
    with lzma.open(Path(folder) / NAME, "rt", encoding="utf8") as lines:
        return [json.loads(line) for line in lines]


def test_rows_are_in_article_order_and_quote_their_paragraph(arguments, capsys) -> None:
    main()
    rows = written(arguments[2])
    kept = [at for at in range(2, len(COUNTS)) if at != 3]
    assert [row["title"] for row in rows] == [f"squad2-train-article-{at:03d}" for at in kept]
    for row, at in zip(rows, kept, strict=True):
        questions, answered = COUNTS[at]
        labels = [each["answerable"] for each in row["qas"]]
        assert labels == [True] * answered + [False] * (questions - answered)
        for each in row["qas"]:
            assert all(row["context"].startswith(text, start) for text, start in each["answers"])
            assert bool(each["answers"]) == each["answerable"]
    assert capsys.readouterr().out == "7 paragraphs 13 answerable 14 unanswerable\n"


def test_a_second_run_writes_the_same(arguments) -> None:
    main()
    before = written(arguments[2])
    main()
    assert written(arguments[2]) == before


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("pages", "pages: 0 of 10 articles"),
        ("pages/" + PAGES.replace("*", "000 fi "), "pages: 6 of 10 articles"),
        ("answers", ANSWERS.format("text")),
        ("answers/" + ANSWERS.format("span"), ANSWERS.format("span")),
        ("data/" + DEVELOPMENT, DEVELOPMENT),
    ],
)
def test_what_is_missing_is_named(arguments, tmp_path, missing, named) -> None:
    path = tmp_path / missing
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises(SystemExit, match=re.escape(named)) as caught:
        main()
    assert "\n" not in str(caught.value)


def test_each_answer_needs_a_place(arguments, tmp_path) -> None:
    path = tmp_path / "answers" / ANSWERS.format("span")
    path.write_text(path.read_text(encoding="utf8") + "1 2\n", encoding="utf8")
    with pytest.raises(SystemExit, match="23 answers, but 24 places"):
        read_answers(tmp_path / "answers")
