"""Turns at a host: gaps, caps, holds and stopping, on a clock that the test owns."""

import random
import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import politeness
from agent.errors import FetchError, RateLimited, Refused
from agent.politeness import HostTurns, Pace, RobotsCache

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "http://a.example/"


class Time(threading.Event):
    """Both clocks and the stop signal: waiting on it takes no time and lets that much time pass."""

    def __init__(self):
        super().__init__()
        self.passed_s = 0.0

    def wait(self, timeout=None):
        if not self.is_set():
            self.passed_s += timeout or 0.0
        return self.is_set()

    def monotonic(self):
        return self.passed_s

    def clock(self):
        return START + timedelta(seconds=self.passed_s)


@pytest.fixture
def time():
    return Time()


def turns(time, *, gap_s=1.0, gap_jitter=0.0, max_per_host=2, patience_s=2.0):
    return HostTurns(
        Pace(gap_s, gap_jitter, max_per_host, patience_s),
        clock=time.clock,
        random=random.Random(0),
        stop=time,
        monotonic=time.monotonic,
    )


def starts(time, hosts, names):
    """Take turns at these hosts, one after the other; return when each began."""
    begun = []
    for name in names:
        with hosts.turn(name, url=URL):
            begun.append(round(time.passed_s, 6))
    return begun


def test_a_host_is_asked_with_a_gap_and_others_at_once(time):
    assert starts(time, turns(time), "aababa") == [0, 1, 1, 2, 2, 3]


def test_no_gap_means_no_wait(time):
    assert starts(time, turns(time, gap_s=0.0), "aaa") == [0, 0, 0]


def test_time_spent_elsewhere_counts_towards_the_gap(time):
    hosts = turns(time)
    starts(time, hosts, "a")
    time.passed_s += 10
    assert starts(time, hosts, "aa") == [10, 11]


@given(st.floats(0, 2), st.integers(2, 20))
def test_jitter_lengthens_gaps_and_never_shortens_them(jitter, count):
    time = Time()
    begun = starts(time, turns(time, gap_jitter=jitter), "a" * count)
    gaps = [later - earlier for earlier, later in pairwise(begun)]
    assert all(0.999 < gap < 1.001 + jitter for gap in gaps)
    if jitter > 0.1 and count > 3:
        assert len(set(gaps)) > 1


def test_a_slower_pace_is_kept_and_a_faster_one_is_not(time):
    hosts = turns(time)
    assert starts(time, hosts, "a") == [0]
    hosts.slow_down("a", 5.0)
    hosts.slow_down("a", 0.1)
    assert starts(time, hosts, "aab") == [5, 10, 10]


def test_the_place_is_given_back_when_the_request_fails(time):
    hosts = turns(time, max_per_host=1)
    for _ in range(3):
        with pytest.raises(FetchError), hosts.turn("a", url=URL):
            raise FetchError(URL, "failed")
    assert len(starts(time, hosts, "aa")) == 2


def test_no_more_than_the_cap_are_under_way_at_once(time):
    hosts = turns(time, gap_s=0.0, max_per_host=2)
    inside, most, lock = 0, 0, threading.Lock()

    def ask():
        nonlocal inside, most
        for _ in range(20):
            with hosts.turn("a", url=URL):
                with lock:
                    inside += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 2
    assert inside == 0


def test_a_full_host_lets_the_next_in_when_one_leaves(time):
    hosts = turns(time, max_per_host=1)
    entered = threading.Event()

    def ask():
        with hosts.turn("a", url=URL):
            entered.set()

    thread = threading.Thread(target=ask)
    with hosts.turn("a", url=URL):
        thread.start()
        assert not entered.wait(0.05)
        with hosts.turn("b", url=URL):
            pass
    assert entered.wait(5)
    thread.join()


