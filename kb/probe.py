"""Read an embedded vector index in a process of its own, which damage may end."""

from pathlib import Path

from kb.errors import KBError
from kb.vectors import open_folder


def main(home: str, embedder_name: str) -> int:
    """Return 0 when the index can be opened and searched."""
    try:
        open_folder(Path(home), embedder_name).check()
    except KBError:
        return 1
    return 0
