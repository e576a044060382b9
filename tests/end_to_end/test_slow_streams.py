"""Streams that stand still, on either side: comments while the provider is silent, back-pressure while the caller is."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end import sse
from tests.end_to_end.running import HOST, KEY, Running, Topology, config, row, run_gateway
from tests.fakes.answers import Text
from tests.fakes.faults import Stall
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient

CHAT = "/v1/chat/completions"
STREAM = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
EVENT_BYTES = 64 * 1024
EVENTS = 1000
LITTLE_S = 1.5
MOST_EVENTS = EVENTS // 2
"""The sockets' own buffers on the way, which the kernel may let grow to some megabytes each, hold far fewer."""


@pytest.fixture
async def gateway(vendor: ScriptedVendor, tmp_path: Path, topology: Topology) -> AsyncIterator[Running]:
    """A gateway that comments on short silences."""
    document = config([row("first", vendor, ["gpt-4o"])], server={"sse_keepalive_s": 0.02})
    async with run_gateway(tmp_path, document, topology) as running:
        yield running


async def test_a_silent_provider_is_covered_by_comments(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=2)))
    async with http.post(CHAT, json=STREAM) as response:
        body = b""
        while body.count(b": keep-alive\n\n") < 3:
            body += await response.content.readuntil(b"\n\n")
        vendor.release()
        body += await response.read()
    events = sse.parse(body)
    assert events.done
    assert events.comments >= 3
    assert [chunk["choices"][0]["delta"].get("content") for chunk in events.chunks] == ["", "Hello", " there", None]


async def test_a_caller_that_leaves_among_comments_is_noticed(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=2)))
    async with http.post(CHAT, json=STREAM) as response:
        while await response.content.readuntil(b"\n\n") != b": keep-alive\n\n":
            pass
        response.close()
    await vendor.next_disconnect()


async def _stuck(vendor: ScriptedVendor) -> int:
    """Returns how many events the vendor has sent when it sends no more, or has sent them all."""
    await vendor.wait_for_requests(1)
    exchange = vendor.exchanges[0]
    sent, rounds = 0, 0
    while rounds < 2000 and not exchange.finished:
        await asyncio.sleep(0)  # a round of the loop: whoever can go on does
        rounds = rounds + 1 if exchange.events_sent == sent and sent else 0
        sent = exchange.events_sent
    return sent


async def test_a_rest_caller_that_does_not_read_slows_the_provider(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(Text("", pieces=("x" * EVENT_BYTES,) * EVENTS))
    connection = socket.socket()
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    body = json.dumps(STREAM).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    with connection:
        await loop.sock_connect(connection, (HOST, int(gateway.url.rpartition(":")[2])))
        await loop.sock_sendall(connection, head.encode() + body)
        assert await _stuck(vendor) < MOST_EVENTS
    await vendor.next_disconnect()


async def test_a_grpc_caller_that_does_not_read_slows_the_provider(vendor: ScriptedVendor, gateway: Running) -> None:
    vendor.add(Text("", pieces=("x" * EVENT_BYTES,) * EVENTS))
    async with (
        AsyncClient(gateway.target, api_key=KEY) as client,
        client.completions.stream_chat_completion(TYPED) as stream,
    ):
        assert await anext(stream)
        assert await _stuck(vendor) < MOST_EVENTS
    await vendor.next_disconnect()


@pytest.fixture
async def hasty(vendor: ScriptedVendor, tmp_path: Path, topology: Topology) -> AsyncIterator[Running]:
    """A gateway that gives its provider little time."""
    document = config([row("first", vendor, ["gpt-4o"], timeout=LITTLE_S, idle_timeout=LITTLE_S)])
    async with run_gateway(tmp_path, document, topology) as running:
        yield running


async def _pass(seconds: float) -> None:
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


async def test_the_providers_time_stands_still_while_the_caller_does_not_read(
    vendor: ScriptedVendor, hasty: Running
) -> None:
    vendor.add(Text("", pieces=("x" * EVENT_BYTES,) * MOST_EVENTS))
    async with (
        aiohttp.ClientSession(hasty.url, headers={"X-API-Key": KEY}) as session,
        session.post(CHAT, json=STREAM) as response,
    ):
        assert await _stuck(vendor) < MOST_EVENTS
        await _pass(1.1 * LITTLE_S)
        events = sse.parse(await response.read())
    assert events.done
    assert len(events.chunks) >= MOST_EVENTS


async def test_the_callers_deadline_passes_while_it_does_not_read(
    vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    vendor.add(Text("", pieces=("x" * EVENT_BYTES,) * MOST_EVENTS))
    async with http.post(CHAT, json=STREAM, headers={"x-request-timeout": str(LITTLE_S)}) as response:
        assert await _stuck(vendor) < MOST_EVENTS
        await _pass(1.1 * LITTLE_S)
        events = sse.parse(await response.read())
    assert not events.done
    assert events.chunks[-1]["error"]["code"] == "deadline_exceeded"
    await vendor.next_disconnect()


async def test_a_slow_caller_gets_everything(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    vendor.add(Text("", pieces=("x" * EVENT_BYTES,) * 100))
    async with http.post(CHAT, json=STREAM) as response:
        await _stuck(vendor)
        events = sse.parse(await response.read())
    assert events.done
    assert sum(len(chunk["choices"][0]["delta"].get("content") or "") for chunk in events.chunks) == 100 * EVENT_BYTES
