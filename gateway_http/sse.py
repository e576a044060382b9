"""Server-sent events on their way out: framing, comments while nothing comes, and the end.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (2026-11).
"""

import asyncio
from collections.abc import Iterable

from sanic.response import HTTPResponse

CONTENT_TYPE = "text/event-stream; charset=utf-8"
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
DONE = b"data: [DONE]\n\n"
_COMMENT = b": keep-alive\n\n"


def events(texts: Iterable[bytes]) -> bytes:
    """One event for each line of the texts; empty for none."""
    joined = b"\n".join(texts).replace(b"\n", b"\n\ndata: ")
    return b"data: %b\n\n" % joined if joined else b""


class EventWriter:
    """Writes a stream of events to a caller, and a comment whenever it was silent for a while. Use it in `with`.

    Args:
        response: the response, whose head is out.
        keepalive_s: how long it may be silent; 0: for ever.
    """

    def __init__(self, response: HTTPResponse, keepalive_s: float) -> None:
        self._response = response
        self._keepalive_s = keepalive_s
        self._silent = True
        self._writing = False
        self._timer: asyncio.TimerHandle | None = None
        self._comment: asyncio.Task[None] | None = None

    def __enter__(self) -> "EventWriter":
        self._arm()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._comment is not None:
            self._comment.cancel()

    async def write(self, data: bytes, end: bool = False) -> None:
        """Writes events, the last ones with `end`; waits where the caller reads slowly."""
        self._silent = False
        self._writing = True
        await self._response.send(data, end)
        self._writing = False

    def _arm(self) -> None:
        if self._keepalive_s > 0:
            self._timer = asyncio.get_running_loop().call_later(self._keepalive_s, self._tick)

    def _tick(self) -> None:
        if self._silent and not self._writing:
            self._comment = asyncio.ensure_future(self._response.send(_COMMENT))
        self._silent = True
        self._arm()
