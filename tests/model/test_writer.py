"""A local checkpoint continues a text: bounded, the same each time, and what is wrong with a folder is named."""

import json
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from model import CheckpointError, ModelError, Writer
from model.llama_files import WEIGHTS, load_llama
from model.llama_generate import Sampling, generate
from model.writer import CHUNK_LEN, WriterBounds
from tests.model.writer_checkpoints import TEXT, save_writer

PROMPT = "storm petra left many homes"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_writer(tmp_path_factory.mktemp("writer") / "checkpoint")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "checkpoint"))


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_prompt_is_continued_by_the_likeliest_tokens(whole):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(whole / "tokenizer.json"))
    ids = tokenizer.encode(PROMPT).ids
    chosen = generate(load_llama(whole), ids, Sampling(temperature=0), max_tokens=12)
    expected = tokenizer.decode(list(chosen))
    written = Writer(whole, WriterBounds(max_tokens=12)).write(PROMPT)
    assert written == expected
    assert set(written.split()) <= set(TEXT.split())
    assert len(written.split()) == 12


def test_a_prompt_read_in_pieces_is_the_same_prompt(whole):
    long = " ".join([PROMPT] * 30)
    assert len(long.split()) > 2 * CHUNK_LEN
    ids = Writer(whole)._load().tokenizer.encode(long).ids
    (chosen,) = generate(load_llama(whole), ids, Sampling(temperature=0), max_tokens=1)
    written = Writer(whole, WriterBounds(max_tokens=1)).write(long)
    assert written == TEXT.split()[chosen]


@pytest.mark.parametrize("name", ["config.json", "generation_config.json"])
@pytest.mark.parametrize("is_list", [False, True])
def test_the_text_ends_where_the_checkpoint_says(folder, name, is_list):
    first, *_ = Writer(folder).write(PROMPT).split()
    ending = TEXT.split().index(first)
    if not (folder / name).exists():
        (folder / name).write_text("{}")
    change(folder / name, eos_token_id=[10_000, ending] if is_list else ending)
    assert Writer(folder).write(PROMPT) == ""


def test_only_the_first_line_is_given(folder):
    first, *_ = Writer(folder).write(PROMPT).split()
    change_word(folder / "tokenizer.json", first, "two\nlines")
    assert Writer(folder).write(PROMPT) == "two"


def change_word(path: Path, word: str, other: str) -> None:
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary[other] = vocabulary.pop(word)
    path.write_text(json.dumps(tokenizer))


def test_prompts_are_bounded(whole):
    assert Writer(whole, WriterBounds(max_prompt_tokens=4)).write(PROMPT) == ""
    assert Writer(whole).write(" ".join(["storm"] * 500)) == ""
    assert Writer(whole).write("") == ""


def test_time_is_bounded(whole):
    ticks = count()
    bounds = WriterBounds(seconds=4)
    written = Writer(whole, bounds, clock=lambda: next(ticks)).write(PROMPT)
    assert len(written.split()) == 3


def no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()
    return "tokenizer.json is missing"


def damaged_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{")
    return "cannot read"


def larger_tokenizer(folder):
    change(folder / "config.json", vocab_size=3)
    return "has token"


def other_architecture(folder):
    change(folder / "config.json", model_type="gpt2")
    return "model_type is 'gpt2'"


def damaged_weights(folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:100])
    return "cannot read"


def no_weights(folder):
    (folder / WEIGHTS).unlink()
    return "model.safetensors is missing"


def no_config(folder):
    (folder / "config.json").unlink()
    return "config.json is missing"


@pytest.mark.parametrize(
    "spoil",
    [
        no_tokenizer,
        damaged_tokenizer,
        larger_tokenizer,
        other_architecture,
        damaged_weights,
        no_weights,
        no_config,
    ],
    ids=lambda spoil: spoil.__name__,
)
def test_what_is_wrong_is_one_line_with_the_folder(folder, spoil):
    said = spoil(folder)
    with pytest.raises(CheckpointError) as caught:
        Writer(folder).write(PROMPT)
    assert said in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_library_is_named_with_its_extra(whole, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ModelError, match=r"tokenizers is not installed.*tidings\[writer\]"):
        Writer(whole).write(PROMPT)


def test_naming_a_writer_loads_nothing():
    code = (
        "import sys; from pathlib import Path; from model import Writer; Writer(Path('none'));"
        "assert not sys.modules.keys() & {'torch', 'tokenizers'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
