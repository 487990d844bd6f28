"""Topics with judged documents as development sets of search: `fit_fusion.py --topics OUT`.

    git clone https://github.com/alessimichele/LSA
    python scripts/topic_sets.py LSA OUT

The collections are MED (1,033 abstracts of medical papers, 29 topics: this copy lacks the text of
the thirtieth) and TIME (423 articles of the magazine, 1963, 83 topics), both of the SMART system's
classic collections, free for research. No evaluation reads them.
"""

import argparse
import json
import lzma
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

SPLIT = "dev"
MED_ITEM = re.compile(r"^\.I (\d+)\s*^\.W\s*(.*?)\s*(?=^\.I |\Z)", re.MULTILINE | re.DOTALL)
TIME_DOCUMENT = re.compile(r"^\*TEXT[^\n]*\n(.*?)(?=^\*)", re.MULTILINE | re.DOTALL)
TIME_GAP_AFTER, TIME_GAP = 370, 2
"""Judgements count 425 documents; of the next seven two are not in any copy, and none is judged.

Found by the words that topics share with their documents: from the gap on, two places earlier.
"""
TIME_TOPIC = re.compile(r"^\*FIND\s+(\d+)\s+(.*?)(?=^\*)", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Write both sets in the layout of BEIR."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repository", type=Path, help="a clone of the collections")
    parser.add_argument("out", type=Path, help="folder to write to")
    options = parser.parse_args()
    med, time = options.repository / "data/med", options.repository / "data/time"
    if not (med.is_dir() and time.is_dir()):
        raise SystemExit(f"{options.repository}: no data/med, data/time")
    write_set(
        options.out / "med",
        documents=dict(MED_ITEM.findall(read(med / "MED.ALL"))),
        topics=dict(MED_ITEM.findall(read(med / "MED.QRY"))),
        judged=((line[0], line[2]) for line in rows_of(med / "MED.REL")),
    )
    texts = TIME_DOCUMENT.findall(read(time / "TIME.ALL"))
    write_set(
        options.out / "time",
        documents={str(at): text for at, text in enumerate(texts, start=1)},
        topics=dict(TIME_TOPIC.findall(read(time / "TIME.QUE"))),
        judged=(
            (line[0], str(time_place(int(counted))))
            for line in rows_of(time / "TIME.REL")
            for counted in line[1:]
        ),
    )


def time_place(counted: int) -> int:
    """Where in the file the document stands that a judgement counts so."""
    return counted if counted <= TIME_GAP_AFTER else counted - TIME_GAP


def read(path: Path) -> str:
    """The text of a file, its lines ended by line feeds."""
    return path.read_text(encoding="latin-1")


def rows_of(path: Path) -> Iterator[Sequence[str]]:
    """The words of each line that is not blank."""
    return (line.split() for line in read(path).splitlines() if line.strip())


def write_set(
    folder: Path,
    *,
    documents: Mapping[str, str],
    topics: Mapping[str, str],
    judged: Iterable[tuple[str, str]],
) -> None:
    """One set, its texts with runs of white space folded; a topic without text is left out.

    Raises:
        SystemExit: a judgement names a document that is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, texts in {"corpus": documents, "queries": topics}.items():
        with lzma.open(folder / f"{name}.jsonl.xz", "wt", encoding="utf8") as out:
            for key, text in texts.items():
                out.write(json.dumps({"_id": key, "text": " ".join(text.split())}) + "\n")
    pairs = [(topic, document) for topic, document in judged if topic in topics]
    unknown = {document for _, document in pairs} - documents.keys()
    if unknown:
        raise SystemExit(f"{folder.name}: no documents {sorted(unknown)[:3]}")
    lines = ["query-id\tcorpus-id\tscore", *(f"{topic}\t{found}\t1" for topic, found in pairs)]
    (folder / f"qrels.{SPLIT}.tsv").write_text("\n".join(lines) + "\n", encoding="utf8")
    print(folder.name, len(documents), "documents", len(topics), "topics", len(pairs), "judgements")


if __name__ == "__main__":
    main()
