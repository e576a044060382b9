"""`POST /v1/videos/generations`, before a vendor whose videos come through its chat completions, and without one."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.answers import Text
from tests.fakes.vendor import ScriptedVendor
from tests.gateway_http.serving import KEY, Running, running

MODEL = "blackboxai/acme/film-1"


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor() as vendor:
        yield vendor


@pytest.fixture
async def gateway(tmp_path: Path, vendor: ScriptedVendor) -> AsyncIterator[Running]:
    rows = f"""
    providers:
      - {{name: echo, type: echo, models: [echo]}}
      - {{name: bb, type: blackbox, base_url: "{vendor.url}/v1", api_key: "{vendor.key}", models: [{MODEL}]}}
    """
    async with running(tmp_path, rows) as started:
        yield started


async def post(gateway: Running, body: dict[str, object]) -> tuple[int, dict[str, object]]:
    url = f"http://127.0.0.1:{gateway.port}/v1/videos/generations"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=body, headers={"authorization": f"Bearer {KEY}"}) as answer,
    ):
        return answer.status, await answer.json()


async def test_videos_come_as_a_list_of_addresses(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(Text("https://cdn.example.com/a.mp4"))
    status, body = await post(gateway, {"model": MODEL, "prompt": "A cat."})
    assert (status, body["data"]) == (200, [{"url": "https://cdn.example.com/a.mp4"}])
    assert vendor.requests[0].path == "/v1/chat/completions"
    assert vendor.requests[0].body == {"model": MODEL, "messages": [{"role": "user", "content": "A cat."}]}


async def test_a_model_without_videos_has_none(gateway: Running) -> None:
    status, body = await post(gateway, {"model": "echo", "prompt": "A cat."})
    assert (status, body["error"]["code"]) == (501, "not_implemented")  # type: ignore[index]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"model": ""}, "model"),
        ({"n": 11}, "n"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 601}, "seconds"),
        ({"seconds": "long"}, "seconds"),
        ({"stream": True}, "stream"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(gateway: Running, fields: dict[str, object], param: str) -> None:
    status, body = await post(gateway, {"model": MODEL, "prompt": "A cat.", **fields})
    assert (status, body["error"]["param"]) == (400, param)  # type: ignore[index]
