"""Published checkpoints of the Llama 2 and Mistral family, read from a local folder.

The layout is that of transformers: `config.json`, and `model.safetensors` or several shards with
`model.safetensors.index.json`. Files are read as data only: nothing in the folder is executed, and
an index cannot name a file elsewhere. Vocabularies are not read.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from model.errors import CheckpointError
from model.llama import Llama, LlamaConfig, Rows
from model.quantize import quantize_rows

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
SIZE_LIMIT = 2**31
"""A larger number in a config is damage."""
DTYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}
"""As safetensors names them."""


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What transformers assumes where `config.json` says nothing."""

    context_len: int
    n_kv_head: int | None
    """None is as many as heads."""
    window: int | None


_DEFAULTS = {
    "llama": _Defaults(context_len=2048, n_kv_head=None, window=None),
    "mistral": _Defaults(context_len=131_072, n_kv_head=8, window=4096),
}

_OUTSIDE = {"embedding": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}
"""What published files call the parts of a decoder, by our names."""
_INSIDE = {
    "attention_norm": "input_layernorm",
    "mlp_norm": "post_attention_layernorm",
    **{f"attention.{it}": f"self_attn.{it}_proj" for it in ("q", "k", "v", "o")},
    **{f"mlp.{it}": f"mlp.{it}_proj" for it in ("gate", "up", "down")},
}
"""The same of a layer."""
_UNSCALED = ("default", None)
_IGNORED = re.compile(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq")
"""Older files hold the rotary frequencies, which follow from the config."""


def read_config(folder: Path) -> LlamaConfig:
    """Read what a checkpoint is from its `config.json`.

    Raises:
        CheckpointError: the file is missing or damaged, or asks for what this decoder has not:
            another model_type, scaled rotary positions, biases, another activation.
    """
    path = folder / CONFIG
    fields = _read_json(path)
    model_type = fields.get("model_type")
    if not isinstance(model_type, str) or model_type not in _DEFAULTS:
        known = " or ".join(_DEFAULTS)
        raise CheckpointError(f"{path}: model_type is {model_type!r}, not {known}")
    _refuse_what_differs(fields, path)
    rope = _rope(fields, path)
    defaults = _DEFAULTS[model_type]
    n_embd = _whole(fields, "hidden_size", path)
    n_head = _whole(fields, "num_attention_heads", path)
    window = None
    if model_type == "mistral" and fields.get("sliding_window", defaults.window) is not None:
        window = _whole(fields, "sliding_window", path, defaults.window)
    try:
        return LlamaConfig(
            vocab_size=_whole(fields, "vocab_size", path),
            n_embd=n_embd,
            n_layer=_whole(fields, "num_hidden_layers", path),
            n_head=n_head,
            n_kv_head=_whole(fields, "num_key_value_heads", path, defaults.n_kv_head or n_head),
            head_width=_whole(fields, "head_dim", path, n_embd // n_head),
            mlp_width=_whole(fields, "intermediate_size", path),
            context_len=_whole(fields, "max_position_embeddings", path, defaults.context_len),
            rope_base=_number(rope, "rope_theta", path, 10_000.0),
            norm_eps=_number(fields, "rms_norm_eps", path, 1e-6),
            window=window,
            is_tied=fields.get("tie_word_embeddings") is True,
        )
    except ValueError as exc:
        raise CheckpointError(f"{path}: {exc}") from exc


def load_llama(folder: Path, *, dtype: torch.dtype = torch.float32, is_int8: bool = False) -> Llama:
    """Read a checkpoint; one tensor at a time is held beside the decoder.

    Args:
        folder: on this machine.
        dtype: that weights are converted to, and that the decoder computes in; a floating one.
        is_int8: keep every matrix as int8 with a scale per row, a quarter of float32's memory.

    Returns:
        The decoder, ready to use; its weights are not trainable.

    Raises:
        CheckpointError: a file is missing or damaged; or a tensor is missing, unexpected, of
            another shape or type, or not finite. The message names tensor and file.
    """
    config, file_of = read_config(folder), _files_of_tensors(folder)
    source = folder / (INDEX if (folder / INDEX).exists() else WEIGHTS)
    llama = _without_weights(config, folder / CONFIG, len(file_of))
    shapes = {_published(ours): (ours, it.shape) for ours, it in llama.named_parameters()}
    _compare_names(shapes, file_of, source)
    for file in sorted(set(file_of.values())):
        names = {name for name, its_file in file_of.items() if its_file == file}
        with _opened(folder / file) as shard:
            _compare_names(names, set(shard.keys()), folder / file)
            for name in sorted(names & shapes.keys()):
                ours, shape = shapes[name]
                tensor = _read_tensor(shard, name, tuple(shape), folder / file)
                _put(llama, ours, _converted(tensor, dtype, name, folder / file), is_int8=is_int8)
    return llama


def _without_weights(config: LlamaConfig, path: Path, tensor_count: int) -> Llama:
    # A damaged config is not worth building a million layers for.
    if config.n_layer > tensor_count:
        raise CheckpointError(f"{path}: {config.n_layer} layers, but {tensor_count} tensors")
    try:
        with torch.device("meta"):
            return Llama(config).eval()
    except RuntimeError as exc:
        raise CheckpointError(f"{path}: sizes are too large") from exc


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf8"))
    except FileNotFoundError as exc:
        raise CheckpointError(f"{path} is missing") from exc
    except (OSError, ValueError, RecursionError) as exc:
        raise CheckpointError(f"cannot read {path}: {exc}") from exc
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} does not hold an object")
    return content


def _refuse_what_differs(fields: Mapping[str, Any], path: Path) -> None:
    expected: dict[str, tuple[Any, ...]] = {
        "hidden_act": ("silu", None),
        "attention_bias": (False, None),
        "mlp_bias": (False, None),
        "quantization_config": (None,),
        "tie_word_embeddings": (True, False, None),
    }
    for name, allowed in expected.items():
        if fields.get(name) not in allowed:
            raise CheckpointError(f"{path}: {name} {fields[name]!r} is not supported")


def _rope(fields: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The fields that hold `rope_theta`: since its version 5 transformers puts them together."""
    for name in ("rope_scaling", "rope_parameters"):
        rope = fields.get(name)
        if rope is None:
            continue
        if not isinstance(rope, dict) or rope.get("rope_type", rope.get("type")) not in _UNSCALED:
            raise CheckpointError(f"{path}: {name} {rope!r} is not supported")
    together = fields.get("rope_parameters") or {}
    return together if "rope_theta" in together else fields


def _whole(fields: Mapping[str, Any], name: str, path: Path, default: int | None = None) -> int:
    value: Any = fields.get(name)
    value = default if value is None else value
    if type(value) is not int or not 1 <= value < SIZE_LIMIT:  # a truth value is no size
        raise CheckpointError(f"{path}: {name} is {value!r}, not a whole number above zero")
    return value


def _number(fields: Mapping[str, Any], name: str, path: Path, default: float) -> float:
    value: Any = fields.get(name)
    value = default if value is None else value
    if type(value) not in {int, float} or not 0 < value <= sys.float_info.max:
        raise CheckpointError(f"{path}: {name} is {value!r}, not a number above zero")
    return float(value)


def _published(ours: str) -> str:
    """What published files call a parameter of ours.

    Their query and key rows have the two coordinates of each rotary pair half a head apart, as
    ours have.
    """
    name = ours.removesuffix(".weight")
    if not name.startswith("blocks."):
        return f"{_OUTSIDE[name]}.weight"
    _, layer, part = name.split(".", 2)
    return f"model.layers.{layer}.{_INSIDE[part]}.weight"


def _files_of_tensors(folder: Path) -> dict[str, str]:
    """The file that holds each tensor."""
    if not (folder / INDEX).exists():
        with _opened(folder / WEIGHTS) as only:
            return dict.fromkeys(only.keys(), WEIGHTS)
    files = _read_json(folder / INDEX).get("weight_map")
    if not isinstance(files, dict):
        raise CheckpointError(f"{folder / INDEX}: weight_map is not an object")
    for name, file in files.items():
        if not isinstance(file, str) or re.fullmatch(r"[\w-][\w.-]*\.safetensors", file) is None:
            raise CheckpointError(f"{folder / INDEX}: {name} is said to be in {file!r}")
    return files


def _opened(path: Path) -> Any:  # safetensors leaves what it can do without types
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError as exc:
        raise CheckpointError(f"{path} is missing") from exc
    except (OSError, SafetensorError) as exc:
        raise CheckpointError(f"cannot read {path}: {exc}") from exc


def _compare_names(expected: Iterable[str], found: Iterable[str], path: Path) -> None:
    """Refuse tensors that are missing or that nobody expects; the first of them is named."""
    missing = sorted(name for name in set(expected) - set(found) if not _IGNORED.fullmatch(name))
    if missing:
        raise CheckpointError(f"tensor {missing[0]} is missing in {path}")
    extra = sorted(name for name in set(found) - set(expected) if not _IGNORED.fullmatch(name))
    if extra:
        raise CheckpointError(f"tensor {extra[0]} in {path} is not expected")


def _read_tensor(shard: Any, name: str, shape: tuple[int, ...], path: Path) -> Tensor:
    try:
        part = shard.get_slice(name)
        found, kind = tuple(part.get_shape()), part.get_dtype()
        if found != shape:
            raise CheckpointError(f"tensor {name} in {path} is {found}, expected {shape}")
        if kind not in DTYPES:
            raise CheckpointError(f"tensor {name} in {path} is {kind}, not one of {list(DTYPES)}")
        tensor: Tensor = shard.get_tensor(name)
    except (OSError, SafetensorError) as exc:
        raise CheckpointError(f"cannot read tensor {name} in {path}: {exc}") from exc
    return tensor


def _converted(tensor: Tensor, dtype: torch.dtype, name: str, path: Path) -> Tensor:
    tensor = tensor.to(dtype, copy=True)  # what was read is a window onto the file
    if not tensor.isfinite().all():
        raise CheckpointError(f"tensor {name} in {path} is not finite as {dtype}")
    return tensor


def _put(llama: Llama, ours: str, tensor: Tensor, *, is_int8: bool) -> None:
    module = llama.get_submodule(ours.removesuffix(".weight"))
    if is_int8 and isinstance(module, Rows):
        values, scales = quantize_rows(np.asarray(tensor.float().numpy()))
        module.keep_as_int8(torch.from_numpy(values), torch.from_numpy(scales).to(tensor.dtype))
    else:
        module.weight = nn.Parameter(tensor, requires_grad=False)
