"""Bytes to server-sent events, whatever the reads cut apart.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (2026-11). Comments, ids and retry times are dropped.
"""

from typing import NamedTuple

from server.providers.errors import Fault, ProviderError

LARGEST_EVENT = 32 * 1024 * 1024
"""The most bytes that one event may have."""

_LONG_REST = 2048
"""Longer than most events, and short enough to be copied at each read."""


class Event(NamedTuple):
    """One event: its name, `message` where the vendor gave none, and its data."""

    name: str
    data: bytes


class SseParser:
    """Collects reads and gives out the events that are complete. One for each stream."""

    def __init__(self) -> None:
        self._rest = b""
        self._pieces: list[bytes] = []  # of a long event, before the rest; no blank line begins in them
        self._size = 0

    def complete(self, read: bytes) -> bytes:
        """The text of the events that a read completes: lines end with a line feed, events are parted by a blank line.

        Raises:
            ProviderError: PROTOCOL when an event grows larger than `LARGEST_EVENT`.
        """
        text = self._rest + read if self._rest else read
        carriage = b""
        if b"\r" in text:
            if text.endswith(b"\r"):  # its line feed may come with the next read
                text, carriage = text[:-1], b"\r"
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        complete, found, rest = text.rpartition(b"\n\n")
        self._rest = rest + carriage
        if self._pieces and found:
            complete = b"".join((*self._pieces, complete))
            self._pieces.clear()
            self._size = 0
        if self._pieces or len(rest) > _LONG_REST:
            self._put_aside(rest, carriage)
        return complete

    def _put_aside(self, rest: bytes, carriage: bytes) -> None:
        """Keeps the beginning of a long event apart, so that the reads to come do not copy and search it again."""
        if len(rest) > _LONG_REST:
            self._pieces.append(rest[:-1])
            self._size += len(rest) - 1
            self._rest = rest[-1:] + carriage  # a blank line may begin with its last letter
        if self._size + len(self._rest) > LARGEST_EVENT:
            raise ProviderError(Fault.PROTOCOL, f"The stream has an event larger than {LARGEST_EVENT} bytes.")

    def feed(self, read: bytes) -> list[Event]:
        """The events that a read completes.

        Raises:
            ProviderError: as `complete`.
        """
        return events_of(self.complete(read))

    def rest(self) -> bytes:
        """The text that the end of the body completes, where the vendor left out the last blank line."""
        rest = b"".join((*self._pieces, self._rest)).rstrip(b"\r\n")
        self._rest = b""
        self._pieces.clear()
        return rest

    def finish(self) -> list[Event]:
        """The event that the end of the body completes."""
        return events_of(self.rest())


def events_of(complete: bytes) -> list[Event]:
    """The events of a text that `SseParser.complete` gave."""
    found = (_event(block) for block in complete.split(b"\n\n"))
    return [event for event in found if event is not None]


def plain_data_of(complete: bytes) -> list[bytes] | None:
    """The data of a text in which every event is one line of data and nothing else; None for any other text.

    That is what most vendors send, and this costs a quarter of `events_of`.
    """
    data = split_data(complete)
    return data if data and complete.count(b"\n") == 2 * (len(data) - 1) else None


def split_data(complete: bytes) -> list[bytes]:
    """The text cut where the data of a new event begins; empty where it does not begin with data.

    A piece is an event's data only if it is one line: to be used where a piece of several lines is found out in any case.
    """
    return complete[6:].split(b"\n\ndata: ") if complete.startswith(b"data: ") else []


def _event(block: bytes) -> Event | None:
    """One event from its lines; None where it has no data."""
    name = "message"
    data = []
    for line in block.lstrip(b"\xef\xbb\xbf").split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return Event(name, b"\n".join(data)) if data else None
