"""The trunk: windows, the network against references, and stopping early."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.config import TrunkConfig
from model.step_batch import as_windows
from model.transformer import Block, Trunk, View
from model.trunk import PREFIX, NumpyTrunk, text_sums
from model.windows import lay_out, pack

WIDTH = 24
CONFIG = TrunkConfig(n_layer=3, n_embd=32, n_head=4, n_kv_head=2, mlp_width=48, window=16)
NEVER = 2.0

unit_counts = st.lists(st.integers(0, 60), min_size=1, max_size=8)


def offsets_of(counts: list[int]) -> npt.NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(np.array(counts, dtype=np.int64))))


def some_units(count: int) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(count)
    return (rng.standard_normal((count, WIDTH)) * 0.1).astype(np.float32)


def random_trunk(config: TrunkConfig = CONFIG) -> Trunk:
    """A trunk whose doors are open, unlike a new one's."""
    torch.manual_seed(5)
    trunk = Trunk(config, WIDTH)
    for parameter in trunk.parameters():
        torch.nn.init.normal_(parameter, std=0.1 if parameter.dim() > 1 else 0.5)
    return trunk


def stored(trunk: Trunk) -> NumpyTrunk:
    arrays = {PREFIX + name: values.numpy() for name, values in trunk.state_dict().items()}
    return NumpyTrunk(trunk.config, arrays, WIDTH)


