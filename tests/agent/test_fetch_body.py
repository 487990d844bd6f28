"""The laws of a bounded body: what is packed comes out, in whatever pieces, within the bounds."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.body import BoundedBody
from agent.errors import FetchError, TooLarge, Unreachable

URL = "http://news.example/"
MANY = 10**6


def take(packed, coding, *, step=10**9, max_received=MANY, max_decoded=MANY):
    body = BoundedBody(URL, coding, max_received=max_received, max_decoded=max_decoded)
    for start in range(0, len(packed), step):
        body.add(packed[start : start + step])
    return body.finish()


def raw_deflate(data):
    press = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return press.compress(data) + press.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "raw": raw_deflate,
}


@given(st.binary(), st.sampled_from(sorted(PACKERS)), st.integers(1, 50))
def test_what_was_packed_comes_out_in_whatever_pieces(data, packer, step):
    coding = "deflate" if packer == "raw" else packer
    assert take(PACKERS[packer](data), coding, step=step) == data


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.integers(1, 60))
def test_members_of_one_gzip_are_joined(parts, step):
    packed = b"".join(gzip.compress(part) for part in parts)
    assert take(packed, "gzip", step=step) == b"".join(parts)


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("padding", [b"\0", b"\0" * 512, b"\x1f", b"trailing words"])
def test_padding_after_the_last_member_is_ignored(padding, step):
    assert take(gzip.compress(b"news") + padding, "gzip", step=step) == b"news"


@given(st.binary(), st.sampled_from(["", "gzip", "x-gzip", "deflate"]), st.integers(1, 50))
def test_any_bytes_raise_only_fetch_errors_and_stay_within_bounds(data, coding, bound):
    body = BoundedBody(URL, coding, max_received=bound, max_decoded=bound)
    try:
        body.add(data)
        body.finish()
    except FetchError:
        pass
    assert len(body.content) <= bound


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_gzip_cut_anywhere_is_noticed(data, draw):
    packed = gzip.compress(data)
    cut = draw.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(Unreachable, match="body cut short"):
        take(packed[:cut], "gzip", step=3)


def test_an_empty_body_under_a_coding_is_empty():
    assert take(b"", "gzip") == b""


def test_the_beginning_is_kept_when_a_bound_is_passed():
    for coding, packed in (("", b"abcdef"), ("gzip", gzip.compress(b"abcdef"))):
        body = BoundedBody(URL, coding, max_received=MANY, max_decoded=4)
        with pytest.raises(TooLarge):
            body.add(packed)
        assert body.content == b"abcd"
