"""The server's own limits: how much, and how long."""

from __future__ import annotations

import tracemalloc

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone

from boomerang.web.reply import Reply
from tests.web.driving import Answer, Bench, Echo, Slow, request
from tests.web.sending import (
    CLOSE,
    IDLE_TIME,
    LINGER,
    LONGEST_BODY,
    LONGEST_HEAD,
    MOST_HEADER_LINES,
    SENDING_TIME,
    chunked,
    echoed,
    head_of,
    head_with,
    refused,
)


def test_before_reading() -> None:
    """Before anything is read others may be let in; it is read all the same."""
    bench = Bench(Echo().app)
    asked: list[int] = []
    bench.site.before_reading = lambda: asked.append(bench.site.under_way)
    assert bench.ask(request("POST", "/", body=b"x")) == echoed("POST / 1")
    assert asked == [0]


class TestSizes:
    @pytest.mark.parametrize(
        "sent",
        [
            request("POST", "/", body=b"x" * LONGEST_BODY),
            chunked(LONGEST_BODY),
            chunked(1, LONGEST_BODY - 2, 1),
            chunked(*[64] * (LONGEST_BODY // 64)),
        ],
        ids=["content-length", "one chunk", "three chunks", "many chunks"],
    )
    def test_longest_body(self, sent: bytes) -> None:
        """A body of exactly the limit is served."""
        assert Bench(Echo().app).ask(sent) == echoed(f"POST / {LONGEST_BODY}")

    @pytest.mark.parametrize(
        "sent",
        [
            request("POST", "/", body=b"x" * (LONGEST_BODY + 1)),
            request("POST", "/", {"Content-Length": str(LONGEST_BODY + 1)}),
            request("POST", "/", {"Content-Length": "9" * 4000}),
            request("POST", "/", {"Content-Length": "9" * 5000}),
            request("POST", "/", [("Content-Length", "9" * 5000), ("A", "b")]),
            chunked(LONGEST_BODY + 1),
            chunked(LONGEST_BODY, 1),
            chunked(*[64] * 2000),
            request("POST", "/", {"Transfer-Encoding": "chunked"}) + b"fffffff\r\n" + b"x" * 70000,
        ],
        ids=[
            "sent at once",
            "announced",
            "announced with 4000 digits",
            "announced with 5000 digits",
            "announced with 5000 digits before another header",
            "one chunk",
            "one byte in a second chunk",
            "many chunks",
            "chunk without end",
        ],
    )
    def test_body_too_long(self, sent: bytes) -> None:
        """A body over the limit is refused with 413, once, and counted."""
        bench = Bench(Echo().app)
        assert bench.ask(sent) == refused(413)
        assert bench.refusals == [413]

    def test_no_more_is_read_into_memory(self) -> None:
        """What a refused client goes on sending is thrown away."""
        bench = Bench(Echo().app)
        connection = bench.connect()
        connection.send(request("POST", "/", {"Content-Length": "9999999"}))
        tracemalloc.start()
        try:
            for _ in range(20):
                connection.send(bytes(65536))
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        connection.send(request("GET", "/"))
        assert connection.answer() == refused(413)
        assert kept < 200_000

    @pytest.mark.parametrize(
        "sent",
        [
            head_of(LONGEST_HEAD),
            head_with(MOST_HEADER_LINES),
            b"GET /%b HTTP/1.1\r\n\r\n" % (b"x" * 65522),
        ],
        ids=["total", "count", "one line"],
    )
    def test_longest_head(self, sent: bytes) -> None:
        """A head of exactly the limit is served."""
        assert Bench(Echo().app).ask(sent).status == 200

    @pytest.mark.parametrize(
        "sent",
        [
            head_of(LONGEST_HEAD + 1),
            head_with(MOST_HEADER_LINES + 1),
            b"GET /%b HTTP/1.1\r\n\r\n" % (b"x" * 65523),
            b"x" * (LONGEST_HEAD + 2),
            b"GET / HTTP/1.1\r\nA: " + b"x" * 70000,
            b"GET / HTTP/1.1\r\n" + b" x\r\n" * 200,
            head_with(300),
            head_with(300)[:-2] + b"x" * 70000,
            head_of(70000)[:-2] + b"x" * 70000,
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 50 + b"x" * 70000 + b"\r\n" + b"x" * 70000,
        ],
        ids=[
            "total",
            "count",
            "one line",
            "no line at all",
            "header without end",
            "continuation lines",
            "three times the count",
            "count, then a line without end",
            "total, then a line without end",
            "two lines that are too long",
        ],
    )
    def test_head_too_long(self, sent: bytes) -> None:
        """A head over one of the limits is refused with 431, once, and counted."""
        bench = Bench(Echo().app)
        assert bench.ask(sent) == refused(431)
        assert bench.refusals == [431]

    def test_counted_for_each_request(self) -> None:
        """The limits hold for a request, not for a connection."""
        connection = Bench(Echo().app).connect()
        for _ in range(3):
            connection.send(head_of(LONGEST_HEAD))
            connection.send(head_with(MOST_HEADER_LINES))
        assert [answer.status for answer in connection.answers()] == [200] * 6


class TestNonsense:
    @pytest.mark.parametrize(
        "sent",
        [
            b"nonsense\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GE(T / HTTP/1.1\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\n\r\n",
            b"GET /\x80 HTTP/1.1\r\n\r\n",
            b"GET /a b HTTP/1.1\r\n\r\n",
            b"GET /\t HTTP/1.1\r\n\r\n",
            b"GET / HTTP/0.9\r\n\r\n",
            b"GET / http/1.1\r\n\r\n",
            b" GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            b"GET / HTTP/1.1\r\n A: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\rB: c\r\n\r\n",
            b"GET / HTTP/1.1\nA: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
            b"GET / HTTP/1.1\r\n: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nA\xff: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: \x1b\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: \x7f\r\n\r\n",
            b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\nA: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            b"GET / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\nx",
            b"GET / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\nx",
            b"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
            b"GET / HTTP/1.1\r\nContent-Length: 1 1\r\n\r\nx",
            b"GET / HTTP/1.1\r\nContent-Length:\r\n\r\nx",
            b"GET / HTTP/1.1\r\nContent-Length: \xc2\xb2\r\n\r\nx",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n",
            *[
                b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
                for chunks in (
                    b"\r\n",
                    b" 1\r\nx\r\n",
                    b"1 \r\nx\r\n",
                    b"+1\r\nx\r\n",
                    b"-1\r\nx\r\n",
                    b"0x1\r\nx\r\n",
                    b"1_0\r\nx\r\n",
                    b"1\nx\r\n",
                    b"1\r\nx\n1\r\n",
                    b"1;a\nb\r\nx\r\n",
                    b"1;\x00\r\nx\r\n",
                    b"f" * 20 + b"\r\n",
                    b"1;" + b"a" * 1100 + b"\r\n",
                    b"1;" + b"a" * 1100,
                    b"0\r\nno colon\r\n\r\n",
                    b"0\r\nContent-Length: 1\r\n\r\n",
                    b"0\r\nA: b\n\r\n",
                )
            ],
        ],
    )
    def test_refused(self, sent: bytes) -> None:
        """What is not HTTP, or could be read in two ways, is refused with 400, and counted."""
        bench = Bench(Echo().app)
        connection = bench.connect()
        connection.send(sent + request("GET", "/smuggled"))
        bench.wait(LINGER)
        assert connection.answer() == refused(400)
        assert connection.closed
        assert bench.refusals == [400]

    def test_trailers_without_end(self) -> None:
        """What stands behind the last chunk is limited like a head."""
        bench = Bench(Echo().app)
        head = request("POST", "/", {"Transfer-Encoding": "chunked"})
        assert bench.ask(head + b"0\r\n" + b"A: b\r\n" * 12000) == refused(431)
        assert bench.ask(head + b"0\r\n" + b"A: b\r\n" * 20 + b"\r\n") == echoed("POST / 0")

    @pytest.mark.parametrize("body", [b"", b"hello"])
    def test_an_upgrade_is_not_accepted(self, body: bytes) -> None:
        """A client that would rather speak another protocol is answered in this one."""
        for headers in (
            {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "x"},
            {"Connection": "Upgrade", "Upgrade": "websocket"},
        ):
            connection = Bench(Echo().app).connect()
            connection.send(request("POST", "/", headers, body) + request("GET", "/next"))
            connection.send(
                request("POST", "/", headers)[:-2]
                + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
            )
            assert connection.answers() == [
                echoed(f"POST / {len(body)}"),
                echoed("GET /next 0"),
                echoed("POST / 1"),
            ]

    def test_an_empty_line_before_a_request_is_none(self) -> None:
        """A line break after a body, as old clients send it, starts no request."""
        bench = Bench(Echo().app)
        connection = bench.connect()
        connection.send(request("POST", "/", body=b"x") + b"\r\n")
        bench.wait(2 * SENDING_TIME)
        connection.send(request("GET", "/"))
        assert connection.answers() == [echoed("POST / 1"), echoed("GET / 0")]


class TestTimes:
    @pytest.mark.parametrize(
        "beginning",
        [
            b"G",
            request("GET", "/")[:-2],
            request("POST", "/", {"Content-Length": "9"}) + b"12345678",
        ],
        ids=["first byte", "head", "body"],
    )
    def test_slow_sender(self, beginning: bytes) -> None:
        """A request that has not arrived 15 s after its first byte is refused with 408."""
        bench = Bench(Echo().app)
        connection = bench.connect()
        bench.wait(60)
        connection.send(beginning)
        bench.wait(SENDING_TIME - 0.25)
        assert connection.received == b""
        bench.wait(0.25)
        assert connection.answer() == refused(408)
        assert bench.refusals == [408]

    @pytest.mark.parametrize(
        "sent",
        [request("GET", "/"), request("POST", "/", body=b"x" * 30), chunked(*[1] * 9)],
        ids=["head", "body", "chunks"],
    )
    def test_dripping(self, sent: bytes) -> None:
        """A byte now and then does not buy more time."""
        bench = Bench(Echo().app)
        connection = bench.connect()
        step = (SENDING_TIME + 1) / (len(sent) - 1)
        connection.drip(sent, every=step)
        assert connection.answer() == refused(408)
        assert bench.clock.seconds() > SENDING_TIME

    @pytest.mark.parametrize(
        "sent", [request("GET", "/"), request("POST", "/", body=b"x" * 30), chunked(*[1] * 9)]
    )
    def test_just_in_time(self, sent: bytes) -> None:
        """A request whose last byte comes before the 15 s are over is served."""
        connection = Bench(Echo().app).connect()
        connection.drip(sent, every=(SENDING_TIME - 0.5) / (len(sent) - 1))
        assert connection.answer().status == 200

    def test_a_slow_sender_costs_nobody_else(self) -> None:
        """A connection that is refused takes no other with it."""
        slow = Slow()
        bench = Bench(slow.app)
        resting, waiting, dripping = (bench.connect() for _ in range(3))
        waiting.send(request("GET", "/slow"))
        dripping.send(b"GET /slow")
        bench.wait(60)
        assert dripping.closed
        assert not resting.closed
        slow.waiting[0].callback(Reply(b"late"))
        resting.send(request("GET", "/nothing"))
        assert waiting.answer().body == b"late"
        assert resting.answer().status == 404

    def test_the_answer_may_take_its_time(self) -> None:
        """A request that has arrived is under no limit here, however long the answer takes."""
        slow = Slow()
        bench = Bench(slow.app)
        connection = bench.connect()
        connection.send(request("GET", "/slow"))
        bench.wait(1000)
        slow.waiting[0].callback(Reply(b"at last"))
        assert connection.answer().body == b"at last"

    def test_each_request_has_its_own_time(self) -> None:
        """On a connection that is kept the time of the next request begins with its first byte."""
        bench = Bench(Echo().app)
        connection = bench.connect()
        for _ in range(5):
            connection.drip(request("GET", "/"), every=0.25)
            bench.wait(30)
        assert [answer.status for answer in connection.answers()] == [200] * 5

    def test_behind_an_answered_request(self) -> None:
        """A request that follows in the same packet has all of its own time too."""
        bench = Bench(Echo().app)
        connection = bench.connect()
        connection.send(b"GET /")
        bench.wait(SENDING_TIME - 1)
        connection.send(b" HTTP/1.1\r\n\r\nGET /")
        bench.wait(SENDING_TIME - 0.25)
        assert connection.answers() == [echoed("GET / 0")]
        bench.wait(0.25)
        assert connection.answers()[1:] == [refused(408)]

    def test_behind_a_waiting_request(self) -> None:
        """The time of a request that was sent early begins when those before it are answered."""
        slow = Slow()
        bench = Bench(slow.app)
        connection = bench.connect()
        connection.send(request("GET", "/slow") + b"GET /sl")
        bench.wait(SENDING_TIME + 1)
        slow.waiting[0].callback(Reply(b"first"))
        bench.wait(SENDING_TIME - 1)
        assert [answer.body for answer in connection.answers()] == [b"first"]
        bench.wait(1)
        assert connection.answers()[1:] == [refused(408)]

    @pytest.mark.parametrize("before", [b"", request("GET", "/")], ids=["new", "kept"])
    def test_resting(self, before: bytes) -> None:
        """A connection on which nothing happens is closed after 95 s, without a word."""
        bench = Bench(Echo().app)
        connection = bench.connect()
        connection.send(before)
        said = connection.received
        bench.wait(IDLE_TIME - 1)
        assert not connection.closed
        bench.wait(1)
        assert connection.closed_by is ConnectionDone
        assert connection.received == said
        assert bench.refusals == []

    def test_a_refused_client_that_stays(self) -> None:
        """A refused client has a second to read the answer and to close, then it is cut off."""
        bench = Bench(Echo().app)
        connection = bench.connect()
        connection.send(head_with(300))
        bench.wait(LINGER - 0.25)
        assert not connection.closed
        bench.wait(0.25)
        assert connection.closed_by is ConnectionAborted


class TestOneAfterTheOther:
    sent = (
        request("GET", "/1")
        + request("POST", "/2", body=b"two")
        + chunked(3)
        + request("GET", "/4")
    )
    answers = (
        echoed("GET /1 0"),
        echoed("POST /2 3"),
        echoed("POST / 3"),
        echoed("GET /4 0"),
    )

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
    def test_pipelining(self, size: int) -> None:
        """Requests sent in one go, or cut anywhere, are answered in their order."""
        connection = Bench(Echo().app).connect()
        connection.send(self.sent, cuts=range(size, len(self.sent), size))
        assert tuple(connection.answers()) == self.answers
        assert not connection.closed

    def test_a_thousand_in_one_packet(self) -> None:
        """A great many requests at once are no deeper a stack than one."""
        connection = Bench(Echo().app).connect()
        connection.send(request("POST", "/", body=b"x") * 1000)
        assert connection.answers() == [echoed("POST / 1")] * 1000

    def test_the_second_waits_for_the_first(self) -> None:
        """No request is begun before the one ahead of it on its connection has been answered."""
        slow = Slow()
        bench = Bench(slow.app)
        connection = bench.connect()
        connection.send(request("GET", "/slow") * 2)
        assert len(slow.waiting) == 1
        slow.waiting[0].callback(Reply(b"first"))
        assert len(slow.waiting) == 2
        slow.waiting[1].callback(Reply(b"second"))
        assert [answer.body for answer in connection.answers()] == [b"first", b"second"]

    def test_a_lot_behind_a_waiting_request(self) -> None:
        """What is sent too early is left with the sender beyond some kilobytes, and read later."""
        slow = Slow()
        bench = Bench(slow.app)
        connection = bench.connect()
        connection.send(request("GET", "/slow"))
        for _ in range(60):
            connection.send(request("POST", "/nothing", body=b"x" * 4000))
        assert connection.undelivered > 40_000
        slow.waiting[0].callback(Reply(b"first"))
        bench.clock.advance(0)
        assert [answer.status for answer in connection.answers()] == [200] + [404] * 60

    def test_answers_that_nobody_reads(self) -> None:
        """While the answers pile up, no further request is begun; then all are, in their order."""
        slow = Slow()
        bench = Bench(slow.app)
        connection = bench.connect()
        connection.send(request("GET", "/slow") + request("GET", "/nothing") * 3)
        connection.channel.pauseProducing()  # as the socket does when too much waits to be sent
        slow.waiting[0].callback(Reply(b"first"))
        assert [answer.status for answer in connection.answers()] == [200]
        connection.channel.resumeProducing()
        bench.clock.advance(0)
        assert [answer.status for answer in connection.answers()] == [200] + [404] * 3
        assert not connection.closed

    @pytest.mark.parametrize(
        "sent",
        [
            request("GET", "/", {"Connection": "close"}),
            b"GET / HTTP/1.0\r\n\r\n",
            b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        ],
    )
    def test_the_last_of_a_connection(self, sent: bytes) -> None:
        """After the answer the connection is closed where the client asks for it, or is old."""
        connection = Bench(Echo().app).connect()
        connection.send(sent + request("GET", "/ignored"))
        assert connection.answer() == echoed("GET / 0", CLOSE)
        assert connection.closed_by is ConnectionDone

    def test_date(self) -> None:
        """Answers tell the time, and not what program they come from."""
        answer = Bench(Echo().app).ask(request("GET", "/"))
        assert answer.date is not None
        assert answer.date.endswith(" GMT")
        assert "Server" not in answer.headers


class TestExpect:
    head = request("POST", "/", {"Content-Length": "3", "Expect": "100-continue"})

    def test_continue(self) -> None:
        """A client that asks first is told to go on, and answered when it has."""
        connection = Bench(Echo().app).connect()
        connection.send(self.head)
        assert connection.answer() == Answer(100, "Continue", {})
        connection.send(b"yes")
        assert connection.answers()[1:] == [echoed("POST / 3")]

    @pytest.mark.parametrize(
        ("sent", "answer"),
        [
            (head.replace(b": 3", b": 65537"), refused(413)),
            (head_with(300), refused(431)),
        ],
    )
    def test_refused_before_sending(self, sent: bytes, answer: Answer) -> None:
        """A client that asks first is not told to send what would be refused."""
        assert Bench(Echo().app).ask(sent) == answer

    def test_old_client(self) -> None:
        """HTTP/1.0 knows no interim answers, so none is given."""
        connection = Bench(Echo().app).connect()
        connection.send(self.head.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert connection.received == b""
