"""Rates: who shares a window, what is told, and how exact it is."""

import pytest

from server.caller import Caller
from server.config.provider_settings import ProviderSettings
from server.config.schema import RateLimitSettings
from server.errors import GatewayError
from server.limits.counters import Counters
from server.limits.limits import Limits
from server.limits.memory import MemoryCounters
from server.limits.request import Request
from tests.server.limits.asking import ANN, BOB, CONFIGURED, admitted, ask, refusal
from tests.server.limits.turned_clock import START, TurnedClock
from trunkline.v1.error_reason_pb2 import ErrorReason


def build(clock: TurnedClock, counters: Counters | None = None, **settings: object) -> Limits:
    return Limits(RateLimitSettings.model_validate(settings), counters or MemoryCounters(clock), None, clock)


async def refused(limits: Limits, request: Request) -> GatewayError:
    error = await refusal(limits, request)
    assert error is not None
    return error


async def test_without_a_section_nothing_is_limited_or_told(clock: TurnedClock) -> None:
    limits = Limits(None, MemoryCounters(clock), None, clock)
    granted = await admitted([limits], ask(tokens=10**9, micros=10**9), 100)
    assert [each.headers for each in granted] == [None] * 100


async def test_a_section_that_is_off_limits_nothing(clock: TurnedClock) -> None:
    limits = build(clock, enabled=False, requests_per_window=1)
    assert len(await admitted([limits], ask(), 5)) == 5


async def test_each_key_has_a_window_of_its_own(clock: TurnedClock, counters: Counters) -> None:
    limits = build(clock, counters, requests_per_window=3)
    assert [len(await admitted([limits], ask(caller), 5)) for caller in (ANN, BOB, CONFIGURED)] == [3, 3, 3]


async def test_an_answer_tells_the_window(clock: TurnedClock) -> None:
    limits = build(clock, requests_per_window=3, window_seconds=30)
    assert (await limits.reserve(ask())).headers == (3, 2, START + 30)


async def test_an_answer_tells_the_window_that_is_nearest_to_its_limit(clock: TurnedClock) -> None:
    limits = build(clock, endpoints={"/v1/chat/completions": 2})
    assert (await limits.reserve(ask())).headers == (2, 1, START + 60)


async def test_changed_rates_hold_for_those_who_asked_before(clock: TurnedClock) -> None:
    limits = build(clock, requests_per_window=3)
    await limits.reserve(ask())
    limits.configure(RateLimitSettings(requests_per_window=1))
    assert await refusal(limits, ask()) is not None
    limits.configure(None)
    assert await refusal(limits, ask()) is None


async def test_a_request_of_more_tokens_than_a_window_takes_is_told_so_though_it_is_full(clock: TurnedClock) -> None:
    scopes = [{"scope": "key", "tokens_per_window": 10}, {"scope": "global", "requests_per_window": 1}]
    limits = build(clock, requests_per_window=1000, scopes=scopes)
    await limits.reserve(ask())
    assert "no more than 10 pass" in (await refused(limits, ask(tokens=50))).message


async def test_a_refusal_says_when_to_come_back(clock: TurnedClock) -> None:
    limits = build(clock, requests_per_window=1)
    await limits.reserve(ask())
    clock.time += 20
    error = await refused(limits, ask())
    assert error.reason is ErrorReason.ERROR_REASON_RATE_LIMITED
    assert error.retry_after_s == pytest.approx(40, abs=0.5)
    assert error.message == "The rate limit of requests is reached. Try again in 41 seconds."
    assert error.metadata == {"limit": "1", "remaining": "0", "reset": str(int(START) + 61)}


async def test_a_burst_is_bounded(clock: TurnedClock) -> None:
    limits = build(clock, requests_per_window=1000)
    assert len(await admitted([limits], ask(), 100)) == 50
    assert (await refused(limits, ask())).retry_after_s == pytest.approx(0.06, abs=0.001)


async def test_a_burst_of_zero_bounds_nothing(clock: TurnedClock) -> None:
    assert len(await admitted([build(clock, requests_per_window=100, burst_limit=0)], ask(), 150)) == 100


@pytest.mark.parametrize(
    ("name", "endpoint", "operation"),
    [
        pytest.param("/v1/embeddings", "/v1/embeddings", "embeddings", id="a path"),
        pytest.param("/v1/embeddings", "", "embeddings", id="a path, by gRPC"),
        pytest.param("embeddings", "/v1/embeddings", "embeddings", id="an operation"),
        pytest.param("/v1/models", "/v1/models", "", id="no completion"),
    ],
)
async def test_an_endpoint_has_its_own_limit(clock: TurnedClock, name: str, endpoint: str, operation: str) -> None:
    limits = build(clock, endpoints={name: 2})
    assert len(await admitted([limits], Request(ANN, operation, endpoint, "m"), 5)) == 2
    assert len(await admitted([limits], Request(BOB, operation, endpoint, "m"), 5)) == 2
    assert len(await admitted([limits], ask(), 5)) == 5


