"""Tables of a tagger in four bits come back as they were, and what is no table is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from model import CheckpointError, Tagger, load_tagger
from model.tag import tag_weights_path
from model.tag_stored import HEADS, LEVELS, pack_table, save_tagger, unpack_table

TEXT = "Mayor Ana Bellweather met officials of the United Nations in Geneva on Monday."


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return load_tagger()


def table(rows: int, tags: int, levels: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    own = np.stack([rng.choice(np.arange(-127, 128), levels, replace=False) for _ in range(tags)])
    return own[np.arange(tags), rng.integers(levels, size=(rows, tags))].astype(np.int8)


@settings(deadline=None)
@given(
    rows=st.sampled_from([2, 8, 64]),
    tags=st.integers(1, 9),
    levels=st.integers(1, LEVELS),
    seed=st.integers(0, 1000),
)
def test_a_table_comes_back(rows: int, tags: int, levels: int, seed: int) -> None:
    steps = table(rows, tags, levels, seed)
    found, codes = pack_table(steps)
    assert codes.nbytes == steps.nbytes / 2
    assert (np.diff(found.astype(int)) >= 0).all()
    back = unpack_table(found, codes)
    assert back.dtype == np.int8
    assert back.flags.c_contiguous
    assert np.array_equal(back, steps)


def test_more_steps_than_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="17 different steps"):
        pack_table(np.arange(18, dtype=np.int8)[:, None] % np.int8(17))


@pytest.mark.parametrize("change", ["levels", "dtype", "tags", "flat"])
def test_parts_that_do_not_fit_are_refused(change: str) -> None:
    levels, codes = pack_table(table(8, 3, 4, seed=1))
    if change == "levels":
        levels = levels[:, :-1]
    elif change == "dtype":
        levels = levels.astype(np.int16)
    elif change == "tags":
        codes = codes[:-1]
    else:
        codes = codes.reshape(-1)
    with pytest.raises(ValueError, match="do not fit together"):
        unpack_table(levels, codes)


def test_what_is_saved_reads_the_same(tagger: Tagger, tmp_path: Path) -> None:
    heads = dict(zip(HEADS, tagger.heads, strict=True))
    save_tagger(tmp_path / "new", heads, tagger.vocabulary, meta={"command": "none"})
    again = load_tagger(tmp_path / "new")
    assert again.read(TEXT) == tagger.read(TEXT)
    assert (again.name, again.stored.rounded_from) == (tagger.name, None)
    assert json.loads((tmp_path / "new" / "meta.json").read_text("utf-8")) == {"command": "none"}


def test_weights_of_the_first_format_are_still_read(tagger: Tagger, tmp_path: Path) -> None:
    """Its tables are as they are at run time."""
    packed = load_file(tag_weights_path() / "weights.safetensors")
    tensors = {name: it for name, it in packed.items() if not name.endswith(("_levels", "_codes"))}
    for name, head in zip(HEADS, tagger.heads, strict=True):
        tensors[f"{name}_weights"] = head.weights
    save_file(tensors, tmp_path / "weights.safetensors")
    config = json.loads((tag_weights_path() / "config.json").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "format": 1}), "utf-8")
    first = load_tagger(tmp_path)
    assert first.read(TEXT) == tagger.read(TEXT)
    assert first.stored.bytes > 1.5 * tagger.stored.bytes


def test_tables_that_are_none_are_a_checkpoint_error(tmp_path: Path) -> None:
    copy = tmp_path / "tag"
    shutil.copytree(tag_weights_path(), copy)
    tensors = load_file(copy / "weights.safetensors")
    tensors["parts_codes"] = tensors["parts_codes"][:-1]
    save_file(tensors, copy / "weights.safetensors")
    with pytest.raises(CheckpointError, match="do not fit together") as caught:
        load_tagger(copy)
    assert "\n" not in str(caught.value)
