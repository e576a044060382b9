"""A provider's connections over HTTP/1.1, by aiohttp; with its pool and its forms all that knows aiohttp.

Connecting, pooling and parsing are aiohttp's. Its sessions and requests are passed by: what they make of an address and its
headers is the same for every request to it, so it is made once (`http1_form`).
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import NoReturn

import aiohttp
from aiohttp import http_exceptions
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http import RawResponseMessage

from server.providers.errors import Fault, ProviderError
from server.providers.http.base import LARGEST_BODY, LARGEST_HEADER, Answer, Http
from server.providers.http.http1_form import CODINGS, Form
from server.providers.http.http1_pool import Line, Pool, Stale

_READ_SIZE = 256 * 1024
_DRAIN_S = 1.0
_MOST_FORMS = 256
_FREE_BYTES = 16 * 1024 * 1024
_MOST_EXPANSION = 100
"""JSON and events shrink to a tenth or, where they repeat themselves, a fiftieth; what is made to burst, to a thousandth."""


class Http1Answer(Answer):
    """An answer over HTTP/1.1."""

    __slots__ = ("_content", "_held")

    def __init__(self, held: "_Held", message: RawResponseMessage, content: aiohttp.StreamReader) -> None:
        self.status = message.code
        self.headers = message.headers
        self._content = content
        self._held = held

    async def read(self) -> bytes:
        """What the next read brings; see `Answer.read`."""
        content = self._content
        try:
            if self._held.line.late and not content.at_eof():
                return content.read_nowait() or _raise(TimeoutError())
            return await content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            _raise(error)

    async def body(self, limit: int = LARGEST_BODY) -> bytes:
        """The whole body; see `Answer.body`. Most have arrived with the head."""
        content = self._content
        if content.is_eof() and content.total_bytes <= limit and content.exception() is None:
            return content.read_nowait()
        return await super().body(limit)

    async def __aexit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, trace: TracebackType | None
    ) -> None:
        held = self._held
        if held.over:
            return
        if exception_type is None:
            held.drain(self._content)
        else:
            held.end(close=True)


class _CodedAnswer(Http1Answer):
    """An answer that came compressed. aiohttp expands a quarter of a megabyte at a time, and no more before that is read."""

    __slots__ = ()

    async def read(self) -> bytes:
        """What the next read brings, expanded.

        Raises:
            ProviderError: PROTOCOL also when there is more of it than honest text shrinks to.
        """
        piece = await super().read()
        content = self._content
        if content.total_bytes > _FREE_BYTES and content.total_bytes > _MOST_EXPANSION * content.total_raw_bytes:
            raise ProviderError(Fault.PROTOCOL, "The provider's answer expands without end.", self.status)
        return piece


class _Held:
    """A connection while it is held for one answer.

    Args:
        pool: where it goes back to.
        key: its address.
        line: the connection.
        drains: the tasks that wait for bodies' ends.
    """

    __slots__ = ("_drains", "_key", "_pool", "_timer", "line", "over")

    def __init__(self, pool: Pool, key: ConnectionKey, line: Line, drains: "set[asyncio.Task[None]]") -> None:
        self.line = line
        self.over = False
        """Whether it was given back."""
        self._pool = pool
        self._key = key
        self._drains = drains
        self._timer: asyncio.TimerHandle | None = None

    def expire_at(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        """Ends the waiting for the answer at a time of the loop's."""
        self._timer = loop.call_at(deadline, self.line.expire)

    def end(self, close: bool = False) -> None:
        """Gives the connection back, once."""
        if self.over:
            return
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
        self._pool.give(self._key, self.line, close)

    def drain(self, content: aiohttp.StreamReader) -> None:
        """Waits for the end of a body whose rest nobody needs, so that its connection can be used again."""
        task = asyncio.ensure_future(self._drain(content))
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)

    async def _drain(self, content: aiohttp.StreamReader) -> None:
        try:
            async with asyncio.timeout(_DRAIN_S):
                await content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass
        finally:
            self.end(close=not content.is_eof())


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

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None) -> Answer:
        """Posts a body and waits for the answer's head; see `Http.post`."""
        return await self._send("POST", url, headers, body, timeout_s)

    async def get(self, url: str, headers: Mapping[str, str], timeout_s: float | None) -> Answer:
        """Asks for a document, as `post` posts one."""
        return await self._send("GET", url, headers, None, timeout_s)

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
            except Stale:
                self._pool.drop_idle()  # what was idle beside it is no fresher
                return await self._ask(form, sent, deadline)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, http_exceptions.HttpProcessingError) as error:
            _raise(error)

    async def _ask(self, form: Form, sent: bytes, deadline: float | None) -> Answer:
        line = await self._pool.take(form.request, form.key, deadline)
        held = _Held(self._pool, form.key, line, self._drains)
        try:
            if deadline is not None:
                held.expire_at(form.request.loop, deadline)
            line.set_response_params(
                read_until_eof=True,
                read_timeout=self._idle_timeout_s,
                read_bufsize=_READ_SIZE,
                max_line_size=LARGEST_HEADER,
                max_field_size=LARGEST_HEADER,
            )
            transport = line.transport
            if transport is None:
                raise aiohttp.ClientConnectionError("the connection is closed")
            line.start_timeout()
            transport.write(sent)
            message, content = await line.read()
            while 100 <= message.code < 200 and message.code != 101:  # a word before the answer
                if line.late:
                    raise TimeoutError
                if not len(line):  # aiohttp takes it for an answer, and ended the time for the next read
                    line.start_timeout()
                message, content = await line.read()
        except BaseException:
            held.end(close=True)
            raise
        content.on_eof(held.end)
        if 200 <= message.code < 600 and "Content-Encoding" not in message.headers:
            return Http1Answer(held, message, content)
        return _unusual(held, message, content)

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


def _unusual(held: _Held, message: RawResponseMessage, content: aiohttp.StreamReader) -> Answer:
    if 200 <= message.code < 600:
        coding = message.headers["Content-Encoding"].strip().lower()
        if coding in CODINGS:
            return _CodedAnswer(held, message, content)
        if coding in ("", "identity"):
            return Http1Answer(held, message, content)
        wrong = "is coded in a way that was not asked for"
    else:
        wrong = "has a status that is none"
    held.end(close=True)
    raise ProviderError(Fault.PROTOCOL, f"The provider's answer {wrong}.", message.code)


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
        case aiohttp.ClientPayloadError() if _is_malformed(error):
            return Fault.PROTOCOL, "The provider's answer is not valid HTTP."
        case aiohttp.ClientPayloadError():
            return Fault.CONNECTION, "The connection broke before the end of the answer."
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
        case ValueError():
            return Fault.PROTOCOL, "The provider cannot be asked: its address or a header is none."
        case _:
            return Fault.PROTOCOL, "The provider's answer is not valid HTTP."


def _is_malformed(error: Exception) -> bool:
    """Whether a body broke because of its form, and not because it ended too early."""
    cause = error.__cause__
    early = http_exceptions.ContentLengthError | http_exceptions.TransferEncodingError
    return isinstance(cause, http_exceptions.HttpProcessingError) and not isinstance(cause, early)
