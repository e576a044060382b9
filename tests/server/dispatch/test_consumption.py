"""What a completion is charged for whose stream broke and went on."""

import pytest

from server.clock import SystemClock
from server.dispatch.attempt import Attempt
from server.dispatch.books import Books
from server.dispatch.consumption import Consumption
from server.dispatch.told import Told
from server.dispatch.watchdog import Watch
from server.ledger.estimate import estimate
from server.ledger.prices import Prices
from server.limits.limits import Limits
from server.limits.memory import MemoryCounters
from tests.server.dispatch.scripted_provider import chat, says, target
from trunkline.v1.chat_pb2 import Usage

CLOCK = SystemClock()
ASK = chat()


@pytest.fixture
def consumption() -> Consumption:
    """One whose caller has four hundred bytes."""
    told = Told()
    made = Consumption(Books(Limits(None, MemoryCounters(CLOCK), None, CLOCK), None, Prices(), CLOCK), ASK, told)
    batch = says("a" * 400)
    told.add(batch)
    made.batch(batch, None)
    return made


def attempt() -> Attempt:
    asked = target()
    return Attempt(asked, ASK, None, CLOCK, Watch(), asked.provider.stream(ASK))


async def test_who_goes_on_is_charged_for_what_it_said_itself(consumption: Consumption) -> None:
    broken, other = attempt(), attempt()
    consumption.lose(broken, 400)
    consumption.mended(lambda: 40)
    tokens = consumption.charge(other, False, 0).tokens
    assert tokens is not None
    assert (tokens.input, tokens.output) == (2 * estimate(ASK.request).input_tokens, 100 + 10)


async def test_who_was_given_up_is_charged_once_though_nobody_goes_on(consumption: Consumption) -> None:
    broken = attempt()
    consumption.lose(broken, 400)
    charge = consumption.charge(broken, False, 0)
    assert charge.tokens is not None
    assert (charge.tokens.output, charge.exact) == (100, False)


async def test_a_usage_is_of_the_attempt_that_told_it(consumption: Consumption) -> None:
    consumption.batch(says("b"), Usage(input_tokens=70, output_tokens=1))
    consumption.lose(attempt(), 401)
    consumption.mended(lambda: 8)
    charge = consumption.charge(attempt(), True, 0)
    assert charge.tokens is not None
    assert (charge.tokens.input, charge.tokens.output) == (70 + estimate(ASK.request).input_tokens, 101 + 2)
