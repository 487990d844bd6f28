"""Dates as people write them."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.moments import parse_as_of, parse_since

NOW = datetime(2025, 3, 12, 9, 30, tzinfo=UTC)


def test_bare_date_includes_its_whole_day():
    assert parse_as_of("2025-03-10") == datetime(2025, 3, 10, 23, 59, 59, 999999, tzinfo=UTC)
    assert parse_since("2025-03-10", now=NOW) == datetime(2025, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-03-10T12:00Z", datetime(2025, 3, 10, 12, tzinfo=UTC)),
        ("2025-03-10T12:00+02:00", datetime(2025, 3, 10, 10, tzinfo=UTC)),
        ("2025-03-10T12:00", datetime(2025, 3, 10, 12, tzinfo=UTC)),
    ],
)
def test_moments_are_utc(text, moment):
    assert parse_as_of(text) == moment
    assert parse_since(text, now=NOW) == moment


@pytest.mark.parametrize(
    ("span", "length"),
    [("90s", timedelta(seconds=90)), ("36h", timedelta(hours=36)), ("2w", timedelta(weeks=2))],
)
def test_spans_reach_back_from_now(span, length):
    assert parse_since(span, now=NOW) == NOW - length


@given(st.text(max_size=20) | st.sampled_from(["0001-01-01T00:00+05:00", "999999w"]))
def test_any_text_is_a_moment_or_a_usage_error(text):
    for parse in (parse_as_of, lambda given_text: parse_since(given_text, now=NOW)):
        with contextlib.suppress(ConfigError):
            assert parse(text).tzinfo is not None
