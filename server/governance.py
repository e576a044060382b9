"""What counts, limits, prices and writes down completions, with one life: from a database's opening to its closing."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from importlib import import_module
from pathlib import Path
from typing import Self, cast

import structlog

from server.alerts.troubles import RemoteCounters, Troubles
from server.catalogue.own_names import OwnNames
from server.clock import Clock
from server.config import Settings
from server.config.provider_settings import ProviderSettings
from server.config.schema import RedisSettings
from server.dispatch.accounts import Accounts
from server.dispatch.books import Books
from server.dispatch.standing import TargetStates
from server.ledger.ledger import Ledger
from server.ledger.left import FOLDER_NAME
from server.ledger.price_rows import PriceRows
from server.ledger.prices import Prices
from server.ledger.retention import Retention, RetentionSettings
from server.ledger.settings import LedgerSettings
from server.limits.book import nothing_waits
from server.limits.choice import build_counters
from server.limits.limits import Limits
from server.limits.shared import Sharing
from server.limits.unheld import check_ledger
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.looking import keep_looking
from server.worker import find_worker_id

_SWEEP_S = 3600.0
_MB = 1024 * 1024
_Share = Callable[[RedisSettings, TargetStates, Clock], Coroutine[object, object, None]]


class Governance:
    """Limits, ledger, prices, and what runs beside them. `start` makes it, `close` ends it, in one and the same loop.

    Attributes:
        limits: what callers may use.
        accounts: opens an account for each completion.
        prices: those that were set.
        sharing: whether limits are counted by all together.
    """

    def __init__(
        self, limits: Limits, ledger: Ledger | None, accounts: Accounts, prices: PriceRows, sharing: Sharing
    ) -> None:
        self.limits = limits
        self.accounts = accounts
        self.prices = prices
        self.sharing = sharing
        self._ledger = ledger
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls,
        settings: Settings,
        database: Database,
        data_dir: Path,
        states: TargetStates,
        clock: Clock,
        redact: Callable[[str], str],
        troubles: Troubles,
        prices: Prices,
        lasting: bool = True,
    ) -> Self:
        """Recovers what a dead process left, counts what was used, and begins.

        Args:
            settings: the configuration.
            database: where rows are.
            data_dir: where rows wait: for the next transaction, or while the database fails.
            states: the targets' records, whose breakers are shared where there is a Redis.
            clock: tells the time.
            redact: takes secrets out of a text.
            troubles: is told what fails.
            prices: is told those that were set.
            lasting: whether `data_dir` is there at the next start.

        Raises:
            UnheldLimitsError: there are limits, and no ledger, or several processes and nothing to share them by.
            StorageError: the database failed.
        """
        await check_ledger(settings, database)
        sharing = await Sharing.begin(settings, database, troubles.sharing_teller())
        redis, storage = settings.redis, settings.storage
        fail_open = redis is None or redis.on_failure == "fail_open"
        counters = build_counters(redis, clock)
        ledger: Ledger | None = None
        if settings.ledger.enabled:
            ledger_settings = LedgerSettings(on_failure=storage.on_failure)
            tell = troubles.ledger_teller(storage.on_failure)

            def on_trouble(troubled: bool) -> None:
                tell(troubled)
                if not troubled:  # what was summed meanwhile lacked the rows that waited
                    limits.recount()

            ledger = Ledger(
                database,
                clock,
                find_worker_id(),
                data_dir / FOLDER_NAME,
                ledger_settings,
                redact,
                on_trouble=on_trouble,
                on_recovered=lambda _: limits.recount(),
                alone=lasting and redis is None and settings.server.workers == 1,
            )
            troubles.follow_ledger(ledger)
        flush = nothing_waits if ledger is None else ledger.flush
        models = OwnNames(_enabled(settings.providers), settings.routing.aliases)
        limits = Limits(settings.rate_limit, counters, database, clock, fail_open, flush, models)
        troubles.follow_budgets(limits)
        accounts = Accounts(Books(limits, ledger, prices, clock, settings.logging.store_bodies))
        governance = cls(limits, ledger, accounts, PriceRows(database, prices), sharing)
        try:
            recovered = None if ledger is None else await ledger.recover()
            await limits.start()
            await governance.prices.refresh(None)
            if recovered is not None:
                limits.recount()
        except BaseException:
            await governance.close()
            raise
        looks: dict[str, Callable[[], Awaitable[None]]] = {
            "limits": limits.refresh,
            "prices": governance.prices.refresh,
            "other gateways": lambda: sharing.refresh(limited=not limits.idle),
        }
        governance._begin(keep_looking(looks))
        governance._begin(asyncio.to_thread(prices.load, _enabled(settings.providers)))
        if ledger is not None:
            governance._begin(_forget(Retention(database, clock, _retention(settings)), ledger))
        if redis is not None:
            remote = cast(RemoteCounters, counters)
            governance._begin(troubles.watch_redis(remote, limits.look_at_counters, redis.on_failure))
            # The client of Redis is large, so what needs it is loaded only where there is one.
            share = cast(_Share, import_module("server.dispatch.shared_breakers").share_breakers)
            governance._begin(share(redis, states, clock))
        return governance

    async def flush(self) -> None:
        """Returns when the database has all that was written down before, or fails. For those who are about to read it."""
        if self._ledger is not None:
            await self._ledger.flush()

    async def close(self) -> None:
        """Ends all of it; what is open is written first."""
        await self.accounts.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        counted = await self.limits.close()
        if self._ledger is not None:
            await self._ledger.close(leaves=counted)
        await self.sharing.close()

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))


def _enabled(providers: Sequence[ProviderSettings]) -> list[ProviderSettings]:
    return [row for row in providers if row.enabled]


def _retention(settings: Settings) -> RetentionSettings:
    storage = settings.storage
    max_bytes = None if storage.max_size_mb is None else int(storage.max_size_mb * _MB)
    return RetentionSettings(storage.retention_days, storage.body_retention_days, max_bytes)


async def _forget(retention: Retention, ledger: Ledger) -> None:
    """Forgets what is too old or too much, every hour."""
    while True:
        try:
            await ledger.flush()
            forgotten = await retention.sweep()
            if forgotten.completions or forgotten.bodies:
                log = structlog.get_logger("trunkline.ledger")
                log.info("forgotten", completions=forgotten.completions, bodies=forgotten.bodies)
        except StorageError as error:
            structlog.get_logger("trunkline.ledger").warning("retention_failed", error=str(error))
        await asyncio.sleep(_SWEEP_S)
