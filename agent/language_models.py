"""Which language model a home uses: adapted ones lie in `HOME/model`, and a pointer file names the one in use.

The pointer is replaced in one step, after the weights that it names are whole. Without it, or where it says so, the
shipped model is in use. Needs no model: folders and names only.
"""

import contextlib
import json
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import date
from itertools import count
from pathlib import Path

from agent.errors import AgentError
from kb import HomeLock

POINTER = "language.json"
KEPT = 3
"""Adapted models that stay on disk, the one in use among them."""
WORK = "adapting"
"""Folder of a run's moments; what a killed run leaves there means nothing."""
SHIPPED = "shipped"
"""What the shipped model is called beside the names of adapted ones."""
_NAME = re.compile(r"predict-\d{4}-\d{2}-\d{2}(-\d+)?")
_LEFT_BEHIND = ".predict-*"


@dataclass(frozen=True, slots=True)
class InUse:
    """What the pointer says."""

    current: str | None = None
    """Folder of the model in use; None for the shipped one."""
    before: tuple[str, ...] = ()
    """Folders of those before it, the latest first; before all of them was the shipped one."""


class LanguageModels:
    """The adapted language models of a home. Whoever changes them holds the lock of `folder`."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "model"
        self._pointer = self.folder / POINTER

    def in_use(self) -> InUse:
        """Read the pointer.

        Raises:
            AgentError: it cannot be read, or names what is no adapted model.
        """
        try:
            said = json.loads(self._pointer.read_text(encoding="utf-8"))
            found = InUse(said["current"], tuple(said["before"]))
        except FileNotFoundError:
            return InUse()
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise self._damaged(str(exc)) from exc
        names = [*found.before] if found.current is None else [found.current, *found.before]
        for name in names:
            if not (isinstance(name, str) and _NAME.fullmatch(name)):
                raise self._damaged(f"{name!r} is no adapted model")
        return found

    def current_folder(self) -> Path | None:
        """Where the weights in use lie; None for the shipped ones.

        Raises:
            AgentError: the pointer cannot be read.
        """
        current = self.in_use().current
        return None if current is None else self.folder / current

    def new_name(self, day: date) -> str:
        """A name that is not taken, for weights of that day."""
        name = f"predict-{day.isoformat()}"
        others = (f"{name}-{number}" for number in count(2))
        while (self.folder / name).exists():
            name = next(others)
        return name

    def use(self, name: str) -> InUse:
        """Put weights that lie in `folder` in the place of those in use, and delete the oldest.

        Raises:
            AgentError: the pointer cannot be written; what was in use stays.
        """
        was = self.in_use()
        before = was.before if was.current is None else (was.current, *was.before)
        chosen = InUse(name, before[: KEPT - 1])
        self._write(chosen)
        self.tidy()
        return chosen

    def roll_back(self) -> InUse:
        """Use the model again that was in use before the current one, the shipped one at last.

        The weights that are left stay on disk until the next run.

        Raises:
            AgentError: the shipped one is in use, or the pointer cannot be written.
        """
        was = self.in_use()
        if was.current is None:
            raise AgentError("nothing to roll back: the shipped language model is in use")
        before = [name for name in was.before if (self.folder / name).is_dir()]
        chosen = InUse(before[0], tuple(before[1:])) if before else InUse()
        self._write(chosen)
        return chosen

    def tidy(self) -> None:
        """Delete what the pointer does not name: older models, and what killed runs left."""
        said = self.in_use()
        named = {said.current, *said.before}
        shutil.rmtree(self.folder / WORK, ignore_errors=True)
        with contextlib.suppress(OSError):
            for path in (*self.folder.glob("predict-*"), *self.folder.glob(_LEFT_BEHIND)):
                is_ours = _NAME.fullmatch(path.name) or path.name.startswith(".")
                if is_ours and path.name not in named:
                    shutil.rmtree(path, ignore_errors=True)

    def _write(self, chosen: InUse) -> None:
        draft = self._pointer.with_suffix(".draft")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(asdict(chosen), indent=1) + "\n", encoding="utf-8")
            draft.replace(self._pointer)
        except OSError as exc:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise AgentError(f"cannot write {self._pointer}: {exc.strerror or exc}") from exc

    def _damaged(self, reason: str) -> AgentError:
        return AgentError(
            f"{self._pointer} is damaged ({reason}); delete it to use the shipped language model"
        )


def language_folder(chosen: Path | None, home: Path) -> Path | None:
    """The language model of a home: the one the user chose, else the adapted one in use, else None: the shipped one.

    Raises:
        AgentError: the home's pointer cannot be read.
    """
    return chosen if chosen is not None else LanguageModels(home).current_folder()


def roll_back(home: Path) -> dict[str, str]:
    """Put the model in use again that was before the current one, and say which it is.

    Raises:
        StoreBusy: another process adapts this home's model.
        AgentError: the shipped one is in use, or the pointer cannot be read or written.
    """
    models = LanguageModels(home)
    with HomeLock(models.folder):
        return told(models.roll_back())


def told(said: InUse) -> dict[str, str]:
    """What is in use and what was before it, as people are told."""
    return {
        "in_use": said.current or SHIPPED,
        "before": said.before[0] if said.before else SHIPPED,
    }
