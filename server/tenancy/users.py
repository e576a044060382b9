"""Users of tenants."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from sqlalchemy import ColumnElement, RowMapping, select
from sqlalchemy.exc import IntegrityError

from server.errors import GatewayError, invalid_request
from server.storage.connection import AsyncConnection
from server.storage.tables import API_KEYS, TENANTS, USERS
from server.tenancy.records import User
from server.tenancy.rows import Rows
from server.tenancy.subjects import drop_limits, kept
from server.tenancy.who import Who, check_id, new_id, not_found, taken


class Users(Rows[User]):
    """The users."""

    collection = "users"
    table = USERS

    async def create(self, who: Who, tenant_id: str, display_name: str, id_: str = "", enabled: bool = True) -> User:
        """Makes one.

        Args:
            who: who does it.
            tenant_id: whose it is to be.
            display_name: empty: its id.
            id_: empty: one is made. Only those who belong to no tenant choose: others would learn what is taken elsewhere.
            enabled: whether its keys are let in.

        Raises:
            GatewayError: INVALID_REQUEST; RESOURCE_NOT_FOUND for the tenant; ALREADY_EXISTS; OVERLOADED when the database
                fails.
        """
        if id_:
            check_id(id_, "user_id")
            if not who.operator:
                raise invalid_request("`user_id` is for keys that belong to no tenant.", "user_id")
        id_ = id_ or new_id(self.collection)
        now = self._now()
        user = User(id_, tenant_id, display_name or id_, enabled, now, now)
        if who.tenant_id and who.tenant_id != tenant_id:
            raise not_found("tenants", tenant_id)
        try:
            async with self._changing() as connection:
                tenant = await connection.execute(kept(select(TENANTS.c.id).where(TENANTS.c.id == tenant_id)))
                if tenant.first() is None:
                    raise not_found("tenants", tenant_id)
                await self._create(connection, who, user)
        except IntegrityError:
            raise taken(f"users/{id_}", f"There is a user `{id_}` already.") from None
        return user

    def _read(self, row: RowMapping) -> User:
        return User(**cast(dict[str, Any], dict(row)))

    def _write(self, record: User) -> dict[str, object]:
        return asdict(record)

    def _visible(self, who: Who) -> Sequence[ColumnElement[bool]]:
        return [USERS.c.tenant_id == who.tenant_id] if who.tenant_id else []

    async def _tenant_of(self, connection: AsyncConnection, record: User) -> str:
        return record.tenant_id

    async def _empty(self, connection: AsyncConnection, who: Who, record: User) -> None:
        keys = await connection.execute(select(API_KEYS.c.id).where(API_KEYS.c.user_id == record.id).limit(1))
        if keys.first() is not None:
            raise self._needed()
        await drop_limits(connection, who, self._now(), "user", record.id, record.tenant_id)

    def _needed(self) -> GatewayError:
        return invalid_request("The user has keys; delete them first, or disable the user.", "name")
