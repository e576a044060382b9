"""The ledger: every completion's row, committed before its provider is asked and again before its last byte leaves.

Everything that comes while a transaction runs goes into the next one. Where the database fails, rows wait in a local file
and arrive later, each once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from server.clock import Clock
from server.errors import GatewayError
from server.ledger.backlog import Backlog
from server.ledger.delivery import Delivery
from server.ledger.entry import Intent, Settlement, Status
from server.ledger.group import Group
from server.ledger.record import Batch, Bodies, Row, intent_row, settlement_row
from server.ledger.recovery import Recovery
from server.ledger.spool import Spool
from server.ledger.writer import RowError, Writer, open_writer
from server.storage.database import Database
from server.storage.errors import StorageError
from trunkline.v1.error_reason_pb2 import ErrorReason

_TRY_AGAIN_S = 0.05
_TRY_AGAIN_AT_MOST_S = 2.0
_RETRY_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """How the ledger works.

    Attributes:
        on_failure: what happens to requests while the database fails: their rows are spooled, or they are refused.
        deadline_s: a transaction that takes longer is a failure.
        max_waiting: so many rows wait for a transaction; further intents wait for room.
        max_spool_bytes: the spool's size, after which requests are refused.
        max_body_bytes: how much of a request or answer is kept.
        lease_s: a worker of another host that has been silent for longer is dead.
    """

    on_failure: Literal["spool", "refuse"] = "spool"
    deadline_s: float = 2.0
    max_waiting: int = 10_000
    max_spool_bytes: int = 256 * 1024 * 1024
    max_body_bytes: int = 64 * 1024
    lease_s: float = 60.0


class Ledger:
    """Writes rows. `recover` begins it, `close` ends it; both in the loop that uses it.

    Args:
        database: where to.
        clock: tells the time.
        worker: this process's id, from `find_worker_id`.
        spool_dir: where rows wait; workers may share it.
        settings: see there.
        redact: takes secrets out of bodies.
        on_trouble: told when the database begins to fail (True), and when all that waited has arrived (False); raises not.
        on_commit: told how many rows each transaction had; raises not.
        on_recovered: told how many completions of workers that died meanwhile are interrupted now; raises not.
        writer: writes; closed by the ledger. None: the one for the database.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        worker: str,
        spool_dir: Path,
        settings: LedgerSettings | None = None,
        redact: Callable[[str], str] = str,
        on_trouble: Callable[[bool], None] = lambda _: None,
        on_commit: Callable[[int], None] = lambda _: None,
        on_recovered: Callable[[int], None] = lambda _: None,
        writer: Writer | None = None,
    ) -> None:
        self._settings = settings or LedgerSettings()
        self._database = database
        self._clock = clock
        self._worker = worker
        self._spool_dir = spool_dir
        self._on_trouble = on_trouble
        self._on_commit = on_commit
        self._on_recovered = on_recovered
        self._bodies = Bodies(self._settings.max_body_bytes, redact)
        self._recovery = Recovery(database, clock, worker, self._settings.lease_s)
        self._backlog = Backlog(Spool(spool_dir, worker, self._settings.max_spool_bytes))
        self._group = Group()
        self._room = asyncio.Event()
        self._idle: asyncio.Future[None] | None = None
        self._writer = writer
        self._tasks: list[asyncio.Task[None]] = []
        self._mending: asyncio.Task[None] | None = None
        self._troubled = False
        self._spool_full = False
        self._open = False
        self._aside = asyncio.Lock()
        self._taking = asyncio.Lock()

    @property
    def troubled(self) -> bool:
        """Whether rows wait because the database failed."""
        return self._troubled

    @property
    def waiting(self) -> int:
        """How many rows of this process wait because the database failed."""
        return self._backlog.rows

    async def recover(self) -> int:
        """Begins: brings in what dead workers left, and from then on looks after others that die.

        Returns:
            How many completions were open in dead workers; they are interrupted now.

        Raises:
            StorageError: the database failed.
        """
        if not self._open:
            self._writer = self._writer or await open_writer(self._database, self._settings.deadline_s)
            self._delivery = Delivery(self._writer, self._settings.deadline_s, self._on_commit)
            self._open = True
            self._running = asyncio.create_task(self._run())
            self._tasks.append(asyncio.create_task(self._look_after()))
        await self._recovery.beat()
        return await self._look()

    async def intent(self, intent: Intent) -> None:
        """Writes that a completion is about to be asked for; returns when that is sure.

        Raises:
            GatewayError: OVERLOADED, as the row can neither be written nor wait.
        """
        while len(self._group.waiters) >= self._settings.max_waiting:
            self._room.clear()
            await self._room.wait()
        if not self._open or (self._troubled and (self._spool_full or self._settings.on_failure == "refuse")):
            raise _refusal()
        waiter = asyncio.get_running_loop().create_future()
        self._group.begin(intent_row(intent, self._worker, self._bodies), waiter)
        self._wake()
        await waiter

    async def settle(self, settlement: Settlement) -> None:
        """Writes what came of a completion; returns when that is sure. What was settled stays as it is.

        A caller that no longer waits changes nothing: the row is written.
        """
        if not self._open:
            raise _refusal()
        waiter = asyncio.get_running_loop().create_future()
        self._group.end(settlement_row(settlement, self._bodies), waiter)
        self._wake()
        await waiter

    async def close(self) -> None:
        """Ends: writes what waits, as far as the database takes it; the rest stays in the spool for the next start."""
        self._open = False
        self._room.set()
        if self._writer is None:
            return
        self._wake()
        await self._running
        if self._mending is not None:
            await asyncio.wait((self._mending,), timeout=self._settings.deadline_s)
            self._tasks.append(self._mending)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._backlog.empty:
            await self._leave()
        await self._backlog.close()
        try:
            await asyncio.wait_for(self._writer.close(), self._settings.deadline_s)
        except TimeoutError:  # its thread ends with the process
            _log().error("ledger_writer_stuck")

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
            group, self._group = self._group, Group()
            self._room.set()
            if group.waiters:
                try:
                    await self._place(group)
                except Exception as error:  # the ledger goes on whatever comes
                    _log().exception("ledger_failed")
                    group.fail(error)

    async def _place(self, group: Group) -> None:
        """Brings a group's rows to where they are safe, and tells who waits."""
        while True:
            if not self._troubled and await self._wrote(group):
                return
            async with self._aside:
                if self._troubled:
                    await self._set_aside(group)
                    return

    async def _wrote(self, group: Group) -> bool:
        """Whether a group's rows went to the database; if not, the trouble begins."""
        try:
            _fail(group, await self._delivery.write(group.batch()))
        except StorageError as error:
            self._begin_trouble(error)
        except Exception as error:  # whatever it is, the rows are worth more
            _log().exception("ledger_failed")
            self._begin_trouble(error)
        else:
            group.done()
            return True
        return False

    async def _set_aside(self, group: Group) -> None:
        """Lets a group's rows wait; new completions are refused where that is the setting, or there is no place."""
        batch = group.batch()
        if self._settings.on_failure == "refuse" or not await self._backlog.add(batch):
            self._spool_full = self._settings.on_failure != "refuse"
            for id in group.intents:
                for waiter in group.waiting(id):
                    if not waiter.done():
                        waiter.set_exception(_refusal())
            # The failed transaction may arrive yet.
            closing = [self._closing(id) for id in group.intents]
            await self._backlog.keep(Batch([], batch.settlements + closing, batch.wholes))
        group.done()

    def _closing(self, id: str) -> Row:
        now = int(self._clock.now() * 1e6)
        return settlement_row(Settlement(id, Status.FAILED, now, error_reason="overloaded", cost_micros=0), self._bodies)

    def _begin_trouble(self, error: Exception) -> None:
        self._troubled = True
        self._mending = asyncio.create_task(self._mend())
        _log().warning("ledger_troubled", error=str(error))
        self._on_trouble(True)

    async def _mend(self) -> None:
        """Brings what waits to the database, again and again until it takes it."""
        pause_s = _TRY_AGAIN_S
        while self._troubled:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _TRY_AGAIN_AT_MOST_S)
            try:
                await self._delivery.wait_for_late()
                while not self._backlog.empty:
                    await self._backlog.deliver(self._delivery)
                    self._spool_full = False
            except (StorageError, OSError) as error:
                _log().debug("ledger_still_troubled", error=str(error))
                continue
            except Exception:
                _log().exception("ledger_failed")
                continue
            async with self._aside:  # what came later must not overtake what is on its way to the spool
                self._troubled = not self._backlog.empty
        self._mending = None
        _log().info("ledger_mended")
        self._on_trouble(False)

    async def _look_after(self) -> None:
        """Says again and again that this worker lives, and looks for others that do not."""
        while True:
            await asyncio.sleep(self._settings.lease_s / 4)
            try:
                await self._recovery.beat()
                if recovered := await self._look():
                    self._on_recovered(recovered)
            except (StorageError, OSError) as error:
                _log().warning("ledger_beat_failed", error=str(error))

    async def _look(self) -> int:
        async with self._taking:
            await self._take_left()
            recovered = await self._recovery.recover()
        if recovered:
            _log().warning("completions_interrupted", count=recovered)
        return recovered

    async def _take_left(self) -> None:
        """Brings in the spools of dead workers."""
        found = [Backlog(spool) for spool in await asyncio.to_thread(Spool.find_left, self._spool_dir)]
        try:
            for left in found:
                while not left.empty:
                    await left.deliver(self._delivery)
        finally:
            for left in found:
                await left.close()

    async def _leave(self) -> None:
        try:
            await self._recovery.leave()
        except StorageError as error:
            _log().warning("ledger_beat_failed", error=str(error))


def _fail(group: Group, wrong: list[tuple[Batch, RowError]]) -> None:
    for single, error in wrong:
        for waiter in group.waiting(single.ids()[0]):
            if not waiter.done():
                waiter.set_exception(error)


def _refusal() -> GatewayError:
    return GatewayError(
        ErrorReason.ERROR_REASON_OVERLOADED, "The ledger takes no completions at the moment", retry_after_s=_RETRY_AFTER_S
    )


def _log() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.get_logger("trunkline.ledger")
    return log
