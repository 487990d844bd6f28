"""A tiny checkpoint with random weights and a tokenizer of whole words, in the layout of published ones."""

import json
from pathlib import Path

from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from model.llama import LlamaConfig
from model.llama_files import WEIGHTS, _published
from tests.model.llama_checkpoints import random_llama

TEXT = (
    "<unk> storm petra left many homes without power the museum said thieves stole it [1] . bridge"
)


def save_writer(folder: Path) -> Path:
    """Save the checkpoint into a new folder."""
    folder.mkdir(parents=True)
    vocabulary = {word: number for number, word in enumerate(TEXT.split())}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_kv_head=2,
        head_width=8,
        mlp_width=48,
        context_len=512,
    )
    tensors = {
        _published(name): weight.contiguous()
        for name, weight in random_llama(config).named_parameters()
    }
    save_file(tensors, folder / WEIGHTS)
    fields = {
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "hidden_size": config.n_embd,
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.n_kv_head,
        "intermediate_size": config.mlp_width,
        "max_position_embeddings": config.context_len,
    }
    (folder / "config.json").write_text(json.dumps(fields))
    return folder
