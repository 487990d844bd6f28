"""Evaluation suites: data folder in, one JSON-ready report out.

The report's form is a contract: the same call runs on any folder of the same layout and gives the
same keys.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from model.checkpoint import current_commit
from model.embed import Encoder, load_encoder
from model.errors import ModelError
from model.evaluate_classification import ClassificationSuite
from model.evaluate_reader import FOLDER as READER
from model.evaluate_reader import evaluate_reader
from model.evaluate_search import CODE, TEXT, SearchSuite
from model.evaluate_similarity import SimilaritySuite
from model.protocols import ModelUnderTest
from model.suite import Encode, LoadedSuite, Outcome
from model.timing import ALTERNATIONS, chars_per_s, describe_machine, measure_rates, sample

SUITES: Mapping[str, Callable[[Path], LoadedSuite]] = MappingProxyType(
    {
        "sts": SimilaritySuite,
        "classification": ClassificationSuite,
        "retrieval": functools.partial(SearchSuite, kind=TEXT),
        "codesearch": functools.partial(SearchSuite, kind=CODE),
    }
)
"""Suites of an encoder; `reader` is another model's."""
OURS = "ours"


def evaluate_suite(
    suite: str, data: Path, *, compare: bool = False, encoder: ModelUnderTest | None = None
) -> dict[str, Any]:
    """Run one suite.

    Args:
        suite: one of `SUITES`, or `reader`.
        data: the folder with the suite's sets, or one that holds it under the name that such data
            goes by, or under `eval/` and that name.
        compare: also run the encoder's variants and the comparators, timed in turns with it.
        encoder: the encoder to evaluate, or to read with, by default the packaged one.

    Returns:
        The report; see the project's description of the contract.

    Raises:
        ModelError: the suite is not known, its data is missing, a vector is not finite, or a
            library is not installed.
    """
    if suite == READER:
        if encoder is not None and not isinstance(encoder, Encoder):
            raise ModelError("the packaged reader reads with an encoder of ours")
        return evaluate_reader(data, compare=compare, encoder=encoder)
    if suite not in SUITES:
        raise ModelError(f"unknown suite {suite!r}; there is {', '.join((*SUITES, READER))}")
    loaded = SUITES[suite](data)
    model = encoder if encoder is not None else load_encoder()
    began = time.perf_counter()
    outcome = loaded.evaluate(model)
    seconds = time.perf_counter() - began
    timed = sample(loaded.texts, loaded.timed_texts)
    report = {
        "suite": suite,
        "model": {
            "name": model.name,
            "hash": model.hash,
            "params": model.params,
            "bytes": model.bytes,
        },
        **outcome.results,
        "seconds": round(seconds, 3),
        "chars_per_s": chars_per_s(model.embed, timed),
        "machine": describe_machine(),
        "commit": current_commit(),
    }
    if compare:
        others = loaded.comparators()
        variants = loaded.variants(model)
        report |= _comparison(outcome, others, variants, timed)
    return report


def _comparison(
    outcome: Outcome,
    others: Mapping[str, Outcome],
    variants: Mapping[str, Outcome],
    timed: list[str],
) -> dict[str, Any]:
    """The parts `comparators` and, where there are any, `variants` of a report."""
    runs: dict[str, Encode] = {OURS: outcome.encode}
    runs |= {f"{OURS}: {name}": part for name, part in outcome.parts.items()}
    runs |= {f"variant: {name}": variant.encode for name, variant in variants.items()}
    runs |= {name: other.encode for name, other in others.items()}
    rates = measure_rates(runs, timed)
    ours = rates[OURS]
    timing: dict[str, Any] = {
        "texts": len(timed),
        "alternations": ALTERNATIONS,
        "texts_per_s": round(ours),
    }
    if outcome.parts:
        timing["parts"] = {name: round(rates[f"{OURS}: {name}"]) for name in outcome.parts}
    compared: dict[str, Any] = {"timing": timing}
    for name, other in others.items():
        compared[name] = {
            **other.results,
            "texts_per_s": round(rates[name], 1),
            "speed_ratio": round(ours / rates[name], 2),
        }
    varied = {
        name: {**variant.results, "texts_per_s": round(rates[f"variant: {name}"], 1)}
        for name, variant in variants.items()
    }
    return {"comparators": compared, "variants": varied} if varied else {"comparators": compared}
