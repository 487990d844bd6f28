"""When two answers are one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb import AnswerKind
from kb.agreement import Agreement, Said, compare, find_answer, same_answer
from kb.quantities import is_different, is_same, quantities

HOW_MANY, WHO, WHERE, WHEN, WHAT = (
    AnswerKind.HOW_MANY,
    AnswerKind.WHO,
    AnswerKind.WHERE,
    AnswerKind.WHEN,
    AnswerKind.WHAT,
)
WEDNESDAY = datetime(2024, 3, 6, 9, tzinfo=UTC)

_SPOKEN = (
    "twelve people|a dozen people|$1.2bn|1.2 billion dollars|about 40|5%|Joe Biden|President Biden|J. Biden"
    "|the U.N.|United Nations|Monday|last Monday|March 3|3 March 2024|in 2019|two days ago|may|\x00|||"
)
spoken = st.one_of(st.text(max_size=40), st.sampled_from(_SPOKEN.split("|")))
moments = st.one_of(
    st.none(), st.timedeltas(timedelta(-9999), timedelta(9999)).map(lambda gap: WEDNESDAY + gap)
)
said = st.builds(Said, spoken, moments)
kinds = st.sampled_from(AnswerKind)


@given(said, kinds)
def test_every_answer_agrees_with_itself(a, kind):
    assert same_answer(a, a, kind)


@given(said, said, kinds)
def test_order_does_not_matter(a, b, kind):
    assert compare(a, b, kind) is compare(b, a, kind)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_numbers_are_never_both_same_and_different(a, b):
    [x], [y] = quantities(f"{a} people"), quantities(f"{b} people")
    assert not (is_same(x, y) and is_different(x, y))
    assert is_same(x, x)


@given(st.integers(1, 999_999))
def test_thousands_separators_and_leading_words_change_nothing(number):
    plain, grouped = Said(str(number)), Said(f"{number:,}")
    assert same_answer(plain, grouped, HOW_MANY)
    assert same_answer(Said(f"${number}"), Said(f"{number} dollars"), HOW_MANY)


_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_UNITS += " seventeen eighteen nineteen"
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety"


def spell(number: int) -> str:
    if number < 20:
        return _UNITS.split()[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return _TENS.split()[tens] + (f"-{spell(rest)}" if rest else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{spell(hundreds)} hundred" + (f" and {spell(rest)}" if rest else "")
    thousands, rest = divmod(number, 1000)
    return f"{spell(thousands)} thousand" + (f" {spell(rest)}" if rest else "")


@given(st.integers(0, 999_999))
def test_spelled_numbers_are_their_digits(number):
    [quantity] = quantities(spell(number))
    assert quantity.value == number
    assert same_answer(Said(spell(number)), Said(str(number)), HOW_MANY)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("$1.2bn", "1.2 billion dollars"),
        ("12", "twelve"),
        ("twelve people", "a dozen people"),
        ("1,200", "1200"),
        ("5%", "5 per cent"),
        ("5 percent", "five percent"),
        ("half a million", "500,000"),
        ("$1.23 billion", "$1.2 billion"),
        ("nearly 1,200", "1,187"),
        ("about 100", "99"),
        ("£20m", "20 million pounds"),
        ("US$3 million", "$3m"),
    ],
)
def test_same_amounts(a, b):
    assert compare(Said(a), Said(b), HOW_MANY) is Agreement.SAME


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("12", "13"),
        ("$1.2bn", "$1.3bn"),
        ("5%", "6%"),
        ("about 100", "200"),
        ("one hundred", "1,000"),
        ("2 million", "3 million"),
    ],
)
def test_different_amounts(a, b):
    assert compare(Said(a), Said(b), HOW_MANY) is Agreement.DIFFERENT


@pytest.mark.parametrize(
    ("a", "b"), [("5%", "5 dollars"), ("$5", "£5"), ("2 million", "1.6 million"), ("many", "12")]
)
def test_amounts_that_cannot_be_compared(a, b):
    assert compare(Said(a), Said(b), HOW_MANY) is Agreement.UNSURE


@pytest.mark.parametrize("text", ["the 1990s", "12:30", "1/2", "Covid-19", "3rd place", "F-35"])
def test_no_amount_is_read_where_none_is(text):
    assert quantities(text) == ()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Joe Biden", "President Biden"),
        ("Emmanuel Macron", "Macron's"),
        ("Dr. Ana Costa", "Ana Costa"),
        ("J. Costa", "Joana Costa"),
        ("U.S.", "the United States"),
        ("WHO", "World Health Organization"),
        ("Apple Inc.", "Apple"),
        ("São Paulo", "Sao Paulo"),
        ("the White House", "White House"),
    ],
)
def test_same_names(a, b):
    assert compare(Said(a), Said(b), WHO) is Agreement.SAME


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("John Smith", "Jane Smith", Agreement.UNSURE),
        ("Ana Costa", "Rui Lopes", Agreement.DIFFERENT),
        ("North Korea", "South Korea", Agreement.UNSURE),
        ("Paris", "London", Agreement.DIFFERENT),
    ],
)
def test_other_names(a, b, expected):
    assert compare(Said(a), Said(b), WHERE) is expected


@pytest.mark.parametrize(
    ("a", "b", "days_later", "expected"),
    [
        ("Monday", "March 4", 0, Agreement.SAME),
        ("Monday", "two days ago", 0, Agreement.SAME),
        ("yesterday", "Tuesday", 0, Agreement.SAME),
        ("yesterday", "today", 0, Agreement.DIFFERENT),
        ("yesterday", "two days ago", 1, Agreement.SAME),
        ("March", "March 3, 2024", 0, Agreement.SAME),
        ("last week", "February 28", 0, Agreement.SAME),
        ("2023", "2024", 0, Agreement.DIFFERENT),
        ("March 3", "April 3", 0, Agreement.DIFFERENT),
        ("Friday", "Saturday", 0, Agreement.DIFFERENT),
        ("soon", "Monday", 0, Agreement.UNSURE),
    ],
)
def test_dates_are_read_from_the_day_of_publication(a, b, days_later, expected):
    later = WEDNESDAY + timedelta(days=days_later)
    assert compare(Said(a, WEDNESDAY), Said(b, later), WHEN) is expected


def test_yesterday_is_another_day_a_week_later():
    a = Said("yesterday", WEDNESDAY)
    b = Said("yesterday", WEDNESDAY + timedelta(days=7))
    assert compare(a, b, WHEN) is Agreement.DIFFERENT


@given(st.text(max_size=80), moments, spoken, kinds)
def test_a_found_answer_stands_in_the_quote(quote, moment, answer, kind):
    span = find_answer(Said(answer, moment), Said(quote, moment), kind)
    assert span is None or (0 <= span[0] < span[1] <= len(quote))


@pytest.mark.parametrize(
    ("answer", "quote", "kind", "expected"),
    [
        ("12", "A dozen people were killed.", HOW_MANY, "A dozen"),
        ("Ana Costa", "Mayor Costa spoke first.", WHO, "Mayor Costa"),
        ("Monday", "It began on March 4.", WHEN, "March 4"),
        ("the bridge", "They opened the bridge.", WHAT, "the bridge"),
        ("12", "Thirteen people were killed.", HOW_MANY, None),
        ("Ana Costa", "Rui Lopes spoke first.", WHO, None),
        ("Iran", "The Iranian team won.", WHERE, None),
    ],
)
def test_answers_are_found_in_other_spellings(answer, quote, kind, expected):
    span = find_answer(Said(answer, WEDNESDAY), Said(quote, WEDNESDAY), kind)
    assert (None if span is None else quote[slice(*span)]) == expected
