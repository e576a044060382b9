"""Prices that an operator sets: what completions cost from then on, by gRPC and REST, and that nothing else changes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import cast

import aiohttp
import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import select, text

from server.app import Core
from server.config import load
from server.providers.loader import provider_kinds
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.tables import COMPLETIONS
from server.telemetry.redaction import Redaction
from tests.end_to_end.running import KEY, Running, config, row, run_gateway, write_config
from tests.fakes.answers import Text, Usage
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline.v1.models_service_pb2 import OPERATION_CHAT, OPERATION_EMBEDDINGS
from trunkline.v1.price_pb2 import Price, PriceRates, PriceTier
from trunkline_client import AsyncClient, TrunklineError

ANSWER = Text("Hello there all of you", usage=Usage(1000, 100))
ROW = {"cost_per_1k_input_tokens": 0.01, "cost_per_1k_output_tokens": 0.02}
BY_ROW = 12_000
"""What the answer costs by its provider's row, in millionths of a dollar."""

RATES = PriceRates(input="2.50", output="10")
BY_PRICE = 3_500
PATIENCE_S = 20


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(default=lambda _: ANSWER) as scripted:
        yield scripted


@pytest.fixture
def document(vendor: ScriptedVendor, database_url: str) -> dict[str, object]:
    """A gateway's configuration, with a database of each kind."""
    return config([row("first", vendor, ["gpt-4o"], **ROW)], storage={"url": database_url})


@pytest.fixture
async def gateway(document: dict[str, object], tmp_path: Path) -> AsyncIterator[Running]:
    async with run_gateway(tmp_path, document, "whole") as running:
        yield running


@pytest.fixture
async def client(gateway: Running) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(gateway.target, api_key=KEY) as made:
        yield made


async def cost(client: AsyncClient) -> int:
    """What a completion costs that is sent now, as its caller is told."""
    request = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
    async with client.completions.stream_chat_completion(request) as stream:
        _ = [message async for message in stream]
        return int(cast(str, dict(await stream.trailing_metadata())["trunkline-cost-usd-micros"]))


async def costs_kept(gateway: Running) -> list[int]:
    """What completions cost by the ledger, the oldest first."""
    core = gateway.gateways[0]._core
    assert core is not None
    assert core._governance is not None
    assert core._governance._ledger is not None
    await core._governance.accounts.close()
    await core._governance._ledger.flush()
    async with database(gateway).read() as connection:
        query = select(COMPLETIONS.c.cost_micros).order_by(COMPLETIONS.c.begin_time)
        return [cast(int, found.cost_micros) for found in await connection.execute(query)]


def database(gateway: Running) -> Database:
    core = gateway.gateways[0]._core
    assert core is not None
    assert core._database is not None
    return core._database


def at(seconds_from_now: int) -> Timestamp:
    time = Timestamp()
    time.GetCurrentTime()
    time.seconds += seconds_from_now
    return time


async def test_a_price_holds_at_once_and_what_was_there_keeps_its_cost(gateway: Running, client: AsyncClient) -> None:
    assert await cost(client) == BY_ROW
    price = await client.admin.create_price(Price(model="gpt-4o", effective_time=at(-3600), rates=RATES))
    assert await cost(client) == BY_PRICE
    await client.admin.delete_price(price.name)
    assert await cost(client) == BY_ROW
    assert await costs_kept(gateway) == [BY_ROW, BY_PRICE, BY_ROW]


async def test_a_price_of_the_future_changes_nothing_yet(client: AsyncClient) -> None:
    await client.admin.create_price(Price(model="gpt-4o", effective_time=at(3600), rates=RATES))
    assert await cost(client) == BY_ROW


async def test_the_price_of_the_later_time_holds(client: AsyncClient) -> None:
    for input, back in (("1", -20), ("2", -10), ("3", -30)):
        rates = PriceRates(input=input, output="0")
        await client.admin.create_price(Price(provider="first", model="gpt-4o", effective_time=at(back), rates=rates))
    assert await cost(client) == 2_000


async def test_large_inputs_and_requests_have_prices_of_their_own(client: AsyncClient) -> None:
    tiers = [PriceTier(over_input_tokens=999, rates=PriceRates(input="3", output="20"))]
    await client.admin.create_price(Price(model="gpt-4o", rates=RATES, tiers=tiers, request="0.001"))
    assert await cost(client) == 3_000 + 2_000 + 1_000


async def test_a_price_lasts(document: dict[str, object], tmp_path: Path) -> None:
    for _ in range(2):
        async with run_gateway(tmp_path, document, "whole") as gateway, AsyncClient(gateway.target, api_key=KEY) as client:
            if not [each async for each in client.admin.list_prices()]:
                await client.admin.create_price(Price(model="gpt-4o", rates=RATES))
            assert await cost(client) == BY_PRICE


