"""The connections of aiohttp, held to what a provider may do and what its settings say.

aiohttp has no public way to limit idle connections, or to tell that a connection was used before. So this overrides names
of its own (`_create_connection`, `_release`, `_release_waiter`, `_cleanup`, `_cleanup_handle`, `_conns`, `_acquired`,
`_factory`, `_waiter`, `_buffer`, `_payload`, `_drop_timeout`, and a connection's `_protocol`); `test_http1` and
`test_http1_lines` notice a change.

What outlives a request (connections, timers) is made in a context of its own: it would keep the caller's, and with that the
caller's whole request.
"""

import asyncio
import time
from contextvars import Context
from enum import Enum
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.tracing import Trace

_UNHURRIED = aiohttp.ClientTimeout(total=None)
_LOOK_S = 1.0
"""How often at most unused connections are looked at."""


class Stale(aiohttp.ClientConnectionError):
    """A connection that was used before ended without a byte of the answer: the vendor had closed it while it was idle."""


class _State(Enum):
    """What a connection does."""

    IDLE = 0
    ASKED = 1
    """A request is out, and nothing came back yet."""
    ANSWERING = 2


_IDLE, _ASKED, _ANSWERING = _State  # an enum's attribute costs more, and this is asked at each read


class Line(ResponseHandler):
    """One connection.

    Args:
        loop: the running one.
        head_s: how long a head that has begun may take.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, head_s: float) -> None:
        super().__init__(loop)
        self.state = _ASKED
        self.reused = False
        self.late = False
        """Whether the time for the whole answer is over."""
        self._head_s = head_s
        self._head_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Takes what came; bytes that nobody asked for must not become the answer of the next request."""
        state = self.state
        if state is _IDLE:
            if data:  # else a reader lets the parser go on, who has nothing left
                self.abort()
            return
        ResponseHandler.data_received(self, data)
        if state is _ASKED and data:
            if self.state is _ASKED:
                self.state = _ANSWERING
        elif self._buffer and self.state is _IDLE:
            self.abort()
        if self._waiter is not None:
            if data and self._head_timer is None:
                self._head_timer = self._loop.call_later(self._head_s, self._head_is_late)
        elif self._head_timer is not None:
            self._end_head_timer()

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Tells the reader what went wrong."""
        broken = isinstance(exc, aiohttp.ClientConnectionError | OSError) and not isinstance(exc, TimeoutError)
        if broken and self.reused and self.state is _ASKED:
            exc = Stale()
        if exc_cause is None:
            super().set_exception(exc)
        else:
            super().set_exception(exc, exc_cause)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends the connection."""
        self._end_head_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Lets the time for a read stand still: a vendor that has not all of the request need not answer."""
        super().pause_writing()
        self._drop_timeout()

    def resume_writing(self) -> None:
        """Lets it begin."""
        super().resume_writing()
        if self.state is _ASKED:
            self.start_timeout()

    def begin(self) -> None:
        """Makes it ready for a request. What befalls that one is nothing to an answer that is whole, and may be read yet."""
        self.reused, self.late = self.state is _IDLE, False
        self.state = _ASKED
        self._payload = None

    def expire(self) -> None:
        """Ends the waiting for an answer whose time is over; what has arrived can still be read."""
        self.late = True
        error = aiohttp.ServerTimeoutError("the answer comes too slowly")
        if self._waiter is not None:
            self.set_exception(error)
        elif self._payload is not None and self._payload._waiter is not None:
            self._payload.set_exception(error)

    def close(self) -> None:
        """Closes at once: neither the rest of a request that nobody wants nor a vendor's farewell is waited for."""
        payload = self._payload
        self.abort()
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(aiohttp.ClientConnectionError("the connection was closed"))

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._waiter is not None and self.state is _ANSWERING:
            self.set_exception(aiohttp.SocketTimeoutError("the head comes too slowly"))


