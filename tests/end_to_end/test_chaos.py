"""Trouble made on purpose, by RPC while the gateway runs: each kind hits, shows in the answer, and ends by itself."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, cast

import aiohttp
import pytest
from google.protobuf.duration_pb2 import Duration

from tests.end_to_end import sse
from tests.end_to_end.running import KEY, Running, config, row, run_gateway
from tests.fakes.answers import Text
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.admin_service_pb2 import Fault, FaultMatch, FaultType
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient, TrunklineError, open_channel

WHOLE = "The quick brown fox jumps over the lazy dog"
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
CHAT = "/v1/chat/completions"
Face = Literal["rest", "grpc"]


@dataclass(frozen=True)
class Kind:
    """A kind of trouble.

    Attributes:
        type: as the contract names it.
        asked: how often each provider is asked.
        settings: what else the fault says.
        recovered: whether a part of the answer was there before.
    """

    type: FaultType
    asked: tuple[int, int]
    settings: Mapping[str, object]
    recovered: bool = False


KINDS = {
    "delay": Kind(FaultType.FAULT_TYPE_DELAY, (1, 0), {"duration": Duration(nanos=1_000_000)}),
    "error": Kind(FaultType.FAULT_TYPE_ERROR, (0, 1), {"error_code": 503, "error_message": "On purpose."}),
    "timeout": Kind(FaultType.FAULT_TYPE_TIMEOUT, (0, 1), {"duration": Duration(nanos=1_000_000)}),
    "rate_limit": Kind(FaultType.FAULT_TYPE_RATE_LIMIT, (0, 1), {"duration": Duration(seconds=20)}),
    "cut_stream": Kind(FaultType.FAULT_TYPE_CUT_STREAM, (1, 1), {"after_chunks": 3}, recovered=True),
    "stall": Kind(FaultType.FAULT_TYPE_STALL, (1, 1), {"after_chunks": 3}, recovered=True),
    "malformed": Kind(FaultType.FAULT_TYPE_MALFORMED, (1, 1), {"after_chunks": 3}, recovered=True),
    "reset": Kind(FaultType.FAULT_TYPE_RESET, (1, 1), {"after_chunks": 3}, recovered=True),
}


@dataclass(frozen=True)
class Told:
    """An answer, and what was told of chaos beside it: before the answer, and with its end."""

    text: str
    head: str
    end: str


@dataclass(frozen=True)
class Scene:
    """A gateway, what it asks, and its operator."""

    running: Running
    vendor: ScriptedVendor
    second_vendor: ScriptedVendor
    client: AsyncClient

    @property
    def asked(self) -> tuple[int, int]:
        return len(self.vendor.requests), len(self.second_vendor.requests)

    async def stream(self, face: Face) -> Told:
        return await (self._by_rest() if face == "rest" else self._by_grpc())

    async def _by_rest(self) -> Told:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            aiohttp.ClientSession(self.running.url, headers=headers) as session,
            session.post(CHAT, json={**BODY, "stream": True}) as response,
        ):
            events = sse.parse(await response.read())
            assert (response.status, events.done) == (200, True)
            info = cast(dict[str, str], events.chunks[-1]["_proxy_info"])
            choices = [choice for chunk in events.chunks for choice in chunk["choices"]]
            text = "".join(choice["delta"].get("content") or "" for choice in choices)
            return Told(text, response.headers.get("x-trunkline-chaos", ""), info.get("chaos", ""))

    async def _by_grpc(self) -> Told:
        async with self.client.completions.stream_chat_completion(TYPED) as stream:
            text = ""
            async for chunk in stream.chunks():
                text += "".join(choice.delta.content for choice in chunk.choices)
            end = dict(await stream.trailing_metadata())
            return Told(text, stream.chaos, str(end.get("trunkline-chaos", "")))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    answer = Text(WHOLE)
    async with ScriptedVendor(default=lambda _: answer) as first, ScriptedVendor(default=lambda _: answer) as second:
        rows = [
            row("first", first, ["gpt-4o"], priority=1, idle_timeout=0.2, first_chunk_timeout=0.2),
            row("second", second, ["gpt-4o"], priority=2),
        ]
        document = config(rows, routing={"on_broken_stream": "recover"})
        async with (
            run_gateway(tmp_path, document, "whole") as running,
            open_channel(running.target, retries=None) as channel,
        ):
            yield Scene(running, first, second, AsyncClient(channel, api_key=KEY))


def fault(kind: Kind, **more: object) -> Fault:
    """A fault that hits each attempt at the first provider."""
    match = FaultMatch(provider="first")
    return Fault(type=kind.type, probability=1, match=match, **{**kind.settings, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("face", ["rest", "grpc"])
@pytest.mark.parametrize("name", KINDS)
async def test_each_kind_hits_shows_and_ends_when_it_is_deleted(scene: Scene, name: str, face: Face) -> None:
    kind = KINDS[name]
    made = await scene.client.admin.create_fault(fault(kind), fault_id="mine")
    shown = f"mine;type={name};severity=low"
    told = await scene.stream(face)
    assert told == Told(WHOLE, shown, shown)
    assert scene.asked == kind.asked
    [listed] = [one async for one in scene.client.admin.list_faults()]
    assert (listed.name, listed.match_count, listed.hit_count) == ("faults/mine", 1, 1)
    await scene.client.admin.delete_fault(made.name)
    assert await scene.stream(face) == Told(WHOLE, "", "")


@pytest.mark.parametrize("face", ["rest", "grpc"])
async def test_a_fault_expires_by_itself(scene: Scene, face: Face) -> None:
    lasting = Duration()
    lasting.FromTimedelta(timedelta(milliseconds=150))
    made = await scene.client.admin.create_fault(fault(KINDS["error"], expire_after=lasting))
    assert made.expire_time.ToMilliseconds() - made.create_time.ToMilliseconds() == 150
    while [one async for one in scene.client.admin.list_faults()]:
        pass
    assert await scene.stream(face) == Told(WHOLE, "", "")
    assert scene.asked == (1, 0)


@pytest.mark.parametrize("face", ["rest", "grpc"])
async def test_an_error_that_nobody_could_help_says_that_it_was_made(scene: Scene, face: Face) -> None:
    failing = fault(KINDS["error"], error_code=500)
    failing.ClearField("match")
    await scene.client.admin.create_fault(failing, fault_id="all")
    if face == "grpc":
        with pytest.raises(TrunklineError) as raised:
            await scene.client.completions.create_chat_completion(TYPED)
        assert (raised.value.reason, raised.value.metadata["attempts"]) == ("providers_unavailable", "2")
        assert "On purpose." in raised.value.message
        return
    async with aiohttp.ClientSession(scene.running.url, headers={"X-API-Key": KEY}) as http:
        response = await http.post(CHAT, json=BODY)
        error = (await response.json())["error"]
    assert (response.status, error["code"], error["details"]["attempts"]) == (503, "providers_unavailable", 2)
    assert scene.asked == (0, 0)
