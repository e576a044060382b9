"""A provider's connections over HTTP/2: many requests at a time on each, and the vendor told of each that nobody wants.

The usual clients leave a stream open at the vendor's side when its reader goes, so that the vendor goes on to generate, and
to bill; hence this speaks to `h2` itself. A vendor that agrees on HTTP/1.1 when TLS begins is asked over that, by another
`Http`.
"""

import asyncio
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urlsplit

from multidict import CIMultiDict

from server.config.provider_settings import ProviderSettings
from server.providers.errors import Fault, ProviderError
from server.providers.http.base import Answer, Http
from server.providers.http.http2_connection import Connection, Refused
from server.providers.http.http2_stream import Stream


class Http2Answer(Answer):
    """An answer over HTTP/2."""

    __slots__ = ("_connection", "_deadline", "_idle_timeout_s", "_stream")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        connection: Connection,
        stream: Stream,
        idle_timeout_s: float | None,
        deadline: float | None,
    ) -> None:
        super().__init__(status, headers)
        self._connection = connection
        self._stream = stream
        self._idle_timeout_s = idle_timeout_s
        self._deadline = deadline

    async def read(self) -> bytes:
        """What the next read brings; see `Answer.read`."""
        if self._stream.at_hand:
            return await self._stream.read()
        try:
            async with asyncio.timeout(self._idle_timeout_s), asyncio.timeout_at(self._deadline):
                return await self._stream.read()
        except TimeoutError:
            raise ProviderError(Fault.TIMEOUT, "The provider did not answer in time.") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.leave(self._stream)


class Http2(Http):
    """The connections to one provider.

    Args:
        fallback: asks vendors that do not agree on HTTP/2; closed with this.
        tls: whom to trust; its protocols are set here.
        connect_timeout_s: how long connecting may take, names and TLS included.
        idle_timeout_s: how long a read may take; None: as long as the whole.
        max_connections: how many connections there may be at once.
        keepalive_s: how long an unused connection is kept.
    """

    def __init__(
        self,
        fallback: Http,
        tls: ssl.SSLContext,
        connect_timeout_s: float,
        idle_timeout_s: float | None,
        max_connections: int,
        keepalive_s: float,
    ) -> None:
        tls.set_alpn_protocols(["h2", "http/1.1"])
        self._fallback = fallback
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._max_connections = max_connections
        self._keepalive_s = keepalive_s
        self._connections: list[Connection] = []
        self._connecting = asyncio.Lock()
        self._late = 0
        """How many connections could not be made in time."""
        self._only_http1 = False

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None) -> Answer:
        """Posts a body and waits for the answer's head; see `Http.post`."""
        return await self._send("POST", url, headers, body, timeout_s)

    async def get(self, url: str, headers: Mapping[str, str], timeout_s: float | None) -> Answer:
        """Asks for a document, as `post` posts one."""
        return await self._send("GET", url, headers, None, timeout_s)

    async def close(self) -> None:
        """Closes all connections."""
        for connection in self._connections:
            connection.close()
        await asyncio.gather(*(connection.closed for connection in self._connections))
        await self._fallback.close()

    async def _send(
        self, verb: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float | None
    ) -> Answer:
        place = urlsplit(url)
        if place.scheme != "https" or self._only_http1:
            return await self._send_http1(verb, url, headers, body, timeout_s)
        deadline = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                for again in (True, False):
                    connection = await self._connection(place)
                    if connection is None:
                        break
                    try:
                        return await self._ask(connection, verb, place, headers, body, deadline)
                    except Refused:
                        if not again:
                            raise
        except TimeoutError:
            raise ProviderError(Fault.TIMEOUT, "The provider did not answer in time.") from None
        return await self._send_http1(verb, url, headers, body, timeout_s)

    async def _ask(
        self,
        connection: Connection,
        verb: str,
        place: SplitResult,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float | None,
    ) -> Answer:
        if body is not None:
            headers = {**headers, "Content-Length": str(len(body))}
        stream = connection.ask(verb, place, headers, has_body=bool(body))
        try:
            await connection.send(stream, body or b"")
            async with asyncio.timeout(self._idle_timeout_s):  # a vendor that has not all of the request need not answer
                status, fields = await stream.answered()
            if not 200 <= status < 600:
                raise ProviderError(Fault.PROTOCOL, "The provider's answer has a status that is none.", status)
            answer = Http2Answer(status, CIMultiDict(fields), connection, stream, self._idle_timeout_s, deadline)
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                wrong = "The provider's answer is coded in a way that was not asked for."
                raise ProviderError(Fault.PROTOCOL, wrong, status)
            return answer
        except BaseException:
            connection.leave(stream)
            raise

    async def _connection(self, place: SplitResult) -> Connection | None:
        """A connection that takes one more request; None where the vendor does not speak HTTP/2."""
        loop = asyncio.get_running_loop()
        while True:
            if connection := self._usable(loop.time()):
                return connection
            late = self._late
            async with self._connecting:
                if connection := self._usable(loop.time()):
                    return connection
                if self._only_http1:
                    return None
                if self._late != late:  # each of a crowd that waited would wait for its own else, one after the other
                    raise _too_late()
                if len(self._connections) < self._max_connections:
                    connection = await self._connect(place)
                    if not connection.agreed:
                        connection.close()
                        self._only_http1 = True
                        return None
                    self._connections.append(connection)
                    return connection
            await asyncio.wait([each.change for each in self._connections], return_when=asyncio.FIRST_COMPLETED)

    def _usable(self, now: float) -> Connection | None:
        found = None
        for connection in self._connections[:]:
            if not connection.active and now - connection.idle_since > self._keepalive_s:
                connection.close()
            if connection.closed.done():
                self._connections.remove(connection)
            elif found is None and connection.room > 0:
                found = connection
        return found

    async def _connect(self, place: SplitResult) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop), place.hostname or "", place.port or 443, ssl=self._tls
                )
            if connection.agreed:
                try:
                    async with asyncio.timeout(self._connect_timeout_s):
                        await connection.settled()
                except BaseException:
                    connection.close()
                    raise
            return connection
        except TimeoutError:
            self._late += 1
            raise _too_late() from None
        except ssl.SSLCertVerificationError:
            raise ProviderError(Fault.CONNECTION, "The provider's certificate could not be verified.") from None
        except ssl.SSLError:
            raise ProviderError(Fault.CONNECTION, "The provider's TLS could not be agreed with.") from None
        except OSError:
            raise ProviderError(Fault.CONNECTION, "The connection to the provider failed.") from None

    async def _send_http1(
        self, verb: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float | None
    ) -> Answer:
        if body is None:
            return await self._fallback.get(url, headers, timeout_s)
        return await self._fallback.post(url, headers, body, timeout_s)


def _too_late() -> ProviderError:
    return ProviderError(Fault.TIMEOUT, "The provider could not be connected to in time.")


def build_http2(settings: ProviderSettings, fallback: Http) -> Http2:
    """Builds the connections of a row, in the running loop."""
    return Http2(
        fallback,
        tls=ssl.create_default_context(),
        connect_timeout_s=settings.connect_timeout,
        idle_timeout_s=settings.idle_timeout,
        max_connections=settings.max_connections,
        keepalive_s=settings.keepalive_expiry,
    )
