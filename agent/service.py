"""Every command of Tidings as one call that takes and gives plain JSON; the command line and the daemon share it."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.collect import Collector
from agent.errors import ConfigError
from agent.feed_list import load_feeds
from agent.fetch import FetchedPage
from agent.graph_views import graphml, svg
from agent.ingest import IngestReport, ingest
from agent.judgement import Judgement
from agent.moments import parse_as_of, parse_since
from agent.phrasing import phrase_answer
from agent.progress import Progress, SilentProgress
from agent.questions import parse_question
from agent.settings import Settings
from agent.views import (
    JSON,
    answer_view,
    as_json,
    choice_view,
    day_view,
    fact_view,
    feed_view,
    match_view,
    news_view,
    placement_view,
)
from kb import Answer, Feed, FeedState, KnowledgeBase

logger = logging.getLogger(__name__)

Arguments = Mapping[str, JSON]

DEFAULT_LIMIT = 10
MAX_LIMIT = 1000
MAX_TEXT_CHARS = 4000
MAX_OPTIONS = 50
GRAPH_FORMS = ("graphml", "svg")


class Service:
    """The commands over one open knowledge base. Thread-safe; one ingest at a time."""

    def __init__(
        self,
        kb: KnowledgeBase,
        judgement: Judgement,
        settings: Settings,
        *,
        home: Path,
        collector: Collector,
    ) -> None:
        self.kb = kb
        self.reading = judgement.reading
        self._choices = judgement.choices
        self._write = judgement.write
        self.settings = settings
        self.home = home
        self._collector = collector
        self._ingesting = threading.Lock()

    def call(self, command: str, arguments: Arguments, progress: Progress | None = None) -> Any:
        """Run one command of `COMMANDS`.

        Raises:
            ConfigError: an argument is missing, unknown or malformed.
        """
        known = COMMANDS[command]
        given = {name: value for name, value in arguments.items() if value is not None}
        unknown = sorted(given.keys() - known.arguments)
        if unknown:
            raise ConfigError(f"{command}: unknown argument {unknown[0]!r}")
        return known.run(self, given, progress or SilentProgress())

    # ------------------------------------------------------------------------------------------- reading news
    def subscribe(self, arguments: Arguments) -> list[FeedState]:
        """Subscribe the feeds that the arguments name, and return their states; without any, all subscriptions."""
        name = _text(arguments, "feeds")
        if name is None:
            states = self.kb.feed_states()
            if not states:
                raise ConfigError("no feeds are subscribed: name a list with --feeds FILE-or-URL")
            return states
        feeds = self._listed_feeds(name, _text(arguments, "feeds_text"))
        self.kb.subscribe(feeds)
        urls = {feed.url for feed in feeds}
        return [state for state in self.kb.feed_states() if state.feed.url in urls]

    def ingest(self, arguments: Arguments, progress: Progress) -> JSON:
        """Check the named feeds now, due or not, and learn from what they bring."""
        with self._ingesting:
            return as_json(self._ingest(self.subscribe(arguments), progress))

    def ingest_due(self) -> IngestReport:
        """One tick of the daemon: the feeds whose time has come, and whatever was left unfinished."""
        with self._ingesting:
            due = self.kb.due_feeds(self._collector.clock(), self.settings.schedule.batch)
            return self._ingest(due, SilentProgress())

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no ingest runs; False when one still does after `timeout_s` seconds."""
        if not self._ingesting.acquire(timeout=timeout_s):
            return False
        self._ingesting.release()
        return True

    def _ingest(self, states: list[FeedState], progress: Progress) -> IngestReport:
        received = self._collector.fetcher.received_bytes
        report = ingest(states, self.kb, self.reading, self._collector, progress)
        received = self._collector.fetcher.received_bytes - received
        self._sleep()
        return replace(report, received_mb=round(received / 1e6, 3))

    def _sleep(self) -> None:
        """Prune the experience graph, once a day."""
        slept = self.kb.sleep(now=self._collector.clock())
        if slept is not None:
            logger.info("slept", extra=asdict(slept))

    def _listed_feeds(self, name: str, text: str | None) -> tuple[Feed, ...]:
        if text is not None:
            return load_feeds(name, text=text)
        if not name.startswith(("http://", "https://")):
            raise ConfigError(f"{name}: neither a URL nor a file that was read")
        page = self._collector.fetcher.fetch_feed(name, etag=None, last_modified=None)
        if not isinstance(page, FetchedPage):
            raise ConfigError(f"{name}: answered 304 to a first request")
        return load_feeds(name, text=page.body.decode(page.charset or "utf-8", "replace"))

    # ------------------------------------------------------------------------------------------- asking
    def ask(self, arguments: Arguments, _progress: Progress) -> JSON:
        """Answer a question from the store, or say that it is not known; rank options if they are given.

        With a writer the reply has the key `phrased` too: a sentence or two, or null.
        """
        question = parse_question(_required(arguments, "question"))
        options, as_of = _options(arguments, "choices"), _as_of(arguments)
        reply = self.kb.answer(
            question,
            as_of=as_of,
            limit=_limit(arguments, 5),
            threshold=_share(arguments, "threshold"),
        )
        view = answer_view(reply)
        if isinstance(reply, Answer):
            self.kb.remember(reply, now=self._collector.clock())
        if self._write is not None:
            view["phrased"] = phrase_answer(reply, self._write)
        if options is not None:
            ranked = self.kb.rank_choices(question, options, self._choices, as_of=as_of)
            view["choices"] = [choice_view(one) for one in ranked]
        return view

    def search(self, arguments: Arguments, _progress: Progress) -> JSON:
        """The facts nearest to a text, best first."""
        matches = self.kb.search(
            _required(arguments, "text"),
            as_of=_as_of(arguments),
            limit=_limit(arguments),
            publisher=_text(arguments, "publisher"),
            since=self._since(arguments),
        )
        return [match_view(match) for match in matches]

    def topics(self, arguments: Arguments, _progress: Progress) -> JSON:
        """Stories, the latest first."""
        return as_json(
            self.kb.stories(
                since=self._since(arguments), as_of=_as_of(arguments), limit=_limit(arguments)
            )
        )

    def whats_new(self, arguments: Arguments, _progress: Progress) -> JSON:
        """What was learned since a moment, by story."""
        since = self._since(arguments) or parse_since("1d", now=self._collector.clock())
        news = self.kb.whats_new(since, limit=_limit(arguments))
        return {"since": since.isoformat(), "stories": [news_view(item) for item in news]}

    def timeline(self, arguments: Arguments, _progress: Progress) -> JSON:
        """What a story brought, day by day; `limit` facts of each day."""
        story_id = self._story(arguments)
        days = self.kb.story_timeline(
            story_id, as_of=_as_of(arguments), facts_each=_limit(arguments, 5)
        )
        return {"story": story_id, "days": [day_view(day) for day in days]}

    # ------------------------------------------------------------------------------------------- explaining
    def feeds(self, arguments: Arguments, _progress: Progress) -> JSON:
        """The health of every subscription, and why entries brought no article."""
        reset = _text(arguments, "reset")
        if reset is not None:
            self.kb.reset_feed(reset)
        now = self._collector.clock()
        return {
            "feeds": [feed_view(state, now) for state in self.kb.feed_states()],
            "rejections": [
                {"reason": reason, "entries": count} for reason, count in self.kb.rejections()
            ],
        }

    def why(self, arguments: Arguments, _progress: Progress) -> JSON:
        """Why a fact is in the store: its sources and every decision about it."""
        fact_id = _required(arguments, "fact")
        fact = self.kb.fact(fact_id)
        if fact is None:
            raise ConfigError(f"no fact {fact_id!r} in this store")
        decisions = self.kb.decisions_of(fact_id)
        return {"fact": fact_view(fact), "decisions": as_json(decisions)}

    def why_not(self, arguments: Arguments, _progress: Progress) -> JSON:
        """Why a text is not in the store as a fact of its own: the decisions about sentences like it."""
        text = _required(arguments, "text")
        return {"text": text, "decisions": as_json(self.kb.decisions_like(text, _limit(arguments)))}

    def why_story(self, arguments: Arguments, _progress: Progress) -> JSON:
        """Why each article of a story stands in it: the decisions that opened it and let it grow."""
        story_id = self._story(arguments)
        articles = {article.id: article for article in self.kb.story_articles(story_id)}
        return {
            "story": story_id,
            "decisions": [
                placement_view(decision, articles.get(decision.article_id))
                for decision in self.kb.story_decisions(story_id)
            ],
        }

    def _story(self, arguments: Arguments) -> str:
        story_id = _required(arguments, "story")
        if not self.kb.has_story(story_id):
            raise ConfigError(f"no story {story_id!r} in this store")
        return story_id

    def export_decisions(self, _arguments: Arguments, _progress: Progress) -> JSON:
        """Every decision, ordered; nothing in it depends on the clock or the machine."""
        return [as_json(decision) for decision in self.kb.export_decisions()]

    def export_stories(self, _arguments: Arguments, _progress: Progress) -> JSON:
        """The story log, in the order in which it was written; replayed, it gives the same stories."""
        return [as_json(decision) for decision in self.kb.export_story_decisions()]

    def graph(self, arguments: Arguments, _progress: Progress) -> JSON:
        """The experience graph, or the part of a story, as GraphML or as a drawing."""
        form = _text(arguments, "form") or "graphml"
        if form not in GRAPH_FORMS:
            raise ConfigError(f"form: neither of {', '.join(GRAPH_FORMS)}")
        story = _text(arguments, "story")
        limit = (
            None if arguments.get("limit") is None and form == "graphml" else _limit(arguments, 60)
        )
        shown = self.kb.neighbourhood(now=self._collector.clock(), story_id=story, limit=limit)
        return graphml(shown) if form == "graphml" else svg(shown, f"Story {story or '(all)'}")

    # ------------------------------------------------------------------------------------------- keeping house
    def verify(self, _arguments: Arguments, _progress: Progress) -> JSON:
        """Re-read every fact's span in its article."""
        report = self.kb.verify()
        return {
            "facts": report.facts,
            "unsupported": len(report.unsupported),
            "unsupported_facts": as_json(report.unsupported),
            "index_missing": report.index_missing,
            "index_extra": report.index_extra,
        }

    def reindex(self, _arguments: Arguments, progress: Progress) -> JSON:
        """Rebuild the vector and the lexical index from the rows."""
        steps = _Steps(progress)
        return {"indexed": self.kb.reindex(progress=steps)}

    def doctor(self, _arguments: Arguments, _progress: Progress) -> JSON:
        """Where everything is, whether it is sound, and how much there is."""
        return {
            "home": str(self.home),
            "encoder": self.reading.embedder.name,
            "tagger": self.reading.tagger.name,
            "counts": as_json(self.kb.counts()),
        }

    def _since(self, arguments: Arguments) -> datetime | None:
        text = _text(arguments, "since")
        return None if text is None else parse_since(text, now=self._collector.clock())


