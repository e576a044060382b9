"""Limits that a gateway would not hold to: how that is told, and those that it could not count, as it has no ledger."""

from sqlalchemy import func, select, true

from server.config.schema import Settings
from server.errors import GatewayError
from server.storage.database import Database
from server.storage.tables import BUDGETS, QUOTAS
from trunkline.v1.error_reason_pb2 import ErrorReason


class UnheldLimitsError(Exception):
    """A gateway is not to start, as it would not hold to limits. Its text says why, and what to do."""


async def check_ledger(settings: Settings, database: Database) -> None:
    """Makes sure at the start that what is limited is written down; else each start would count it from nothing.

    Raises:
        UnheldLimitsError: it is not.
        StorageError: the database failed.
    """
    if not settings.ledger.enabled and await count_enforced(database):
        raise UnheldLimitsError(_fault("enable it, or delete those in the database first"))


def require_ledger(settings: Settings) -> None:
    """Refuses a quota or a budget of which each start would count from nothing what was used.

    Raises:
        GatewayError: LEDGER_DISABLED.
    """
    if not settings.ledger.enabled:
        raise GatewayError(ErrorReason.ERROR_REASON_LEDGER_DISABLED, _fault("enable it"))


async def count_enforced(database: Database) -> int:
    """How many quotas and budgets hold somebody up; budgets that are only tracked do not.

    Raises:
        StorageError: the database failed.
    """
    enforced = ((QUOTAS, true()), (BUDGETS, BUDGETS.c.enforced))
    async with database.read() as connection:
        counts = [await connection.scalar(select(func.count()).select_from(table).where(which)) for table, which in enforced]
    return sum(count or 0 for count in counts)


def _fault(way: str) -> str:
    return f"Quotas and budgets are counted from the ledger, and there is none (`ledger.enabled: false`): {way}."
