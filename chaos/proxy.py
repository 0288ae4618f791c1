"""A TCP proxy that delays what it forwards, or keeps it to itself."""

from __future__ import annotations

import asyncio
import threading
from typing import Final, Self

from tests.servers import HOST

_LOOK_EVERY: Final = 0.05

_STEP: Final = 1e-6
"""Seconds between two pieces: asyncio does not keep the order of what is due at once."""


class Proxy:
    """Stands before a port of this machine; ``delay`` is in seconds, for each direction.

    While it is ``silent``, connections stay open, new ones are taken, and what is sent waits.
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
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(HOST, self._to)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
        except OSError:
            pass
        finally:
            writer.close()
            back.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing gets lost or overtakes anything: it is a stream, whatever the network does."""
        due = 0.0
        while data := await reader.read(65536):
            while self.silent:
                await asyncio.sleep(_LOOK_EVERY)
            due = max(due + _STEP, self._loop.time() + self.delay)
            self._loop.call_at(due, _write, writer, data)
        writer.write_eof()


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)
