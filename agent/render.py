"""The commands' JSON as text for people. Fetched text is printed as text: never as markup, never as control codes."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 160
"""Columns of a table that no terminal bounds."""


def stdout_console() -> Console:
    """Where data for people goes: as wide as the terminal, or wide enough for a pipe."""
    console = Console(soft_wrap=True)
    return console if console.is_terminal else Console(soft_wrap=True, width=PIPE_WIDTH)


class TerminalProgress:
    """A progress bar on a terminal (stderr); one line a phase."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: Any = None

    def __enter__(self) -> "TerminalProgress":
        self._bars.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bars.stop()

    def phase(self, name: str, total: int) -> None:
        """Begin a bar of its own."""
        self._task = self._bars.add_task(name, total=total)

    def advance(self, steps: int = 1) -> None:
        """Move the current bar."""
        if self._task is not None:
            self._bars.advance(self._task, steps)


def show_ingest(console: Console, report: dict[str, Any]) -> None:
    """The summary at the end of an ingest."""
    console.print(
        Text(
            f"feeds     {report['feeds_ok']} ok ({report['feeds_unchanged']} unchanged), "
            f"{report['feeds_failed']} failed\n"
            f"articles  {report['articles']}\n"
            f"facts     {report['added']} added, {report['corroborated']} corroborated, "
            f"{report['conflicting']} conflicting, {report['skipped']} skipped\n"
            f"took      {report['seconds']:.1f} s, {report['received_mb']:.1f} MB received"
        )
    )


def show_answer(console: Console, reply: dict[str, Any]) -> None:
    """The short answer with its sources, or an honest "not known"; then the options that were given."""
    _show_reply(console, reply)
    for ranked in reply.get("choices", ()):
        console.print(Text(f"{ranked['probability']:.2f}  {ranked['choice']}", style="bold"))
        show_matches(console, ranked["facts"])


def _show_reply(console: Console, reply: dict[str, Any]) -> None:
    if reply["known"]:
        console.print(Text(reply["answer"], style="bold"), end="")
        console.print(Text(f"   (probability {reply['probability']:.2f})"))
        if reply.get("phrased"):
            console.print(Text(reply["phrased"]))  # [1] is the first of the facts below
        show_matches(console, reply["facts"])
        if reply["conflicts"]:
            console.print(Text("Another word on it:", style="bold yellow"))
            show_matches(console, reply["conflicts"])
        return
    console.print(Text("Not known.", style="bold"), end="")
    console.print(Text(f"   (probability {reply['probability']:.2f})"))
    if reply["nearest"]:
        console.print(Text("The nearest there is:"))
        show_matches(console, reply["nearest"])


def show_matches(console: Console, matches: Iterable[dict[str, Any]]) -> None:
    """Facts with sources and dates, the answering span marked."""
    for match in matches:
        line = Text("  ")
        line.append(match["id"], style="dim")
        line.append(f"  {match['score']:.2f}  ")
        line.append_text(_marked_quote(match))
        console.print(line)
        console.print(Text("      " + _source(match), style="dim"))


def _marked_quote(match: dict[str, Any]) -> Text:
    quote = Text(match["quote"])
    if match.get("answer_start_char") is not None:
        offset = match["start_char"]
        quote.stylize(
            "bold green", match["answer_start_char"] - offset, match["answer_end_char"] - offset
        )
    return quote


def _source(match: dict[str, Any]) -> str:
    article = match["article"]
    others = len(match["publishers"]) - 1
    parts = [article["publisher"], _day(article["published_at"]), article["url"]]
    if others > 0:
        parts.append(f"and {others} more publisher{'s' if others > 1 else ''}")
    if match["copies"]:
        parts.append(f"{match['copies']} syndicated")
    if match["superseded_at"]:
        parts.append("there is a newer word")
    return " | ".join(parts)


def _day(moment: str | None) -> str:
    return moment[:10] if moment else "undated"


def show_stories(console: Console, stories: Iterable[dict[str, Any]]) -> None:
    """Stories as a table."""
    table = Table("from", "to", "articles", "facts", "story", "about", "id", box=None)
    for story in stories:
        table.add_row(
            Text(_day(story["first_at"])),
            Text(_day(story["last_at"])),
            str(story["article_count"]),
            str(story["fact_count"]),
            Text(story["label"]),
            Text(", ".join(story["entities"][:4])),
            Text(story["id"], style="dim"),
        )
    console.print(table)


