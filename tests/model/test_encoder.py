"""The encoder: its vectors, its files, and what happens when they are damaged."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import CheckpointError, Encoder, load_encoder
from model.checkpoint import CONFIG, META, WEIGHTS, Checkpoint, load_checkpoint, save_checkpoint
from model.embed import PIECE_CHARS, unit_length
from model.evaluate_similarity import PairSet
from model.quantize import quantize_rows, small_integers
from model.rounding import as_stored
from model.stopping import keep_layers, settle_depth

LIMIT_BYTES = 26_000_000
LOAD_LIMIT_S = 0.5
SAME = 1e-5
"""What other texts of a batch may change of a vector."""


def hash_of(folder: Path) -> str:
    return str(json.loads((folder / META).read_text())["hash"])


@given(st.lists(st.text(alphabet=st.characters(), max_size=50), min_size=1, max_size=6))
@settings(deadline=None)
def test_any_text_gets_a_unit_vector_of_its_own(tiny_folder: Path, texts: list[str]) -> None:
    encoder = load_encoder(tiny_folder)
    vectors = encoder.embed(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), encoder.dim)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.allclose(encoder.embed([text])[0], vector, atol=SAME)


def test_batches_of_any_size_give_the_same_vectors(
    tiny_encoder: Encoder, sentences: list[str]
) -> None:
    texts = [*sentences[:300], " ".join(sentences), "", "😀"]
    together = tiny_encoder.embed(texts)
    backwards = tiny_encoder.embed(texts[::-1])[::-1]
    assert np.allclose(together, backwards, atol=SAME)
    assert np.array_equal(together, tiny_encoder.embed(texts))
    assert all(
        np.allclose(tiny_encoder.embed([t])[0], v, atol=SAME)
        for t, v in zip(texts, together, strict=True)
    )


HOSTILE = {
    "empty": "",
    "one character": "x",
    "no space": "ab" * 500_000,
    "lone surrogates": "\ud800 left \udfff",
    "zero bytes": "nothing\0here\0",
    "right to left": "שלום עולם \u202emixed",
    "joiners": "👩\u200d👩\u200d👧\u200d👦 family",
    "distinct units": " ".join(f"{number:x}" for number in range(1_000_000)),
    "one character again and again": "e" * 300_000,
}
MAX_MEMORY_MB = 100
"""For a text of megabytes, beyond the text itself."""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_gets_a_finite_unit_vector_in_bounded_memory(
    tiny_encoder: Encoder, name: str
) -> None:
    tracemalloc.start()
    (vector,) = tiny_encoder.embed([HOSTILE[name]])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert peak < MAX_MEMORY_MB * 1e6


def test_a_long_text_is_the_sum_of_its_pieces(tiny_encoder: Encoder) -> None:
    word = "bridge " * (PIECE_CHARS // 7 + 100)
    bag = tiny_encoder.limited(depth=0)
    assert np.allclose(bag.embed([word])[0], bag.embed(["bridge"])[0], atol=SAME)
    mixed = ["The mayor opens the old bridge.", word, ""]
    together = tiny_encoder.embed(mixed)
    assert all(
        np.allclose(tiny_encoder.embed([t])[0], v, atol=SAME)
        for t, v in zip(mixed, together, strict=True)
    )


def test_depth_and_stop_can_be_limited(tiny_encoder: Encoder, sentences: list[str]) -> None:
    texts = sentences[:40]
    assert tiny_encoder.depth == 2
    variants = tiny_encoder.variants()
    assert list(variants) == ["depth 0", "depth 1", "depth 2"]
    assert len({variant.name for variant in variants.values()} | {tiny_encoder.name}) == 4
    always = tiny_encoder.limited(depth=2, stop_cosine=-1.0)
    assert always.layers_run(texts).tolist() == [1] * 40
    assert np.allclose(always.embed(texts), variants["depth 1"].embed(texts), atol=SAME)
    assert variants["depth 2"].layers_run(texts).tolist() == [2] * 40
    for depth in (-1, 3):
        with pytest.raises(ValueError, match="not within 0 to 2"):
            tiny_encoder.limited(depth=depth)


def test_unit_states_add_up_to_the_vector(tiny_encoder: Encoder, sentences: list[str]) -> None:
    texts = [*sentences[:300], "", "😀"]
    states, offsets = tiny_encoder.unit_states(texts)
    assert len(offsets) == len(texts) + 1
    sums = np.stack([states[a:b].sum(axis=0) for a, b in itertools.pairwise(offsets)])
    assert np.allclose(unit_length(sums), tiny_encoder.embed(texts), atol=SAME)


@pytest.mark.parametrize("name", ["scales", "trunk.outlet_norm.weight"])
def test_weights_that_are_no_numbers_are_refused(
    tiny_folder: Path, tmp_path: Path, name: str
) -> None:
    checkpoint = load_checkpoint(tiny_folder)
    broken = checkpoint.arrays[name].copy()
    broken[0] = np.nan
    arrays = {**checkpoint.arrays, name: broken}
    save_checkpoint(Checkpoint(arrays, checkpoint.config, checkpoint.meta), tmp_path / "nan")
    with pytest.raises(CheckpointError, match="finite"):
        load_encoder(tmp_path / "nan")


def test_empty_and_unknown_texts_share_a_fixed_vector(tiny_encoder: Encoder) -> None:
    vectors = tiny_encoder.embed(["", " \n\t", "\u200b"])
    assert vectors[0].tolist() == [1.0] + [0.0] * (tiny_encoder.dim - 1)
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[0], vectors[2])
    assert tiny_encoder.embed([]).shape == (0, tiny_encoder.dim)


def test_case_and_accents_do_not_matter(tiny_encoder: Encoder) -> None:
    # One at a time: how a matrix product rounds may depend on the place of a row.
    texts = ("The Old Bridge", "the old bridge", "THE ÓLD BRIDGE")
    a, b, c = (tiny_encoder.embed([text])[0] for text in texts)
    assert np.array_equal(a, b)
    assert np.array_equal(a, c)


def test_like_texts_are_nearer(tiny_encoder: Encoder) -> None:
    vectors = tiny_encoder.embed(
        [
            "The mayor opens the old bridge on Monday.",
            "On Monday the mayor opens the old bridge.",
            "A farmer sells a small bakery before noon.",
        ]
    )
    assert vectors[0] @ vectors[1] > 0.9
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3


def test_saved_and_loaded_weights_are_equal_to_the_bit(tiny_folder: Path, tmp_path: Path) -> None:
    first = load_checkpoint(tiny_folder)
    save_checkpoint(first, tmp_path / "again")
    second = load_checkpoint(tmp_path / "again")
    assert first.config == second.config
    assert first.meta == second.meta
    assert first.arrays.keys() == second.arrays.keys()
    assert all(np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays)
    texts = ["The captain visits the harbour.", ""]
    before, after = (load_encoder(at) for at in (tiny_folder, tmp_path / "again"))
    assert before.name == after.name
    assert np.array_equal(before.embed(texts), after.embed(texts))


def test_the_name_changes_with_the_weights(tiny_folder: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(tiny_folder)
    rows = checkpoint.arrays["rows"].copy()
    rows[0, 0] ^= 1
    changed = Checkpoint({**checkpoint.arrays, "rows": rows}, checkpoint.config, checkpoint.meta)
    save_checkpoint(changed, tmp_path / "changed")
    name, other = (load_encoder(at).name for at in (tiny_folder, tmp_path / "changed"))
    assert name.startswith("tidings-embed-tiny-")
    assert name != other


def test_the_name_changes_with_the_settings_but_not_with_the_notes(
    tiny_folder: Path, tmp_path: Path
) -> None:
    checkpoint = load_checkpoint(tiny_folder)
    noted = Checkpoint(checkpoint.arrays, checkpoint.config, {**checkpoint.meta, "note": "x"})
    fewer = {**checkpoint.config, "trusted_rows": 1}
    save_checkpoint(noted, tmp_path / "noted")
    save_checkpoint(Checkpoint(checkpoint.arrays, fewer, checkpoint.meta), tmp_path / "fewer")
    assert hash_of(tmp_path / "noted") == hash_of(tiny_folder)
    assert hash_of(tmp_path / "fewer") != hash_of(tiny_folder)


def test_replacing_weights_keeps_other_files(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "embed"
    shutil.copytree(tiny_folder, folder)
    (folder / "evaluation.json").write_text("{}")
    save_checkpoint(load_checkpoint(tiny_folder), folder)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(["evaluation.json", CONFIG, META, WEIGHTS])
    assert [path.name for path in tmp_path.iterdir()] == ["embed"]


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, META])
def test_a_missing_file_is_named(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "embed"
    shutil.copytree(tiny_folder, folder)
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        load_encoder(folder)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, META])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_file_is_refused(
    tiny_folder: Path, tmp_path: Path, name: str, damage: str
) -> None:
    folder = tmp_path / "embed"
    shutil.copytree(tiny_folder, folder)
    content = bytearray((folder / name).read_bytes())
    if damage == "flip":
        at = len(content) // 2 if name == WEIGHTS else content.index(b'"') + 1
        content[at] ^= 1
    kept = {"cut": len(content) // 2, "flip": len(content), "empty": 0}[damage]
    (folder / name).write_bytes(bytes(content[:kept]))
    if (name, damage) == (META, "flip"):
        return  # a changed note changes no vector
    with pytest.raises(CheckpointError):
        load_encoder(folder)


def test_another_kind_of_weights_is_refused(tmp_path: Path) -> None:
    save_checkpoint(Checkpoint({"rows": np.zeros(3)}, {"what": "else"}, {}), tmp_path / "other")
    with pytest.raises(CheckpointError, match="no encoder"):
        load_encoder(tmp_path / "other")


@pytest.mark.parametrize(("bits", "allowed"), [(4, 0.12), (8, 0.01), (32, 0.0)])
def test_rows_survive_rounding(bits: int, allowed: float) -> None:
    rows = np.random.default_rng(3).standard_normal((50, 256)).astype(np.float32)
    rows[7] = 0
    stored, scales = quantize_rows(rows, bits=bits)
    assert stored.nbytes * 32 == rows.nbytes * bits
    found = small_integers(stored, bits=bits).astype(np.float32) * scales[:, None]
    lost = np.linalg.norm(found - rows, axis=1)
    assert (lost <= allowed * np.linalg.norm(rows, axis=1) + 1e-6).all()
    with pytest.raises(ValueError, match="not stored in"):
        small_integers(stored.astype(np.int64), bits=bits)


def test_rows_in_training_are_what_will_be_stored() -> None:
    rows = torch.from_numpy(np.random.default_rng(4).standard_normal((30, 16)).astype(np.float32))
    rows[7] = 0
    stored, scales = quantize_rows(rows.numpy(), bits=4)
    kept = small_integers(stored, bits=4).astype(np.float32) * scales[:, None]
    rows.requires_grad_()
    rounded = as_stored(rows)
    np.testing.assert_allclose(rounded.detach().numpy(), kept, atol=1e-6)
    (rounded * 3).sum().backward()
    assert rows.grad is not None
    assert (rows.grad == 3).all()


def test_the_packaged_encoder_is_small_and_knows_english() -> None:
    encoder = load_encoder()
    assert encoder.dim == 256
    assert encoder.bytes <= LIMIT_BYTES
    assert encoder.contexts is not None
    near, far = encoder.embed(["A man is playing a guitar.", "Shares fell sharply on Tuesday."])
    (query,) = encoder.embed(["Someone plays an instrument."])
    assert query @ near > query @ far + 0.3


def test_the_packaged_encoder_loads_fast_and_without_torch() -> None:
    code = (
        "import sys, time; import numpy, safetensors.numpy; t = time.perf_counter();"
        "from model import load_encoder; load_encoder().embed(['warm']);"
        "assert 'torch' not in sys.modules; print(time.perf_counter() - t)"
    )
    # The best of three: other work on the machine must not fail this.
    seconds = min(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(3)
    )
    assert seconds < LOAD_LIMIT_S


def test_layers_left_out_leave_the_exits_below_as_they_were(
    tiny_folder: Path, tiny_encoder: Encoder, sentences: list[str]
) -> None:
    texts = sentences[:40]
    for depth in range(tiny_encoder.depth + 1):
        kept = Encoder(keep_layers(load_checkpoint(tiny_folder), depth))
        assert kept.depth == depth
        as_before = tiny_encoder.limited(depth=depth, stop_cosine=kept.stop_cosine)
        assert np.array_equal(kept.embed(texts), as_before.embed(texts))


@pytest.mark.parametrize("loss", [0.0, 1e3])
def test_the_least_depth_that_people_agree_with_is_kept(
    tiny_folder: Path,
    tiny_encoder: Encoder,
    sentences: list[str],
    monkeypatch: pytest.MonkeyPatch,
    loss: float,
) -> None:
    monkeypatch.setattr("model.stopping.DEPTH_LOSS", loss)
    first, second = tuple(sentences[:60]), tuple(sentences[60:120])
    for best in range(tiny_encoder.depth + 1):
        limited = tiny_encoder.limited(depth=best)
        agreed = (limited.embed(first) * limited.embed(second)).sum(axis=1)
        pairs = PairSet("made", first, second, tuple(agreed.tolist()), ("",) * len(first))
        settled = settle_depth(load_checkpoint(tiny_folder), sentences, [pairs])
        assert Encoder(settled).depth == (0 if loss else best)
        assert settled.meta["development_by_depth"][best] == pytest.approx(100)
    assert Encoder(settle_depth(load_checkpoint(tiny_folder), sentences, [])).depth == best
