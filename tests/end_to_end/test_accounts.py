"""What a completion is allowed and what is written of it: rows, rates, quotas, budgets and keys, by REST and by gRPC."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import cast

import aiohttp
import orjson
import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select

from server.caller import Caller
from server.clock import SystemClock
from server.config.schema import RedisSettings
from server.ledger.estimate import estimate
from server.limits.choice import build_counters
from server.limits.limits import Limits
from server.limits.request import Request
from server.storage.database import Database
from server.storage.tables import BUDGET_EVENTS, BUDGETS, COMPLETIONS, QUOTAS, WORKERS
from tests.end_to_end.holders import TIMES, add_holder
from tests.end_to_end.running import KEY, Running, config, row, run_gateway
from tests.fakes.answers import Scripted, Status, Text, Usage, whole
from tests.fakes.faults import Cut, Stall
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient

CHAT = "/v1/chat/completions"
ANSWER = Text("Hello there all of you", usage=Usage(1000, 100))
PRICE = {"cost_per_1k_input_tokens": 0.01, "cost_per_1k_output_tokens": 0.02}
COST = 12_000
"""What the answer costs, in millionths of a dollar."""

Json = dict[str, object]


@asynccontextmanager
async def running(
    folder: Path,
    vendor: ScriptedVendor,
    fields: Mapping[str, object] | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
    **sections: object,
) -> AsyncIterator[Running]:
    """A gateway with one provider whose price is known."""
    provider = row("first", vendor, ["gpt-4o", "other"], **{**PRICE, **(fields or {})})
    async with run_gateway(folder, {**config([provider]), **sections}, "whole", env=env) as gateway:
        yield gateway


@asynccontextmanager
async def calling(gateway: Running, key: str = KEY) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway.url, headers={"Authorization": f"Bearer {key}"}) as session:
        yield session


def body(streamed: bool = False, model: str = "gpt-4o", **fields: object) -> Json:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": streamed, **fields}


async def rows(gateway: Running) -> list[Mapping[str, object]]:
    """The ledger's rows, oldest first, once nothing is open any more."""
    core = gateway.gateways[0]._core
    assert core is not None
    assert core._governance is not None
    await core._governance.accounts.close()
    assert core._database is not None
    async with core._database.read() as connection:
        found = await connection.execute(select(COMPLETIONS).order_by(COMPLETIONS.c.begin_time))
        return [dict(one._mapping) for one in found]


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(default=lambda _: ANSWER) as scripted:
        yield scripted


# Rows


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_an_answer_is_one_settled_row_with_its_cost(vendor: ScriptedVendor, tmp_path: Path, streamed: bool) -> None:
    async with running(tmp_path, vendor) as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body(streamed, temperature=0.5)) as response:
            await response.read()
        [written] = await rows(gateway)
    expected = {
        "state": "settled",
        "status": "completed",
        "key_id": "all",
        "model": "gpt-4o",
        "provider": "first",
        "streamed": streamed,
        "input_tokens": 1000,
        "output_tokens": 100,
        "cost_micros": COST,
        "exact": True,
        "finish_reason": "stop",
        "message_count": 1,
        "origin": "127.0.0.1",
        "parameters": '{"temperature":0.5}',
        "request_body": None,
        "request_id": response.headers["x-request-id"],
    }
    assert {key: written[key] for key in expected} == expected
    times = [cast(int, written[name]) for name in ("begin_time", "first_chunk_time", "end_time")]
    assert times == sorted(times)


async def test_grpc_is_told_the_cost(vendor: ScriptedVendor, tmp_path: Path) -> None:
    request = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
    async with (
        running(tmp_path, vendor) as gateway,
        AsyncClient(gateway.target, api_key=KEY) as client,
        client.completions.stream_chat_completion(request) as stream,
    ):
        _ = [message async for message in stream]
        trailers = dict(await stream.trailing_metadata())
    assert trailers["trunkline-cost-usd-micros"] == str(COST)


