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

    __slots__ = ("_most", "_most_batch", "_timer", "in_flight", "lag_s")

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_batch = max(1, int(most * _BATCH_SHARE))
        self._timer: asyncio.TimerHandle | None = None
        self.in_flight = 0
        """How many requests are under way."""
        self.lag_s = 0.0
        """How late the event loop has been at the least, the last few times; 0 where nobody watches."""

    def enter(self, lane: Lane) -> None:
        """Lets a request in, which ends with `leave`.

        Raises:
            GatewayError: OVERLOADED, with when to come back.
        """
        most = self._most if lane is Lane.INTERACTIVE else self._most_batch
        if self.in_flight >= most or (self.lag_s and self.lag_s > _LONGEST_LAG_S[lane]):
            overloaded("The gateway has more requests than it takes at once.")
        self.in_flight += 1

    def leave(self) -> None:
        """A request has ended."""
        self.in_flight -= 1

    def watch(self) -> None:
        """Begins to measure how late the running loop is."""
        loop = asyncio.get_running_loop()
        due = loop.time() + _TICK_S
        lags = deque([0.0] * _TICKS, _TICKS)

        def tick() -> None:
            nonlocal due
            now = loop.time()
            lags.append(now - due)
            self.lag_s = max(0.0, min(lags))
            due = now + _TICK_S
            self._timer = loop.call_at(due, tick)

        self._timer = loop.call_at(due, tick)

    def close(self) -> None:
        """Ends the measuring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def overloaded(message: str, retry_after_s: float = _RETRY_AFTER_S) -> NoReturn:
    """Turns a request away.

    Raises:
        GatewayError: OVERLOADED.
    """
    raise GatewayError(ErrorReason.ERROR_REASON_OVERLOADED, message, retry_after_s=retry_after_s)
