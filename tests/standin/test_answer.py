"""HTTP answers, read from the pieces in which they arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.standin.answer import LONGEST_BODY, Answer, AnswerReader, NotHttp

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"
WHOLE = {
    "counted": HEAD + b"Content-Length: 5\r\n\r\nhello",
    "chunked": CHUNKED + b"2;x=y\r\nhe\r\n003 \r\nllo\r\n0\r\nTrailer: t\r\n\r\n",
    "after interim ones": INTERIM + HEAD + b"Content-Length: 5\r\n\r\nhello",
}


def read(*pieces: bytes) -> AnswerReader:
    """A reader that has been fed."""
    reader = AnswerReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


@pytest.mark.parametrize("raw", WHOLE.values(), ids=WHOLE)
def test_whole(raw: bytes) -> None:
    """An answer is done with its last byte, in however many pieces it comes, and not before."""
    pieces = [bytes([byte]) for byte in raw]
    assert not read(raw[:-1]).done
    assert not read(*pieces[:-1]).done
    for reader in (read(raw), read(*pieces)):
        assert reader.done
        assert reader.answer.status == 200
        assert reader.answer.body == b"hello"
        assert not reader.answer.truncated


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=8), st.integers(1, 30))
def test_chunks(chunks: list[bytes], size: int) -> None:
    """A chunked body is the chunks' contents, wherever the network cuts it."""
    raw = CHUNKED + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    reader = read(*(raw[start : start + size] for start in range(0, len(raw), size)))
    assert reader.done
    assert reader.answer.body == b"".join(chunks)


def test_till_end() -> None:
    """Without a length the end of the connection is the end of the answer."""
    reader = read(HEAD + b"\r\nhel", b"lo")
    assert not reader.done
    reader.end()
    assert reader.done
    assert reader.answer.body == b"hello"


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 200 OK\r\n", HEAD + b"Content-Length: 9\r\n\r\nhello", CHUNKED]
)
def test_broken_off(raw: bytes) -> None:
    """What ends too early is not done."""
    reader = read(raw)
    reader.end()
    assert not reader.done


@pytest.mark.parametrize("status", [204, 304])
def test_without_body(status: int) -> None:
    """Some answers have no body, whatever their headers say."""
    reader = read(b"HTTP/1.1 %d None\r\nContent-Length: 5\r\n\r\n" % status)
    assert reader.done
    assert (reader.answer.status, reader.answer.body) == (status, b"")


def test_headers() -> None:
    """Headers keep their order and repetitions; names are in lower case, values trimmed."""
    answer = read(
        HEAD + b"X-A:  1 \r\nx-a: 2\r\nSet-Cookie: \xe9\r\nContent-Length: 0\r\n\r\n"
    ).answer
    assert answer.headers == (
        ("x-a", "1"),
        ("x-a", "2"),
        ("set-cookie", "é"),
        ("content-length", "0"),
    )
    assert answer.header("x-a") == "1"
    assert answer.header("x-b") is None


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [((), False), ((("transfer-encoding", "gzip, Chunked"),), True)],
)
def test_is_chunked(encoding: tuple[tuple[str, str], ...], expected: bool) -> None:
    """Whether a body came in chunks is known from the header."""
    assert Answer(200, encoding).is_chunked is expected


@pytest.mark.parametrize("head", [HEAD + b"Content-Length: 999999\r\n\r\n", HEAD + b"\r\n"])
@pytest.mark.parametrize(("size", "truncated"), [(LONGEST_BODY, False), (LONGEST_BODY + 1, True)])
def test_longest(head: bytes, size: int, truncated: bool) -> None:
    """Of a longer body only the beginning is awaited."""
    reader = read(head, b"x" * size)
    assert reader.done is truncated
    assert reader.answer.truncated is truncated
    assert len(reader.answer.body) == LONGEST_BODY


def test_longest_in_chunks() -> None:
    """The limit goes for all chunks together, and for one that is announced to be endless."""
    assert read(CHUNKED, *[b"4000\r\n" + b"x" * 0x4000 + b"\r\n"] * 5).answer.truncated
    assert read(CHUNKED, b"ffffffff\r\n", b"x" * (LONGEST_BODY + 1)).answer.truncated


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        HEAD + b"no header\r\n\r\n",
        HEAD + b": nameless\r\n\r\n",
        HEAD + b"Folded: a\r\n b: c\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",
        CHUNKED + b"xyz\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"1\r\nabc\r\n",
        CHUNKED + b"1" * 5000,
    ],
)
def test_not_http(raw: bytes) -> None:
    """What is not HTTP is recognised."""
    with pytest.raises(NotHttp):
        read(raw)


@given(st.binary(max_size=200))
def test_anything(raw: bytes) -> None:
    """Whatever comes is an answer, the beginning of one, or not HTTP."""
    reader = AnswerReader()
    try:
        reader.feed(HEAD + raw)
    except NotHttp:
        return
    reader.end()
    assert not reader.done or reader.answer.status == 200
