"""What the configuration says of routing and resilience, seen from outside: hedges, health checks, defaults."""

from collections.abc import Sequence
from pathlib import Path

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.end_to_end.running import KEY, Running, config, row, run_gateway
from tests.fakes.answers import Answer, Status, Text
from tests.fakes.faults import Stall
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient

BODY: dict[str, object] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
FACES = pytest.mark.parametrize("face", ["rest", "grpc"])


async def ask(running: Running, face: str, **more: object) -> tuple[str, str, int]:
    """Asks, not streamed; gives the text, the provider and the attempts."""
    if face == "grpc":
        async with AsyncClient(running.target, api_key=KEY) as client:
            request = ChatCompletionRequest(**more)  # type: ignore[arg-type]
            request.MergeFrom(TYPED)
            answer = await client.completions.create_chat_completion(request)
            return answer.value.choices[0].message.content, answer.provider, answer.attempts
    async with (
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as http,
        http.post("/v1/chat/completions", json={**BODY, **more}) as response,
    ):
        body = await response.json()
        headers = response.headers
        text = body["choices"][0]["message"]["content"]
        return text, headers["x-trunkline-provider"], int(headers["x-trunkline-attempts"])


def providers(first: ScriptedVendor, second: ScriptedVendor) -> Sequence[dict[str, object]]:
    return [row("first", first, ["gpt-4o"], priority=1), row("second", second, ["gpt-4o"], priority=2)]


# Hedges


@FACES
async def test_a_late_first_chunk_is_raced_and_the_loser_is_let_go(
    tmp_path: Path, vendor: ScriptedVendor, second_vendor: ScriptedVendor, face: str
) -> None:
    vendor.add(Text("Late").with_fault(Stall()))
    second_vendor.add(Text("In time"))
    document = config(providers(vendor, second_vendor), routing={"hedging": {"delay_s": 0.02}})
    async with run_gateway(tmp_path, document, "whole") as running:
        assert await ask(running, face) == ("In time", "second", 2)
        loser = await vendor.next_disconnect()
        assert not loser.finished
        await vendor.wait_idle()


@FACES
async def test_an_answer_in_time_is_not_raced(
    tmp_path: Path, vendor: ScriptedVendor, second_vendor: ScriptedVendor, face: str
) -> None:
    document = config(providers(vendor, second_vendor), routing={"hedging": {"delay_s": 30}})
    async with run_gateway(tmp_path, document, "whole") as running:
        assert (await ask(running, face))[1:] == ("first", 1)
    assert second_vendor.requests == []


# Health checks


async def test_failing_checks_show_in_health_and_status_and_end_with_a_good_one(
    tmp_path: Path, vendor: ScriptedVendor, second_vendor: ScriptedVendor
) -> None:
    broken: list[Answer | Status] = [Status(500)] * 3
    vendor.add(*broken, path="/v1/models")
    document = config(providers(vendor, second_vendor), health_check={"interval": 0.05, "timeout": 5})
    async with (
        run_gateway(tmp_path, document, "whole") as running,
        grpc.aio.insecure_channel(running.target) as channel,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service="provider/first"))
        seen = [(await watch.read()).status]
        while seen[-1] != NOT_SERVING:
            seen.append((await watch.read()).status)
        assert (await watch.read()).status == SERVING
        watch.cancel()


async def test_who_is_unhealthy_is_said_to_be_and_asked_last(
    tmp_path: Path, vendor: ScriptedVendor, second_vendor: ScriptedVendor
) -> None:
    vendor.add(*[Status(500)] * 10_000, path="/v1/models")
    document = config(providers(vendor, second_vendor), health_check={"interval": 0.02, "timeout": 5})
    async with (
        run_gateway(tmp_path, document, "whole") as running,
        grpc.aio.insecure_channel(running.target) as channel,
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as http,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service="provider/first"))
        while (await watch.read()).status != NOT_SERVING:
            pass
        async with http.get("/providers") as response:
            told = {one["name"]: one["status"] for one in (await response.json())["providers"]}
        assert told == {"providers/first": "unhealthy", "providers/second": "healthy"}
        async with http.get("/health") as response:
            assert (await response.json())["status"] == "degraded"
        assert (await ask(running, "rest"))[1:] == ("second", 1)
        watch.cancel()


# Defaults


@FACES
async def test_an_operators_selection_fills_in_what_a_request_leaves_open(
    tmp_path: Path, vendor: ScriptedVendor, second_vendor: ScriptedVendor, face: str
) -> None:
    chosen = {"selected_model": "gpt-4o", "editable": True, "max_tokens": 77, "temperature": 0.5}
    async with (
        run_gateway(tmp_path, config(providers(vendor, second_vendor)), "whole") as running,
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as http,
    ):
        async with http.put("/v1/providers/first/model_selection", json=chosen) as response:
            assert response.status == 200, await response.text()
        await ask(running, face)
        await ask(running, face, max_tokens=5, temperature=0)
    sent = [(request.body["max_tokens"], request.body["temperature"]) for request in vendor.requests]
    assert sent == [(77, 0.5), (5, 0)]
