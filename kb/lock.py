"""One owner per home: the embedded vector index breaks when two processes write one folder."""

from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from kb.errors import StoreBusy, StoreError


class HomeLock:
    """The operating system's lock on a home. It is freed by the system when its process dies."""

    def __init__(self, home: Path, *, wait_s: float = 0.0) -> None:
        self._home = home
        self._wait_s = wait_s
        # Not thread-local: the daemon takes it in one thread and may release it in another.
        self._lock = FileLock(home / "lock", thread_local=False)

    def acquire(self) -> "HomeLock":
        """Take the lock, waiting at most `wait_s`; make the home when it is missing.

        Raises:
            StoreBusy: another process (or another lock object of this one) holds it.
            StoreError: the home cannot be written.
        """
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire(timeout=self._wait_s)
        except Timeout as exc:
            raise StoreBusy(f"{self._home}: another process is using this home") from exc
        except OSError as exc:
            raise StoreError(f"{self._home}: cannot be locked: {exc.strerror or exc}") from exc
        return self

    def release(self) -> None:
        """Free the lock; does nothing when it is not held."""
        self._lock.release()

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return bool(self._lock.is_locked)

    def __enter__(self) -> "HomeLock":
        return self if self.is_held else self.acquire()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
