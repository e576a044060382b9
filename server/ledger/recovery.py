"""Completions that were open in workers that are no more: finds them and settles them, each once, with an estimate.

A worker's id holds its host, its process and when that began. On the same host the process table says whether it lives; of
other hosts' workers it is known from the beats that they leave in the database.
"""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from sqlalchemy import BigInteger, Update, case, delete, func, literal, select, union_all, update

from server.clock import Clock
from server.ledger.entry import Status
from server.storage.database import Database
from server.storage.tables import COMPLETIONS, WORKERS

INTERRUPTED = "interrupted"


def find_worker_id() -> str:
    """This process's id as a worker: `host.view:process:begin`.

    The view tells apart boots of one host, and containers that have the same name but count processes by themselves.
    """
    return f"{_host()}:{os.getpid()}:{_begin(os.getpid())}"


def lives(worker: str) -> bool | None:
    """Whether a worker's process is there; None: it is another host's, or it cannot be said."""
    host, _, process = worker.rpartition(":")[0].rpartition(":")
    if host != _host() or not process.isdecimal():
        return None
    begin = worker.rpartition(":")[2]
    if begin:
        return begin == _begin(int(process))
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


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


def _host() -> str:
    """This host as far as processes are counted together."""
    view = _text("/proc/sys/kernel/random/boot_id")
    with suppress(OSError):
        view += os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname().replace(':', '-')[:24]}.{crc32(view.encode()):08x}"


def _begin(process: int) -> str:
    """When a process began, in the kernel's ticks; empty: it is no more, or the system does not say."""
    # The name stands in brackets and may have spaces.
    fields = _text(f"/proc/{process}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in ("Z", "X") else ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
