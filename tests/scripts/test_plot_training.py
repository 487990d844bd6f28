"""The picture of how the language model learned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scripts import plot_training


def log_of(folder: Path, steps: int) -> Path:
    lines = [
        {"step": step, "bits": 5 / step**0.2, "seconds": 0.1}
        | ({"development": [{"bits": 3.0, "distance": 0.5}]} if step % 50 == 0 else {})
        for step in range(1, steps + 1)
    ]
    log = folder / "train.jsonl"
    log.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return log


def test_the_same_log_gives_the_same_picture(tmp_path: Path) -> None:
    log = log_of(tmp_path, 200)
    for name in ("first.png", "second.png"):
        plot_training.draw(log, tmp_path / name, chars_per_step=8192)
    first = (tmp_path / "first.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert first == (tmp_path / "second.png").read_bytes()


@pytest.mark.parametrize("content", ["no json", '{"step": 1}', '{"step": 1, "bits": null}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    log = tmp_path / "train.jsonl"
    log.write_text(content, "utf-8")
    with pytest.raises(SystemExit, match=r"train\.jsonl: no log"):
        plot_training.draw(log, tmp_path / "out.png", chars_per_step=1)
    assert not (tmp_path / "out.png").exists()


def test_a_level_curve_stays_where_it_is() -> None:
    np.testing.assert_allclose(plot_training.smoothed(np.full(5, 2.0)), 2.0)
