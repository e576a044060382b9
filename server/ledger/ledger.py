"""The ledger: every completion's row, safe before its provider is asked and again before its last byte leaves.

Rows go one of two ways: to the database at once, or through a local journal. Here is what both have in common: what rows are
made of, and what workers left that died.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import structlog
from msgspec import structs

from server.clock import Clock
from server.ledger.backlog import Backlog
from server.ledger.delivery import Delivery
from server.ledger.direct import Direct
from server.ledger.entry import Intent, Settlement, Status
from server.ledger.journal import Journal
from server.ledger.journalled import Journalled
from server.ledger.left import hold_left
from server.ledger.record import Bodies
from server.ledger.recovery import Recovery
from server.ledger.settings import LedgerSettings
from server.ledger.spool import Spool
from server.ledger.trouble import Trouble
from server.ledger.way import Way, refusal
from server.ledger.writer import FileWriter, Writer, open_writer
from server.storage.database import Database
from server.storage.errors import StorageError


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
        on_recovered: told when workers died meanwhile, and how many of their completions are interrupted now; raises not.
        writer: writes; closed by the ledger. None: the one for the database.
        alone: whether nobody else needs to see rows at once, and `spool_dir` outlives the process. Then an SQLite file gets
            them through a journal, unless a request is to be refused that has no row in the database.

    Attributes:
        worker: as given; an intent has to have it.
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
        alone: bool = False,
    ) -> None:
        self._settings = settings or LedgerSettings()
        self._database = database
        self._clock = clock
        self.worker = worker
        self._spool_dir = spool_dir
        self._trouble = Trouble(on_trouble)
        self._on_commit = on_commit
        self._on_recovered = on_recovered
        self._bodies = Bodies(self._settings.max_body_bytes, redact)
        self._recovery = Recovery(database, clock, worker, self._settings.lease_s)
        self._writer = writer
        self._alone = alone
        self.at_once = False
        self._way: Way | None = None
        self._open = False
        self._looking: asyncio.Task[None] | None = None
        self._taking = asyncio.Lock()

    @property
    def troubled(self) -> bool:
        """Whether rows wait because the database failed."""
        return bool(self._trouble)

    @property
    def waiting(self) -> int:
        """How many rows of this process wait because the database failed."""
        return 0 if self._way is None else self._way.waiting

    async def recover(self) -> int | None:
        """Begins: brings in what dead workers left, and from then on looks after others that die.

        Returns:
            How many completions were open in dead workers; they are interrupted now. None: nobody died.

        Raises:
            StorageError: the database failed.
        """
        if self._writer is None:
            self._writer = await open_writer(self._database, self._settings.deadline_s)
        if self._way is None:
            self._delivery = Delivery(self._writer, self._settings.deadline_s, self._on_commit)
        await self._recovery.beat()
        recovered = await self._look()
        if self._way is None:
            self._way = await self._start_way(self._writer)
            self.at_once = self._way.at_once
            self._open = True
            self._looking = asyncio.create_task(self._look_after())
        return recovered

    def intent(self, intent: Intent) -> Coroutine[object, object, None]:
        """Writes that a completion is about to be asked for; returns when that is sure.

        Raises:
            GatewayError: OVERLOADED, as the row can neither be written nor wait.
        """
        if self._way is None or not self._open:
            raise refusal()
        return self._way.intent(self._kept(intent))

    def settle(self, settlement: Settlement) -> Coroutine[object, object, None]:
        """Writes what came of a completion; returns when that is sure. What was settled stays as it is.

        A caller that no longer waits changes nothing: the row is written.
        """
        if self._way is None or not self._open:
            raise refusal()
        return self._way.settle(self._kept_answer(settlement))

    def intend_at_once(self, intents: Sequence[Intent]) -> bool:
        """Writes that completions are about to be asked for, if nobody has to wait for that.

        Returns:
            False: nothing is written, and `intent` does it for each.
        """
        if self._way is None or not self._open:
            return False
        return self._way.intend_at_once([self._kept(intent) for intent in intents])

    def settle_at_once(self, settlements: Sequence[Settlement]) -> bool:
        """Writes what came of completions; likewise. False: nothing is written, and `settle` does it for each."""
        if self._way is None or not self._open:
            return False
        return self._way.settle_at_once([self._kept_answer(settlement) for settlement in settlements])

    async def flush(self) -> None:
        """Returns when the database has all that was told before, or fails. For those who are about to read rows."""
        if self._way is not None and self._open:
            await self._way.flush()

    async def close(self, leaves: bool = True) -> None:
        """Ends: writes what waits, as far as the database takes it; the rest stays in files for the next start.

        Args:
            leaves: whether nobody has to notice; else who begins next finds a worker that died.
        """
        self._open = False
        if self._writer is None:
            return
        arrived = self._way is None or await self._way.close()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if arrived and leaves:
            await self._leave()
        try:
            await asyncio.wait_for(self._writer.close(), self._settings.deadline_s)
        except TimeoutError:  # its thread ends with the process
            _log().error("ledger_writer_stuck")

    async def _start_way(self, writer: Writer) -> Way:
        settings, delivery, trouble = self._settings, self._delivery, self._trouble
        backlog = Backlog(Spool(self._spool_dir, self.worker, settings.max_spool_bytes))
        direct = Direct(delivery, backlog, trouble, settings, self._refused)
        if self._alone and settings.on_failure == "spool" and isinstance(writer, FileWriter):
            journal = Journal(self._spool_dir, self.worker, settings.max_spool_bytes, settings.journal_bytes)
            journalled = Journalled(journal, direct, delivery, trouble, settings)
            try:
                await journalled.start()
            except OSError as error:
                _log().error("journal_failed", error=str(error))
            else:
                return journalled
        await direct.start()
        return direct

    def _kept(self, intent: Intent) -> Intent:
        """An intent with what is kept of the request's body."""
        if intent.request_body is None:
            return intent
        return structs.replace(intent, request_body=self._bodies.keep(intent.request_body))

    def _kept_answer(self, settlement: Settlement) -> Settlement:
        """A settlement with what is kept of the answer's body."""
        if settlement.answer_body is None:
            return settlement
        return structs.replace(settlement, answer_body=self._bodies.keep(settlement.answer_body))

    def _refused(self, id: str) -> Settlement:
        """The settlement of a completion that is refused after all."""
        now = int(self._clock.now() * 1e6)
        return Settlement(id, Status.FAILED, now, error_reason="overloaded", cost_micros=0)

    async def _look_after(self) -> None:
        """Says again and again that this worker lives, and looks for others that do not."""
        while True:
            await asyncio.sleep(self._settings.lease_s / 4)
            try:
                await self._recovery.beat()
                recovered = await self._look()
                if recovered is not None:
                    self._on_recovered(recovered)
            except (StorageError, OSError) as error:
                _log().warning("ledger_beat_failed", error=str(error))

    async def _look(self) -> int | None:
        """How many completions are interrupted now; None: nobody died."""
        async with self._taking:
            left = await self._take_left()
            recovered = await self._recovery.recover()
        if recovered:
            _log().warning("completions_interrupted", count=recovered)
        return 0 if left and recovered is None else recovered

    async def _take_left(self) -> bool:
        """Brings in the spools of dead workers, if there are any."""
        async with hold_left(self._spool_dir) as found:
            for left in found:
                while not left.empty:
                    await left.deliver(self._delivery)
            return bool(found)

    async def _leave(self) -> None:
        try:
            await self._recovery.leave()
        except StorageError as error:
            _log().warning("ledger_beat_failed", error=str(error))


def _log() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.get_logger("trunkline.ledger")
    return log
