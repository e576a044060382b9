"""What operators' tools see: grpc.health.v1, server reflection, and the listener for probes."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from server.config import load
from server.providers.loader import provider_kinds
from tests.end_to_end.running import HOST, Running, Topology, config, row, run_gateway, write_config
from tests.fakes.vendor import ScriptedVendor
from trunkline_cli.addresses import Addresses
from trunkline_cli.gateway import Gateway

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
SERVICES = {f"trunkline.v1.{name}Service" for name in ("Completion", "Models", "Admin", "Metrics", "Alerts")}
NAMES = {"", "readiness", "provider/first", "provider/off", *SERVICES}


@pytest.fixture
def topology() -> Topology:
    """Probes meet the core itself."""
    return "whole"


@pytest.fixture
async def gateway(vendor: ScriptedVendor, tmp_path: Path, topology: Topology) -> AsyncIterator[Running]:
    """A gateway with a provider that is on and one that is off."""
    rows = [row("first", vendor, ["gpt-4o"]), row("off", vendor, ["gpt-4o"], enabled=False)]
    async with run_gateway(tmp_path, config(rows), topology) as running:
        yield running


@pytest.fixture
async def channel(gateway: Running) -> AsyncIterator[grpc.aio.Channel]:
    """A channel without a key."""
    async with grpc.aio.insecure_channel(gateway.target) as opened:
        yield opened


@pytest.mark.parametrize("name", sorted(NAMES - {"provider/off"}))
async def test_health_says_that_it_serves(channel: grpc.aio.Channel, name: str) -> None:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
    assert answer.status == SERVING


async def test_a_provider_that_is_off_is_not_served(channel: grpc.aio.Channel) -> None:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="provider/off"))
    assert answer.status == NOT_SERVING


async def test_health_does_not_know_other_names(channel: grpc.aio.Channel) -> None:
    call = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert await call.code() is grpc.StatusCode.NOT_FOUND


async def test_health_lists_every_name(channel: grpc.aio.Channel) -> None:
    answer = await health_pb2_grpc.HealthStub(channel).List(health_pb2.HealthListRequest())
    assert {name: status.status for name, status in answer.statuses.items()} == {
        name: NOT_SERVING if name == "provider/off" else SERVING for name in NAMES
    }


async def test_a_watch_sees_readiness_end_first(gateway: Running, channel: grpc.aio.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    readiness = stub.Watch(health_pb2.HealthCheckRequest(service="readiness"))
    whole = stub.Watch(health_pb2.HealthCheckRequest(service=""))
    unknown = stub.Watch(health_pb2.HealthCheckRequest(service="nobody"))
    assert (await readiness.read()).status == SERVING
    assert (await whole.read()).status == SERVING
    assert (await unknown.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    core = gateway.gateways[0]._core
    assert core is not None
    await core.drain()
    assert (await readiness.read()).status == NOT_SERVING
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=""))
    assert answer.status == SERVING
    for watch in (readiness, whole, unknown):
        watch.cancel()


async def _reflect(
    channel: grpc.aio.Channel, request: "reflection_pb2.ServerReflectionRequest", version: str = "v1"
) -> "reflection_pb2.ServerReflectionResponse":
    method = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    answers = [answer async for answer in method(iter([request]))]
    assert len(answers) == 1
    return answers[0]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_the_services(channel: grpc.aio.Channel, version: str) -> None:
    answer = await _reflect(channel, reflection_pb2.ServerReflectionRequest(list_services=""), version)
    listed = {service.name for service in answer.list_services_response.service}
    assert listed >= SERVICES | {"grpc.health.v1.Health"}


@pytest.mark.parametrize("service", sorted(SERVICES))
async def test_reflection_gives_the_contract(channel: grpc.aio.Channel, service: str) -> None:
    answer = await _reflect(channel, reflection_pb2.ServerReflectionRequest(file_containing_symbol=service))
    files = [FileDescriptorProto.FromString(text) for text in answer.file_descriptor_response.file_descriptor_proto]
    assert service in {f"{file.package}.{found.name}" for file in files for found in file.service}


async def test_the_listener_for_probes_has_health_and_metrics_alone(vendor: ScriptedVendor, tmp_path: Path) -> None:
    document = config([row("first", vendor, ["gpt-4o"])])
    loaded = load(write_config(tmp_path, document), {}, provider_kinds())
    running = await Gateway.start(loaded, None, Addresses(HOST, 0, None, metrics_port=0))
    try:
        async with aiohttp.ClientSession() as session:
            for port, path, status in (
                (running.addresses.metrics_port, "/health", 200),
                (running.addresses.metrics_port, "/metrics", 406),
                (running.addresses.metrics_port, "/metrics/prometheus", 401),
                (running.addresses.metrics_port, "/v1/models", 404),
                (running.addresses.port, "/health", 200),
            ):
                async with session.get(f"http://{HOST}:{port}{path}") as response:
                    assert response.status == status
    finally:
        await running.stop(0)
