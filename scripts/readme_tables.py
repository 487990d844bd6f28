"""Copy the reports' numbers into the README and into that of the reports, between their marks: none is typed by hand.

python scripts/readme_tables.py            # rewrite both
python scripts/readme_tables.py --check    # exit 1 when one would change
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EVALUATION = ROOT / "model" / "weights" / "embed" / "evaluation"
READER = ROOT / "model" / "weights" / "read" / "evaluation" / "reader.json"
TAGGER = ROOT / "model" / "weights" / "tag" / "evaluation" / "tagging.json"
LANGUAGE = ROOT / "model" / "weights" / "predict" / "evaluation" / "lm.json"
REPORTS = ROOT / "scripts" / "reports"
PAGES = (ROOT / "README.md", REPORTS / "README.md")
SUITES = ("sts", "classification", "retrieval", "codesearch")
COMPARED_SETS = ("STS12", "STS13", "STS15", "SICK-R")
ROUNDED = (
    ("language", "bits_per_char", 3, "language model, bits a character"),
    ("table", "bits_per_char", 3, "its table of larger units"),
    ("reader", "f1", 1, "reader, F1"),
    ("encoder", "spearman", 2, "encoder, similarity"),
)
"""Parts of the rounding report, their first metric, its digits and title."""
QUIZ_FIGURES = {
    "mc_accuracy": ("right option after the week's news, %", 1),
    "mc_accuracy_before": ("right option before it, %", 1),
    "em": ("free answer, exact match, %", 1),
    "f1": ("free answer, F1, %", 1),
    "unknown_before": ("rightly not known before", 3),
    "auroc_known": ("known after against unknown before, AUROC", 3),
    "coverage": ("answered after", 3),
    "wrong_rate": ("answered wrongly after", 3),
    "ece": ("calibration error", 3),
    "recall@10_all": ("answer among the ten best of all sentences", 3),
    "recall@10_kept": ("the same of kept sentences, relative", 3),
}
NOVELTY_FIGURES = {
    "stream": ("kept_precision", "kept_recall", "redundancy", "facts_per_article"),
    "repeated_syndicated": ("known",),
    "repeated_alike": ("known",),
    "changed_numbers": ("flagged",),
    "changed_names": ("flagged",),
}
LEVELS_REPORTS = {
    "Tiny Shakespeare": "levels.json",
    "news to 2024": "levels_news.json",
}
OURS = "Tidings"
MARKS = re.compile(r"(<!-- results: (\w+) -->)\n.*?(<!-- /results -->)", re.DOTALL)

Report = dict[str, Any]
Tables = Iterator[list[str]]


def main() -> None:
    """Rewrite both pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        fresh = with_results(text)
        if options.check and fresh != text:
            sys.exit(f"{page.relative_to(ROOT)}: results are not those of the reports")
        page.write_text(fresh, encoding="utf-8")


def with_results(page: str) -> str:
    """A page's text with the tables of the reports as they are now; each pair of marks names one of `SECTIONS`."""
    return MARKS.sub(lambda mark: f"{mark[1]}\n{section(mark[2])}\n{mark[3]}", page)


def section(name: str) -> str:
    """Its tables as Markdown; what has no report yet is left out."""
    return "\n\n".join("\n".join(table) for table in SECTIONS[name]() if table)


def _encoder_tables() -> Tables:
    reports = {suite: _report(EVALUATION / f"{suite}.json") for suite in SUITES}
    yield _similarity(reports["sts"])
    yield _search(reports["retrieval"], "ndcg@10", "text search, nDCG@10")
    yield _rates(reports)


def _classifying_tables() -> Tables:
    yield _classification(_report(EVALUATION / "classification.json"))
    yield _search(_report(EVALUATION / "codesearch.json"), "mrr", "code search, MRR")


def _news_tables() -> Tables:
    yield _quiz(_report(REPORTS / "realtimeqa.json"))
    yield _quiz_memory(_report(REPORTS / "realtimeqa.json"))
    yield _novelty(_report(REPORTS / "novelty.json"))
    yield _reader(_report(READER))
    yield _tagger(_report(TAGGER))


def _memory_tables() -> Tables:
    yield _stories(_report(REPORTS / "stories.json"))
    yield _memory(_report(REPORTS / "memory.json"))


def _language_tables() -> Tables:
    yield _language(_report(LANGUAGE))
    yield _side_by_side(_report(REPORTS / "side_by_side.json"), "Tiny Shakespeare")


