"""The decoder: the numbers of transformers, caches and windows, and how tokens are chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.llama import Cache, Llama, Rows, prefill
from model.llama_files import load_llama
from model.llama_generate import Sampling, choose, generate, nucleus
from tests.model.llama_checkpoints import (
    CONFIG,
    VOCAB_SIZE,
    assert_close,
    expected_logits,
    published,
    random_llama,
    saved,
    some_ids,
)

GREEDY = Sampling(temperature=0)
WINDOW = 8


def in_chunks(llama: Llama, ids: Tensor, lengths: list[int]) -> tuple[Tensor, Cache]:
    """Logits of a text given piece by piece; the rest follows a token at a time."""
    cache = Cache(llama.config)
    lengths = [*lengths, *[1] * len(ids)]
    logits, at = [], 0
    while at < len(ids):
        length = lengths.pop(0)
        logits.append(llama(ids[at : at + length], cache))
        at += length
    return torch.cat(logits), cache


def continuation(llama: Llama, ids: list[int], count: int) -> list[int]:
    """The likeliest tokens, the whole text read again for each."""
    for _ in range(count):
        ids = [*ids, int(llama(torch.tensor(ids))[-1].argmax())]
    return ids[-count:]


# --------------------------------------------------------------------------------- against transformers
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("llama", {}),
        ("llama", {"num_key_value_heads": 4, "tie_word_embeddings": True}),
        ("llama", {"num_key_value_heads": 1, "head_dim": 12}),
        ("llama", {"hidden_size": 64, "rms_norm_eps": 1e-2}),
        ("mistral", {"sliding_window": WINDOW}),
        ("mistral", {"sliding_window": None, "num_key_value_heads": 4}),
        ("mistral", {"sliding_window": WINDOW, "tie_word_embeddings": True}),
    ],
    ids=str,
)
def test_logits_equal_those_of_transformers(
    kind: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    decoder, ids = published(kind, **changes), some_ids(40)
    llama = load_llama(saved(decoder, tmp_path))
    assert llama.config.window == changes.get("sliding_window")
    expected = expected_logits(decoder, ids)
    assert expected.std() > 0.5  # there is something to compare
    assert_close(llama(ids), expected, 1e-4)
    found, _ = in_chunks(llama, ids, [11, 3, 17])
    assert_close(found, expected, 1e-4)


def test_greedy_tokens_equal_those_of_transformers(tmp_path: Path) -> None:
    decoder = published("mistral", sliding_window=WINDOW)
    llama, ids = load_llama(saved(decoder, tmp_path)), some_ids(12)
    expected = decoder.generate(
        ids[None],
        attention_mask=torch.ones_like(ids[None]),
        max_new_tokens=20,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    found = list(generate(llama, ids.tolist(), GREEDY, max_tokens=20))
    assert found == expected[0, len(ids) :].tolist()


# --------------------------------------------------------------------------------------------- caches
@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 20), max_size=5), st.sampled_from([None, 1, 5, WINDOW, 100]))
def test_any_chunks_give_the_logits_of_the_whole(lengths: list[int], window: int | None) -> None:
    llama, ids = random_llama(replace(CONFIG, window=window)), some_ids(40)
    found, cache = in_chunks(llama, ids, lengths)
    assert_close(found, llama(ids), 1e-5)
    assert cache.length == len(ids)


def test_a_window_is_a_rolling_buffer() -> None:
    llama, ids = random_llama(replace(CONFIG, window=WINDOW)), some_ids(150)
    cache = Cache(llama.config)
    found = []
    for position, token in enumerate(ids):
        found.append(llama(token[None], cache))
        positions = cache.positions().tolist()
        assert sorted(positions) == list(range(max(position - WINDOW + 1, 0), position + 1))
        assert [it % WINDOW for it in positions] == list(range(len(positions)))
        assert cache.slot_count <= WINDOW
    # Far beyond the window, and beyond what a cache without one would hold.
    assert len(ids) > llama.config.context_len
    assert_close(torch.cat(found), llama(ids), 1e-5)


def test_a_window_bounds_what_a_token_can_know() -> None:
    llama, ids = random_llama(replace(CONFIG, window=WINDOW)), some_ids(40)
    reach = llama.config.n_layer * (WINDOW - 1)  # a window less itself in every layer
    last = llama(ids)[-1]
    for distance, is_known in ((reach + 1, False), (reach, True)):
        changed = ids.clone()
        changed[-1 - distance] = (changed[-1 - distance] + 1) % VOCAB_SIZE
        assert (not torch.equal(llama(changed)[-1], last)) == is_known


def test_what_comes_later_changes_nothing() -> None:
    llama, ids = random_llama(), some_ids(20)
    changed = ids.clone()
    changed[12] = (changed[12] + 1) % VOCAB_SIZE
    before, after = llama(ids), llama(changed)
    assert_close(after[:12], before[:12], 1e-6)
    assert ((after[12:] - before[12:]).abs().amax(dim=1) > 1e-3).all()


def test_without_a_window_a_cache_grows_to_its_limit() -> None:
    llama, ids = random_llama(), some_ids(64)
    cache = Cache(llama.config, limit=20)
    slot_counts = []
    for token in ids[:20]:
        llama(token[None], cache)
        slot_counts.append(cache.slot_count)
    assert slot_counts == [1, 2, 4, 4, 8, 8, 8, 8, *[16] * 8, *[20] * 4]
    with pytest.raises(ValueError, match="holds 20 tokens, 21 are too many"):
        llama(ids[20:21], cache)
    with pytest.raises(ValueError, match="holds 64 tokens, 65 are too many"):
        llama(some_ids(65), Cache(llama.config))


def test_a_refused_chunk_leaves_the_cache_as_it_was() -> None:
    llama, ids = random_llama(), some_ids(20)
    cache = Cache(llama.config, limit=20)
    first = llama(ids[:12], cache)
    with pytest.raises(ValueError, match="too many"):
        llama(ids[:9], cache)
    with pytest.raises(IndexError):
        llama(torch.tensor([VOCAB_SIZE]), cache)
    assert_close(torch.cat((first, llama(ids[12:], cache))), llama(ids), 1e-5)


@pytest.mark.parametrize("chunk_len", [1, 7, 30, 100])
def test_prefill_gives_the_logits_after_the_prompt(chunk_len: int) -> None:
    llama, ids = random_llama(replace(CONFIG, window=WINDOW)), some_ids(30)
    cache = Cache(llama.config)
    last = prefill(llama, ids, cache, chunk_len=chunk_len)
    assert_close(last, llama(ids)[-1], 1e-5)
    assert cache.length == 30


def test_gradients_do_not_flow_into_a_cache() -> None:
    llama, ids = random_llama().requires_grad_(True), some_ids(10)
    cache = Cache(llama.config)
    for chunk in (ids[:6], ids[6:]):
        llama(chunk, cache).sum().backward()
    weight = llama.get_submodule("blocks.0.attention.k").weight
    assert isinstance(weight, Tensor)
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


@pytest.mark.parametrize("ids", [torch.arange(0), torch.zeros(1, 3, dtype=torch.int64)])
def test_only_some_tokens_in_a_row_are_read(ids: Tensor) -> None:
    with pytest.raises(ValueError, match="tokens in a row"):
        random_llama()(ids)


@pytest.mark.parametrize(
    "change",
    [{"n_kv_head": 3}, {"head_width": 7}, {"n_layer": 0}, {"window": 0}, {"rope_base": 0.0}],
    ids=str,
)
def test_sizes_that_do_not_go_together_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"together|above zero"):
        replace(CONFIG, **change)


def test_int8_rows_are_restored_in_the_product() -> None:
    values = torch.tensor([[127, -127], [10, 0], [0, 3]], dtype=torch.int8)
    scales = torch.tensor([0.5, 2.0, 1.0])
    rows = Rows(2, 3)
    rows.keep_as_int8(values, scales)
    assert rows(torch.tensor([1.0, 2.0])).tolist() == [-63.5, 20.0, 6.0]
    assert rows.look_up(torch.tensor([1, 0])).tolist() == [[20.0, 0.0], [63.5, -63.5]]
    with pytest.raises(ValueError, match="do not fit"):
        rows.keep_as_int8(values, scales[:2])


# ------------------------------------------------------------------------------------ choosing tokens
@pytest.mark.parametrize(
    ("top_p", "expected"),
    [
        (0.3, [0, 1, 0, 0]),
        (0.5, [0, 1, 0, 0]),
        (0.6, [0.25 / 0.75, 0.5 / 0.75, 0, 0]),
        (0.8, [0.25 / 0.88, 0.5 / 0.88, 0, 0.13 / 0.88]),
        (1.0, [0.25, 0.5, 0.12, 0.13]),
    ],
)
def test_a_nucleus_is_the_fewest_tokens_that_are_likely_enough(
    top_p: float, expected: list[float]
) -> None:
    shares = torch.tensor([0.25, 0.5, 0.12, 0.13], dtype=torch.float64)
    assert nucleus(shares, top_p).tolist() == pytest.approx(expected)


def test_of_equally_likely_tokens_the_first_are_kept() -> None:
    assert nucleus(torch.full((4,), 0.25), 0.5).tolist() == [0.5, 0.5, 0, 0]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), st.floats(1e-9, 1))
def test_nothing_in_a_nucleus_can_be_spared(weights: list[int], top_p: float) -> None:
    shares = torch.tensor(weights, dtype=torch.float64)
    shares /= shares.sum()
    kept = nucleus(shares, top_p) > 0
    assert shares[kept].sum() >= top_p - 1e-9
    assert shares[kept].sum() - shares[kept].min() < top_p + 1e-9
    assert shares[kept].min() >= shares[~kept].max() if not kept.all() else True


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    logits = torch.tensor([0.5, 0.125, 0.25, 0.125]).log() * 2
    sampling, rng = Sampling(temperature=2.0, top_p=0.7), torch.Generator().manual_seed(1)
    drawn = torch.tensor([choose(logits, sampling, rng) for _ in range(2000)])
    counts = drawn.bincount(minlength=4) / 2000
    assert counts.tolist() == pytest.approx([2 / 3, 0, 1 / 3, 0], abs=0.04)


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(5e-324), Sampling(top_p=1e-9)], ids=str)
@pytest.mark.parametrize("window", [None, WINDOW])
def test_the_likeliest_tokens_follow_each_other(sampling: Sampling, window: int | None) -> None:
    llama, prompt = random_llama(replace(CONFIG, window=window)), some_ids(11).tolist()
    found = list(generate(llama, prompt, sampling, max_tokens=25))
    assert found == continuation(llama, prompt, 25)
    assert len(set(found)) > 2


def test_a_seed_repeats_its_tokens() -> None:
    llama, prompt = random_llama(), some_ids(5).tolist()
    texts = [
        list(generate(llama, prompt, Sampling(0.8, 0.95, seed), max_tokens=30))
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_a_stop_token_ends_the_text_and_is_not_given_out() -> None:
    llama, prompt = random_llama(), some_ids(5).tolist()
    tokens = list(generate(llama, prompt, Sampling(seed=4), max_tokens=30))
    stop_id = max(tokens, key=tokens.index)  # the one that comes first the latest
    found = list(generate(llama, prompt, Sampling(seed=4), max_tokens=30, stop_id=stop_id))
    assert found == tokens[: tokens.index(stop_id)]
    assert len(found) > 9


@pytest.mark.parametrize(("max_tokens", "count"), [(0, 0), (3, 3), (1000, 5)])
def test_a_text_ends_where_it_must(max_tokens: int, count: int) -> None:
    prompt = some_ids(60).tolist()  # of 64, and one more that need not be read again
    assert len(list(generate(random_llama(), prompt, GREEDY, max_tokens=max_tokens))) == count


def test_a_text_with_a_window_has_no_end_of_its_own() -> None:
    llama = random_llama(replace(CONFIG, window=WINDOW))
    assert len(list(generate(llama, some_ids(70).tolist(), GREEDY, max_tokens=60))) == 60


@pytest.mark.parametrize(
    ("prompt", "max_tokens"),
    [([], 1), ([VOCAB_SIZE], 1), ([-1], 1), ([0], -1), ([0] * 65, 1)],
    ids=["empty", "above", "below", "negative", "long"],
)
def test_a_prompt_that_cannot_be_continued_is_refused(prompt: list[int], max_tokens: int) -> None:
    with pytest.raises(ValueError, match=r"prompt|max_tokens"):
        generate(random_llama(), prompt, GREEDY, max_tokens=max_tokens)


@pytest.mark.parametrize("values", [(-1.0, 1.0), (float("nan"), 1.0), (1.0, 0.0), (1.0, 1.1)])
def test_sampling_out_of_range_is_refused(values: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        Sampling(*values)