async def test_a_failover_is_one_row_that_names_both_attempts(vendor: ScriptedVendor, tmp_path: Path) -> None:
    async with ScriptedVendor(default=lambda _: Status(500)) as broken:
        providers = [row("broken", broken, ["gpt-4o"], priority=1), row("first", vendor, ["gpt-4o"], priority=2, **PRICE)]
        async with run_gateway(tmp_path, config(providers), "whole") as gateway, calling(gateway) as session:
            async with session.post(CHAT, json=body()) as response:
                await response.read()
            [written] = await rows(gateway)
    assert (written["provider"], written["cost_micros"]) == ("first", COST)
    assert [name in str(written["attempts"]) for name in ("broken", "server_error", "first")] == [True, True, True]


def tried(written: Mapping[str, object]) -> list[tuple[object, object]]:
    """Whom a row names as tried, and what went wrong there."""
    return [(each["provider"], each["error"]) for each in orjson.loads(cast(str, written["attempts"]))]


async def test_the_row_of_a_stream_that_broke_names_its_attempt_once(vendor: ScriptedVendor, tmp_path: Path) -> None:
    vendor.add(ANSWER.with_fault(Cut(after_events=2)))
    async with running(tmp_path, vendor) as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body(streamed=True)) as response:
            await response.read()
        [written] = await rows(gateway)
    assert (written["status"], tried(written)) == ("incomplete", [("first", "connection_error")])


async def test_the_row_of_a_race_names_who_lost_it(vendor: ScriptedVendor, tmp_path: Path) -> None:
    async with ScriptedVendor(default=lambda _: ANSWER.with_fault(Stall())) as silent:
        providers = [row("silent", silent, ["gpt-4o"], priority=1), row("first", vendor, ["gpt-4o"], priority=2)]
        document = {**config(providers), "routing": {"hedging": {"delay_s": 0.05}}}
        async with run_gateway(tmp_path, document, "whole") as gateway, calling(gateway) as session:
            async with session.post(CHAT, json=body()) as response:
                assert response.headers["x-trunkline-attempts"] == "2"
            [written] = await rows(gateway)
    assert tried(written) == [("silent", "cancelled"), ("first", "")]


async def test_the_row_of_a_caller_who_left_early_names_who_was_asked(vendor: ScriptedVendor, tmp_path: Path) -> None:
    vendor.add(ANSWER.with_fault(Stall()))
    async with running(tmp_path, vendor) as gateway, calling(gateway) as session:
        asking = asyncio.ensure_future(session.post(CHAT, json=body()))
        await vendor.stalled()
        asking.cancel()
        await vendor.next_disconnect()
        [written] = await rows(gateway)
    assert (written["status"], tried(written)) == ("cancelled", [("first", "cancelled")])


async def test_a_failed_request_is_a_row_that_cost_nothing(vendor: ScriptedVendor, tmp_path: Path) -> None:
    vendor.add(Status(400, message="No."))
    async with running(tmp_path, vendor) as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body()) as response:
            assert response.status == 400
        [written] = await rows(gateway)
    assert (written["status"], written["error_reason"], written["cost_micros"]) == ("failed", "invalid_request", 0)


async def test_a_broken_stream_is_paid_for_by_an_estimate_that_says_so(vendor: ScriptedVendor, tmp_path: Path) -> None:
    vendor.add(ANSWER.with_fault(Cut(after_events=3), Stall(after_events=3)))
    async with running(tmp_path, vendor) as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body(streamed=True)) as response:
            await response.content.readuntil(b"\n\n")
            vendor.release()
            await response.read()
        [written] = await rows(gateway)
    assert (written["status"], written["exact"]) == ("incomplete", False)
    assert 0 < cast(int, written["output_tokens"]) < 100
    assert 0 < cast(int, written["cost_micros"]) < COST


