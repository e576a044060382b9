"""Completions that were open in workers that are no more are interrupted, each once; those of the living are left alone."""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.ledger.entry import Status, Whole
from server.ledger.ledger import Ledger
from server.ledger.record import Batch
from server.ledger.recovery import Recovery
from server.ledger.row import Completion
from server.ledger.rows import Rows, Wanted
from server.ledger.settings import LedgerSettings
from server.ledger.spool import Spool
from server.storage.database import Database
from server.worker import find_worker_id
from tests.server.ledger.entries import BEGIN, TurnedClock, intent, settlement

ROOT = Path(__file__).parents[3]
ROUNDS = 20
LEASE_S = 60.0


@pytest.fixture
async def killed() -> AsyncIterator[Process]:
    """The program whose children are killed."""
    program = str(Path(__file__).with_name("killed.py"))
    process = await asyncio.create_subprocess_exec(sys.executable, program, stdin=PIPE, stdout=PIPE, env=environment())
    yield process
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos/gen")])}


async def kill_one(process: Process, url: str, folder: Path, after: int, way: str) -> dict[str, set[str]]:
    """Has a child work, kills it after so many lines, and returns what it said was sure."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{url} {folder} {way}\n".encode())
    child, said = 0, dict[str, set[str]](intent=set(), settled=set(), ready=set())
    count = 0
    while (line := (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()) != "gone":
        kind, _, value = line.partition(" ")
        if kind == "pid":
            child = int(value)
            continue
        said[kind].add(value)
        if count == after:
            os.kill(child, signal.SIGKILL)
        count += 1
    return said


async def everything(database: Database) -> dict[str, Completion]:
    page = await Rows(database).list(Wanted(), 100_000)
    return {row.id: row for row in page.completions}


@pytest.mark.parametrize("way", ["together", "alone"])
async def test_nothing_is_lost_and_nothing_left_open_when_workers_are_killed(
    database_url: str, tmp_path: Path, killed: Process, way: str
) -> None:
    database = await Database.open(database_url, None)
    ledger = Ledger(database, TurnedClock(), find_worker_id(), tmp_path / "spool")
    await ledger.recover()
    moments, interrupted = random.Random(5), 0
    said = dict[str, set[str]](intent=set(), settled=set(), ready=set())
    for _ in range(ROUNDS):
        child = await kill_one(killed, database_url, tmp_path / "spool", moments.randrange(60), way)
        said = {kind: said[kind] | child[kind] for kind in said}
        interrupted += await ledger.recover() or 0
        assert await ledger.recover() is None
    rows = await everything(database)
    assert said["intent"] <= rows.keys()
    assert {row.state for row in rows.values()} <= {"settled", "interrupted"}
    assert {rows[id].state for id in said["settled"]} == {"settled"}
    assert sum(row.state == "interrupted" for row in rows.values()) == interrupted > 0
    assert {row.cost_micros == (1234 if row.state == "settled" else 2000) for row in rows.values()} == {True}
    await ledger.close()
    await database.close()


async def leave_open(database: Database, worker: str, folder: Path, micros: int | None = 2000) -> None:
    """A worker tells of a completion that may cost so much, and no more."""
    ledger = Ledger(database, TurnedClock(), worker, folder)
    await ledger.recover()
    await ledger.intent(intent(f"of {worker}", reserved_micros=micros, worker=worker))
    await ledger.close()


async def state(database: Database, worker: str) -> str:
    found = await Rows(database).find(f"of {worker}")
    assert found is not None
    return found.state


@pytest.mark.parametrize("micros", [2000, 0, None], ids=["dear", "free", "of unknown price"])
async def test_an_interrupted_completion_counts_as_what_was_held_back(
    database: Database, tmp_path: Path, micros: int | None
) -> None:
    await leave_open(database, "dead", tmp_path, micros)
    recovery = Recovery(database, TurnedClock(), "me", LEASE_S, lambda _: False)
    assert [await recovery.recover(), await recovery.recover()] == [1, None]
    row = await Rows(database).find("of dead")
    assert row is not None
    assert (row.state, row.status, row.exact) == ("interrupted", "incomplete", False)
    assert (row.total_tokens, row.cost_micros, row.end_time) == (1000, micros, BEGIN)


async def test_a_worker_that_died_with_nothing_open_is_noticed_once(database: Database) -> None:
    await Recovery(database, TurnedClock(), "dead", LEASE_S).beat()
    recovery = Recovery(database, TurnedClock(), "me", LEASE_S, lambda _: False)
    assert [await recovery.recover(), await recovery.recover()] == [0, None]


async def test_a_worker_that_ends_without_leaving_is_noticed_like_a_dead_one(database: Database, tmp_path: Path) -> None:
    for worker, leaves in (("gone", True), ("doubtful", False)):
        ledger = Ledger(database, TurnedClock(), worker, tmp_path)
        await ledger.recover()
        await ledger.close(leaves)
    looked_at = list[str]()

    def lives(worker: str) -> bool:
        looked_at.append(worker)
        return False

    assert await Recovery(database, TurnedClock(), "me", LEASE_S, lives).recover() == 0
    assert looked_at == ["doubtful"]


async def test_that_rows_of_a_dead_worker_arrived_is_told_though_none_was_open(database: Database, tmp_path: Path) -> None:
    told = asyncio.Queue[int]()
    settings = LedgerSettings(lease_s=0.1)
    ledger = Ledger(database, TurnedClock(), "me", tmp_path, settings, on_recovered=told.put_nowait)
    assert await ledger.recover() is None
    left = Spool(tmp_path, "dead", 1 << 20)
    left.append(Batch(wholes=[Whole(intent("of dead", worker="dead"), settlement("of dead"))]))
    left.close()
    assert await asyncio.wait_for(told.get(), 20) == 0
    assert await state(database, "dead") == "settled"
    await ledger.close()


async def test_a_living_worker_keeps_its_completions(database: Database, tmp_path: Path) -> None:
    await leave_open(database, "alive", tmp_path)
    clock = TurnedClock(BEGIN / 1e6 + 1e6)
    assert await Recovery(database, clock, "me", LEASE_S, lambda _: True).recover() is None
    assert await state(database, "alive") == "open"


@pytest.mark.parametrize(("silent_s", "expected"), [(LEASE_S - 1, None), (LEASE_S + 1, 1)], ids=["within", "after"])
async def test_another_hosts_worker_is_dead_when_its_lease_is_over(
    database: Database, tmp_path: Path, silent_s: float, expected: int | None
) -> None:
    await leave_open(database, "far", tmp_path)
    await Recovery(database, TurnedClock(BEGIN / 1e6 + 100), "far", LEASE_S).beat()
    later = TurnedClock(BEGIN / 1e6 + 100 + silent_s)
    assert await Recovery(database, later, "me", LEASE_S, lambda _: None).recover() == expected


async def test_what_a_worker_tells_that_was_thought_dead_is_the_truth(database: Database, tmp_path: Path) -> None:
    ledger = Ledger(database, TurnedClock(), "slow", tmp_path)
    await ledger.recover()
    await ledger.intent(intent("of slow", worker="slow"))
    await Recovery(database, TurnedClock(), "me", LEASE_S, lambda _: False).recover()
    await ledger.settle(settlement("of slow", Status.COMPLETED, 77))
    row = await Rows(database).find("of slow")
    assert row is not None
    assert (row.state, row.cost_micros, row.exact) == ("settled", 77, True)
    await ledger.close()
