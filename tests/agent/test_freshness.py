"""When to ask again: headers of all kinds, and the bounds that no feed and no server can break."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.freshness import (
    MAX_FRESHNESS_S,
    MAX_RETRY_AFTER,
    CheckPolicy,
    entries_per_week,
    freshness_s,
    next_check_at,
    retry_after,
)
from kb.values import Feed, FeedState, FeedStatus

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = 3600.0, 86_400.0
PLAIN = CheckPolicy(spread=0.0)


def http(moment):
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("7.5", 7.5),
        ("99999999999999999999", DAY),
        ("9" * 400, DAY),
        (http(NOW + timedelta(seconds=90)), 90),
        (http(NOW - timedelta(days=2)), 0),
        (http(NOW + timedelta(days=400)), DAY),
        ("Sunday, 01-Mar-26 12:01:00 GMT", 60),
        ("Sun Mar  1 12:01:00 2026", 60),
        ("Sun, 01 Mar 2026 13:01:00 +0100", 60),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Thu, 32 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms(text, seconds):
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert retry_after({"retry-after": text}, NOW) == expected


def test_retry_after_absent_is_none():
    assert retry_after({}, NOW) is None


def test_a_date_counts_from_the_servers_own_clock():
    theirs = NOW + timedelta(days=3)
    headers = {"retry-after": http(theirs + timedelta(seconds=90)), "date": http(theirs)}
    assert retry_after(headers, NOW) == NOW + timedelta(seconds=90)


@given(st.text(), st.text())
def test_any_retry_after_is_bounded_and_never_past(text, date):
    moment = retry_after({"retry-after": text, "date": date}, NOW)
    assert moment is None or NOW <= moment <= NOW + MAX_RETRY_AFTER


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"cache-control": "public"}, None),
        ({"cache-control": "max-age=300"}, 300),
        ({"cache-control": 'public, Max-Age="600", must-revalidate'}, 600),
        ({"cache-control": "max-age=300, max-age=900"}, 300),
        ({"cache-control": "s-maxage=900"}, None),
        ({"cache-control": "max-age=300", "age": "100"}, 200),
        ({"cache-control": "max-age=300", "age": "1000"}, 0),
        ({"cache-control": "max-age=300", "age": "old"}, 300),
        ({"cache-control": "no-cache, max-age=300"}, 0),
        ({"cache-control": "no-store"}, 0),
        ({"cache-control": "max-age=" + "9" * 400}, MAX_FRESHNESS_S),
        ({"cache-control": "max-age=-1"}, None),
        ({"cache-control": "max-age=60", "expires": http(NOW + timedelta(hours=9))}, 60),
        ({"expires": http(NOW + timedelta(hours=1))}, HOUR),
        ({"expires": http(NOW - timedelta(hours=1))}, 0),
        ({"expires": "0"}, 0),
        ({"expires": http(NOW), "date": http(NOW - timedelta(minutes=5))}, 300),
    ],
)
def test_freshness_is_read_as_caches_read_it(headers, seconds):
    assert freshness_s(headers, NOW) == seconds


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["cache-control", "age", "expires", "date"], st.text())
    )
)
def test_any_headers_give_a_bounded_freshness(headers):
    seconds = freshness_s(headers, NOW)
    assert seconds is None or 0 <= seconds <= MAX_FRESHNESS_S


# ------------------------------------------------------------------------------------- posting rate
def ago(*hours):
    return [NOW - timedelta(hours=h) for h in hours]


@pytest.mark.parametrize(
    ("published", "rate"),
    [
        ([], None),
        ([None, None], None),
        (ago(1, 2, 300), 2),
        (ago(300, 400), 0),
        (ago(1, 2, 3, 12), 4 * 14),
        ([*ago(300, 1), None, NOW + timedelta(days=9)], 1),
        ([NOW], 168),
    ],
)
def test_the_posting_rate_counts_the_span_that_the_feed_shows(published, rate):
    assert entries_per_week(published, NOW) == rate


# ----------------------------------------------------------------------------------- the next check
def state(*, interval_s=3600, errors=0, quiet_s=None, url="http://a.example/feed"):
    return FeedState(
        feed=Feed(url=url, title="A", interval_s=interval_s),
        current_url=url,
        status=FeedStatus.OK,
        etag=None,
        last_modified=None,
        body_hash=None,
        next_check_at=None,
        hold_until=None,
        last_checked_at=None,
        last_success_at=None,
        last_entry_at=None if quiet_s is None else NOW - timedelta(seconds=quiet_s),
        error_count=errors,
        last_error=None,
        entry_count=0,
    )


def wait_s(feed_state, policy=PLAIN, **said):
    return (next_check_at(policy, feed_state, now=NOW, **said) - NOW).total_seconds()


@pytest.mark.parametrize(
    ("feed_state", "said", "expected_s"),
    [
        (state(), {}, HOUR),
        (state(interval_s=10), {}, 300),
        (state(interval_s=3 * 86_400), {}, 3 * DAY),
        (state(), {"server_s": 60}, HOUR),
        (state(), {"server_s": 2 * HOUR}, 2 * HOUR),
        (state(), {"server_s": MAX_FRESHNESS_S}, DAY),
        (state(), {"weekly_entries": 1000}, HOUR),
        (state(), {"weekly_entries": 28}, 6 * HOUR),
        (state(), {"weekly_entries": 1}, DAY),
        (state(), {"weekly_entries": 0}, DAY),
        (state(quiet_s=600), {}, HOUR),
        (state(quiet_s=DAY), {}, 6 * HOUR),
        (state(quiet_s=60 * DAY), {}, DAY),
        (state(quiet_s=DAY), {"weekly_entries": 84}, 2 * HOUR),
        (state(quiet_s=-DAY), {}, HOUR),
        (state(errors=1), {}, HOUR),
        (state(errors=2), {}, 2 * HOUR),
        (state(errors=4), {}, 8 * HOUR),
        (state(errors=10**6), {}, DAY),
        (state(), {"hold_until": NOW + timedelta(hours=3)}, 3 * HOUR),
        (state(), {"hold_until": NOW - timedelta(hours=3)}, HOUR),
        (state(errors=3), {"hold_until": NOW + timedelta(hours=3)}, 4 * HOUR),
    ],
)
def test_the_longest_wait_that_anything_asks_for_counts(feed_state, said, expected_s):
    assert wait_s(feed_state, **said) == expected_s


SAID = st.fixed_dictionaries(
    {},
    optional={
        "server_s": st.floats(0, 1e9),
        "weekly_entries": st.floats(0, 1e6),
        "hold_until": st.datetimes(datetime(2026, 2, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001 - made aware
            lambda moment: moment.replace(tzinfo=UTC)
        ),
    },
)


@given(st.integers(60, 10**6), st.integers(0, 2000), st.none() | st.floats(0, 1e8), SAID)
def test_no_history_and_no_server_breaks_the_bounds(interval_s, errors, quiet_s, said):
    policy = CheckPolicy()
    feed_state = state(interval_s=interval_s, errors=errors, quiet_s=quiet_s)
    waited_s = wait_s(feed_state, policy, **said)
    longest_s = max(policy.max_interval_s, interval_s) * (1 + policy.spread)
    assert max(interval_s, policy.min_interval_s) <= waited_s <= longest_s + 1e-3
    if "hold_until" in said:
        asked_s = min((said["hold_until"] - NOW).total_seconds(), DAY)
        assert waited_s >= asked_s - 1e-3


@given(st.integers(0, 1000))
def test_more_failures_never_mean_an_earlier_retry(errors):
    assert wait_s(state(errors=errors)) <= wait_s(state(errors=errors + 1))


@pytest.mark.parametrize("errors", [0, 1, 50])
def test_feeds_of_one_failing_host_never_meet_at_one_instant(errors):
    moments = {
        next_check_at(CheckPolicy(), state(errors=errors, url=f"http://a.example/feed{i}"), now=NOW)
        for i in range(200)
    }
    assert len(moments) == 200
    spread_s = (max(moments) - min(moments)).total_seconds()
    assert spread_s > 0.05 * wait_s(state(errors=errors))
