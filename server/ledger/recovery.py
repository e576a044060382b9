"""Completions that were open in workers that are no more: finds them and settles them, each once, with an estimate.

Whether a worker of another host lives is known from the beats that it leaves in the database.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Update, case, delete, func, literal, select, union_all, update

from server.clock import Clock
from server.ledger.entry import Status
from server.storage.database import Database
from server.storage.tables import COMPLETIONS, WORKERS
from server.worker import lives

INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class _Other:
    """Another worker: when it said last that it lives, and when the last of what it has open began; 0: never."""

    worker: str
    beat_time: int
    last_begin_time: int


class Recovery:
    """Settles what dead workers left open.

    Args:
        database: where the rows are.
        clock: tells the time.
        worker: this worker's id.
        lease_s: a worker of another host that has been silent for longer is dead.
        lives: whether a worker's process is there.
    """

    def __init__(
        self, database: Database, clock: Clock, worker: str, lease_s: float, lives: Callable[[str], bool | None] = lives
    ) -> None:
        self._database = database
        self._clock = clock
        self._worker = worker
        self._lease_micros = int(lease_s * 1e6)
        self._lives = lives

    async def beat(self) -> None:
        """Says that this worker lives.

        Raises:
            StorageError: the database failed.
        """
        statement = self._database.upsert(WORKERS, ["id"], ["beat_time"])
        async with self._database.begin() as connection:
            await connection.execute(statement, [{"id": self._worker, "beat_time": self._now()}])

    async def leave(self) -> None:
        """Says that this worker is gone.

        Raises:
            StorageError: the database failed.
        """
        async with self._database.begin() as connection:
            await connection.execute(delete(WORKERS).where(WORKERS.c.id == self._worker))

    async def recover(self) -> int | None:
        """Settles what workers that are dead left open, as interrupted: what was held back for it counts as used.

        All of the tokens count as input, as nobody knows how many came out. What nobody knew the price of has no cost.

        Returns:
            How many completions it were; None: nobody died.

        Raises:
            StorageError: the database failed.
        """
        dead = [found for found in await self._others() if self._dead(found)]
        if not dead:
            return None
        recovered = 0
        async with self._database.begin() as connection:
            for found in dead:
                result = await connection.execute(_interrupt(found))
                recovered += result.rowcount
            names = [found.worker for found in dead]
            await connection.execute(delete(WORKERS).where(WORKERS.c.id.in_(names)))
        return recovered

    async def _others(self) -> Sequence[_Other]:
        never = literal(0, BigInteger)
        beats = select(WORKERS.c.id.label("worker"), WORKERS.c.beat_time, never.label("begin_time"))
        opened = select(COMPLETIONS.c.worker, never, COMPLETIONS.c.begin_time).where(COMPLETIONS.c.state == "open")
        known = union_all(beats, opened).subquery().c
        statement = (
            select(known.worker, func.max(known.beat_time), func.max(known.begin_time))
            .where(known.worker != self._worker)
            .group_by(known.worker)
        )
        async with self._database.read() as connection:
            return [_Other(*row) for row in await connection.execute(statement)]

    def _dead(self, found: _Other) -> bool:
        alive = self._lives(found.worker)
        if alive is not None:
            return not alive
        seen = max(found.beat_time, found.last_begin_time)
        return self._now() - seen > self._lease_micros

    def _now(self) -> int:
        return int(self._clock.now() * 1e6)


def _interrupt(found: _Other) -> Update:
    """Ends a worker's open completions when it was last seen; where that was before one began, with its begin."""
    begin, seen = COMPLETIONS.c.begin_time, literal(found.beat_time, BigInteger)
    return (
        update(COMPLETIONS)
        .where(COMPLETIONS.c.state == "open", COMPLETIONS.c.worker == found.worker)
        .values(
            state=INTERRUPTED,
            status=Status.INCOMPLETE.value,
            error_reason=INTERRUPTED,
            end_time=case((begin > seen, begin), else_=seen),
            input_tokens=COMPLETIONS.c.reserved_tokens,
            output_tokens=0,
            cost_micros=COMPLETIONS.c.reserved_micros,
            exact=False,
        )
    )
