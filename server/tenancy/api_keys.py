"""API keys: made, changed, rotated. The key itself leaves this file once; what stays is its SHA-256.

A rotation puts the new key's digest in the place of the old one's, so that the name, and all that is counted under it,
stays. The old digest gets a row of its own, which points to the first and says until when it counts.
"""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, cast

import orjson
from sqlalchemy import ColumnElement, RowMapping, delete, insert, select, update

from server.errors import GatewayError, invalid_request
from server.storage.connection import AsyncConnection
from server.storage.tables import API_KEYS, USERS
from server.tenancy.records import ApiKey, FormerKey
from server.tenancy.rows import Rows
from server.tenancy.subjects import drop_limits, kept
from server.tenancy.who import Who, new_id, not_found

_PREFIX_LENGTH = 12
_LISTS = ("permissions", "allowed_models", "allowed_providers")
_NOT_IN_RECORDS = ("digest", "replaced_by")
_NOT_WRITTEN = ("former_keys", "last_use_time")


class ApiKeys(Rows[ApiKey]):
    """The keys; those that were rotated are told with the ones that replaced them."""

    collection = "api_keys"
    table = API_KEYS

    async def create(
        self,
        who: Who,
        user_id: str,
        display_name: str,
        permissions: tuple[str, ...],
        allowed_models: tuple[str, ...] = (),
        allowed_providers: tuple[str, ...] = (),
        enabled: bool = True,
        expire_time: int | None = None,
    ) -> tuple[ApiKey, str]:
        """Makes one.

        Args:
            who: who does it.
            user_id: whose it is to be.
            display_name: empty: its id.
            permissions: what it may do.
            allowed_models: patterns; empty: all.
            allowed_providers: likewise.
            enabled: whether it is let in.
            expire_time: when it ends; None: never.

        Returns:
            What is known of it, and the key itself, which nobody can be told again.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND for the user; OVERLOADED when the database fails.
        """
        plain = _new_key()
        now, id_ = self._now(), new_id("keys")
        async with self._changing() as connection:
            user = select(USERS.c.tenant_id).where(USERS.c.id == user_id)
            if who.tenant_id:
                user = user.where(USERS.c.tenant_id == who.tenant_id)
            tenant_id: str | None = (await connection.execute(kept(user))).scalar()
            if tenant_id is None:
                raise not_found("users", user_id)
            key = ApiKey(
                id_,
                tenant_id,
                user_id,
                display_name or id_,
                plain[:_PREFIX_LENGTH],
                permissions,
                allowed_models,
                allowed_providers,
                enabled,
                expire_time,
                now,
                now,
            )
            await self._create(connection, who, key, digest=_digest(plain))
        return key, plain

    async def rotate(self, who: Who, id_: str, overlap: int) -> tuple[ApiKey, str]:
        """Replaces a key by a new one of the same name.

        Args:
            who: who does it.
            id_: which.
            overlap: how long the old one is let in beside the new one, in microseconds.

        Returns:
            As `create`.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND; OVERLOADED when the database fails.
        """
        plain = _new_key()
        async with self._changing() as connection:
            before = await self._get(connection, who, id_, to_change=True)
            now = self._now()
            end = now + overlap if before.expire_time is None else min(now + overlap, before.expire_time)
            digest = (await connection.execute(select(API_KEYS.c.digest).where(API_KEYS.c.id == id_))).scalar_one()
            new = replace(before, prefix=plain[:_PREFIX_LENGTH], update_time=now)
            await connection.execute(
                update(API_KEYS).where(API_KEYS.c.id == id_).values(**self._write(new), digest=_digest(plain))
            )
            over = (API_KEYS.c.replaced_by == id_, API_KEYS.c.expire_time <= now)
            await connection.execute(delete(API_KEYS).where(*over))
            if end > now:
                former = replace(before, id=new_id("keys"), expire_time=end)
                row = {**self._write(former), "digest": digest, "replaced_by": id_}
                await connection.execute(insert(API_KEYS), [row])
            after = (await self._complete(connection, [new]))[0]
            await self._audit(connection, who, before, after)
        return after, plain

    def _read(self, row: RowMapping) -> ApiKey:
        values = {name: value for name, value in row.items() if name not in _NOT_IN_RECORDS}
        lists = {name: tuple(orjson.loads(cast(str, values[name]))) for name in _LISTS}
        return ApiKey(**cast(dict[str, Any], values | lists))

    def _write(self, record: ApiKey) -> dict[str, object]:
        values = {name: value for name, value in asdict(record).items() if name not in _NOT_WRITTEN}
        return values | {name: orjson.dumps(values[name]).decode() for name in _LISTS}

    def _visible(self, who: Who) -> Sequence[ColumnElement[bool]]:
        own = [API_KEYS.c.tenant_id == who.tenant_id] if who.tenant_id else []
        return [API_KEYS.c.replaced_by.is_(None), *own]

    async def _tenant_of(self, connection: AsyncConnection, record: ApiKey) -> str:
        return record.tenant_id

    async def _complete(self, connection: AsyncConnection, records: list[ApiKey]) -> list[ApiKey]:
        columns = API_KEYS.c.replaced_by, API_KEYS.c.prefix, API_KEYS.c.expire_time
        query = select(*columns).where(
            API_KEYS.c.replaced_by.in_([record.id for record in records]), API_KEYS.c.expire_time > self._now()
        )
        former: dict[str, list[FormerKey]] = {record.id: [] for record in records}
        for id_, prefix, expire_time in (await connection.execute(query.order_by(API_KEYS.c.expire_time))).all():
            former[id_].append(FormerKey(prefix, expire_time))
        return [replace(record, former_keys=tuple(former[record.id])) for record in records]

    async def _empty(self, connection: AsyncConnection, who: Who, record: ApiKey) -> None:
        await connection.execute(delete(API_KEYS).where(API_KEYS.c.replaced_by == record.id))
        await drop_limits(connection, who, self._now(), "key", record.id, record.tenant_id)

    def _needed(self) -> GatewayError:
        return invalid_request("The key is needed.", "name")


def _new_key() -> str:
    return f"llm_{uuid.uuid4()}"


def _digest(plain: str) -> bytes:
    return hashlib.sha256(plain.encode()).digest()