class Pool(aiohttp.TCPConnector):
    """The connections to one provider.

    Args:
        connect_s: how long connecting may take, names, every address and TLS included.
        limit: how many connections there may be at once.
        idle: how many of them are kept when they are not used.
        idle_s: how long an unused one is kept.
        head_s: how long a head that has begun may take.
        trim_s: how long there may be more idle ones, so that a burst's end does not close what its next second needs.
    """

    def __init__(self, connect_s: float, limit: int, idle: int, idle_s: float, head_s: float, trim_s: float = 1.0) -> None:
        if idle:
            super().__init__(limit=limit, ttl_dns_cache=60, keepalive_timeout=idle_s)
        else:
            super().__init__(limit=limit, ttl_dns_cache=60, force_close=True)
        self._connect_s = connect_s
        self._idle = idle
        self._trim_s = trim_s
        self._trim_timer: asyncio.TimerHandle | None = None
        self._factory = lambda: Line(self._loop, head_s)  # type: ignore[assignment]

    async def take(self, request: ClientRequest, key: ConnectionKey, deadline: float | None) -> Line:
        """Takes a connection out of the pool, or makes a new one, for a request to this key's address.

        Raises:
            aiohttp.ClientError: it could not be made; also OSError, TimeoutError.
        """
        line = self._idle_line(key)
        if line is None:
            line = await self._wait_for_line(request, deadline)
        line.begin()
        return line

    def give(self, key: ConnectionKey, line: Line, close: bool = False) -> None:
        """Gives a connection back, which is kept if it can serve again: not before its request is out."""
        transport = line.transport
        self._release(key, line, should_close=close or (transport is not None and transport.get_write_buffer_size() > 0))

    async def _wait_for_line(self, request: ClientRequest, deadline: float | None) -> Line:
        try:
            if self.closed:
                raise aiohttp.ClientConnectionError("the pool is closed")
            async with asyncio.timeout_at(deadline):
                connection = await self.connect(request, [], _UNHURRIED)
        except BaseException as error:
            self._release_waiter()  # who leaves may have been woken, and nobody else would be
            task = asyncio.current_task()
            if self.closed and isinstance(error, asyncio.CancelledError) and task is not None and not task.cancelling():
                raise aiohttp.ClientConnectionError("the pool is closed") from None
            raise
        line, connection._protocol = cast(Line, connection.protocol), None  # else it would warn of itself
        return line

    def _idle_line(self, key: ConnectionKey) -> Line | None:
        """As aiohttp's `_get`, which makes two objects more."""
        lines = self._conns.get(key)
        if not lines:
            return None
        oldest = time.monotonic() - (self._keepalive_timeout or 0)
        found: Line | None = None
        while lines and found is None:
            line, since = lines.popleft()
            if line.is_connected() and since >= oldest:
                found = cast(Line, line)
                self._acquired.add(line)
            else:
                line.close()
        if not lines:
            del self._conns[key]
        return found

    def drop_idle(self, kept: int = 0) -> None:
        """Closes the connections that are not used, the oldest first, until so many are left."""
        for key, lines in list(self._conns.items()):
            while len(lines) > kept:
                lines.popleft()[0].close()
            if not lines:
                del self._conns[key]

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        making = asyncio.create_task(self._make(req, traces, timeout), context=Context())
        try:
            line = await making
        except asyncio.CancelledError:
            if making.done() and not making.cancelled() and making.exception() is None:
                making.result().close()
            raise
        if self._trim_timer is None and len(self._acquired) > self._idle:
            self._trim_timer = self._loop.call_later(self._trim_s, self._trim, context=Context())
        return line

    async def _make(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> ResponseHandler:
        try:
            async with asyncio.timeout(self._connect_s):
                return await super()._create_connection(req, traces, timeout)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None

    def _cleanup(self) -> None:
        """Closes what was not used for long enough. aiohttp's looks so seldom that they may stay for twice as long."""
        if self._cleanup_handle is not None:
            self._cleanup_handle.cancel()
            self._cleanup_handle = None
        idle_s, now = self._keepalive_timeout or 0, time.monotonic()
        for key, lines in list(self._conns.items()):
            while lines and (lines[0][1] + idle_s <= now or not lines[0][0].is_connected()):
                lines.popleft()[0].close()
            if not lines:
                del self._conns[key]
        if self._conns:
            next_s = min(lines[0][1] for lines in self._conns.values()) + idle_s - now
            self._cleanup_handle = self._loop.call_later(max(next_s, _LOOK_S), self._cleanup, context=Context())

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        if self.closed:  # and so is the connection
            return
        protocol.state = _IDLE  # type: ignore[attr-defined]
        if self._cleanup_handle is None and not self._force_close:
            self._cleanup_handle = self._loop.call_later(self._keepalive_timeout or 0, self._cleanup, context=Context())
        super()._release(key, protocol, should_close=should_close)

    def _trim(self) -> None:
        self._trim_timer = None
        if self.closed:
            return
        self.drop_idle(self._idle)
        if len(self._acquired) > 0:
            self._trim_timer = self._loop.call_later(self._trim_s, self._trim, context=Context())
