"""Brings batches to the database within a deadline."""

import asyncio
from collections.abc import Callable

import structlog

from server.ledger.record import Batch
from server.ledger.writer import RowError, Writer
from server.storage.errors import StorageError


class Delivery:
    """Writes, and does not wait for ever.

    Args:
        writer: writes.
        deadline_s: after which the database counts as failed.
        on_commit: told how many rows each transaction had.
    """

    def __init__(self, writer: Writer, deadline_s: float, on_commit: Callable[[int], None]) -> None:
        self._writer = writer
        self._deadline_s = deadline_s
        self._on_commit = on_commit
        self._late: set[asyncio.Future[None]] = set()

    async def commit(self, batch: Batch) -> None:
        """Writes a batch in one transaction.

        Raises:
            RowError: one of the rows can never be written; none is.
            StorageError: the database failed, or the deadline passed; the rows may be there, or may arrive.
        """
        done = self._writer.submit(batch)
        try:
            await asyncio.wait((done,), timeout=self._deadline_s)
        finally:  # whoever is cancelled meanwhile waits no more, either
            if not done.done():
                self._late.add(done)
            done.add_done_callback(self._arrived)
        if not done.done():
            raise StorageError(f"not written after {self._deadline_s:g} s")
        done.result()
        self._on_commit(len(batch))

    async def write(self, batch: Batch) -> list[tuple[Batch, RowError]]:
        """Writes a batch, without the rows that can never be.

        Returns:
            Those, each by itself, with what is wrong with it. They are logged.

        Raises:
            StorageError: as for `commit`.
        """
        try:
            await self.commit(batch)
        except RowError:
            pass
        else:
            return []
        wrong = []
        for single in batch.singles():
            try:
                await self.commit(single)
            except RowError as error:
                structlog.get_logger("trunkline.ledger").error("row_refused", ids=single.ids(), error=str(error))
                wrong.append((single, error))
        return wrong

    async def wait_for_late(self) -> None:
        """Ends once nothing is under way that was too late."""
        if self._late:
            await asyncio.wait(self._late)

    def _arrived(self, done: "asyncio.Future[None]") -> None:
        """Takes notice of how it ended, which perhaps nobody waits for any more."""
        self._late.discard(done)
        if not done.cancelled():
            done.exception()
