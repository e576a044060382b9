"""A provider that has as much work as it takes: whoever cannot be served is told at once, and when to come back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.running import Running, Topology, config, row, run_gateway
from tests.fakes.answers import Status, Text
from tests.fakes.faults import Stall
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient, TrunklineError

CHAT = "/v1/chat/completions"
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
TAKEN = 6
"""How many requests the provider answers at once."""
HANGS_S = 10.0
"""Half of the back-off that a request would wait."""


@pytest.fixture
async def gateway(vendor: ScriptedVendor, tmp_path: Path, topology: Topology) -> AsyncIterator[Running]:
    """A gateway with one provider, which is asked again as far as that may help."""
    document = config([row("first", vendor, ["gpt-4o"], max_retries=2, retry_delay=20)])
    async with run_gateway(tmp_path, document, topology) as running:
        yield running


@pytest.mark.parametrize("status", [429, 503])
async def test_whoever_a_full_provider_refuses_is_told_at_once(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, client: AsyncClient, status: int
) -> None:
    vendor.add(*(Text("Hello").with_fault(Stall()) for _ in range(TAKEN)))
    answered = [asyncio.ensure_future(http.post(CHAT, json=BODY)) for _ in range(TAKEN)]
    await vendor.wait_for_requests(TAKEN)
    vendor.add(Status(status, headers={"retry-after": "20"}))
    async with asyncio.timeout(HANGS_S):
        refused = await http.post(CHAT, json=BODY)
        turned_away = await http.post(CHAT, json=BODY)
        with pytest.raises(TrunklineError) as raised:
            await client.completions.create_chat_completion(TYPED)
    assert (refused.status, refused.headers["Retry-After"], refused.headers["x-should-retry"]) == (status, "20", "false")
    assert (turned_away.status, turned_away.headers["x-should-retry"]) == (503, "true")
    assert (turned_away.headers["Retry-After"], turned_away.headers["retry-after-ms"]) == ("1", "1000")
    assert (raised.value.reason, raised.value.retry_after_s) == ("overloaded", 1)
    assert len(vendor.requests) == TAKEN + 1
    vendor.release(TAKEN)
    assert [(await answer).status for answer in answered] == [200] * TAKEN
