"""Several workers without Redis take no quota and no budget that they could not hold to together."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import grpc
import pytest

from server.limits.unheld import UnheldLimitsError
from tests.end_to_end.refused import INVALID, Told, check
from tests.end_to_end.running import KEY, Running, config, row, run_gateway
from tests.fakes.http1_request import JsonObject
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.tenancy_pb2 import LIMIT_PERIOD_DAILY, Quota
from trunkline_client import AsyncClient, InvalidRequestError, open_channel

NOT_SHARED = Told(400, INVALID, "limits_not_shared", grpc.StatusCode.FAILED_PRECONDITION, "limits_not_shared")
QUOTA: JsonObject = {"subject": "tenants/acme", "token_limit": 5, "period": "daily"}
BUDGET: JsonObject = {"subject": "global", "limit_usd_micros": 5, "period": "total"}


@pytest.fixture
async def running(tmp_path: Path, vendor: ScriptedVendor) -> AsyncIterator[Running]:
    document = config([row("first", vendor, ["gpt-4o"])], {"workers": 2})
    async with run_gateway(tmp_path, document, "whole") as started:
        yield started


@pytest.fixture
async def http(running: Running) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(running.url, headers={"Authorization": f"Bearer {KEY}"}) as session:
        async with session.post("/v1/tenants?tenant_id=acme", json={}) as response:
            assert response.status == 200
        yield session


async def made(http: aiohttp.ClientSession, path: str, body: JsonObject) -> JsonObject:
    async with http.post(path, json=body) as response:
        assert response.status == 200, await response.text()
        answer: JsonObject = await response.json()
        return answer


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/quotas", QUOTA), ("/v1/budgets", BUDGET), ("/v1/budgets", {**BUDGET, "enforced": True})],
    ids=["quota", "budget", "enforced budget"],
)
async def test_a_limit_is_refused_and_says_why(http: aiohttp.ClientSession, path: str, body: JsonObject) -> None:
    async with http.post(path, json=body) as response:
        error = await check(response, NOT_SHARED)
    assert "2 workers cannot hold to limits together without Redis" in error["message"]
    assert "set `redis.url`" in error["message"]
    async with http.get(path) as response:
        assert not (await response.json()).get(path.rpartition("/")[2])


async def test_a_budget_that_is_only_tracked_is_taken_and_stays_so(http: aiohttp.ClientSession) -> None:
    name = (await made(http, "/v1/budgets", {**BUDGET, "enforced": False}))["name"]
    async with http.patch(f"/v1/{name}", json={"limit_usd_micros": 7}) as response:
        assert (await response.json())["limit_usd_micros"] == 7
    async with http.patch(f"/v1/{name}", json={"enforced": True}) as response:
        await check(response, NOT_SHARED)
    async with http.delete(f"/v1/{name}") as response:
        assert response.status == 200


async def test_over_grpc_it_is_a_precondition_that_fails(running: Running, http: aiohttp.ClientSession) -> None:
    async with open_channel(running.target) as channel:
        client = AsyncClient(channel, api_key=KEY)
        for call in (client.admin.create_quota, client.admin.update_quota):
            with pytest.raises(InvalidRequestError) as refused:
                await call(Quota(name="quotas/q", subject="tenants/acme", token_limit=5, period=LIMIT_PERIOD_DAILY))
            assert (refused.value.code, refused.value.reason) == (NOT_SHARED.grpc_code, NOT_SHARED.reason)
            assert refused.value.metadata["workers"] == "2"


async def test_with_redis_limits_are_taken(tmp_path: Path, vendor: ScriptedVendor, redis_url: str) -> None:
    document = config([row("first", vendor, ["gpt-4o"])], {"workers": 2}, redis={"url": redis_url})
    async with (
        run_gateway(tmp_path, document, "whole") as started,
        aiohttp.ClientSession(started.url, headers={"Authorization": f"Bearer {KEY}"}) as session,
    ):
        assert (await made(session, "/v1/budgets", BUDGET))["enforced"] is True


async def test_a_second_gateway_on_the_database_does_not_start_beside_limits(
    tmp_path: Path, vendor: ScriptedVendor, database_url: str
) -> None:
    document = config([row("first", vendor, ["gpt-4o"])], {}, storage={"url": database_url}, rate_limit={})
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    async with run_gateway(folders[0], document, "whole"):
        with pytest.raises(UnheldLimitsError, match="Several gateways on one database"):
            async with run_gateway(folders[1], document, "whole"):
                pass
    async with run_gateway(folders[1], document, "whole"):
        pass


async def test_limits_set_while_there_are_two_gateways_are_refused_by_both(
    tmp_path: Path, vendor: ScriptedVendor, database_url: str
) -> None:
    document = config([row("first", vendor, ["gpt-4o"])], {}, storage={"url": database_url})
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    async with (
        run_gateway(folders[0], document, "whole") as first,
        run_gateway(folders[1], document, "whole") as second,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session,
    ):
        async with session.post(f"{second.url}/v1/budgets", json=BUDGET) as response:
            await check(response, NOT_SHARED)
        while True:  # the first sees the second within a second
            async with session.post(f"{first.url}/v1/budgets", json=BUDGET) as response:
                if response.status == 200:
                    name = (await response.json())["name"]
                    async with session.delete(f"{first.url}/v1/{name}") as deleted:
                        assert deleted.status == 200
                    continue
                await check(response, NOT_SHARED)
                break
