"""A request that fails leaves none of its errors behind, which would wait for the collector with all that they refer to."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from server.errors import GatewayError
from server.providers.errors import ProviderError
from tests.end_to_end.running import Running, Topology, config, row, run_gateway
from tests.fakes.answers import Scripted, Status, Text
from tests.fakes.faults import Cut, ErrorInStream, Stall
from tests.fakes.vendor import ScriptedVendor

CHAT = "/v1/chat/completions"
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
TAKEN = 6
"""How many requests the provider answers at once."""
TRIES = 20
"""How many requests fail, to see whether each leaves something. gRPC holds the errors of its last few calls a while."""


@pytest.fixture
async def gateway(vendor: ScriptedVendor, tmp_path: Path, topology: Topology) -> AsyncIterator[Running]:
    """A gateway with one provider, which is asked again as far as that may help, and soon."""
    document = config([row("first", vendor, ["gpt-4o"], max_retries=2, retry_delay=0.01)])
    async with run_gateway(tmp_path, document, topology) as running:
        yield running


@pytest.fixture
def uncollected(http: aiohttp.ClientSession) -> Iterator[None]:
    """Errors that only a circle refers to stay where they are, and those of other tests are for ever left out of sight."""
    gc.disable()
    gc.freeze()
    yield
    gc.enable()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("failure", "body"),
    [
        (Status(400), BODY),
        (Status(429, headers={"retry-after": "90"}), BODY),
        (Text("Hello there").with_fault(Cut(after_bytes=0)), BODY),
        (Text("Hello there").with_fault(ErrorInStream(after_events=2)), {**BODY, "stream": True}),
        (None, {**BODY, "model": "nobody"}),
        (None, {**BODY, "messages": []}),
    ],
    ids=["refused", "busy", "cut", "broken", "unknown model", "invalid"],
)
async def test_a_failure_leaves_nothing_behind(
    vendor: ScriptedVendor,
    http: aiohttp.ClientSession,
    uncollected: None,
    failure: Scripted | None,
    body: dict[str, object],
    streamed: bool,
) -> None:
    if failure is not None:
        vendor.add(*[failure] * TRIES)
    for _ in range(TRIES):
        async with http.post(CHAT, json={"stream": streamed, **body}) as response:
            await response.read()
    assert len(await _left()) < TRIES / 2


async def test_who_is_turned_away_leaves_nothing_behind(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, uncollected: None
) -> None:
    vendor.add(*(Text("Hello").with_fault(Stall()) for _ in range(TAKEN)), Status(503))
    answered = [asyncio.ensure_future(http.post(CHAT, json=BODY)) for _ in range(TAKEN)]
    await vendor.wait_for_requests(TAKEN)
    for _ in range(TRIES):
        assert (await http.post(CHAT, json=BODY)).status == 503
    assert len(await _left()) < TRIES / 2
    vendor.release(TAKEN)
    assert [(await answer).status for answer in answered] == [200] * TAKEN


async def _left() -> list[object]:
    """The errors that are left once the loop has had its turn."""
    for _ in range(10):
        await asyncio.sleep(0)
    return [found for found in gc.get_objects() if isinstance(found, GatewayError | ProviderError)]
