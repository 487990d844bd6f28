"""`tidings adapt`: what is kept is put in use, what is not changes nothing, and one command goes back."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from agent import cli, cli_language
from agent.adaptation import Adaptation, adapt_home
from agent.errors import AgentError, ConfigError
from agent.language_models import (
    KEPT,
    POINTER,
    WORK,
    InUse,
    LanguageModels,
    language_folder,
    roll_back,
)
from agent.session import Session
from agent.settings import ModelSettings, Settings
from kb import (
    Answerability,
    Article,
    HomeLock,
    KnowledgeBase,
    StoreBusy,
    Story,
    StoryProfile,
    Topics,
    content_id,
)
from kb.migrations import migrate
from kb.sql import open_engine
from model import CheckpointError, DataError, ModelError, load_encoder
from model.adapt import Adapter
from model.alphabet import Ids
from model.checkpoint import load_checkpoint, save_checkpoint
from model.mapped_adam import LIVE
from model.predict import load_language_model
from tests.embedders import HashEmbedder
from tests.model.adapt_texts import CONFIG, new_reports, older_reports
from tests.model.language_models import checkpoint

NOW = datetime(2031, 5, 6, 3, tzinfo=UTC)
SINCE = NOW - timedelta(days=3)
RUN = Adaptation(SINCE, CONFIG)
SHORT = Adaptation(SINCE, replace(CONFIG, steps=2))


def article(text: str, *, at: datetime | None, fetched_at: datetime = NOW) -> Article:
    title, _, body = text.partition("\n")
    url = f"http://news.invalid/{content_id(text)}"
    return Article(
        id=content_id(url),
        url=url,
        title=title,
        text=body or title,
        publisher="The Harbour Post",
        language="en",
        published_at=at,
        date_source="none" if at is None else "feed",
        fetched_at=fetched_at,
        feed_url="http://news.invalid/feed",
        text_source="page",
    )


def learn(kb: KnowledgeBase, articles: list[Article]) -> None:
    """Store articles as one story, without facts: their text is all that counts here."""
    profile = StoryProfile({}, (0.0,) * kb._embedder.dim, None, None, len(articles))
    story = Story(content_id("story", "one"), "All of it", profile)
    for it in articles:
        kb.store_article(content_id(it.url), it)
        kb.learn(it, [], topics=Topics((), ()), story=story, now=NOW)


def news() -> list[Article]:
    """Two days of new reports, and a month of older ones."""
    new = [article(it, at=NOW - timedelta(hours=n % 48)) for n, it in enumerate(new_reports())]
    old = [article(it, at=SINCE - timedelta(hours=1 + n)) for n, it in enumerate(older_reports())]
    return new + old


def open_home(home: Path) -> KnowledgeBase:
    home.mkdir(parents=True, exist_ok=True)
    engine = open_engine(home, None)
    migrate(engine, str(home))
    answerability = Answerability.default()
    return KnowledgeBase(home, engine, None, embedder=HashEmbedder(), answerability=answerability)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "predict"
    save_checkpoint(checkpoint(), folder)
    return folder


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """A store with news; adapted models go to homes of their own."""
    with open_home(tmp_path_factory.mktemp("store")) as opened:
        learn(opened, news())
        yield opened


def files_of(folder: Path) -> dict[str, bytes]:
    return {it.name: it.read_bytes() for it in sorted(folder.iterdir())}


def names_in(home: Path) -> set[str]:
    return {it.name for it in (home / "model").iterdir()} - {"lock"}


# ----------------------------------------------------------------------------------------------- kept, or not
def test_what_got_better_is_put_in_use(tmp_path: Path, kb: KnowledgeBase, base: Path) -> None:
    was = files_of(base)
    report = adapt_home(kb, tmp_path, RUN, now=NOW, base=base)
    assert report["kept"] is True
    assert (report["in_use"], report["before"]) == ("predict-2031-05-06", "shipped")
    assert report["held_out"]["after"] < report["held_out"]["before"]
    folder = tmp_path / "model" / "predict-2031-05-06"
    assert language_folder(None, tmp_path) == folder
    assert names_in(tmp_path) == {"predict-2031-05-06", POINTER}
    assert load_language_model(folder).hash != load_language_model(base).hash
    told = load_checkpoint(folder).meta["adapted"]
    assert told["base"] == load_language_model(base).hash
    assert (told["since"], told["steps"], told["seed"]) == ("2031-05-03T03:00:00+00:00", 20, 5)
    assert told["articles"] == report["articles"] > 90
    assert files_of(base) == was
    again = adapt_home(kb, tmp_path, replace(SHORT, config=replace(CONFIG, steps=9)), now=NOW)
    names = ("predict-2031-05-06-2", "predict-2031-05-06")
    assert (again["in_use"], again["before"]) == (names if again["kept"] else (names[1], "shipped"))


def test_what_is_no_better_changes_nothing(tmp_path: Path, kb: KnowledgeBase, base: Path) -> None:
    was = files_of(base)
    hasty = replace(RUN, config=replace(CONFIG, learning_rate=0.5))
    report = adapt_home(kb, tmp_path, hasty, now=NOW, base=base)
    assert report["kept"] is False
    assert report["reason"].startswith("the gate: older text costs ")
    assert (report["in_use"], report["before"]) == ("shipped", "shipped")
    assert names_in(tmp_path) == set()
    assert files_of(base) == was


def test_a_text_file_is_checked_against(tmp_path: Path, kb: KnowledgeBase, base: Path) -> None:
    gate = tmp_path / "gate.txt"
    gate.write_text("\n".join(older_reports(30)), encoding="utf8")
    report = adapt_home(kb, tmp_path, replace(SHORT, gate=gate), now=NOW, base=base)
    assert report["older"]["characters"] > 5000
    gate.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match=r"--gate .*gate.txt: cannot be read"):
        adapt_home(kb, tmp_path, replace(SHORT, gate=gate), now=NOW, base=base)


def test_an_undated_article_is_of_the_day_it_was_fetched(tmp_path: Path, base: Path) -> None:
    fetched_at = SINCE - timedelta(days=1)
    with open_home(tmp_path) as kb:
        learn(kb, [article(it, at=None, fetched_at=fetched_at) for it in new_reports(9)])
        with pytest.raises(ConfigError, match="no articles since 2031-05-03 03:00 UTC"):
            adapt_home(kb, tmp_path, RUN, now=NOW, base=base)


# ------------------------------------------------------------------------------------------------ what can fail
def test_a_full_disk_leaves_what_is_in_use(
    tmp_path: Path, kb: KnowledgeBase, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _content: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("model.checkpoint._write_json", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        adapt_home(kb, tmp_path, RUN, now=NOW, base=base)
    assert names_in(tmp_path) == set()
    assert language_folder(None, tmp_path) is None


def test_a_pointer_that_cannot_be_written_leaves_what_is_in_use(tmp_path: Path) -> None:
    models = LanguageModels(tmp_path)
    (models.folder / "language.draft").mkdir(parents=True)
    with pytest.raises(AgentError, match=r"cannot write .*language.json: Is a directory"):
        models.use("predict-2031-05-06")
    assert models.in_use() == InUse()


def test_a_loss_that_is_no_number_leaves_what_is_in_use(
    tmp_path: Path, kb: KnowledgeBase, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_step = Adapter.take_step

    def breaking(adapter: Adapter, rows: Ids, steps: int) -> float:
        adapter.learned[0].data.fill_(float("nan"))
        return take_step(adapter, rows, steps)

    monkeypatch.setattr(Adapter, "take_step", breaking)
    with pytest.raises(ModelError, match="stopped at step 1: the loss is nan"):
        adapt_home(kb, tmp_path, SHORT, now=NOW, base=base)
    assert names_in(tmp_path) == set()


def test_what_a_killed_run_left_is_swept_away(
    tmp_path: Path, kb: KnowledgeBase, base: Path
) -> None:
    folder = tmp_path / "model"
    for name in (WORK, ".predict-2031-05-05-abc", "predict-2031-05-05"):
        (folder / name).mkdir(parents=True)
        (folder / name / LIVE).write_bytes(b"half")
    (folder / "predict-mine").mkdir()
    report = adapt_home(kb, tmp_path, SHORT, now=NOW, base=base)
    kept = {report["in_use"], POINTER} if report["kept"] else set()
    assert names_in(tmp_path) == {"predict-mine"} | kept


def test_two_runs_at_a_time_are_one_too_many(tmp_path: Path, kb: KnowledgeBase, base: Path) -> None:
    with HomeLock(tmp_path / "model"), pytest.raises(StoreBusy, match="another process"):
        adapt_home(kb, tmp_path, RUN, now=NOW, base=base)


def test_without_a_language_model_it_is_said(tmp_path: Path, kb: KnowledgeBase) -> None:
    with pytest.raises(CheckpointError, match=r"no model in .*nowhere: config.json is missing"):
        adapt_home(kb, tmp_path, RUN, now=NOW, base=tmp_path / "nowhere")


def test_too_little_text_is_said(tmp_path: Path, base: Path) -> None:
    with open_home(tmp_path) as kb:
        learn(kb, [article(it, at=NOW) for it in new_reports(9)])
        with pytest.raises(DataError, match=r"articles of these days are kept out .* 5 are needed"):
            adapt_home(kb, tmp_path, RUN, now=NOW, base=base)


# -------------------------------------------------------------------------------------------------- going back
def used(home: Path, *names: str) -> LanguageModels:
    models = LanguageModels(home)
    for name in names:
        (models.folder / name).mkdir(parents=True)
        models.use(name)
    return models


def test_one_command_goes_back_one_model(tmp_path: Path) -> None:
    used(tmp_path, "predict-2031-05-05", "predict-2031-05-06")
    assert roll_back(tmp_path) == {"in_use": "predict-2031-05-05", "before": "shipped"}
    assert language_folder(None, tmp_path) == tmp_path / "model" / "predict-2031-05-05"
    assert roll_back(tmp_path) == {"in_use": "shipped", "before": "shipped"}
    assert language_folder(None, tmp_path) is None
    with pytest.raises(AgentError, match="nothing to roll back: the shipped language model is in"):
        roll_back(tmp_path)


def test_going_back_passes_over_what_was_deleted(tmp_path: Path) -> None:
    models = used(tmp_path, "predict-2031-05-04", "predict-2031-05-05", "predict-2031-05-06")
    (models.folder / "predict-2031-05-05").rmdir()
    assert roll_back(tmp_path)["in_use"] == "predict-2031-05-04"


def test_a_model_that_was_rolled_back_is_deleted_with_the_next(tmp_path: Path) -> None:
    models = used(tmp_path, "predict-2031-05-05", "predict-2031-05-06")
    roll_back(tmp_path)
    assert names_in(tmp_path) == {"predict-2031-05-05", "predict-2031-05-06", POINTER}
    used(tmp_path, "predict-2031-05-07")
    assert models.in_use() == InUse("predict-2031-05-07", ("predict-2031-05-05",))
    assert names_in(tmp_path) == {"predict-2031-05-05", "predict-2031-05-07", POINTER}


def test_few_models_stay_on_disk(tmp_path: Path) -> None:
    days = [f"predict-2031-05-{day:02}" for day in range(1, 8)]
    used(tmp_path, *days)
    assert names_in(tmp_path) == {*days[-KEPT:], POINTER}


def test_the_users_choice_comes_first(tmp_path: Path) -> None:
    used(tmp_path, "predict-2031-05-05")
    assert language_folder(tmp_path / "mine", tmp_path) == tmp_path / "mine"


@pytest.mark.parametrize(
    "said",
    [
        "{",
        "[]",
        '{"current": null}',
        '{"current": "../predict-2031-05-05", "before": []}',
        '{"current": 3, "before": []}',
        '{"current": null, "before": ["predict"]}',
    ],
)
def test_a_damaged_pointer_is_named(tmp_path: Path, said: str) -> None:
    models = LanguageModels(tmp_path)
    models.folder.mkdir()
    (models.folder / POINTER).write_text(said, encoding="utf8")
    with pytest.raises(AgentError, match=r"language.json is damaged .* delete it to use the ship"):
        models.in_use()


# --------------------------------------------------------------------------------------------------- the command
def context_of(home: Path, language: Path | None) -> typer.Context:
    settings = Settings(model=ModelSettings(language=language))
    return typer.Context(typer.main.get_command(cli.app), obj=Session(settings, home))


def test_the_command_adapts_writes_and_goes_back(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = tmp_path / "gate.txt"
    gate.write_text("\n".join(older_reports(20)), encoding="utf8")
    since = "2031-05-03T03:00Z"
    answerability = Answerability.default()
    # A daemon may hold the home meanwhile.
    with HomeLock(tmp_path), KnowledgeBase.open(tmp_path, load_encoder(), answerability) as kb:
        learn(kb, [article(it, at=NOW) for it in new_reports()])
        cli_language.adapt(context_of(tmp_path, base), since, gate, steps=6, as_json=True)
    out, err = capsys.readouterr()
    assert err == f"tidings: TIDINGS_MODEL__LANGUAGE is set, so {base} is in use\n"
    report = json.loads(out)
    assert (report["kept"], report["steps"]) == (True, 6), report
    cli_language.generate(context_of(tmp_path, None), chars=9, as_json=True)
    adapted = load_language_model(tmp_path / "model" / report["in_use"])
    assert json.loads(capsys.readouterr().out)["model"] == adapted.name
    cli_language.adapt(context_of(tmp_path, None), roll_back=True)
    assert capsys.readouterr() == (
        "in_use                 shipped\nbefore                 shipped\n",
        "",
    )


def test_what_cannot_be_done_is_said_in_a_line(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TIDINGS_")}
    command = [sys.executable, "-m", "agent", "--home", str(tmp_path), "adapt", "--roll-back"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 1
    assert done.stderr == "tidings: nothing to roll back: the shipped language model is in use\n"
