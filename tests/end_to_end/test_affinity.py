"""Two tool loops that begin with the same question, each with the provider that holds its thoughts."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end import sse
from tests.end_to_end.running import Running, Topology, config, row, run_gateway
from tests.fakes.answers import Status, Text, ToolCall
from tests.fakes.http1_request import JsonObject
from tests.fakes.vendor import ScriptedVendor

CHAT = "/v1/chat/completions"
QUESTION = {"role": "user", "content": "What is the weather?"}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
SIGNATURE = {"google": {"thought_signature": "c2ln"}}


@pytest.fixture
async def gateway(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, tmp_path: Path, topology: Topology
) -> AsyncIterator[Running]:
    """A gateway with two providers that hand on what they are given."""
    kind = {"type": "openai_compatible"}
    rows = [{**row("first", vendor, ["gpt-4o"], priority=1), **kind}]
    rows.append({**row("second", second_vendor, ["gpt-4o"], priority=2), **kind})
    async with run_gateway(tmp_path, config(rows), topology) as running:
        yield running


def _turns(call_id: str, signed: bool = True) -> list[JsonObject]:
    """A loop up to its tool's answer."""
    call: JsonObject = {"id": call_id, "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    if signed:
        call["extra_content"] = SIGNATURE
    asked: JsonObject = {"role": "assistant", "content": None, "tool_calls": [call]}
    return [QUESTION, asked, {"role": "tool", "tool_call_id": call_id, "content": "Sunny."}]


async def _ask(http: aiohttp.ClientSession, messages: list[JsonObject], streamed: bool) -> None:
    body = {"model": "gpt-4o", "messages": messages, "tools": TOOLS, "stream": streamed}
    async with http.post(CHAT, json=body) as response:
        assert response.status == 200
        told = await response.read()
    assert not streamed or sse.parse(told).done


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_each_of_two_loops_goes_on_where_it_began(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, http: aiohttp.ClientSession, streamed: bool
) -> None:
    vendor.add(ToolCall("weather", {}, id="call_a"), Status(500))
    second_vendor.add(ToolCall("weather", {}, id="call_b"))
    await _ask(http, [QUESTION], streamed)
    await _ask(http, [QUESTION], streamed)
    for call_id, holder in (("call_a", vendor), ("call_b", second_vendor)):
        asked = len(holder.requests)
        await _ask(http, _turns(call_id), streamed)
        assert [request.body["messages"] for request in holder.requests[asked:]] == [_turns(call_id)]


async def test_whoever_takes_a_loop_over_gets_it_without_the_others_thoughts(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    vendor.add(ToolCall("weather", {}, id="call_a"), Status(500))
    second_vendor.add(Text("Sunny."))
    await _ask(http, [QUESTION], False)
    await _ask(http, _turns("call_a"), False)
    assert second_vendor.requests[0].body["messages"] == _turns("call_a", signed=False)
