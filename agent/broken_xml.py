"""XML that no parser takes -> XML that says the same: what can be mended surely, and nothing else.

Leaves to the parser what calls for a guess, such as tags that do not match.
"""

import re
from collections.abc import Iterator
from html.entities import html5

MAX_READ_ENTRIES = 10_000
"""Entries read of one document, in its order (0.3 ms each); what stands between them and the end is not looked at."""

NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML forbids."""

ENTRY_END = re.compile(r"</(?:\w+:)?(?:item|entry)\s*>", re.IGNORECASE)
"""The end of an RSS item or Atom entry."""

_ENTRY_START = re.compile(r"<(?:\w+:)?(?:item|entry)[\s>/]", re.IGNORECASE)
_CHARACTER_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,9})|([0-9]{1,9}));")
_ENTITY = re.compile(r"&(?:([a-zA-Z][a-zA-Z0-9]{1,31});|(?!#x?[0-9a-fA-F]{1,9};))")
_CDATA = "<![CDATA["


def mend_xml(text: str) -> tuple[str, list[str]]:
    """Mend what stops an XML parser and can be mended surely; leave out entries past those that are read."""
    problems = []
    mended = _CHARACTER_REFERENCE.sub(_valid_reference, NOT_XML.sub("", text))
    if mended != text:
        problems.append("characters that XML forbids removed")
    escaped = "".join(
        part if part.startswith(_CDATA) else _ENTITY.sub(_known_entity, part)
        for part in _sections(mended)
    )
    if escaped != mended:
        problems.append("entities that XML does not know mended")
    if (cut := _first_entries(escaped)) != escaped:
        problems.append(f"entries past the first {MAX_READ_ENTRIES} not read")
    return cut, problems


def _sections(text: str) -> Iterator[str]:
    """The text in pieces: CDATA sections, in which anything may stand, and what is between them."""
    start = 0
    while (begin := text.find(_CDATA, start)) >= 0:
        end = text.find("]]>", begin)
        yield text[start:begin]
        start = end + 3 if end >= 0 else len(text)
        yield text[begin:start]
    yield text[start:]


def _known_entity(reference: re.Match[str]) -> str:
    """The character of an HTML entity; a bare ampersand is one that was not escaped."""
    name = reference[1]
    if name is None:
        return "&amp;"
    character = html5.get(f"{name};", "")
    return character if character and character not in "<>&\"'" else reference[0]


def _first_entries(text: str) -> str:
    starts = [found.start() for found in _ENTRY_START.finditer(text)]
    if len(starts) <= MAX_READ_ENTRIES:
        return text
    cut = starts[MAX_READ_ENTRIES]
    ends = [found.end() for found in ENTRY_END.finditer(text, cut)]
    return text[:cut] + text[ends[-1] if ends else len(text) :]


def _valid_reference(reference: re.Match[str]) -> str:
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    is_valid = code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD
    return reference[0] if is_valid or 0x10000 <= code <= 0x10FFFF else ""
