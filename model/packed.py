"""Training material in one file, JSON under LZMA, to be read on a machine that has not the data folder."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from model.errors import DataError

PRESET = 1
"""Of LZMA: higher ones take ten times as long for a tenth of the size."""
T = TypeVar("T")


def write_packed(content: Mapping[str, Any], path: Path, *, file_format: int) -> None:
    """Write plain values; a run that is killed meanwhile leaves the file before."""
    draft = path.with_name(path.name + ".tmp")
    with lzma.open(draft, "wt", encoding="utf8", preset=PRESET) as file:
        json.dump({"format": file_format, **content}, file)
    draft.replace(path)


def read_packed(path: Path, made: Callable[[dict[str, Any]], T], *, file_format: int) -> T:
    """What `made` makes of the values that `write_packed` wrote.

    Raises:
        DataError: the file is missing, damaged, or of another format.
    """
    try:
        with lzma.open(path, "rt", encoding="utf8") as file:
            content = json.load(file)
        if content["format"] != file_format:
            raise DataError(f"{path} is not of format {file_format}")
        return made(content)
    except (OSError, EOFError, lzma.LZMAError, ValueError, KeyError, TypeError) as exc:
        raise DataError(f"cannot read the training material in {path}: {exc}") from exc
