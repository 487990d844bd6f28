"""The invented articles of `articles.yaml` as values."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from typing import Any

import yaml

FIRST_DAY = date(2025, 3, 10)
DAYS = 3

_DATELINE = re.compile(r"^[A-Z][A-Z ]+(?: \(.+?\))? — ")


@dataclass(frozen=True, slots=True)
class Outlet:
    """One invented publisher. `form` is that of its feed: rss, atom or json."""

    key: str
    name: str
    form: str
    tags: tuple[str, ...]

    @property
    def feed_path(self) -> str:
        """Where its feed is served."""
        return f"/feeds/{self.key}.{'json' if self.form == 'json' else 'xml'}"


@dataclass(frozen=True, slots=True)
class DemoArticle:
    """One invented article; `copy_of` is the id of the article of which it is a reprint."""

    id: str
    outlet: Outlet
    day: int
    published_at: datetime
    title: str
    paragraphs: tuple[str, ...]
    byline: str | None = None
    comments: tuple[str, ...] = ()
    copy_of: str | None = None

    @property
    def path(self) -> str:
        """Where its page is served."""
        return f"/articles/{self.id}.html"

    @property
    def summary(self) -> str:
        """The first paragraph without its dateline."""
        return _DATELINE.sub("", self.paragraphs[0])


@dataclass(frozen=True, slots=True)
class Edition:
    """All outlets and all articles of all days."""

    outlets: tuple[Outlet, ...]
    articles: tuple[DemoArticle, ...]

    def printed(self, outlet: Outlet, *, until_day: int) -> tuple[DemoArticle, ...]:
        """The outlet's articles up to a day, newest first."""
        articles = [it for it in self.articles if it.outlet == outlet and it.day <= until_day]
        return tuple(sorted(articles, key=lambda article: article.published_at, reverse=True))


def load_edition() -> Edition:
    """Read the articles that come with the package."""
    text = resources.files(__package__).joinpath("articles.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    outlets = {
        row["key"]: Outlet(row["key"], row["name"], row["feed"], tuple(row["tags"]))
        for row in content["outlets"]
    }
    articles: dict[str, DemoArticle] = {}
    for row in content["articles"]:
        articles[row["id"]] = _article(row, outlets[row["outlet"]], articles)
    return Edition(tuple(outlets.values()), tuple(articles.values()))


def _article(row: dict[str, Any], outlet: Outlet, earlier: dict[str, DemoArticle]) -> DemoArticle:
    day = int(row["day"])
    on = FIRST_DAY + timedelta(days=day - 1)
    published_at = datetime.combine(on, time.fromisoformat(row["time"]), UTC)
    if "copy_of" in row:
        original = earlier[row["copy_of"]]
        return replace(
            original,
            id=row["id"],
            outlet=outlet,
            day=day,
            published_at=published_at,
            comments=(),
            copy_of=original.id,
        )
    paragraphs = (" ".join(part.split()) for part in row["text"].split("\n\n"))
    return DemoArticle(
        id=row["id"],
        outlet=outlet,
        day=day,
        published_at=published_at,
        title=row["title"],
        paragraphs=tuple(paragraphs),
        byline=row.get("byline"),
        comments=tuple(row.get("comments", ())),
    )
