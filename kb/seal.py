"""Tells whether the vector index's files are as this program left them.

A damaged graph file does not always raise: the library that reads it may take the whole process down.
So a closed index is sealed with the sizes, times and digests of its files, and only a sealed and
unchanged one is opened unseen; one that was never closed, because its process was killed, is tried in
a child process first.
"""

import hashlib
import json
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any

SEAL = "chroma.seal"
OPEN = "chroma.open"  # the last seal, while the index is open
PROBE_TIMEOUT_S = 120.0

# The child finds what this process finds, however that was started.
_PROBE = """
import sys
sys.path[:] = sys.argv[3:]
from kb.probe import main
sys.exit(main(sys.argv[1], sys.argv[2]))
"""


class Trust(StrEnum):
    """What is known of an index's files."""

    INTACT = "intact"
    UNKNOWN = "unknown"  # never sealed: the process that wrote them was killed
    CHANGED = "changed"  # not as they were sealed


def close(home: Path, folder: Path) -> None:
    """Seal the files of a closed index."""
    before = _read(home / OPEN) or {}
    files = {}
    for name, (size, time_ns) in _files(folder).items():
        old = before.get(name)
        unchanged = old is not None and old[:2] == [size, time_ns]
        digest = old[2] if unchanged and old is not None else _digest(folder / name)
        files[name] = [size, time_ns, digest]
    (home / SEAL).write_text(json.dumps(files, sort_keys=True), encoding="utf-8")
    (home / OPEN).unlink(missing_ok=True)


def examine(home: Path, folder: Path) -> Trust:
    """Compare the files with their seal; times may differ, as in a restored copy, contents may not."""
    files = _files(folder)
    sealed = _read(home / SEAL)
    if sealed is None:
        return Trust.UNKNOWN if files else Trust.INTACT
    if sealed.keys() != files.keys():
        return Trust.CHANGED
    for name, (size, time_ns) in files.items():
        was_size, was_time_ns, digest = sealed[name]
        if size != was_size or (time_ns != was_time_ns and _digest(folder / name) != digest):
            return Trust.CHANGED
    return Trust.INTACT


def take_off(home: Path) -> None:
    """Remove the seal: the index is about to be written."""
    if (home / SEAL).exists():
        (home / SEAL).replace(home / OPEN)


def _read(path: Path) -> dict[str, list[Any]] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each graph file; the catalogue is a database that looks after itself."""
    if not folder.is_dir():
        return {}
    found = {}
    for path in sorted(folder.glob("*/*")):
        if path.is_file():
            stat = path.stat()
            found[path.relative_to(folder).as_posix()] = (stat.st_size, stat.st_mtime_ns)
    return found


def survives_probe(home: Path, embedder_name: str) -> bool:
    """Open and read the index in a child process; False when that fails or dies."""
    command = [sys.executable, "-c", _PROBE, str(home), embedder_name, *sys.path]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBE_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
