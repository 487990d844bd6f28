"""The state of an unfinished training run on disk: written beside its place, taken up only by its like."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Protocol

import torch

from model.errors import ModelError


class Resumable(Protocol):
    """A trainer that can be put back where it was."""

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        ...


def save_state(trainer: Resumable, path: Path, settings: str) -> None:
    """Write the trainer's state; a run that is killed meanwhile leaves the one before."""
    draft = path.with_suffix(".tmp")
    torch.save({"settings": settings, **trainer.state()}, draft)
    draft.replace(path)


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
        raise ModelError(f"cannot read the unfinished run in {path.parent}: {exc}") from exc
    if state["settings"] != settings:
        raise ModelError(f"the run in {path.parent} has other settings or data; delete it first")
    trainer.restore(state)
