"""Providers that send too much, too little or nonsense: what the caller is told, and that the next provider answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end import sse
from tests.end_to_end.refused import NOBODY, PROVIDER, Told, check
from tests.end_to_end.running import KEY, config, row, run_gateway
from tests.fakes.answers import Scripted, Text, Wire
from tests.fakes.faults import Cut, Reset, SplitBytes
from tests.fakes.vendor import ScriptedVendor

CHAT = "/v1/chat/completions"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"

HOSTILE: dict[str, tuple[Scripted, Told]] = {
    "a body too short": (Wire(OK + b"content-length: 100\r\n\r\n{}"), NOBODY),
    "half a head": (Wire(b"HTTP/1.1 200 OK\r\ncontent-"), NOBODY),
    "a header too long": (Wire(OK + b"x: " + b"a" * 100_000 + b"\r\ncontent-length: 2\r\n\r\n{}"), PROVIDER),
    "two lengths": (Wire(OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}}"), PROVIDER),
    "a chunk of no size": (Wire(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), PROVIDER),
    "a status that is none": (Wire(b"HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\n{}"), PROVIDER),
    "another protocol": (Wire(b"HTTP/1.1 101 Switch\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), PROVIDER),
    "a coding not asked for": (Wire(OK + b"content-encoding: br\r\ncontent-length: 2\r\n\r\n{}"), PROVIDER),
}


def _ask(model: str, streamed: bool = False) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": streamed}


@pytest.fixture
async def http(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, tmp_path: Path
) -> AsyncIterator[aiohttp.ClientSession]:
    """A caller of a gateway with two providers; the first alone has the model `solo`."""
    rows = [
        row("first", vendor, ["both", "solo"], priority=1, max_retries=0),
        row("second", second_vendor, ["both"], priority=2),
    ]
    async with (
        run_gateway(tmp_path, config(rows), "whole") as running,
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as session,
    ):
        yield session


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", HOSTILE)
async def test_a_hostile_answer_has_its_status(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, case: str, streamed: bool
) -> None:
    answer, told = HOSTILE[case]
    vendor.add(answer)
    async with http.post(CHAT, json=_ask("solo", streamed)) as response:
        error = await check(response, told)
    assert not any(word in str(error) for word in (vendor.url.removeprefix("http://"), vendor.key))


@pytest.mark.parametrize("case", HOSTILE)
async def test_the_next_provider_answers_instead(vendor: ScriptedVendor, http: aiohttp.ClientSession, case: str) -> None:
    vendor.add(HOSTILE[case][0])
    async with http.post(CHAT, json=_ask("both")) as response:
        assert (response.status, response.headers["x-trunkline-provider"]) == (200, "second")


@pytest.mark.parametrize("fault", [Cut(), Reset()], ids=["closed", "torn"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_request_that_a_kept_connection_swallowed_was_an_attempt(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, http: aiohttp.ClientSession, fault: Cut | Reset, streamed: bool
) -> None:
    vendor.add(Text("One"), fault)
    second_vendor.add(Text("Two"))
    for text, provider, attempts in ((b"One", "first", "1"), (b"Two", "second", "2")):
        async with http.post(CHAT, json=_ask("both", streamed)) as response:
            assert text in await response.read()
        assert (response.headers["x-trunkline-provider"], response.headers["x-trunkline-attempts"]) == (provider, attempts)
    assert [request.connection for request in vendor.requests] == [1, 1]


async def test_an_event_of_ten_megabytes_passes(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    long = "x" * 10_000_000
    vendor.add(Text(long, pieces=(long,)).with_fault(SplitBytes(16 * 1024)))
    async with http.post(CHAT, json=_ask("solo", streamed=True)) as response:
        body = sse.parse(await response.read())
    assert body.done
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in body.chunks if chunk["choices"]) == long
