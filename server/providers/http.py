"""The one seam to the HTTP client: a provider's connections, and their failures as `ProviderError`.

Bodies go out as bytes and come in as bytes; JSON, SSE and vendors are other files' business.
"""

import asyncio
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NoReturn

import aiohttp

from server.providers.errors import Fault, ProviderError

LARGEST_BODY = 256 * 1024 * 1024
"""The most bytes that one unstreamed answer may have, decompressed."""

_LARGEST_ERROR_BODY = 64 * 1024
_LARGEST_HEADER_LINE = 64 * 1024
_READ_SIZE = 256 * 1024
_DRAIN_S = 1.0
_SHORT_S = 10.0


class Answer:
    """A vendor's answer whose head has arrived.

    Leaving it keeps the connection when all was read, gives the body a moment to end when the reader had enough, and closes
    the connection when an exception or a cancellation ends the reading.

    Attributes:
        status: the HTTP status.
        headers: by case-insensitive name.
    """

    __slots__ = ("_drains", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, drains: "set[asyncio.Task[None]]") -> None:
        self._response = response
        self._drains = drains
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def content_type(self) -> str:
        """Lower case, without parameters; empty where there is none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    async def read(self) -> bytes:
        """What the next read brings; empty at the end.

        Raises:
            ProviderError: CONNECTION, also when it breaks before the body's end; TIMEOUT.
        """
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            _raise(error)

    async def body(self, limit: int = LARGEST_BODY) -> bytes:
        """The whole body.

        Raises:
            ProviderError: PROTOCOL when it is larger than `limit` bytes; CONNECTION, TIMEOUT.
        """
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise ProviderError(Fault.PROTOCOL, f"The answer is larger than {limit} bytes.", self.status)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def error_body(self) -> bytes:
        """The body of a refusal; its start, where it is long."""
        pieces = b""
        while len(pieces) < _LARGEST_ERROR_BODY and (piece := await self.read()):
            pieces += piece
        return pieces[:_LARGEST_ERROR_BODY]

    async def __aenter__(self) -> "Answer":
        return self

    async def __aexit__(self, exception_type: type[BaseException] | None, *exception: object) -> None:
        if exception_type is None and not self._response.content.at_eof():
            drain = asyncio.ensure_future(_drain(self._response))
            self._drains.add(drain)
            drain.add_done_callback(self._drains.discard)
        elif exception_type is None:
            self._response.release()
        else:
            self._response.close()


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Waits for the end of a body whose rest nobody needs, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            await response.content.readany()
    except (aiohttp.ClientError, OSError, TimeoutError):
        pass
    finally:
        response.release()  # closes the connection where the body has not ended


class Http:
    """The connections to one provider. Opened in the running loop, closed by who opened it.

    Args:
        connect_timeout_s: how long connecting may take, TLS included.
        idle_timeout_s: how long a read may take; None: as long as the whole.
        max_connections: how many connections there may be at once.
        keepalive_s: how long an unused connection is kept.
    """

    def __init__(
        self, connect_timeout_s: float, idle_timeout_s: float | None, max_connections: int, keepalive_s: float
    ) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._drains: set[asyncio.Task[None]] = set()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=keepalive_s, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            max_line_size=_LARGEST_HEADER_LINE,
            max_field_size=_LARGEST_HEADER_LINE,
            read_bufsize=_READ_SIZE,
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None) -> Answer:
        """Posts a body and waits for the answer's head. Redirects are not followed: they would carry the key elsewhere.

        Args:
            timeout_s: how long the whole answer may take; None: no limit.

        Raises:
            ProviderError: CONNECTION, TIMEOUT.
        """
        return await self._send("POST", url, headers, body, timeout_s)

    async def get(self, url: str, headers: Mapping[str, str], timeout_s: float | None) -> Answer:
        """Asks for a document, as `post` posts one."""
        return await self._send("GET", url, headers, None, timeout_s)

    async def _send(
        self, verb: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float | None
    ) -> Answer:
        timeout = _timeout(_whole_seconds(timeout_s), self._connect_timeout_s, self._idle_timeout_s)
        try:
            response = await self._session.request(
                verb, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
            )
            return Answer(response, self._drains)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            _raise(error)

    async def close(self) -> None:
        """Closes all connections."""
        for drain in self._drains:
            drain.cancel()
        await asyncio.gather(*self._drains, return_exceptions=True)
        await self._session.close()


def _whole_seconds(timeout_s: float | None) -> float | None:
    """Long timeouts in whole seconds, so that there are few of them: the caller's own deadline is exact in any case."""
    return timeout_s if timeout_s is None or timeout_s < _SHORT_S else math.ceil(timeout_s)


@lru_cache(maxsize=4096)
def _timeout(total_s: float | None, connect_s: float, read_s: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total_s, sock_connect=connect_s, sock_read=read_s)


def _raise(error: Exception) -> NoReturn:
    """The client's failure as ours; its text may hold an address, never a header or a key."""
    if isinstance(error, asyncio.TimeoutError):
        raise ProviderError(Fault.TIMEOUT, "The provider did not answer in time.") from None
    if isinstance(error, aiohttp.ClientPayloadError):
        raise ProviderError(Fault.CONNECTION, "The connection broke before the end of the answer.") from None
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        raise ProviderError(Fault.CONNECTION, "The provider's host name could not be resolved.") from None
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        raise ProviderError(Fault.CONNECTION, "The connection to the provider failed.") from None
    raise ProviderError(Fault.PROTOCOL, "The provider's answer is not valid HTTP.") from None