@given(unit_counts, st.sampled_from([1, 5, 16, 64]))
def test_every_unit_has_one_slot_in_a_window_of_its_text(counts: list[int], window: int) -> None:
    offsets = offsets_of(counts)
    layout = lay_out(offsets, window)
    assert np.array_equal(np.sort(layout.unit_of[layout.is_filled]), np.arange(offsets[-1]))
    assert np.array_equal(layout.unit_of[layout.slot_of], np.arange(offsets[-1]))
    text_of = np.repeat(np.arange(len(counts)), counts)
    windows = []
    for group in layout.groups:
        assert group.length <= window
        for units, filled in zip(
            layout.unit_of[group.slots].reshape(-1, group.length),
            layout.is_filled[group.slots].reshape(-1, group.length),
            strict=True,
        ):
            assert filled[0]
            assert (np.diff(units[filled]) == 1).all()
            assert len(set(text_of[units])) == 1
            windows.append(text_of[units[0]])
    # As few windows as will do.
    assert np.bincount(windows, minlength=len(counts)).tolist() == [-(-n // window) for n in counts]


@given(unit_counts, st.sampled_from([1, 5, 16, 64]))
def test_packed_windows_hold_every_unit_beside_its_neighbours(
    counts: list[int], window: int
) -> None:
    offsets = offsets_of(counts)
    packing = pack(offsets, window)
    assert packing.unit_of.shape == packing.piece_of.shape
    pieces, slots = packing.piece_of.reshape(-1), packing.slot_of
    assert np.array_equal(packing.unit_of.reshape(-1)[slots], np.arange(offsets[-1]))
    assert np.array_equal(np.sort(slots), np.flatnonzero(pieces >= 0))
    text_of = np.repeat(np.arange(len(counts)), counts)
    for piece in np.unique(pieces[pieces >= 0]):
        places = np.flatnonzero(pieces == piece)
        assert (np.diff(places) == 1).all()
        assert places[0] // window == places[-1] // window
        units = packing.unit_of.reshape(-1)[places]
        assert (np.diff(units) == 1).all()
        assert len(set(text_of[units])) == 1
    # No two windows could be one, but for the rule that the longest piece comes first.
    filled = np.sort((packing.piece_of >= 0).sum(axis=1))
    assert len(filled) < 2 or filled[0] + filled[1] > window


@given(unit_counts.filter(any))
def test_numpy_and_torch_give_the_same_numbers(counts: list[int]) -> None:
    trunk, offsets = random_trunk(), offsets_of(counts)
    units = some_units(offsets[-1])
    with torch.no_grad():
        expected = trunk(torch.from_numpy(units), as_windows(offsets, trunk.config.window))
    for depth in range(1, CONFIG.n_layer + 1):
        found, layers = stored(trunk).refine(units, offsets, depth=depth, stop_cosine=NEVER)
        assert np.allclose(found, expected[depth - 1].numpy(), atol=1e-5)
        assert layers.tolist() == [depth] * len(counts)


@given(unit_counts)
def test_a_text_gets_the_same_states_alone(counts: list[int]) -> None:
    trunk, offsets = stored(random_trunk()), offsets_of(counts)
    units = some_units(offsets[-1])
    together, _ = trunk.refine(units, offsets, depth=3, stop_cosine=0.9)
    for start, end in itertools.pairwise(offsets):
        alone, _ = trunk.refine(
            units[start:end], offsets_of([end - start]), depth=3, stop_cosine=0.9
        )
        assert np.allclose(together[start:end], alone, atol=1e-5)


def test_a_block_equals_llamas() -> None:
    llama = pytest.importorskip("transformers.models.llama.modeling_llama")
    from transformers import LlamaConfig

    config = LlamaConfig(
        hidden_size=CONFIG.n_embd,
        intermediate_size=CONFIG.mlp_width,
        num_attention_heads=CONFIG.n_head,
        num_key_value_heads=CONFIG.n_kv_head,
        rms_norm_eps=1e-5,
    )
    config._attn_implementation = "eager"
    reference = llama.LlamaDecoderLayer(config, layer_idx=0).eval()
    block = Block(CONFIG)
    names = {
        "input_layernorm": "attention_norm",
        "post_attention_layernorm": "mlp_norm",
        **{f"self_attn.{n}_proj": f"attention.{n}" for n in "qkvo"},
        **{f"mlp.{n}_proj": f"mlp.{n}" for n in ("gate", "up", "down")},
    }
    for name, values in reference.state_dict().items():
        torch.nn.init.normal_(values, std=0.2)
        ours = names[name.removesuffix(".weight")] + ".weight"
        block.state_dict()[ours].copy_(values)
    length = 12
    x = torch.randn(length, CONFIG.n_embd, generator=torch.Generator().manual_seed(1))
    angles = llama.LlamaRotaryEmbedding(config)(x[None], torch.arange(length)[None])
    everything = torch.zeros(1, 1, length, length)  # every unit sees every other
    with torch.no_grad():
        expected = reference(x[None], attention_mask=everything, position_embeddings=angles)
        expected = expected[0] if isinstance(expected, tuple) else expected
        found = block(x[None], View(torch.zeros(1, length), CONFIG))
    assert torch.allclose(found[0], expected.reshape(length, -1), atol=1e-5)


def test_only_relative_positions_matter() -> None:
    view = View(torch.zeros(1, 8), CONFIG)
    vectors = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(2))
    query = view.turn(vectors[0].expand(1, 8, 1, 8))[0, :, 0]
    key = view.turn(vectors[1].expand(1, 8, 1, 8))[0, :, 0]
    scores = query @ key.T
    for step in range(-7, 8):
        along = torch.diagonal(scores, step)
        assert torch.allclose(along, along[0].expand_as(along), atol=1e-5)
    assert (scores[0] - scores[0, 0]).abs().max() > 1e-3


def test_without_positions_order_does_not_matter() -> None:
    config = TrunkConfig(
        n_layer=2, n_embd=32, n_head=4, n_kv_head=2, mlp_width=48, window=16, is_relative=False
    )
    units, order = some_units(10), np.random.default_rng(3).permutation(10)
    for trunk, is_blind in ((random_trunk(config), True), (random_trunk(), False)):
        first, _ = stored(trunk).refine(units, offsets_of([10]), depth=2, stop_cosine=NEVER)
        second, _ = stored(trunk).refine(units[order], offsets_of([10]), depth=2, stop_cosine=NEVER)
        assert np.allclose(first[order], second, atol=1e-5) == is_blind


def test_a_new_trunk_refines_nothing() -> None:
    units = torch.from_numpy(some_units(9))
    for refined in Trunk(CONFIG, WIDTH)(units, as_windows(offsets_of([4, 5]), CONFIG.window)):
        assert torch.equal(refined, units)


def test_a_text_stops_when_its_vector_has_stopped_moving() -> None:
    trunk = stored(random_trunk())
    offsets = offsets_of([5, 9, 3, 12, 7, 1])
    units = some_units(int(offsets[-1]))
    by_depth = [
        text_sums(trunk.refine(units, offsets, depth=depth, stop_cosine=NEVER)[0], offsets)
        for depth in range(4)
    ]
    unit = [sums / np.linalg.norm(sums, axis=1, keepdims=True) for sums in by_depth]
    moved = np.stack([(unit[at] * unit[at - 1]).sum(axis=1) for at in (1, 2)])
    stop = float(np.median(moved[0]))
    expected = np.where(moved[0] >= stop, 1, np.where(moved[1] >= stop, 2, 3))
    refined, layers = trunk.refine(units, offsets, depth=3, stop_cosine=stop)
    assert layers.tolist() == expected.tolist()
    assert len(set(layers)) > 1
    chosen = np.stack(by_depth)[layers, np.arange(6)]
    assert np.allclose(text_sums(refined, offsets), chosen, atol=1e-5)


def test_no_units_are_fine() -> None:
    refined, layers = stored(random_trunk()).refine(
        some_units(0), offsets_of([0, 0]), depth=3, stop_cosine=0.5
    )
    assert refined.shape == (0, WIDTH)
    assert layers.tolist() == [0, 0]


@pytest.mark.parametrize("change", [{"n_head": 3}, {"n_kv_head": 3}, {"n_layer": 0}])
def test_sizes_that_do_not_go_together_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="do not go together"):
        replace(CONFIG, **change)  # type: ignore[arg-type]  # all of them are whole numbers
