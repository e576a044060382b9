"""The seam to HTTP: what a provider may ask of its connections, and an answer on its way; failures are `ProviderError`.

Bodies go out as bytes and come in as bytes; JSON, SSE and vendors are other files' business. HTTP/1.1 is in `http1`, HTTP/2
in `http2`.
"""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from server.providers.errors import Fault, ProviderError

LARGEST_BODY = 256 * 1024 * 1024
"""The most bytes that one unstreamed answer may have, decompressed."""

LARGEST_HEADER = 64 * 1024
"""The most bytes that one line of an answer's head may have."""

_LARGEST_ERROR_BODY = 64 * 1024
_WINDOW_S = 30.0
_LEAST_PER_WINDOW = 1024


class Pace:
    """Sees to it that an unstreamed body does not come a byte at a time for minutes.

    Blank lines before the body do not count: some vendors keep the connection alive with them while they think.

    Args:
        clock: seconds that only grow.
        window_s: over what time the bytes are counted.
        least: how many bytes a body must bring in that time until it ends.
    """

    __slots__ = ("_begin", "_clock", "_count", "_least", "_window_s")

    def __init__(self, clock: Callable[[], float], window_s: float = _WINDOW_S, least: int = _LEAST_PER_WINDOW) -> None:
        self._clock = clock
        self._window_s = window_s
        self._least = least
        self._begin: float | None = None
        self._count = 0

    def count(self, piece: bytes) -> None:
        """Counts what a read brought.

        Raises:
            ProviderError: TIMEOUT when a whole window brought too little.
        """
        now = self._clock()
        if self._begin is None:
            if not piece.isspace():
                self._begin = now
            return
        self._count += len(piece)
        if now - self._begin < self._window_s:
            return
        if self._count < self._least:
            raise ProviderError(Fault.TIMEOUT, "The provider's answer comes too slowly.")
        self._begin, self._count = now, 0


class Answer:
    """A vendor's answer whose head has arrived.

    Leaving it keeps the connection when all was read, gives the body a moment to end when the reader had enough, and ends
    the answer at the vendor's side, too, when an exception or a cancellation ends the reading.

    Attributes:
        status: the HTTP status.
        headers: by case-insensitive name.
    """

    __slots__ = ("headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers

    @property
    def content_type(self) -> str:
        """Lower case, without parameters; empty where there is none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    async def read(self) -> bytes:
        """What the next read brings; empty at the end.

        Raises:
            ProviderError: CONNECTION, also when it breaks before the body's end; TIMEOUT; PROTOCOL.
        """
        raise NotImplementedError

    async def body(self, limit: int = LARGEST_BODY) -> bytes:
        """The whole body.

        Raises:
            ProviderError: PROTOCOL when it is larger than `limit` bytes; CONNECTION, TIMEOUT.
        """
        pieces: list[bytes] = []
        size = 0
        pace: Pace | None = None
        while piece := await self.read():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise ProviderError(Fault.PROTOCOL, f"The answer is larger than {limit} bytes.", self.status)
            if size != len(piece):  # most answers come in one read
                pace = pace or Pace(asyncio.get_running_loop().time)
                pace.count(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def error_body(self) -> bytes:
        """The body of a refusal; its start, where it is long."""
        pieces = b""
        pace = Pace(asyncio.get_running_loop().time)
        while len(pieces) < _LARGEST_ERROR_BODY and (piece := await self.read()):
            pieces += piece
            pace.count(piece)
        return pieces[:_LARGEST_ERROR_BODY]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError


class Http(Protocol):
    """The connections to one provider. Opened in the running loop, closed by who opened it."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None) -> Answer:
        """Posts a body and waits for the answer's head. Redirects are not followed: they would carry the key elsewhere.

        What a connection may have taken before it broke is not sent again here, although the vendor may have closed it while
        it was idle: each completion costs, and whoever asks has a budget for trying again. What the vendor says that it has
        not looked at, as HTTP/2 can, is sent once more. Source: RFC 9110, section 9.2.2.

        Args:
            timeout_s: how long the whole answer may take; None: no limit.

        Raises:
            ProviderError: CONNECTION, TIMEOUT, PROTOCOL.
        """

    async def get(self, url: str, headers: Mapping[str, str], timeout_s: float | None) -> Answer:
        """Asks for a document, as `post` posts one; once more, over HTTP/1.1, where a connection that was kept breaks."""

    async def close(self) -> None:
        """Closes all connections."""
