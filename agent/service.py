"""Every command of Tidings as one call that takes and gives plain JSON; the command line and the daemon share it."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.arguments import (
    Arguments,
    flag_of,
    limit_of,
    moment_of,
    options_of,
    required_text,
    share_of,
    spelling_of,
    text_of,
)
from agent.collect import Collector
from agent.errors import ConfigError
from agent.feed_list import load_feeds
from agent.fetch import FetchedPage
from agent.forgetting import forget_article
from agent.graph_views import graphml, svg
from agent.ingest import IngestReport, ingest
from agent.judgement import Judgement
from agent.moments import parse_since
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
        name = text_of(arguments, "feeds")
        if name is None:
            states = self.kb.feed_states()
            if not states:
                raise ConfigError("no feeds are subscribed: name a list with --feeds FILE-or-URL")
            return states
        feeds = self._listed_feeds(name, text_of(arguments, "feeds_text"))
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
        question = parse_question(required_text(arguments, "question"))
        options, as_of = options_of(arguments, "choices"), moment_of(arguments)
        reply = self.kb.answer(
            question,
            as_of=as_of,
            limit=limit_of(arguments, 5),
            threshold=share_of(arguments, "threshold"),
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
            required_text(arguments, "text"),
            as_of=moment_of(arguments),
            limit=limit_of(arguments),
            publisher=text_of(arguments, "publisher"),
            since=self._since(arguments),
        )
        return [match_view(match) for match in matches]

    def topics(self, arguments: Arguments, _progress: Progress) -> JSON:
        """Stories, the latest first."""
        return as_json(
            self.kb.stories(
                since=self._since(arguments), as_of=moment_of(arguments), limit=limit_of(arguments)
            )
        )

    def whats_new(self, arguments: Arguments, _progress: Progress) -> JSON:
        """What was learned since a moment, by story."""
        since = self._since(arguments) or parse_since("1d", now=self._collector.clock())
        news = self.kb.whats_new(since, limit=limit_of(arguments))
        return {"since": since.isoformat(), "stories": [news_view(item) for item in news]}

    def timeline(self, arguments: Arguments, _progress: Progress) -> JSON:
        """What a story brought, day by day; `limit` facts of each day."""
        story_id = self._story(arguments)
        days = self.kb.story_timeline(
            story_id, as_of=moment_of(arguments), facts_each=limit_of(arguments, 5)
        )
        return {"story": story_id, "days": [day_view(day) for day in days]}

    # ------------------------------------------------------------------------------------------- explaining
    def feeds(self, arguments: Arguments, _progress: Progress) -> JSON:
        """The health of every subscription, and why entries brought no article."""
        reset = text_of(arguments, "reset")
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
        fact_id = required_text(arguments, "fact")
        fact = self.kb.fact(fact_id)
        if fact is None:
            raise ConfigError(f"no fact {fact_id!r} in this store")
        decisions = self.kb.decisions_of(fact_id)
        return {"fact": fact_view(fact), "decisions": as_json(decisions)}

    def why_not(self, arguments: Arguments, _progress: Progress) -> JSON:
        """Why a text is not in the store as a fact of its own: the decisions about sentences like it."""
        text = required_text(arguments, "text")
        return {
            "text": text,
            "decisions": as_json(self.kb.decisions_like(text, limit_of(arguments))),
        }

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
        story_id = required_text(arguments, "story")
        if self.kb.story(story_id) is None:
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
        form = text_of(arguments, "form") or "graphml"
        if form not in GRAPH_FORMS:
            raise ConfigError(f"form: neither of {', '.join(GRAPH_FORMS)}")
        story = None if arguments.get("story") is None else self._story(arguments)
        limit = (
            None
            if arguments.get("limit") is None and form == "graphml"
            else limit_of(arguments, 60)
        )
        shown = self.kb.neighbourhood(now=self._collector.clock(), story_id=story, limit=limit)
        if form == "graphml":
            return graphml(shown)
        told = None if story is None else self.kb.story(story)
        return svg(shown, told.label if told else "What the store has met together")

    # ------------------------------------------------------------------------------------------- forgetting
    def forget(self, arguments: Arguments, _progress: Progress) -> JSON:
        """Forget an article, by its id or address; with `preview` only tell what would go, with `undo` let it in."""
        name = required_text(arguments, "article")
        names = tuple(dict.fromkeys([name, spelling_of(name)]))
        with self._ingesting:  # a run that goes on would bring back what it has in hand
            if flag_of(arguments, "undo"):
                return {"feeds": self._let_in_again(name, names)}
            article = self.kb.find_article(*names)
            if article is None:
                known = "is forgotten already" if self.kb.is_forgotten(*names) else "is not stored"
                raise ConfigError(f"no article {name!r} to forget: it {known}")
            if flag_of(arguments, "preview"):
                return as_json(self.kb.hanging_on(article))
            return as_json(
                forget_article(article, self.kb, self.reading, now=self._collector.clock())
            )

    def _let_in_again(self, name: str, names: tuple[str, ...]) -> int:
        feeds = self.kb.let_in_again(*names)
        if feeds is None:
            raise ConfigError(f"no article {name!r} was forgotten in this store")
        return feeds

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
        text = text_of(arguments, "since")
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
    "forget": _command(Service.forget, "article", "preview", "undo"),
    "export-stories": _command(Service.export_stories),
    "verify": _command(Service.verify),
    "reindex": _command(Service.reindex),
    "doctor": _command(Service.doctor),
}
"""Every command by the name that the command line and the HTTP path give it."""
