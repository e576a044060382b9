"""One HTTP/1.1 connection: Sanic's, which does not trust its caller to be quick, nor to read while it writes.

A request must have arrived whole within the request timeout, however its bytes are spread over it. A connection that is
closed while its caller still sends is closed in two steps, since closing it at once would make the caller's system throw the
answer away. Source: RFC 9112, section 9.6.
"""

import asyncio
import re
import time
from functools import lru_cache

from sanic.exceptions import BadRequest, RequestCancelled, RequestTimeout
from sanic.headers import format_http1_response
from sanic.http import Http, Stage
from sanic.server.protocols.http_protocol import HttpProtocol

from gateway_http.response import FrontResponse

_MOST_WAITING = 64 * 1024
"""With more bytes than that, what a connection has to send does not wait for the others."""

_LAST_READ_S = 2.0
"""How long a caller that still sends may take to see that its answer is there."""

_NO_HEADER = re.compile(rb"\r\n(?![!#$%&'*+.^_`|~0-9A-Za-z-]+:)")
"""A line that does not begin with a header's name. Source: RFC 9112, section 5: one with a space may hide a length."""

_SIZE = re.compile(r"[0-9A-Fa-f]+")


class FrontHttp(Http):
    """The requests of a connection, one after the other."""

    __slots__ = ("chunked",)
    protocol: "FrontProtocol"
    chunked: bool
    """Whether the pieces of the body that is being streamed are sent as chunks."""

    def init_for_request(self) -> None:
        super().init_for_request()  # type: ignore[no-untyped-call]
        self.chunked = False
        self.protocol.begin = time.monotonic()

    async def http1(self) -> None:
        await super().http1()  # type: ignore[no-untyped-call]
        self.protocol.unread |= bool(self.request_body or self.recv_buffer)

    async def http1_request_header(self) -> None:
        """Reads the head of a request. One for a head is handled as GET; of the answer, its body is not sent.

        Raises:
            BadRequest: a line of it is no header, or it does not name one host. Source: RFC 9112, section 3.2.
        """
        await super().http1_request_header()  # type: ignore[no-untyped-call]
        request = self.request
        hosts = len(request.headers.getall("host", ()))
        if hosts > 1 or (hosts == 0 and request.version == "1.1") or _NO_HEADER.search(request.head):
            self.leave_body()
            raise BadRequest
        if self.head_only:
            request.method = "GET"

    async def read(self) -> bytes | None:
        """Reads a piece of the body; none at its end.

        Raises:
            BadRequest: a chunk goes on after its size.
            PayloadTooLarge: it has more bytes than it may.
        """
        if self.request_body == "chunked" and self.request_bytes_left == 0:  # type: ignore[comparison-overlap]
            while len(self.recv_buffer) < 2:
                await self.protocol.receive_more()
            if self.recv_buffer[:2] != b"\r\n":
                self.keep_alive = False
                raise BadRequest
        return await super().read()

    @staticmethod
    def _safe_int(value: str, base: int = 10) -> int:
        """A size. Python alone would read prefixes and the digits of other scripts, too."""
        digits = value.strip(" \t")
        if not _SIZE.fullmatch(digits):
            raise ValueError
        return int(digits, base)

    async def body(self, largest: float) -> bytes:
        """The request's whole body. Most are small and arrive with the head, and then there is nothing to wait for.

        Raises:
            PayloadTooLarge: it has more bytes than `largest`.
        """
        self.request_max_size = largest
        size: int = self.request_bytes_left  # type: ignore[assignment]
        buffer = self.recv_buffer
        body_expected: object = self.request_body
        arrived = body_expected is True and size <= len(buffer) and not self.expecting_continue
        if not arrived or size > largest:
            return b"".join([data async for data in self])
        body = bytes(buffer[:size])
        del buffer[:size]
        self.request_bytes_left = 0
        self.request_body = None
        return body

    def body_may_exceed(self, size: int) -> bool:
        """Whether the body has more bytes, as far as its head tells."""
        return self.request_body == "chunked" or self.request_bytes_left > size  # type: ignore[comparison-overlap,operator]

    def leave_body(self) -> None:
        """Leaves the body unread. The connection ends with the answer."""
        self.protocol.unread = True
        self.request_body = None
        self.expecting_continue = False
        self.keep_alive = False

    def push(self, data: bytes) -> bool:
        """Sends a piece of a body that is being streamed; false where the caller reads too slowly to do so at once."""
        if self.stage is not Stage.RESPONSE or not self.chunked or not self.protocol.can_write:
            return False
        self.protocol.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    async def http1_response_header(self, data: bytes, end_stream: bool) -> None:
        """Sends the head, and with it the body, or its first piece.

        HTTP/1.0 knows no chunks: there a streamed body ends with the connection. Source: RFC 9112, section 6.1.
        """
        response = self.response
        if not isinstance(response, FrontResponse) or self.head_only or self.expecting_continue:
            await super().http1_response_header(data, end_stream)
            return
        if not data and response.body:
            data, end_stream = response.body, True
        if end_stream:
            framing = f"content-length: {len(data)}\r\n"
            self.response_func = None  # type: ignore[assignment]
        elif self.request.version == "1.0":
            framing = ""
            self.keep_alive = False
            self.response_func = self._send_until_closed
        else:
            framing = "transfer-encoding: chunked\r\n"
            self.chunked = True
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            self.response_func = self.http1_response_chunked
        kept = "keep-alive" if self.keep_alive else "close"
        fields = f"{response.fields()}{framing}connection: {kept}\r\n\r\n"
        await self._send(b"%b%b%b" % (_status_line(response.status), fields.encode("ascii", "replace"), data))
        self.stage = Stage.IDLE if end_stream else Stage.RESPONSE

    async def _send_until_closed(self, data: bytes, end_stream: bool) -> None:
        if data:
            await self._send(data)
        if end_stream:
            self.response_func = None  # type: ignore[assignment]
            self.stage = Stage.IDLE

    def create_empty_request(self) -> None:
        """Stands in for a request that could not be understood; its address may be why, so that is left out."""
        self.url = None
        super().create_empty_request()


