"""What a failure says about trying again, so that callers' own tries do not multiply the gateway's."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import openai
import pytest

from tests.end_to_end.running import KEY, Running, config, row, run_gateway
from tests.fakes.answers import Scripted, Status, Text
from tests.fakes.faults import Stall
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient, TrunklineError, open_channel

CHAT = "/v1/chat/completions"
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
ALL_BUSY = Status(429, headers={"retry-after": "7"})


@pytest.fixture
async def small(tmp_path: Path, vendor: ScriptedVendor) -> AsyncIterator[Running]:
    """A gateway that takes one request at once."""
    document = config([row("first", vendor, ["gpt-4o"])], server={"max_in_flight": 1})
    async with run_gateway(tmp_path, document, "whole") as running:
        yield running


@pytest.mark.parametrize(
    ("failure", "status", "should_retry", "retry_after"),
    [
        (Status(500), 503, "false", None),
        (Status(503, headers={"retry-after": "3"}), 503, "false", "3"),
        (ALL_BUSY, 429, "false", "7"),
        (Status(400), 400, None, None),
    ],
    ids=["500", "503 with Retry-After", "429", "400"],
)
async def test_a_failure_of_all_attempts_is_final(
    small: Running, vendor: ScriptedVendor, failure: Scripted, status: int, should_retry: str | None, retry_after: str | None
) -> None:
    vendor.add(failure)
    async with aiohttp.ClientSession(small.url, headers={"X-API-Key": KEY}) as http:
        response = await http.post(CHAT, json=BODY)
    headers = response.headers
    assert (response.status, headers.get("x-should-retry")) == (status, should_retry)
    in_ms = None if retry_after is None else str(int(retry_after) * 1000)
    assert (headers.get("Retry-After"), headers.get("retry-after-ms")) == (retry_after, in_ms)


async def test_openais_package_does_not_repeat_what_the_gateway_has_tried(small: Running, vendor: ScriptedVendor) -> None:
    vendor.add(Status(500), Status(500), Status(500))
    async with openai.AsyncOpenAI(base_url=f"{small.url}/v1", api_key=KEY, max_retries=2) as sdk:
        with pytest.raises(openai.InternalServerError):
            await sdk.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
    assert len(vendor.requests) == 1


async def test_who_asks_for_more_than_ever_passes_is_not_to_come_back(tmp_path: Path, vendor: ScriptedVendor) -> None:
    document = config([row("first", vendor, ["gpt-4o"])], rate_limit={"tokens_per_window": 100})
    async with (
        run_gateway(tmp_path, document, "whole") as running,
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as http,
    ):
        response = await http.post(CHAT, json={**BODY, "max_tokens": 1000})
    assert (response.status, response.headers["x-should-retry"]) == (429, "false")
    assert not vendor.requests


async def test_who_is_turned_away_may_come_back(small: Running, vendor: ScriptedVendor) -> None:
    vendor.add(Text("Hello").with_fault(Stall()))
    async with (
        aiohttp.ClientSession(small.url, headers={"X-API-Key": KEY}) as http,
        open_channel(small.target, retries=None) as channel,
    ):
        client = AsyncClient(channel, api_key=KEY)
        first = asyncio.ensure_future(client.completions.create_chat_completion(TYPED))
        await vendor.stalled()
        response = await http.post(CHAT, json=BODY)
        with pytest.raises(TrunklineError) as raised:
            await client.completions.create_chat_completion(TYPED)
        vendor.release()
        assert (await first).value.choices[0].message.content == "Hello"
    assert (response.status, response.headers["x-should-retry"]) == (503, "true")
    assert (response.headers["Retry-After"], response.headers["retry-after-ms"]) == ("1", "1000")
    assert (raised.value.reason, raised.value.retry_after_s) == ("overloaded", 1)
    assert len(vendor.requests) == 1


async def test_the_batch_lane_leaves_room_for_others(tmp_path: Path, vendor: ScriptedVendor) -> None:
    vendor.add(Text("Hello").with_fault(Stall()))
    document = config([row("first", vendor, ["gpt-4o"])], server={"max_in_flight": 2})
    batch = {"X-Trunkline-Priority": "batch"}
    async with (
        run_gateway(tmp_path, document, "whole") as running,
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as http,
    ):
        first = asyncio.ensure_future(http.post(CHAT, json=BODY, headers=batch))
        await vendor.stalled()
        statuses = [(await http.post(CHAT, json=BODY, headers=headers)).status for headers in (batch, {})]
        vendor.release()
        assert ((await first).status, statuses) == (200, [503, 200])
