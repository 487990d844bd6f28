"""`tidings adapt`: the language model learns from the last days' articles of the store, and is kept if it is better.

The store is only read, beside a daemon if there is one. An article's day is that of its publication, where that is not
known that of its fetching. Articles that were not learned from, such as those in other languages, are left out. The
older text that a model is checked against are the earliest articles kept out: the same ones, night after night.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.errors import ConfigError
from agent.language_models import WORK, LanguageModels, told
from agent.progress import Progress, SilentProgress
from agent.settings import Settings
from kb import Answerability, Article, HomeLock, KnowledgeBase
from model import load_encoder
from model.adapt import AdaptConfig, Adapted, adapt, with_new_sureness
from model.adapt_judge import Judgement, judge, require_enough
from model.adapt_text import AdaptText
from model.checkpoint import Checkpoint, current_commit, save_checkpoint
from model.predict import LanguageModel, language_checkpoint, load_language_model

ALL_STORIES = 2**31
ADAPTED = "adapted"
"""Of a checkpoint's meta: what came of the adaptation."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """One run: from when on articles are learned from, what it is checked against, and how."""

    since: datetime
    config: AdaptConfig
    gate: Path | None = None
    """A text file in place of the store's older articles."""


@contextmanager
def open_for_reading(settings: Settings, home: Path) -> Iterator[KnowledgeBase]:
    """Open the home's store without its lock.

    Raises:
        StoreError, MigrationError, IndexMismatch: the store cannot be opened.
        ModelError: the encoder cannot be loaded.
    """
    encoder, url = load_encoder(settings.model.encoder), settings.kb.database_url
    with KnowledgeBase.open(
        home, encoder, Answerability.default(), database_url=url, read_only=True
    ) as kb:
        yield kb


def adapt_home(
    kb: KnowledgeBase,
    home: Path,
    run: Adaptation,
    *,
    now: datetime,
    base: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Adapt the home's language model, and put the result in use if it is better.

    Args:
        kb: the home's store.
        home: where adapted models lie.
        run: what to do.
        now: names the weights.
        base: folder of the model to begin with; by default that in use.
        progress: hears of the steps.

    Returns:
        The report: `kept`, the reason, and what was measured.

    Raises:
        StoreBusy: another process adapts this home's model.
        ConfigError: there is no article since then, or the text file cannot be read.
        ModelError: there is no model or too little text, the steps failed, or weights cannot be written. What is in use
            stays in use.
        AgentError: the pointer cannot be read or written; the same holds.
    """
    models = LanguageModels(home)
    with HomeLock(models.folder):
        models.tidy()
        folder = base or models.current_folder()
        checkpoint, before = language_checkpoint(folder), load_language_model(folder)
        text = read_text(kb, run)
        require_enough(text)
        adapted = _take_steps(checkpoint, text, run.config, models.folder / WORK, progress)
        judgement = judge(
            before,
            LanguageModel(adapted.checkpoint),
            text,
            forgotten=checkpoint.meta.get(ADAPTED, {}).get("forgotten", 0.0),
            seed=run.config.seed,
        )
        report = _report(run, text, adapted, judgement)
        if judgement.is_kept:
            name = models.new_name(now.date())
            found = with_new_sureness(adapted.checkpoint, text)
            meta = {"base": before.hash, **report, "config": asdict(run.config)}
            save_checkpoint(_described(found, meta), models.folder / name)
            models.use(name)
        return {**report, **told(models.in_use())}


def read_text(kb: KnowledgeBase, run: Adaptation) -> AdaptText:
    """The articles of the last days, and the older text, cleaned.

    Raises:
        ConfigError: there is no article since then, or the text file cannot be read.
    """
    articles = [
        article
        for story in kb.stories(limit=ALL_STORIES)
        for article in kb.story_articles(story.id)
    ]
    days = [_written(it) for it in articles if _moment(it) >= run.since]
    if not days:
        raise ConfigError(f"no articles since {run.since:%Y-%m-%d %H:%M} UTC to learn from")
    older = sorted((_moment(it), it.id, _written(it)) for it in articles if _moment(it) < run.since)
    sample = None if run.gate is None else _read_file(run.gate)
    return AdaptText.of(days, [text for _, _, text in older], sample=sample)


def _moment(article: Article) -> datetime:
    return article.published_at or article.fetched_at


def _written(article: Article) -> str:
    return f"{article.title}\n{article.text}"


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"--gate {path}: cannot be read: {exc}") from exc


def _take_steps(
    base: Checkpoint, text: AdaptText, config: AdaptConfig, work: Path, progress: Progress | None
) -> Adapted:
    heard = progress or SilentProgress()
    heard.phase("adapt", config.steps)
    return adapt(base, text, config, work, on_step=lambda _step, _steps: heard.advance())


def _report(
    run: Adaptation, text: AdaptText, adapted: Adapted, judgement: Judgement
) -> dict[str, Any]:
    held_out, older = judgement.held_out, judgement.older
    return {
        "kept": judgement.is_kept,
        "reason": judgement.reason,
        "since": run.since.isoformat(timespec="seconds"),
        "articles": len(text.training),
        "characters": sum(map(len, text.training)),
        "rehearsed": len(text.rehearsed),
        "digest": text.digest,
        "steps": adapted.steps,
        "seed": run.config.seed,
        "seconds": round(adapted.seconds, 1),
        "held_out": {
            "articles": len(text.held_out),
            "characters": held_out.chars,
            "before": round(held_out.before, 4),
            "after": round(held_out.after, 4),
            "falls_by": [round(it, 4) for it in judgement.falls_by],
        },
        "older": {
            "characters": older.chars,
            "before": round(older.before, 4),
            "after": round(older.after, 4),
        },
        "forgotten": round(judgement.forgotten, 6),
    }


def _described(checkpoint: Checkpoint, found: dict[str, Any]) -> Checkpoint:
    command = f"adapt --since {found['since']} --steps {found['steps']} --seed {found['seed']}"
    meta = {**checkpoint.meta, ADAPTED: found, "command": command, "commit": current_commit()}
    return replace(checkpoint, meta=meta)
