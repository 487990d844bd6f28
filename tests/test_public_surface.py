"""What a package exports: named, documented, and all that others take from it."""

import ast
import importlib
import inspect

import pytest

from tests.test_architecture import PROGRAMS, ROOT, SCRIPTS, SOURCES, TESTS

SURFACES = ("kb", "model", "agent.demo", "agent.serve")


@pytest.mark.parametrize("package", SURFACES)
def test_exports_exist_and_are_named_once(package):
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("package", SURFACES)
def test_exported_classes_and_functions_say_what_they_are(package):
    module = importlib.import_module(package)
    exported = [getattr(module, name) for name in module.__all__]
    silent = [
        it.__name__
        for it in exported
        if (inspect.isclass(it) or inspect.isfunction(it)) and not (it.__doc__ or "").strip()
    ]
    assert silent == []


@pytest.mark.parametrize("package", ["kb", "model"])
def test_others_take_only_what_is_exported(package):
    exported = set(importlib.import_module(package).__all__)
    taken = {
        f"{source.name}:{node.lineno} {alias.name}"
        for source in (*SOURCES, *SCRIPTS)
        if package not in {source.package, *PROGRAMS.get(source.name, ())}
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module == package and not node.level
        for alias in node.names
        if alias.name not in exported
    }
    assert taken == set()


def test_there_is_something_to_look_at():
    assert len(SOURCES) > 40
    assert len(TESTS) > 10


def test_command_is_installed_under_its_name():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'tidings = "agent.cli:main"' in text
    assert callable(importlib.import_module("agent.cli").main)
