"""What was committed is there after the process died, and several processes share one database from its first moment."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from server.storage.database import Database
from tests.server.storage.tenants import add, names

_ROOT = Path(__file__).parents[3]
_ENOUGH = 10


async def start_writer(url: str, prefix: str) -> Process:
    command = (sys.executable, "-m", "tests.server.storage.writer", url, prefix)
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=_ROOT, env=environment)


async def test_what_processes_told_of_is_there_after_they_were_killed(database_url: str) -> None:
    writers = [await start_writer(database_url, prefix) for prefix in ("a", "b")]
    told: list[bytes] = []
    for writer in writers:
        assert writer.stdout is not None
        told += [await writer.stdout.readline() for _ in range(_ENOUGH)]
    for writer in writers:
        writer.kill()
        told += (await writer.communicate())[0].splitlines()
    database = await Database.open(database_url, None)
    there = await names(database)
    await database.close()
    assert len(told) >= _ENOUGH * len(writers)
    assert {line.decode().strip() for line in told} <= set(there)


async def test_a_database_that_was_closed_is_one_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    database = await Database.open(f"sqlite:///{file}", None)
    await add(database, "a")
    await database.close()
    moved = file.rename(tmp_path / "elsewhere.db")
    again = await Database.open(f"sqlite:///{moved}", None)
    assert await names(again) == ["a"]
    await again.close()
