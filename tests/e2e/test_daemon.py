"""The daemon owns the home; other commands go through it; signals are obeyed."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import quick_settings


def wait_for(path: Path, process: subprocess.Popen) -> None:
    """Until the daemon has said where it listens; fails when it ends first or a minute passes."""
    for _ in range(600):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    pytest.fail("the daemon did not come up within a minute")


@pytest.fixture
def daemon(spawn, demo_room, tmp_path):
    feeds = tmp_path / "feeds.yaml"
    feeds.write_text(
        f"feeds:\n  - title: Solo\n    url: {demo_room.url}{demo_room.feed_paths[0]}\n",
        encoding="utf-8",
    )
    process = spawn("run", "--feeds", str(feeds), env=quick_settings(demo_room.port))
    wait_for(tmp_path / "home" / "daemon.json", process)
    return process


def test_ingest_and_ask_work_while_the_daemon_runs(daemon, tidings, demo_room):
    counts = tidings("ingest", "--feeds", f"{demo_room.url}/feeds.yaml", "--json").json
    assert counts["feeds_failed"] == 0
    assert tidings("doctor", "--json").json["counts"]["facts"] > 0
    assert tidings("search", "bridge", "--json").json
    assert tidings("ask", "Who painted the ceiling?", "--json").code == 0
    assert tidings("why", "no-such-fact").code == 2
    [found] = tidings("search", "bridge", "--limit", "1", "--json").json
    assert tidings("forget", found["article"]["id"], "--yes", "--json").json["facts"] > 0
    assert tidings("forget", found["article"]["id"], "--yes").code == 2
    assert daemon.poll() is None


def test_sigterm_drains_and_frees_the_home(daemon, tidings, tmp_path):
    daemon.send_signal(signal.SIGTERM)
    started = time.monotonic()
    assert daemon.wait(timeout=20) == 0
    assert time.monotonic() - started < 10
    assert not (tmp_path / "home" / "daemon.json").exists()
    assert tidings("verify", "--json").json["unsupported"] == 0


def test_sighup_reads_the_list_of_feeds_again(daemon, tidings, demo_room, tmp_path):
    feeds = tmp_path / "feeds.yaml"
    more = f"  - title: Duo\n    url: {demo_room.url}{demo_room.feed_paths[1]}\n"
    feeds.write_text(feeds.read_text(encoding="utf-8") + more, encoding="utf-8")
    daemon.send_signal(signal.SIGHUP)
    for _ in range(100):
        titles = [feed["title"] for feed in tidings("feeds", "--json").json["feeds"]]
        if titles == ["Solo", "Duo"]:
            return
        time.sleep(0.1)
    pytest.fail(f"feeds were not read again: {titles}")


def test_second_daemon_is_told_that_the_home_is_held(daemon, spawn, demo_room):
    second = spawn("run", env=quick_settings(demo_room.port) | {"TIDINGS_KB__LOCK_WAIT_S": "0"})
    _, err = second.communicate(timeout=60)
    assert second.returncode == 4, err
    assert "held" in err or "another" in err


def test_killed_daemon_leaves_a_usable_home(daemon, tidings, tmp_path):
    daemon.kill()
    daemon.wait(timeout=20)
    address = json.loads((tmp_path / "home" / "daemon.json").read_text(encoding="utf-8"))
    assert address["pid"] != os.getpid()
    assert tidings("verify", "--json").json["unsupported"] == 0


def test_only_the_owner_can_read_the_token(daemon, tmp_path):
    mode = (tmp_path / "home" / "daemon.json").stat().st_mode
    assert mode & 0o077 == 0
