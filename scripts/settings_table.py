"""Write the table of settings between its marks in README.md, from agent/settings.py.

With --check it writes nothing and fails when the table is out of date.
"""

import argparse
import sys
from pathlib import Path

from pydantic.fields import FieldInfo

from agent.settings import options

BEGIN = "<!-- settings -->"
END = "<!-- /settings -->"
README = Path(__file__).parent.parent / "README.md"


def settings_table() -> str:
    """The table as Markdown."""
    rows = [f"| `{name}` | {_default(field)} | {field.description} |" for name, field in options()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def with_table(text: str) -> str:
    """`text` with the table between its marks, or at its end where it has no marks."""
    section = f"{BEGIN}\n{settings_table()}\n{END}"
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return before + section + after if begin and end else f"{text.rstrip()}\n\n{section}\n"


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value in ("", ()):
        return "-"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value}`"


def main() -> None:
    """Rewrite the table, or with --check compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail instead of writing")
    check = parser.parse_args().check
    text = README.read_text(encoding="utf-8")
    updated = with_table(text)
    if updated == text:
        return
    if check:
        sys.exit("README.md: the table of settings is out of date: run scripts/settings_table.py")
    README.write_text(updated, encoding="utf-8")


if __name__ == "__main__":
    main()
