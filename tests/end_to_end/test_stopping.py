"""How `trunkline serve` stops: probes hear of it first, running streams end, and what cannot end is told so."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import aiohttp
import grpc
import orjson
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import select

from server.storage.database import Database
from server.storage.tables import COMPLETIONS
from tests.end_to_end import sse
from tests.end_to_end.command import LIMIT_S, Command, run
from tests.end_to_end.running import KEY, config, row, write_config
from tests.fakes.answers import Text
from tests.fakes.faults import Stall
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient, TrunklineError

CHAT = "/v1/chat/completions"
STREAM = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
Watch: TypeAlias = AsyncIterator["health_pb2.HealthCheckResponse"]
LONG, SHORT = "600", "0.2"


@pytest.fixture
async def command(vendor: ScriptedVendor, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Command]:
    """A gateway, and as its parameter how long running streams get."""
    vendor.add(*(Text("Hello there").with_fault(Stall(after_events=2)) for _ in range(2)))
    path = write_config(tmp_path, config([row("first", vendor, ["gpt-4o"])]))
    arguments = ("--config", str(path), "--port", "0", "--grpc-port", "0", "--drain", request.param)
    async with run(tmp_path, *arguments) as running:
        yield running


@pytest.fixture
async def readiness(command: Command) -> AsyncIterator[Watch]:
    """A probe that watches `readiness`, and does so for as long as it can."""
    async with grpc.aio.insecure_channel(command.target) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service="readiness")).__aiter__()
        assert (await anext(watch)).status == SERVING
        yield watch


@pytest.fixture
async def http(command: Command) -> AsyncIterator[aiohttp.ClientSession]:
    """A bare HTTP client with the key."""
    async with aiohttp.ClientSession(command.url, headers={"X-API-Key": KEY}) as session:
        yield session


@pytest.mark.parametrize("command", [LONG], indirect=True)
async def test_running_streams_end_and_nothing_new_is_taken(
    vendor: ScriptedVendor,
    command: Command,
    readiness: Watch,
    http: aiohttp.ClientSession,
) -> None:
    async with (
        http.post(CHAT, json=STREAM) as response,
        AsyncClient(command.target, api_key=KEY) as client,
        client.completions.stream_chat_completion(TYPED) as stream,
    ):
        await stream.open()
        await vendor.stalled(2)
        command.signal()
        assert (await anext(readiness)).status == NOT_SERVING
        async with aiohttp.ClientSession(command.url) as stranger:
            with pytest.raises(aiohttp.ClientConnectionError):
                await stranger.get("/health")
        vendor.release(2)
        assert sse.parse(await response.read()).done
        assert [chunk.choices[0].finish_reason async for chunk in stream.chunks() if chunk.choices][-1] == "stop"
        assert await command.ended() == 0


@pytest.mark.parametrize("command", [SHORT], indirect=True)
async def test_a_stream_that_cannot_end_in_time_is_told_so(
    vendor: ScriptedVendor, command: Command, http: aiohttp.ClientSession
) -> None:
    async with (
        http.post(CHAT, json=STREAM) as response,
        AsyncClient(command.target, api_key=KEY) as client,
        client.completions.stream_chat_completion(TYPED) as stream,
    ):
        await stream.open()
        await vendor.stalled(2)
        command.signal()
        body = sse.parse(await response.read())
        with pytest.raises(TrunklineError) as caught:
            _ = [chunk async for chunk in stream.chunks()]
        assert await command.ended() == 0
    assert not body.done
    assert body.chunks[-1]["error"]["type"] == "service_unavailable_error"
    assert caught.value.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    await vendor.next_disconnect()
    await vendor.next_disconnect()


@pytest.mark.parametrize("drain_s", ["0", SHORT])
async def test_what_is_cut_off_is_written_down_as_that_and_not_as_left_by_its_caller(
    vendor: ScriptedVendor, tmp_path: Path, drain_s: str
) -> None:
    vendor.add(*(Text("Hello there").with_fault(Stall(after_events=events)) for events in (2, 2, 0)))
    log = tmp_path / "log"
    path = str(write_config(tmp_path, config([row("first", vendor, ["gpt-4o"])], logging={"file": str(log)})))
    async with (
        run(tmp_path, "--config", path, "--port", "0", "--grpc-port", "0", "--drain", drain_s) as command,
        aiohttp.ClientSession(command.url, headers={"X-API-Key": KEY}) as http,
        AsyncClient(command.target, api_key=KEY) as client,
        http.post(CHAT, json=STREAM) as response,
        client.completions.stream_chat_completion(TYPED) as stream,
    ):
        await stream.open()
        asking = asyncio.ensure_future(http.post(CHAT, json={**STREAM, "stream": False}))
        await vendor.stalled(3)
        command.signal()
        await response.read()
        assert (await asking).status == 503
        assert await command.ended() == 0
    database = await Database.open(None, tmp_path / "data")
    async with database.read() as connection:
        rows = await connection.execute(select(COMPLETIONS.c.status, COMPLETIONS.c.error_reason))
        written = sorted(tuple(one) for one in rows)
    await database.close()
    assert written == [("failed", "stopped"), *[("incomplete", "stopped")] * 2]
    lines = [orjson.loads(line) for line in log.read_bytes().splitlines()]
    calls = [(line["code"], line["reason"]) for line in lines if line["event"] == "call"]
    assert calls == [("UNAVAILABLE", "stopped")] * 3


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "answer"])
async def test_a_front_alone_tells_so_as_well(vendor: ScriptedVendor, tmp_path: Path, streamed: bool) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=2 if streamed else 0)))
    path = str(write_config(tmp_path, config([row("first", vendor, ["gpt-4o"])])))
    async with (
        run(tmp_path, "core", "--config", path, "--grpc-port", "0") as core,
        run(tmp_path, "http", "--core", core.target, "--config", path, "--port", "0", "--drain", SHORT) as front,
        aiohttp.ClientSession(front.url, headers={"X-API-Key": KEY}) as session,
    ):
        asking = asyncio.ensure_future(session.post(CHAT, json={**STREAM, "stream": streamed}))
        await vendor.stalled()
        if streamed:
            await asking
        front.signal()
        async with await asking as response:
            error = sse.parse(await response.read()).chunks[-1] if streamed else await response.json()
        assert response.status == (200 if streamed else 503)
        assert error["error"]["type"] == "service_unavailable_error"
        assert await front.ended() == 0
        await vendor.next_disconnect()


@pytest.mark.parametrize("command", [LONG], indirect=True)
async def test_a_second_signal_means_now(
    vendor: ScriptedVendor,
    command: Command,
    readiness: Watch,
    http: aiohttp.ClientSession,
) -> None:
    async with http.post(CHAT, json=STREAM):
        await vendor.stalled()
        command.signal()
        assert (await anext(readiness)).status == NOT_SERVING
        command.signal()
        async with asyncio.timeout(LIMIT_S):
            assert await command.ended() == 128 + 15