@pytest.mark.parametrize("policy", ["estimate", "read_to_end", "none"])
async def test_a_stream_that_went_on_elsewhere_is_paid_for_at_both(
    vendor: ScriptedVendor, tmp_path: Path, policy: str
) -> None:
    async with ScriptedVendor(default=lambda _: ANSWER.with_fault(Cut(after_events=3))) as broken:
        providers = [
            row("broken", broken, ["gpt-4o"], priority=1, broken_stream_billing=policy, **PRICE),
            row("first", vendor, ["gpt-4o"], priority=2, **PRICE),
        ]
        async with run_gateway(tmp_path, config(providers, routing={}), "whole") as gateway, calling(gateway) as session:
            async with session.post(CHAT, json=body(streamed=True)) as response:
                await response.read()
            [written] = await rows(gateway)
    assert (written["status"], written["provider"]) == ("completed", "first")
    used = [cast(int, written[name]) for name in ("input_tokens", "output_tokens", "cost_micros")]
    if policy == "none":
        assert (*used, written["exact"]) == (1000, 100, COST, True)
    else:
        of_broken = [used[0] - 1000, used[1] - 100, used[2] - COST]
        assert 0 < of_broken[0] < 20
        assert 0 < of_broken[1] < 10
        assert (of_broken[2], written["exact"]) == (10 * of_broken[0] + 20 * of_broken[1], False)


async def test_a_part_that_nobody_knows_the_price_of_makes_no_other_free(vendor: ScriptedVendor, tmp_path: Path) -> None:
    async with ScriptedVendor(default=lambda _: ANSWER.with_fault(Cut(after_events=3))) as broken:
        providers = [
            row("broken", broken, ["nobody-sells-this"], priority=1),
            row("first", vendor, ["nobody-sells-this"], priority=2, **PRICE),
        ]
        database_url = f"sqlite:///{tmp_path}/own.db"
        database = await Database.open(database_url, None)
        money = {"display_name": "", "limit_micros": COST, "enforced": True, "thresholds": "[]", "period": "total"}
        async with database.begin() as connection:
            await connection.execute(insert(BUDGETS), {"id": "b", "scope": "global", "scope_id": "", **money, **TIMES})
        document = config(providers, routing={}, storage={"url": database_url})
        statuses = []
        async with run_gateway(tmp_path, document, "whole") as gateway, calling(gateway) as session:
            for _ in range(2):
                async with session.post(CHAT, json=body(streamed=True, model="nobody-sells-this")) as response:
                    await response.read()
                    statuses.append(response.status)
            [written] = await rows(gateway)
        await database.close()
    assert (written["status"], written["cost_micros"], statuses) == ("completed", None, [200, 403])


async def test_a_stream_that_broke_wherever_it_was_asked_for_is_paid_for_everywhere(tmp_path: Path) -> None:
    def cut(_: object) -> Scripted:
        return ANSWER.with_fault(Cut(after_events=3))

    async with ScriptedVendor(default=cut) as one, ScriptedVendor(default=cut) as other:
        providers = [row("one", one, ["gpt-4o"], priority=1, **PRICE), row("other", other, ["gpt-4o"], priority=2, **PRICE)]
        async with run_gateway(tmp_path, config(providers, routing={}), "whole") as gateway, calling(gateway) as session:
            async with session.post(CHAT, json=body(streamed=True)) as response:
                await response.read()
            [written] = await rows(gateway)
    asked = estimate(ChatCompletionRequest(messages=[Message(role="user", content="Hello")])).input_tokens
    attempts = len(tried(written))
    assert attempts >= 2
    assert (written["status"], written["exact"], written["input_tokens"]) == ("incomplete", False, attempts * asked)


async def test_a_caller_that_leaves_is_a_cancelled_row(vendor: ScriptedVendor, tmp_path: Path) -> None:
    vendor.add(ANSWER.with_fault(Stall(after_events=3)))
    async with running(tmp_path, vendor) as gateway:
        async with calling(gateway) as session:
            response = await session.post(CHAT, json=body(streamed=True))
            await response.content.readuntil(b"\n\n")
            response.close()
        await gateway.calls_ended()
        [written] = await rows(gateway)
    assert (written["state"], written["status"], written["exact"]) == ("settled", "cancelled", False)


