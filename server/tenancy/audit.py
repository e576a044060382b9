"""Who changed what: written in the transaction of the change itself, so that neither is there without the other."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TypeAlias

import orjson
from sqlalchemy import insert, select

from server.clock import Clock
from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.storage.tables import AUDIT
from server.tenancy.failing import failing
from server.tenancy.pages import Page, token_of
from server.tenancy.records import ApiKey, AuditEntry, Budget, Price, Quota, Tenant, User
from server.tenancy.who import Who, new_id

Fields: TypeAlias = Mapping[str, object]
"""What something is, without secrets; as JSON can have it."""

Record: TypeAlias = Tenant | User | ApiKey | Quota | Budget | Price
"""What is audited. No record has a key or a digest in it."""


async def write_audit(
    connection: AsyncConnection,
    who: Who,
    now: int,
    tenant_id: str,
    resource: str,
    before: Record | None,
    after: Record | None,
) -> None:
    """Writes down one change.

    Args:
        connection: the transaction that makes the change.
        who: who makes it.
        now: when, microseconds since the epoch.
        tenant_id: whose resource it is; empty: nobody's.
        resource: its name.
        before: what it was; None: it was not there.
        after: what it is; None: it is not there any more.
    """
    await _write(connection, who, now, tenant_id, resource, _fields(before), _fields(after))


class Change:
    """A change of something that is not in the database; nothing was changed until `made` is called."""

    def __init__(self) -> None:
        self.undo: Callable[[], Awaitable[object]] | None = None
        self.resource = ""
        self.before: Fields | None = None
        self.after: Fields | None = None

    def made(
        self, resource: str, before: Fields | None, after: Fields | None, undo: Callable[[], Awaitable[object]]
    ) -> None:
        """Says what was changed.

        Args:
            resource: its name.
            before: what it was; None: it was not there.
            after: what it is; None: it is not there any more.
            undo: makes it what it was, where the change cannot be written down.
        """
        self.resource, self.before, self.after, self.undo = resource, before, after, undo


class Audit:
    """What was written down.

    Args:
        database: where.
        clock: tells when.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def changing(self, who: Who) -> AsyncIterator[Change]:
        """Writes down what the block changes elsewhere than in the database, or has it undone.

        Raises:
            GatewayError: OVERLOADED when the database fails.
        """
        change = Change()
        try:
            with failing():
                async with self._database.begin() as connection:
                    yield change
                    if change.undo is not None:
                        now = round(self._clock.now() * 1e6)
                        await _write(connection, who, now, "", change.resource, change.before, change.after)
        except BaseException:
            if change.undo is not None:
                await change.undo()
            raise

    async def page(self, who: Who, page: Page, resource: str = "", actor: str = "") -> tuple[list[AuditEntry], str]:
        """One page of changes, newest first, and the token of the next one; empty where there is none.

        Args:
            who: who asks; they see their tenant's.
            page: which page.
            resource: only changes of the resource of this name; empty: of all.
            actor: only those that this one made; empty: anybody.

        Raises:
            GatewayError: OVERLOADED when the database fails.
        """
        query = select(AUDIT).where(*page.rows(AUDIT, newest_first=True))
        if who.tenant_id:
            query = query.where(AUDIT.c.tenant_id == who.tenant_id)
        if resource:
            query = query.where(AUDIT.c.resource == resource)
        if actor:
            query = query.where(AUDIT.c.actor == actor)
        query = query.order_by(AUDIT.c.create_time.desc(), AUDIT.c.id.desc()).limit(page.size + 1)
        with failing():
            async with self._database.read() as connection:
                rows = (await connection.execute(query)).mappings().all()
        entries = [AuditEntry(**row) for row in rows[: page.size]]
        more = len(rows) > page.size
        return entries, token_of(entries[-1].create_time, entries[-1].id) if more else ""


async def _write(
    connection: AsyncConnection,
    who: Who,
    now: int,
    tenant_id: str,
    resource: str,
    before: Fields | None,
    after: Fields | None,
) -> None:
    entry = AuditEntry(
        new_id("audit"), now, tenant_id, who.name, who.request_id, who.action, resource, _json(before), _json(after)
    )
    await connection.execute(insert(AUDIT), [asdict(entry)])


def _fields(record: Record | None) -> Fields | None:
    return None if record is None else asdict(record)


def _json(fields: Fields | None) -> str:
    return "" if fields is None else orjson.dumps(fields).decode()
