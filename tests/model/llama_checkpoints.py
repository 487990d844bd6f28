"""Decoders with random weights, by transformers and by us, for the tests of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model.llama import Llama, LlamaConfig

VOCAB_SIZE = 61
CONFIG = LlamaConfig(
    vocab_size=VOCAB_SIZE,
    n_embd=32,
    n_layer=2,
    n_head=4,
    n_kv_head=2,
    head_width=8,
    mlp_width=48,
    context_len=64,
    rope_base=500.0,
    norm_eps=1e-5,
)


def shake(network: torch.nn.Module) -> None:
    """Weights so large that every part of the network matters."""
    torch.manual_seed(7)
    for parameter in network.parameters():
        is_norm = parameter.dim() == 1
        torch.nn.init.normal_(parameter, mean=float(is_norm), std=0.3 if is_norm else 0.2)


def random_llama(config: LlamaConfig = CONFIG) -> Llama:
    llama = Llama(config).eval().requires_grad_(False)
    shake(llama)
    return llama


def published(kind: str, **changes: Any) -> Any:
    """A decoder of transformers, of the sizes of `CONFIG` but for the changes."""
    transformers = pytest.importorskip("transformers")
    config_class, decoder_class = {
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
        "mistral": (transformers.MistralConfig, transformers.MistralForCausalLM),
    }[kind]
    fields = {
        "vocab_size": VOCAB_SIZE,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
        "attn_implementation": "eager",
    }
    decoder = decoder_class(config_class(**(fields | changes))).eval().requires_grad_(False)
    shake(decoder)
    return decoder


def saved(decoder: Any, folder: Path, **options: Any) -> Path:
    decoder.save_pretrained(folder, **options)
    return folder


def some_ids(count: int, seed: int = 3) -> Tensor:
    return torch.randint(VOCAB_SIZE, (count,), generator=torch.Generator().manual_seed(seed))


def expected_logits(decoder: Any, ids: Tensor) -> Tensor:
    """What transformers says, float32 (T, V)."""
    with torch.no_grad():
        logits: Tensor = decoder(ids[None]).logits[0].float()
    return logits


def assert_close(found: Tensor, expected: Tensor, atol: float) -> None:
    assert found.shape == expected.shape
    difference = (found - expected).abs().max().item()
    assert difference <= atol
