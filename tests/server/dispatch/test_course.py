"""Retries, fallbacks, hedges and deadlines: all that happens before the first chunk."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from server.call import Call
from server.caller import ANONYMOUS
from server.config.schema import CircuitBreakerSettings
from server.dispatch.breaker import Try
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.gate import Gate
from server.dispatch.means import Means
from server.dispatch.router import Row
from server.dispatch.standing import Standing
from server.errors import GatewayError, reason_name
from server.limits.counters import Claim, Taken
from server.limits.memory import MemoryCounters
from server.providers.base import Ask, Batch, Operation
from server.providers.errors import Fault, ProviderError
from tests.server.calls import RecordingContext, call
from tests.server.dispatch.scripted_provider import Scripted, chat, fails, means, rated, row, rows, says
from trunkline.v1.chat_pb2 import Usage
from trunkline.v1.error_reason_pb2 import ErrorReason

ANSWER = [says("Hello", end="stop")]
AT_ONCE: dict[str, object] = {"max_retries": 2, "retry_delay": 0}


async def answer(given: Means, made: Call | None = None, model: str = "m", streamed: bool = True) -> Sequence[Batch]:
    async with aclosing(Dispatcher(given).stream(chat(model, streamed), made or call())) as batches:
        return [batch async for batch in batches]


async def refusal(given: Means, made: Call | None = None, model: str = "m") -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await answer(given, made, model)
    return raised.value


# Retries


async def test_a_target_that_fails_once_is_asked_again() -> None:
    provider, other = Scripted(ANSWER, turns=[fails(Fault.SERVER)]), Scripted(ANSWER)
    made = call()
    assert await answer(means(rows(provider, other, **AT_ONCE)), made) == ANSWER
    assert (len(provider.asks), len(other.asks), provider.closed) == (2, 0, 2)
    assert made.notes["attempts"] == 2


async def test_a_target_is_asked_again_as_often_as_its_row_says_then_the_next() -> None:
    provider, other = fails(Fault.SERVER), Scripted(ANSWER)
    assert await answer(means(rows(provider, other, **AT_ONCE))) == ANSWER
    assert (len(provider.asks), len(other.asks)) == (3, 1)


async def test_silence_is_not_waited_for_twice() -> None:
    provider, other = Scripted(silent=True), Scripted(ANSWER)
    assert await answer(means(rows(provider, other, first_chunk_timeout=0.02, **AT_ONCE))) == ANSWER
    assert (len(provider.asks), provider.closed) == (1, 1)


async def test_a_target_that_says_when_to_come_back_is_left_for_another() -> None:
    provider, other = fails(Fault.RATE_LIMITED, retry_after_s=20), Scripted(ANSWER)
    given = means(rows(provider, other, **AT_ONCE))
    assert await answer(given) == ANSWER
    assert await answer(given) == ANSWER
    assert (len(provider.asks), len(other.asks)) == (1, 2)


async def test_retries_stop_where_the_budget_ends() -> None:
    provider = fails(Fault.SERVER)
    given = means(rows(provider, max_retries=100, retry_delay=0))
    for _ in range(3):
        assert given.budget.take()
    await refusal(given)
    assert len(provider.asks) == 1


async def test_the_budget_is_whole_again_when_all_has_ended() -> None:
    given = means(rows(Scripted(ANSWER, turns=[fails(Fault.SERVER)] * 2), **AT_ONCE))
    for _ in range(5):
        await answer(given)
    assert [given.budget.take() for _ in range(4)] == [True, True, True, False]


async def test_an_attempt_that_cannot_answer_in_time_is_not_made() -> None:
    provider = Scripted(turns=[Scripted(ANSWER)], error=ProviderError(Fault.SERVER, "No."))
    given = means(rows(provider, **AT_ONCE))
    await answer(given)
    given.router.targets("m", ANONYMOUS)[0].state.first_chunk(Try(False), 5)
    target = given.router.targets("m", ANONYMOUS)[0]
    target.state._times.popleft()  # its fastest answer takes 5 seconds now
    error = await refusal(given, call(context=RecordingContext(2)))
    assert (reason_name(error.reason), len(provider.asks)) == ("deadline_exceeded", 2)


# Whom to ask


async def test_a_broken_target_is_left_alone_while_another_answers() -> None:
    provider, other = fails(Fault.SERVER), Scripted(ANSWER)
    given = means(rows(provider, other), breaker=CircuitBreakerSettings(failure_threshold=3))
    for _ in range(20):
        assert await answer(given) == ANSWER
    assert (len(provider.asks), len(other.asks)) == (3, 20)


async def test_a_lone_target_is_asked_though_its_breaker_is_open() -> None:
    provider = Scripted(ANSWER, turns=[fails(Fault.SERVER)] * 3)
    given = means(rows(provider), breaker=CircuitBreakerSettings(failure_threshold=3))
    for _ in range(3):
        await refusal(given)
    assert await answer(given) == ANSWER


async def test_a_target_with_an_open_breaker_is_not_asked_again_in_one_request() -> None:
    provider = fails(Fault.SERVER)
    given = means(rows(provider, **AT_ONCE), breaker=CircuitBreakerSettings(failure_threshold=1))
    await refusal(given)
    assert len(provider.asks) == 1


async def test_targets_that_are_full_are_overload() -> None:
    given = means(rows(Scripted(ANSWER)))
    _full(given)
    error = await refusal(given)
    assert (reason_name(error.reason), error.retry_after_s) == ("overloaded", 1)


def _full(given: Means) -> None:
    """Gives a target as much work as it takes."""
    state = given.router.targets("m", ANONYMOUS)[0].state
    tries = [state.begin() for _ in range(6)]
    state.failed(tries[0], ProviderError(Fault.OVERLOADED, "No."), given.clock.monotonic())
    assert state.full


class _NoChance(random.Random):
    """Chance of whom no back-off may be asked."""

    def uniform(self, a: float, b: float) -> float:
        raise AssertionError(f"a back-off of up to {b} s")


@pytest.mark.parametrize("retry_after_s", [None, 20.0], ids=["no hint", "a hint"])
async def test_a_target_that_is_full_when_it_refuses_is_not_waited_for(retry_after_s: float | None) -> None:
    provider = fails(Fault.OVERLOADED, retry_after_s=retry_after_s)
    given = replace(means(rows(provider, max_retries=2, retry_delay=30)), chance=_NoChance())
    state = given.router.targets("m", ANONYMOUS)[0].state
    for _ in range(6):
        state.begin()
    error = await refusal(given)
    assert (reason_name(error.reason), error.retry_after_s) == ("providers_unavailable", retry_after_s or 1)
    assert (len(provider.asks), state.in_flight) == (1, 6)


async def test_without_retry_budget_nothing_is_waited_for() -> None:
    given = means(rows(fails(Fault.OVERLOADED, retry_after_s=20), max_retries=2))
    while given.budget.take():
        pass
    async with asyncio.timeout(10):
        await refusal(given)


async def test_an_open_breaker_is_no_way_around_a_target_that_is_full() -> None:
    provider = Scripted(ANSWER)
    given = means(rows(provider), breaker=CircuitBreakerSettings(failure_threshold=1))
    _full(given)
    assert given.router.targets("m", ANONYMOUS)[0].state.standing(given.clock.monotonic()) is Standing.OPEN
    error = await refusal(given)
    assert (reason_name(error.reason), provider.asks) == ("overloaded", [])


async def test_a_fallback_model_is_asked_when_all_of_the_models_targets_failed() -> None:
    big = Scripted(ANSWER)
    given = [*rows(fails(Fault.SERVER), fails(Fault.TIMEOUT)), Row(row("big", "large"), big)]
    assert await answer(means(given, {"fallbacks": {"m": ["unknown", "large"]}})) == ANSWER
    assert big.asks[0].model == "large"


async def test_a_model_that_nobody_serves_may_have_a_fallback() -> None:
    given = means([Row(row("a", "x"), Scripted(ANSWER))], {"fallbacks": {"m": ["x"]}})
    assert await answer(given) == ANSWER


async def test_a_prompt_too_long_goes_to_the_configured_larger_model_only() -> None:
    other, big = Scripted(ANSWER), Scripted(ANSWER)
    given = [*rows(fails(Fault.CONTEXT_LENGTH), other), Row(row("big", "large"), big)]
    assert await answer(means(given, {"context_window_fallbacks": {"m": ["large"]}})) == ANSWER
    assert (len(other.asks), len(big.asks)) == (0, 1)


async def test_a_prompt_too_long_for_all_is_told_as_that() -> None:
    error = await refusal(means(rows(fails(Fault.CONTEXT_LENGTH), Scripted(ANSWER))))
    assert error.reason == ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED


async def test_larger_models_that_are_too_small_as_well_are_each_asked_once() -> None:
    small, big, bigger = (fails(Fault.CONTEXT_LENGTH) for _ in range(3))
    given = [*rows(small), Row(row("big", "large"), big), Row(row("bigger", "larger"), bigger)]
    await refusal(means(given, {"context_window_fallbacks": {"m": ["large", "larger"]}}))
    assert (len(small.asks), len(big.asks), len(bigger.asks)) == (1, 1, 1)


async def test_a_larger_model_without_the_operation_is_not_asked() -> None:
    vectors = Scripted(operations=frozenset({Operation.EMBEDDINGS}))
    given = [*rows(fails(Fault.CONTEXT_LENGTH)), Row(row("vectors", "large"), vectors)]
    await refusal(means(given, {"context_window_fallbacks": {"m": ["large"]}}))
    assert vectors.asks == []


async def test_a_larger_model_of_a_provider_that_the_caller_may_not_use_is_not_asked() -> None:
    big, made = Scripted(ANSWER), call()
    given = [*rows(fails(Fault.CONTEXT_LENGTH)), Row(row("big", "large"), big)]
    made.caller = replace(ANONYMOUS, providers=("a",))
    error = await refusal(means(given, {"context_window_fallbacks": {"m": ["large"]}}), made)
    assert (error.reason, big.asks) == (ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED, [])


async def test_a_target_too_slow_for_the_time_that_is_left_is_passed_by() -> None:
    slow, quick = Scripted(ANSWER), Scripted(ANSWER)
    given = means(rows(fails(Fault.SERVER), slow, quick))
    given.router.targets("m", ANONYMOUS)[1].state.first_chunk(Try(False), 5)
    assert await answer(given, call(context=RecordingContext(2))) == ANSWER
    assert (len(slow.asks), len(quick.asks)) == (0, 1)


async def test_a_target_that_said_when_to_come_back_comes_after_a_fallback_that_did_not() -> None:
    provider, big = fails(Fault.RATE_LIMITED, retry_after_s=20), Scripted(ANSWER)
    given = means([*rows(provider), Row(row("big", "large"), big)], {"fallbacks": {"m": ["large"]}})
    for _ in range(3):
        assert await answer(given) == ANSWER
    assert (len(provider.asks), len(big.asks)) == (1, 3)


async def test_a_retry_is_not_made_once_others_have_opened_the_breaker() -> None:
    class Failing(Scripted):
        async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
            self.asks.append(ask)
            breaker = given.router.targets("m", ANONYMOUS)[0].state.breaker
            asyncio.get_running_loop().call_soon(breaker.failed, breaker.begin(), given.clock.monotonic())
            raise ProviderError(Fault.RATE_LIMITED, "No.", retry_after_s=0.001)
            yield

    provider, other = Failing(), Scripted(ANSWER)
    given = means(rows(provider, other, max_retries=1), breaker=CircuitBreakerSettings(failure_threshold=1))
    assert await answer(given) == ANSWER
    assert (len(provider.asks), len(other.asks)) == (1, 1)


async def test_a_filtered_prompt_goes_elsewhere_only_where_that_is_allowed() -> None:
    other = Scripted(ANSWER)
    await refusal(means(rows(fails(Fault.CONTENT_FILTER), other)))
    assert other.asks == []
    assert await answer(means(rows(fails(Fault.CONTENT_FILTER), other), {"content_filter_fallback": True})) == ANSWER


# Time


async def test_silence_before_the_first_chunk_is_a_timeout() -> None:
    error = await refusal(means(rows(Scripted(silent=True), first_chunk_timeout=0.02)))
    assert error.metadata["errors"].count("timeout_error") == 1


async def test_the_whole_answer_may_take_only_so_long() -> None:
    provider = Scripted([says("Hel")], silent=True)
    error = await refusal(means(rows(provider, timeout=0.02), {"on_broken_stream": "error"}))
    assert (error.message, provider.closed) == ("The answer broke off: The provider did not answer in time.", 1)


async def test_silence_between_chunks_is_a_timeout() -> None:
    provider = Scripted([says("Hel")], silent=True)
    error = await refusal(means(rows(provider, idle_timeout=0.02), {"on_broken_stream": "error"}))
    assert error.message == "The answer broke off: The provider was silent for too long."


async def test_the_callers_deadline_bounds_an_attempt() -> None:
    error = await refusal(means(rows(Scripted(silent=True))), call(context=RecordingContext(0.03)))
    assert error.metadata["errors"].count("timeout_error") == 1


async def test_a_caller_in_a_hurry_opens_nobodys_breaker() -> None:
    given = means(rows(Scripted(silent=True)), breaker=CircuitBreakerSettings(failure_threshold=1))
    await refusal(given, call(context=RecordingContext(0.02)))
    assert given.router.targets("m", ANONYMOUS)[0].state.standing(0) is Standing.READY


async def test_silence_for_longer_than_the_row_says_opens_the_breaker_whatever_the_deadline() -> None:
    given = means(rows(Scripted(silent=True), first_chunk_timeout=0.02), breaker=CircuitBreakerSettings(failure_threshold=1))
    await refusal(given, call(context=RecordingContext(9)))
    assert given.router.targets("m", ANONYMOUS)[0].state.standing(0) is Standing.OPEN


async def test_an_end_that_does_not_come_after_the_usage_is_not_waited_for() -> None:
    provider = Scripted([says("Hello", end="stop"), says("", Usage(input_tokens=1, output_tokens=1))], silent=True)
    assert len(await answer(means(rows(provider, idle_timeout=60)))) == 2
    assert provider.closed == 1


# Hedging


HEDGING = {"hedging": {"delay_s": 0.01}}


async def test_a_late_first_chunk_is_raced_by_the_next_target() -> None:
    late, other = Scripted(silent=True), Scripted(ANSWER)
    made = call()
    assert await answer(means(rows(late, other), HEDGING), made) == ANSWER
    assert (late.closed, other.closed, made.notes["provider"]) == (1, 1, "b")
    assert made.notes["hedge_lost"] == "a"


async def test_nobody_races_a_target_that_answers_in_time() -> None:
    other = Scripted(ANSWER)
    assert await answer(means(rows(Scripted(ANSWER), other), HEDGING)) == ANSWER
    assert other.asks == []


async def test_only_the_named_models_are_raced() -> None:
    late, other = Scripted(silent=True), Scripted(ANSWER)
    hedging = {"hedging": {"delay_s": 0.01, "models": ["fast-*"]}}
    assert await answer(means(rows(late, other, first_chunk_timeout=0.05), hedging)) == ANSWER
    assert late.closed == 1


async def test_a_race_that_both_lose_goes_on_with_the_next() -> None:
    late, wrong, last = Scripted(silent=True), fails(Fault.SERVER), Scripted(ANSWER)
    made = call()
    assert await answer(means(rows(late, wrong, last, first_chunk_timeout=0.05), HEDGING), made) == ANSWER
    assert made.notes["failures"] == ["b: server_error", "a: timeout_error"]


async def test_a_late_target_that_fails_before_the_other_one_begins_is_told() -> None:
    raced = asyncio.Event()

    class Late(Scripted):
        async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
            await raced.wait()
            raise ProviderError(Fault.SERVER, "No.")
            yield

    class Other(Scripted):
        async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
            raced.set()
            for _ in range(5):  # rounds of the loop, in which the late one fails
                await asyncio.sleep(0)
            yield ANSWER[0]

    made = call()
    assert await answer(means(rows(Late(), Other()), HEDGING), made) == ANSWER
    assert (made.notes["failures"], made.notes["provider"], made.notes["attempts"]) == (["a: server_error"], "b", 2)


async def test_a_race_does_not_exceed_the_providers_own_rate() -> None:
    late, other = Scripted(silent=True, turns=[Scripted(ANSWER)]), Scripted(ANSWER)
    given = rated(means([*rows(late, first_chunk_timeout=0.05), Row(row("b", "m", "n", rate_limit=1), other)], HEDGING))
    await answer(given, model="n")
    await answer(given)
    error = await refusal(given)
    assert (len(late.asks), len(other.asks)) == (2, 1)
    assert [given.budget.take() for _ in range(4)] == [True, True, True, False]
    assert error.metadata["errors"].count("rate_limit_error") == 1


async def test_a_late_target_that_begins_while_the_rate_of_the_other_one_is_asked_for_has_no_rival() -> None:
    asked = asyncio.Event()

    class Late(Scripted):
        async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
            await asked.wait()
            yield ANSWER[0]

    class Slow(MemoryCounters):
        async def take(self, claims: Sequence[Claim]) -> Taken:
            asked.set()
            for _ in range(5):  # rounds of the loop, in which the late one begins
                await asyncio.sleep(0)
            return await super().take(claims)

    given, made = means([*rows(Late()), Row(row("b", "m", rate_limit=5), Scripted(ANSWER))], HEDGING), call()
    assert await answer(rated(given, Slow(given.clock)), made) == ANSWER[:1]
    assert (made.notes["attempts"], made.notes.get("hedge_lost")) == (1, None)
    assert [given.budget.take() for _ in range(4)] == [True, True, True, False]


async def test_leaving_a_race_closes_both() -> None:
    late, later = Scripted(silent=True), Scripted(silent=True)
    given = means(rows(late, later, timeout=0.05), HEDGING)
    await refusal(given)
    assert (late.closed, later.closed) == (1, 1)
    assert [given.budget.take() for _ in range(4)] == [True, True, True, False]


# Room


async def test_past_the_limit_a_request_is_turned_away_at_once() -> None:
    given = means(rows(Scripted(ANSWER)))
    full = Means(given.router, given.routing, given.strategy, given.clock, gate=Gate(1))
    async with aclosing(Dispatcher(full).stream(chat(), call())) as first:
        await anext(first)
        error = await refusal(full)
        assert (reason_name(error.reason), error.retry_after_s) == ("overloaded", 1)
    assert await answer(full) == ANSWER


async def test_the_batch_lane_has_half_of_the_room() -> None:
    given = means(rows(Scripted(ANSWER)))
    room = Means(given.router, given.routing, given.strategy, given.clock, gate=Gate(2))
    batch = {"x-trunkline-priority": "batch"}
    async with aclosing(Dispatcher(room).stream(chat(), call())) as first:
        await anext(first)
        await refusal(room, call(metadata=batch))
        assert await answer(room) == ANSWER
    assert await answer(room, call(metadata=batch)) == ANSWER


async def test_an_event_loop_that_is_late_turns_requests_away() -> None:
    given = means(rows(Scripted(ANSWER)))
    given.gate.lag_s = 0.3
    await refusal(given, call(metadata={"x-trunkline-priority": "batch"}))
    assert await answer(given) == ANSWER
    given.gate.lag_s = 3
    await refusal(given)
