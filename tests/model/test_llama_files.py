"""Published checkpoints: what is read gives the same logits, and what is wrong is named."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.errors import CheckpointError
from model.llama import Llama
from model.llama_files import CONFIG, INDEX, WEIGHTS, load_llama, read_config
from model.llama_generate import Sampling, generate
from tests.model.llama_checkpoints import (
    assert_close,
    expected_logits,
    published,
    saved,
    some_ids,
)

QUERY = "model.layers.1.self_attn.q_proj.weight"
SHARD = "model-00002-of-00003.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file of weights."""
    return saved(published("llama"), tmp_path_factory.mktemp("whole"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(whole, tmp_path / "checkpoint"))


@pytest.fixture
def sharded(folder: Path) -> Path:
    """The same in three shards, by hand."""
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = sorted(tensors)
    files = {name: f"model-0000{1 + at % 3}-of-00003.safetensors" for at, name in enumerate(names)}
    files[QUERY] = SHARD
    for file in set(files.values()):
        save_file({name: tensors[name] for name in names if files[name] == file}, folder / file)
    write_json(folder / INDEX, {"metadata": {}, "weight_map": files})
    return folder


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf8")


def change_config(folder: Path, **changes: Any) -> None:
    fields = json.loads((folder / CONFIG).read_text(encoding="utf8"))
    write_json(folder / CONFIG, fields | changes)


def change_tensors(path: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, path)


def change_files(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    index = json.loads((folder / INDEX).read_text(encoding="utf8"))
    change(index["weight_map"])
    write_json(folder / INDEX, index)


def weight_bytes(llama: Llama) -> int:
    tensors = [*llama.parameters(), *llama.buffers()]
    return sum(it.numel() * it.element_size() for it in tensors)


# ------------------------------------------------------------------------------------- what is read
def test_shards_give_the_logits_of_the_whole(tmp_path: Path) -> None:
    decoder, ids = published("mistral", sliding_window=8), some_ids(30)
    folder = saved(decoder, tmp_path, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    assert_close(load_llama(folder)(ids), expected_logits(decoder, ids), 1e-4)


def test_shards_by_hand_are_read(whole: Path, sharded: Path) -> None:
    ids = some_ids(10)
    assert torch.equal(load_llama(sharded)(ids), load_llama(whole)(ids))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read(dtype: torch.dtype, tmp_path: Path) -> None:
    decoder, ids = published("llama"), some_ids(20)
    folder = saved(decoder.to(dtype), tmp_path)
    # Read again: rounding what was there has rounded its rotary frequencies too.
    decoder = type(decoder).from_pretrained(folder, dtype=torch.float32)
    expected = expected_logits(decoder, ids)
    llama = load_llama(folder)
    assert_close(llama(ids), expected, 1e-4)
    small = load_llama(folder, dtype=dtype)
    assert 2 * weight_bytes(small) == weight_bytes(llama)
    likeness = torch.nn.functional.cosine_similarity(small(ids), expected, dim=-1)
    assert likeness.min() > 0.99


def test_older_configs_are_read(whole: Path, folder: Path) -> None:
    fields = json.loads((folder / CONFIG).read_text(encoding="utf8"))
    del fields["rope_parameters"], fields["head_dim"]
    write_json(folder / CONFIG, fields | {"rope_theta": 500.0, "rope_scaling": None})
    assert read_config(folder) == read_config(whole)
    for name in ("rope_theta", "num_key_value_heads", "rms_norm_eps", "tie_word_embeddings"):
        fields.pop(name, None)
    write_json(folder / CONFIG, fields)
    config = read_config(folder)
    assert (config.rope_base, config.n_kv_head, config.norm_eps) == (10_000.0, 4, 1e-6)
    assert not config.is_tied


@pytest.mark.parametrize(
    ("changes", "window"),
    [({"sliding_window": 12}, 12), ({"sliding_window": None}, None), ({}, 4096)],
)
def test_the_window_of_mistral_is_read(
    changes: dict[str, Any], window: int | None, folder: Path
) -> None:
    change_config(folder, model_type="mistral", **changes)
    assert read_config(folder).window == window
    change_config(folder, model_type="llama")
    assert read_config(folder).window is None


@pytest.mark.parametrize("is_tied", [False, True])
def test_int8_rows_take_a_quarter_and_say_much_the_same(is_tied: bool, tmp_path: Path) -> None:
    decoder = published("llama", hidden_size=64, intermediate_size=96, tie_word_embeddings=is_tied)
    folder, ids = saved(decoder, tmp_path), some_ids(40)
    full, small = load_llama(folder), load_llama(folder, is_int8=True)
    assert {it.dtype for it in small.parameters() if it.dim() == 2} == {torch.int8}
    # Scales and norms are a large part of rows as short as these.
    assert weight_bytes(small) < 0.28 * weight_bytes(full)
    found, expected = small(ids), full(ids)
    likeness = torch.nn.functional.cosine_similarity(found, expected, dim=-1)
    assert likeness.min() > 0.99
    assert not torch.equal(found, expected)
    assert len(list(generate(small, ids.tolist(), Sampling(seed=1), max_tokens=5))) == 5


def test_older_files_may_hold_rotary_frequencies(whole: Path, folder: Path) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    change_tensors(folder / WEIGHTS, lambda it: it.update({name: torch.ones(4)}))
    ids = some_ids(10)
    assert torch.equal(load_llama(folder)(ids), load_llama(whole)(ids))


def test_nothing_in_the_folder_is_executed(whole: Path, folder: Path) -> None:
    mark = folder / "was-here"
    program = f"open({str(mark)!r}, 'w').close()\n"
    for name in ("modeling_llama.py", "configuration_llama.py", "__init__.py", "json.py"):
        (folder / name).write_text(program, encoding="utf8")
    code = {"AutoModelForCausalLM": "modeling_llama.LlamaForCausalLM"}
    change_config(folder, auto_map=code, trust_remote_code=True)
    ids = some_ids(10)
    assert torch.equal(load_llama(folder)(ids), load_llama(whole)(ids))
    assert not mark.exists()


def test_a_decoder_needs_its_files_no_more(whole: Path, folder: Path) -> None:
    llama, ids = load_llama(folder), some_ids(10)
    with (folder / WEIGHTS).open("r+b") as file:
        file.write(bytes((folder / WEIGHTS).stat().st_size))
    assert torch.equal(llama(ids), load_llama(whole)(ids))


# ------------------------------------------------------------------------------------ what is refused
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda it: it.pop(QUERY), f"tensor {QUERY} is missing in"),
        (lambda it: it.pop("lm_head.weight"), "tensor lm_head.weight is missing in"),
        (lambda it: it.update(more=torch.ones(2)), "tensor more in .* is not expected"),
        (
            lambda it: it.update({QUERY: torch.ones(32, 16)}),
            rf"tensor {QUERY} in .* is \(32, 16\), expected \(32, 32\)",
        ),
        (
            lambda it: it.update({QUERY: torch.ones(32, 32, dtype=torch.int32)}),
            f"tensor {QUERY} in .* is I32",
        ),
        (lambda it: it[QUERY][3].fill_(torch.nan), f"tensor {QUERY} in .* is not finite"),
    ],
    ids=["missing", "no head", "extra", "shape", "type", "not finite"],
)
def test_a_wrong_tensor_is_named_with_its_file(
    change: Callable[[dict[str, Tensor]], object], complaint: str, folder: Path
) -> None:
    change_tensors(folder / WEIGHTS, change)
    with pytest.raises(CheckpointError, match=complaint) as caught:
        load_llama(folder)
    assert str(folder / WEIGHTS) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model_type": "gpt2"}, "model_type is 'gpt2', not llama or mistral"),
        ({"model_type": None}, "model_type is None"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling .*'linear'"),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "rope_parameters .*'llama3'"),
        ({"rope_parameters": "yarn"}, "rope_parameters 'yarn' is not supported"),
        ({"attention_bias": True}, "attention_bias True is not supported"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu' is not supported"),
        ({"quantization_config": {"bits": 4}}, "quantization_config .* is not supported"),
        ({"hidden_size": None}, "hidden_size is None"),
        ({"num_hidden_layers": "2"}, "num_hidden_layers is '2'"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"num_hidden_layers": 2**30}, f"{2**30} layers, but 21 tensors"),
        ({"vocab_size": 2**30, "hidden_size": 2**30, "head_dim": 2**30}, "too large|expected"),
        ({"rms_norm_eps": -1}, "rms_norm_eps is -1, not a number above zero"),
        ({"rms_norm_eps": 10**400}, "rms_norm_eps is 1000"),
        ({"num_key_value_heads": 3}, "do not go together"),
    ],
    ids=str,
)
def test_a_config_we_have_no_decoder_for_is_refused(
    changes: dict[str, Any], complaint: str, folder: Path
) -> None:
    change_config(folder, **changes)
    with pytest.raises(CheckpointError, match=complaint) as caught:
        load_llama(folder)
    assert str(folder / CONFIG) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000, "\udcff"], ids=repr)
