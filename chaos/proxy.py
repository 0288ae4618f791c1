"""A TCP proxy that delays what it forwards, or forwards nothing at all."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Self

from tests.servers import HOST


class Proxy:
    """Stands before a port of this machine; ``delay`` is in seconds, for each direction.

    While it is ``silent``, connections stay open, new ones are taken, and nothing comes through.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.delay = 0.0
        self.silent = False
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        serving = asyncio.start_server(self._connected, HOST, 0)
        server = asyncio.run_coroutine_threadsafe(serving, self._loop).result()
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(HOST, self._to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._carry(reader, back), self._carry(there, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if not self.silent:
                    # Calls that are due at the same distance keep their order.
                    self._loop.call_later(self.delay, writer.write, data)
        self._loop.call_later(self.delay, writer.close)
