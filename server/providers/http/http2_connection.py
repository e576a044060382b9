"""One connection over HTTP/2: frames in, streams fed; requests out, as far as the vendor's window lets them."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import cast
from urllib.parse import SplitResult

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hyperframe.frame import Frame, GoAwayFrame

from server.providers.errors import Fault, ProviderError
from server.providers.http.base import LARGEST_HEADER
from server.providers.http.http2_stream import Stream

_STREAM_WINDOW = 1024 * 1024
_CONNECTION_WINDOW = 16 * 1024 * 1024
_NOT_SENT = frozenset({"connection", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
"""Headers that HTTP/2 does not have."""


class Refused(ProviderError):
    """The vendor has not looked at the request, so that it may be sent again."""

    def __init__(self) -> None:
        super().__init__(Fault.CONNECTION, "The provider did not take the request.")


class _Frames(h2.connection.H2Connection):
    """HTTP/2's frames. A vendor that will take no more requests goes on with the answers that it has begun."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[h2.events.Event]]:
        received = super()._receive_goaway_frame(frame)
        self.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN  # h2 would refuse all frames that follow
        return received


class Connection(asyncio.Protocol):
    """One connection to a vendor; `agreed` tells after TLS whether it speaks HTTP/2.

    Args:
        loop: the running one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.agreed = False
        self.idle_since = loop.time()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._h2 = _Frames(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self._streams: dict[int, Stream] = {}
        self._takes_more = False
        self._leaving = False
        self.change: asyncio.Future[None] = loop.create_future()
        """Done once there may be room where none was: an answer ended, a window opened, the connection was lost."""
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def active(self) -> int:
        """How many answers are on their way."""
        return len(self._streams)

    @property
    def room(self) -> int:
        """How many more requests the vendor takes."""
        return self._h2.remote_settings.max_concurrent_streams - len(self._streams) if self._takes_more else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        tls = transport.get_extra_info("ssl_object")
        self.agreed = tls is not None and tls.selected_alpn_protocol() == "h2"
        if not self.agreed:
            return
        codes = h2.settings.SettingCodes
        settings = {
            codes.ENABLE_PUSH: 0,
            codes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
            codes.MAX_HEADER_LIST_SIZE: LARGEST_HEADER,
        }
        self._h2.local_settings = h2.settings.Settings(client=True, initial_values=settings)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if not self.agreed:
            return
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except (h2.exceptions.ProtocolError, ValueError):
            self._fail(Fault.PROTOCOL, "The provider's answer is not valid HTTP/2.")
            self.close()
            return
        self._flush()
        self._close_if_done()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._takes_more = False
        self._fail(Fault.CONNECTION, "The connection to the provider broke.")
        self._writable.set()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def settled(self) -> None:
        """Waits until the vendor has said how many requests it takes at once, or the connection is lost."""
        while not self._takes_more and not self.closed.done():
            await asyncio.shield(self.change)

    def ask(self, verb: str, url: SplitResult, headers: Mapping[str, str], has_body: bool) -> Stream:
        """Sends the head of a request. Its stream is to be given back with `leave`.

        Raises:
            Refused: the connection takes no more.
        """
        if not self._takes_more:
            raise Refused
        fields = [
            (":method", verb),
            (":authority", url.netloc.rpartition("@")[2]),
            (":scheme", url.scheme),
            (":path", (url.path or "/") + (f"?{url.query}" if url.query else "")),
            *((name.lower(), value) for name, value in headers.items() if name.lower() not in _NOT_SENT),
            ("accept-encoding", "identity"),
        ]
        try:
            stream = Stream(self._h2.get_next_available_stream_id(), self._acknowledge)
            self._h2.send_headers(stream.number, fields, end_stream=not has_body)
        except h2.exceptions.ProtocolError:
            self._takes_more = False
            raise Refused from None
        stream.sent = not has_body
        self._streams[stream.number] = stream
        self._flush()
        return stream

    async def send(self, stream: Stream, body: bytes) -> None:
        """Sends the body of a request as far as the vendor takes it: one that has answered already needs no more."""
        place = 0
        while place < len(body) and stream.head is None and stream.failure is None:
            window = min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
            if window <= 0:
                await asyncio.shield(self.change)
                continue
            piece = body[place : place + window]
            place += len(piece)
            stream.sent = place == len(body)
            self._h2.send_data(stream.number, piece, end_stream=stream.sent)
            self._flush()
            await self._writable.wait()

    def leave(self, stream: Stream) -> None:
        """Ends the interest in an answer; one that is not over is ended at the vendor's side, too."""
        if self._streams.pop(stream.number, None) is None:
            return
        stream.drop()
        if not stream.over and self._transport is not None:
            with suppress(h2.exceptions.ProtocolError):  # it was closed already
                self._h2.reset_stream(stream.number, h2.errors.ErrorCodes.CANCEL)
        self._flush()
        self.idle_since = self._loop.time()
        self._changed()
        self._close_if_done()

    def close(self) -> None:
        """Closes at once."""
        self._takes_more = False
        if self._transport is not None:
            self._transport.abort()

    def _take(self, event: h2.events.Event) -> None:
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        match event:
            case h2.events.DataReceived(stream_id=number, data=data, flow_controlled_length=flow):
                if stream is None:  # nobody reads it any more
                    self._h2.acknowledge_received_data(flow or 0, number)
                else:
                    stream.take(data or b"", flow or 0)
            case h2.events.ResponseReceived(headers=headers) if stream is not None:
                stream.begin(cast(list[tuple[str, str]], headers))
                if not stream.sent:  # the rest of the request need not wait for the vendor's window any more
                    self._changed()
            case h2.events.StreamEnded() if stream is not None:
                stream.end()
            case h2.events.StreamReset(error_code=code) if stream is not None:
                if code == h2.errors.ErrorCodes.REFUSED_STREAM:
                    stream.end(Refused())
                elif not (stream.ended and code == h2.errors.ErrorCodes.NO_ERROR):
                    stream.end(ProviderError(Fault.CONNECTION, "The provider broke the answer off."))
                self._changed()
            case h2.events.ConnectionTerminated(last_stream_id=last):
                self._takes_more, self._leaving = False, True
                for number, begun in self._streams.items():
                    if number > (last or 0):
                        begun.end(Refused())
                self._changed()
            case h2.events.RemoteSettingsChanged():
                self._takes_more = not self._leaving
                self._changed()
            case h2.events.WindowUpdated():
                self._changed()
            case _:
                pass

    def _acknowledge(self, number: int, flow: int) -> None:
        if self._transport is not None:
            with suppress(h2.exceptions.ProtocolError):
                self._h2.acknowledge_received_data(flow, number)
            self._flush()

    def _changed(self) -> None:
        self.change.set_result(None)
        self.change = self._loop.create_future()

    def _fail(self, fault: Fault, message: str) -> None:
        for stream in self._streams.values():
            if not stream.ended:
                stream.end(ProviderError(fault, message))
        self._changed()

    def _close_if_done(self) -> None:
        if self._leaving and not self._streams:
            self.close()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
