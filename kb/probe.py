"""Read an embedded vector index in a process of its own, which damage may kill: `python -m kb.probe HOME ENCODER`."""

import sys
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


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
