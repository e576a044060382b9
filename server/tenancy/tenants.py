"""Tenants."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from sqlalchemy import ColumnElement, RowMapping, select
from sqlalchemy.exc import IntegrityError

from server.errors import GatewayError, invalid_request
from server.storage.connection import AsyncConnection
from server.storage.tables import TENANTS, USERS
from server.tenancy.records import Tenant
from server.tenancy.rows import Rows
from server.tenancy.subjects import drop_limits
from server.tenancy.who import Who, check_id, for_operators, new_id, taken


class Tenants(Rows[Tenant]):
    """The tenants."""

    collection = "tenants"
    table = TENANTS

    async def create(self, who: Who, display_name: str, id_: str = "", enabled: bool = True) -> Tenant:
        """Makes one.

        Args:
            who: who does it; nobody who belongs to a tenant.
            display_name: empty: its id.
            id_: empty: one is made.
            enabled: whether its keys are let in.

        Raises:
            GatewayError: INSUFFICIENT_PERMISSIONS; INVALID_REQUEST; ALREADY_EXISTS; OVERLOADED when the database fails.
        """
        if not who.operator:
            raise for_operators("Creating a tenant")
        if id_:
            check_id(id_, "tenant_id")
        id_ = id_ or new_id(self.collection)
        now = self._now()
        tenant = Tenant(id_, display_name or id_, enabled, now, now)
        try:
            async with self._changing() as connection:
                await self._create(connection, who, tenant)
        except IntegrityError:
            raise taken(f"tenants/{id_}", f"There is a tenant `{id_}` already.") from None
        return tenant

    def _read(self, row: RowMapping) -> Tenant:
        return Tenant(**cast(dict[str, Any], dict(row)))

    def _write(self, record: Tenant) -> dict[str, object]:
        return asdict(record)

    def _visible(self, who: Who) -> Sequence[ColumnElement[bool]]:
        return [TENANTS.c.id == who.tenant_id] if who.tenant_id else []

    async def _tenant_of(self, connection: AsyncConnection, record: Tenant) -> str:
        return record.id

    def _check_change(self, who: Who, record: Tenant, changes: Mapping[str, object]) -> None:
        if not who.operator and (not changes or "enabled" in changes):
            raise for_operators("Deleting, enabling or disabling a tenant")

    async def _empty(self, connection: AsyncConnection, who: Who, record: Tenant) -> None:
        users = await connection.execute(select(USERS.c.id).where(USERS.c.tenant_id == record.id).limit(1))
        if users.first() is not None:
            raise self._needed()
        await drop_limits(connection, who, self._now(), "tenant", record.id, record.id)

    def _needed(self) -> GatewayError:
        return invalid_request("The tenant has users; delete them first, or disable it.", "name")
