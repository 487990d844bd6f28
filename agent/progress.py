"""How long work tells that it advances; silent unless somebody listens."""

from typing import Protocol


class Progress(Protocol):
    """A listener for phases of known length."""

    def phase(self, name: str, total: int) -> None:
        """Begin a phase of `total` steps; it ends the one before."""

    def advance(self, steps: int = 1) -> None:
        """Count steps of the current phase as done."""


class SilentProgress:
    """Nobody listens: the daemon, `--json`, a pipe."""

    def phase(self, name: str, total: int) -> None:
        """Ignore it."""

    def advance(self, steps: int = 1) -> None:
        """Ignore it."""
