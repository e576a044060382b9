"""Rows that wait while the database takes none: in the spool, and where the disk fails too, in memory."""

import asyncio
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import structlog

from server.ledger.delivery import Delivery
from server.ledger.lines import LineError
from server.ledger.record import Batch
from server.ledger.spool import Spool, SpoolError
from server.storage.errors import StorageError

_ROWS = 500
"""So many are read, and written in one transaction."""

_PASSED_OVER = "a gateway passes over them when it starts"


class Backlog:
    """This worker's waiting rows, in order.

    What cannot be refused any more, as it was done already, is kept in memory where the spool takes it not.

    Args:
        spool: the file.
    """

    def __init__(self, spool: Spool) -> None:
        self.rows = 0
        """How many rows it took that have not arrived; those of a worker that is no more are not counted."""
        self._spool = spool
        self._kept: deque[Batch] = deque()
        self._turn = asyncio.Lock()

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._spool.path

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._spool.empty and not self._kept

    async def add(self, batch: Batch) -> bool:
        """Takes rows; False: it cannot, and has none of them."""
        async with self._turn:
            try:
                await asyncio.to_thread(self._spool.append, batch)
            except SpoolError as error:
                structlog.get_logger("trunkline.ledger").error("spool_failed", error=str(error), rows=len(batch))
                return False
            self.rows += len(batch)
        return True

    async def keep(self, batch: Batch) -> None:
        """Takes rows whatever happens."""
        if len(batch) and not await self.add(batch):
            self._kept.append(batch)
            self.rows += len(batch)

    async def deliver(self, delivery: Delivery, whole: bool = False) -> Sequence[str]:
        """Writes the oldest rows to the database.

        Args:
            delivery: brings them there.
            whole: whether lines that are damaged, and rows that can never be written, are an error; else they are passed
                over, with a line in the log.

        Returns:
            The ids of the completions that they are of.

        Raises:
            StorageError: the database failed, or see `whole`; the rows are still here.
            OSError: the disk failed.
        """
        if self._spool.empty:
            if self._kept:
                await delivery.write(self._kept[0])
                self._arrived(len(self._kept.popleft()))
            return []
        try:
            async with self._turn:  # else it may read what the disk does not take after all
                read = await asyncio.to_thread(self._spool.read, _ROWS)
        except LineError as error:
            raise StorageError(f"{self.path}: {error}") from error
        if read.damaged and whole:
            raise StorageError(f"{self.path} has damaged lines ({read.damaged}); {_PASSED_OVER}")
        if read.damaged:
            structlog.get_logger("trunkline.ledger").error("spool_damaged", lines=read.damaged)
        wrong = await delivery.write(read.batch) if len(read.batch) else []
        if wrong and whole:
            raise StorageError(f"{self.path} has rows that cannot be written ({len(wrong)}): {wrong[0][1]}; {_PASSED_OVER}")
        async with self._turn:
            self._spool.forget(read.end)
            self._arrived(len(read.batch) + read.damaged)
        return read.batch.ids()

    def _arrived(self, rows: int) -> None:
        self.rows = 0 if self.empty else max(0, self.rows - rows)

    async def close(self) -> None:
        """Lets go of the file; what is in it arrives when another worker finds it."""
        while self._kept:
            batch = self._kept.popleft()
            if not await self.add(batch):
                structlog.get_logger("trunkline.ledger").critical("ledger_rows_lost", ids=batch.ids())
        await asyncio.to_thread(self._spool.close)
