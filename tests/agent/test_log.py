import io
import json
import logging

import pytest

from agent.log import configure_logging, log_context
from agent.settings import LogSettings

logger = logging.getLogger("agent.somewhere")


@pytest.fixture(autouse=True)
def logging_as_it_was():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in ("httpx", "trafilatura", "chromadb")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)


def logged(*, style="text", level="INFO"):
    stream = io.StringIO()
    configure_logging(LogSettings(format=style, level=level), stream=stream)
    return stream


def test_event_and_fields_are_one_readable_line():
    stream = logged()
    logger.info("article stored", extra={"article_id": "a1", "facts": 3, "title": 'A "B" = c'})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(
        'INFO agent.somewhere article stored article_id=a1 facts=3 title="A \\"B\\" = c"'
    )


def test_json_lines_hold_the_same_fields():
    stream = logged(style="json")
    logger.warning("feed failed", extra={"reason": "HTTP 500"})
    entry = json.loads(stream.getvalue())
    assert entry.pop("at")
    assert entry == {
        "level": "WARNING",
        "logger": "agent.somewhere",
        "event": "feed failed",
        "reason": "HTTP 500",
    }


def test_context_reaches_every_record_of_its_block():
    stream = logged(style="json")
    with log_context(run_id="r1"):
        with log_context(feed_url="http://a.invalid/feed"):
            logger.info("inner")
        logger.info("outer")
    logger.info("after")
    entries = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(it.get("run_id"), it.get("feed_url")) for it in entries] == [
        ("r1", "http://a.invalid/feed"),
        ("r1", None),
        (None, None),
    ]


def test_configuring_twice_logs_once_to_the_later_stream():
    first = logged()
    second = logged()
    logger.info("here")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


def test_level_is_obeyed():
    stream = logged(level="WARNING")
    logger.info("quiet")
    assert stream.getvalue() == ""


def test_chatty_libraries_are_silent_below_warning():
    stream = logged(level="DEBUG")
    logging.getLogger("httpx").info("HTTP Request: GET ...")
    logging.getLogger("chromadb.telemetry").info("...")
    logging.getLogger("httpx").warning("kept")
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["kept"]


@pytest.mark.parametrize("style", ["text", "json"])
def test_fetched_text_cannot_forge_a_line(style):
    stream = logged(style=style)
    logger.info("title %s", "x\nERROR forged\x1b[2J", extra={"title": "y\r\nERROR forged"})
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("style", ["text", "json"])
def test_exceptions_bring_their_traceback(style):
    stream = logged(style=style)
    try:
        raise ValueError("odd")
    except ValueError:
        logger.exception("failed")
    assert "Traceback" in stream.getvalue()
    assert "ValueError: odd" in stream.getvalue()
