"""What the accounts of all completions share."""

import asyncio
from collections.abc import Coroutine

import structlog

from server.clock import Clock
from server.ledger.ledger import Ledger
from server.ledger.prices import Prices
from server.limits.limits import Limits

_MICROS = 1_000_000


class Books:
    """What all accounts share.

    Args:
        limits: what callers may use.
        ledger: where every completion is written; None: nowhere.
        prices: what models cost.
        clock: tells the time.
        bodies: whether requests and answers are kept in the ledger.

    Attributes:
        limits: as given; likewise `ledger`, `prices` and `bodies`.
        stopped: whether what still runs is cut off, as the gateway stops.
    """

    def __init__(self, limits: Limits, ledger: Ledger | None, prices: Prices, clock: Clock, bodies: bool = False) -> None:
        self.limits = limits
        self.ledger = ledger
        self.prices = prices
        self.bodies = bodies and ledger is not None
        self.stopped = False
        self._clock = clock
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def at_once(self) -> bool:
        """Whether accounts are opened and closed without waiting, as a rule."""
        return not self.limits.remote and (self.ledger is None or self.ledger.at_once)

    def now(self) -> int:
        """Microseconds since the epoch."""
        return int(self._clock.now() * _MICROS)

    def later(self, closing: Coroutine[object, object, None]) -> None:
        """Closes an account whose caller does not wait for it."""
        task = asyncio.ensure_future(closing)
        self._closing.add(task)
        task.add_done_callback(self._closed)

    async def close(self) -> None:
        """Waits until all accounts are closed."""
        while self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    def _closed(self, task: "asyncio.Task[None]") -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            structlog.get_logger("trunkline.ledger").error("account_not_closed", exc_info=error)
