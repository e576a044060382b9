"""Whether a configuration may do without counters that processes share."""

from sqlalchemy import func, select, true

from server.config.schema import Settings
from server.errors import GatewayError
from server.storage.database import Database
from server.storage.tables import BUDGETS, QUOTAS
from trunkline.v1.error_reason_pb2 import ErrorReason


class UnsharedLimitsError(Exception):
    """Several processes are to hold to limits that each of them would count by itself. Its text says what to do."""


async def check_shared(settings: Settings, database: Database) -> None:
    """Makes sure that all the processes that are to run count together.

    Args:
        settings: the configuration; `server.workers` is how many there are.
        database: has the quotas and budgets; those that are only tracked hold up nobody.

    Raises:
        UnsharedLimitsError: they would not.
        StorageError: the database failed.
    """
    if settings.server.workers < 2 or settings.redis is not None:
        return
    enforced = ((QUOTAS, true()), (BUDGETS, BUDGETS.c.enforced))
    async with database.read() as connection:
        counts = [await connection.scalar(select(func.count()).select_from(table).where(which)) for table, which in enforced]
    fault = find_unshared(settings, settings.server.workers, sum(count or 0 for count in counts))
    if fault is not None:
        raise UnsharedLimitsError(fault)


def require_shared(settings: Settings) -> None:
    """Refuses a quota or an enforced budget that the processes that run could not hold to together.

    Args:
        settings: the configuration in force; `server.workers` is how many processes there are.

    Raises:
        GatewayError: LIMITS_NOT_SHARED.
    """
    workers = settings.server.workers
    fault = find_unshared(settings, workers, rows=1)
    if fault is not None:
        raise GatewayError(ErrorReason.ERROR_REASON_LIMITS_NOT_SHARED, fault, {"workers": str(workers)})


def find_unshared(settings: Settings, workers: int, rows: int = 0) -> str | None:
    """Tells what would be limited by each process alone, though several are to run.

    Args:
        settings: the configuration.
        workers: how many processes are to run.
        rows: how many quotas and budgets there are.

    Returns:
        A sentence for whoever starts the gateway; None: all is well.
    """
    if workers < 2 or settings.redis is not None:
        return None
    limited = [f"providers.{row.name}.rate_limit" for row in settings.providers if row.enabled and row.rate_limit]
    if settings.rate_limit is not None and settings.rate_limit.enabled:
        limited.insert(0, "rate_limit")
    if rows:
        limited.append("quotas and budgets in the database")
    if not limited:
        return None
    return (
        f"{workers} workers cannot hold to limits together without Redis ({', '.join(limited)}): "
        "set `redis.url`, or start one worker."
    )
