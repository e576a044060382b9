"""What has come of an answer's body, and who waits for more: the same over HTTP/1.1 and HTTP/2."""

import asyncio
from collections.abc import Callable

from server.providers.errors import ProviderError


class Arriving:
    """The body of one answer between the connection, which adds to it, and its one reader.

    Attributes:
        ended: whether all of it has come.
        failure: why nothing more will be waited for; what has come can be read.
        resume: lets more come, where so much lay here unread that it was stopped; called once what lay here is read.
    """

    __slots__ = ("_changed", "ended", "failure", "pieces", "resume")

    def __init__(self) -> None:
        self.ended = False
        self.failure: ProviderError | None = None
        self.pieces: list[bytes] = []
        self.resume: Callable[[], None] | None = None
        self._changed: asyncio.Future[None] | None = None

    def end(self, failure: ProviderError | None = None) -> None:
        """Says that nothing more will come, in order or by a failure."""
        self.ended = failure is None
        self.failure = self.failure or failure
        self.wake()

    def wake(self) -> None:
        """Lets whoever waits look again."""
        changed = self._changed
        if changed is not None:
            self._changed = None
            if not changed.done():
                changed.set_result(None)

    async def read(self) -> bytes:
        """What has come since; empty at the end.

        Raises:
            ProviderError: it will not end as it should.
        """
        while not self.pieces:
            if self.ended:
                return b""
            await self.more()
        return self.take_all()

    def take_all(self) -> bytes:
        """What has come and was not read."""
        if self.resume is not None:
            resume, self.resume = self.resume, None
            resume()
        pieces = self.pieces
        if len(pieces) == 1:
            return pieces.pop()
        read = b"".join(pieces)
        pieces.clear()
        return read

    def more(self) -> "asyncio.Future[None]":
        """What to await until something changes. Each coroutine on the way to it would cost every read a step.

        Raises:
            ProviderError: nothing more will come.
        """
        if self.failure is not None:
            raise self.failure
        changed = self._changed = asyncio.get_running_loop().create_future()
        return changed
