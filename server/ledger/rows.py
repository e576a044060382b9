"""Reads the ledger: completions by id or page by page."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select

from server.ledger.row import Completion
from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.storage.tables import COMPLETIONS

_BODIES = ("request_body", "answer_body")
_BRIEF = tuple(column for column in COMPLETIONS.columns if column.name not in _BODIES)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which completions; None is any.

    Attributes:
        begin: began at this time or later, in microseconds since the epoch.
        end: began before this time.
        tenant_id: its tenant's, likewise `user_id` and `key_id`.
        request_id: the request's that it belongs to.
        model: as it was asked for.
        provider: who answered.
        status: how it ended; empty: it is open.
        operation: chat, text, embeddings, images or videos.
        configured: whether its key is one of the configuration, which belongs to no tenant.
    """

    begin: int | None = None
    end: int | None = None
    tenant_id: str | None = None
    user_id: str | None = None
    key_id: str | None = None
    request_id: str | None = None
    model: str | None = None
    provider: str | None = None
    status: str | None = None
    operation: str | None = None
    configured: bool | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place between two completions: after this one."""

    begin_time: int
    id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some completions, the newest first, without bodies; and where the next page begins, None: nowhere."""

    completions: tuple[Completion, ...]
    next: Place | None


class Rows:
    """Reads. Raises StorageError where the database fails.

    Args:
        database: where the rows are.
        flush: called before each look, if rows may be on their way: a ledger's.
    """

    def __init__(self, database: Database, flush: Callable[[], Awaitable[None]] | None = None) -> None:
        self._database = database
        self._flush = flush

    async def find(self, id: str, tenant_id: str | None = None, bodies: bool = True) -> Completion | None:
        """One completion; None: there is none, or it is not `tenant_id`'s where that is given.

        Args:
            id: its id.
            tenant_id: whose it has to be; None: anybody's.
            bodies: whether it comes with its bodies.
        """
        statement = select(*(COMPLETIONS.columns if bodies else _BRIEF)).where(COMPLETIONS.c.id == id)
        if tenant_id is not None:
            statement = statement.where(COMPLETIONS.c.tenant_id == tenant_id)
        async with self._read() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return None if row is None else Completion.read(dict(row))

    async def list(self, wanted: Wanted, count: int, after: Place | None = None) -> Page:
        """A page of completions, the newest first. What is added meanwhile moves no page.

        Args:
            wanted: which.
            count: how many at most.
            after: where to go on, from the page before.
        """
        time, id = COMPLETIONS.c.begin_time, COMPLETIONS.c.id
        conditions = _conditions(wanted)
        if after is not None:
            later = and_(time == after.begin_time, id < after.id)
            conditions += [time <= after.begin_time, or_(time < after.begin_time, later)]
        statement = select(*_BRIEF).where(*conditions).order_by(time.desc(), id.desc()).limit(count + 1)
        async with self._read() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        found = tuple(Completion.read(dict(row)) for row in rows[:count])
        return Page(found, Place(found[-1].begin_time, found[-1].id) if len(rows) > count and found else None)

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[AsyncConnection]:
        if self._flush is not None:
            await self._flush()
        async with self._database.read() as connection:
            yield connection


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    table = COMPLETIONS.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.begin is not None:
        conditions.append(table.begin_time >= wanted.begin)
    if wanted.end is not None:
        conditions.append(table.begin_time < wanted.end)
    if wanted.configured is not None:
        conditions.append(table.tenant_id == "" if wanted.configured else table.tenant_id != "")
    names = ("tenant_id", "user_id", "key_id", "request_id", "model", "provider", "status", "operation")
    given = ((name, getattr(wanted, name)) for name in names)
    return conditions + [table[name] == value for name, value in given if value is not None]
