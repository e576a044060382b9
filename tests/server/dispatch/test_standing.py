"""What is known of a target, and what it comes to."""

import pytest

from server.config.schema import CircuitBreakerSettings
from server.dispatch.standing import Standing, TargetState, TargetStates
from server.providers.errors import Fault, ProviderError
from tests.server.dispatch.scripted_provider import state

OVERLOADED = ProviderError(Fault.OVERLOADED, "No.")


def fail(record: TargetState, fault: Fault = Fault.SERVER, now: float = 0, retry_after_s: float | None = None) -> None:
    record.failed(record.begin(), ProviderError(fault, "No.", retry_after_s=retry_after_s), now)


def succeed(record: TargetState, times: int = 1, now: float = 0) -> None:
    for _ in range(times):
        record.succeeded(record.begin(), now)


def test_a_new_target_is_ready() -> None:
    assert state().standing(0) is Standing.READY


def test_failures_in_a_row_open_its_breaker() -> None:
    record = state(failure_threshold=3, recovery_timeout=10)
    for _ in range(3):
        fail(record)
    assert record.standing(0) is Standing.OPEN
    assert record.ready_in(4) == 6


@pytest.mark.parametrize("fault", [Fault.INVALID_REQUEST, Fault.CONTENT_FILTER, Fault.CONTEXT_LENGTH, Fault.RATE_LIMITED])
def test_faults_that_are_not_the_targets_dont_count(fault: Fault) -> None:
    record = state(failure_threshold=1)
    fail(record, fault)
    assert record.standing(0) is Standing.READY


@pytest.mark.parametrize(
    ("name", "fault", "standing"),
    [
        ("ConnectionError", Fault.CONNECTION, Standing.OPEN),
        ("ConnectionError", Fault.SERVER, Standing.OPEN),
        ("ConnectionError", Fault.PROTOCOL, Standing.READY),
        ("TimeoutError", Fault.TIMEOUT, Standing.OPEN),
        ("TimeoutError", Fault.SERVER, Standing.READY),
        ("Exception", Fault.PROTOCOL, Standing.OPEN),
        (None, Fault.AUTHENTICATION, Standing.OPEN),
    ],
)
def test_the_configuration_may_narrow_what_counts(name: str | None, fault: Fault, standing: Standing) -> None:
    record = state(failure_threshold=1, expected_exception=name)
    fail(record, fault)
    assert record.standing(0) is standing


def test_a_target_that_often_fails_comes_after_others_until_it_is_forgotten() -> None:
    record = state(failure_threshold=1000)
    for _ in range(10):
        fail(record)
    assert record.standing(0) is Standing.DEGRADED
    assert record.standing(60) is Standing.READY
    succeed(record, 30)
    assert record.standing(0) is Standing.READY


def test_a_target_that_often_failed_gets_its_proof_when_its_breakers_time_is_over_and_is_ready_after_it() -> None:
    record = state(failure_threshold=10, recovery_timeout=5, half_open_max_calls=1)
    for _ in range(10):
        fail(record)
    assert (record.standing(4.9), record.standing(5)) == (Standing.OPEN, Standing.READY)
    succeed(record, now=5)
    assert record.standing(5) is Standing.READY


def test_a_few_failures_are_no_habit() -> None:
    record = state(failure_threshold=1000)
    for _ in range(4):
        fail(record)
    assert record.standing(0) is Standing.READY


def test_a_target_rests_as_long_as_it_said_but_not_for_ever() -> None:
    record = state()
    fail(record, Fault.RATE_LIMITED, retry_after_s=5)
    assert record.standing(4.9) is Standing.RESTING
    assert record.standing(5) is Standing.READY
    fail(record, Fault.RATE_LIMITED, now=10, retry_after_s=86_400)
    assert record.standing(71) is Standing.READY


def test_a_target_that_is_overloaded_gets_less_at_once_and_then_more_again() -> None:
    record = state()
    tries = [record.begin() for _ in range(20)]
    assert record.standing(0) is Standing.READY
    record.failed(tries.pop(), OVERLOADED, 0)
    assert (record.concurrency_limit, record.standing(0)) == (16, Standing.FULL)
    for tried in tries:
        record.succeeded(tried, 0)
    assert record.standing(0) is Standing.READY
    succeed(record, 100)
    assert record.concurrency_limit is not None
    assert record.concurrency_limit > 18


def test_what_is_refused_together_lowers_the_limit_once() -> None:
    record = state()
    for tried in [record.begin() for _ in range(100)]:
        record.failed(tried, OVERLOADED, 0)
    assert record.concurrency_limit == 80
    for tried in [record.begin() for _ in range(80)]:
        record.failed(tried, OVERLOADED, 0)
    assert record.concurrency_limit == 64


def test_who_refuses_the_only_one_is_not_asked_for_too_much_at_once() -> None:
    record = state()
    fail(record, Fault.RATE_LIMITED)
    assert record.concurrency_limit is None


def test_a_target_always_takes_a_few() -> None:
    record = state()
    for tried in [record.begin() for _ in range(5)]:
        record.failed(tried, OVERLOADED, 0)
    assert record.concurrency_limit == 4


def test_an_attempt_that_was_given_up_leaves_no_trace() -> None:
    record = state(failure_threshold=1)
    record.left(record.begin())
    assert (record.in_flight, record.standing(0)) == (0, Standing.READY)


def test_times_to_the_first_chunk_are_told_by_quantile() -> None:
    record = state()
    assert record.time_to_first_chunk() is None
    for tenth in range(100):
        record.first_chunk(record.begin(), tenth / 10)
    assert (record.time_to_first_chunk(), record.time_to_first_chunk(0)) == (9.5, 0)


def test_a_health_check_speaks_for_all_targets_of_its_provider() -> None:
    states = TargetStates(CircuitBreakerSettings())
    before = states.of("a", "m")
    states.checked("a", healthy=False)
    assert before.standing(0) is states.of("a", "n").standing(0) is Standing.UNHEALTHY
    assert states.of("b", "m").standing(0) is Standing.READY
    states.checked("a", healthy=True)
    assert before.standing(0) is Standing.READY


def test_records_of_models_without_end_are_bounded_and_those_that_are_held_are_kept() -> None:
    states = TargetStates(CircuitBreakerSettings())
    kept = states.of("a", "kept")
    for number in range(5000):
        states.of("a", str(number))
    assert len(states.of_provider("a")) == 4097
    assert states.of("a", "kept") is kept
    states.checked("a", healthy=False)
    assert kept.standing(0) is Standing.UNHEALTHY
