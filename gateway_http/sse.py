"""Server-sent events on their way out: framing, comments while nothing comes, and the end.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (2026-11).
"""

import asyncio
from collections.abc import Awaitable, Iterable

from gateway_http.response import FrontResponse

CONTENT_TYPE = "text/event-stream; charset=utf-8"
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
DONE = b"data: [DONE]\n\n"
_COMMENT = b": keep-alive\n\n"


def events(texts: Iterable[bytes]) -> bytes:
    """One event for each line of the texts; empty for none."""
    joined = b"\n".join(texts).replace(b"\n", b"\n\ndata: ")
    return b"data: %b\n\n" % joined if joined else b""


class Keepalive:
    """Sends a comment on every stream that was silent for a while. One for many streams, with one timer for all.

    Args:
        silence_s: how long a stream may be silent, and half as long again at most; 0: for ever.
    """

    def __init__(self, silence_s: float) -> None:
        self._turn_s = silence_s / 2
        self._writers: set[EventWriter] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, writer: "EventWriter") -> None:
        """Looks after a stream."""
        self._writers.add(writer)
        if self._timer is None:
            self._arm()

    def end(self, writer: "EventWriter") -> None:
        """Looks after it no more."""
        self._writers.discard(writer)

    def _arm(self) -> None:
        if self._turn_s > 0:
            self._timer = asyncio.get_running_loop().call_later(self._turn_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        for writer in self._writers:
            writer.turn()
        if self._writers:
            self._arm()


class EventWriter:
    """Writes a stream of events to a caller. Use it in `with`.

    Args:
        response: the response, which has been connected to its request.
        keepalive: looks after it when it is silent.
    """

    __slots__ = ("_comment", "_keepalive", "_push", "_response", "_turns", "_writing")

    def __init__(self, response: FrontResponse, keepalive: Keepalive) -> None:
        self._response = response
        self._push = response.push
        self._keepalive = keepalive
        self._turns = 0
        self._writing = False
        self._comment: asyncio.Task[None] | None = None

    def __enter__(self) -> "EventWriter":
        self._keepalive.begin(self)
        return self

    def __exit__(self, *exception: object) -> None:
        self._keepalive.end(self)
        if self._comment is not None:
            self._comment.cancel()

    def write(self, data: bytes) -> Awaitable[None] | None:
        """Writes events; gives what to wait for where the caller reads slowly."""
        if not self._push(data):
            return self._send(data)
        self._turns = 0
        return None

    async def end(self, data: bytes) -> None:
        """Writes the last events."""
        await self._send(data, end=True)

    async def _send(self, data: bytes, end: bool = False) -> None:
        self._turns = 0
        self._writing = True
        await self._response.send(data, end)
        self._writing = False

    def turn(self) -> None:
        """Half of the time that the stream may be silent is over. The first half may have begun before the silence did."""
        self._turns += 1
        if self._turns >= 3 and not self._writing and (self._comment is None or self._comment.done()):
            self._turns = 1
            self._comment = asyncio.ensure_future(self._response.send(_COMMENT))
