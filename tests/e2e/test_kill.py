"""SIGKILL at any moment of an ingest, then run to the end: the same facts, ids and decisions."""

import random
import subprocess

import pytest

from tests.e2e.conftest import quick_settings

SEED = 20
KILLS = 4


def export(tidings, home):
    return tidings("export", "--decisions", home=home).out


def kill_and_finish(spawn, tidings, room, home, *, kills, longest_s):
    """Start an ingest and kill it, `kills` times at random moments, then let one run to its end."""
    chance = random.Random(SEED)
    command = ("ingest", "--feeds", f"{room.url}/feeds.yaml")
    killed = 0
    for _ in range(kills):
        process = spawn(*command, env=quick_settings(room.port), home=home)
        # The first is killed for sure, even where the machine has become twice as fast since.
        patience_s = chance.uniform(0.5, longest_s if killed else longest_s / 2)
        try:
            process.wait(timeout=patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    last = tidings(*command, env=quick_settings(room.port), home=home)
    assert last.code == 0, last.err
    return killed


def check(spawn, tidings, room, tmp_path, *, kills):
    room.day = 3
    undisturbed = tmp_path / "undisturbed"
    command = ("ingest", "--feeds", f"{room.url}/feeds.yaml", "--json")
    reference = spawn(*command, env=quick_settings(room.port), home=undisturbed)
    reference.communicate(timeout=120)
    assert reference.returncode == 0
    disturbed = tmp_path / "disturbed"
    longest_s = tidings_seconds(spawn, room, tmp_path)
    assert kill_and_finish(spawn, tidings, room, disturbed, kills=kills, longest_s=longest_s)
    assert export(tidings, disturbed) == export(tidings, undisturbed)
    verified = tidings("verify", "--json", home=disturbed).json
    assert verified["unsupported"] == verified["index_missing"] == verified["index_extra"] == 0


def tidings_seconds(spawn, room, tmp_path):
    """How long a whole ingest takes here, from an empty home, start of the process included."""
    import time

    started = time.monotonic()
    process = spawn(
        "ingest",
        "--feeds",
        f"{room.url}/feeds.yaml",
        env=quick_settings(room.port),
        home=tmp_path / "timed",
    )
    process.communicate(timeout=120)
    return time.monotonic() - started


def test_killed_ingest_ends_where_an_undisturbed_one_does(spawn, tidings, demo_room, tmp_path):
    check(spawn, tidings, demo_room, tmp_path, kills=KILLS)


@pytest.mark.slow
def test_twenty_kills_change_nothing(spawn, tidings, demo_room, tmp_path):
    check(spawn, tidings, demo_room, tmp_path, kills=20)
