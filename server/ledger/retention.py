"""What the ledger forgets: the oldest completions, by age and by size, and bodies before the rest. Never an open one.

What deleted completions used is kept by day, caller and model, so that quotas and budgets still count it.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, RowMapping, and_, delete, func, literal, or_, select, update

from server.clock import Clock
from server.ledger.used import USED_MICROS, USED_TOKENS
from server.storage.database import Database
from server.storage.tables import COMPLETIONS, FORGOTTEN

_DAY_MICROS = 86_400_000_000
_ROW_BYTES = 1_000
"""A row with its places in the indexes, without bodies, on PostgreSQL."""

_KEYS = ("day", "tenant_id", "user_id", "key_id", "model")
_SUMS = ("tokens", "micros")
_USED = (
    (COMPLETIONS.c.begin_time - COMPLETIONS.c.begin_time % _DAY_MICROS).label("day"),
    *(COMPLETIONS.c[name] for name in _KEYS[1:]),
    USED_TOKENS.label("tokens"),
    USED_MICROS.label("micros"),
)
"""A completion as `forgotten` would have it alone."""

_OVER = COMPLETIONS.c.state != "open"
_BODIES = (COMPLETIONS.c.request_body, COMPLETIONS.c.answer_body)


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long completions are kept.

    Attributes:
        days: how long; None: for ever.
        body_days: how long their bodies are; None: as long as they are.
        max_bytes: how large the database may be (PostgreSQL: its completions); None: as it likes.
        batch: so many rows are forgotten in one transaction.
    """

    days: float | None = None
    body_days: float | None = None
    max_bytes: int | None = None
    batch: int = 500


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten: so many whole completions, and the bodies of so many others."""

    completions: int
    bodies: int


class Retention:
    """Forgets.

    Args:
        database: where the rows are.
        clock: tells the time.
        settings: see there.
    """

    def __init__(self, database: Database, clock: Clock, settings: RetentionSettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._bodies_from = 0
        """No completion that began before has a body; so that they are not looked at again and again."""

    async def sweep(self) -> Forgotten:
        """Forgets what is too old, then what is too much; in small transactions, between which others have their turn.

        Raises:
            StorageError: the database failed; what was forgotten before stays so.
        """
        settings, completions, bodies = self._settings, 0, 0
        now = int(self._clock.now() * 1e6)
        if settings.days is not None:
            completions += await self._forget_before(now - int(settings.days * _DAY_MICROS))
        if settings.body_days is not None:
            bodies = await self._forget_bodies_before(now - int(settings.body_days * _DAY_MICROS))
        if settings.max_bytes is not None:
            completions += await self._forget_oldest(await self._too_many(settings.max_bytes))
        return Forgotten(completions, bodies)

    async def _forget_before(self, time: int) -> int:
        count = 0
        while gone := await self._delete(COMPLETIONS.c.begin_time < time, self._settings.batch):
            count += gone
            await asyncio.sleep(0)
        return count

    async def _forget_oldest(self, count: int) -> int:
        left = count
        while left > 0 and (gone := await self._delete(COMPLETIONS.c.begin_time >= 0, min(left, self._settings.batch))):
            left -= gone
            await asyncio.sleep(0)
        return count - left

    async def _delete(self, which: ColumnElement[bool], count: int) -> int:
        """Deletes some of the oldest, and keeps what they used, in one transaction."""
        oldest = select(COMPLETIONS.c.id).where(_OVER, which).order_by(COMPLETIONS.c.begin_time).limit(count)
        deletion = delete(COMPLETIONS).where(COMPLETIONS.c.id.in_(oldest)).returning(*_USED)
        addition = self._database.upsert(FORGOTTEN, _KEYS, (), _SUMS)
        async with self._database.begin() as connection:
            gone = (await connection.execute(deletion)).mappings().all()
            if sums := _sum(gone):
                await connection.execute(addition, sums)
        return len(gone)

    async def _forget_bodies_before(self, time: int) -> int:
        count = 0
        which = and_(COMPLETIONS.c.begin_time >= self._bodies_from, COMPLETIONS.c.begin_time < time)
        some = or_(*(body.is_not(None) for body in _BODIES))
        oldest = select(COMPLETIONS.c.id).where(_OVER, which, some).limit(self._settings.batch)
        statement = update(COMPLETIONS).where(COMPLETIONS.c.id.in_(oldest)).values(request_body=None, answer_body=None)
        while True:
            async with self._database.begin() as connection:
                gone = (await connection.execute(statement)).rowcount
            if not gone:
                break
            count += gone
            await asyncio.sleep(0)
        self._bodies_from = await self._first_open_before(time)
        return count

    async def _first_open_before(self, time: int) -> int:
        statement = select(func.min(COMPLETIONS.c.begin_time)).where(COMPLETIONS.c.state == "open")
        async with self._database.read() as connection:
            first = (await connection.execute(statement)).scalar_one()
        return time if first is None else min(time, int(first))

    async def _too_many(self, max_bytes: int) -> int:
        """How many completions, of the average size, are more than there is room for."""
        async with self._database.read() as connection:
            count = int((await connection.execute(select(func.count()).select_from(COMPLETIONS))).scalar_one())
            if self._database.dialect == "sqlite":
                pragmas = ("page_size", "page_count", "freelist_count")
                size, pages, free = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one() for name in pragmas]
                used = size * (pages - free)
            else:  # the table's size on the disk says nothing: it keeps the room of deleted rows
                bodies = sum((func.coalesce(func.sum(func.pg_column_size(body)), 0) for body in _BODIES), literal(0))
                used = count * _ROW_BYTES + int((await connection.execute(select(bodies))).scalar_one())
        return 0 if used <= max_bytes else -(-count * (used - max_bytes) // used)


def _sum(gone: Iterable[RowMapping]) -> list[Mapping[str, object]]:
    """What deleted completions used, in order; else two who add to the same rows could wait for each other for ever."""
    tokens, micros = Counter[tuple[int, str, str, str, str]](), Counter[tuple[int, str, str, str, str]]()
    for row in gone:
        key = row["day"], row["tenant_id"], row["user_id"], row["key_id"], row["model"]
        tokens[key] += row["tokens"]
        micros[key] += row["micros"]
    keys = sorted(key for key in tokens if tokens[key] or micros[key])
    return [dict(zip((*_KEYS, *_SUMS), (*key, tokens[key], micros[key]), strict=True)) for key in keys]