@pytest.mark.parametrize("name", [CONFIG, INDEX])
def test_broken_json_is_named(name: str, content: str, sharded: Path) -> None:
    (sharded / name).write_bytes(content.encode("utf8", "surrogateescape"))
    with pytest.raises(CheckpointError, match=re.escape(str(sharded / name))):
        load_llama(sharded)


@pytest.mark.parametrize("name", [CONFIG, SHARD])
def test_a_missing_file_is_named(name: str, sharded: Path) -> None:
    (sharded / name).unlink()
    with pytest.raises(CheckpointError, match=re.escape(f"{sharded / name} is missing")):
        load_llama(sharded)


def test_weights_in_a_format_that_runs_code_are_not_read(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=re.escape(f"{folder / WEIGHTS} is missing")):
        load_llama(folder)


@pytest.mark.parametrize("length", [0, 5, 100, -10])
def test_a_cut_file_is_named(length: int, folder: Path) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=re.escape(f"cannot read {path}")):
        load_llama(folder)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda it: it.pop(QUERY), f"tensor {QUERY} is missing in .*{INDEX}"),
        (lambda it: it.update(more=SHARD), f"tensor more in .*{INDEX} is not expected"),
        (lambda it: it.update({QUERY: "model-00001-of-00003.safetensors"}), f"tensor {QUERY}"),
        (lambda it: it.update({QUERY: "../other.safetensors"}), f"{QUERY} is said to be in"),
        (lambda it: it.update({QUERY: "/other.safetensors"}), f"{QUERY} is said to be in"),
        (lambda it: it.update({QUERY: 1}), f"{QUERY} is said to be in 1"),
    ],
    ids=["missing", "extra", "elsewhere", "above", "absolute", "number"],
)
def test_an_index_that_is_wrong_is_refused(
    change: Callable[[dict[str, Any]], object], complaint: str, sharded: Path
) -> None:
    change_files(sharded, change)
    with pytest.raises(CheckpointError, match=complaint):
        load_llama(sharded)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda it: it.pop(QUERY), f"tensor {QUERY} is missing in .*{SHARD}"),
        (lambda it: it.update(more=torch.ones(2)), f"tensor more in .*{SHARD} is not expected"),
        (lambda it: it.update({QUERY: torch.ones(32)}), f"tensor {QUERY} in .*{SHARD} is"),
    ],
    ids=["missing", "extra", "shape"],
)
def test_a_wrong_tensor_is_named_with_its_shard(
    change: Callable[[dict[str, Tensor]], object], complaint: str, sharded: Path
) -> None:
    change_tensors(sharded / SHARD, change)
    with pytest.raises(CheckpointError, match=complaint):
        load_llama(sharded)
