"""Who changed what: written in the transaction of the change itself, so that neither is there without the other."""

from dataclasses import asdict
from typing import TypeAlias

import orjson
from sqlalchemy import insert, select

from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.storage.tables import AUDIT
from server.tenancy.failing import failing
from server.tenancy.pages import Page, token_of
from server.tenancy.records import ApiKey, AuditEntry, Budget, Price, Quota, Tenant, User
from server.tenancy.who import Who, new_id

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
    entry = AuditEntry(
        new_id("audit"), now, tenant_id, who.name, who.request_id, who.action, resource, _json(before), _json(after)
    )
    await connection.execute(insert(AUDIT), [asdict(entry)])


class Audit:
    """What was written down.

    Args:
        database: where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

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


def _json(record: Record | None) -> str:
    return "" if record is None else orjson.dumps(asdict(record)).decode()
