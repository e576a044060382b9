"""What was asked and answered is seen by who may see it: over gRPC, over REST and with the command."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from sqlalchemy import update

from server.storage.database import Database
from server.storage.tables import API_KEYS
from tests.clients.command import run
from tests.end_to_end.holders import add_holder
from tests.end_to_end.running import COMPLETION_KEY, KEY, Running, config, row, run_gateway
from tests.fakes.answers import Status, Text, Usage
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.completion_record_pb2 import CompletionStatus, CostBasis
from trunkline_client import AsyncClient, NotFoundError

CHAT, RECORDS, REQUESTS = "/v1/chat/completions", "/v1/completion_records", "/completion_requests"
PRICE = {"cost_per_1k_input_tokens": 0.01, "cost_per_1k_output_tokens": 0.02}
ACME, UMBRELLA = "llm_acme", "llm_umbrella"
Json = dict[str, object]


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(default=lambda _: Text("Hello there", usage=Usage(1000, 100))) as scripted:
        yield scripted


@pytest.fixture
async def document(vendor: ScriptedVendor, second_vendor: ScriptedVendor, database_url: str) -> dict[str, object]:
    """Two providers, and a database with two tenants whose keys may complete and read metrics."""
    database = await Database.open(database_url, None)
    async with database.begin() as connection:
        for id in ("acme", "umbrella"):
            await add_holder(connection, id, f"llm_{id}")
        await connection.execute(update(API_KEYS).values(permissions='["completion", "metrics:read"]'))
    await database.close()
    rows = [row("first", vendor, ["gpt-4o"], priority=1, **PRICE), row("second", second_vendor, ["gpt-4o"], priority=2)]
    return config(rows, storage={"url": database_url}, logging={"level": "ERROR", "store_bodies": True})


@pytest.fixture
async def gateway(document: dict[str, object], tmp_path: Path) -> AsyncIterator[Running]:
    async with run_gateway(tmp_path, document, "whole", tmp_path / "data") as running:
        yield running


async def ask(gateway: Running, key: str = KEY, **changes: object) -> None:
    """Has a completion."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 200, **changes}
    headers = {"Authorization": f"Bearer {key}", "x-request-id": f"req-{key}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(gateway.url + CHAT, json=body) as response:
        assert response.status == 200, await response.text()
        await response.read()


async def rest(gateway: Running, path: str, key: str = KEY) -> tuple[int, object]:
    """Status and document of an answer of REST."""
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(gateway.url + path) as response:
        return response.status, await response.json()


async def records(gateway: Running, path: str = RECORDS, key: str = KEY) -> list[Json]:
    """The records that REST lists."""
    status, listed = await rest(gateway, path, key)
    assert status == 200, listed
    return cast(list[Json], cast(Mapping[str, object], listed)["completion_records"])


async def test_an_answered_completion_is_listed_at_once(gateway: Running) -> None:
    await ask(gateway, ACME)
    (record,) = await records(gateway)
    told = {
        "tenant": "tenants/acme",
        "user": "users/acme",
        "api_key": "api_keys/acme",
        "request_id": f"req-{ACME}",
        "operation": "chat",
        "model": "gpt-4o",
        "provider": "first",
        "status": "completed",
        "origin": "127.0.0.1",
        "input_tokens": 1000,
        "output_tokens": 100,
        "total_tokens": 1100,
        "finish_reason": "stop",
        "cost_usd_micros": 12_000,
        "cost_basis": "exact",
        "message_count": 1,
        "parameters": {"max_tokens": 200},
    }
    assert {name: record[name] for name in told} == told
    status, got = await rest(gateway, f"/v1/{record['name']}")
    assert status == 200
    assert cast(Json, got) == {**record, **{name: cast(Json, got)[name] for name in ("request_body", "answer_body")}}


async def test_many_are_listed_page_by_page_and_what_was_streamed_too(gateway: Running) -> None:
    for number in range(5):
        await ask(gateway, stream=number % 2 == 0)
    async with AsyncClient(gateway.target, api_key=KEY) as client:
        listed = [record async for record in client.metrics.list_completions(page_size=2)]
        assert [record.streamed for record in listed] == [True, False, True, False, True]
        assert [record.total_tokens for record in listed] == [1100] * 5
        assert {record.api_key for record in listed} == {"all"}
        some = client.metrics.list_completions(api_key="all", begin_time=listed[2].begin_time.ToDatetime())
        assert [record.name async for record in some] == [record.name for record in listed[:3]]
        assert [record async for record in client.metrics.list_completions(end_time=listed[4].begin_time.ToDatetime())] == []


async def test_who_was_tried_is_told(gateway: Running, vendor: ScriptedVendor) -> None:
    vendor.add(Status(500))
    await ask(gateway)
    async with AsyncClient(gateway.target, api_key=KEY) as client:
        (listed,) = [record async for record in client.metrics.list_completions(provider="second")]
        record = await client.metrics.get_completion(listed.name)
    attempts = [(each.provider, each.http_status, bool(each.error_type)) for each in record.attempts]
    assert attempts == [("first", 500, True), ("second", 0, False)]
    assert record.status == CompletionStatus.COMPLETION_STATUS_COMPLETED
    assert ("Hello" in record.request_body, bool(record.answer_body)) == (True, True)
    assert record.cost_basis != CostBasis.COST_BASIS_UNSPECIFIED


async def test_a_tenant_sees_its_own_alone_and_no_bodies(gateway: Running) -> None:
    await ask(gateway, ACME)
    await ask(gateway, UMBRELLA)
    for key, tenant in ((ACME, "tenants/acme"), (UMBRELLA, "tenants/umbrella")):
        assert [record["tenant"] for record in await records(gateway, key=key)] == [tenant]
        assert len(cast(list[object], (await rest(gateway, REQUESTS, key))[1])) == 1
    assert await records(gateway, f"{RECORDS}?tenant=tenants/umbrella", ACME) == []
    umbrellas, acmes = await records(gateway)
    assert (await rest(gateway, f"/v1/{umbrellas['name']}", ACME))[0] == 404
    own = cast(Json, (await rest(gateway, f"/v1/{acmes['name']}", ACME))[1])
    assert {"request_body", "answer_body"} & set(own) == set()
    async with AsyncClient(gateway.target, api_key=ACME) as client:
        with pytest.raises(NotFoundError):
            await client.metrics.get_completion(cast(str, umbrellas["name"]))


async def test_a_key_for_completions_alone_sees_none(gateway: Running) -> None:
    for path in (RECORDS, f"{RECORDS}/a", REQUESTS):
        assert (await rest(gateway, path, COMPLETION_KEY))[0] == 403


async def test_filters_travel_over_rest(gateway: Running) -> None:
    await ask(gateway, ACME)
    for query, count in (
        ("status=completed&operation=chat&model=gpt-4o&provider=first", 1),
        ("begin_time=2020-01-01T00:00:00Z&api_key=api_keys/acme", 1),
        ("end_time=2020-01-01T00:00:00Z", 0),
        ("operation=images", 0),
        (f"request_id=req-{ACME}", 1),
    ):
        assert (query, len(await records(gateway, f"{RECORDS}?{query}"))) == (query, count)
    for query in ("status=lost", "begin_time=yesterday", "tenant=acme", "page_token=x", "colour=red"):
        assert (query, (await rest(gateway, f"{RECORDS}?{query}"))[0]) == (query, 400)


async def test_without_a_ledger_there_is_nothing_to_see(document: dict[str, object], tmp_path: Path) -> None:
    async with run_gateway(tmp_path, {**document, "ledger": {"enabled": False}}, "whole") as gateway:
        await ask(gateway)
        assert await records(gateway) == []
        assert await rest(gateway, REQUESTS) == (200, [])


async def test_the_command_lists_and_shows_them(gateway: Running) -> None:
    await ask(gateway, ACME)
    where, env = ("--target", gateway.target), {"TRUNKLINE_API_KEY": KEY}
    listed = await run(
        "completions", "list", "--tenant", "acme", "--status", "completed", "--operation", "chat", *where, env=env
    )
    heading, line = listed.out.splitlines()
    assert (listed.code, heading.split()[:3]) == (0, ["TIME", "COMPLETION", "KEY"])
    assert (line.split()[3:7], line.split()[-1]) == (["api_keys/acme", "gpt-4o", "first", "completed"], "0.012000")
    shown = await run("completions", "show", line.split()[2], *where, env=env)
    cells = {text[:15].strip(): text[15:].strip() for text in shown.out.splitlines()}
    assert shown.code == 0
    assert (cells["tenant"], cells["parameters"]) == ("tenants/acme", "max_tokens 200")
    assert "Hello" in cells["request text"]
    as_json = await run("completions", "list", "--most", "1", "--until", "2020-01-01", "--json", *where, env=env)
    assert (as_json.code, json.loads(as_json.out)) == (0, [])
