"""Requests to limits, and what comes of many of them."""

import asyncio
from collections.abc import Iterable, Sequence

from server.caller import COMPLETION, Caller
from server.errors import GatewayError
from server.limits.counters import Claim, Counters
from server.limits.limits import Limits, Reservation
from server.limits.request import Request

ANN = Caller("ann's key", frozenset({COMPLETION}), tenant_id="acme", user_id="ann", key_id="k1")
BOB = Caller("bob's key", frozenset({COMPLETION}), tenant_id="acme", user_id="bob", key_id="k2")
CONFIGURED = Caller("configured", frozenset({COMPLETION}))


def ask(
    caller: Caller = ANN, tokens: int = 0, micros: int = 0, model: str = "gpt", endpoint: str = "", more: int = 0
) -> Request:
    """A request that may use so much more than it is expected to."""
    return Request(caller, "chat", endpoint, model, tokens, micros, tokens + more, micros + more)


async def refused_at(counters: Counters, claims: Sequence[Claim]) -> int | None:
    """The index of the first claim that did not fit; None: all fit."""
    return (await counters.take(claims)).refused


async def refusal(limits: Limits, request: Request) -> GatewayError | None:
    """Why a request is refused; None: it is not."""
    try:
        await limits.reserve(request)
    except GatewayError as error:
        return error
    return None


async def counted(limits: Limits, request: Request) -> dict[str, int]:
    """What the quotas and budgets of a request count now, by their ids; those nobody asked yet are left out."""
    dues = limits._book.allowances.of(request, limits._now())
    found = [(due.allowance.id, await limits._counters.value(due.key)) for due in dues]
    return {allowance: value for allowance, value in found if value is not None}


async def admitted(limits: Iterable[Limits], request: Request, times: int) -> list[Reservation]:
    """Asks at once, so many times each; gives what was granted."""
    asked = (each.reserve(request) for each in limits for _ in range(times))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, Reservation | GatewayError) for each in outcomes)
    return [each for each in outcomes if isinstance(each, Reservation)]
