"""The table of idempotency keys: who answers a request, and the answers that are there.

A row is `running` until it expires, which is when its worker's lease ends; or `done`, and holds an answer until it expires.
A row that has expired is as good as none, and so is a running one whose worker is known to be no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex

from sqlalchemy import ColumnElement, and_, delete, select, update

from server.clock import Clock
from server.storage.database import Database
from server.storage.tables import IDEMPOTENCY
from server.worker import lives

KEPT_S = 24 * 3600
"""How long an answer is there."""

LEASE_S = 20
"""How long a worker that was not heard of is believed to be at it."""

RENEW_S = LEASE_S / 4
"""How soon a lease is renewed, and how long that may take: when one renewal hangs, there is time for another."""

_BATCH = 100
_SWEEP_S = 60
_RUNNING, _DONE = "running", "done"
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A row that somebody else made, or that is done.

    Attributes:
        digest: of the request.
        done: whether it was answered; else somebody is at it.
        answer: the packed answer; None: there is none yet, or it was too large.
    """

    digest: bytes
    done: bool
    answer: bytes | None


class Store:
    """The table.

    Args:
        database: where it is.
        clock: tells the time. Processes on one table may differ by some seconds.
        worker: this process's id, from `find_worker_id`.
    """

    def __init__(self, database: Database, clock: Clock, worker: str) -> None:
        self._database = database
        self._clock = clock
        self._worker = f"{worker}/{token_hex(4)}"  # a process may have several stores
        self._next_sweep = 0

    async def claim(self, row_id: str, digest: bytes) -> Kept | None:
        """Takes a row where it is free; the caller must not be at it already.

        Returns:
            The row where it is not free. None: it is this worker's now, until its lease ends.

        Raises:
            StorageError: the database failed.
        """
        columns = IDEMPOTENCY.c
        look = select(columns.body_digest, columns.state, columns.worker, columns.answer, columns.expire_time).where(
            columns.id == row_id
        )
        async with self._database.read() as connection:
            found = (await connection.execute(look)).one_or_none()
        if found is not None and not self._free(found.state, found.worker, found.expire_time):
            return Kept(found.body_digest, found.state == _DONE, found.answer)
        now = self._now()
        row = {
            "body_digest": digest,
            "state": _RUNNING,
            "worker": self._worker,
            "answer": None,
            "create_time": now,
            "expire_time": now + LEASE_S * _MICROS,
        }
        insert = self._database.upsert(IDEMPOTENCY, ["id"], []).returning(columns.id)
        async with self._database.begin() as connection:
            while True:
                if (await connection.execute(insert, {"id": row_id, **row})).one_or_none() is not None:
                    return None
                found = (await connection.execute(look.with_for_update())).one_or_none()
                if found is None:
                    continue  # it went in between
                if not self._free(found.state, found.worker, found.expire_time):
                    return Kept(found.body_digest, found.state == _DONE, found.answer)
                await connection.execute(update(IDEMPOTENCY).where(columns.id == row_id).values(row))
                return None

    async def renew(self, row_ids: Sequence[str]) -> None:
        """Makes the leases of rows last longer.

        Raises:
            StorageError: the database failed.
        """
        renewed = update(IDEMPOTENCY).where(IDEMPOTENCY.c.id.in_(row_ids), self._ours())
        async with self._database.begin(RENEW_S) as connection:
            await connection.execute(renewed.values(expire_time=self._now() + LEASE_S * _MICROS))

    async def finish(self, row_id: str, digest: bytes, answer: bytes | None) -> None:
        """Keeps an answer, unless another worker has taken the row in the meantime.

        Raises:
            StorageError: the database failed.
        """
        now = self._now()
        row = {
            "body_digest": digest,
            "state": _DONE,
            "worker": self._worker,
            "answer": answer,
            "create_time": now,
            "expire_time": now + KEPT_S * _MICROS,
        }
        insert = self._database.upsert(IDEMPOTENCY, ["id"], [])
        done = update(IDEMPOTENCY).where(IDEMPOTENCY.c.id == row_id, self._ours()).values(row)
        async with self._database.begin() as connection:
            if (await connection.execute(done)).rowcount == 0:
                await connection.execute(insert, {"id": row_id, **row})

    async def forget(self, row_id: str) -> None:
        """Gives a row back that has no answer.

        Raises:
            StorageError: the database failed.
        """
        async with self._database.begin() as connection:
            await connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.id == row_id, self._ours()))

    async def sweep(self) -> None:
        """Deletes some rows that have expired, where that was not done lately.

        Raises:
            StorageError: the database failed.
        """
        now = self._now()
        if now < self._next_sweep:
            return
        columns = IDEMPOTENCY.c
        old = select(columns.id).where(columns.expire_time <= now).limit(_BATCH).with_for_update(skip_locked=True)
        async with self._database.begin() as connection:
            deleted = (await connection.execute(delete(IDEMPOTENCY).where(columns.id.in_(old)))).rowcount
        if deleted < _BATCH:
            self._next_sweep = now + _SWEEP_S * _MICROS

    def _free(self, state: str, worker: str, expire_time: int) -> bool:
        """Whether a row may be taken: it has expired, or this worker or a process that is no more left it behind."""
        if expire_time <= self._now():
            return True
        return state == _RUNNING and (worker == self._worker or lives(worker.rpartition("/")[0]) is False)

    def _ours(self) -> ColumnElement[bool]:
        return and_(IDEMPOTENCY.c.worker == self._worker, IDEMPOTENCY.c.state == _RUNNING)

    def _now(self) -> int:
        return int(self._clock.now() * _MICROS)
