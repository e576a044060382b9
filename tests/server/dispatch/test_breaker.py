"""When a breaker opens, what it lets through, and when it closes."""

import pytest

from server.dispatch.breaker import Breaker, BreakerState


def failed(breaker: Breaker, times: int, now: float = 0) -> Breaker:
    for _ in range(times):
        breaker.failed(breaker.begin(), now)
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = Breaker(3, 10, 1)
    assert failed(breaker, 2).state(0) is BreakerState.CLOSED
    assert failed(breaker, 1).state(0) is BreakerState.OPEN
    assert not breaker.lets_through(9.9)


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = failed(Breaker(3, 10, 1), 2)
    breaker.succeeded(breaker.begin())
    assert failed(breaker, 2).lets_through(0)


def test_it_lets_one_try_through_when_its_time_is_over() -> None:
    breaker = failed(Breaker(1, 10, 1), 1)
    assert breaker.state(10) is BreakerState.HALF_OPEN
    assert breaker.lets_through(10)
    breaker.begin()
    assert not breaker.lets_through(10)


def test_a_failed_proof_opens_it_for_as_long_again() -> None:
    breaker = failed(Breaker(3, 10, 1), 3)
    failed(breaker, 1, now=10)
    assert not breaker.lets_through(19.9)
    assert breaker.lets_through(20)
    assert breaker.opens_in(15) == 5


def test_it_closes_after_proofs_in_a_row() -> None:
    breaker = failed(Breaker(1, 10, 2), 1)
    for proof, state in ((1, BreakerState.HALF_OPEN), (2, BreakerState.CLOSED)):
        breaker.succeeded(breaker.begin())
        assert breaker.state(10 + proof) is state


def test_a_try_that_told_nothing_makes_room_for_the_next() -> None:
    breaker = failed(Breaker(1, 10, 1), 1)
    breaker.left(breaker.begin())
    assert breaker.lets_through(10)


def test_tries_from_before_it_opened_neither_close_it_nor_keep_it_open() -> None:
    breaker = Breaker(1, 10, 1)
    good, bad, gone = breaker.begin(), breaker.begin(), breaker.begin()
    failed(breaker, 1)
    breaker.succeeded(good)
    assert breaker.state(5) is BreakerState.OPEN
    breaker.failed(bad, 5)
    assert breaker.opens_in(5) == 5
    probe = breaker.begin()
    breaker.left(gone)
    assert not breaker.lets_through(10)
    breaker.left(probe)
    assert breaker.lets_through(10)


def test_a_try_that_is_being_answered_makes_room_for_the_next_as_long_as_proofs_are_missing() -> None:
    breaker = failed(Breaker(1, 10, 2), 1)
    first = breaker.begin()
    breaker.answered(first)
    assert breaker.lets_through(10)
    second = breaker.begin()
    breaker.answered(second)
    assert not breaker.lets_through(10)
    breaker.succeeded(first)
    assert not breaker.lets_through(10)
    breaker.succeeded(second)
    assert breaker.closed


def test_a_failed_proof_takes_back_those_before_it() -> None:
    breaker = failed(Breaker(1, 10, 2), 1)
    breaker.succeeded(breaker.begin())
    failed(breaker, 1, now=10)
    breaker.succeeded(breaker.begin())
    assert breaker.state(20) is BreakerState.HALF_OPEN


def test_it_never_opens_where_it_is_off() -> None:
    assert failed(Breaker(0, 10, 1), 100).lets_through(0)


@pytest.mark.parametrize(("now", "left"), [(0, 10), (4, 6), (10, 0), (11, 0)])
def test_it_tells_when_it_lets_a_try_through(now: float, left: float) -> None:
    assert failed(Breaker(1, 10, 1), 1).opens_in(now) == left
