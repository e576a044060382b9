"""Without a ledger there is nothing to count quotas and budgets from after a restart, so none is taken."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import grpc
import pytest

from server.limits.unheld import UnheldLimitsError
from tests.end_to_end.command import start
from tests.end_to_end.refused import INVALID, Told, check
from tests.end_to_end.running import KEY, Running, config, row, run_gateway, write_config
from tests.fakes.http1_request import JsonObject
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.tenancy_pb2 import LIMIT_PERIOD_DAILY, Budget, Quota
from trunkline_client import AsyncClient, InvalidRequestError, open_channel

NO_LEDGER = Told(400, INVALID, "ledger_disabled", grpc.StatusCode.FAILED_PRECONDITION, "ledger_disabled")
QUOTA: JsonObject = {"subject": "tenants/acme", "token_limit": 5, "period": "daily"}
BUDGET: JsonObject = {"subject": "global", "limit_usd_micros": 130_000, "period": "daily"}
TRACKED: JsonObject = {**BUDGET, "enforced": False}
OFF: JsonObject = {"ledger": {"enabled": False}}


@pytest.fixture
def document(vendor: ScriptedVendor) -> JsonObject:
    return config([row("first", vendor, ["gpt-4o"])])


@asynccontextmanager
async def running(folder: Path, document: JsonObject) -> AsyncIterator[tuple[Running, aiohttp.ClientSession]]:
    """A gateway whose data outlive it, and a caller who may do everything."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        run_gateway(folder, document, "whole", folder / "data") as gateway,
        aiohttp.ClientSession(gateway.url, headers=headers) as session,
    ):
        yield gateway, session


async def made(session: aiohttp.ClientSession, path: str, body: JsonObject) -> str:
    """The name of what is made."""
    async with session.post(path, json=body) as response:
        assert response.status == 200, await response.text()
        return str((await response.json())["name"])


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/quotas", QUOTA), ("/v1/budgets", BUDGET), ("/v1/budgets", TRACKED)],
    ids=["quota", "budget", "tracked budget"],
)
async def test_a_limit_is_refused_and_says_why(tmp_path: Path, document: JsonObject, path: str, body: JsonObject) -> None:
    async with running(tmp_path, {**document, **OFF}) as (_, session):
        await made(session, "/v1/tenants?tenant_id=acme", {})
        async with session.post(path, json=body) as response:
            error = await check(response, NO_LEDGER)
        assert "(`ledger.enabled: false`): enable it" in error["message"]
        async with session.get(path) as response:
            assert not (await response.json()).get(path.rpartition("/")[2])


async def test_over_grpc_it_is_a_precondition_that_fails(tmp_path: Path, document: JsonObject) -> None:
    quota = Quota(name="quotas/q", subject="tenants/acme", token_limit=5, period=LIMIT_PERIOD_DAILY)
    budget = Budget(name="budgets/b", subject="global", limit_usd_micros=5, period=LIMIT_PERIOD_DAILY)
    async with running(tmp_path, {**document, **OFF}) as (gateway, _), open_channel(gateway.target) as channel:
        admin = AsyncClient(channel, api_key=KEY).admin
        for call in (
            admin.create_quota(quota),
            admin.update_quota(quota),
            admin.create_budget(budget),
            admin.update_budget(budget),
        ):
            with pytest.raises(InvalidRequestError) as refused:
                await call
            assert (refused.value.code, refused.value.reason) == (NO_LEDGER.grpc_code, NO_LEDGER.reason)


async def test_what_is_only_tracked_can_be_read_and_deleted_and_not_changed(tmp_path: Path, document: JsonObject) -> None:
    async with running(tmp_path, document) as (_, session):
        name = await made(session, "/v1/budgets", TRACKED)
    async with running(tmp_path, {**document, **OFF}) as (_, session):
        for change in ({"limit_usd_micros": 7}, {"enforced": True}):
            async with session.patch(f"/v1/{name}", json=change) as response:
                await check(response, NO_LEDGER)
        async with session.get(f"/v1/{name}") as response:
            assert (await response.json())["limit_usd_micros"] == BUDGET["limit_usd_micros"]
        async with session.delete(f"/v1/{name}") as response:
            assert response.status == 200


@pytest.mark.parametrize(("path", "body"), [("/v1/quotas", QUOTA), ("/v1/budgets", BUDGET)], ids=["quota", "budget"])
async def test_beside_limits_in_the_database_it_does_not_start(
    tmp_path: Path, document: JsonObject, path: str, body: JsonObject
) -> None:
    async with running(tmp_path, document) as (_, session):
        await made(session, "/v1/tenants?tenant_id=acme", {})
        name = await made(session, path, body)
    with pytest.raises(UnheldLimitsError, match="ledger"):
        async with running(tmp_path, {**document, **OFF}):
            pass
    async with running(tmp_path, document) as (_, session), session.delete(f"/v1/{name}") as response:
        assert response.status == 200
    async with running(tmp_path, {**document, **OFF}):
        pass


async def test_the_command_says_why_it_does_not_start(tmp_path: Path, document: JsonObject) -> None:
    async with running(tmp_path, document) as (_, session):
        await made(session, "/v1/budgets", BUDGET)
    file = write_config(tmp_path, {**document, **OFF})
    process = await start(tmp_path, "core", "--config", str(file), "--grpc-port", "0", "--data-dir", str(tmp_path / "data"))
    printed, errors = await process.communicate()
    assert (process.returncode, printed) == (1, b"")
    assert "error: Quotas and budgets are counted from the ledger" in " ".join(errors.decode().split())
