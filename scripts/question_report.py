"""Report on the questions raised of news: `question_report.py --data DIR --json FILE`.

Articles of 2025, never trained on, are drawn by seed until so many sentences are read. Their questions are worded by
the templates and by the asker; the reader tries both, on each sentence and on what is left of it without the answer.
The report counts, per 1,000 sentences; `--page FILE` writes examples drawn by seed, as Markdown.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.questions import draft_facts
from agent.replay import article_of
from agent.rewording import asks_for
from agent.topics import find_topics
from kb import AnswerKind, Draft
from model import load_asker, load_encoder, load_reader, load_tagger
from model.ask import Asker, Proposal
from model.ask_decode import Written
from model.ask_text import KINDS
from model.checkpoint import current_commit
from model.texts import read_rows, text_key

FILES = "realtimeqa/articles-2025.jsonl.xz"
NEAR_CHARS = 90
YEAR_BEGINS = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Raised:
    """A question of the templates, and what the asker makes of its span."""

    sentence: str
    start: int
    end: int
    by_grammar: str
    kind: AnswerKind

    @property
    def span(self) -> tuple[str, int, int]:
        """What an asker is given."""
        return self.sentence, self.start, self.end


def main() -> int:
    """Write the report."""
    options = _options()
    reader = load_reader(encoder=load_encoder())
    asker = load_asker(options.asker, reader=reader)
    counts, raised = raise_questions(options.data, options.sentences, seed=options.seed)
    started = time.process_time()
    written = asker.write([one.span for one in raised], kind=options.kind)
    writing_s = time.process_time() - started
    started = time.process_time()
    asked = [
        of_kind(asker.tried(*one.span, it), one.kind)
        for one, it in zip(raised, written, strict=True)
    ]
    trying_s = time.process_time() - started
    templates = [asker.tried(*one.span, Written(one.by_grammar, 0.0)) for one in raised]
    report = {
        "report": "questions",
        "model": {"name": asker.name, "params": asker.params, "bytes": asker.bytes},
        "seed": options.seed,
        "sentences": counts["sentences"],
        "per_1000_sentences": per_thousand(counts["sentences"], counts["kept"], raised, asked),
        "asker": {**shares(asked), "round_trip": round_trip(asker, raised, asked)},
        "templates": {**shares(templates), "round_trip": round_trip(asker, raised, templates)},
        "cpu_ms_per_question": {
            "writing": round(1000 * writing_s / max(len(raised), 1), 1),
            "trying": round(1000 * trying_s / max(len(raised), 1), 1),
        },
        "cpu_ms_per_sentence": round(
            1000 * (writing_s + trying_s) / max(counts["sentences"], 1), 1
        ),
        "commit": current_commit(),
    }
    if options.page:
        drawn = examples(raised, asked, count=options.examples, seed=options.seed)
        options.page.write_text("\n".join(drawn) + "\n", encoding="utf-8")
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    options.json.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def raise_questions(
    data: Path, sentences: int, *, seed: int
) -> tuple[dict[str, int], list[Raised]]:
    """The templates' questions about so many sentences or a few more, whole articles at a time."""
    tagger = load_tagger()
    counts = {"articles": 0, "sentences": 0, "kept": 0}
    raised: list[Raised] = []
    rows = sorted(read_rows(data / FILES), key=lambda row: text_key(f"{seed} {row['id']}"))
    for row in rows:
        if counts["sentences"] >= sentences:
            break
        article = article_of(row, fetched_at=YEAR_BEGINS)
        drafts = draft_facts(article, find_topics(article, tagger))
        counts["articles"] += 1
        counts["sentences"] += len(drafts)
        counts["kept"] += sum(bool(draft.questions) for draft in drafts)
        raised += [one for draft in drafts for one in _raised(draft)]
    return counts, raised


def _raised(draft: Draft) -> Iterator[Raised]:
    first = draft.evidence.start_char
    for question in draft.questions:
        start, end = question.answer_start_char, question.answer_end_char
        if start is not None and end is not None:
            yield Raised(
                draft.evidence.quote, start - first, end - first, question.text, question.kind
            )


def of_kind(one: Proposal, kind: AnswerKind) -> Proposal:
    """The proposal, with a fault where it asks for another kind of answer."""
    is_other = one.fault is None and not asks_for(one.question, kind)
    return replace(one, fault="other kind") if is_other else one


def per_thousand(
    sentences: int, kept: int, raised: Sequence[Raised], asked: Sequence[Proposal]
) -> dict[str, float]:
    """What a thousand sentences bring."""
    generated = sum(one.fault is None for one in asked)
    per = 1000 / max(sentences, 1)
    return {
        "sentences_with_questions": round(kept * per, 1),
        "questions": round(len(raised) * per, 1),
        "generated": round(generated * per, 1),
        "by_templates": round((len(raised) - generated) * per, 1),
    }


def shares(asked: Sequence[Proposal]) -> dict[str, Any]:
    """How many pass the round trip, and of what the others fail."""
    count = max(len(asked), 1)
    faults = Counter(one.fault or "passed" for one in asked)
    return {
        "n": len(asked),
        **{name: round(faults[name] / count, 4) for name in sorted(faults)},
    }


def round_trip(asker: Asker, raised: Sequence[Raised], asked: Sequence[Proposal]) -> float:
    """Share of the questions, whatever their form, that the reader gets the answer back from, as it should."""
    faults = [
        asker.round_trip_fault(it.question, *one.span) if it.question else "unsure"
        for one, it in zip(raised, asked, strict=True)
    ]
    return round(sum(fault is None for fault in faults) / max(len(faults), 1), 4)


def examples(
    raised: Sequence[Raised], asked: Sequence[Proposal], *, count: int, seed: int
) -> list[str]:
    """Lines of a table of some questions, drawn by seed, with the span in brackets."""
    places = random.Random(seed).sample(range(len(raised)), min(count, len(raised)))
    rows = [
        (
            _marked(raised[at]),
            asked[at].question or "-",
            asked[at].fault or "asked",
            raised[at].by_grammar,
        )
        for at in sorted(places)
    ]
    cells = [" | ".join(cell.replace("|", "/").replace("\n", " ") for cell in row) for row in rows]
    return [
        "| sentence, [answer] | the asker | outcome | the templates |",
        "|---|---|---|---|",
        *(f"| {row} |" for row in cells),
    ]


def _marked(one: Raised) -> str:
    """The sentence, or what of it is near the answer."""
    before, after = one.sentence[: one.start], one.sentence[one.end :]
    before = before if len(before) <= NEAR_CHARS else "…" + before[-NEAR_CHARS:]
    after = after if len(after) <= NEAR_CHARS else after[:NEAR_CHARS] + "…"
    return f"{before}[{one.sentence[one.start : one.end]}]{after}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--json", type=Path, required=True, help="where the report goes")
    parser.add_argument("--asker", type=Path, help="the asker's folder; by default the shipped one")
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--page", type=Path, help="where examples go")
    parser.add_argument("--examples", type=int, default=50)
    parser.add_argument("--kind", type=int, choices=KINDS, default=KINDS[0])
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
