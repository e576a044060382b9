"""What is known of a target from the tries that were made: whether to ask it, how fast and how busy it is."""

import math
from collections import deque
from collections.abc import Iterator
from enum import IntEnum
from weakref import WeakValueDictionary

from server.config.schema import CircuitBreakerSettings
from server.dispatch.breaker import Breaker, Try
from server.providers.errors import Fault, ProviderError

_KEPT_TIMES = 128
_MOST_UNHELD = 4096
_LONGEST_REST_S = 60.0
_FAILURE_WEIGHT = 0.1
"""How much one try counts in the share of failures: the last twenty are most of it."""
_FORGOTTEN_HALF_S = 30.0
"""How long it takes until a share of failures counts half."""
_OUTLIER_SHARE = 0.5
_OUTLIER_TRIES = 5
_LEAST_LIMIT = 4.0
_LIMIT_CUT = 0.8
_LIMIT_GROWTH = 0.05
_NO_LIMIT = 1e9

_COUNTED = frozenset({Fault.AUTHENTICATION, Fault.OVERLOADED, Fault.SERVER, Fault.CONNECTION, Fault.TIMEOUT, Fault.PROTOCOL})
"""Faults that say that the target does not work; a rate limit says when to come back instead."""

_COUNTED_BY_NAME = {
    "ConnectionError": frozenset({Fault.CONNECTION, Fault.TIMEOUT, Fault.SERVER, Fault.OVERLOADED}),
    "TimeoutError": frozenset({Fault.TIMEOUT}),
}
"""What a configuration may narrow it to with `expected_exception`; any other name is all of them."""


class Standing(IntEnum):
    """Whether a target should be asked; the lesser comes first."""

    READY = 0
    DEGRADED = 1
    """It fails often."""
    UNHEALTHY = 2
    """Its health check fails."""
    RESTING = 3
    """It said when to come back."""
    FULL = 4
    """It has as much work as it takes."""
    OPEN = 5
    """Its circuit breaker is open."""


