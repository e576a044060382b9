"""The connections of aiohttp, held to what a provider may do and what its settings say.

aiohttp has no public way to limit idle connections, or to tell that a connection was used before. So this overrides names
of its own (`_create_connection`, `_release_waiter`, `_waiters`, `_cleanup`, `_cleanup_handle`, `_conns`, `_acquired`,
`_closed`, `_force_close`, `_factory`, and a connection's `_protocol`); `test_http1` and `test_http1_lines` notice a change.

What outlives a request (connections, timers) is made in a context of its own: it would keep the caller's, and with that the
caller's whole request.
"""

import asyncio
import time
from contextvars import Context
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.tracing import Trace

from server.providers.http.http1_line import Line

_UNHURRIED = aiohttp.ClientTimeout(total=None)
_LOOK_S = 1.0
"""How often at most unused connections are looked at."""


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
        self._keys: dict[Line, ConnectionKey] = {}
        self._factory = lambda: Line(self._loop, head_s, self._free)  # type: ignore[assignment]

    async def new_line(self, request: ClientRequest, key: ConnectionKey, deadline: float | None) -> Line:
        """Makes a connection to a key's address, or waits for one that others have.

        Raises:
            aiohttp.ClientError: it could not be made; also OSError, TimeoutError.
        """
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
        self._keys[line] = key
        return line

    def idle_line(self, key: ConnectionKey) -> Line | None:
        """Takes an unused connection to a key's address, as aiohttp's `_get`, which makes two objects more."""
        lines = self._conns.get(key)
        if not lines:
            return None
        oldest = time.monotonic() - (self._keepalive_timeout or 0)
        found: Line | None = None
        while lines and found is None:
            line, since = lines.popleft()
            if line.is_connected() and since >= oldest:
                found = line  # type: ignore[assignment]
                self._acquired.add(line)
                self._keys[found] = key  # type: ignore[index]
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

    def _free(self, line: Line) -> None:
        """Keeps a connection whose answer has ended, if it can serve again. As aiohttp's `_release`, in one step."""
        key = self._keys.pop(line)
        if self._closed:
            return
        self._acquired.discard(line)
        if self._waiters:
            self._release_waiter()
        if self._force_close or line.should_close:
            line.close()
            return
        self._conns[key].append((line, time.monotonic()))  # type: ignore[arg-type]
        if self._cleanup_handle is None:
            self._cleanup_handle = self._loop.call_later(self._keepalive_timeout or 0, self._cleanup, context=Context())

    def _trim(self) -> None:
        self._trim_timer = None
        if self.closed:
            return
        self.drop_idle(self._idle)
        if len(self._acquired) > 0:
            self._trim_timer = self._loop.call_later(self._trim_s, self._trim, context=Context())
