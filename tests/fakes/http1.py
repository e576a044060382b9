"""A minimal HTTP/1.1 server on loopback that lets its owner decide about every byte.

In come connections, out go requests to one handler, and through its `Connection` whatever bytes the handler writes: the
head, the framing, a reset in the middle. It knows no path, no JSON and no vendor.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Self, TypeAlias, cast

from tests.fakes.http1_request import BadRequest, Request, RequestReader
from tests.fakes.watch import Watch

Handler: TypeAlias = "Callable[[Request, Connection], Awaitable[None]]"


class Connection(asyncio.Protocol):
    """One client's connection: reads requests, has them answered one after the other."""

    def __init__(self, server: "Http1Server", number: int) -> None:
        self._server = server
        self._reader = RequestReader(number)
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self.closed_by_us = False
        self.client_gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.joined(self)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        if self._task is None:
            self._answer_next()

    def eof_received(self) -> bool:
        # No client of ours half-closes: whoever stops writing has gone.
        self._gone()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()
        self._server.left(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes, *, last: bool = False) -> None:
        """Sends bytes, waits while the client doesn't read, and then lets a client in this loop read them alone.

        After the last bytes of an answer nothing is waited for but the client's reading: whoever leaves then has it all.
        """
        if self._transport is None or self._transport.is_closing():
            # A write that failed closes the transport before it tells so.
            self.client_gone = not self.closed_by_us
            raise ConnectionResetError("the connection is closed")
        self._transport.write(data)
        await self._writable.wait()
        if last:
            return
        # One turn of the loop sees the bytes, the next hands them over; then the following write is another read.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def close(self) -> None:
        """Ends the connection in order: what was written arrives, then the end."""
        self.closed_by_us = True
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Ends the connection with a TCP reset."""
        self.closed_by_us = True
        if self._transport is not None:
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()

    def abandon(self) -> None:
        """Ends the connection without waiting for a client that doesn't read."""
        if self._transport is not None and self._transport.get_write_buffer_size():
            self.reset()
        else:
            self.close()

    def _gone(self) -> None:
        if self.client_gone or self.closed_by_us:
            return
        self.client_gone = True
        if self._task is not None:
            self._task.cancel()

    def _answer_next(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        try:
            if self._reader.wants_continue:
                transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request = self._reader.take()
        except BadRequest as fault:
            self._server.faults.append(fault)
            transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.close()
            return
        if request is not None:
            self._task = self._server.start(self._answer(request))
            self._task.add_done_callback(self._answered)

    async def _answer(self, request: Request) -> None:
        try:
            await self._server.handler(request, self)
        except ConnectionResetError:
            return
        if request.headers.get("connection", "").lower() == "close":
            self.close()

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            return
        if task.exception() is not None:
            self.reset()
        self._answer_next()


class Http1Server:
    """The listening socket, its connections and the tasks that answer.

    The tasks are held here and not in a TaskGroup, because a fixture may enter and leave in two different tasks.
    """

    def __init__(self, handler: Handler, watch: Watch) -> None:
        self.handler = handler
        self.connections: set[Connection] = set()
        self.faults: list[Exception] = []
        self.port = 0
        self._watch = watch
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepted = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops listening, ends every answer and connection, and waits until nothing of them is left."""
        assert self._server is not None
        self._server.close()
        for connection in self.connections:
            connection.abandon()
        for task in self._tasks:
            task.cancel()
        await self._watch.until(lambda: not self._tasks and not self.connections)
        await self._server.wait_closed()

    def joined(self, connection: Connection) -> None:
        self.connections.add(connection)
        self._watch.notify()

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self._watch.notify()

    def start(self, answer: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Runs an answer in a task of its own, and keeps what it raised for the owner to see."""
        task = asyncio.get_running_loop().create_task(answer)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            assert isinstance(fault, Exception)
            self.faults.append(fault)
        self._watch.notify()

    def _connection(self) -> Connection:
        self._accepted += 1
        return Connection(self, self._accepted)
