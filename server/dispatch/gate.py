"""How much work the whole server takes at once, and who is turned away when that is exceeded."""

import asyncio
from collections import deque
from enum import Enum
from typing import NoReturn

from server.errors import GatewayError
from trunkline.v1.error_reason_pb2 import ErrorReason

_BATCH_SHARE = 0.5
_RETRY_AFTER_S = 1.0
_TICK_S = 0.05
_TICKS = 4
_SELDOM_S = 1.0
"""Between two looks at a loop that is on time and has no request."""


class Lane(Enum):
    """How urgent a request is."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    """May use half of the room, and is turned away first."""


_LONGEST_LAG_S = {Lane.INTERACTIVE: 2.0, Lane.BATCH: 0.25}
"""How late the event loop may be, time and again, for a request of the lane to be let in. A thousand that come at once
take it half a second, and are answered."""


class Gate:
    """Lets requests in, up to a number at once, and fewer when the event loop falls behind.

    Args:
        most: how many requests may be under way.
    """

    __slots__ = ("_due", "_lags", "_loop", "_most", "_most_batch", "_timer", "in_flight", "lag_s", "resting")

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_batch = max(1, int(most * _BATCH_SHARE))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._lags: deque[float] = deque()
        self.in_flight = 0
        """How many requests are under way."""
        self.lag_s = 0.0
        """How late the event loop has been at the least, the last few times; 0 where nobody watches."""
        self.resting = False
        """Whether it looks seldom, as nothing is under way and the event loop is on time."""

    def enter(self, lane: Lane) -> None:
        """Lets a request in, which ends with `leave`.

        Raises:
            GatewayError: OVERLOADED, with when to come back.
        """
        most = self._most if lane is Lane.INTERACTIVE else self._most_batch
        if self.in_flight >= most or (self.lag_s and self.lag_s > _LONGEST_LAG_S[lane]):
            overloaded("The gateway has more requests than it takes at once.")
        self.in_flight += 1
        if self.resting:
            self.resting = False
            self._look_in(_TICK_S)

    def leave(self) -> None:
        """A request has ended."""
        self.in_flight -= 1

    def watch(self) -> None:
        """Begins to measure how late the running loop is."""
        self._loop = asyncio.get_running_loop()
        self._lags = deque([0.0] * _TICKS, _TICKS)
        self._look_in(_TICK_S)

    def _look_in(self, seconds: float) -> None:
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        self._due = self._loop.time() + seconds
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        assert self._loop is not None
        lags = self._lags
        lags.append(self._loop.time() - self._due)
        self.lag_s = max(0.0, min(lags))
        self.resting = not self.in_flight and max(lags) < _TICK_S
        self._look_in(_SELDOM_S if self.resting else _TICK_S)

    def close(self) -> None:
        """Ends the measuring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.resting = False


def overloaded(message: str, retry_after_s: float = _RETRY_AFTER_S) -> NoReturn:
    """Turns a request away.

    Raises:
        GatewayError: OVERLOADED.
    """
    raise GatewayError(ErrorReason.ERROR_REASON_OVERLOADED, message, retry_after_s=retry_after_s)
