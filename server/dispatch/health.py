"""How providers do: what asking them in the background finds, together with what requests have seen."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import IntEnum

import structlog

from server.clock import Clock
from server.dispatch.standing import Standing, TargetStates
from server.providers.base import Provider
from server.providers.errors import Fault, ProviderError

_UNHEALTHY_AFTER = 3
"""So many failed checks in a row are no accident."""


class Health(IntEnum):
    """How a provider does; the greater is the worse."""

    HEALTHY = 1
    DEGRADED = 2
    """A check failed, or many requests do."""
    UNHEALTHY = 3
    """Checks fail, or requests are kept from it."""


class ProviderHealth:
    """Every provider's health.

    Args:
        states: the targets' records; those of a provider whose checks fail are asked last.
        clock: tells the time.
    """

    def __init__(self, states: TargetStates, clock: Clock) -> None:
        self._states = states
        self._clock = clock
        self._failed_checks: dict[str, int] = {}

    def of(self, provider: str) -> Health:
        """A provider's health: what its checks say, or what its targets say where that is worse."""
        failed = self._failed_checks.get(provider, 0)
        checked = Health.UNHEALTHY if failed >= _UNHEALTHY_AFTER else Health.DEGRADED if failed else Health.HEALTHY
        now = self._clock.monotonic()
        standings = [state.standing(now) for state in self._states.of_provider(provider)]
        kept_away = sum(standing in (Standing.UNHEALTHY, Standing.OPEN) for standing in standings)
        if kept_away and kept_away == len(standings):
            return Health.UNHEALTHY
        return max(checked, Health.DEGRADED) if kept_away or Standing.DEGRADED in standings else checked

    def checked(self, provider: str, error: ProviderError | None) -> None:
        """Says how a check ended."""
        if error is None:
            self._failed_checks.pop(provider, None)
        elif error.fault is not Fault.UNSUPPORTED:
            self._failed_checks[provider] = self._failed_checks.get(provider, 0) + 1
        self._states.checked(provider, healthy=self._failed_checks.get(provider, 0) < _UNHEALTHY_AFTER)


async def watch_health(
    providers: Mapping[str, Provider],
    health: ProviderHealth,
    interval_s: float,
    timeout_s: float,
    tell: Callable[[str, Health], Awaitable[None]],
) -> None:
    """Checks every provider again and again, until it is cancelled.

    Args:
        providers: whom to check, by name.
        health: is told what was found.
        interval_s: from one round to the next.
        timeout_s: how long one check may take.
        tell: called with each provider's health after its check.
    """
    while True:
        await asyncio.gather(*(_check(name, provider, health, timeout_s, tell) for name, provider in providers.items()))
        await asyncio.sleep(interval_s)


async def _check(
    name: str, provider: Provider, health: ProviderHealth, timeout_s: float, tell: Callable[[str, Health], Awaitable[None]]
) -> None:
    error: ProviderError | None = None
    try:
        async with asyncio.timeout(timeout_s):
            await provider.check(timeout_s)
    except ProviderError as failure:
        error = failure
    except TimeoutError:
        error = ProviderError(Fault.TIMEOUT, "The provider did not answer in time.")
    except Exception:
        error = ProviderError(Fault.PROTOCOL, "The check failed.")
        structlog.get_logger("trunkline.health").exception("check_failed", provider=name)
    before = health.of(name)
    health.checked(name, error)
    after = health.of(name)
    if after is not before:
        log = structlog.get_logger("trunkline.health")
        log.warning("provider_health", provider=name, health=after.name.lower(), error=error.message if error else "")
    await tell(name, after)
