"""What workers left in files that are no more, and who may have it."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from server.ledger.backlog import Backlog
from server.ledger.delivery import Delivery
from server.ledger.spool import SUFFIX, Spool
from server.ledger.writer import open_writer
from server.storage.database import Database
from server.storage.errors import StorageError

FOLDER_NAME = "spool"
"""Where files are, in the data folder."""

_DEADLINE_S = 30.0
_READ_BYTES = 1 << 20


@asynccontextmanager
async def hold_left(folder: Path) -> AsyncIterator[list[Backlog]]:
    """The files whose workers are no more; nobody else's within the block.

    Raises:
        OSError: the disk fails.
    """
    found = [Backlog(spool) for spool in await asyncio.to_thread(Spool.find_left, folder)]
    try:
        yield found
    finally:
        for left in found:
            await left.close()


async def take_all(folders: Iterable[Path], database: Database) -> int:
    """Brings everything that waits to the database, or fails; what could not be brought is still in the files then.

    Args:
        folders: where files are, or none.
        database: whose they are; its tables are up to date.

    Returns:
        Of how many completions there was something.

    Raises:
        StorageError: the database failed; a worker that lives has a file; or something can never be brought there.
        OSError: the disk fails, or the files are somebody else's.
    """
    ids: set[str] = set()
    writer = await open_writer(database, _DEADLINE_S)
    try:
        delivery = Delivery(writer, _DEADLINE_S, lambda _: None)
        for folder in folders:
            async with hold_left(folder) as found:
                used = _files(folder) - {left.path for left in found}
                if used:
                    what = "is in use, so a gateway runs that may not have written all of its rows; stop it first"
                    raise StorageError(f"{min(used)} {what}")
                for left in found:
                    while not left.empty:
                        ids.update(await left.deliver(delivery, whole=True))
    finally:
        await writer.close()
    return len(ids)


def count_waiting(folder: Path) -> int:
    """How many entries the files have, whoever has these; an intent and its settlement may be two. Changes nothing.

    Raises:
        OSError: the disk fails, or the files are somebody else's.
    """
    count = 0
    for path in _files(folder):
        with suppress(FileNotFoundError), path.open("rb") as file:  # its worker may just have ended
            count += sum(data.count(b"\n") for data in iter(lambda: file.read(_READ_BYTES), b""))
    return count


def _files(folder: Path) -> set[Path]:
    with suppress(FileNotFoundError):
        return {folder / name for name in os.listdir(folder) if name.endswith(SUFFIX)}
    return set()
