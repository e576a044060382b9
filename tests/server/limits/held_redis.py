"""A Redis whose answers come when a test lets them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class HeldRedis:
    """Hands questions on to a Redis at once, and answers back; once it is held, one for each permit.

    Attributes:
        url: where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._held = False
        self._permits = asyncio.Semaphore(0)
        self._waiting = asyncio.Semaphore(0)

    def hold(self) -> None:
        """Keeps answers from now on."""
        self._held = True

    def let_go(self) -> None:
        """Keeps no more of them."""
        self._held = False

    def permit(self) -> None:
        """Lets one answer go."""
        self._permits.release()

    async def waiting(self) -> None:
        """Waits until one more answer is held."""
        await self._waiting.acquire()

    async def let_pass(self) -> None:
        """Returns when an answer may go."""
        if self._held:
            self._waiting.release()
            await self._permits.acquire()


@asynccontextmanager
async def hold_redis(url: str, socket: Path) -> AsyncIterator[HeldRedis]:
    """Stands before a Redis.

    Args:
        url: the Redis, at a socket file.
        socket: where to listen.
    """
    held = HeldRedis(f"unix://{socket}")

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, back = await asyncio.open_unix_connection(url.removeprefix("unix://"))
        try:
            while asked := await reader.read(65536):
                back.write(asked)
                answer = await theirs.read(65536)
                await held.let_pass()
                writer.write(answer)
        finally:
            back.close()
            writer.close()

    handlers: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.ensure_future(hand_on(reader, writer)))

    async with await asyncio.start_unix_server(begin, socket):
        try:
            yield held
        finally:
            for handler in handlers:
                handler.cancel()
            await asyncio.gather(*handlers, return_exceptions=True)
