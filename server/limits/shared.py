"""Whether all who count against the same limits count together: they need counters that they share, unless they are one."""

import asyncio
import time
from collections.abc import Callable
from typing import Self

from server.config.schema import Settings
from server.errors import GatewayError
from server.limits.unheld import UnheldLimitsError, count_enforced
from server.storage.database import Database
from server.storage.neighbours import Neighbours
from trunkline.v1.error_reason_pb2 import ErrorReason

_PATIENCE_S = 3.0
_LOOK_AGAIN_S = 0.1


class Sharing:
    """Sees to it that limits are not counted apart. Without a Redis, `workers` and `others` tell whether they would be.

    Args:
        settings: the configuration; `server.workers` is how many processes it asks for.
        neighbours: other gateways on the database; None: they need not be known.
        on_trouble: told when limits begin to be counted apart (True), and when that ends (False).
    """

    def __init__(self, settings: Settings, neighbours: Neighbours | None, on_trouble: Callable[[bool], None]) -> None:
        self._settings = settings
        self._neighbours = neighbours
        self._on_trouble = on_trouble
        self._others = False
        self._troubled = False

    @classmethod
    async def begin(cls, settings: Settings, database: Database, on_trouble: Callable[[bool], None]) -> Self:
        """Makes this gateway known to the others on its database, where they have no Redis to share, and checks.

        Raises:
            UnheldLimitsError: see `check`.
            StorageError: the database failed.
        """
        made = cls(settings, None if settings.redis is not None else await database.find_neighbours(), on_trouble)
        try:
            await made.check(database)
        except BaseException:
            await made.close()
            raise
        return made

    async def check(self, database: Database) -> None:
        """Makes sure at the start that nothing would be counted apart. A gateway that just ends is waited for.

        Args:
            database: has the quotas and budgets; those that are only tracked hold up nobody.

        Raises:
            UnheldLimitsError: something would.
            StorageError: the database failed.
        """
        await self._look()
        if not self._others and self._settings.server.workers < 2:
            return
        rows, patient_until = await count_enforced(database), time.monotonic() + _PATIENCE_S
        while (fault := self._fault(rows)) is not None:
            if not self._others or time.monotonic() > patient_until:
                raise UnheldLimitsError(fault)
            await asyncio.sleep(_LOOK_AGAIN_S)
            await self._look()

    async def refresh(self, limited: bool) -> None:
        """Looks again: another gateway may have begun with a configuration of its own, or somebody set a limit there.

        Args:
            limited: whether there are quotas or budgets in force.

        Raises:
            StorageError: the database failed.
        """
        await self._look()
        troubled = self._others and self._fault(int(limited)) is not None
        if troubled != self._troubled:
            self._troubled = troubled
            self._on_trouble(troubled)

    def require(self) -> None:
        """Refuses a quota or an enforced budget that would be counted apart.

        Raises:
            GatewayError: LIMITS_NOT_SHARED.
        """
        fault = self._fault(rows=1)
        if fault is not None:
            workers = {"workers": str(self._settings.server.workers)}
            raise GatewayError(ErrorReason.ERROR_REASON_LIMITS_NOT_SHARED, fault, workers)

    async def close(self) -> None:
        """Makes this gateway unknown again."""
        if self._neighbours is not None:
            await self._neighbours.close()

    async def _look(self) -> None:
        """Looks for other gateways. Where this one is several processes, these are a reason of their own."""
        if self._neighbours is not None and self._settings.server.workers < 2:
            self._others = await self._neighbours.others()

    def _fault(self, rows: int) -> str | None:
        return find_unshared(self._settings, self._settings.server.workers, rows, self._others)


def find_unshared(settings: Settings, workers: int, rows: int = 0, others: bool = False) -> str | None:
    """Tells what would be limited by each process alone.

    Args:
        settings: the configuration.
        workers: how many processes are to run.
        rows: how many quotas and budgets there are.
        others: whether other gateways use the same database.

    Returns:
        A sentence for whoever starts the gateway; None: all is well.
    """
    if (workers < 2 and not others) or settings.redis is not None:
        return None
    limited = [f"providers.{row.name}.rate_limit" for row in settings.providers if row.enabled and row.rate_limit]
    if settings.rate_limit is not None and settings.rate_limit.enabled:
        limited.insert(0, "rate_limit")
    if rows:
        limited.append("quotas and budgets in the database")
    if not limited:
        return None
    several, way = f"{workers} workers", "set `redis.url`, or start one worker"
    if others:
        several, way = "Several gateways on one database", "set `redis.url` in each, or run one of them"
    return f"{several} cannot hold to limits together without Redis ({', '.join(limited)}): {way}."
