"""Time the experience graph as it grows: laying passages, bringing facts to mind, sleeping.

Facts are made up: each names a few things, drawn as names are in the news, a few often and most seldom. Prints one
line a size; with --json it writes them to a file.
"""

import argparse
import json
import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np

from kb.colours import project, projection
from kb.experience import Experience, Passage
from kb.migrations import migrate
from kb.spread import Gate, brought_to_mind, spread
from kb.sql import open_engine, reading, writing

DIM = 256
BATCH = 200
QUESTIONS = 200
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Grow one graph through the sizes asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        rows = grow(Path(home), sorted(args.facts))
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def grow(home: Path, sizes: list[int]) -> list[dict[str, float]]:
    """One row of figures a size."""
    engine = open_engine(home, None)
    migrate(engine, "bench")
    experience, rows, laid = Experience(DIM), [], 0
    draw = Names(random.Random(7))
    for size in sizes:
        began = time.perf_counter()
        first = laid
        while laid < size:
            batch = [
                draw.passage(number) for number in range(laid + 1, min(laid + BATCH, size) + 1)
            ]
            with writing(engine, "bench") as connection:
                experience.pass_over(connection, batch)
            laid += len(batch)
        learning = time.perf_counter() - began
        began = time.perf_counter()
        with writing(engine, "bench") as connection:
            slept = experience.sleep(connection, now=NOW)
        sleeping = time.perf_counter() - began
        with reading(engine, "bench") as connection:
            spent, touched = ask(connection, draw)
        rows.append(
            {
                "facts": size,
                "nodes": slept.nodes,
                "edges": slept.edges,
                "mb": round((home / "tidings.db").stat().st_size / 1e6, 1),
                "ms_per_fact_learned": round(1000 * learning / max(size - first, 1), 3),
                "ms_per_question": round(1000 * median(spent), 2),
                "ms_per_question_p95": round(1000 * sorted(spent)[int(0.95 * len(spent))], 2),
                "edges_touched": round(float(np.mean(touched))),
                "s_sleeping": round(sleeping, 2),
            }
        )
    engine.dispose()
    return rows


def ask(connection: object, draw: "Names") -> tuple[list[float], list[int]]:
    """Seconds of each question, and how many edges it touched."""
    vector = np.random.default_rng(3).normal(size=DIM).astype(np.float32)
    spent, touched = [], []
    for _ in range(QUESTIONS):
        question = f"What did {draw.name(is_known=True)} say of {draw.name(is_known=True)}?"
        began = time.process_time()  # of this process: other work on the machine does not count
        brought_to_mind(connection, question, vector, gate=Gate())  # type: ignore[arg-type]
        spent.append(time.process_time() - began)
        touched.append(spread(connection, question, vector, gate=Gate()).edges)  # type: ignore[arg-type]
    return spent, touched


class Names:
    """Draws names of two words: half of the mentions are of a new one, the others of one already mentioned.

    The more a name was mentioned the more it will be, as in real text, where four thousand facts name seven thousand
    things.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._vectors = np.random.default_rng(5)
        self._map = projection(DIM)
        self._mentioned = ["First0 Last0"]

    def name(self, *, is_known: bool = False) -> str:
        """One name."""
        known = is_known or self._chance.random() < 0.5
        count = len(self._mentioned)
        name = self._chance.choice(self._mentioned) if known else f"First{count % 997} Last{count}"
        if not is_known:
            self._mentioned.append(name)
        return name

    def passage(self, number: int) -> Passage:
        """One fact."""
        names = dict.fromkeys(self.name() for _ in range(self._chance.randint(1, 6)))
        vector = self._vectors.normal(size=(1, DIM)).astype(np.float32)
        at = NOW - timedelta(days=self._chance.random() * 300)
        colour = project(vector, self._map)[0]
        return Passage(at, number, f"a{number // 8}", False, tuple(names), colour)


if __name__ == "__main__":
    main()