async def test_a_stream_that_is_charged_to_its_end_is_read_to_its_end(vendor: ScriptedVendor, tmp_path: Path) -> None:
    vendor.add(ANSWER.with_fault(Stall(after_events=3)))
    async with running(tmp_path, vendor, {"broken_stream_billing": "read_to_end"}) as gateway:
        async with calling(gateway) as session:
            response = await session.post(CHAT, json=body(streamed=True))
            await response.content.readuntil(b"\n\n")
            response.close()
        await gateway.calls_ended()
        vendor.release()
        [written] = await rows(gateway)
    assert (written["status"], written["exact"], written["cost_micros"]) == ("cancelled", True, COST)


async def test_an_unknown_price_is_no_price_before_and_after(vendor: ScriptedVendor, tmp_path: Path) -> None:
    provider = row("first", vendor, ["nobody-sells-this"])
    async with run_gateway(tmp_path, config([provider]), "whole") as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body(model="nobody-sells-this")) as response:
            await response.read()
        [written] = await rows(gateway)
    assert (written["reserved_micros"], written["cost_micros"], written["input_tokens"]) == (None, None, 1000)


async def test_a_broken_stream_that_is_not_charged_cost_nothing_whatever_its_price(
    vendor: ScriptedVendor, tmp_path: Path
) -> None:
    vendor.add(ANSWER.with_fault(Stall(after_events=3)))
    provider = row("first", vendor, ["nobody-sells-this"], broken_stream_billing="none")
    async with run_gateway(tmp_path, config([provider]), "whole") as gateway:
        async with calling(gateway) as session:
            response = await session.post(CHAT, json=body(streamed=True, model="nobody-sells-this"))
            await response.content.readuntil(b"\n\n")
            response.close()
        await gateway.calls_ended()
        [written] = await rows(gateway)
    assert (written["status"], written["exact"]) == ("cancelled", True)
    assert (written["output_tokens"], written["cost_micros"]) == (None, 0)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("served", "cost"), [("default", 450), ("priority", 810)])
async def test_the_tier_that_served_is_the_one_that_is_paid_for(
    vendor: ScriptedVendor, tmp_path: Path, streamed: bool, served: str, cost: int
) -> None:
    vendor.add(replace(whole(ANSWER), extra={"service_tier": served}))
    provider = row("first", vendor, ["gpt-5-mini"])
    async with run_gateway(tmp_path, config([provider]), "whole") as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body(streamed, "gpt-5-mini", service_tier="priority")) as response:
            await response.read()
        [written] = await rows(gateway)
    assert written["cost_micros"] == cost


async def test_what_a_dearer_tier_may_cost_is_held_back(vendor: ScriptedVendor, tmp_path: Path) -> None:
    provider = row("first", vendor, ["gpt-5-mini"])
    async with run_gateway(tmp_path, config([provider]), "whole") as gateway, calling(gateway) as session:
        for tier in ("default", "priority", "scale"):
            async with session.post(CHAT, json=body(model="gpt-5-mini", service_tier=tier)) as response:
                await response.read()
        usual, priority, others = [cast(int, written["reserved_micros"]) for written in await rows(gateway)]
    assert usual == others < priority


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_an_answer_without_usage_is_estimated(vendor: ScriptedVendor, tmp_path: Path, streamed: bool) -> None:
    vendor.add(replace(whole(ANSWER), extra={"usage": None}))
    async with running(tmp_path, vendor) as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body(streamed)) as response:
            await response.read()
        [written] = await rows(gateway)
    assert (written["status"], written["output_tokens"], written["exact"]) == ("completed", 6, False)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_each_choice_without_usage_is_estimated(vendor: ScriptedVendor, tmp_path: Path, streamed: bool) -> None:
    vendor.add(replace(whole(ANSWER), extra={"usage": None}))
    async with running(tmp_path, vendor) as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body(streamed, n=3)) as response:
            await response.read()
        [written] = await rows(gateway)
    assert (written["output_tokens"], written["exact"]) == (17, False)
    assert cast(int, written["cost_micros"]) > 0


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_an_answer_as_long_as_a_book_is_estimated(vendor: ScriptedVendor, tmp_path: Path, streamed: bool) -> None:
    book = Text("Hell" * 300_000, pieces=("Hell" * 100_000,) * 3)
    vendor.add(replace(whole(book), extra={"usage": None}))
    async with running(tmp_path, vendor) as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body(streamed)) as response:
            await response.read()
        [written] = await rows(gateway)
    assert (written["output_tokens"], written["exact"]) == (300_000, False)


