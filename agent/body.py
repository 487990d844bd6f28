"""A response body gathered within two bounds: bytes as received, and bytes after decompression.

Decompression happens piece by piece and stops at the bound, so that a bomb never expands. Only the
codings we ask for (gzip, deflate) are understood.
"""

import zlib
from typing import Protocol

from agent.errors import Refused, TooLarge, Unreachable

ACCEPTED_CODINGS = "gzip, deflate"
_GZIP_NAMES = frozenset({"gzip", "x-gzip"})
_GZIP_MAGIC = b"\x1f\x8b"


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class BoundedBody:
    """Gathers one body: `add` every chunk, then `finish`.

    Raises:
        Refused: On construction, when the content coding is none of ours.
    """

    def __init__(self, url: str, coding: str, *, max_received: int, max_decoded: int) -> None:
        names = [name for name in coding.lower().replace(",", " ").split() if name != "identity"]
        self._coding = names[0] if names else ""
        if len(names) > 1 or self._coding not in {"", "deflate", *_GZIP_NAMES}:
            raise Refused(url, f"content coding {coding[:40]!r} was not asked for")
        self._url = url
        self._max_received = max_received
        self._max_decoded = max_decoded
        self._inflater: _Inflater | None = None
        self._head = b""  # the first two bytes tell zlib from raw deflate
        self._is_over = False
        self._decoded = bytearray()
        self.received_bytes = 0

    @property
    def content(self) -> bytes:
        """What has been decoded so far; after `TooLarge` it is filled to the bound."""
        return bytes(self._decoded)

    def add(self, chunk: bytes) -> None:
        """Take a chunk as received.

        Raises:
            TooLarge: A bound is passed.
            Unreachable: The compressed data is broken.
        """
        room = self._max_received - self.received_bytes
        self.received_bytes += len(chunk)
        self._decode(chunk[:room])
        if len(chunk) > room:
            raise TooLarge(self._url, f"more than {self._max_received} bytes sent")

    def finish(self) -> bytes:
        """Return the whole body.

        Raises:
            Unreachable: The compressed data ends in the middle.
        """
        is_whole = self._inflater.eof if self._inflater is not None else not self._head
        if self._coding and not is_whole:
            raise Unreachable(self._url, "body cut short")
        return bytes(self._decoded)

    def _decode(self, data: bytes) -> None:
        if not self._coding:
            self._keep(data)
            return
        while data and not self._is_over:
            if self._inflater is None or self._inflater.eof:
                data = self._begin_member(data)
            else:
                data = self._inflate(self._inflater, data)

    def _begin_member(self, data: bytes) -> bytes:
        """Open the first member or the next; return the data to decode, none before two bytes."""
        data = self._head + data
        self._head = b""
        if len(data) < 2:
            self._head = data
            return b""
        is_gzip = self._coding in _GZIP_NAMES
        if self._inflater is not None and not (is_gzip and data.startswith(_GZIP_MAGIC)):
            self._is_over = True  # padding after the last member is ignored, as every browser does
            return b""
        self._inflater = zlib.decompressobj(self._window_bits(data))
        return data

    def _inflate(self, inflater: _Inflater, data: bytes) -> bytes:
        """Decode until the member or the data ends; return what follows the member."""
        room = self._max_decoded - len(self._decoded)
        try:
            piece = inflater.decompress(data, room + 1)
        except zlib.error as exc:
            raise Unreachable(self._url, f"broken {self._coding}") from exc
        self._keep(piece)
        return inflater.unused_data

    def _keep(self, piece: bytes) -> None:
        room = self._max_decoded - len(self._decoded)
        self._decoded += piece[:room]
        if len(piece) > room:
            raise TooLarge(self._url, f"more than {self._max_decoded} bytes once decompressed")

    def _window_bits(self, data: bytes) -> int:
        if self._coding in _GZIP_NAMES:
            return 16 + zlib.MAX_WBITS
        is_zlib = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
        return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
