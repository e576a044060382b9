"""Keeps the rows of quotas and budgets at hand, and seeds their counters from the rows of completions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from server.catalogue.own_names import OwnNames
from server.clock import Clock
from server.limits.allowances import Allowance, Allowances, Due
from server.limits.budgets import load_budgets
from server.limits.counters import Counters, CountersError
from server.limits.quotas import load_quotas
from server.limits.request import MODEL
from server.limits.spent import sum_rows
from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.looking import LOOK_AGAIN_S, ChangingRows
from server.storage.tables import BUDGETS, QUOTAS

_PATIENCE_S = 1.0
_LONGEST_DOUBT_S = 60.0
_MICROS = 1_000_000
_TIMES = QUOTAS.c.update_time, BUDGETS.c.update_time


async def nothing_waits() -> None:
    """Does nothing: the rows are all there."""


class Book:
    """The allowances in force.

    Args:
        database: has the rows; None: there are none.
        counters: what counts them.
        clock: tells the time.
        flush: has what was told of completions put into their rows, which is before these are summed.
        models: knows which names are one model.
    """

    def __init__(
        self,
        database: Database | None,
        counters: Counters,
        clock: Clock,
        flush: Callable[[], Awaitable[None]],
        models: OwnNames,
    ) -> None:
        self.allowances = Allowances((), models)
        """Replaced whole when rows change."""
        self._database = database
        self._counters = counters
        self._clock = clock
        self._flush = flush
        self._models = models
        self._rows = None if database is None else ChangingRows(database, _TIMES, _load, self._put_in_force)
        self._known: frozenset[Allowance] | None = None
        self.stale: set[str] = set()
        """The counters in doubt, to be dropped."""
        self._doubted: set[str] = set()
        self._doubted_since = 0.0
        self._failed_until = 0.0
        self._seeds: dict[str, asyncio.Task[bool]] = {}
        self._log = structlog.get_logger("trunkline.limits")

    async def refresh(self, timeout_s: float | None = _PATIENCE_S) -> None:
        """Reads the rows if they changed.

        Args:
            timeout_s: how long the reading may take, once the one before it is over; None: as long as any.

        Raises:
            StorageError: the database failed; what was read before stays in force.
        """
        if self._rows is not None:
            await self._rows.refresh(timeout_s)

    def _put_in_force(self, rows: frozenset[Allowance]) -> None:
        allowances = Allowances(rows, self._models)
        if self._known is not None:
            # What runs now was not counted for new rows, and may end before this process knows them.
            known = {(each.unit, each.id) for each in self._known}
            dues = allowances.dues(round(self._clock.now() * _MICROS))
            self.doubt([due.key for due in dues if (due.allowance.unit, due.allowance.id) not in known])
        self.allowances, self._known = allowances, rows

    def forget(self, keys: Sequence[str]) -> None:
        """Lets counters be seeded again whose value is in doubt."""
        self.stale.update(keys)

    def doubt(self, keys: Sequence[str]) -> None:
        """Lets counters be seeded again as soon as nothing is under way that the rows may or may not have yet."""
        if keys and not self._doubted:
            self._doubted_since = self._clock.monotonic()
        self._doubted.update(keys)

    def end_doubts(self, under_way: int) -> None:
        """Does so, if nothing is under way, or something has been all the time for long."""
        if self._doubted and (not under_way or self._clock.monotonic() - self._doubted_since > _LONGEST_DOUBT_S):
            self.stale |= self._doubted
            self._doubted = set()

    async def drop_stale(self) -> None:
        """Drops the counters in doubt.

        Raises:
            CountersError: they are out of reach.
        """
        while self.stale:
            keys, self.stale = self.stale, set()
            try:
                await self._counters.drop(sorted(keys))
            except BaseException:
                self.stale |= keys
                raise

    async def seed(self, due: Due, mark: int) -> None:
        """Sets a counter from the rows; callers of one moment share one reading.

        Raises:
            CountersError: the counters, or the rows, are out of reach.
        """
        task = self._seeds.get(due.key)
        if task is None:
            task = self._seeds[due.key] = asyncio.ensure_future(self._seed(due, mark))
            task.add_done_callback(lambda task: self._seeded(due.key, task))
        await asyncio.shield(task)

    async def close(self) -> None:
        """Ends what is under way."""
        seeds = list(self._seeds.values())
        for task in seeds:
            task.cancel()
        await asyncio.gather(*seeds, return_exceptions=True)

    def _seeded(self, key: str, task: "asyncio.Task[bool]") -> None:
        self._seeds.pop(key, None)
        if not task.cancelled():
            task.exception()  # everybody who asked may have left

    async def _seed(self, due: Due, mark: int) -> bool:
        if self._database is None or self._clock.monotonic() < self._failed_until:
            raise CountersError("the rows cannot be read")
        models = self._models.all(due.allowance.scope_id) if due.allowance.scope == MODEL else ()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._flush()
            async with self._database.read(_PATIENCE_S) as connection:
                sums = await sum_rows(connection, due, models)
        except (StorageError, TimeoutError) as error:
            self._failed_until = self._clock.monotonic() + LOOK_AGAIN_S
            self._log.warning("limits not seeded", error=str(error))
            raise CountersError("the rows cannot be read") from error
        expires_s = due.expires_s(round(self._clock.now() * _MICROS))
        return await self._counters.seed(due.key, sums.value, sums.settled, mark, expires_s)


async def _load(connection: AsyncConnection) -> frozenset[Allowance]:
    return frozenset([*await load_quotas(connection), *await load_budgets(connection)])