async def test_other_hosts_take_it_up(document: dict[str, object], tmp_path: Path, client: AsyncClient) -> None:
    other = Core(load(write_config(tmp_path, document), {}, provider_kinds()), None, "0", Redaction())
    await other.start(None)
    asking = AsyncClient(cast(grpc.aio.Channel, other.channel), api_key=KEY)
    assert await cost(asking) == BY_ROW
    await client.admin.create_price(Price(model="gpt-4o", rates=RATES))
    async with asyncio.timeout(PATIENCE_S):
        while await cost(asking) != BY_PRICE:
            pass
    await other.stop(0)


async def test_while_the_database_fails_the_last_ones_hold(gateway: Running, client: AsyncClient) -> None:
    await client.admin.create_price(Price(model="gpt-4o", rates=RATES))
    async with database(gateway).begin() as connection:
        await connection.execute(text("ALTER TABLE prices RENAME TO elsewhere"))
    core = gateway.gateways[0]._core
    assert core is not None
    assert core._governance is not None
    with pytest.raises(StorageError):
        await core._governance.prices.refresh()
    assert await cost(client) == BY_PRICE


async def test_by_rest_it_is_the_same(gateway: Running, client: AsyncClient) -> None:
    price: Mapping[str, object] = {"provider": "openai", "model": "gpt-4o", "rates": {"input": "2.50", "output": "10"}}
    async with (
        aiohttp.ClientSession(gateway.url, headers={"Authorization": f"Bearer {KEY}"}) as session,
        session.post("/v1/prices", json=price) as response,
    ):
        made = await response.json()
    assert {name: made[name] for name in price} == price
    assert await cost(client) == BY_PRICE


async def test_the_cheapest_is_who_costs_least_by_the_prices_that_hold(vendor: ScriptedVendor, tmp_path: Path) -> None:
    providers = [
        row("dear", vendor, ["m"], **ROW),
        row("local", vendor, ["m"], cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0, electricity_cost_per_hour=0.36),
        row("set", vendor, ["m"]),
    ]
    document = config(providers, routing={"strategy": "cheapest"})
    async with run_gateway(tmp_path, document, "whole") as gateway, AsyncClient(gateway.target, api_key=KEY) as client:

        async def order() -> list[str]:
            route = await client.models.explain_route("m")
            return [step.provider for step in route.steps if step.place]

        assert await order() == ["local", "dear", "set"]
        rates = PriceRates(input="0.10", output="0.10")
        await client.admin.create_price(Price(provider="set", model="m", effective_time=at(3600), rates=rates))
        assert await order() == ["local", "dear", "set"]
        await client.admin.create_price(Price(provider="set", model="m", effective_time=at(-1), rates=rates))
        assert await order() == ["set", "local", "dear"]


async def test_the_cheapest_for_embeddings_is_whose_input_costs_least(vendor: ScriptedVendor, tmp_path: Path) -> None:
    providers = [row("dear", vendor, ["m"], **ROW), row("set", vendor, ["m"])]
    document = config(providers, routing={"strategy": "cheapest"})
    async with run_gateway(tmp_path, document, "whole") as gateway, AsyncClient(gateway.target, api_key=KEY) as client:
        await client.admin.create_price(Price(provider="set", model="m", rates=PriceRates(input="0.10")))
        for operation, cheapest in ((OPERATION_EMBEDDINGS, "set"), (OPERATION_CHAT, "dear")):
            route = await client.models.explain_route("m", operation)
            assert route.steps[0].provider == cheapest


async def test_models_are_listed_at_the_price_that_was_set(client: AsyncClient) -> None:
    async def listed() -> list[tuple[int, int]]:
        models = [
            *[model async for model in client.models.list_models()],
            await client.models.get_model("gpt-4o"),
            *[model async for model in client.models.list_provider_models("first")],
            await client.models.get_provider_model("first", "gpt-4o"),
            *(await client.models.refresh_provider_models("first")).models,
        ]
        return [(model.input_usd_micros_per_million_tokens, model.output_usd_micros_per_million_tokens) for model in models]

    await client.admin.create_price(Price(model="gpt-4o", effective_time=at(3600), rates=RATES))
    assert await listed() == [(10_000_000, 20_000_000)] * 5
    await client.admin.create_price(Price(model="gpt-4o", rates=RATES))
    assert await listed() == [(2_500_000, 10_000_000)] * 5


async def test_two_prices_from_one_time_on_are_refused(client: AsyncClient) -> None:
    price = Price(model="gpt-4o", effective_time=at(0), rates=RATES)
    await client.admin.create_price(price)
    with pytest.raises(TrunklineError) as raised:
        await client.admin.create_price(price)
    assert raised.value.code is grpc.StatusCode.ALREADY_EXISTS
