"""`tidings ask` with a writer: a phrase is shown only beside the reply that stands without it."""

import shutil
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

import pytest
from fastapi.testclient import TestClient

from agent import render
from agent.app import new_collector, open_service
from agent.demo import DemoNewsroom
from agent.judgement import load_judgement
from agent.serve import create_api
from agent.service import Service
from agent.settings import load_settings
from kb import KnowledgeBase
from tests.e2e.conftest import quick_settings
from tests.e2e.test_bad_input import one_line
from tests.model.writer_checkpoints import save_writer

KNOWN = "How many vehicles cross the Kestrel Bridge every day?"
UNKNOWN = "Who designed the lighthouse of Calderhaven?"
GOOD = "The Kestrel Bridge is the busiest crossing of the Alder River: about 41,000 vehicles a day [1]."


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store that knows the first day's news."""
    folder = tmp_path_factory.mktemp("phrased") / "home"
    with DemoNewsroom() as room:
        room.day = 1
        settings = load_settings(quick_settings(room.port))
        with open_service(settings, folder) as service:
            feed = f"feeds:\n  - title: Courier\n    url: {room.url}{room.feed_paths[0]}\n"
            service.call("ingest", {"feeds": "feeds.yaml", "feeds_text": feed})
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_writer(tmp_path_factory.mktemp("writer") / "checkpoint")


@contextmanager
def service_with(home, write):
    """The commands of a home, with a function for a writer."""
    settings = load_settings({})
    judgement = replace(load_judgement(settings), write=write)
    kb = KnowledgeBase.open(
        home, judgement.encoder, judgement.answerability, rereader=judgement.rereader
    )
    with new_collector(settings, Event()) as collector:
        yield Service(kb, judgement, settings, home=home, collector=collector)
    kb.close()


def test_without_the_setting_the_reply_has_no_new_key(tidings, home):
    reply = tidings("ask", KNOWN, "--json", home=home).json
    assert reply["known"]
    assert "phrased" not in reply


def test_a_good_sentence_is_shown_beside_the_reply_as_it_was(tidings, home, capfd):
    plain = tidings("ask", KNOWN, "--json", home=home).json
    prompts = []

    def write(prompt):
        prompts.append(prompt)
        return f" {GOOD}"

    with service_with(home, write) as service:
        reply = service.call("ask", {"question": KNOWN})
        unknown = service.call("ask", {"question": UNKNOWN})
        ranked = service.call("ask", {"question": KNOWN, "choices": ["41,000", "12"]})
    assert reply == plain | {"phrased": GOOD}
    assert (unknown["known"], unknown["phrased"]) == (False, None)
    assert (ranked["phrased"], len(ranked["choices"])) == (GOOD, 2)
    assert len(prompts) == 2
    assert reply["facts"][0]["quote"] in prompts[0]
    shown = shown_lines(reply, capfd)
    assert shown.pop(1) == GOOD
    assert shown == shown_lines(plain, capfd)


@pytest.mark.parametrize("word", ["not", "Oslo", "42,000"])
def test_a_sentence_that_says_more_is_dropped(home, word):
    with service_with(home, lambda prompt: GOOD.replace("about", f"{word} about")) as service:
        assert service.call("ask", {"question": KNOWN})["phrased"] is None


def shown_lines(reply, capfd):
    capfd.readouterr()
    render.show_answer(render.stdout_console(), reply)
    return capfd.readouterr().out.splitlines()


def test_nonsense_of_a_checkpoint_is_dropped_and_the_reply_stays(tidings, home, checkpoint):
    plain = tidings("ask", KNOWN, "--json", home=home).json
    env = {"TIDINGS_MODEL__WRITER": str(checkpoint), "TIDINGS_LOG__LEVEL": "DEBUG"}
    outcome = tidings("ask", KNOWN, "--json", home=home, env=env)
    assert outcome.json == plain | {"phrased": None}
    assert "phrase refused" in outcome.err


@pytest.mark.parametrize("name", ["none", "file"])
def test_a_path_that_is_no_folder_ends_the_start(tidings, home, tmp_path, name):
    (tmp_path / "file").write_text("x")
    path = tmp_path / name
    outcome = tidings("doctor", home=home, env={"TIDINGS_MODEL__WRITER": str(path)})
    assert outcome.code == 2
    assert one_line(outcome) == f"tidings: TIDINGS_MODEL__WRITER: {path} is not a folder"


def test_a_folder_without_a_tokenizer_is_named_by_the_daemon_too(
    tidings, home, checkpoint, tmp_path
):
    broken = shutil.copytree(checkpoint, tmp_path / "broken")
    (broken / "tokenizer.json").unlink()
    line = f"TIDINGS_MODEL__WRITER: {broken / 'tokenizer.json'} is missing"
    env = {"TIDINGS_MODEL__WRITER": str(broken)}
    alone = tidings("ask", KNOWN, home=home, env=env)
    assert (alone.code, one_line(alone)) == (2, f"tidings: {line}")
    with open_service(load_settings(env), home) as service:
        client = TestClient(create_api(service, token="t", is_draining=lambda: False))
        client.headers["authorization"] = "Bearer t"
        served = client.post("/v1/ask", json={"question": KNOWN})
        assert (served.status_code, served.json()) == (400, {"error": line, "exit_code": 2})
        unknown = client.post("/v1/ask", json={"question": UNKNOWN})
        assert unknown.json()["result"]["phrased"] is None
