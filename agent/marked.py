"""A pattern tried only where one of its marks stands: strings of which every match holds at least one.

Most sentences hold none of them, and to look for a few strings is many times cheaper than to try a long pattern.
"""

import re
from collections.abc import Iterator


class Marked:
    """A pattern with its marks. Where case is ignored the marks are written small."""

    def __init__(self, pattern: re.Pattern[str], marks: tuple[str, ...]) -> None:
        self._pattern, self._marks = pattern, marks
        self._ignores_case = bool(pattern.flags & re.IGNORECASE)

    def search(self, text: str) -> re.Match[str] | None:
        """The first match in the text."""
        return self._pattern.search(text) if self._may_match(text) else None

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """All matches in the text, from the left, none overlapping."""
        return self._pattern.finditer(text) if self._may_match(text) else iter(())

    def _may_match(self, text: str) -> bool:
        looked_at = text.lower() if self._ignores_case else text
        return any(map(looked_at.__contains__, self._marks))
