"""Token quotas: how much there may be; what was used is counted elsewhere."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, RowMapping
from sqlalchemy.exc import IntegrityError

from server.errors import GatewayError, invalid_request
from server.storage.connection import AsyncConnection
from server.storage.tables import QUOTAS
from server.tenancy.limit_rows import read_quota, write_quota
from server.tenancy.records import Quota
from server.tenancy.rows import Rows
from server.tenancy.subjects import Subject, check_limiter, check_subject, tenant_of, within
from server.tenancy.who import Who, new_id, taken


class Quotas(Rows[Quota]):
    """The quotas."""

    collection = "quotas"
    table = QUOTAS

    async def create(self, who: Who, subject: Subject, token_limit: int, period: str) -> Quota:
        """Makes one.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND or INSUFFICIENT_PERMISSIONS for the subject; ALREADY_EXISTS where it has one of
                this period; OVERLOADED when the database fails.
        """
        now = self._now()
        quota = Quota(new_id(self.collection), subject.scope, subject.id, token_limit, period, now, now)
        try:
            async with self._changing() as connection:
                await check_subject(connection, who, subject)
                await self._create(connection, who, quota)
        except IntegrityError:
            raise taken(subject.name, f"`{subject.name}` has a {period} quota already.") from None
        return quota

    def _read(self, row: RowMapping) -> Quota:
        return read_quota(row)

    def _write(self, record: Quota) -> dict[str, object]:
        return write_quota(record)

    def _visible(self, who: Who) -> Sequence[ColumnElement[bool]]:
        return [within(QUOTAS, who.tenant_id)] if who.tenant_id else []

    async def _tenant_of(self, connection: AsyncConnection, record: Quota) -> str:
        return await tenant_of(connection, Subject(record.scope, record.scope_id)) or ""

    def _check_change(self, who: Who, record: Quota, changes: Mapping[str, object]) -> None:
        check_limiter(who, Subject(record.scope, record.scope_id))

    def _needed(self) -> GatewayError:
        return invalid_request("The quota is needed.", "name")
