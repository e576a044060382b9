"""A provider's connections over HTTP/1.1, by aiohttp; the one file, with its pool, that knows aiohttp."""

import asyncio
import math
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import NoReturn

import aiohttp
from aiohttp import http_exceptions

from server.providers.errors import Fault, ProviderError
from server.providers.http.base import LARGEST_HEADER, Answer, Http
from server.providers.http.http1_pool import Pool, Stale

_READ_SIZE = 256 * 1024
_DRAIN_S = 1.0
_SHORT_S = 10.0
_CODINGS = frozenset({"gzip", "deflate"})
_FREE_BYTES = 16 * 1024 * 1024
_MOST_EXPANSION = 100
"""JSON and events shrink to a tenth or, where they repeat themselves, a fiftieth; what is made to burst, to a thousandth."""


class Http1Answer(Answer):
    """An answer over HTTP/1.1."""

    __slots__ = ("_drains", "_response")

    def __init__(self, response: aiohttp.ClientResponse, drains: "set[asyncio.Task[None]]") -> None:
        self._response = response
        self._drains = drains
        self.status = response.status
        self.headers = response.headers

    async def read(self) -> bytes:
        """What the next read brings; see `Answer.read`."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            _raise(error)

    async def __aexit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exception_type is None and not self._response.content.at_eof():
            drain = asyncio.ensure_future(_drain(self._response))
            self._drains.add(drain)
            drain.add_done_callback(self._drains.discard)
        elif exception_type is None:
            self._response.release()
        else:
            self._response.close()


class _CodedAnswer(Http1Answer):
    """An answer that came compressed. aiohttp expands a quarter of a megabyte at a time, and no more before that is read."""

    __slots__ = ()

    async def read(self) -> bytes:
        """What the next read brings, expanded.

        Raises:
            ProviderError: PROTOCOL also when there is more of it than honest text shrinks to.
        """
        piece = await super().read()
        content = self._response.content
        if content.total_bytes > _FREE_BYTES and content.total_bytes > _MOST_EXPANSION * content.total_raw_bytes:
            raise ProviderError(Fault.PROTOCOL, "The provider's answer expands without end.", self.status)
        return piece


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Waits for the end of a body whose rest nobody needs, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            await response.content.readany()
    except (aiohttp.ClientError, OSError, TimeoutError):
        pass
    finally:
        response.release()  # closes the connection where the body has not ended


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
        self._session = aiohttp.ClientSession(
            connector=self._pool,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            max_line_size=LARGEST_HEADER,
            max_field_size=LARGEST_HEADER,
            read_bufsize=_READ_SIZE,
        )
        self._session._retry_connection = False  # aiohttp would send a GET again on whatever failure

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None) -> Answer:
        """Posts a body and waits for the answer's head; see `Http.post`."""
        return await self._send("POST", url, headers, body, timeout_s)

    async def get(self, url: str, headers: Mapping[str, str], timeout_s: float | None) -> Answer:
        """Asks for a document, as `post` posts one."""
        return await self._send("GET", url, headers, None, timeout_s)

    async def _send(
        self, verb: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float | None
    ) -> Answer:
        timeout = _timeout(_whole_seconds(timeout_s), self._idle_timeout_s)
        try:
            try:
                response = await self._session.request(
                    verb, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
                )
            except Stale:
                self._pool.drop_idle()  # what was idle beside it is no fresher
                response = await self._session.request(
                    verb, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            _raise(error)
        if 200 <= response.status < 600 and "Content-Encoding" not in response.headers:
            return Http1Answer(response, self._drains)
        return _unusual(response, self._drains)

    async def close(self) -> None:
        """Closes all connections."""
        for drain in self._drains:
            drain.cancel()
        await asyncio.gather(*self._drains, return_exceptions=True)
        await self._session.close()


def _unusual(response: aiohttp.ClientResponse, drains: "set[asyncio.Task[None]]") -> Answer:
    if 200 <= response.status < 600:
        coding = response.headers["Content-Encoding"].strip().lower()
        if coding in _CODINGS:
            return _CodedAnswer(response, drains)
        if coding in ("", "identity"):
            return Http1Answer(response, drains)
        wrong = "is coded in a way that was not asked for"
    else:
        wrong = "has a status that is none"
    response.close()
    raise ProviderError(Fault.PROTOCOL, f"The provider's answer {wrong}.", response.status)


def _whole_seconds(timeout_s: float | None) -> float | None:
    """Long timeouts in whole seconds, so that there are few of them: the caller's own deadline is exact in any case."""
    return timeout_s if timeout_s is None or timeout_s < _SHORT_S else math.ceil(timeout_s)


@lru_cache(maxsize=4096)
def _timeout(total_s: float | None, read_s: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total_s, sock_connect=None, sock_read=read_s)


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
        case _:
            return Fault.PROTOCOL, "The provider's answer is not valid HTTP."


def _is_malformed(error: Exception) -> bool:
    """Whether a body broke because of its form, and not because it ended too early."""
    cause = error.__cause__
    early = http_exceptions.ContentLengthError | http_exceptions.TransferEncodingError
    return isinstance(cause, http_exceptions.HttpProcessingError) and not isinstance(cause, early)
