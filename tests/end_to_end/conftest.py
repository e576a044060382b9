"""Two scripted vendors, a gateway before them, and the callers that everybody has.

Tests that take `gateway` run twice: with front and core in one process, and with a gRPC connection between them.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import openai
import pytest

from tests.end_to_end.running import KEY, Running, Topology, config, row, run_gateway
from tests.fakes.vendor import ScriptedVendor
from trunkline_client import AsyncClient, open_channel

MODELS = (
    "gpt-4o",
    "solo",
    "gpt-4o-audio-preview",
    "gpt-3.5-turbo-instruct",
    "text-embedding-3-small",
    "gpt-image-1",
    "meta-llama/llama-4:free",
)
"""What the first provider serves; `gpt-4o` is the only model that the second has, too."""


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    """The first provider's vendor."""
    async with ScriptedVendor() as running:
        yield running


@pytest.fixture
async def second_vendor() -> AsyncIterator[ScriptedVendor]:
    """The second provider's."""
    async with ScriptedVendor(key="sk-second") as running:
        yield running


@pytest.fixture(params=["whole", "split"])
def topology(request: pytest.FixtureRequest) -> Topology:
    """How front and core are joined."""
    chosen: Topology = request.param
    return chosen


@pytest.fixture
async def gateway(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, tmp_path: Path, topology: Topology
) -> AsyncIterator[Running]:
    """A gateway with both providers."""
    rows = [row("first", vendor, MODELS, priority=1), row("second", second_vendor, ["gpt-4o"], priority=2)]
    async with run_gateway(tmp_path, config(rows), topology) as running:
        yield running


@pytest.fixture
async def sdk(gateway: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own package, pointed at the gateway."""
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
async def http(gateway: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """A bare HTTP client with the key."""
    async with aiohttp.ClientSession(gateway.url, headers={"Authorization": f"Bearer {KEY}"}) as session:
        yield session


@pytest.fixture
async def client(gateway: Running) -> AsyncIterator[AsyncClient]:
    """The project's own client, which tries nothing again."""
    async with open_channel(gateway.target, retries=None) as channel:
        yield AsyncClient(channel, api_key=KEY)
