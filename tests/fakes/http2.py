"""A vendor on loopback that speaks HTTP/2 over TLS, as a test tells it to, with a certificate of its own.

async with Http2Vendor() as vendor:
    vendor.answers.append(lambda exchange: exchange.answer(200, b"{}"))
    ...                       # the thing under test calls vendor.url, and trusts vendor.trust()
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

import h2.config
import h2.connection
import h2.events
import h2.settings
import trustme

from tests.fakes.watch import Watch

FIRST_WINDOW = 65_535
"""How many bytes of a body may come before the vendor has to open its window."""

_codes = h2.settings.SettingCodes


@dataclass(slots=True)
class Exchange:
    """A request that came whole, and the connection to answer it on."""

    line: "Line"
    stream: int
    headers: dict[str, str]
    body: bytes = b""
    reset: bool = False

    def head(self, status: int, *fields: tuple[str, str], end: bool = False) -> None:
        """Sends the head of an answer."""
        self.line.h2.send_headers(self.stream, [(":status", str(status)), *fields], end_stream=end)
        self.line.flush()

    def data(self, data: bytes, end: bool = False) -> None:
        """Sends a piece of the body that fits the client's window."""
        self.line.h2.send_data(self.stream, data, end_stream=end)
        self.line.flush()

    def answer(self, status: int, body: bytes, *fields: tuple[str, str]) -> None:
        """Sends a whole answer, as fast as the client reads."""
        self.head(status, *fields)
        self.line.unsent[self.stream] = body
        self.line.pump()


class Line(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, vendor: "Http2Vendor") -> None:
        self.vendor = vendor
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.unsent: dict[int, bytes] = {}
        self.asked: dict[int, Exchange] = {}
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.vendor.lines.append(self)
        self.vendor.accepted += 1
        self.vendor.watch.notify()
        if not self.vendor.begins:
            return
        limits = {_codes.MAX_CONCURRENT_STREAMS: self.vendor.most_streams}
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=limits)
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.vendor.lines.remove(self)
        self.vendor.watch.notify()

    def data_received(self, data: bytes) -> None:
        if not self.vendor.begins:
            return
        for event in self.h2.receive_data(data):
            match event:
                case h2.events.RequestReceived(stream_id=stream, headers=headers):
                    self.asked[stream] = Exchange(self, stream, dict(cast(list[tuple[str, str]], headers)))
                case h2.events.DataReceived(stream_id=stream, data=piece, flow_controlled_length=flow):
                    self.asked[stream].body += piece or b""
                    if self.vendor.opens:
                        self.h2.acknowledge_received_data(flow or 0, stream)
                    elif len(self.asked[stream].body) == FIRST_WINDOW:
                        self.vendor.answers.popleft()(self.asked[stream])
                case h2.events.StreamEnded(stream_id=stream):
                    self.vendor.exchanges.append(self.asked[stream])
                    self.vendor.answers.popleft()(self.asked[stream])
                case h2.events.StreamReset(stream_id=stream):
                    self.asked[stream].reset = True
                    self.unsent.pop(stream, None)
                case _:
                    pass
        self.pump()
        self.vendor.watch.notify()

    def pump(self) -> None:
        """Sends what the client's windows let through."""
        for stream, rest in list(self.unsent.items()):
            while stream in self.unsent:
                window = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                if rest and window <= 0:
                    break
                piece, rest = rest[:window], rest[window:]
                self.h2.send_data(stream, piece, end_stream=not rest)
                self.unsent[stream] = rest
                if not rest:
                    del self.unsent[stream]
        self.flush()

    def flush(self) -> None:
        """Writes the frames that wait."""
        assert self.transport is not None
        self.transport.write(self.h2.data_to_send())


class Http2Vendor:
    """The vendor: a queue of answers, and a record of what came.

    Args:
        most_streams: how many requests it takes at once on a connection.
        protocols: what it agrees on when TLS begins.
        begins: whether it says anything after that.
        opens: whether it takes more of a body than its first window; else it answers once that is full.
    """

    def __init__(
        self, most_streams: int = 100, protocols: tuple[str, ...] = ("h2",), begins: bool = True, opens: bool = True
    ) -> None:
        self.most_streams = most_streams
        self.begins = begins
        self.opens = opens
        self.accepted = 0
        self.answers: deque[Callable[[Exchange], None]] = deque()
        self.exchanges: list[Exchange] = []
        self.lines: list[Line] = []
        self.watch = Watch()
        self.port = 0
        self._authority = trustme.CA()
        self._protocols = protocols
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"https://127.0.0.1:{self.port}"

    def trust(self) -> ssl.SSLContext:
        """What a client needs to trust it."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    async def __aenter__(self) -> Self:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(tls)
        tls.set_alpn_protocols(list(self._protocols))
        self._server = await asyncio.get_running_loop().create_server(lambda: Line(self), "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for line in self.lines:
            assert line.transport is not None
            line.transport.abort()
        await self.watch.until(lambda: not self.lines)
        await self._server.wait_closed()