async def test_electricity_is_paid_for_the_attempt_that_answered(vendor: ScriptedVendor, tmp_path: Path) -> None:
    async with ScriptedVendor(default=lambda _: ANSWER.with_fault(Stall())) as silent:
        rate = {"cost_per_1k_input_tokens": 0, "cost_per_1k_output_tokens": 0, "electricity_cost_per_hour": 3600}
        providers = [row("silent", silent, ["m"], priority=1, timeout=0.5), row("first", vendor, ["m"], priority=2, **rate)]
        async with run_gateway(tmp_path, config(providers), "whole") as gateway, calling(gateway) as session:
            async with session.post(CHAT, json=body(model="m")) as response:
                await response.read()
            [written] = await rows(gateway)
    tried = cast(list[Mapping[str, float]], orjson.loads(cast(str, written["attempts"])))
    assert [round(each["latency_s"] * 1e6) for each in tried[1:]] == [written["cost_micros"]]


async def test_bodies_are_kept_where_that_is_asked_for(vendor: ScriptedVendor, tmp_path: Path) -> None:
    logging = {"level": "ERROR", "store_bodies": True}
    async with running(tmp_path, vendor, logging=logging) as gateway, calling(gateway) as session:
        for streamed in (False, True):
            async with session.post(CHAT, json=body(streamed)) as response:
                await response.read()
        written = await rows(gateway)
    assert ["Hello" in str(one["request_body"]) for one in written] == [True, True]
    assert ["Hello there all of you" in str(one["answer_body"]) for one in written] == [True, True]


async def test_no_secret_is_kept_in_a_body(tmp_path: Path) -> None:
    keys = [KEY, {"name": "plain", "key": "opkey-plain"}, "${KEY}", {"key_env": "KEY_OF_ENV"}]
    env = {"KEY": "opkey-replaced", "KEY_OF_ENV": "opkey-of-env"}
    secrets = ["opkey-plain", *env.values(), "providers-own", "AKIAIOSFODNN7EXAMPLE"]
    said = "\n".join(f"{number}\n{secret}" for number, secret in enumerate(secrets))
    auth, logging = {"api_keys": keys}, {"level": "ERROR", "store_bodies": True}
    async with (
        ScriptedVendor(key="providers-own", default=lambda _: Text(said)) as vendor,
        running(tmp_path, vendor, env=env, auth=auth, logging=logging) as gateway,
        calling(gateway) as session,
    ):
        for streamed in (False, True):
            async with session.post(CHAT, json=body(streamed, messages=[{"role": "user", "content": said}])) as response:
                assert response.status == 200
                await response.read()
        written = await rows(gateway)
    kept = [str(one[name]) for one in written for name in ("request_body", "answer_body")]
    assert [each.count("[redacted]") for each in kept] == [len(secrets)] * 4
    assert [secret for secret in secrets if any(secret in each for each in kept)] == []


async def test_without_a_ledger_nothing_is_written(vendor: ScriptedVendor, tmp_path: Path) -> None:
    async with running(tmp_path, vendor, ledger={"enabled": False}) as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body()) as response:
            assert response.status == 200
        assert await rows(gateway) == []


# Rates


