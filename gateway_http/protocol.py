"""One HTTP/1.1 connection: Sanic's, which does not trust its caller to be quick, nor to read while it writes.

A request must have arrived whole within the request timeout, however its bytes are spread over it. A connection that is
closed while its caller still sends is closed in two steps, since closing it at once would make the caller's system throw the
answer away. Source: RFC 9112, section 9.6.
"""

import asyncio
import time
from typing import cast

from sanic.exceptions import RequestTimeout
from sanic.http import Http, Stage
from sanic.server.protocols.http_protocol import HttpProtocol

_LAST_READ_S = 2.0
"""How long a caller that still sends may take to see that its answer is there."""


class _FrontHttp(Http):
    """The requests of a connection, one after the other."""

    __slots__ = ()

    def init_for_request(self) -> None:
        super().init_for_request()  # type: ignore[no-untyped-call]
        cast("FrontProtocol", self.protocol).begin = time.monotonic()

    async def http1(self) -> None:
        await super().http1()  # type: ignore[no-untyped-call]
        cast("FrontProtocol", self.protocol).unread |= bool(self.request_body or self.recv_buffer)

    def create_empty_request(self) -> None:
        """Stands in for a request that could not be understood; its address may be why, so that is left out."""
        self.url = None
        super().create_empty_request()


class FrontProtocol(HttpProtocol):
    """A connection of the front."""

    HTTP_CLASS = _FrontHttp
    __slots__ = ("begin", "last_read", "unread")

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.begin = 0.0
        """When the request that is arriving began to."""
        self.unread = False
        """Whether the caller may still be sending when the connection ends."""
        self.last_read: asyncio.TimerHandle | None = None
        """Ends the time between the two steps of closing."""

    def data_received(self, data: bytes) -> None:
        """Takes the next bytes; none are of interest any more when the answer has ended the connection."""
        if self.last_read is not None:
            return
        if not _arriving(self.http):
            self.begin = time.monotonic()
        super().data_received(data)

    def check_timeouts(self) -> None:
        """Looks, from time to time, at how long everything takes."""
        if self._task is not None and _arriving(self.http) and time.monotonic() - self.begin > self.request_timeout:
            self.unread = True
            # Nothing more of it is read: a task that is cancelled between two requests just ends.
            self.http.request_body = None
            self.http.exception = RequestTimeout("The request took too long to arrive.")
            self._task.cancel()
        else:
            super().check_timeouts()  # type: ignore[no-untyped-call]

    def close(self, timeout: float | None = None) -> None:
        """Closes the connection: where the caller still sends, only our side at first."""
        if self.unread and self.last_read is None and self.transport is not None and not self.transport.is_closing():
            self.transport.write_eof()
            self.transport.resume_reading()
            self.last_read = self.loop.call_later(_LAST_READ_S, self.close)
        else:
            super().close(timeout)

    def connection_lost(self, exception: Exception | None) -> None:
        """Ends everything."""
        if self.last_read is not None:
            self.last_read.cancel()
        super().connection_lost(exception)  # type: ignore[no-untyped-call]


def _arriving(http: Http | None) -> bool:
    """Whether a request has begun to arrive and is not there as a whole."""
    return http is not None and (http.stage is Stage.REQUEST or bool(getattr(http, "request_body", None)))
