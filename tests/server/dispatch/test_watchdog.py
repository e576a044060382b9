"""What ends a wait for a provider, and whose wish it was."""

import asyncio
import math
from collections.abc import AsyncIterator

import pytest

from server.dispatch.watchdog import Watch, Watchdog
from server.providers.errors import Fault, ProviderError


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    made = Watch()
    yield made
    made.close()


async def wait(dog: Watchdog, longest_s: float | None = None) -> None:
    dog.longest_s = longest_s
    with dog:
        await asyncio.Event().wait()


async def test_the_whole_is_bounded(watch: Watch) -> None:
    dog = Watchdog(0.01, watch)
    with pytest.raises(ProviderError, match="did not answer in time") as raised:
        await wait(dog, 60)
    assert (raised.value.fault, dog.hurried) == (Fault.TIMEOUT, False)


async def test_the_callers_deadline_bounds_it_too(watch: Watch) -> None:
    dog = Watchdog(60, watch, 0.01)
    with pytest.raises(ProviderError, match="did not answer in time"):
        await wait(dog, 60)
    assert dog.hurried


async def _pass(seconds: float) -> None:
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


async def test_the_time_between_waits_is_not_the_providers(watch: Watch) -> None:
    dog = Watchdog(0.2, watch)
    await _pass(0.25)
    with dog:
        for _ in range(5):  # rounds of the loop, in which a wait that is over would be ended
            await asyncio.sleep(0)
    with pytest.raises(ProviderError, match="did not answer in time"):
        await wait(dog)


async def test_the_callers_deadline_passes_between_waits(watch: Watch) -> None:
    dog = Watchdog(60, watch, 0.01)
    await _pass(0.02)
    with pytest.raises(ProviderError, match="did not answer in time"):
        await wait(dog)
    assert dog.hurried


async def test_each_wait_is_bounded(watch: Watch) -> None:
    dog = Watchdog(60, watch)
    with pytest.raises(ProviderError, match="silent for too long"):
        await wait(dog, 0.01)
    assert not dog.hurried


async def test_a_caller_who_leaves_at_the_same_moment_is_a_caller_who_left(watch: Watch) -> None:
    dog = Watchdog(60, watch)
    waiting = asyncio.ensure_future(wait(dog, 0.01))
    await asyncio.sleep(0)
    task = dog._task
    assert task is waiting
    dog._until = 0.0
    dog._tick()
    assert waiting.cancelling() == 1
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert waiting.cancelling() == 1  # the caller's own is left


async def test_a_wait_that_was_cancelled_before_is_not_mistaken(watch: Watch) -> None:
    async def goes_on() -> ProviderError:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            with pytest.raises(ProviderError) as raised:
                await wait(Watchdog(60, watch), 0.01)
        return raised.value

    task = asyncio.ensure_future(goes_on())
    await asyncio.sleep(0)
    task.cancel()
    assert (await task).fault is Fault.TIMEOUT


async def test_a_fault_that_comes_while_the_wait_is_ended_is_a_timeout(watch: Watch) -> None:
    async def closes_badly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ProviderError(Fault.CONNECTION, "Gone.")

    dog = Watchdog(60, watch)
    dog.longest_s = 0.01
    with pytest.raises(ProviderError) as raised, dog:
        await closes_badly()
    assert raised.value.fault is Fault.TIMEOUT


async def test_a_wait_that_takes_long_to_end_is_ended_once(watch: Watch) -> None:
    async def closes_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            dog.look(math.inf)
            await _pass(0.01)

    dog = Watchdog(60, watch)
    dog.longest_s = 0.01
    with pytest.raises(ProviderError, match="silent for too long"), dog:
        await closes_slowly()


async def test_nothing_is_ended_while_nobody_waits(watch: Watch) -> None:
    dog = Watchdog(60, watch)
    dog.longest_s = 0.01
    with dog:
        pass
    await _pass(0.02)
    dog.longest_s = 60
    with dog:
        await asyncio.sleep(0)


async def test_a_mistake_in_a_provider_stays_what_it_is(watch: Watch) -> None:
    with pytest.raises(ZeroDivisionError), Watchdog(60, watch):
        raise ZeroDivisionError
