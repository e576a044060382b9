"""A provider's connections over HTTP/1.1; with its pool and its forms all that knows aiohttp.

Connecting and pooling are aiohttp's, parsing is httptools'. aiohttp's sessions and requests are passed by: what they make of
an address and its headers is the same for every request to it, so it is made once (`http1_form`).
"""

import asyncio
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import NoReturn

import aiohttp

from server.providers.errors import Fault, ProviderError
from server.providers.http.base import LARGEST_BODY, Answer, Http
from server.providers.http.coding import CODINGS, Expander
from server.providers.http.http1_form import Form
from server.providers.http.http1_line import Exchange, Line, Stale
from server.providers.http.http1_pool import Pool

_DRAIN_S = 1.0
_MOST_FORMS = 256


class Http1Answer(Answer):
    """An answer over HTTP/1.1.

    Args:
        exchange: what comes of it; its head is there.
        line: the connection it comes by, until it has ended.
        drains: the tasks that wait for bodies' ends.
    """

    __slots__ = ("_drains", "_exchange", "_line")

    def __init__(self, exchange: Exchange, line: Line, drains: "set[asyncio.Task[None]]") -> None:
        self.status = exchange.status
        self.headers = exchange.headers
        self._exchange = exchange
        self._line = line
        self._drains = drains

    def read(self) -> Coroutine[object, None, bytes]:
        """What the next read brings; see `Answer.read`."""
        return self._exchange.read()

    async def body(self, limit: int = LARGEST_BODY) -> bytes:
        """The whole body; see `Answer.body`. Most have arrived with the head."""
        exchange = self._exchange
        if exchange.ended and exchange.size <= limit:
            return exchange.take_all()
        return await super().body(limit)

    async def __aexit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line.exchange is not self._exchange:
            return
        if exception_type is None:
            drain = asyncio.ensure_future(_drain(self._exchange, self._line))
            self._drains.add(drain)
            drain.add_done_callback(self._drains.discard)
        else:
            self._line.close()


class _CodedAnswer(Http1Answer):
    """An answer that came compressed."""

    __slots__ = ("_expander",)

    def __init__(self, exchange: Exchange, line: Line, drains: "set[asyncio.Task[None]]", coding: str) -> None:
        super().__init__(exchange, line, drains)
        self._expander = Expander(coding)

    async def read(self) -> bytes:
        """What the next read brings, expanded.

        Raises:
            ProviderError: PROTOCOL also when it is not coded so, or there is more of it than honest text shrinks to.
        """
        expander = self._expander
        while True:
            if expander.has_more:
                piece = expander.expand()
            elif coded := await super().read():
                piece = expander.expand(coded)
            else:
                expander.finish()
                return b""
            if piece:
                return piece

    async def body(self, limit: int = LARGEST_BODY) -> bytes:
        """The whole body, expanded; see `Answer.body`."""
        return await Answer.body(self, limit)


