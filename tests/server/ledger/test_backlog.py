"""What waits is delivered once it is safe, and not before."""

import asyncio
import sqlite3
from pathlib import Path
from threading import Event

from server.ledger.backlog import Backlog
from server.ledger.delivery import Delivery
from server.ledger.record import Batch
from server.ledger.spool import Spool
from server.ledger.writer import open_writer
from server.storage.database import Database
from tests.server.ledger.entries import intent

NEVER_S = 3600.0


class Disk:
    """A disk that may fail to sync, after a while."""

    def __init__(self) -> None:
        self.good = True
        self.asked, self.answer = Event(), Event()

    def sync(self, _: int) -> None:
        if not self.good:
            self.asked.set()
            self.answer.wait()
            raise OSError("the disk fails")


def begun(id: str) -> Batch:
    return Batch(intents=[intent(id)])


async def test_rows_that_the_disk_does_not_take_after_all_hold_nothing_up(sqlite_database: Database, tmp_path: Path) -> None:
    disk = Disk()
    backlog = Backlog(Spool(tmp_path / "spool", "w", 1 << 20, disk.sync))
    writer = await open_writer(sqlite_database, NEVER_S)
    sizes: list[int] = []
    delivery = Delivery(writer, NEVER_S, sizes.append)
    other = sqlite3.connect(sqlite_database.shown.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert await backlog.add(begun("safe"))
    disk.good = False
    adding = asyncio.create_task(backlog.add(begun("lost")))
    await asyncio.to_thread(disk.asked.wait)
    delivering = asyncio.create_task(backlog.deliver(delivery))
    for _ in range(100):
        await asyncio.to_thread(str)  # it would have read by now
    disk.answer.set()
    assert not await adding
    other.execute("ROLLBACK")
    other.close()
    await delivering
    assert (backlog.empty, sizes) == (True, [1])
    await backlog.close()
    await writer.close()
