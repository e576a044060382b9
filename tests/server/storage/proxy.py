"""A way to PostgreSQL that can fall silent, as a network does: connections stay, and nothing comes through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"


class Proxy:
    """Passes bytes on between a port of its own and PostgreSQL's socket.

    Attributes:
        port: where it listens.
    """

    def __init__(self, folder: Path) -> None:
        self.port = 0
        self._socket = folder / _SOCKET
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def fall_silent(self) -> None:
        """From now on nothing comes through, in either direction."""
        self._open.clear()

    def speak(self) -> None:
        """Everything comes through again, what was held back first."""
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes one connection's bytes on, both ways, until one side ends."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            ways = (self._pass(reader, upstream_writer), self._pass(upstream_reader, writer))
            await asyncio.wait([asyncio.ensure_future(way) for way in ways], return_when=asyncio.FIRST_COMPLETED)
        finally:
            writer.close()
            upstream_writer.close()
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)


@asynccontextmanager
async def run_proxy(folder: Path) -> AsyncIterator[Proxy]:
    """Runs a proxy to the PostgreSQL whose socket is in `folder`."""
    proxy = Proxy(folder)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.speak()
