"""Who is let in, and how the gate knows that the event loop is late."""

import asyncio
import time

import pytest

from server.dispatch.gate import Gate, Lane
from server.errors import GatewayError, reason_name


async def test_the_gate_sees_that_the_loop_stood_still_and_that_it_runs_again() -> None:
    gate = Gate(10)
    gate.watch()
    try:
        while gate.lag_s < 0.25:
            time.sleep(0.35)  # noqa: ASYNC251  the loop stands still time and again, that is the point
            await _next_look(gate)
        with pytest.raises(GatewayError) as raised:
            gate.enter(Lane.BATCH)
        assert reason_name(raised.value.reason) == "overloaded"
        while gate.lag_s > 0.1:
            await _next_look(gate)
        gate.enter(Lane.BATCH)
    finally:
        gate.close()


async def _next_look(gate: Gate) -> None:
    """Returns once the gate has looked at the loop again."""
    timer = gate._timer
    assert timer is not None
    looked = asyncio.Event()
    asyncio.get_running_loop().call_at(timer.when(), looked.set)
    await looked.wait()


async def test_a_closed_gate_leaves_no_timer() -> None:
    gate = Gate(10)
    gate.watch()
    timer = gate._timer
    assert timer is not None
    gate.close()
    gate.close()
    assert timer.cancelled()


def test_there_is_room_for_one_at_least_in_each_lane() -> None:
    gate = Gate(1)
    gate.enter(Lane.BATCH)
    with pytest.raises(GatewayError):
        gate.enter(Lane.INTERACTIVE)
    gate.leave()
    gate.enter(Lane.INTERACTIVE)
    assert gate.in_flight == 1


def test_who_is_turned_away_takes_no_room() -> None:
    gate = Gate(2)
    gate.enter(Lane.INTERACTIVE)
    for _ in range(5):
        with pytest.raises(GatewayError):
            gate.enter(Lane.BATCH)
    assert gate.in_flight == 1


async def test_a_gate_with_nobody_in_it_looks_seldom_until_somebody_comes() -> None:
    gate = Gate(10)
    gate.watch()
    try:
        while not gate.resting:
            await _next_look(gate)
        seldom = gate._timer
        gate.enter(Lane.INTERACTIVE)
        assert seldom is not None
        assert gate._timer is not None
        assert (seldom.cancelled(), gate._timer.when() < seldom.when(), gate.resting) == (True, True, False)
        await _next_look(gate)
        assert not gate.resting
        gate.leave()
        while not gate.resting:
            await _next_look(gate)
    finally:
        gate.close()