class _Steps:
    """The knowledge base's (done, total) reports as a progress phase."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = -1

    def __call__(self, done: int, total: int) -> None:
        if self._done < 0:
            self._progress.phase("indexing", total)
            self._done = 0
        self._progress.advance(done - self._done)
        self._done = done


# ---------------------------------------------------------------------------------------------- arguments
def _text(arguments: Arguments, name: str) -> str | None:
    value = arguments.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{name}: not a text")
    return value


def _required(arguments: Arguments, name: str) -> str:
    value = (_text(arguments, name) or "").strip()
    if not value:
        raise ConfigError(f"{name}: missing or empty")
    if len(value) > MAX_TEXT_CHARS:
        raise ConfigError(f"{name}: longer than {MAX_TEXT_CHARS} characters")
    return value


def _options(arguments: Arguments, name: str) -> list[str] | None:
    given = arguments.get(name)
    if given is None:
        return None
    if not isinstance(given, list) or not 2 <= len(given) <= MAX_OPTIONS:
        raise ConfigError(f"{name}: not a list of 2 to {MAX_OPTIONS} texts")
    return [_required({name: option}, name) for option in given]


def _limit(arguments: Arguments, default: int = DEFAULT_LIMIT) -> int:
    value = arguments.get("limit")
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_LIMIT:
        raise ConfigError(f"limit: not a number from 1 to {MAX_LIMIT}")
    return value


def _share(arguments: Arguments, name: str) -> float | None:
    value = arguments.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{name}: not a number from 0 to 1")
    return float(value)


def _as_of(arguments: Arguments) -> datetime | None:
    text = _text(arguments, "as_of")
    return None if text is None else parse_as_of(text)


@dataclass(frozen=True, slots=True)
class _Command:
    run: Callable[[Service, Arguments, Progress], JSON]
    arguments: frozenset[str]


def _command(run: Callable[[Service, Arguments, Progress], JSON], *arguments: str) -> _Command:
    return _Command(run, frozenset(arguments))


COMMANDS: Mapping[str, _Command] = {
    "ingest": _command(Service.ingest, "feeds", "feeds_text"),
    "ask": _command(Service.ask, "question", "as_of", "limit", "threshold", "choices"),
    "search": _command(Service.search, "text", "as_of", "limit", "publisher", "since"),
    "topics": _command(Service.topics, "since", "as_of", "limit"),
    "whats-new": _command(Service.whats_new, "since", "limit"),
    "timeline": _command(Service.timeline, "story", "as_of", "limit"),
    "feeds": _command(Service.feeds, "reset"),
    "why": _command(Service.why, "fact"),
    "why-not": _command(Service.why_not, "text", "limit"),
    "why-story": _command(Service.why_story, "story"),
    "graph": _command(Service.graph, "story", "form", "limit"),
    "export-decisions": _command(Service.export_decisions),
    "export-stories": _command(Service.export_stories),
    "verify": _command(Service.verify),
    "reindex": _command(Service.reindex),
    "doctor": _command(Service.doctor),
}
"""Every command by the name that the command line and the HTTP path give it."""
