"""Requests with a key where several processes have one database, and one process after another. Both kinds of database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from server.errors import GatewayError
from server.policies.idempotency import Idempotency
from server.policies.idempotency_run import REPLAYED
from server.policies.idempotency_store import LEASE_S, Store
from server.storage.database import Database
from server.storage.tables import IDEMPOTENCY
from server.worker import find_worker_id
from tests.server.policies.idempotency_stage import START, Asker, Dispatched, TurnedClock, idempotency
from trunkline.v1.error_reason_pb2 import ErrorReason

FAILURE = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_ERROR, "No.")
ROW = "0" * 64
DIGEST = b"1" * 32


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def here(database: Database, clock: TurnedClock) -> AsyncIterator[Asker]:
    """Asks one process."""
    made = idempotency(database, clock, "here")
    yield Asker(made, Dispatched())
    await made.close()


@pytest.fixture
async def there(database: Database, clock: TurnedClock) -> AsyncIterator[Asker]:
    """Asks the other."""
    made = idempotency(database, clock, "there")
    yield Asker(made, Dispatched(("x", "y")))
    await made.close()


async def refused(asker: Asker) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await asker.hear()
    return raised.value


async def begun(asker: Asker) -> "asyncio.Task[list[str]]":
    """A call that waits before its first batch."""
    asker.dispatched.held = 0

    async def texts() -> list[str]:
        return (await asker.hear()).texts

    task = asyncio.ensure_future(texts())
    await asker.dispatched.waiting.wait()
    return task


async def lease_end(database: Database) -> float:
    async with database.read() as connection:
        end = await connection.scalar(select(IDEMPOTENCY.c.expire_time))
    assert end is not None
    return float(end / 1e6 - START)


async def test_what_one_process_answered_another_gives_again(here: Asker, there: Asker) -> None:
    await here.hear()
    heard = await there.hear()
    assert heard.texts == ["a", "b"]
    assert heard.trailers == {"x-request-id": "req_test", "trunkline-provider": "first", REPLAYED: "true"}
    assert not there.dispatched.calls


async def test_another_body_is_refused_wherever_it_comes(here: Asker, there: Asker) -> None:
    running = await begun(here)
    other = replace(there, text="Goodbye")
    assert (await refused(other)).reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS
    here.dispatched.go_on.set()
    await running
    assert (await refused(other)).reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS


async def test_a_call_waits_for_the_process_that_is_at_it(here: Asker, there: Asker, clock: TurnedClock) -> None:
    running = await begun(here)
    waiting = [asyncio.ensure_future(replace(there).hear()) for _ in range(3)]
    await clock.turn_for_sleeper()
    here.dispatched.go_on.set()
    assert await running == ["a", "b"]
    await clock.turn_until_done(*waiting)
    assert [(await task).texts for task in waiting] == [["a", "b"]] * 3
    assert not there.dispatched.calls


async def test_a_call_that_failed_there_is_made_here(here: Asker, there: Asker, clock: TurnedClock) -> None:
    here.dispatched.error = FAILURE
    running = await begun(here)
    waiting = asyncio.ensure_future(there.hear())
    await clock.turn_for_sleeper()
    here.dispatched.go_on.set()
    with pytest.raises(GatewayError):
        await running
    await clock.turn_until_done(waiting)
    assert (await waiting).texts == ["x", "y"]


async def test_one_who_waits_for_another_process_has_a_deadline(here: Asker, there: Asker) -> None:
    running = await begun(here)
    assert (await refused(replace(there, time_left_s=0.01))).reason == ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED
    here.dispatched.go_on.set()
    assert await running == ["a", "b"]


async def test_many_processes_make_a_call_once(database: Database, clock: TurnedClock) -> None:
    dispatched = Dispatched(held=0)
    processes = [idempotency(database, clock, f"worker-{number}") for number in range(6)]
    calls = [asyncio.ensure_future(Asker(made, dispatched).hear()) for made in processes for _ in range(3)]
    await dispatched.waiting.wait()
    dispatched.go_on.set()
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    await clock.turn_until_done(*calls)
    assert [(await call).texts for call in calls] == [["a", "b"]] * 18
    assert len(dispatched.calls) == 1
    for made in processes:
        await made.close()


async def test_a_lease_is_renewed_while_the_call_runs(
    here: Asker, there: Asker, database: Database, clock: TurnedClock
) -> None:
    running = await begun(here)
    assert await lease_end(database) == LEASE_S
    for _ in range(8):
        await clock.turn_for_sleeper()
    await clock.asleep()
    assert clock.time - START == 2 * LEASE_S
    assert await lease_end(database) == 3 * LEASE_S
    here.dispatched.go_on.set()
    await running
    assert (await there.hear()).texts == ["a", "b"]


async def test_a_call_of_a_dead_process_is_taken_over_when_its_lease_has_ended(
    there: Asker, database: Database, clock: TurnedClock
) -> None:
    await _claimed_by(database, clock, "dead", there)
    waiting = asyncio.ensure_future(there.hear())
    await clock.turn_until_done(waiting)
    assert (await waiting).texts == ["x", "y"]
    assert clock.time - START >= LEASE_S


async def test_one_that_was_taken_over_does_not_put_its_answer_in_the_others_place(
    database: Database, clock: TurnedClock
) -> None:
    slow, fast = Store(database, clock, "slow"), Store(database, clock, "fast")
    assert await slow.claim(ROW, DIGEST) is None
    clock.turn(LEASE_S)
    assert await fast.claim(ROW, DIGEST) is None
    await slow.renew([ROW])
    await slow.forget(ROW)
    await slow.finish(ROW, DIGEST, b"slow")
    kept = await slow.claim(ROW, DIGEST)
    assert kept is not None
    assert not kept.done
    await fast.finish(ROW, DIGEST, b"fast")
    kept = await slow.claim(ROW, DIGEST)
    assert kept is not None
    assert kept.answer == b"fast"


@pytest.mark.parametrize(
    ("owner", "free"),
    [
        pytest.param(find_worker_id() + "1", True, id="a process of this host that is no more"),
        pytest.param(find_worker_id(), False, id="this process"),
        pytest.param("elsewhere.00000000:1:1", False, id="another host's"),
    ],
)
async def test_what_a_process_left_that_is_known_to_be_dead_is_free_at_once(
    database: Database, clock: TurnedClock, owner: str, free: bool
) -> None:
    assert await Store(database, clock, owner).claim(ROW, DIGEST) is None
    assert (await Store(database, clock, find_worker_id()).claim(ROW, DIGEST) is None) == free


async def test_what_a_dead_process_answered_is_kept(database: Database, clock: TurnedClock) -> None:
    await Store(database, clock, find_worker_id() + "1").finish(ROW, DIGEST, b"answer")
    kept = await Store(database, clock, find_worker_id()).claim(ROW, DIGEST)
    assert kept is not None
    assert kept.answer == b"answer"


async def test_what_a_dead_process_left_is_taken_once(database: Database, clock: TurnedClock) -> None:
    assert await Store(database, clock, find_worker_id() + "1").claim(ROW, DIGEST) is None
    claims = await asyncio.gather(*(Store(database, clock, find_worker_id()).claim(ROW, DIGEST) for _ in range(6)))
    assert claims.count(None) == 1


async def test_the_owner_of_an_older_release_is_believed_to_be_at_it(database: Database, clock: TurnedClock) -> None:
    store = Store(database, clock, find_worker_id())
    assert await store.claim(ROW, DIGEST) is None
    async with database.begin() as connection:
        await connection.execute(IDEMPOTENCY.update().values(worker="0123456789abcdef" * 2))
    assert await store.claim(ROW, DIGEST) is not None
    clock.turn(LEASE_S)
    assert await store.claim(ROW, DIGEST) is None


async def test_a_process_takes_back_what_it_left_behind(database: Database, clock: TurnedClock) -> None:
    store = Store(database, clock, "here")
    assert await store.claim(ROW, DIGEST) is None
    assert await store.claim(ROW, DIGEST) is None


async def test_only_rows_that_have_expired_are_deleted_some_at_a_time(database: Database, clock: TurnedClock) -> None:
    store = Store(database, clock, "here")
    for number in range(130):
        await store.finish(f"{number:064}", DIGEST, None)
    clock.turn(24 * 3600)
    await store.finish(ROW.replace("0", "f"), DIGEST, None)
    counts = []
    for _ in range(3):
        await store.sweep()
        async with database.read() as connection:
            counts.append(len((await connection.execute(select(IDEMPOTENCY.c.id))).all()))
    assert counts == [31, 1, 1]


async def _claimed_by(database: Database, clock: TurnedClock, worker: str, asker: Asker) -> None:
    """Leaves the row that a call needs with a process that is no more."""
    made: Idempotency = idempotency(database, clock, worker)
    call = await begun(replace(asker, made=made, dispatched=Dispatched()))
    async with database.read() as connection:
        row = (await connection.execute(select(IDEMPOTENCY))).one()
    call.cancel()
    await asyncio.wait([call])
    await made.close()
    async with database.begin() as connection:
        await connection.execute(IDEMPOTENCY.insert(), row._asdict())
