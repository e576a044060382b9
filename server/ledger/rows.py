"""Reads the ledger: completions by id or page by page, and the sums that quotas and budgets go by."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from server.ledger.row import Completion
from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.storage.tables import COMPLETIONS

Scope = Literal["global", "tenant", "user", "key", "model"]

_BODIES = ("request_body", "answer_body")
_BRIEF = tuple(column for column in COMPLETIONS.columns if column.name not in _BODIES)
_SCOPES = {
    "tenant": COMPLETIONS.c.tenant_id,
    "user": COMPLETIONS.c.user_id,
    "key": COMPLETIONS.c.key_id,
    "model": COMPLETIONS.c.model,
}
_IS_OPEN = COMPLETIONS.c.state == "open"
_USED_TOKENS = func.coalesce(COMPLETIONS.c.input_tokens, 0) + func.coalesce(COMPLETIONS.c.output_tokens, 0)
_TOKENS = func.coalesce(func.sum(case((_IS_OPEN, COMPLETIONS.c.reserved_tokens), else_=_USED_TOKENS)), 0)
_COST = func.coalesce(COMPLETIONS.c.cost_micros, 0)
_MICROS = func.coalesce(func.sum(case((_IS_OPEN, COMPLETIONS.c.reserved_micros), else_=_COST)), 0)


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


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used and is held back."""

    tokens: int
    micros: int


class Rows:
    """Reads. Raises StorageError where the database fails.

    Args:
        database: where the rows are.
        flush: called before each look, if rows may be on their way: a ledger's.
    """

    def __init__(self, database: Database, flush: Callable[[], Awaitable[None]] | None = None) -> None:
        self._database = database
        self._flush = flush

    async def find(self, id: str, tenant_id: str | None = None) -> Completion | None:
        """One completion with its bodies; None: there is none, or it is not `tenant_id`'s where that is given."""
        statement = select(COMPLETIONS).where(COMPLETIONS.c.id == id)
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

    async def spent(self, scope: Scope, scope_id: str, begin: int) -> Spent:
        """The tokens and the money of completions that began at a time or later: what they used, or while they are open
        what is held back for them. A cost that is not known counts as nothing.

        Args:
            scope: whose.
            scope_id: which one's; nothing for `global`.
            begin: microseconds since the epoch.
        """
        statement = select(_TOKENS, _MICROS).where(COMPLETIONS.c.begin_time >= begin)
        if scope != "global":
            statement = statement.where(_SCOPES[scope] == scope_id)
        async with self._read() as connection:
            tokens, micros = (await connection.execute(statement)).one()
        return Spent(int(tokens), int(micros))

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[AsyncConnection]:
        if self._flush is not None:
            await self._flush()
        async with self._database.read() as connection:
            yield connection


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    table = COMPLETIONS.c
    conditions = []
    if wanted.begin is not None:
        conditions.append(table.begin_time >= wanted.begin)
    if wanted.end is not None:
        conditions.append(table.begin_time < wanted.end)
    names = ("tenant_id", "user_id", "key_id", "request_id", "model", "provider", "status", "operation")
    given = ((name, getattr(wanted, name)) for name in names)
    return conditions + [table[name] == value for name, value in given if value is not None]