async def _drain(exchange: Exchange, line: Line) -> None:
    """Waits for the end of a body whose rest nobody needs, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            await exchange.read()
    except (ProviderError, TimeoutError):
        pass
    finally:
        if line.exchange is exchange:
            line.close()


class Http1(Http):
    """The connections to one provider, each for one request at a time.

    Args:
        connect_timeout_s: how long connecting may take, names and TLS included.
        idle_timeout_s: how long a read may take; None: as long as the whole.
        max_connections: how many connections there may be at once.
        keepalive_s: how long an unused connection is kept.
        max_idle: how many unused connections are kept.
        head_s: how long an answer's head may take once it has begun.
    """

    def __init__(
        self,
        connect_timeout_s: float,
        idle_timeout_s: float | None,
        max_connections: int,
        keepalive_s: float,
        max_idle: int = 20,
        head_s: float = 30.0,
    ) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._drains: set[asyncio.Task[None]] = set()
        self._pool = Pool(connect_timeout_s, max_connections, max_idle, keepalive_s, head_s=head_s)
        self._forms: dict[tuple[str, str], Form] = {}

    def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None
    ) -> Coroutine[object, None, Answer]:
        """Posts a body and waits for the answer's head; see `Http.post`."""
        return self._send("POST", url, headers, body, timeout_s)

    def get(self, url: str, headers: Mapping[str, str], timeout_s: float | None) -> Coroutine[object, None, Answer]:
        """Asks for a document, as `post` posts one."""
        return self._send("GET", url, headers, None, timeout_s)

    async def _send(
        self, verb: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float | None
    ) -> Answer:
        try:
            form = self._forms.get((verb, url))
            if form is None or not form.suits(headers):
                form = self._remember(verb, url, headers)
            sent = form.head + b"\r\n" if body is None else b"%bContent-Length: %d\r\n\r\n%b" % (form.head, len(body), body)
            deadline = None if timeout_s is None else form.request.loop.time() + timeout_s
            try:
                return await self._ask(form, sent, deadline)
            except Stale as stale:
                self._pool.drop_idle()  # what was idle beside it is no fresher
                if body is not None and stale.asked:
                    raise
                return await self._ask(form, sent, deadline)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            _raise(error)

    async def _ask(self, form: Form, sent: bytes, deadline: float | None) -> Answer:
        line = self._pool.idle_line(form.key) or await self._pool.new_line(form.request, form.key, deadline)
        exchange = Exchange()
        try:
            line.ask(exchange, sent, self._idle_timeout_s, deadline)
            while not exchange.status:
                await exchange.more()
            return self._answer(exchange, line)
        except BaseException:
            if line.exchange is exchange:
                line.close()
            raise

    def _answer(self, exchange: Exchange, line: Line) -> Answer:
        coding = exchange.headers.get("Content-Encoding", "")
        if not 200 <= exchange.status < 600:
            wrong = "has a status that is none"
        elif not coding:
            return Http1Answer(exchange, line, self._drains)
        elif (coding := coding.strip().lower()) in CODINGS:
            return _CodedAnswer(exchange, line, self._drains, coding)
        elif coding in ("", "identity"):
            return Http1Answer(exchange, line, self._drains)
        else:
            wrong = "is coded in a way that was not asked for"
        raise ProviderError(Fault.PROTOCOL, f"The provider's answer {wrong}.", exchange.status)

    def _remember(self, verb: str, url: str, headers: Mapping[str, str]) -> Form:
        if len(self._forms) >= _MOST_FORMS:  # models in addresses may be many
            self._forms.clear()
        form = self._forms[verb, url] = Form(verb, url, headers, asyncio.get_running_loop())
        return form

    async def close(self) -> None:
        """Closes all connections."""
        for drain in self._drains:
            drain.cancel()
        await asyncio.gather(*self._drains, return_exceptions=True)
        await self._pool.close()


def _raise(error: Exception) -> NoReturn:
    """The client's failure as ours, in words that hold no address, header or key."""
    fault, message = _told(error)
    raise ProviderError(fault, message) from None


def _told(error: Exception) -> tuple[Fault, str]:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return Fault.TIMEOUT, "The provider could not be connected to in time."
        case TimeoutError():
            return Fault.TIMEOUT, "The provider did not answer in time."
        case aiohttp.ClientConnectorDNSError():
            return Fault.CONNECTION, "The provider's host name could not be resolved."
        case aiohttp.ClientConnectorCertificateError():
            return Fault.CONNECTION, "The provider's certificate could not be verified."
        case aiohttp.ClientSSLError():
            return Fault.CONNECTION, "The provider's TLS could not be agreed with."
        case aiohttp.InvalidURL():
            return Fault.CONNECTION, "The provider's address is not one."
        case aiohttp.ClientConnectionError() | OSError():
            return Fault.CONNECTION, "The connection to the provider failed."
        case _:
            return Fault.PROTOCOL, "The provider cannot be asked: its address or a header is none."