async def test_past_its_rate_a_key_is_told_when_to_come_back(vendor: ScriptedVendor, tmp_path: Path) -> None:
    rate = {"requests_per_window": 2, "window_seconds": 60, "burst_limit": 0}
    async with running(tmp_path, vendor, rate_limit=rate) as gateway, calling(gateway) as session:
        for left in (1, 0):
            async with session.post(CHAT, json=body()) as response:
                assert response.status == 200
                assert (response.headers["X-RateLimit-Limit"], response.headers["X-RateLimit-Remaining"]) == ("2", str(left))
                assert int(response.headers["X-RateLimit-Reset"]) > 1_700_000_000
        async with session.post(CHAT, json=body()) as response:
            refused = (await response.json())["error"]
    assert (response.status, refused["type"], refused["code"]) == (429, "rate_limit_error", "rate_limited")
    assert response.headers["X-RateLimit-Remaining"] == "0"
    assert int(response.headers["Retry-After"]) == refused["retry_after"] > 0
    assert response.headers["x-should-retry"] == "true"
    assert len(vendor.requests) == 2


async def test_past_a_providers_own_rate_the_next_one_is_asked(vendor: ScriptedVendor, tmp_path: Path) -> None:
    async with ScriptedVendor(default=lambda _: ANSWER) as second:
        rows_ = [row("first", vendor, ["gpt-4o"], rate_limit=2), row("second", second, ["gpt-4o"], rate_limit=1)]
        async with run_gateway(tmp_path, config(rows_), "whole") as gateway, calling(gateway) as session:
            statuses = []
            for _ in range(4):
                async with session.post(CHAT, json=body()) as response:
                    statuses.append(response.status)
        assert (statuses, len(vendor.requests), len(second.requests)) == ([200, 200, 200, 429], 2, 1)
        assert int(response.headers["Retry-After"]) > 0


# Tenants


async def create(session: aiohttp.ClientSession, path: str, value: Json) -> Json:
    async with session.post(path, json=value) as response:
        created = cast(Json, await response.json())
        assert response.status == 200, created
        return created


async def new_key(session: aiohttp.ClientSession, **fields: object) -> tuple[str, Json]:
    """A key of a new user of a new tenant, and its resource."""
    tenant = await create(session, "/v1/tenants", {"display_name": "Acme"})
    user = await create(session, "/v1/users", {"tenant": tenant["name"], "display_name": "Jo"})
    key = await create(
        session,
        "/v1/api_keys",
        {"user": user["name"], "display_name": "Jo's", "permissions": ["completion"], **fields},
    )
    return cast(str, key["key"]), cast(Json, key["api_key"])


async def test_a_key_asks_only_for_what_it_is_allowed(vendor: ScriptedVendor, tmp_path: Path) -> None:
    async with running(tmp_path, vendor) as gateway, calling(gateway) as admin:
        key, _ = await new_key(admin, allowed_models=["gpt-*"])
        elsewhere, _ = await new_key(admin, allowed_providers=["second"])
        async with calling(gateway, key) as session:
            async with session.post(CHAT, json=body()) as response:
                assert response.status == 200
            async with session.get("/v1/models") as response:
                assert [model["id"] for model in (await response.json())["data"]] == ["gpt-4o"]
            async with session.post(CHAT, json=body(model="other")) as response:
                assert (response.status, (await response.json())["error"]["code"]) == (403, "insufficient_permissions")
        async with calling(gateway, elsewhere) as session, session.post(CHAT, json=body()) as response:
            assert response.status == 403
        [written] = await rows(gateway)
    assert written["tenant_id"]
    assert written["key_id"]


async def test_a_used_up_quota_is_403(vendor: ScriptedVendor, tmp_path: Path) -> None:
    async with running(tmp_path, vendor) as gateway, calling(gateway) as admin:
        key, resource = await new_key(admin)
        await create(admin, "/v1/quotas", {"subject": resource["name"], "token_limit": 1500, "period": "daily"})
        await limits_read(gateway)
        async with calling(gateway, key) as session:
            async with session.post(CHAT, json=body(max_tokens=100)) as response:
                assert response.status == 200
            async with session.post(CHAT, json=body(max_tokens=1000)) as response:
                refused = (await response.json())["error"]
    assert (response.status, refused["type"], refused["code"]) == (403, "insufficient_quota", "quota_exceeded")
    assert len(vendor.requests) == 1


