"""One connection over HTTP/1.1: a request's bytes go out, and what comes back goes to whoever waits for its answer.

A connection goes from request to request: what one of them leaves behind must not meet the next.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import cast

from multidict import CIMultiDict

from server.providers.errors import Fault, ProviderError
from server.providers.http.arriving import Arriving
from server.providers.http.http1_parser import AnswerParser

_MOST_UNREAD = 512 * 1024
"""How many bytes of a body may lie here unread before no more are taken from the vendor."""

_SENT_AT_ONCE = 256 * 1024
"""How much of a request is written at once: a transport of TLS takes all it is given, and then says that all was sent."""

_NOTHING = memoryview(b"")
_NO_HEADERS: CIMultiDict[str] = CIMultiDict()
_NOBODYS = Context()
"""What timers run in, which outlive the request that began them: they would keep its context, and with that all of it."""


class Stale(ProviderError):
    """A connection that was used before ended without a byte of the answer.

    Most likely the vendor had closed it while it was idle, but nothing tells that from a vendor that died over the request.

    Attributes:
        asked: whether a byte of the request was sent.
    """

    def __init__(self, asked: bool) -> None:
        super().__init__(Fault.CONNECTION, "The connection to the provider failed.")
        self.asked = asked


class Exchange(Arriving):
    """One request's answer on its way, and whose it is once it is whole.

    Attributes:
        status: the HTTP status; 0 until the head is there.
        headers: by case-insensitive name.
        size: how many bytes of the body have come.
    """

    __slots__ = ("headers", "size", "status")

    def __init__(self) -> None:
        super().__init__()
        self.status = 0
        self.headers: CIMultiDict[str] = _NO_HEADERS
        self.size = 0


class Line(asyncio.Protocol):
    """One connection, in the hands of aiohttp's connector, which asks for `transport`, `closed`, `should_close` and so on.

    Args:
        loop: the running one.
        head_s: how long an answer's head may take once it has begun.
        on_free: called when an answer has ended, in whatever way.

    Attributes:
        transport: None once it is closed.
        closed: done when the connection is gone.
        should_close: whether it cannot serve another request.
        exchange: the answer that is on its way; None between two requests.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, head_s: float, on_free: "Callable[[Line], None]") -> None:
        self.transport: asyncio.Transport | None = None
        self.closed: asyncio.Future[None] = loop.create_future()
        self.should_close = False
        self.exchange: Exchange | None = None
        self._loop = loop
        self._head_s = head_s
        self._on_free = on_free
        self._idle_s: float | None = None
        self._deadline: float | None = None
        self._head_due: float | None = None
        self._quiet_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0  # not all that uvloop gives for a timer knows when it is due
        self._served = False
        self._asked = False
        """Whether a byte of the request was sent."""
        self._heard = False
        """Whether a byte of the answer has come."""
        self._can_write = True
        self._unsent = _NOTHING
        self._parser = AnswerParser()

    def is_connected(self) -> bool:
        """Whether a request can be sent."""
        return self.transport is not None and not self.transport.is_closing()

    def ask(self, exchange: Exchange, request: bytes, idle_s: float | None, deadline: float | None) -> None:
        """Sends a request in the loop's next turn, in one go with those of other connections; an exchange gets the answer.

        Args:
            exchange: ends when all has come; the line may be given back then.
            request: its head and body.
            idle_s: how long the vendor may be silent; None: as long as it likes.
            deadline: by when the answer must be whole, by the loop's clock.
        """
        self.exchange = exchange
        self._parser.begin()
        self._asked = self._heard = False
        self._idle_s, self._deadline = idle_s, deadline
        if not self.is_connected():
            self._fail(self._broken())
            return
        self._quiet_since = self._loop.time()
        self._unsent = memoryview(request)
        self._loop.call_soon(self._begin, exchange)
        self._watch()

    def read_on(self) -> None:
        """Takes more from the vendor again, once what lay here was read."""
        if self.is_connected():
            cast(asyncio.Transport, self.transport).resume_reading()
            self._quiet_since = self._loop.time()
            self._watch()

    def close(self) -> None:
        """Closes at once: neither the rest of a request that nobody wants nor a vendor's farewell is waited for."""
        self._fail(ProviderError(Fault.CONNECTION, "The connection to the provider was closed."))

    abort = close

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Takes what came; bytes that nobody asked for must not become the answer of the next request."""
        exchange, parser = self.exchange, self._parser
        if exchange is None or not self._asked:
            self._fail(self._broken())
            return
        self._heard = True
        if self._quiet_since is not None:
            self._quiet_since = self._loop.time()
        sound = parser.feed(data)
        pieces = parser.pieces
        if parser.status:
            if not exchange.status:
                exchange.status, exchange.headers = parser.status, parser.headers
            if pieces:
                exchange.size += len(pieces[0]) if len(pieces) == 1 else sum(map(len, pieces))
                exchange.pieces += pieces
                pieces.clear()
        if parser.whole:
            self.should_close = self.should_close or not (sound and parser.keeps) or self._is_sending()
            self._finish(exchange)
        elif not sound:
            self._fail(ProviderError(Fault.PROTOCOL, "The provider's answer is not valid HTTP."))
        elif exchange.failure is not None:  # its time is over: a reader who finds more each time would never learn it
            self._fail(exchange.failure)
        else:
            if parser.in_head or self._head_due is not None:
                self._time_head()
            exchange.wake()
            if exchange.size > _MOST_UNREAD and exchange.resume is None:
                self._pause(exchange)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends: in order where the end of the connection is the end of the answer."""
        self.transport = None
        self.should_close = True
        if not self.closed.done():
            self.closed.set_result(None)
        if self.exchange is not None and self._parser.until_end and exc is None:
            self._finish(self.exchange)
        self._fail(self._broken())

    def eof_received(self) -> None:
        """Ends at once: a vendor that says no more may not read the rest of the request either."""
        self.should_close = True
        if self.exchange is not None and self._parser.until_end:
            self._finish(self.exchange)
        self._fail(self._broken())

    def pause_writing(self) -> None:
        """Lets the time for silence stand still: a vendor that has not all of the request need not answer."""
        self._can_write = False
        self._quiet_since = None

    def resume_writing(self) -> None:
        """Lets it begin."""
        self._can_write = True
        if self.exchange is not None and self.transport is not None:
            self._quiet_since = self._loop.time()
            self._send_on(self.transport)
            self._watch()

    # what follows from it

    def _time_head(self) -> None:
        """Lets the time of a head run from its first byte to its end."""
        if not self._parser.in_head:
            self._head_due = None
        elif self._head_due is None:
            self._head_due = self._loop.time() + self._head_s
            self._watch()

    def _pause(self, exchange: Exchange) -> None:
        if sum(map(len, exchange.pieces)) > _MOST_UNREAD and self.transport is not None:
            exchange.resume = self.read_on
            self._quiet_since = None
            self.transport.pause_reading()

    def _is_sending(self) -> bool:
        """Whether the vendor answered before it had the whole request: the rest of it would meet the next one."""
        return bool(self._unsent) or (self.transport is not None and self.transport.get_write_buffer_size() > 0)

    def _begin(self, exchange: Exchange) -> None:
        if self.exchange is exchange and self.transport is not None:
            self._send_on(self.transport)

    def _send_on(self, transport: asyncio.Transport) -> None:
        while self._unsent and self._can_write and not transport.is_closing():
            self._asked = True
            piece, self._unsent = self._unsent[:_SENT_AT_ONCE], self._unsent[_SENT_AT_ONCE:]
            transport.write(piece)
        if not self._unsent:
            self._unsent = _NOTHING  # else it would keep the whole request

    def _finish(self, exchange: Exchange) -> None:
        self._let_go()
        exchange.end()
        self._on_free(self)

    def _fail(self, failure: ProviderError) -> None:
        exchange, transport = self.exchange, self.transport
        self.should_close = True
        self._parser.close()
        self._let_go()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if transport is not None:
            self.transport = None
            self._loop.call_soon(transport.abort)  # TLS may be in the middle of what brought this about
        if exchange is not None:
            exchange.end(failure)
            self._on_free(self)

    def _let_go(self) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is not None and exchange.resume is not None:  # TLS may bring more of what it had read already
            exchange.resume = None
            self.read_on()
        self._deadline = self._head_due = self._quiet_since = None
        self._unsent = _NOTHING
        self._served = True

    def _broken(self) -> ProviderError:
        if self._served and not self._heard:
            return Stale(self._asked)
        if self.exchange is not None and self.exchange.status:
            return ProviderError(Fault.CONNECTION, "The connection broke before the end of the answer.")
        return ProviderError(Fault.CONNECTION, "The connection to the provider failed.")

    # time: one timer for all, which looks again when it was set too early, so that hardly any request sets one

    def _due(self) -> float | None:
        due = self._deadline
        if self._head_due is not None and (due is None or self._head_due < due):
            due = self._head_due
        if self._idle_s and self._quiet_since is not None and (due is None or self._quiet_since + self._idle_s < due):
            due = self._quiet_since + self._idle_s
        return due

    def _watch(self) -> None:
        due = self._due()
        if due is None:
            return
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._loop.call_at(due, self._look, context=_NOBODYS)

    def _look(self) -> None:
        self._timer = None
        due, exchange = self._due(), self.exchange
        if due is None or exchange is None:
            return
        if due > self._loop.time():
            self._watch()
        elif due == self._deadline:  # what has arrived can still be read
            self._deadline = None
            exchange.failure = _timeout()
            exchange.wake()
            self._watch()
        else:
            self._fail(_timeout())


def _timeout() -> ProviderError:
    return ProviderError(Fault.TIMEOUT, "The provider did not answer in time.")
