"""The direct way of rows: to the database at once, awaited. Everything that comes while a transaction runs is the next one.

Where the database fails, rows wait in the backlog and arrive later, each once.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from server.ledger.backlog import Backlog
from server.ledger.delivery import Delivery
from server.ledger.entry import Intent, Settlement, Whole
from server.ledger.group import Awaited
from server.ledger.record import Batch
from server.ledger.settings import LedgerSettings
from server.ledger.trouble import FIRST_PAUSE_S, LONGEST_PAUSE_S, Trouble
from server.ledger.way import refusal
from server.ledger.writer import RowError
from server.storage.errors import StorageError

_NO_ROW = ""
"""Who waits for this waits for all of a group's rows."""


class Direct:
    """Writes rows. `start` begins it, `close` ends it.

    Args:
        delivery: brings rows to the database.
        backlog: where they wait; its own from now on.
        trouble: told when the database fails.
        settings: the ledger's.
        refuse: makes the settlement of a completion that is refused after all.
    """

    at_once = False

    def __init__(
        self,
        delivery: Delivery,
        backlog: Backlog,
        trouble: Trouble,
        settings: LedgerSettings,
        refuse: Callable[[str], Settlement],
    ) -> None:
        self._delivery = delivery
        self._backlog = backlog
        self._trouble = trouble
        self._settings = settings
        self._refuse = refuse
        self._group = Awaited()
        self._placing: Awaited | None = None
        self._room = asyncio.Event()
        self._idle: asyncio.Future[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._mending: asyncio.Task[None] | None = None
        self._troubled = False
        self._spool_full = False
        self._open = True
        self._aside = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """See `Way`."""
        return self._backlog.rows

    async def start(self) -> None:
        """Begins."""
        self._running = asyncio.create_task(self._run())

    def intend_at_once(self, _: Sequence[Intent]) -> bool:
        """See `Way`: a transaction takes its time."""
        return False

    def settle_at_once(self, _: Sequence[Settlement]) -> bool:
        """See `Way`: likewise."""
        return False

    async def intent(self, intent: Intent) -> None:
        """See `Way`."""
        while len(self._group.waiters) >= self._settings.max_waiting:
            self._room.clear()
            await self._room.wait()
        if not self._open or (self._troubled and (self._spool_full or self._settings.on_failure == "refuse")):
            raise refusal()
        self._group.begin(intent)
        await self._wait(intent.id)

    async def settle(self, settlement: Settlement) -> None:
        """See `Way`."""
        self._group.end(settlement)
        await self._wait(settlement.id)

    async def whole(self, whole: Whole) -> None:
        """Writes a completion that was over before it was written; its intent may come, or may have come, some other way."""
        id = whole.settlement.id
        self._group.wholes.setdefault(id, whole)
        await self._wait(id)

    async def flush(self) -> None:
        """See `Way`. Groups go one after another, so that the last one is waited for."""
        group = self._group if self._group.waiters else self._placing
        if group is None or self._troubled:
            return
        waiter = asyncio.get_running_loop().create_future()
        group.waiters.append((waiter, _NO_ROW))
        await waiter

    async def close(self) -> bool:
        """See `Way`."""
        self._open = False
        self._room.set()
        if self._running is not None:
            self._wake()
            await self._running
        mending = self._mending  # which forgets itself when it is done
        if mending is not None:
            await asyncio.wait((mending,), timeout=self._settings.deadline_s)
            mending.cancel()
            await asyncio.gather(mending, return_exceptions=True)
        arrived = self._backlog.empty
        await self._backlog.close()
        return arrived

    async def _wait(self, id: str) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._group.waiters.append((waiter, id))
        self._wake()
        await waiter

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def _run(self) -> None:
        """Writes one group after another."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._group.waiters:
                if not self._open:
                    return
                self._idle = loop.create_future()
                await self._idle
            group, self._group = self._group, Awaited()
            self._room.set()
            if group.waiters:
                self._placing = group
                try:
                    await self._place(group)
                except Exception as error:  # the ledger goes on whatever comes
                    structlog.get_logger("trunkline.ledger").exception("ledger_failed")
                    group.fail(error)
                self._placing = None

    async def _place(self, group: Awaited) -> None:
        """Brings a group's rows to where they are safe, and tells who waits."""
        while True:
            if not self._troubled and await self._wrote(group):
                return
            async with self._aside:
                if self._troubled:
                    await self._set_aside(group)
                    return

    async def _wrote(self, group: Awaited) -> bool:
        """Whether a group's rows went to the database; if not, the trouble begins."""
        try:
            wrong = await self._delivery.write(group.batch())
        except Exception as error:
            self._troubled = True
            self._mending = asyncio.create_task(self._mend())
            self._trouble.begin(error)
            return False
        _fail(group, wrong)
        group.done()
        return True

    async def _set_aside(self, group: Awaited) -> None:
        """Lets a group's rows wait; new completions are refused where that is the setting, or there is no place."""
        batch = group.batch()
        if self._settings.on_failure == "refuse" or not await self._backlog.add(batch):
            self._spool_full = self._settings.on_failure != "refuse"
            for id in group.intents:
                for waiter in group.waiting(id):
                    waiter.set_exception(refusal())
            # The failed transaction may arrive yet.
            closing = [self._refuse(id) for id in group.intents]
            await self._backlog.keep(Batch([], batch.settlements + closing, batch.wholes))
        group.done()

    async def _mend(self) -> None:
        """Brings what waits to the database, again and again until it takes it."""
        pause_s = FIRST_PAUSE_S
        while self._troubled:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                await self._delivery.wait_for_late()
                while not self._backlog.empty:
                    await self._backlog.deliver(self._delivery)
                    self._spool_full = False
            except (StorageError, OSError) as error:
                structlog.get_logger("trunkline.ledger").debug("ledger_still_troubled", error=str(error))
                continue
            except Exception:
                structlog.get_logger("trunkline.ledger").exception("ledger_failed")
                continue
            async with self._aside:  # what came later must not overtake what is on its way to the spool
                self._troubled = not self._backlog.empty
        self._mending = None
        self._trouble.end()


def _fail(group: Awaited, wrong: list[tuple[Batch, RowError]]) -> None:
    for single, error in wrong:
        for waiter in group.waiting(single.ids()[0]):
            waiter.set_exception(error)