async def limits_read(gateway: Running) -> None:
    """Lets rows that were changed take effect at once."""
    core = gateway.gateways[0]._core
    assert core is not None
    assert core._governance is not None
    await core._governance.limits.refresh()


async def test_a_models_budget_counts_it_by_all_its_names(vendor: ScriptedVendor, tmp_path: Path) -> None:
    budget = {"display_name": "F", "subject": "models/fast", "limit_usd_micros": COST, "period": "total", "enforced": True}
    routing = {"aliases": {"fast": "gpt-4o"}}
    async with running(tmp_path, vendor, routing=routing) as gateway, calling(gateway) as session:
        async with session.post(CHAT, json=body(model="first/gpt-4o")) as response:
            assert response.status == 200
            await response.read()
        await create(session, "/v1/budgets", budget)
        await limits_read(gateway)
        told: list[tuple[str, int]] = []
        for model in ("gpt-4o", "fast", "first/gpt-4o", "other"):
            async with session.post(CHAT, json=body(model=model)) as response:
                told.append((model, response.status))
    assert told == [("gpt-4o", 403), ("fast", 403), ("first/gpt-4o", 403), ("other", 200)]


async def test_a_budget_is_never_exceeded_by_a_race(vendor: ScriptedVendor, tmp_path: Path) -> None:
    def costly(_: object) -> Scripted:
        return Text("Hi", usage=Usage(10_000, 0))  # a tenth of a dollar

    async with ScriptedVendor(default=costly) as dear:
        price = {"cost_per_1k_input_tokens": 0.01, "cost_per_1k_output_tokens": 0.0999}
        async with running(tmp_path, dear, price) as gateway, calling(gateway) as admin:
            await create(
                admin,
                "/v1/budgets",
                {
                    "display_name": "All",
                    "subject": "global",
                    "limit_usd_micros": 5_000_000,
                    "period": "daily",
                    "enforced": True,
                },
            )
            await limits_read(gateway)

            async def ask() -> int:
                async with admin.post(CHAT, json=body(max_tokens=1000)) as response:
                    await response.read()
                    return response.status

            statuses = await asyncio.gather(*(ask() for _ in range(120)))
            written = await rows(gateway)
            core = gateway.gateways[0]._core
            assert core is not None
            assert core._database is not None
            async with core._database.read() as connection:
                events = [dict(one._mapping) for one in await connection.execute(select(BUDGET_EVENTS))]
    spent = sum(cast(int, one["cost_micros"] or 0) for one in written)
    assert spent <= 5_000_000
    assert statuses.count(200) == len(dear.requests) == len(written)
    assert set(statuses) == {200, 403}
    assert sorted(cast(int, event["threshold"]) for event in events)[:2] == [50, 80]


async def test_what_a_killed_worker_held_back_in_redis_is_free_again(
    vendor: ScriptedVendor, tmp_path: Path, redis_url: str
) -> None:
    url, everything = f"sqlite:///{tmp_path / 'gateway.db'}", 1_000_000
    database, clock = await Database.open(url, None), SystemClock()
    quota = {"id": "q", "scope": "key", "scope_id": "acme", "token_limit": everything, "period": "total", **TIMES}
    async with database.begin() as connection:
        await add_holder(connection, "acme", "llm_acme")
        await connection.execute(insert(QUOTAS), quota)
        await connection.execute(insert(WORKERS), {"id": "killed", "beat_time": 1})
    limits = Limits(None, build_counters(RedisSettings(url=SecretStr(redis_url)), clock), database, clock)
    await limits.start()
    await limits.reserve(Request(Caller("", frozenset(), "acme", "acme", "acme"), "chat", "", "gpt-4o", everything))
    await limits.close()
    await database.close()
    stores = {"storage": {"url": url}, "redis": {"url": redis_url}}
    async with (
        running(tmp_path, vendor, **stores) as gateway,
        calling(gateway, "llm_acme") as session,
        session.post(CHAT, json=body()) as response,
    ):
        assert response.status == 200, await response.text()
