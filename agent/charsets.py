"""Bytes of unknown honesty -> text: what a server or a document says of its charset is a hint, not the truth.

The order of trust: a byte order mark, valid UTF-8, the declared charsets, UTF-8 with a few broken bytes, detection by
statistics, windows-1252. The same bytes and hints always give the same text.
"""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

from charset_normalizer import from_bytes

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNMARKED_UTF16 = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))

# What browsers take these labels for (WHATWG Encoding Standard): the larger charset that is meant.
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "tis-620": "cp874",
}
# Python also knows codecs that are no charsets of documents, and some (idna, punycode) that take quadratic time.
_CHARSETS = re.compile(
    r"ascii|utf-(8|16|32)(-le|-be)?|iso8859-\d+|cp\d+|koi8-[rut]|mac-\w+|gb(2312|k|18030)|big5(hkscs)?|shift_jis"
    r"|euc_(jp|kr)|iso2022_jp|johab|tis-620|kz1048|ptcp154|hz"
)
_SEVEN_BIT = ("iso2022_jp", "hz")
_DETECTION_BYTES = 8_000
_DETECTION_SHARE = (
    0.2  # with fewer bytes past ASCII the text is Latin, and statistics guess worse than cp1252
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, the charset it was read with, and whether that contradicts what was declared."""

    text: str
    charset: str
    is_mended: bool


def decode(body: bytes, declared: Iterable[str | None]) -> Decoded:
    """Decode a document.

    Args:
        body: the document as it was served.
        declared: charset labels in order of trust, unchecked; None and unknown ones are passed over.
    """
    hints = [name for label in declared if (name := _charset(label))]
    charset = _sure_charset(body, hints)
    if charset is not None:
        return Decoded(_read(body, charset), charset, is_mended=_contradicts(body, charset, hints))
    for hint in hints:
        if (text := _strictly(body, hint)) is not None:
            return Decoded(text, hint, is_mended=False)
    charset = "utf-8" if _is_mostly_utf8(body) else _detected(body)
    return Decoded(_read(body, charset), charset, is_mended=True)


def _charset(label: str | None) -> str | None:
    """Python's name of the charset that is meant by a label; None when it names no charset of documents."""
    try:
        name = codecs.lookup((label or "").strip(" \"'\t\r\n")).name
    except (LookupError, ValueError):
        return None
    return _MEANT.get(name, name) if _CHARSETS.fullmatch(name) else None


def _sure_charset(body: bytes, hints: list[str]) -> str | None:
    for mark, charset in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return charset
    for beginning, charset in _UNMARKED_UTF16:
        if body.startswith(beginning):
            return charset
    if body.isascii():
        return next((hint for hint in hints if hint in _SEVEN_BIT), "utf-8")
    return "utf-8" if _strictly(body, "utf-8") is not None else None


def _contradicts(body: bytes, charset: str, hints: list[str]) -> bool:
    if not hints or body.isascii():
        return False
    return hints[0][:6] != charset[:6]  # "utf-16" is the family of "utf-16-le"


def _strictly(body: bytes, charset: str) -> str | None:
    try:
        return body.decode(charset)
    except (UnicodeError, LookupError):
        return None


def _read(body: bytes, charset: str) -> str:
    return body.decode(charset, "replace").removeprefix("\ufeff")


def _is_mostly_utf8(body: bytes) -> bool:
    text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return sum(not character.isascii() for character in text) - broken > broken


def _detected(body: bytes) -> str:
    sample = body if len(body) <= 2 * _DETECTION_BYTES else _ends(body)
    high = len(sample) - len(sample.decode("ascii", "ignore"))
    if high < _DETECTION_SHARE * len(sample):
        return "cp1252"
    best = from_bytes(sample).best()
    return (_charset(best.encoding) if best else None) or "cp1252"


def _ends(body: bytes) -> bytes:
    middle = len(body) // 2  # a page begins and ends in ASCII markup; its text is in the middle
    return body[middle - _DETECTION_BYTES : middle + _DETECTION_BYTES]
