"""One request over HTTP/2: what has come of its answer, and who waits for more."""

import asyncio
from collections import deque
from collections.abc import Callable

from server.providers.errors import ProviderError

Head = tuple[int, list[tuple[str, str]]]


class Stream:
    """What a connection hands on to the reader of one answer.

    Args:
        number: the stream's on its connection.
        asked_at_read: how often the connection had been read when the request went out.
        acknowledge: tells the vendor that so many bytes were read, so that it may send as many more.
    """

    def __init__(self, number: int, asked_at_read: int, acknowledge: Callable[[int, int], None]) -> None:
        self.number = number
        self.asked_at_read = asked_at_read
        self.head: Head | None = None
        self.sent = False
        self.ended = False
        self.failure: ProviderError | None = None
        self._acknowledge = acknowledge
        self._pieces: deque[bytes] = deque()
        self._owed = 0
        self._changed: asyncio.Future[None] | None = None

    @property
    def at_hand(self) -> bool:
        """Whether a read need not wait."""
        return bool(self._pieces) or self.ended

    @property
    def over(self) -> bool:
        """Whether neither side has anything more to send."""
        return self.failure is not None or (self.ended and self.sent)

    def begin(self, headers: list[tuple[str, str]]) -> None:
        """Takes the head."""
        status = next((value for name, value in headers if name == ":status"), "")
        self.head = (int(status) if status.isdecimal() else 0, [field for field in headers if field[0][:1] != ":"])
        self.wake()

    def take(self, data: bytes, flow: int) -> None:
        """Takes a piece of the body; `flow` counts its padding, too."""
        self._owed += flow
        if data:
            self._pieces.append(data)
            self.wake()
        else:
            self._pay()

    def end(self, failure: ProviderError | None = None) -> None:
        """Says that nothing more will come, in order or by a failure."""
        self.ended = failure is None
        self.failure = self.failure or failure
        self.wake()

    def wake(self) -> None:
        """Lets whoever waits look again."""
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def answered(self) -> Head:
        """Waits for the head.

        Raises:
            ProviderError: why there will be none.
        """
        while self.head is None:
            await self._more()
        return self.head

    async def read(self) -> bytes:
        """What has come of the body since; empty at its end.

        Raises:
            ProviderError: it will not end as it should.
        """
        while not self._pieces:
            if self.ended:
                return b""
            await self._more()
        read = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._pay()
        return read

    async def _more(self) -> None:
        if self.failure is not None:
            raise self.failure
        self._changed = asyncio.get_running_loop().create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    def drop(self) -> None:
        """Throws away what was not read, which must not count against the answers of others."""
        self._pieces.clear()
        self._pay()

    def _pay(self) -> None:
        owed, self._owed = self._owed, 0
        if owed:
            self._acknowledge(self.number, owed)
