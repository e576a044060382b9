"""What a call has answered so far, for many who read it at once, each at its own pace and from the beginning.

Knows neither calls nor keys: messages are bytes here.
"""

import asyncio

from server.errors import GatewayError
from server.policies.idempotency_answer import Answer, Told

MOST_BYTES = 16 * 1024 * 1024
"""What is recorded of an answer at most."""

_AHEAD_BYTES = 1024 * 1024
"""How far an answer that is not kept may be ahead of its slowest reader."""


class Record:
    """An answer that grows. One adds to it, others read.

    Args:
        most_bytes: where it is larger, its beginning is dropped as soon as all readers have it.

    Attributes:
        head: what goes before the first message.
        trailers: what goes with the end.
        kept: whether all of it is here, so that another reader may begin.
        ended: whether nothing follows.
    """

    __slots__ = (
        *("_added", "_bytes", "_dropped", "_error", "_messages", "_most_bytes", "_readers", "_taken"),
        *("ended", "head", "kept", "trailers"),
    )

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.head: Told = ()
        self.trailers: Told = ()
        self.kept = True
        self.ended = False
        self._most_bytes = most_bytes
        self._messages: list[bytes] = []
        self._dropped = 0  # how many messages came before those
        self._bytes = 0
        self._error: Exception | None = None
        self._readers: set[Reader] = set()
        self._added = asyncio.Event()
        self._taken = asyncio.Event()

    @property
    def reader_count(self) -> int:
        """How many read it."""
        return len(self._readers)

    async def add(self, message: bytes) -> None:
        """Adds a message. Waits for the slowest reader where the answer is too large to be kept."""
        self._messages.append(message)
        self._bytes += len(message)
        self.kept = self.kept and self._bytes <= self._most_bytes
        self._added = _again(self._added)
        while not self.kept:
            self._drop()
            if self._bytes <= _AHEAD_BYTES:
                return
            await self._taken.wait()

    def end(self, error: Exception | None = None) -> None:
        """Nothing follows.

        Args:
            error: what all readers get in the place of an end.
        """
        self.ended = True
        self._error = error
        self._added = _again(self._added)

    def fill(self, answer: Answer) -> None:
        """Takes an answer that is whole, and ends."""
        self.head, self.trailers = answer.head, answer.trailers
        self._messages = list(answer.messages)
        self.end()

    def answer(self) -> Answer:
        """All of it, where it is kept."""
        return Answer(tuple(self._messages), self.head, self.trailers)

    def reader(self) -> "Reader":
        """Begins to read; close it."""
        reader = Reader(self)
        self._readers.add(reader)
        return reader

    def leave(self, reader: "Reader") -> None:
        """A reader reads no more."""
        self._readers.discard(reader)
        self._taken = _again(self._taken)

    async def message(self, place: int) -> bytes | None:
        """The message at a place, when it is there; None: the answer ended before it.

        Raises:
            Exception: what the answer ended with.
        """
        while place >= self._dropped + len(self._messages):
            if self._error is not None:
                raise copied(self._error)
            if self.ended:
                return None
            await self._added.wait()
        message = self._messages[place - self._dropped]
        if not self.kept:
            self._taken = _again(self._taken)
        return message

    def _drop(self) -> None:
        """Drops what all readers have."""
        least = min((reader.place for reader in self._readers), default=self._dropped + len(self._messages))
        count = least - self._dropped
        self._bytes -= sum(map(len, self._messages[:count]))
        del self._messages[:count]
        self._dropped = least


class Reader:
    """One who reads a record.

    Attributes:
        place: how many messages it has.
    """

    __slots__ = ("_record", "place")

    def __init__(self, record: Record) -> None:
        self._record = record
        self.place = 0

    async def next(self) -> bytes | None:
        """The next message; None: there is none.

        Raises:
            Exception: what the answer ended with.
        """
        message = await self._record.message(self.place)
        self.place += 1
        return message

    def close(self) -> None:
        """Reads no more."""
        self._record.leave(self)


def copied(error: Exception) -> Exception:
    """The error for one more who gets it: on its way to a caller each copy is told of its own call."""
    if not isinstance(error, GatewayError):
        return error
    copy = GatewayError(
        error.reason, error.message, error.metadata, error.retry_after_s, error.fields, error.code, error.violations
    )
    copy.__cause__ = error.__cause__
    return copy


def _again(event: asyncio.Event) -> asyncio.Event:
    """Wakes those who wait; gives what others wait for from now on."""
    event.set()
    return asyncio.Event()
