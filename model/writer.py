"""Text continued by a local checkpoint of the Llama 2 and Mistral family, with the tokenizer that lies beside it.

Nothing is read before the first text is asked for. It writes what is likely, true or not: who asks it checks.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import CheckpointError
from model.extras import extra

if TYPE_CHECKING:
    from model.llama import Llama

TOKENIZER = "tokenizer.json"
ENDINGS = ("generation_config.json", "config.json")
"""Files that may say which tokens end a text."""
CHUNK_LEN = 64
"""Tokens of a prompt that are read between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class WriterBounds:
    """How much a writer may write."""

    max_tokens: int = 80
    max_prompt_tokens: int = 1024
    """A longer prompt is not continued."""
    seconds: float = 30.0
    """For one text, after the checkpoint is loaded; a step that has begun is finished."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    llama: Llama
    tokenizer: Any  # of an optional library
    end_ids: frozenset[int]


class Writer:
    """Continues a text greedily up to the end of its first line. Thread-safe."""

    def __init__(
        self,
        folder: Path,
        bounds: WriterBounds | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Name the checkpoint; it is read by the first `write`.

        Args:
            folder: with `config.json`, `*.safetensors` and `tokenizer.json`.
            bounds: on what is written.
            clock: seconds that pass.
        """
        self.folder = folder
        self.bounds = bounds or WriterBounds()
        self._clock = clock
        self._loading = threading.Lock()
        self._loaded: _Loaded | None = None

    def write(self, prompt: str) -> str:
        """Continue a prompt; the same prompt gives the same line, unless time runs out.

        Returns:
            The first line that is not empty, perhaps cut short by a bound; "" when the prompt is too long.

        Raises:
            CheckpointError: a file is missing, damaged or not of this family.
            ModelError: the tokenizer's library is not installed.
        """
        loaded = self._load()
        ids = loaded.tokenizer.encode(prompt).ids
        limit = min(
            self.bounds.max_prompt_tokens,
            loaded.llama.config.context_len - self.bounds.max_tokens,
        )
        if not 0 < len(ids) <= limit:
            return ""
        written: list[int] = []
        text = ""
        for token in self._continue(loaded, ids):
            written.append(token)
            text = loaded.tokenizer.decode(written).strip()
            if "\n" in text or len(written) == self.bounds.max_tokens:
                break
        return text.partition("\n")[0].rstrip()

    def _load(self) -> _Loaded:
        with self._loading:
            if self._loaded is None:
                self._loaded = _load(self.folder)
            return self._loaded

    def _continue(self, loaded: _Loaded, prompt: Sequence[int]) -> Iterator[int]:
        """The likeliest tokens, to the end of the text or of the time."""
        import torch

        from model.llama import Cache

        deadline = self._clock() + self.bounds.seconds
        cache = Cache(loaded.llama.config)
        unread = torch.split(torch.tensor(prompt), CHUNK_LEN)
        while self._clock() < deadline:
            with torch.no_grad():
                logits = loaded.llama(unread[0], cache)[-1]
            unread = unread[1:]
            if unread:
                continue
            chosen = int(logits.argmax())
            if chosen in loaded.end_ids:
                return
            yield chosen
            unread = (torch.tensor([chosen]),)


def _load(folder: Path) -> _Loaded:
    from model.llama_files import load_llama, read_config

    config, tokenizer = read_config(folder), _read_tokenizer(folder / TOKENIZER)
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if highest >= config.vocab_size:
        raise CheckpointError(
            f"{folder / TOKENIZER} has token {highest}, the checkpoint {config.vocab_size} tokens"
        )
    return _Loaded(load_llama(folder), tokenizer, _end_ids(folder))


def _read_tokenizer(path: Path) -> Any:
    with extra("writer"):
        from tokenizers import Tokenizer
    if not path.is_file():
        raise CheckpointError(f"{path} is missing")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises nothing narrower
        raise CheckpointError(f"cannot read {path}: {exc}") from exc


def _end_ids(folder: Path) -> frozenset[int]:
    """The tokens that end a text, by any of the files that may say so; a damaged one says nothing."""
    ids: set[int] = set()
    for name in ENDINGS:
        try:
            said = json.loads((folder / name).read_text(encoding="utf8")).get("eos_token_id")
        except (OSError, ValueError, AttributeError):
            continue
        ids.update(it for it in (said if isinstance(said, list) else [said]) if type(it) is int)
    return frozenset(ids)
