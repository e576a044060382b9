"""However a request ends, it gives back what it took: its room, its part of the budget, its targets' attempts and probes."""

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress

import pytest

from server.caller import ANONYMOUS
from server.config.schema import CircuitBreakerSettings
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.means import Means
from server.errors import GatewayError, reason_name
from server.providers.base import Ask, Batch
from server.providers.errors import Fault, ProviderError
from tests.server.calls import RecordingContext, call
from tests.server.dispatch.scripted_provider import Scripted, chat, fails, means, rated, rows, says

ANSWER = [says("Hello"), says(" there", end="stop")]
HEDGING = {"hedging": {"delay_s": 0.001}}
BREAKS = ProviderError(Fault.CONNECTION, "Gone.")


class RunningOut(RecordingContext):
    """A context whose deadline comes nearer each time that somebody looks."""

    def __init__(self, *left_s: float) -> None:
        super().__init__()
        self._left_s = list(left_s)

    def time_remaining(self) -> float | None:
        return self._left_s.pop(0) if len(self._left_s) > 1 else self._left_s[0]


class Waiting(Scripted):
    """A provider that is silent after its batches, tells when it is, and takes its time to close."""

    def __init__(self, batches: Sequence[Batch] = (), closing: Callable[[], None] = lambda: None) -> None:
        super().__init__(batches, silent=True)
        self.silence = asyncio.Event()
        self.closing = asyncio.Event()
        self._closes = closing

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        self.asks.append(ask)
        try:
            for batch in self.batches:
                yield batch
            self.silence.set()
            await asyncio.Event().wait()
        finally:
            self.closing.set()
            await asyncio.sleep(0)
            self._closes()
            self.closed += 1


def nothing_is_taken(given: Means) -> None:
    states = [target.state for target in given.router.targets("m", ANONYMOUS)]
    assert (given.gate.in_flight, [state.in_flight for state in states]) == (0, [0] * len(states))
    assert [given.budget.take() for _ in range(4)] == [True, True, True, False]


async def ask(given: Means, context: RecordingContext | None = None) -> None:
    async with aclosing(Dispatcher(given).stream(chat(), call(context=context))) as batches:
        async for _ in batches:
            pass


async def ask_whole(given: Means, context: RecordingContext | None = None) -> None:
    await Dispatcher(given).answer(chat(streamed=False), call(context=context))


async def leave(given: Means, when: asyncio.Event, asks: Callable[[Means], Awaitable[None]] = ask) -> None:
    """Asks, and is cancelled as soon as something has happened."""
    asking = asyncio.ensure_future(asks(given))
    await when.wait()
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()


async def test_a_deadline_that_passes_before_a_retry_gives_the_budget_back() -> None:
    given = means(rows(fails(Fault.SERVER), max_retries=1, retry_delay=0))
    with pytest.raises(GatewayError) as raised:
        await ask(given, RunningOut(9, 9, 0))
    assert reason_name(raised.value.reason) == "deadline_exceeded"
    nothing_is_taken(given)


async def test_a_deadline_that_passes_before_a_hedge_leaves_the_first_attempt_alone() -> None:
    other = Scripted(ANSWER)
    slow = Waiting()
    given = means(rows(slow, other, first_chunk_timeout=0.02), HEDGING)
    with pytest.raises(GatewayError):
        await ask(given, RunningOut(9, 0))
    assert (slow.closed, other.asks) == (1, [])
    nothing_is_taken(given)


async def test_who_leaves_while_a_retry_waits_gives_the_budget_back() -> None:
    failed = asyncio.Event()

    class Failing(Scripted):
        async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
            failed.set()
            raise ProviderError(Fault.RATE_LIMITED, "No.", retry_after_s=29)
            yield

    given = means(rows(Failing(), max_retries=1))
    await leave(given, failed)
    nothing_is_taken(given)


async def test_a_retry_that_the_providers_own_rate_refuses_gives_the_budget_back() -> None:
    given = rated(means(rows(fails(Fault.SERVER), max_retries=1, retry_delay=0, rate_limit=1)))
    with pytest.raises(GatewayError):
        await ask(given)
    nothing_is_taken(given)


async def test_who_leaves_a_race_gives_everything_back() -> None:
    first, second = Waiting(), Waiting()
    given = means(rows(first, second), HEDGING)
    await leave(given, second.silence)
    assert (first.closed, second.closed) == (1, 1)
    nothing_is_taken(given)


async def test_who_leaves_while_a_races_loser_closes_leaves_no_winner_behind() -> None:
    first, second = Waiting(), Scripted(ANSWER)
    given = means(rows(first, second), HEDGING)
    await leave(given, first.closing)
    assert (first.closed, second.closed) == (1, 1)
    nothing_is_taken(given)


