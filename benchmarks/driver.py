"""The load driver for held requests: a process of its own with raw sockets and epoll.

`python -m benchmarks.driver ORDER OUTCOME` reads its order as JSON from the first file and writes
the outcome as JSON to the second.
"""

import errno
import gc
import os
import select
import socket
import sys
import time
from pathlib import Path

import attrs

from benchmarks import traffic
from benchmarks.exchanges import Exchange, Order, Outcome
from benchmarks.processes import raise_file_limit

_PORTS_PER_ADDRESS = 5_000
"""The kernel has 28,000, keeps each for a minute after its use, and looks for a free one port by
port: once half of them were taken, each connection cost the driver 1 ms."""
_IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; Python's socket module has it from 3.12
_LONGEST_PAUSE = 0.25
_MAY_BE_EARLY = 0.05


@attrs.define(eq=False)
class _Connection:
    socket: socket.socket
    index: int
    unsent: bytes
    answer: bytes = b""


class Driver:
    """Carries out one order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._exchanges = [Exchange() for _ in range(order.count)]
        numbers = range(order.first_number, order.first_number + order.count)
        self._requests = [traffic.request(number, order.port, order.path) for number in numbers]
        self._open: dict[int, _Connection] = {}
        self._answers: dict[int, bytes] = {}
        self._poll = select.epoll()
        self._begin = 0.0

    def run(self) -> Outcome:
        """Send everything when it is due; collect answers until all are there or overdue."""
        order = self._order
        started = 0
        longest_turn = 0.0
        most_events = order.count + 1  # all there are: what is left out would seem to come later
        self._begin = woken = time.monotonic()
        deadline = self._begin + order.longest_seconds
        while (started < order.count or self._open) and woken < deadline:
            while started < order.count and self._begin + order.due(started) <= woken:
                self._start(started)
                started += 1
            if self._answers:  # before them, nothing can seem late
                longest_turn = max(longest_turn, time.monotonic() - woken)
            events = self._poll.poll(self._pause(started), most_events)
            woken = time.monotonic()
            for descriptor, event in events:
                self._handle(self._open[descriptor], event, woken)
        for connection in list(self._open.values()):
            self._finish(connection, "unanswered")
        self._judge()
        return Outcome(exchanges=self._exchanges, begin=self._begin, longest_turn=longest_turn)

    def _pause(self, started: int) -> float:
        if started == self._order.count:
            return _LONGEST_PAUSE
        until_due = self._begin + self._order.due(started) - time.monotonic()
        return min(max(until_due, 0), _LONGEST_PAUSE)

    def _start(self, index: int) -> None:
        exchange = self._exchanges[index]
        try:
            connecting = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            exchange.fault = f"no socket: {error.strerror}"
            return
        connecting.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        connecting.bind((f"127.0.0.{1 + index // _PORTS_PER_ADDRESS}", 0))
        connection = _Connection(connecting, index, self._requests[index])
        self._open[connecting.fileno()] = connection
        exchange.started = time.monotonic()
        result = connecting.connect_ex(("127.0.0.1", self._order.port))
        if result not in (0, errno.EINPROGRESS):
            self._finish(connection, f"not connected: {os.strerror(result)}")
            return
        self._poll.register(connecting, select.EPOLLIN | select.EPOLLOUT)
        self._send(connection)

    def _handle(self, connection: _Connection, event: int, woken: float) -> None:
        if connection.unsent:
            self._send(connection)
        elif event & ~select.EPOLLOUT:
            self._receive(connection, woken)

    def _send(self, connection: _Connection) -> None:
        now = time.monotonic()
        try:
            count = connection.socket.send(connection.unsent)
        except BlockingIOError:
            return  # still connecting
        except OSError as error:
            self._finish(connection, f"not sent: {error.strerror}")
            return
        exchange = self._exchanges[connection.index]
        exchange.sent = exchange.sent or now
        connection.unsent = connection.unsent[count:]
        if not connection.unsent:
            self._poll.modify(connection.socket, select.EPOLLIN)

    def _receive(self, connection: _Connection, woken: float) -> None:
        """Read what has come; it was there when the poll woke, so that is its instant."""
        try:
            data = connection.socket.recv(65536)
        except OSError as error:
            self._finish(connection, f"lost: {error.strerror}")
            return
        connection.answer += data
        if data and not traffic.is_complete(connection.answer):
            return
        self._exchanges[connection.index].answered = woken
        self._answers[connection.index] = connection.answer
        self._finish(connection, "")

    def _finish(self, connection: _Connection, fault: str) -> None:
        del self._open[connection.socket.fileno()]
        connection.socket.close()
        self._exchanges[connection.index].fault = fault

    def _judge(self) -> None:
        """Look for faults in the answers; left until now, for it takes time."""
        for index, answer in self._answers.items():
            exchange = self._exchanges[index]
            number = self._order.first_number + index
            exchange.fault = traffic.fault(number, answer, self._order.path)
            held = (exchange.answered or 0.0) - (exchange.sent or 0.0)
            if not exchange.fault and held < self._order.wait - _MAY_BE_EARLY:
                exchange.fault = "answered early"


def main(order_path: str, outcome_path: str) -> None:
    """Carry out the order in the one file and write what became of it to the other."""
    order = Order.from_json(Path(order_path).read_text())
    raise_file_limit()
    driver = Driver(order)
    gc.collect()
    gc.disable()  # a pause of ours must not look like the server's
    Path(outcome_path).write_text(driver.run().to_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
