"""One request over HTTP/2: what has come of its answer, and who waits for more."""

from collections.abc import Callable

from server.providers.http.arriving import Arriving

Head = tuple[int, list[tuple[str, str]]]


class Stream(Arriving):
    """What a connection hands on to the reader of one answer.

    Args:
        number: the stream's on its connection.
        acknowledge: tells the vendor that so many bytes were read, so that it may send as many more.
    """

    def __init__(self, number: int, acknowledge: Callable[[int, int], None]) -> None:
        super().__init__()
        self.number = number
        self.head: Head | None = None
        self.sent = False
        self._acknowledge = acknowledge
        self._owed = 0

    @property
    def at_hand(self) -> bool:
        """Whether a read need not wait."""
        return bool(self.pieces) or self.ended

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
            self.pieces.append(data)
            self.wake()
        else:
            self._pay()

    async def answered(self) -> Head:
        """Waits for the head.

        Raises:
            ProviderError: why there will be none.
        """
        while self.head is None:
            await self.more()
        return self.head

    async def read(self) -> bytes:
        """What has come of the body since; empty at its end.

        Raises:
            ProviderError: it will not end as it should.
        """
        read = await super().read()
        self._pay()
        return read

    def drop(self) -> None:
        """Throws away what was not read, which must not count against the answers of others."""
        self.pieces.clear()
        self._pay()

    def _pay(self) -> None:
        owed, self._owed = self._owed, 0
        if owed:
            self._acknowledge(self.number, owed)
