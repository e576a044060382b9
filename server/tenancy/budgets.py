"""Budgets: how much may be spent; what was spent is counted elsewhere."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, RowMapping

from server.errors import GatewayError, invalid_request
from server.storage.connection import AsyncConnection
from server.storage.tables import BUDGETS
from server.tenancy.limit_rows import read_budget, write_budget
from server.tenancy.records import Budget
from server.tenancy.rows import Rows
from server.tenancy.subjects import Subject, check_limiter, check_subject, tenant_of, within
from server.tenancy.who import Who, new_id

DEFAULT_THRESHOLDS = (50, 80, 100)


class Budgets(Rows[Budget]):
    """The budgets."""

    collection = "budgets"
    table = BUDGETS

    async def create(
        self,
        who: Who,
        subject: Subject,
        limit_micros: int,
        period: str,
        display_name: str = "",
        enforced: bool = True,
        thresholds: tuple[int, ...] = DEFAULT_THRESHOLDS,
    ) -> Budget:
        """Makes one.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND or INSUFFICIENT_PERMISSIONS for the subject; OVERLOADED when the database fails.
        """
        now, id_ = self._now(), new_id(self.collection)
        name, scope, scope_id = display_name or id_, subject.scope, subject.id
        budget = Budget(id_, name, scope, scope_id, limit_micros, period, enforced, thresholds, now, now)
        async with self._changing() as connection:
            await check_subject(connection, who, subject)
            await self._create(connection, who, budget)
        return budget

    def _read(self, row: RowMapping) -> Budget:
        return read_budget(row)

    def _write(self, record: Budget) -> dict[str, object]:
        return write_budget(record)

    def _visible(self, who: Who) -> Sequence[ColumnElement[bool]]:
        return [within(BUDGETS, who.tenant_id)] if who.tenant_id else []

    async def _tenant_of(self, connection: AsyncConnection, record: Budget) -> str:
        return await tenant_of(connection, Subject(record.scope, record.scope_id)) or ""

    def _check_change(self, who: Who, record: Budget, changes: Mapping[str, object]) -> None:
        check_limiter(who, Subject(record.scope, record.scope_id))

    def _needed(self) -> GatewayError:
        return invalid_request("The budget is needed.", "name")
