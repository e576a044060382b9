"""The journalled way of rows: into a local file at once, nobody waits, and to the database in large transactions.

That is for one process alone with a database: others see its rows a moment later. A row that the files do not take goes the
direct way. Nothing ticks while nothing waits.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from server.ledger.backlog import Backlog
from server.ledger.delivery import Delivery
from server.ledger.direct import Direct
from server.ledger.entry import Intent, Settlement
from server.ledger.journal import Journal, JournalError, Side
from server.ledger.settings import LedgerSettings
from server.ledger.trouble import FIRST_PAUSE_S, LONGEST_PAUSE_S, Trouble
from server.ledger.way import refusal


class Journalled:
    """Writes rows. `start` begins it, `close` ends it.

    Args:
        journal: the files; its own from now on.
        direct: the other way; its own from now on, too.
        delivery: brings rows to the database.
        trouble: told when the database fails.
        settings: the ledger's.
    """

    at_once = True

    def __init__(
        self, journal: Journal, direct: Direct, delivery: Delivery, trouble: Trouble, settings: LedgerSettings
    ) -> None:
        self._journal = journal
        self._direct = direct
        self._delivery = delivery
        self._trouble = trouble
        self._settings = settings
        self._directly: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._wanted = asyncio.Event()
        self._flushes: list[asyncio.Future[None]] = []
        self._flushing: list[asyncio.Future[None]] = []
        self._troubled = False
        self._failing = False
        self._closing = asyncio.Event()

    @property
    def waiting(self) -> int:
        """See `Way`."""
        return self._direct.waiting + (self._journal.rows if self._troubled else 0)

    async def start(self) -> None:
        """See `Way`."""
        await asyncio.to_thread(self._journal.open)
        await self._direct.start()
        self._loop = asyncio.get_running_loop()
        self._running = asyncio.create_task(self._run())
        if not self._journal.empty:
            self._wanted.set()

    def intend_at_once(self, intents: Sequence[Intent]) -> bool:
        """See `Way`."""
        try:
            self._want(self._journal.begin(intents), len(intents))
        except JournalError as error:
            self._note(error)
            return False
        if self._failing:  # a settlement may have room yet where an intent has none
            self._failing = False
            structlog.get_logger("trunkline.ledger").info("journal_mended")
        return True

    def settle_at_once(self, settlements: Sequence[Settlement]) -> bool:
        """See `Way`."""
        if self._directly and not self._directly.isdisjoint(settlement.id for settlement in settlements):
            return False
        try:
            self._want(self._journal.end(settlements), len(settlements))
        except JournalError as error:
            self._note(error)
            return False
        return True

    async def intent(self, intent: Intent) -> None:
        """See `Way`."""
        if not self.intend_at_once([intent]):
            await self._begin_directly(intent)

    async def settle(self, settlement: Settlement) -> None:
        """See `Way`."""
        if self.settle_at_once([settlement]):
            return
        if settlement.id in self._directly:
            try:
                await self._direct.settle(settlement)
            finally:
                self._directly.discard(settlement.id)
            return
        owed = self._journal.owed(settlement)
        await (self._direct.whole(owed.wholes[0]) if owed.wholes else self._direct.settle(settlement))

    async def flush(self) -> None:
        """See `Way`."""
        await self._direct.flush()
        if self._troubled or self._journal.empty or self._closing.is_set():
            return
        waiter = self._loop.create_future()
        self._flushes.append(waiter)
        self._wanted.set()
        await waiter

    async def close(self) -> bool:
        """See `Way`."""
        arrived = await self._direct.close()
        self._closing.set()
        self._wanted.set()
        await asyncio.wait((self._running,), timeout=2 * self._settings.deadline_s)
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        _tell(self._flushing)
        _tell(self._flushes)
        arrived = arrived and self._journal.empty
        await asyncio.to_thread(self._journal.close)
        return arrived

    async def _begin_directly(self, intent: Intent) -> None:
        if self._troubled:
            raise refusal()
        self._directly.add(intent.id)
        try:
            await self._direct.intent(intent)
        except Exception:
            self._directly.discard(intent.id)
            raise

    def _want(self, rows: int, new: int) -> None:
        """The first row is brought to the database after a while, and with it all that are there then; many are at once.

        Args:
            rows: how many there are.
            new: how many of them came just now.
        """
        if rows >= self._settings.journal_rows > rows - new:
            self._wanted.set()
        elif rows == new:
            self._timer = self._loop.call_later(self._settings.journal_s, self._wanted.set)

    def _note(self, error: JournalError) -> None:
        if not self._failing:
            self._failing = True
            structlog.get_logger("trunkline.ledger").error("journal_failed", error=str(error))

    async def _run(self) -> None:
        """Brings to the database what waits, whenever that is wanted."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            last = self._closing.is_set()
            self._flushing, self._flushes = self._flushes, []
            if await self._bring(self._turn()) and self._troubled and await self._bring(self._turn()):
                self._troubled = False  # what came meanwhile is there, too
                self._trouble.end()
            _tell(self._flushing)
            if last:
                return

    def _turn(self) -> Side:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return self._journal.turn()

    async def _bring(self, side: Side) -> bool:
        """Brings a side's rows to the database, however long it takes. False: not all, and nobody waits any more."""
        pause_s = FIRST_PAUSE_S
        while not side.spool.empty:
            try:
                if not side.loose:
                    await self._delivery.write(side.group.batch())
                    break
                await self._delivery.wait_for_late()
                await Backlog(side.spool).deliver(self._delivery)
            except Exception as error:  # whatever it is, the rows are in the file
                side.loosen()
                self._begin_trouble(error)
                if self._closing.is_set():
                    return False
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        self._journal.arrived(side)
        return True

    def _begin_trouble(self, error: Exception) -> None:
        if self._troubled:
            structlog.get_logger("trunkline.ledger").debug("ledger_still_troubled", error=str(error))
            return
        self._troubled = True
        self._trouble.begin(error)
        _tell(self._flushing)
        _tell(self._flushes)


def _tell(waiters: "list[asyncio.Future[None]]") -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
    waiters.clear()
