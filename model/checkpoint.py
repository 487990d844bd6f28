"""Weights on disk: one folder with `weights.safetensors`, `config.json` and `meta.json`.

Loading reads data only, never code. A folder is written beside its place and renamed, so a reader
sees the old one or the new one. `config.json` says what the model is, `meta.json` where it came
from.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from model.errors import CheckpointError

WEIGHTS, CONFIG, META = "weights.safetensors", "config.json", "meta.json"
FORMAT = 1
GIT_PATIENCE_S = 10

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights with what they are and where they came from."""

    arrays: Arrays
    config: dict[str, Any]
    meta: dict[str, Any]
    """Seed, command, data digest, commit and the like; not needed to use the weights."""


def weights_hash(config: Mapping[str, Any], weights: bytes) -> str:
    """Hash of everything that decides the vectors."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    digest.update(weights)
    return digest.hexdigest()


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a checkpoint; an older one in the same place is replaced, its other files are kept.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    weights = save({name: np.ascontiguousarray(a) for name, a in checkpoint.arrays.items()})
    meta = {
        **checkpoint.meta,
        "format": FORMAT,
        "hash": weights_hash(checkpoint.config, weights),
    }
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            if folder.is_dir():
                shutil.copytree(folder, draft, dirs_exist_ok=True)
            draft.chmod(0o755)
            (draft / WEIGHTS).write_bytes(weights)
            _write_json(draft / CONFIG, checkpoint.config)
            _write_json(draft / META, meta)
            _put_in_place(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as exc:
        raise CheckpointError(f"cannot write weights to {folder}: {exc}") from exc


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf8")


def _put_in_place(draft: Path, folder: Path) -> None:
    # A folder cannot be renamed onto a full one: the old one steps aside first.
    old = draft.with_name(draft.name + ".old")
    if folder.exists():
        folder.replace(old)
    draft.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint and check that it is whole.

    Raises:
        CheckpointError: files are missing, damaged, or of another format; the message says which.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf8"))
        meta = json.loads((folder / META).read_text(encoding="utf8"))
        weights = (folder / WEIGHTS).read_bytes()
    except FileNotFoundError as exc:
        name = Path(exc.filename).name
        raise CheckpointError(f"no model in {folder}: {name} is missing") from exc
    except (OSError, ValueError) as exc:
        raise CheckpointError(f"cannot read the model in {folder}: {exc}") from exc
    if not isinstance(config, dict) or not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise CheckpointError(f"the model in {folder} is not of format {FORMAT}")
    if meta.get("hash") != weights_hash(config, weights):
        raise CheckpointError(
            f"the model in {folder} is damaged: {WEIGHTS} or {CONFIG} was changed"
        )
    try:
        arrays = load(weights)
    except (SafetensorError, ValueError, KeyError) as exc:
        raise CheckpointError(f"cannot read {WEIGHTS} in {folder}: {exc}") from exc
    return Checkpoint(arrays, config, meta)


def current_commit() -> str | None:
    """The commit of the source tree, or None where this is no checkout."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "rev-parse", "--short=12", "HEAD"]
    try:
        answer = subprocess.run(  # a fixed command of our own
            command, capture_output=True, text=True, timeout=GIT_PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
