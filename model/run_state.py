"""The state of an unfinished training run on disk: written beside its place, taken up only by its like."""

from __future__ import annotations

import contextlib
import json
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from model.errors import ModelError

STATE, LOG = "state.pt", "train.jsonl"


class Resumable(Protocol):
    """A trainer that can be put back where it was."""

    @property
    def step(self) -> int:
        """Steps taken."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        ...


def save_state(trainer: Resumable, path: Path, settings: str) -> None:
    """Write the trainer's state; a run that is killed meanwhile leaves the one before.

    Raises:
        ModelError: it cannot be written; the one before stays.
    """
    state = {"settings": settings, **trainer.state()}
    draft = path.with_suffix(".tmp")
    try:
        with draft.open("wb") as file:
            torch.save(state, file)
        draft.replace(path)
    except (OSError, RuntimeError) as exc:
        with contextlib.suppress(OSError):
            draft.unlink()
        # What torch raises when a file is full says nothing of that.
        reason = exc.__context__ if isinstance(exc.__context__, OSError) else exc
        raise ModelError(f"cannot write {path}: {_line(reason)}") from exc


def restore_state(trainer: Resumable, path: Path, settings: str) -> None:
    """Put the trainer where a run was stopped; at its first step when there is none.

    Raises:
        ModelError: the file cannot be read, or is of a run with other settings or data.
    """
    if not path.exists():
        return
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as exc:
        raise ModelError(f"cannot read the unfinished run in {path.parent}: {_line(exc)}") from exc
    if state["settings"] != settings:
        raise ModelError(f"the run in {path.parent} has other settings or data; delete it first")
    trainer.restore(state)


def _line(exc: BaseException) -> str:
    """The first line of what an error says; torch goes on with advice and traces."""
    return str(exc).partition("\n")[0]


def log_steps(
    trainer: Resumable,
    records: Iterable[Mapping[str, Any]],
    run: Path,
    settings: str,
    *,
    save_every: int,
) -> Path:
    """Take steps to the end, and keep what is needed to go on from the last ones.

    Args:
        trainer: whose state is saved.
        records: takes a step, or some, with every record.
        run: folder of the unfinished run.
        settings: of the run, see `restore_state`.
        save_every: steps between two saved states; one more is saved at the end.

    Returns:
        The log, one record a line. Those of a run that was stopped stay in it up to the step that it goes on from:
        what was logged later is done again.

    Raises:
        ModelError: the state or the log cannot be written; the last saved state stays.
    """
    log = run / LOG
    _keep(log, trainer.step)
    for record in records:
        _append(log, json.dumps(record) + "\n")
        if trainer.step % save_every == 0:
            save_state(trainer, run / STATE, settings)
    save_state(trainer, run / STATE, settings)
    return log


def step_seconds(log: Path) -> list[float]:
    """What each step took, from a log with a record of every step; what is done before and between is not in it."""
    lines = log.read_text(encoding="utf8").splitlines()
    return [float(json.loads(line)["seconds"]) for line in lines]


def _keep(log: Path, step: int) -> None:
    """Leave in a log, which there need not be, one record of every step up to this one: the last written.

    A line that was cut short, as where the disk was full, is of a step that is done again.
    """
    kept: dict[int, str] = {}
    try:
        for line in log.read_text(encoding="utf8").splitlines() if log.exists() else ():
            with contextlib.suppress(json.JSONDecodeError):
                kept[json.loads(line)["step"]] = line + "\n"
        draft = log.with_suffix(".tmp")
        draft.write_text("".join(kept[at] for at in sorted(kept) if at <= step), encoding="utf8")
        draft.replace(log)
    except OSError as exc:
        raise ModelError(f"cannot write {log}: {exc}") from exc


def _append(path: Path, line: str) -> None:
    try:
        with path.open("a", encoding="utf8") as file:
            file.write(line)
    except OSError as exc:
        raise ModelError(f"cannot write {path}: {exc}") from exc