class FrontProtocol(HttpProtocol):
    """A connection of the front."""

    HTTP_CLASS = FrontHttp
    __slots__ = ("arrival", "begin", "buffer_size", "can_write", "last_read", "unread", "waiting")

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.begin = 0.0
        """When the request that is arriving began to."""
        self.arrival: asyncio.Future[None] | None = None
        """What waits for the next bytes."""
        self.buffer_size: int = self.app.config.REQUEST_BUFFER_SIZE
        """With more bytes than that waiting, no more are read."""
        self.can_write = True
        """Whether the caller has read enough of what was sent."""
        self.unread = False
        """Whether the caller may still be sending when the connection ends."""
        self.last_read: asyncio.TimerHandle | None = None
        """Ends the time between the two steps of closing."""
        self.waiting = b""
        """What will be sent in the loop's next turn."""

    def data_received(self, data: bytes) -> None:
        """Takes the next bytes; none are of interest any more when the answer has ended the connection."""
        if self.last_read is not None:
            return
        self._time = time.monotonic()
        if not _arriving(self.http):
            self.begin = self._time
        self.recv_buffer += data
        if len(self.recv_buffer) >= self.buffer_size and self.transport is not None:
            self.transport.pause_reading()
        if self.arrival is not None and not self.arrival.done():
            self.arrival.set_result(None)

    async def receive_more(self) -> None:
        """Waits for the next bytes."""
        if self.transport is not None:
            self.transport.resume_reading()
        self.arrival = self.loop.create_future()
        try:
            await self.arrival
        finally:
            self.arrival = None

    def pause_writing(self) -> None:
        """Lets nothing more be sent."""
        self.can_write = False
        super().pause_writing()  # type: ignore[no-untyped-call]

    def resume_writing(self) -> None:
        """Lets more be sent."""
        self.can_write = True
        super().resume_writing()  # type: ignore[no-untyped-call]

    async def send(self, data: bytes) -> None:
        """Sends bytes; waits first where the caller reads slowly."""
        if not self.can_write:
            await self._can_write.wait()
        self.write(data)

    def write(self, data: bytes) -> None:
        """Sends bytes in the loop's next turn, in one go with those of other connections.

        Raises:
            RequestCancelled: the caller has gone.
        """
        if self.transport is None or self.transport.is_closing():
            raise RequestCancelled
        if self.waiting:
            self.waiting += data
        else:
            self.waiting = data
            self.loop.call_soon(self.flush)
        if len(self.waiting) > _MOST_WAITING:
            self.flush()
        self._time = time.monotonic()

    def flush(self) -> None:
        """Sends what waits."""
        data, self.waiting = self.waiting, b""
        if data and self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def eof_received(self) -> None:
        """Sends what waits: the caller says no more, and the transport closes itself then."""
        self.flush()

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
        self.flush()
        if self.unread and self.last_read is None and self.transport is not None and not self.transport.is_closing():
            self.transport.write_eof()
            self.transport.resume_reading()
            self.last_read = self.loop.call_later(_LAST_READ_S, self.close)
        else:
            super().close(timeout)

    def abort(self) -> None:
        """Closes the connection at once; what was said before is sent as far as the system takes it."""
        self.flush()
        super().abort()  # type: ignore[no-untyped-call]

    def connection_lost(self, exception: Exception | None) -> None:
        """Ends everything."""
        if self.last_read is not None:
            self.last_read.cancel()
        super().connection_lost(exception)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    return format_http1_response(status, ())[:-2]


def _arriving(http: Http | None) -> bool:
    """Whether a request has begun to arrive and is not there as a whole."""
    return http is not None and (http.stage is Stage.REQUEST or bool(getattr(http, "request_body", None)))
