"""Everything that the contract names is there: services, RPCs, permissions, codes and HTTP statuses of reasons."""

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import grpc
import pytest
import yaml
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import trunkline.v1
from gateway_http.errors import KINDS
from server.app import SERVICES, Core
from server.caller import COMPLETION
from server.config import load
from server.errors import GatewayError, reason_name
from server.interceptors.auth import OPERATORS, need_of
from server.providers.loader import provider_kinds
from server.telemetry.redaction import Redaction
from tests.protos.contract import rpc_comments, value_comments
from trunkline.v1.error_reason_pb2 import ErrorReason

ADMIN_KEY, COMPLETION_KEY = "sk-test-operator", "sk-test-completions"
DENIED = grpc.StatusCode.PERMISSION_DENIED


def contract_methods() -> dict[str, MethodDescriptor]:
    """Every RPC of the contract by its full name, `/trunkline.v1.XService/Y`."""
    modules = [
        importlib.import_module(f"trunkline.v1.{found.name}")
        for found in pkgutil.iter_modules(trunkline.v1.__path__)
        if found.name.endswith("_service_pb2")
    ]
    return {
        f"/{service.full_name}/{method.name}": method
        for module in modules
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


METHODS = contract_methods()
OPEN = {"/trunkline.v1.MetricsService/GetHealth"}
REASONS = [cast(ErrorReason, number) for number in ErrorReason.values() if number]


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    """A server with a key for everything and one for completions, and with echo for a provider."""
    path = tmp_path / "config.yaml"
    keys = [{"name": "all", "key": ADMIN_KEY}, {"name": "some", "key": COMPLETION_KEY, "roles": ["completion"]}]
    path.write_text(yaml.safe_dump({"auth": {"api_keys": keys}, "providers": [{"name": "echo", "type": "echo"}]}))
    core = Core(load(path, {}, provider_kinds()), None, "0", Redaction())
    await core.start(None)
    yield core
    await core.stop(0)


async def status(core: Core, method: str, key: str | None) -> grpc.StatusCode:
    """How a call with an empty request ends."""
    metadata = () if key is None else (("x-api-key", key),)
    request: Message = GetMessageClass(METHODS[method].input_type)()
    try:
        if METHODS[method].server_streaming:
            async for _ in core.channel.unary_stream(method)(request, metadata=metadata):  # type: ignore[attr-defined]
                pass
        else:
            await core.channel.unary_unary(method)(request, metadata=metadata)  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def permissions(comment: str) -> tuple[str, ...]:
    """The permissions of which a comment says that one is needed; none: nobody needs a key."""
    (said,) = set(re.findall(r"permission (`\S+`(?: or `\S+`)*)", comment)) or {""}
    return tuple(re.findall(r"`([a-z:]+)`", said))


def test_every_service_is_named_for_health_and_reflection() -> None:
    assert set(SERVICES) == {method.containing_service.full_name for method in METHODS.values()}


async def test_every_rpc_is_served_and_nothing_else(core: Core) -> None:
    assert set(core.channel.handlers) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
async def test_every_rpc_is_implemented(core: Core, method: str) -> None:
    code = await status(core, method, ADMIN_KEY)
    assert code in {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


@pytest.mark.parametrize("method", METHODS)
async def test_a_caller_without_a_key_gets_health_alone(core: Core, method: str) -> None:
    expected = grpc.StatusCode.OK if method in OPEN else grpc.StatusCode.UNAUTHENTICATED
    assert await status(core, method, None) is expected


@pytest.mark.parametrize("method", METHODS)
async def test_a_key_for_completions_may_do_what_the_contract_says(
    core: Core, contract: FileDescriptorSet, method: str
) -> None:
    named = permissions(rpc_comments(contract)[method])
    assert (await status(core, method, COMPLETION_KEY) is DENIED) == (bool(named) and COMPLETION not in named)


@pytest.mark.parametrize("method", METHODS)
def test_every_rpc_needs_the_permission_that_its_comment_names(contract: FileDescriptorSet, method: str) -> None:
    comment = rpc_comments(contract)[method]
    named = permissions(comment)
    assert named or "Needs no key" in comment
    assert named == need_of(method).permissions
    assert ("that belongs to no tenant" in comment) == (not need_of(method).tenants)
    assert (method in OPEN) == (not need_of(method).permissions)


def test_a_method_that_nobody_decided_about_is_for_operators() -> None:
    assert need_of("/trunkline.v1.NewService/Do") == OPERATORS


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
def test_every_reason_has_the_code_that_its_comment_names(contract: FileDescriptorSet, reason: ErrorReason) -> None:
    comment = value_comments(contract, "ErrorReason")[ErrorReason.Name(reason)]
    named = re.search(r"Code:\s+([A-Z_]+)", comment)
    assert named is not None, comment
    assert GatewayError(reason, "Why.").code is grpc.StatusCode[named[1]]


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
def test_every_reason_has_an_http_status(reason: ErrorReason) -> None:
    assert 400 <= KINDS[reason_name(reason)].status < 600


def test_http_knows_no_other_reasons() -> None:
    assert set(KINDS) == {reason_name(reason) for reason in REASONS}