def _levels_tables() -> Tables:
    yield _side_by_side(_report(REPORTS / "side_by_side_news.json"), "news to 2024")
    yield _rounding(_report(REPORTS / "rounding.json"))
    for title, name in LEVELS_REPORTS.items():
        yield from _levels(_report(REPORTS / name), title)


def _speed_tables() -> Tables:
    yield _measures(
        _report(EVALUATION / "sts.json"),
        _report(REPORTS / "ingest.json"),
        _report(REPORTS / "ask.json"),
        _report(REPORTS / "questions.json"),
    )


SECTIONS: Mapping[str, Callable[[], Tables]] = {
    "encoder": _encoder_tables,
    "classifying": _classifying_tables,
    "news": _news_tables,
    "memory": _memory_tables,
    "language": _language_tables,
    "levels": _levels_tables,
    "speed": _speed_tables,
}


def _report(path: Path) -> Report:
    if not path.exists():
        return {}
    report: Report = json.loads(path.read_text(encoding="utf-8"))
    return report


def _table(title: str, columns: Iterable[str], rows: Mapping[str, Iterable[str]]) -> list[str]:
    names = list(columns)
    lines = [f"| {title} | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    return [*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())]


def _contenders(report: Report) -> dict[str, Report]:
    """Ours, its variants and the comparators, each with `sets` and `mean`."""
    compared = {
        name: found for name, found in report.get("comparators", {}).items() if "sets" in found
    }
    varied = {f"{OURS}, {name}": it for name, it in report.get("variants", {}).items()}
    return {OURS: report, **varied, **compared}


def _similarity(report: Report) -> list[str]:
    """Spearman x100, a set a column, and the mean of the sets that are compared."""
    if not report:
        return []
    names = list(report["sets"])
    has_mean = set(COMPARED_SETS) <= set(names)
    mean_title = [f"mean of {', '.join(COMPARED_SETS)}"] if has_mean else []
    rows = {}
    for title, found in _contenders(report).items():
        scores = {name: found["sets"][name]["spearman"] for name in names}
        cells = [f"{scores[name]:.2f}" for name in names]
        if has_mean:
            cells.append(f"{fmean(scores[name] for name in COMPARED_SETS):.2f}")
        rows[title] = cells
    return _table("Spearman x100", [*names, *mean_title], rows)


def _classification(report: Report) -> list[str]:
    """Accuracy, a task a column."""
    if not report:
        return []
    names = list(report["sets"])
    has_six = "accuracy_of_six" in report["mean"]
    rows = {}
    for title, found in _contenders(report).items():
        cells = []
        for name in names:
            scores = found["sets"][name]
            f1 = f" (F1 {scores['f1']:.2f})" if "f1" in scores else ""
            cells.append(f"{scores['accuracy']:.2f}{f1}")
        if has_six:
            cells.append(f"{found['mean']['accuracy_of_six']:.2f}")
        rows[title] = cells
    return _table("accuracy", [*names, *(["mean without SST5"] if has_six else [])], rows)


def _search(report: Report, metric: str, title: str) -> list[str]:
    """One metric of each way to search, a set a column."""
    if not report:
        return []
    rows = {}
    for kind in ("one_vector", "dense", "lexical", "hybrid"):
        if kind not in report["mean"]:
            continue
        found = [it[kind][metric] for it in (*report["sets"].values(), report["mean"])]
        rows[f"{OURS}, {kind.replace('_', ' ')}"] = [f"{value:.3f}" for value in found]
    for name, compared in report.get("comparators", {}).items():
        if "sets" in compared:
            found = [it[metric] for it in (*compared["sets"].values(), compared["mean"])]
            rows[name] = [f"{value:.3f}" for value in found]
    return _table(title, [*report["sets"], "mean"], rows)


def _rates(reports: Mapping[str, Report]) -> list[str]:
    """Texts per second of all, a suite a column, as they were measured in turns."""
    rows: dict[str, dict[str, str]] = {}
    for suite, report in reports.items():
        compared = report.get("comparators", {})
        if not compared:
            continue
        timing = compared["timing"]
        rates = {OURS: timing["texts_per_s"]}
        rates |= {f"{OURS}, {name}": rate for name, rate in timing.get("parts", {}).items()}
        rates |= {
            f"{OURS}, {name}": it["texts_per_s"] for name, it in report.get("variants", {}).items()
        }
        rates |= {name: it["texts_per_s"] for name, it in compared.items() if "sets" in it}
        for name, rate in rates.items():
            rows.setdefault(name, {})[suite] = f"{rate:,.0f}"
    suites = [suite for suite in reports if reports[suite].get("comparators")]
    cells = {name: [of.get(suite, "-") for suite in suites] for name, of in rows.items()}
    return _table("texts per second", suites, cells) if suites else []


def _quiz(report: Report) -> list[str]:
    """The figures of the news quiz with their intervals, and what each comparator has of them."""
    if not report:
        return []
    found = report["mean"]
    rivals = report.get("comparators", {})
    cosine = rivals.get("cosine threshold", {})
    rows = {}
    for name, (title, digits) in QUIZ_FIGURES.items():
        low, high = found["interval_95"][name]
        bm25 = rivals.get("bm25", {}).get(name)
        rows[title] = [
            f"{found[name]:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})",
            f"{bm25:.{digits}f}" if bm25 is not None else "",
            "1.000" if name == "recall@10_kept" and rivals else "",
            ", ".join(f"{it[name]:.3f} at {at}" for at, it in cosine.items() if name in it),
        ]
    rows["share of sentences stored"] = [
        f"{found['stored_share']:.3f}",
        "",
        "1.000" if rivals else "",
        ", ".join(f"{it['stored_share']:.3f} at {at}" for at, it in cosine.items()),
    ]
    rows["facts an article"] = [f"{found['facts_per_article']:.1f}", "", "", ""]
    rows["seconds an article, learning"] = [f"{found['seconds_per_article']:.2f}", "", "", ""]
    years = ", ".join(report["sets"])
    title = f"news quiz {years}: {found['n']} questions, {found['articles']} articles"
    columns = [f"{OURS} (95 %)", "BM25 over paragraphs", "store everything", "cosine threshold"]
    return _table(title, columns, rows)


def _quiz_memory(report: Report) -> list[str]:
    """What the experience graph is worth to the same questions."""
    found = report.get("comparators", {}).get("experience graph")
    if not found:
        return []
    titles = {
        "found@10": "answer among the ten facts that a search finds first, %",
        "em": "free answer, exact match, %",
        "f1": "free answer, F1, %",
        "answered": "answered, %",
        "answered wrongly": "answered wrongly, %",
    }
    rows = {}
    for name, title in titles.items():
        low, high = found["gain_95"][name]
        gain = f"{found['gain'][name]:+.1f} ({low:+.1f} to {high:+.1f})"
        rows[title] = [f"{found['without'][name]:.1f}", f"{found['with'][name]:.1f}", gain]
    title = f"the same quiz after the week's news, {found['n']} questions"
    return _table(title, ["without the graph", "with it", "gain (95 %)"], rows)


def _novelty(report: Report) -> list[str]:
    """What is kept and noticed, ours and the comparators'."""
    if not report:
        return []
    contenders = {OURS: report, **report.get("comparators", {})}
    rows = {
        f"{part.replace('_', ' ')}: {name.replace('_', ' ')}": [
            f"{it['sets'][part][name]:.3f}" if name in it["sets"].get(part, {}) else ""
            for it in contenders.values()
        ]
        for part, names in NOVELTY_FIGURES.items()
        for name in names
        if name in report["sets"].get(part, {})
    }
    return _table("what is new", contenders, rows)


def _reader(report: Report) -> list[str]:
    """EM, F1 and the rest of the reader and of what it is compared with, a set after the other."""
    if not report:
        return []
    metrics = ("em", "f1", "no_answer_accuracy", "auroc", "ece")
    rows = {
        f"{title}, {name}": [
            f"{found[metric]:.{2 if metric in metrics[:3] else 3}f}" if metric in found else ""
            for metric in metrics
        ]
        for title, it in _contenders(report).items()
        for name, found in it["sets"].items()
    }
    return _table("reader", metrics, rows)


def _tagger(report: Report) -> list[str]:
    """F1 of names or accuracy of parts of speech, a set a column."""
    if not report:
        return []
    names = [name for name, found in report["sets"].items() if "entity_f1" in found]
    parts = [name for name, found in report["sets"].items() if "accuracy" in found]
    f1 = [f"{report['sets'][name]['entity_f1']:.2f}" for name in names]
    accuracy = [f"{report['sets'][name]['accuracy']:.2f}" for name in parts]
    title = f"tagger, {report['model']['bytes'] / 1e6:.1f} MB: F1 of names, then accuracy of words"
    return _table(title, [*names, *parts], {OURS: [*f1, *accuracy]})


def _stories(report: Report) -> list[str]:
    """How alike our stories are to those of people, one clustering a row."""
    if not report:
        return []
    metrics = "bcubed_f1", "bcubed_precision", "bcubed_recall", "pairwise_f1"
    rows = {}
    for name, found in _contenders(report).items():
        cells = [f"{100 * found['sets']['stream'][metric]:.1f}" for metric in metrics]
        low, high = found.get("difference", {}).get("interval", (None, None))
        behind = "" if low is None else f"{100 * low:.1f} to {100 * high:.1f}"
        rows[name] = [*cells, behind]
    judged = report["judged"]
    title = f"stories, {judged['articles']} labelled articles among {judged['read']:,}"
    return _table(
        title, ["B-cubed F1", "precision", "recall", "F1 of pairs", "behind ours, 95 %"], rows
    )


def _memory(report: Report) -> list[str]:
    """How many supporting texts are found, without the experience graph, with it, and once more after asking."""
    if not report:
        return []
    sets = report["sets"]
    rows = {
        title: [f"{100 * found[kind][metric]:.1f}" for found in sets.values()]
        for title, kind, metric in (
            ("found without the graph", "graph_off", "recall@5"),
            ("found with it", "graph_on", "recall@5"),
            ("found once every question was asked", "asked_once", "recall@5"),
            ("found once every question was answered right", "told_once", "recall@5"),
            ("F1 of answers without the graph", "graph_off", "f1"),
            ("F1 of answers with it", "graph_on", "f1"),
        )
    }
    rows["gain of the graph in what is found, 95 %"] = [
        _signed_range(found.get("graph_gain_95", ())) for found in sets.values()
    ]
    for name, rival in report.get("comparators", {}).items():
        rows[f"found by {name}, whole texts"] = [
            f"{100 * rival['sets'][part]['recall@5']:.1f}" for part in sets
        ]
    return _table("memory, % of supporting texts among the first five", sets, rows)


def _signed_range(shares: Iterable[float]) -> str:
    return " to ".join(f"{100 * share:+.1f}" for share in shares)


def _language(report: Report) -> list[str]:
    """Bits a character of unread text, and how fast the model writes."""
    if not report:
        return []
    rows = {
        name: [f"{found['sets'][part]['bpc']:.3f}" for part in report["sets"]]
        for name, found in _contenders(report).items()
    }
    if all("bpc_network" in found for found in report["sets"].values()):
        alone = [f"{found['bpc_network']:.3f}" for found in report["sets"].values()]
        rows["its network alone, without what it has read of the text"] = alone
    for title, metric in (
        ("characters a step of greedy writing", "chars_per_step"),
        ("its speed against the lowest level alone, same text", "speed_ratio"),
    ):
        rows[title] = [f"{found[metric]:.2f}" for found in report["sets"].values()]
    return _table("language model, bits a character", report["sets"], rows)


def _rounding(report: Report) -> list[str]:
    """What storing matrices in fewer bits costs each network; one way a row."""
    if not report:
        return []
    parts = report["parts"]
    ways = dict.fromkeys(way for part in parts.values() for way in part["ways"])
    rows = {}
    for way in ways:
        found = {name: part["ways"][way] for name, part in parts.items() if way in part["ways"]}
        rows[way] = [
            f"{found[name][metric]:.{digits}f} in {found[name]['bits_per_param']:.2f} bits"
            if name in found
            else ""
            for name, metric, digits, _ in ROUNDED
            if name in parts
        ]
    columns = [title for name, _, _, title in ROUNDED if name in parts]
    return _table("matrices rounded", columns, rows)


def _side_by_side(report: Report, text: str) -> list[str]:
    """Losses, weights and speeds of two models that were trained for the same seconds."""
    if not report:
        return []
    models, speeds = report["models"], report["generated_chars_per_s"]
    ours = next(name for name in models if name != "nanoGPT")
    fastest = {"nanoGPT": speeds["nanoGPT"], ours: max(v for k, v in speeds.items() if ours in k)}
    rows = {
        name: [
            f"{found['val_nats']:.3f}",
            f"{found['val_nats_half_window']:.3f}",
            f"{found['seconds']:.0f}",
            f"{found['params'] / 1e6:.2f} M",
            f"{found['train_chars_per_s']:,}",
            f"{fastest[name]:,.0f}",
        ]
        for name, found in models.items()
    }
    blank = [""] * (len(rows[ours]) - 1)
    for name, title in (
        ("val_nats_experienced", f"{ours}, with experience of what it has read of the text"),
        ("val_nats_after_training_text", f"{ours}, with experience of the training text too"),
    ):
        if name in models[ours]:
            rows[title] = [f"{models[ours][name]:.3f}", *blank]
    for name, nats in report.get("packed_nats", {}).items():
        rows[f"{name}, after the training text"] = [f"{nats:.3f}", *blank]
    columns = [
        "nats a character",
        "with half a window before",
        "seconds of training",
        "weights",
        "characters a second, training",
        "the same, writing",
    ]
    return _table(f"{text}, same text and cores", columns, rows)


def _levels(report: Report, text: str) -> list[list[str]]:
    """What each idea of the levels is worth: bits a character with their interval, and what the higher levels know."""
    if not report:
        return []
    rows = {}
    for name, found in report["rows"].items():
        half, longer = found["half_interval"], found.get("bits_longer")
        right, tells = found.get("right", ()), found.get("auroc_of_length", ())
        rows[f"{name}: {found['idea']}"] = [
            f"{found['bits']:.3f}"
            + (f" ± {half:.3f}" if half is not None else "")
            + (f"; {longer:.3f} where four times as much stands before" if longer else ""),
            ", ".join(f"{100 * share:.0f}" for share in right),
            ", ".join(f"{area:.2f}" for area in tells),
            f"{found['effective_rank']:.0f}",
        ]
    seconds = report["processor_seconds"]
    columns = [
        "bits a character",
        "blocks right by level, %",
        "told by length, AUROC",
        "effective rank of codes",
    ]
    tables = [_table(f"{text}, {seconds:.0f} processor seconds each", columns, rows)]
    return tables + [
        _stopping(found, text) for found in report["rows"].values() if "writing_by_margin" in found
    ]


def _stopping(found: Report, text: str) -> list[str]:
    """Characters a step of one and the same greedy text, by what tells that a level is sure."""
    signs = {
        "length of the code": found["writing_by_length"],
        "margin of its characters": found["writing_by_margin"],
    }
    ways = [way for way in found["writing_by_length"] if "free" not in way]
    cells = {way: [f"{it[way]['chars_per_step']:.2f}" for it in signs.values()] for way in ways}
    areas = [found["auroc_of_length"], found["auroc_of_margin"]]
    cells["tells whether blocks are right, AUROC by level"] = [
        ", ".join(f"{area:.2f}" for area in each) for each in areas
    ]
    return _table(f"{text}, characters a step, sure by", signs, cells)


def _measures(encoder: Report, ingest: Report, ask: Report, questions: Report) -> list[str]:
    rows = []
    if encoder.get("comparators"):
        ratio = encoder["comparators"]["all-MiniLM-L6-v2"]["speed_ratio"]
        rows.append(
            (
                "encoder's texts per second against all-MiniLM-L6-v2, same cores, same run",
                f"{ratio:.0f} x, {encoder['model']['bytes'] / 1e6:.1f} MB",
                "tidings evaluate sts --compare --json FILE",
            )
        )
    if ingest:
        learned = (
            f"{ingest['articles']:.0f} articles, {ingest['counts']['added']:.0f} facts added, "
            f"{ingest['unsupported_facts']} unsupported"
        )
        rows.append(
            (
                "1,000 articles fetched from loopback, extracted, learned; "
                "waits between requests off",
                f"{ingest['seconds_per_1000_articles']:.0f} s ({learned})",
                "python scripts/bench_ingest.py",
            )
        )
    if ask:
        rows.append(
            (
                f"`ask` on {ask['facts']:,} facts, median / 95th percentile / slowest of 200",
                f"{ask['median_ms']:.0f} / {ask['p95_ms']:.0f} / {ask['max_ms']:.0f} ms",
                "python scripts/bench_ask.py",
            )
        )
    if spent := ask.get("search_ms"):
        rows.append(
            (
                "a search on them without the experience graph, and what that adds; processor time",
                f"{spent['without']:.0f} ms, {spent['added']:.1f} ms "
                f"({spent['added_p95']:.0f} ms for 95 %)",
                "python scripts/bench_ask.py",
            )
        )
    if questions:
        asker, templates = questions["asker"], questions["templates"]
        rows.append(
            (
                f"questions about {questions['sentences']:,} sentences of 2025's news: worded by the "
                "asker where it may; the reader gets the answer back from its wording, from the "
                "templates'; time for one",
                f"{100 * asker['passed']:.0f} % of {asker['n']:,}; {100 * asker['round_trip']:.0f} %, "
                f"{100 * templates['round_trip']:.0f} %; "
                f"{sum(questions['cpu_ms_per_question'].values()):.0f} ms",
                "python scripts/question_report.py --seed 5",
            )
        )
    cells = {measure: [figure, f"`{command}`"] for measure, figure, command in rows}
    return _table("measure", ["figure", "command"], cells) if rows else []


if __name__ == "__main__":
    main()
