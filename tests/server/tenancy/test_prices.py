"""Prices are set, told in pages and ended by operators alone, and each of these is written down."""

import orjson
import pytest

from server.errors import GatewayError
from server.tenancy.pages import Page
from server.tenancy.who import Who
from tests.server.tenancy.world import BEGIN, OPERATOR, World, acting
from trunkline.v1.error_reason_pb2 import ErrorReason

ALL = Page(100, None)
PRICE = {"input": "2.50", "tiers": [{"over": 5, "output": "1"}]}
NOW = round((BEGIN + 2) * 1e6)


async def test_a_price_comes_back_as_it_was_set(world: World) -> None:
    made = await world.tenancy.prices.create(OPERATOR, "openai", "gpt-4o", 5, PRICE)
    assert await world.tenancy.prices.get(OPERATOR, made.id) == made
    assert (made.provider, made.model, made.effective_time, made.price) == ("openai", "gpt-4o", 5, PRICE)
    assert made.create_time == NOW


async def test_a_price_without_a_time_holds_from_now_on(world: World) -> None:
    assert (await world.tenancy.prices.create(OPERATOR, "", "m", None, PRICE)).effective_time == NOW


async def test_a_model_has_one_price_from_each_time_on(world: World) -> None:
    prices = world.tenancy.prices
    for provider, model, time in (("", "m", 1), ("", "m", 2), ("", "n", 1), ("openai", "m", 1)):
        await prices.create(OPERATOR, provider, model, time, PRICE)
    with pytest.raises(GatewayError) as raised:
        await prices.create(OPERATOR, "openai", "m", 1, {"input": "9"})
    assert raised.value.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS
    assert raised.value.metadata == {"name": "models/m"}
    listed, _ = await prices.page(OPERATOR, ALL)
    assert len(listed) == 4


async def test_prices_are_told_in_pages_oldest_first(world: World) -> None:
    made = []
    for number in range(5):
        made.append(await world.tenancy.prices.create(OPERATOR, "", f"m{number}", None, PRICE))
        world.clock.time += 1
    first, token = await world.tenancy.prices.page(OPERATOR, Page.read(3, ""))
    second, end = await world.tenancy.prices.page(OPERATOR, Page.read(3, token))
    assert ([*first, *second], end) == (made, "")


async def test_what_is_set_and_ended_is_written_down(world: World) -> None:
    made = await world.tenancy.prices.create(acting(OPERATOR, "CreatePrice"), "", "m", None, PRICE)
    await world.tenancy.prices.delete(acting(OPERATOR, "DeletePrice"), made.id)
    ended, created = (await world.tenancy.audit.page(OPERATOR, ALL, f"prices/{made.id}"))[0][:2]
    assert sorted([ended.action, created.action]) == ["CreatePrice", "DeletePrice"]
    before, after = sorted([ended, created], key=lambda entry: entry.action)
    assert (before.before, orjson.loads(before.after)["price"]) == ("", PRICE)
    assert (orjson.loads(after.before)["price"], after.after) == (PRICE, "")
    assert before.tenant_id == ""


async def refusal(who: Who, world: World, id_: str) -> list[ErrorReason]:
    """Why somebody may not set, see and end prices."""
    reasons = []
    for attempt in (
        world.tenancy.prices.create(who, "", "n", None, PRICE),
        world.tenancy.prices.get(who, id_),
        world.tenancy.prices.delete(who, id_),
    ):
        with pytest.raises(GatewayError) as raised:
            await attempt
        reasons.append(raised.value.reason)
    return reasons


async def test_prices_are_no_business_of_tenants(world: World) -> None:
    made = await world.tenancy.prices.create(OPERATOR, "", "m", None, PRICE)
    denied, missing = ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS, ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND
    assert await refusal(world.acme.admin, world, made.id) == [denied, missing, missing]
    assert (await world.tenancy.prices.page(world.acme.admin, ALL))[0] == []
    assert await world.tenancy.prices.get(OPERATOR, made.id) == made