def show_news(console: Console, news: dict[str, Any]) -> None:
    """What was learned, by story."""
    if not news["stories"]:
        console.print(Text(f"Nothing new since {news['since'][:16]}."))
    for item in news["stories"]:
        label = item["story"]["label"] if item["story"] else "Outside any story"
        console.print(Text(label, style="bold"))
        for fact in item["facts"]:
            console.print(Text(f"  {_day(fact['valid_from'])}  {fact['quote']}"))
        if item["corroborated"] or item["conflicting"]:
            console.print(
                Text(
                    f"  ({item['corroborated']} corroborated, {item['conflicting']} conflicting)",
                    style="dim",
                )
            )


def show_timeline(console: Console, timeline: dict[str, Any]) -> None:
    """A story day by day: what was new, where it stands, and what was said otherwise."""
    for day in timeline["days"]:
        outlets = list(dict.fromkeys(article["publisher"] for article in day["articles"]))
        console.print(Text(day["day"] or "undated", style="bold"), end="")
        console.print(Text(f"   {', '.join(outlets)}"))
        for fact in day["facts"]:
            _show_fact(console, fact)
        unlisted = day["added"] - len(day["facts"])
        if unlisted or day["corroborated"]:
            rest = f"  ({unlisted} more new, {day['corroborated']} corroborated)"
            console.print(Text(rest, style="dim"))
        for conflict in day["conflicts"]:
            console.print(
                Text(f"  Another word on it: {conflict['question']}", style="bold yellow")
            )
            _show_fact(console, conflict["older"])
            _show_fact(console, conflict["newer"])


def _show_fact(console: Console, fact: dict[str, Any]) -> None:
    line = Text("  ")
    line.append(fact["id"], style="dim")
    line.append(f"  {fact['quote']}")
    console.print(line)
    console.print(Text("      " + _source(fact), style="dim"))


def show_placements(console: Console, reply: dict[str, Any]) -> None:
    """Rows of the story log."""
    if not reply["decisions"]:
        console.print(Text("Nothing is logged: the story is older than the log."))
    for decision in reply["decisions"]:
        console.print(Text(f"{decision['placement']:>8}  ", style="bold"), end="")
        console.print(Text(decision["title"] or decision["article"]))
        console.print(Text("          because " + _placed_because(decision), style="dim"))


def _placed_because(decision: dict[str, Any]) -> str:
    if decision["nearest"] is None:
        return "no story was near"
    what = "this story" if decision["placement"] == "joined" else f"story {decision['nearest']}"
    return (
        f"{what} was likeliest of {decision['candidates']}, "
        f"probability {decision['probability']:.2f}, threshold {decision['threshold']:.2f}"
    )


def show_feeds(console: Console, health: dict[str, Any]) -> None:
    """Feed health as a table, with the reasons why entries brought no article."""
    table = Table(
        "feed", "status", "last success", "errors", "entries", "silent", "error", box=None
    )
    for feed in health["feeds"]:
        silent = feed["silent_days"]
        table.add_row(
            Text(feed["title"]),
            Text(feed["status"]),
            Text((feed["last_success_at"] or "never")[:16]),
            str(feed["errors_in_a_row"]),
            str(feed["entries"]),
            "" if silent is None else f"{silent} d",
            Text(feed["last_error"] or ""),
        )
    console.print(table)
    for rejection in health["rejections"]:
        console.print(Text(f"{rejection['entries']:6} without article: {rejection['reason']}"))


def show_decisions(console: Console, decisions: Iterable[dict[str, Any]]) -> None:
    """Rows of the decision log."""
    for decision in decisions:
        line = Text(f"{decision['verdict']:>12}  ", style="bold")
        line.append(decision["question"] or "(no question raised)", style="not bold")
        console.print(line)
        console.print(Text(f"              {decision['quote']}", style="dim"))
        why = f"              because {decision['reason']}; threshold {decision['threshold']:.2f}"
        if decision["against_id"]:
            why += f"; against {decision['against_id']}"
        console.print(Text(why))
        for fact_id, probability in decision["nearest"]:
            console.print(Text(f"              nearest {fact_id} {probability:.2f}", style="dim"))


def show_forgotten(console: Console, report: dict[str, Any]) -> None:
    """What goes with an article."""
    console.print(Text(report["title"] or report["url"], style="bold"))
    console.print(Text(report["url"]))
    console.print(
        Text(
            f"{report['facts']} facts, {report['decisions']} decisions, {report['links']} conflicts; "
            f"{report['sources']} facts of other articles lose this source\n"
            f"{len(report['again'])} other articles were judged by its facts: they are learned again"
        )
    )


def show_mapping(console: Console, values: dict[str, Any], indent: str = "") -> None:
    """Names and values, nested ones indented."""
    for name, value in values.items():
        if isinstance(value, dict):
            console.print(Text(f"{indent}{name}", style="bold"))
            show_mapping(console, value, indent + "  ")
        else:
            console.print(Text(f"{indent}{name:<22} {value}"))
