"""What comes after a failed attempt."""

import random

import pytest

from server.dispatch.retry import RetryBudget, Situation, Then, after
from server.providers.errors import Fault, ProviderError


def situation(retries: int = 0, others: bool = False, left: float | None = None, filtered: bool = False) -> Situation:
    return Situation(retries, 2, 1.0, others, left, filtered)


def then(fault: Fault, given: Situation | None = None, retry_after_s: float | None = None) -> Then:
    return after(ProviderError(fault, "No.", retry_after_s=retry_after_s), given or situation(), random.Random(1))[0]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.RATE_LIMITED, Then.AGAIN),
        (Fault.OVERLOADED, Then.AGAIN),
        (Fault.SERVER, Then.AGAIN),
        (Fault.CONNECTION, Then.AGAIN),
        (Fault.PROTOCOL, Then.AGAIN),
        (Fault.TIMEOUT, Then.NEXT),
        (Fault.AUTHENTICATION, Then.NEXT),
        (Fault.MODEL_NOT_FOUND, Then.NEXT),
        (Fault.UNSUPPORTED, Then.NEXT),
        (Fault.CONTEXT_LENGTH, Then.NEXT),
        (Fault.CONTENT_FILTER, Then.STOP),
        (Fault.INVALID_REQUEST, Then.STOP),
    ],
    ids=lambda value: value.name,
)
def test_each_fault_has_what_comes_after_it(fault: Fault, expected: Then) -> None:
    assert then(fault) is expected


def test_every_fault_has_its_case_above() -> None:
    assert len(Fault) == 12


def test_a_target_is_asked_again_as_often_as_its_row_says() -> None:
    assert [then(Fault.SERVER, situation(retries)) for retries in range(3)] == [Then.AGAIN, Then.AGAIN, Then.NEXT]


def test_a_refusal_by_content_policy_goes_elsewhere_where_that_is_allowed() -> None:
    assert then(Fault.CONTENT_FILTER, situation(filtered=True)) is Then.NEXT


def test_the_back_off_is_random_and_its_bound_doubles() -> None:
    chance = random.Random(5)
    error = ProviderError(Fault.SERVER, "No.")
    first = [after(error, situation(0), chance)[1] for _ in range(200)]
    second = [after(error, situation(1), chance)[1] for _ in range(200)]
    assert 0 <= min(first) < 0.1
    assert 0.9 < max(first) <= 1
    assert 0 <= min(second) < 0.1
    assert 1.8 < max(second) <= 2


def test_the_wait_is_what_the_provider_said() -> None:
    error = ProviderError(Fault.RATE_LIMITED, "No.", retry_after_s=7)
    assert after(error, situation(), random.Random(1)) == (Then.AGAIN, 7)


@pytest.mark.parametrize(("wait", "expected"), [(0.5, Then.AGAIN), (7, Then.NEXT)])
def test_nobody_waits_long_for_one_while_another_can_be_asked(wait: float, expected: Then) -> None:
    assert then(Fault.RATE_LIMITED, situation(others=True), wait) is expected


@pytest.mark.parametrize(("left", "expected"), [(None, Then.AGAIN), (8, Then.AGAIN), (7, Then.NEXT), (1, Then.NEXT)])
def test_nobody_waits_beyond_the_callers_deadline(left: float | None, expected: Then) -> None:
    assert then(Fault.RATE_LIMITED, situation(left=left), 7) is expected


def test_nobody_waits_for_minutes() -> None:
    assert then(Fault.RATE_LIMITED, situation(), 300) is Then.NEXT


def taken(budget: RetryBudget, tries: int = 100) -> int:
    return sum(budget.take() for _ in range(tries))


@pytest.mark.parametrize(("requests", "most"), [(0, 3), (1, 3), (15, 3), (20, 4), (100, 20)])
def test_the_budget_is_a_share_of_the_requests_under_way(requests: int, most: int) -> None:
    budget = RetryBudget()
    for _ in range(requests):
        budget.request_begins()
    assert taken(budget) == most


def test_what_is_given_back_can_be_taken_again() -> None:
    budget = RetryBudget()
    assert taken(budget) == 3
    budget.give_back()
    assert taken(budget) == 1


def test_a_request_that_ended_counts_no_longer() -> None:
    budget = RetryBudget()
    for _ in range(100):
        budget.request_begins()
    for _ in range(100):
        budget.request_ends()
    assert taken(budget) == 3