@pytest.mark.parametrize(
    ("row", "first", "second", "counts"),
    [
        pytest.param({"scope": "global"}, ask(ANN), ask(CONFIGURED), (2, 0), id="everybody"),
        pytest.param({"scope": "tenant"}, ask(ANN), ask(BOB), (2, 0), id="one tenant"),
        pytest.param({"scope": "tenant"}, ask(ANN), ask(CONFIGURED), (2, 5), id="no tenant"),
        pytest.param({"scope": "user"}, ask(ANN), ask(BOB), (2, 2), id="two users"),
        pytest.param({"scope": "user", "name": "ann"}, ask(ANN), ask(BOB), (2, 5), id="one user by name"),
        pytest.param({"scope": "model"}, ask(model="a"), ask(model="b"), (2, 2), id="two models"),
        pytest.param({"scope": "model", "name": "a*"}, ask(model="aa"), ask(BOB, model="aa"), (2, 0), id="one model"),
        pytest.param({"scope": "key", "name": "k1"}, ask(ANN), ask(BOB), (2, 5), id="one key"),
    ],
)
async def test_scopes_are_limited_beside_keys(
    clock: TurnedClock, row: dict[str, object], first: Request, second: Request, counts: tuple[int, int]
) -> None:
    limits = build(clock, scopes=[{**row, "requests_per_window": 2}])
    assert (len(await admitted([limits], first, 5)), len(await admitted([limits], second, 5))) == counts


async def test_tokens_are_reserved_and_corrected(clock: TurnedClock, counters: Counters) -> None:
    limits = build(clock, counters, tokens_per_window=1000)
    reservation = await limits.reserve(ask(tokens=900))
    assert (await refused(limits, ask(tokens=200))).message.startswith("The rate limit of tokens is reached.")
    await reservation.settle(300, 0)
    await reservation.settle(0, 0)
    assert await refusal(limits, ask(tokens=700)) is None
    assert await refusal(limits, ask(tokens=1)) is not None


async def test_tokens_that_were_not_used_are_given_back_and_the_request_counts(clock: TurnedClock) -> None:
    limits = build(clock, tokens_per_window=1000, requests_per_window=2)
    await (await limits.reserve(ask(tokens=1000))).release()
    assert await refusal(limits, ask(tokens=1000)) is None
    assert (await refused(limits, ask())).metadata["limit"] == "2"


async def test_more_than_a_window_takes_is_refused_for_good(clock: TurnedClock) -> None:
    error = await refused(build(clock, tokens_per_window=1000), ask(tokens=1001))
    assert (error.reason, error.retry_after_s) == (ErrorReason.ERROR_REASON_RATE_LIMITED, None)


async def test_a_provider_may_have_a_rate_of_its_own(clock: TurnedClock) -> None:
    limits = Limits(None, MemoryCounters(clock), None, clock)
    row = ProviderSettings(name="a", type="echo", rate_limit=2)
    assert [await limits.claim_provider(row) for _ in range(2)] == [None, None]
    assert await limits.claim_provider(row) == pytest.approx(60, abs=0.5)
    assert await limits.claim_provider(ProviderSettings(name="b", type="echo")) is None


@pytest.mark.parametrize("burst", [0, 50])
async def test_in_any_minute_of_pressure_nearly_the_limit_passes_and_never_more(clock: TurnedClock, burst: int) -> None:
    limits = build(clock, requests_per_window=1000, burst_limit=burst)
    passed: list[int] = []
    for _ in range(10 * 60 * 25):
        clock.time += 0.04
        passed.append(len(await admitted([limits], ask(), 2)))
    minutes = [sum(passed[begin : begin + 1500]) for begin in range(0, len(passed) - 1499, 1500)]
    assert all(950 <= minute <= 1000 for minute in minutes)
    assert all(sum(passed[begin : begin + 1500]) <= 1000 for begin in range(0, len(passed) - 1499, 7))


async def test_keys_that_differ_in_case_differ(clock: TurnedClock) -> None:
    limits = build(clock, requests_per_window=1)
    callers = [Caller(name, frozenset()) for name in ("a", "A")]
    assert [await refusal(limits, ask(caller)) for caller in callers] == [None, None]
