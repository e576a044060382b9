"""Every RPC of the contract denies every key that lacks what its comment says; a new RPC is here by being there."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import grpc
import pytest
import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from server.app import Core
from server.caller import ADMIN, COMPLETION, METRICS_READ, MODELS_READ
from server.config import load
from server.providers.loader import provider_kinds
from server.telemetry.redaction import Redaction
from tests.protos.contract import rpc_comments
from tests.protos.test_completeness import METHODS, OPEN
from tests.protos.test_completeness import status as status_at_once
from trunkline.v1.tenancy_pb2 import ApiKey, Tenant, User
from trunkline_client import AsyncClient

OPERATOR_KEY, READER_KEY = "sk-test-operator", "sk-test-reader"
PERMISSIONS = (COMPLETION, MODELS_READ, METRICS_READ, ADMIN)
DENIED = {grpc.StatusCode.PERMISSION_DENIED}
REFUSED = DENIED | {grpc.StatusCode.UNAUTHENTICATED}


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    """A server with two keys of the configuration."""
    path = tmp_path / "config.yaml"
    reader = {"name": "reader", "key": READER_KEY, "roles": [MODELS_READ, METRICS_READ]}
    keys = [{"name": "all", "key": OPERATOR_KEY}, reader]
    path.write_text(yaml.safe_dump({"auth": {"api_keys": keys}, "providers": [{"name": "echo", "type": "echo"}]}))
    core = Core(load(path, {}, provider_kinds()), None, "0", Redaction())
    await core.start(None)
    yield core
    await core.stop(0)


@pytest.fixture
async def keys(core: Core) -> dict[str, str]:
    """A tenant's keys, by the one permission that each has, or lacks."""
    client = AsyncClient(cast(grpc.aio.Channel, core.channel), api_key=OPERATOR_KEY).admin
    tenant = await client.create_tenant(Tenant(), tenant_id="acme")
    user = await client.create_user(User(tenant=tenant.name))
    made = {}
    for each in PERMISSIONS:
        made[each] = (await client.create_api_key(ApiKey(user=user.name, permissions=[each]))).key
    return made


def needed(contract: FileDescriptorSet, method: str) -> set[str]:
    """The permissions of which one is enough, as the comment says; none: everybody may."""
    said = re.findall(r"permission (`\S+`(?: or `\S+`)*)", rpc_comments(contract)[method])
    return {name for names in said for name in re.findall(r"`([a-z:]+)`", names)}


async def status(core: Core, method: str, key: str | None) -> grpc.StatusCode:
    """How a call ends: asked again while a machine is too busy to find out in time whose the key is."""
    async with asyncio.timeout(60):
        while (code := await status_at_once(core, method, key)) is grpc.StatusCode.UNAVAILABLE:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return code


@pytest.mark.parametrize("method", METHODS)
async def test_a_key_is_denied_what_it_has_no_permission_for(
    core: Core, keys: dict[str, str], contract: FileDescriptorSet, method: str
) -> None:
    allowed = needed(contract, method)
    assert bool(allowed) == (method not in OPEN)
    if "that belongs to no tenant" in rpc_comments(contract)[method]:
        allowed = set()
    ends = {permission: await status(core, method, key) for permission, key in keys.items()}
    if method in OPEN:
        assert not REFUSED & set(ends.values())
        return
    assert {permission for permission, code in ends.items() if code not in REFUSED} == allowed
    assert {code for permission, code in ends.items() if permission not in allowed} <= DENIED


@pytest.mark.parametrize("method", METHODS)
async def test_nobody_is_let_in_without_a_key_or_with_an_unknown_one(core: Core, method: str) -> None:
    for key in (None, "llm_00000000-0000-4000-8000-000000000000"):
        code = await status(core, method, key)
        assert (code is grpc.StatusCode.UNAUTHENTICATED) == (method not in OPEN)


async def test_a_key_of_the_configuration_may_read_alone(core: Core) -> None:
    assert await status(core, "/trunkline.v1.ModelsService/ListModels", READER_KEY) is grpc.StatusCode.OK
    assert await status(core, "/trunkline.v1.MetricsService/ListProviders", READER_KEY) is grpc.StatusCode.OK
    for method in ("CompletionService/CreateChatCompletion", "AdminService/ListUsers", "AlertsService/ListAlerts"):
        assert await status(core, f"/trunkline.v1.{method}", READER_KEY) in DENIED