class TargetState:
    """One target's record. Changed by attempts as they begin and end.

    Attributes:
        in_flight: how many attempts run.
        unhealthy: what the active health check says of its provider.
    """

    __slots__ = (
        "__weakref__",
        "_counted",
        "_failure_share",
        "_limit",
        "_limitings",
        "_rests_until",
        "_share_time",
        "_times",
        "_tries",
        "breaker",
        "in_flight",
        "unhealthy",
    )

    def __init__(self, breaker: CircuitBreakerSettings) -> None:
        failures = breaker.failure_threshold if breaker.enabled else 0
        self.breaker = Breaker(failures, breaker.recovery_timeout, breaker.half_open_max_calls)
        self.in_flight = 0
        self.unhealthy = False
        self._counted = _COUNTED_BY_NAME.get(breaker.expected_exception or "", _COUNTED)
        self._times: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._failure_share = 0.0
        self._share_time = 0.0
        self._tries = 0
        self._rests_until = 0.0
        self._limit = _NO_LIMIT
        self._limitings = 0

    def standing(self, now: float) -> Standing:
        """Whether it should be asked now."""
        if (
            self.breaker.closed
            and self.in_flight < self._limit
            and now >= self._rests_until
            and self._failure_share == 0.0
            and not self.unhealthy
        ):
            return Standing.READY
        if not self.breaker.lets_through(now):
            return Standing.OPEN
        if self.in_flight >= self._limit:
            return Standing.FULL
        if now < self._rests_until:
            return Standing.RESTING
        if self.unhealthy:
            return Standing.UNHEALTHY
        if self.breaker.closed and self.failure_share(now) > _OUTLIER_SHARE:
            return Standing.DEGRADED
        return Standing.READY  # a half open breaker wants its proof, whatever was before

    def ready_in(self, now: float) -> float:
        """Seconds until it may be asked again, as far as it is known; 0: now, or nobody knows."""
        return max(self.breaker.opens_in(now), self._rests_until - now, 0.0)

    def failure_share(self, now: float) -> float:
        """The share of the last tries that failed, 0 to 1; it fades when nothing is tried."""
        if self._failure_share == 0.0 or self._tries < _OUTLIER_TRIES:
            return 0.0
        return self._failure_share * math.exp2((self._share_time - now) / _FORGOTTEN_HALF_S)

    def time_to_first_chunk(self, quantile: float = 0.95) -> float | None:
        """A quantile of the last times to the first chunk, in seconds; None: there are none."""
        if not self._times:
            return None
        return sorted(self._times)[min(len(self._times) - 1, int(len(self._times) * quantile))]

    @property
    def full(self) -> bool:
        """Whether it has as much work as it takes, whatever else is to be said of it."""
        return self.in_flight >= self._limit

    @property
    def concurrency_limit(self) -> int | None:
        """How many attempts it takes at once; None: it has not said that it is too many."""
        return None if self._limit >= _NO_LIMIT else int(self._limit)

    def begin(self) -> Try:
        """An attempt begins; it ends with `succeeded`, `failed` or `left`."""
        self.in_flight += 1
        tried = self.breaker.begin()
        tried.limitings = self._limitings
        return tried

    def first_chunk(self, tried: Try, seconds: float) -> None:
        """An attempt's first chunk came after so many seconds."""
        self._times.append(seconds)
        self.breaker.answered(tried)

    def succeeded(self, tried: Try, now: float) -> None:
        """An attempt ended as it should."""
        self.in_flight -= 1
        closed = self.breaker.succeeded(tried)
        self._count(0.0, now)
        if closed:
            self._failure_share = 0.0  # proven
        if self._limit < _NO_LIMIT:  # a little more for each round of attempts without trouble
            self._limit += _LIMIT_GROWTH + 1.0 / self._limit

    def failed(self, tried: Try, error: ProviderError, now: float) -> None:
        """An attempt failed."""
        fault = error.fault
        if fault in (Fault.RATE_LIMITED, Fault.OVERLOADED):
            self._lower_limit(tried)
            if error.retry_after_s is not None:
                self._rests_until = max(self._rests_until, now + min(error.retry_after_s, _LONGEST_REST_S))
        self.in_flight -= 1
        if fault in self._counted:
            self.breaker.failed(tried, now)
            self._count(1.0, now)
        else:
            self.breaker.left(tried)

    def left(self, tried: Try) -> None:
        """An attempt was given up before it told anything."""
        self.in_flight -= 1
        self.breaker.left(tried)

    def _lower_limit(self, tried: Try) -> None:
        """Takes fewer at once: once for all attempts that were under way together, and only where they were many."""
        if tried.limitings == self._limitings and self.in_flight > _LEAST_LIMIT:
            self._limit = max(_LEAST_LIMIT, min(self._limit, self.in_flight) * _LIMIT_CUT)
            self._limitings += 1

    def _count(self, failed: float, now: float) -> None:
        share = self.failure_share(now) if self._tries >= _OUTLIER_TRIES else self._failure_share
        self._tries += 1
        self._failure_share = share + _FAILURE_WEIGHT * (failed - share) if self._tries > 1 else failed
        self._share_time = now


class TargetStates:
    """Every target's record, by provider and model. A record lives as long as somebody holds it, as routes do that are kept;
    of the others, those that were made last.

    Args:
        breaker: when breakers open.
    """

    def __init__(self, breaker: CircuitBreakerSettings) -> None:
        self._breaker = breaker
        self._states: WeakValueDictionary[tuple[str, str], TargetState] = WeakValueDictionary()
        self._last: deque[TargetState] = deque(maxlen=_MOST_UNHELD)
        self._unhealthy: frozenset[str] = frozenset()

    def of(self, provider: str, model: str) -> TargetState:
        """The record of a target."""
        key = provider, model
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = TargetState(self._breaker)
            state.unhealthy = provider in self._unhealthy
            self._last.append(state)
        return state

    def all(self) -> Iterator[tuple[str, str, TargetState]]:
        """Every record, with its provider and model."""
        return ((provider, model, state) for (provider, model), state in tuple(self._states.items()))

    def of_provider(self, provider: str) -> list[TargetState]:
        """The records of a provider's targets."""
        return [state for (name, _), state in self._states.items() if name == provider]

    def checked(self, provider: str, healthy: bool) -> None:
        """Says what a provider's health check found."""
        self._unhealthy = self._unhealthy - {provider} if healthy else self._unhealthy | {provider}
        for state in self.of_provider(provider):
            state.unhealthy = not healthy
