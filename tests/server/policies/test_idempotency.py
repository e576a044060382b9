"""Requests with a key: answered once, given to everyone who makes them. In one process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from server.caller import Caller
from server.errors import GatewayError
from server.policies.idempotency import Idempotency
from server.policies.idempotency_run import REPLAYED
from server.storage.database import Database
from server.storage.tables import IDEMPOTENCY
from tests.server.policies.idempotency_stage import CALLER, Asker, Dispatched, TurnedClock, idempotency, text_of
from trunkline.v1.error_reason_pb2 import ErrorReason

DAY_S = 24 * 3600
FAILURE = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_ERROR, "No.", metadata={"provider": "first"})

Ask = Callable[..., Asker]


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def made(sqlite_database: Database, clock: TurnedClock) -> AsyncIterator[Idempotency]:
    opened = idempotency(sqlite_database, clock)
    yield opened
    await opened.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left


@pytest.fixture
def dispatched() -> Dispatched:
    return Dispatched()


@pytest.fixture
def asker(made: Idempotency, dispatched: Dispatched) -> Asker:
    return Asker(made, dispatched)


async def refused(asker: Asker) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await asker.hear()
    return raised.value


async def rows(database: Database) -> list[str]:
    async with database.read() as connection:
        return [row.state for row in await connection.execute(select(IDEMPOTENCY.c.state))]


async def test_the_first_call_is_answered_as_it_would_be_without_a_key(asker: Asker) -> None:
    heard = await asker.hear()
    assert heard.texts == ["a", "b"]
    assert heard.head == {"x-request-id": "req_test", "trunkline-provider": "first", "x-ratelimit-remaining": "7"}
    assert heard.trailers == heard.head
    assert asker.call.notes == {"model": "m", "provider": "first"}


async def test_the_same_call_again_gets_the_same_answer_and_nobody_is_asked(asker: Asker, dispatched: Dispatched) -> None:
    await asker.hear()
    again = replace(asker, request_id="req_again")
    heard = await again.hear()
    assert heard.texts == ["a", "b"]
    assert heard.head == {"x-request-id": "req_again", "trunkline-provider": "first", REPLAYED: "true"}
    assert heard.trailers == heard.head
    assert again.call.notes == {"model": "m", "replayed": True}
    assert len(dispatched.calls) == 1


@pytest.mark.parametrize(("held", "seen"), [(0, []), (1, ["a"]), (2, ["a", "b"])], ids=["begin", "middle", "end"])
async def test_a_call_joins_the_one_that_runs(asker: Asker, dispatched: Dispatched, held: int, seen: list[str]) -> None:
    dispatched.held = held
    first = asyncio.ensure_future(asker.hear())
    await dispatched.waiting.wait()
    joined = replace(asker).stream()
    assert [text_of(await anext(joined)) for _ in seen] == seen
    dispatched.go_on.set()
    assert [text_of(batch) async for batch in joined] == ["a", "b"][held:]
    assert (await first).texts == ["a", "b"]
    assert len(dispatched.calls) == 1


async def test_a_call_that_joined_says_so(asker: Asker, dispatched: Dispatched) -> None:
    dispatched.held = 1
    first = asyncio.ensure_future(asker.hear())
    await dispatched.waiting.wait()
    joined = asyncio.ensure_future(replace(asker).hear())
    dispatched.go_on.set()
    assert REPLAYED not in (await first).head
    assert (await joined).head[REPLAYED] == "true"


async def test_a_slow_caller_holds_up_nobody(asker: Asker, dispatched: Dispatched) -> None:
    slow = asker.stream()
    await anext(slow)
    assert (await replace(asker).hear()).texts == ["a", "b"]
    assert [text_of(batch) async for batch in slow] == ["b"]


@pytest.mark.parametrize("running", [False, True], ids=["after the end", "while it runs"])
async def test_another_body_is_refused(asker: Asker, dispatched: Dispatched, running: bool) -> None:
    dispatched.held = 0 if running else None
    first = asyncio.ensure_future(asker.hear())
    await (dispatched.waiting.wait() if running else first)
    error = await refused(replace(asker, text="Goodbye"))
    assert error.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS
    assert error.metadata == {"name": "idempotencyKeys/k", "param": "Idempotency-Key"}
    assert "Goodbye" not in error.message
    dispatched.go_on.set()
    assert (await first).texts == ["a", "b"]


async def test_a_stream_and_a_whole_answer_are_different_requests(asker: Asker) -> None:
    await asker.hear()
    assert (await refused(replace(asker, streamed=False))).reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(CALLER, key_id="k2"), id="another key"),
        pytest.param(replace(CALLER, tenant_id="t2"), id="another tenant"),
        pytest.param(replace(CALLER, tenant_id="t1k", key_id="1"), id="the same letters"),
        pytest.param(Caller("app", frozenset()), id="a key of the configuration"),
    ],
)
async def test_callers_do_not_meet(asker: Asker, dispatched: Dispatched, other: Caller) -> None:
    await asker.hear()
    assert (await replace(asker, text="Goodbye", caller=other).hear()).texts == ["a", "b"]
    assert len(dispatched.calls) == 2


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "a b", "a\n", "ü", "\x7f"], ids=["none", "long", "space", "line", "ü", "del"]
)
async def test_what_is_no_key_is_refused(asker: Asker, dispatched: Dispatched, key: str) -> None:
    error = await refused(replace(asker, key=key))
    assert error.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST
    assert error.metadata == {"param": "Idempotency-Key"}
    assert not dispatched.calls


@pytest.mark.parametrize("key", ["!", "~" * 255, "stainless-python-retry-1"], ids=["shortest", "longest", "a package's"])
async def test_what_is_a_key_is_taken(asker: Asker, key: str) -> None:
    assert (await replace(asker, key=key).hear()).texts == ["a", "b"]


@pytest.mark.parametrize("texts", [(), ("a",)], ids=["before the first batch", "after it"])
async def test_a_failure_is_everyones_and_is_not_kept(
    asker: Asker, dispatched: Dispatched, sqlite_database: Database, texts: tuple[str, ...]
) -> None:
    dispatched.texts, dispatched.error, dispatched.held = texts, FAILURE, len(texts)
    both = [asyncio.ensure_future(refused(asker)), asyncio.ensure_future(refused(replace(asker)))]
    await dispatched.waiting.wait()
    dispatched.go_on.set()
    errors = await asyncio.gather(*both)
    assert [(error.reason, error.message, error.metadata) for error in errors] == [
        (FAILURE.reason, "No.", {"provider": "first"})
    ] * 2
    assert errors[0] is not errors[1]
    dispatched.texts, dispatched.error, dispatched.held = ("a", "b"), None, None
    heard = await replace(asker, text="Another body is as good now").hear()
    assert heard.texts == ["a", "b"]
    assert REPLAYED not in heard.head
    assert len(dispatched.calls) == 2
    assert await rows(sqlite_database) == ["done"]


async def test_what_is_used_up_is_told_to_everyone(asker: Asker, dispatched: Dispatched) -> None:
    used_up = (("tenant:t1", "No more."),)
    reason = ErrorReason.ERROR_REASON_QUOTA_EXCEEDED
    dispatched.texts, dispatched.error = (), GatewayError(reason, "No more.", violations=used_up)
    assert (await refused(asker)).violations == used_up


async def test_a_call_that_its_only_caller_left_is_ended_and_forgotten(
    asker: Asker, made: Idempotency, dispatched: Dispatched, sqlite_database: Database
) -> None:
    dispatched.held = 1
    left = asker.stream()
    await anext(left)
    await dispatched.waiting.wait()
    await left.aclose()
    dispatched.held = None
    heard = await replace(asker).hear()
    assert REPLAYED not in heard.head
    assert (len(dispatched.calls), dispatched.closed) == (2, 2)
    assert await rows(sqlite_database) == ["done"]


async def test_a_caller_that_is_cancelled_before_anything_began_leaves_nothing(asker: Asker, dispatched: Dispatched) -> None:
    leaving = asyncio.ensure_future(asker.hear())
    asyncio.get_running_loop().call_soon(leaving.cancel)
    await asyncio.wait([leaving])
    assert (await replace(asker).hear()).texts == ["a", "b"]
    assert len(dispatched.calls) == 1


async def test_a_call_goes_on_while_anybody_listens(asker: Asker, dispatched: Dispatched) -> None:
    dispatched.held = 1
    first = asker.stream()
    await anext(first)
    joined = replace(asker).stream()
    assert text_of(await anext(joined)) == "a"
    await first.aclose()
    dispatched.go_on.set()
    assert [text_of(batch) async for batch in joined] == ["b"]
    assert (await replace(asker).hear()).texts == ["a", "b"]
    assert len(dispatched.calls) == 1


async def test_everyone_has_a_deadline_of_ones_own(asker: Asker, dispatched: Dispatched) -> None:
    dispatched.held = 1
    first = asyncio.ensure_future(asker.hear())
    await dispatched.waiting.wait()
    hurried = replace(asker, time_left_s=0.001)
    assert (await refused(hurried)).reason == ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED
    assert dispatched.calls[0].context.time_remaining() is None
    dispatched.go_on.set()
    assert (await first).texts == ["a", "b"]


async def test_an_answer_is_kept_for_a_day_and_then_deleted_in_passing(
    asker: Asker, dispatched: Dispatched, clock: TurnedClock, sqlite_database: Database
) -> None:
    await asker.hear()
    clock.turn(DAY_S - 1)
    assert REPLAYED in (await replace(asker).hear()).head
    clock.turn(1)
    assert REPLAYED not in (await replace(asker, text="Goodbye").hear()).head
    clock.turn(DAY_S)
    await replace(asker, key="other").hear()
    await asker.made.close()
    assert await rows(sqlite_database) == ["done"]
    assert len(dispatched.calls) == 3


@pytest.fixture
def small(sqlite_database: Database, clock: TurnedClock, dispatched: Dispatched) -> Asker:
    """Asks one that keeps only answers of a few bytes."""
    return Asker(idempotency(sqlite_database, clock, "worker-2", most_bytes=10), dispatched)


async def test_an_answer_that_is_too_large_is_not_kept(small: Asker, dispatched: Dispatched) -> None:
    dispatched.texts = ("abc", "def", "x" * 3_000_000, "ghi")
    assert len((await small.hear()).texts) == 4
    error = await refused(replace(small))
    assert error.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS
    assert "too large" in error.message
    assert len(dispatched.calls) == 1
    await small.made.close()


async def test_callers_that_read_an_answer_too_large_get_all_of_it(small: Asker, dispatched: Dispatched) -> None:
    dispatched.texts = tuple(str(place) + "x" * 600_000 for place in range(6))
    dispatched.held = 0
    slow = asyncio.ensure_future(small.hear())
    await dispatched.waiting.wait()
    other = replace(small).stream()
    dispatched.go_on.set()
    assert text_of(await anext(other))[0] == "0"
    error = await refused(replace(small))
    assert "too large" in error.message
    assert [text_of(batch)[0] async for batch in other] == ["1", "2", "3", "4", "5"]
    assert [text[0] for text in (await slow).texts] == ["0", "1", "2", "3", "4", "5"]
    await small.made.close()


async def test_a_large_answer_comes_back_whole(asker: Asker, dispatched: Dispatched, sqlite_database: Database) -> None:
    dispatched.texts = ("word " * 200_000, "end")
    await asker.hear()
    assert (await replace(asker).hear()).texts == list(dispatched.texts)
    async with sqlite_database.read() as connection:
        packed = await connection.scalar(select(IDEMPOTENCY.c.answer))
    assert packed is not None
    assert len(packed) < 100_000


async def test_closing_ends_what_runs(asker: Asker, dispatched: Dispatched, sqlite_database: Database) -> None:
    dispatched.held = 1
    heard = asyncio.ensure_future(refused(asker))
    await dispatched.waiting.wait()
    await asker.made.close()
    assert (await heard).reason == ErrorReason.ERROR_REASON_OVERLOADED
    assert dispatched.closed == 1
    assert await rows(sqlite_database) == []


async def test_without_its_database_a_request_is_refused_and_nobody_is_asked(
    asker: Asker, dispatched: Dispatched, sqlite_database: Database
) -> None:
    async with sqlite_database.begin() as connection:
        await connection.run_sync(IDEMPOTENCY.drop)
    error = await refused(asker)
    assert error.reason == ErrorReason.ERROR_REASON_OVERLOADED
    assert error.retry_after_s is not None
    assert not dispatched.calls


@pytest.fixture
def settled(dispatched: Dispatched) -> Dispatched:
    """Has the answer kept, and waits before it ends."""
    dispatched.settled, dispatched.held = True, len(dispatched.texts)
    return dispatched


async def test_an_answer_is_kept_before_it_is_settled(
    asker: Asker, settled: Dispatched, sqlite_database: Database, clock: TurnedClock
) -> None:
    first = asyncio.ensure_future(asker.hear())
    await settled.waiting.wait()
    assert await rows(sqlite_database) == ["done"]
    after_a_crash = idempotency(sqlite_database, clock, "worker-2")
    heard = await replace(asker, made=after_a_crash).hear()
    assert (heard.texts, heard.trailers["trunkline-cost-usd-micros"]) == (["a", "b"], "5")
    assert REPLAYED in heard.head
    await after_a_crash.close()
    settled.go_on.set()
    await first
    assert len(settled.calls) == 1


async def test_an_answer_that_is_kept_is_not_forgotten_when_its_settlement_fails(asker: Asker, settled: Dispatched) -> None:
    settled.error = FAILURE
    settled.go_on.set()
    assert (await refused(asker)).reason == FAILURE.reason
    assert (await replace(asker).hear()).texts == ["a", "b"]
    assert len(settled.calls) == 1


async def test_a_caller_that_leaves_while_its_answer_is_settled_gets_it_when_it_asks_again(
    asker: Asker, settled: Dispatched
) -> None:
    left = asker.stream()
    await anext(left)
    await settled.waiting.wait()
    await left.aclose()
    settled.go_on.set()
    assert (await replace(asker).hear()).texts == ["a", "b"]
    assert len(settled.calls) == 1


async def test_an_answer_that_cannot_be_kept_is_given_nevertheless_and_kept_later(
    asker: Asker, dispatched: Dispatched, sqlite_database: Database, clock: TurnedClock
) -> None:
    dispatched.held = 1
    first = asyncio.ensure_future(asker.hear())
    await dispatched.waiting.wait()
    async with sqlite_database.begin() as connection:
        await connection.run_sync(IDEMPOTENCY.drop)
    dispatched.go_on.set()
    assert (await first).texts == ["a", "b"]
    again = await replace(asker).hear()
    assert (again.texts, again.head[REPLAYED]) == (["a", "b"], "true")
    async with sqlite_database.begin() as connection:
        await connection.run_sync(IDEMPOTENCY.create)
    await clock.turn_for_sleeper()
    await asker.made.close()
    assert await rows(sqlite_database) == ["done"]
    assert len(dispatched.calls) == 1


async def test_closing_does_not_wait_for_a_database_that_fails(
    asker: Asker, dispatched: Dispatched, sqlite_database: Database
) -> None:
    dispatched.held = 2
    first = asyncio.ensure_future(asker.hear())
    await dispatched.waiting.wait()
    async with sqlite_database.begin() as connection:
        await connection.run_sync(IDEMPOTENCY.drop)
    dispatched.go_on.set()
    assert (await first).texts == ["a", "b"]
    await asker.made.close()
