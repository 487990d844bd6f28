"""Sentences of biomedical papers as training text: `tidings train embed --more OUT` reads them.

    git clone https://github.com/cambridgeltl/MTL-Bioinformatics-2016
    python scripts/science_sentences.py MTL-Bioinformatics-2016 OUT

The corpora are those of Crichton, Pyysalo, Chiu and Korhonen (2017), "A neural network multi-task
learning approach to biomedical named entity recognition" (CC BY 4.0 as a whole; abstracts and
papers of PubMed). They are split into tokens, which are put together again by rule.
"""

import argparse
import itertools
import json
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

FILES = "data/*-IOB/*.tsv"
NAME = "science.jsonl.xz"
FEWEST_TOKENS, MOST_TOKENS = 5, 80

_JOINED = (
    (re.compile(r" ([,.;:!?%)\]}])"), r"\1"),
    (re.compile(r"([(\[{]) "), r"\1"),
    (re.compile(r" ?([-/]) ?"), r"\1"),
    (re.compile(r" ('s\b|n't\b)"), r"\1"),
)


def main() -> None:
    """Write each sentence once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repository", type=Path, help="a clone of the corpora")
    parser.add_argument("out", type=Path, help="folder to write to")
    options = parser.parse_args()
    paths = sorted(options.repository.glob(FILES))
    if not paths:
        raise SystemExit(f"{options.repository}: no {FILES}")
    sentences = dict.fromkeys(itertools.chain.from_iterable(map(sentences_of, paths)))
    options.out.mkdir(parents=True, exist_ok=True)
    with lzma.open(options.out / NAME, "wt", encoding="utf8") as out:
        for sentence in sentences:
            out.write(json.dumps({"text": sentence}) + "\n")
    print(len(sentences), "sentences of", len(paths), "files")


def sentences_of(path: Path) -> Iterator[str]:
    """The sentences of one file: a token and its label a line, a blank line after each sentence."""
    tokens: list[str] = []
    for line in itertools.chain(path.read_text(encoding="utf8").splitlines(), [""]):
        token = line.partition("\t")[0].strip()
        if token and token != "-DOCSTART-":
            tokens.append(token)
        elif not token:
            if FEWEST_TOKENS <= len(tokens) <= MOST_TOKENS:
                yield join_tokens(tokens)
            tokens = []


def join_tokens(tokens: list[str]) -> str:
    """Tokens as running text."""
    text = " ".join(tokens)
    for pattern, joined in _JOINED:
        text = pattern.sub(joined, text)
    return text


if __name__ == "__main__":
    main()
