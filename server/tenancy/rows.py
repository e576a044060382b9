"""What tenants, users, keys, quotas, budgets and prices have in common: who may see their rows, and changes that are
audited."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar

from sqlalchemy import ColumnElement, RowMapping, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from server.clock import Clock
from server.errors import GatewayError
from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.tenancy.audit import write_audit
from server.tenancy.failing import failing
from server.tenancy.pages import Page, token_of
from server.tenancy.records import ApiKey, Budget, Price, Quota, Tenant, User
from server.tenancy.who import Who, not_found

R = TypeVar("R", Tenant, User, ApiKey, Quota, Budget, Price)
C = TypeVar("C", Tenant, User, ApiKey, Quota, Budget)


class FixedRows(ABC, Generic[R]):
    """One table's rows, which come and go and never change. Whoever belongs to a tenant sees and changes that tenant's;
    others are not there for them.

    Args:
        database: where they are.
        clock: tells when.
    """

    collection: ClassVar[str]
    """The first part of their names."""
    table: ClassVar[Table]

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, who: Who, id_: str) -> R:
        """One of them.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND; OVERLOADED when the database fails.
        """
        with failing():
            async with self._database.read() as connection:
                return await self._get(connection, who, id_)

    async def page(self, who: Who, page: Page, *wanted: ColumnElement[bool]) -> tuple[list[R], str]:
        """One page of them, oldest first, and the token of the next one; empty where there is none.

        Args:
            who: who asks.
            page: which page.
            wanted: which of them.

        Raises:
            GatewayError: OVERLOADED when the database fails.
        """
        table = self.table
        query = (
            select(table)
            .where(*self._visible(who), *wanted, *page.rows(table))
            .order_by(table.c.create_time, table.c.id)
            .limit(page.size + 1)
        )
        with failing():
            async with self._database.read() as connection:
                rows = (await connection.execute(query)).mappings().all()
                records = await self._complete(connection, [self._read(row) for row in rows[: page.size]])
        more = len(rows) > page.size
        return records, token_of(records[-1].create_time, records[-1].id) if more else ""

    async def delete(self, who: Who, id_: str) -> None:
        """Deletes one of them, with what makes no sense without it.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND; INVALID_REQUEST where something else needs it; OVERLOADED when the database
                fails.
        """
        try:
            async with self._changing() as connection:
                before = await self._get(connection, who, id_, to_change=True)
                self._check_change(who, before, {})
                await self._empty(connection, who, before)
                await self._audit(connection, who, before, None)
                await connection.execute(delete(self.table).where(self.table.c.id == id_))
        except IntegrityError:
            raise self._needed() from None

    async def _create(self, connection: AsyncConnection, who: Who, record: R, **beside: object) -> None:
        """Inserts a new one; `beside` are columns that no record has."""
        await connection.execute(insert(self.table), [{**self._write(record), **beside}])
        await self._audit(connection, who, None, record)

    async def _get(self, connection: AsyncConnection, who: Who, id_: str, to_change: bool = False) -> R:
        query = select(self.table).where(self.table.c.id == id_, *self._visible(who))
        row = (await connection.execute(query.with_for_update() if to_change else query)).mappings().first()
        if row is None:
            raise not_found(self.collection, id_)
        return (await self._complete(connection, [self._read(row)]))[0]

    async def _audit(self, connection: AsyncConnection, who: Who, before: R | None, after: R | None) -> None:
        record = before if before is not None else after
        assert record is not None
        tenant_id = await self._tenant_of(connection, record)
        name = f"{self.collection}/{record.id}"
        await write_audit(connection, who, self._now(), tenant_id, name, before, after)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncConnection]:
        with failing():
            async with self._database.begin() as connection:
                yield connection

    def _now(self) -> int:
        """Microseconds since the epoch."""
        return round(self._clock.now() * 1e6)

    # What each kind says for itself.

    @abstractmethod
    def _read(self, row: RowMapping) -> R:
        """A record from its row."""

    @abstractmethod
    def _write(self, record: R) -> dict[str, object]:
        """A row from its record."""

    @abstractmethod
    def _visible(self, who: Who) -> Sequence[ColumnElement[bool]]:
        """Which rows there are for somebody."""

    @abstractmethod
    async def _tenant_of(self, connection: AsyncConnection, record: R) -> str:
        """Whose it is; empty: nobody's."""

    async def _complete(self, connection: AsyncConnection, records: list[R]) -> list[R]:
        """The records with what stands elsewhere."""
        return records

    def _check_change(self, who: Who, record: R, changes: Mapping[str, object]) -> None:
        """Refuses where somebody sees what they may not change, or delete."""

    async def _empty(self, connection: AsyncConnection, who: Who, record: R) -> None:
        """Deletes what goes with it, and refuses where something needs it."""

    @abstractmethod
    def _needed(self) -> GatewayError:
        """How a deletion is refused that another row stands against."""


class Rows(FixedRows[C]):
    """Rows that may be changed, too."""

    async def update(self, who: Who, id_: str, changes: Mapping[str, object]) -> C:
        """Changes one of them.

        Args:
            who: who does it.
            id_: which.
            changes: fields of the record with their new values; empty: it stays as it is.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND; INSUFFICIENT_PERMISSIONS where they see it and may not change it; OVERLOADED
                when the database fails.
        """
        if not changes:
            return await self.get(who, id_)
        async with self._changing() as connection:
            before = await self._get(connection, who, id_, to_change=True)
            self._check_change(who, before, changes)
            after: C = replace(before, **changes)  # type: ignore[arg-type]
            if after == before:
                return before
            after = replace(after, update_time=self._now())
            await connection.execute(update(self.table).where(self.table.c.id == id_).values(self._write(after)))
            await self._audit(connection, who, before, after)
        return after
