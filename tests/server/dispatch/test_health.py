"""How providers do, from checks and from requests."""

import asyncio

import pytest

from server.clock import SystemClock
from server.config.schema import CircuitBreakerSettings
from server.dispatch.health import Health, ProviderHealth, watch_health
from server.dispatch.standing import Standing, TargetStates
from server.providers.errors import Fault, ProviderError
from tests.server.dispatch.scripted_provider import Scripted


class Checked(Scripted):
    """A provider whose checks end as a test says, one after the other; then it is silent."""

    def __init__(self, *ends: ProviderError | None) -> None:
        super().__init__()
        self._ends = list(ends)

    async def check(self, timeout_s: float) -> None:
        if not self._ends:
            await asyncio.Event().wait()
        error = self._ends.pop(0)
        if error is not None:
            raise error


FAILS = ProviderError(Fault.CONNECTION, "Gone.")


def health(failures: int = 1) -> tuple[ProviderHealth, TargetStates]:
    states = TargetStates(CircuitBreakerSettings(failure_threshold=failures))
    return ProviderHealth(states, SystemClock()), states


async def found(ends: list[ProviderError | None]) -> list[Health]:
    """What each round of checks finds."""
    told: list[Health] = []
    enough = asyncio.Event()

    async def tell(name: str, now: Health) -> None:
        told.append(now)
        if len(told) == len(ends):
            enough.set()

    watch = asyncio.ensure_future(watch_health({"a": Checked(*ends)}, health()[0], 0, 5, tell))
    await enough.wait()
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    return told


async def test_checks_that_fail_make_a_provider_worse_and_one_that_succeeds_heals_it() -> None:
    assert await found([None, FAILS, FAILS, FAILS, None]) == [
        Health.HEALTHY,
        Health.DEGRADED,
        Health.DEGRADED,
        Health.UNHEALTHY,
        Health.HEALTHY,
    ]


async def test_a_provider_that_cannot_be_checked_is_not_blamed() -> None:
    assert await found([ProviderError(Fault.UNSUPPORTED, "Nothing to ask.")] * 4) == [Health.HEALTHY] * 4


async def test_a_check_that_takes_too_long_has_failed() -> None:
    told = asyncio.get_running_loop().create_future()

    async def tell(name: str, now: Health) -> None:
        if not told.done():
            told.set_result(now)

    watch = asyncio.ensure_future(watch_health({"a": Checked()}, health()[0], 0, 0.01, tell))
    assert await told is Health.DEGRADED
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


def test_a_provider_whose_checks_fail_is_asked_last() -> None:
    judged, states = health()
    for _ in range(3):
        judged.checked("a", FAILS)
    assert states.of("a", "m").standing(0) is Standing.UNHEALTHY


@pytest.mark.parametrize(("broken", "expected"), [(0, Health.HEALTHY), (1, Health.DEGRADED), (2, Health.UNHEALTHY)])
def test_what_requests_see_counts_too(broken: int, expected: Health) -> None:
    judged, states = health()
    for place, model in enumerate(("m", "n")):
        state = states.of("a", model)
        if place < broken:
            state.failed(state.begin(), FAILS, SystemClock().monotonic())
    assert judged.of("a") is expected


def test_one_busy_target_does_not_hide_that_another_one_fails() -> None:
    judged, states = health(failures=1000)
    failing, resting = states.of("a", "m"), states.of("a", "n")
    now = SystemClock().monotonic()
    for _ in range(10):
        failing.failed(failing.begin(), ProviderError(Fault.PROTOCOL, "No."), now)
    resting.failed(resting.begin(), ProviderError(Fault.RATE_LIMITED, "No.", retry_after_s=30), now)
    assert judged.of("a") is Health.DEGRADED