# -------------------------------------------------------------------------------------------- holds
def test_a_held_host_is_refused_at_once_and_others_are_not(time):
    hosts = turns(time)
    hosts.hold("a", START + timedelta(seconds=60), status=503)
    with pytest.raises(RateLimited) as caught, hosts.turn("a", url=URL):
        pass
    assert (caught.value.status, caught.value.retry_at) == (503, START + timedelta(seconds=60))
    assert time.passed_s == 0
    assert starts(time, hosts, "b") == [0]


def test_a_hold_ends(time):
    hosts = turns(time)
    hosts.hold("a", START + timedelta(seconds=60), status=429)
    time.passed_s = 60
    assert starts(time, hosts, "a") == [60]


def test_a_short_hold_is_waited_for_and_the_gap_kept_after_it(time):
    hosts = turns(time)
    hosts.hold("a", START + timedelta(seconds=1.5), status=429)
    assert starts(time, hosts, "aa") == [1.5, 2.5]


def test_a_longer_hold_outlives_a_shorter_one(time):
    hosts = turns(time)
    hosts.hold("a", START + timedelta(seconds=60), status=429)
    hosts.hold("a", START + timedelta(seconds=5), status=429)
    time.passed_s = 10
    with pytest.raises(RateLimited), hosts.turn("a", url=URL):
        pass


def test_a_hold_that_comes_while_we_wait_is_kept(time):
    hosts = turns(time)
    with hosts.turn("a", url=URL):
        pass
    plain_wait = time.wait

    def wait(timeout=None):
        hosts.hold("a", START + timedelta(seconds=60), status=429)
        return plain_wait(timeout)

    time.wait = wait
    with pytest.raises(RateLimited), hosts.turn("a", url=URL):
        pass


def test_a_clock_set_back_does_not_hold_a_host_for_days(time):
    hosts = turns(time)
    hosts.hold("a", START + timedelta(hours=1), status=429)
    time.clock = lambda: START - timedelta(days=30)
    late = turns(time)
    late._hosts = hosts._hosts
    with late.turn("a", url=URL):
        pass


# ----------------------------------------------------------------------------------------- stopping
def test_a_stopped_program_takes_no_turn(time):
    time.set()
    with pytest.raises(Refused) as caught, turns(time).turn("a", url=URL):
        pass
    assert caught.value.reason == "stopping"


def test_stopping_ends_the_wait_for_a_full_host(time):
    hosts = turns(time, max_per_host=1)
    refused = []

    def ask():
        try:
            with hosts.turn("a", url=URL):
                pass
        except Refused as error:
            refused.append(error.reason)

    thread = threading.Thread(target=ask)
    with hosts.turn("a", url=URL):
        thread.start()
        time.set()
        thread.join(5)
    assert refused == ["stopping"]


# ------------------------------------------------------------------------------------------- memory
def test_idle_hosts_are_forgotten_and_held_ones_are_not(time, monkeypatch):
    monkeypatch.setattr(politeness, "MAX_HOSTS", 10)
    hosts = turns(time)
    hosts.hold("held", START + timedelta(hours=1), status=429)
    for i in range(100):
        starts(time, hosts, [f"host{i}"])
        time.passed_s += 2
    assert len(hosts._hosts) <= 11
    with pytest.raises(RateLimited), hosts.turn("held", url=URL):
        pass


def test_the_oldest_rules_are_forgotten(monkeypatch):
    monkeypatch.setattr(politeness, "MAX_HOSTS", 3)
    cache, loaded = RobotsCache(), []

    def rules_for(site):
        def load():
            loaded.append(site)
            return b""

        return cache.rules_for(site, now=START, load=load)

    for site in "abcdda":
        assert rules_for(site)
    assert loaded == ["a", "b", "c", "d", "a"]


def test_what_loading_raises_is_passed_on_and_not_remembered():
    cache = RobotsCache()

    def fail():
        raise Refused(URL, "stopping")

    with pytest.raises(Refused):
        cache.rules_for("a", now=START, load=fail)
    assert cache.rules_for("a", now=START, load=lambda: b"")
