"""What a newcomer sees first: the feeds of the day, or, without a network, three invented days of news.

Tells its story through `say`; the numbers come from the same commands that everybody uses.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.demo import QUESTIONS, DemoNewsroom, DemoQuestion
from agent.session import Connection, Session
from agent.settings import Settings


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a first run is shown: `say` prints a line, `show` a command's reply."""

    say: Callable[[str], None]
    show: Callable[[str, Any], None]
    progress: Callable[[], Any]  # a context manager that gives a Progress


def play_demo(settings: Settings, home: Path, stage: Stage) -> None:
    """Serve three invented days of news on loopback, ingest them day by day, and ask before and after."""
    with (
        DemoNewsroom() as room,
        Session(_for_demo(settings, room.port), home).connected() as tidings,
    ):
        for day in (1, 2, 3):
            room.day = day
            stage.say(f"\nDay {day} of 3. Before the news:")
            _ask_all(tidings, _news_of(day), stage)
            with stage.progress() as progress:
                report = tidings.call("ingest", {"feeds": f"{room.url}/feeds.yaml"}, progress)
            stage.show("ingest", report)
            stage.say("After the news:")
            _ask_all(tidings, _news_of(day), stage)
        never = [question for question in QUESTIONS if question.known_from_day is None]
        stage.say("\nAnd what no article said:")
        _ask_all(tidings, never, stage)
        stage.say("\nWhat was learned, by story:")
        stage.show("topics", tidings.call("topics", {"limit": 10}))
    stage.say(f"\nGo on asking:  tidings --home {home} ask 'QUESTION'")


def read_and_ask(tidings: Connection, feeds: dict[str, Any], stage: Stage) -> dict[str, Any]:
    """Ingest the feeds, show the stories, and ask one question that the newest fact raised; return the counts."""
    with stage.progress() as progress:
        report: dict[str, Any] = tidings.call("ingest", feeds, progress)
    stage.show("ingest", report)
    if not report["feeds_ok"]:
        return report
    stage.say("\nWhat was learned, by story:")
    stage.show("topics", tidings.call("topics", {"limit": 12}))
    question = _newest_question(tidings)
    if question:
        stage.say(f"\n$ tidings ask {question!r}")
        stage.show("ask", tidings.call("ask", {"question": question}))
    return report


def _for_demo(settings: Settings, port: int) -> Settings:
    """Settings that let the demo's own port through, and do not wait between its pages."""
    allowed = (*settings.fetch.allow_private, f"127.0.0.0/8:{port}")
    fetch = settings.fetch.model_copy(
        update={"allow_private": allowed, "host_gap_s": 0.0, "host_gap_jitter": 0.0}
    )
    return settings.model_copy(update={"fetch": fetch})


def _news_of(day: int) -> list[DemoQuestion]:
    return [question for question in QUESTIONS if question.known_from_day == day]


def _ask_all(tidings: Connection, questions: Iterable[DemoQuestion], stage: Stage) -> None:
    for question in questions:
        stage.say(f"  ? {question.text}")
        stage.show("ask", tidings.call("ask", {"question": question.text, "limit": 2}))


def _newest_question(tidings: Connection) -> str | None:
    """A question from the story with the most facts, as the decision log has it."""
    news = tidings.call("whats-new", {"limit": 1})
    for item in news["stories"]:
        for fact in item["facts"]:
            decisions = tidings.call("why", {"fact": fact["id"]})["decisions"]
            asked = [decision["question"] for decision in decisions if decision["question"]]
            if asked:
                return str(asked[0])
    return None
