"""Reads a provider's stream to its end when its caller has left, for the usage that comes last.

For providers that generate and charge to the end whoever listens. The stream is read by a task of its own, a little ahead of
the caller, so that cancelling the caller's wait leaves it whole.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from server.dispatch.telling import usage_of
from server.providers.base import Batch
from trunkline.v1.chat_pb2 import Usage

_AHEAD = 4
_LONGEST_S = 30.0
"""How long the rest of a stream is read for nobody."""


class ReadingOn:
    """A stream that is read to its end.

    Args:
        source: the provider's stream.

    Attributes:
        wanted: whether somebody will ask for the usage though the caller has left; else `close` ends the reading.
    """

    __slots__ = ("_abandoned", "_queue", "_reading", "_source", "_usage", "wanted")

    def __init__(self, source: AsyncGenerator[Batch, None]) -> None:
        self._source = source
        self._queue: asyncio.Queue[Batch | Exception | None] = asyncio.Queue(_AHEAD)
        self._reading: asyncio.Task[None] | None = None
        self._abandoned = False
        self._usage: Usage | None = None
        self.wanted = False

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """What the provider's stream yields. Leaving it early leaves the rest to `usage`, or to `close`."""
        self._reading = asyncio.ensure_future(self._read())
        try:
            while (item := await self._queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._abandoned = True
            while not self._queue.empty():  # who reads may wait for room
                self._queue.get_nowait()

    async def usage(self) -> Usage | None:
        """The usage at the stream's end, once it has come there; None: none came, or not in time."""
        if self._reading is None:
            return None
        await asyncio.wait((self._reading,), timeout=_LONGEST_S)
        await self._end(self._reading)
        return None if self._reading.cancelled() else self._usage

    async def close(self) -> None:
        """Ends the reading where nobody wants what comes of it."""
        if self._reading is not None and not self.wanted:
            await self._end(self._reading)

    async def _end(self, reading: "asyncio.Task[None]") -> None:
        if not reading.done():
            reading.cancel()
            await asyncio.wait((reading,))

    async def _read(self) -> None:
        last: Exception | None = None
        try:
            async with aclosing(self._source) as batches:
                async for batch in batches:
                    self._usage = usage_of(batch) or self._usage
                    if not self._abandoned:
                        await self._queue.put(batch)
        except Exception as error:
            last = error
            self._usage = None
        if not self._abandoned:
            await self._queue.put(last)