async def test_who_leaves_twice_still_gives_everything_back() -> None:
    first, second = Waiting(), Waiting()
    given = means(rows(first, second), HEDGING)
    asking = asyncio.ensure_future(ask(given))
    await second.silence.wait()
    asking.cancel()
    await first.closing.wait()
    asking.cancel()
    await asyncio.wait([asking])
    nothing_is_taken(given)
    assert (first.closed, second.closed) == (1, 1)


async def test_who_leaves_in_the_middle_of_a_stream_gives_everything_back() -> None:
    provider = Waiting(ANSWER[:1])
    given = means(rows(provider))
    await leave(given, provider.silence)
    assert provider.closed == 1
    nothing_is_taken(given)


async def test_who_leaves_while_a_stream_is_mended_gives_everything_back() -> None:
    second = Waiting()
    given = means(rows(Scripted(ANSWER[:1], BREAKS), second))
    await leave(given, second.silence)
    assert second.closed == 1
    nothing_is_taken(given)


async def test_who_leaves_while_the_other_answer_catches_up_gives_everything_back() -> None:
    second = Waiting([says("Hel")])
    given = means(rows(Scripted(ANSWER[:1], BREAKS), second))
    await leave(given, second.silence)
    assert second.closed == 1
    nothing_is_taken(given)


async def test_a_probe_that_nobody_waits_for_any_more_makes_room_for_the_next() -> None:
    probed = Waiting()
    given = means(rows(probed), breaker=CircuitBreakerSettings(failure_threshold=1, recovery_timeout=0.001))
    breaker = given.router.targets("m", ANONYMOUS)[0].state.breaker
    breaker.failed(breaker.begin(), given.clock.monotonic() - 1)
    await leave(given, probed.silence)
    assert breaker.lets_through(given.clock.monotonic())
    nothing_is_taken(given)


@pytest.mark.parametrize("routing", [{}, HEDGING, {"on_broken_stream": "error"}], ids=["in turn", "raced", "not mended"])
@pytest.mark.parametrize("told", [[], ANSWER[:1]], ids=["before it begins", "in the midst"])
async def test_a_silent_stream_is_not_read_on_where_nobody_left_it(
    told: Sequence[Batch], routing: dict[str, object]
) -> None:
    silent = Waiting(told)
    limits = {"first_chunk_timeout": 0.05, "idle_timeout": 0.05, "broken_stream_billing": "read_to_end"}
    with suppress(GatewayError):
        await ask(means(rows(silent, Scripted(ANSWER), **limits), routing))
    assert silent.closed == len(silent.asks) == 1


async def test_a_provider_that_fails_to_close_keeps_no_room() -> None:
    def breaks() -> None:
        raise RuntimeError("closing failed")

    given = means(rows(Waiting(ANSWER, breaks)))
    batches = Dispatcher(given).stream(chat(), call())
    await anext(batches)
    await anext(batches)
    waiting = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    nothing_is_taken(given)


@pytest.mark.parametrize("routing", [{}, HEDGING], ids=["in turn", "raced"])
@pytest.mark.parametrize("told", [[], ANSWER[1:]], ids=["before the answer", "before its end"])
async def test_who_leaves_an_unstreamed_answer_gives_everything_back(
    told: Sequence[Batch], routing: dict[str, object]
) -> None:
    first, second = Waiting(told), Waiting(told)
    given = means(rows(first, second), routing)
    await leave(given, second.silence if routing else first.silence, ask_whole)
    assert (first.closed, second.closed) == (1, len(second.asks))
    nothing_is_taken(given)


async def test_who_leaves_while_the_loser_closes_leaves_no_whole_answer_behind() -> None:
    first, second = Waiting(), Scripted(ANSWER[1:])
    given = means(rows(first, second), HEDGING)
    await leave(given, first.closing, ask_whole)
    assert (first.closed, second.closed) == (1, 1)
    nothing_is_taken(given)


@pytest.mark.parametrize("routing", [{}, HEDGING], ids=["in turn", "raced"])
@pytest.mark.parametrize(
    "providers",
    [
        [fails(Fault.SERVER), Scripted(ANSWER[1:])],
        [fails(Fault.SERVER), fails(Fault.SERVER)],
        [Scripted(ANSWER[1:], BREAKS)],
        [Scripted(ANSWER)],
        [Scripted()],
    ],
    ids=["fails over", "fails", "breaks at its end", "answers twice", "says nothing"],
)
async def test_an_unstreamed_request_is_let_go_of_without_the_garbage_collector(
    providers: list[Scripted], routing: dict[str, object]
) -> None:
    given = means(rows(*providers), routing)
    context = RecordingContext()
    kept = weakref.ref(context)
    gc.disable()
    try:
        with suppress(GatewayError):
            await ask_whole(given, context)
        del context
        await asyncio.sleep(0)  # a race's tasks are let go of by the loop
        assert kept() is None
    finally:
        gc.enable()
    nothing_is_taken(given)
