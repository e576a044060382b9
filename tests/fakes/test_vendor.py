"""The scripted vendor answers as scripted, tells what happened, and leaves nothing behind."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import aiohttp
import pytest
import uvloop

from tests.fakes.answers import Answer, Embeddings, Raw, Scripted, Status, Text, Thinking, ToolCall, Wire
from tests.fakes.faults import (
    Cut,
    Stall,
)
from tests.fakes.openai_schema import validate
from tests.fakes.vendor import ScriptedVendor

CHAT = "/v1/chat/completions"
UNARY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
STREAM = {**UNARY, "stream": True}


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor() as vendor:
        yield vendor


@pytest.fixture
async def client(vendor: ScriptedVendor) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {vendor.key}"}
    async with aiohttp.ClientSession(vendor.url, headers=headers) as client:
        yield client


async def ask_once(body: Mapping[str, object], *answers: Scripted) -> int:
    """Has one vendor asked once, and returns the status; raises what the vendor raises when it is left."""
    async with ScriptedVendor() as vendor, aiohttp.ClientSession(vendor.url) as client:
        vendor.add(*answers)
        async with client.post(CHAT, json=body, headers={"Authorization": f"Bearer {vendor.key}"}) as response:
            return response.status


async def ask_once_and_fail() -> None:
    async with ScriptedVendor() as vendor, aiohttp.ClientSession(vendor.url) as client:
        async with client.post(CHAT, json={}, headers={"Authorization": f"Bearer {vendor.key}"}):
            pass
        raise KeyError("mine")


async def test_a_fault_without_a_place_fails_the_test_that_scripted_it() -> None:
    with pytest.raises(aiohttp.ClientError) as raised:
        await ask_once(STREAM, Text("Hello there").with_fault(Cut(after_events=99)))
    assert "ends after 5" in raised.value.__notes__[0]


async def test_an_answer_of_the_wrong_kind_fails_the_test_that_scripted_it() -> None:
    with pytest.raises(aiohttp.ClientError) as raised:
        await ask_once(UNARY, Embeddings())
    assert "a call for chat cannot be answered with Embeddings" in raised.value.__notes__[0]


@pytest.mark.parametrize(
    ("scripted", "status", "body"),
    [
        (Status(503, {"retry-after": "2"}, b"busy"), 503, b"busy"),
        (Status(429, body={"error": "flat"}), 429, b'{"error":"flat"}'),
        (Raw(418, {"content-type": "text/plain"}, b"teapot"), 418, b"teapot"),
        (Raw(200, {"content-type": "text/event-stream"}, (b"data: 1\n\n", b"data: 2\n\n")), 200, b"data: 1\n\ndata: 2\n\n"),
        (Wire(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), 200, b"ok"),
    ],
    ids=["status", "status-json", "raw", "raw-stream", "wire"],
)
async def test_the_http_itself_can_be_scripted(
    vendor: ScriptedVendor, client: aiohttp.ClientSession, scripted: Scripted, status: int, body: bytes
) -> None:
    vendor.add(scripted)
    async with client.post(CHAT, json=UNARY) as response:
        assert (response.status, await response.read()) == (status, body)


async def test_a_path_has_a_queue_of_its_own(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Raw(200, {}, b"kept"), path="/v1/moderations")
    vendor.add(Status(500), path="/v1/models")
    async with client.get("/v1/models") as models, client.post("/v1/moderations", data=b"x") as other:
        assert (models.status, await other.read()) == (500, b"kept")
    assert vendor.pending_answers == 0


async def test_a_request_is_recorded_as_it_came(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    async with client.post(f"{CHAT}?a=1&b=", json=UNARY, headers={"X-Trace": "t"}, chunked=True):
        pass
    request = vendor.requests[0]
    assert (request.method, request.path, request.query) == ("POST", CHAT, {"a": "1", "b": ""})
    assert (request.headers["x-trace"], request.headers["X-TRACE"]) == ("t", "t")
    assert request.body == UNARY
    assert b'"gpt-4o"' in request.raw_body


async def test_a_connection_is_used_again(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    for body in (UNARY, STREAM, UNARY):
        async with client.post(CHAT, json=body) as response:
            await response.read()
    assert [request.connection for request in vendor.requests] == [1, 1, 1]
    assert vendor.open_connections == 1
    await client.close()
    await vendor.wait_until(lambda: vendor.open_connections == 0)


async def test_a_client_that_leaves_is_noticed_at_once(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=2)))
    async with client.post(CHAT, json=STREAM) as response:
        await vendor.stalled()
        assert vendor.active_requests == 1
        response.close()
    left = await vendor.next_disconnect()
    assert (left.events_sent, left.disconnected, left.finished) == (2, True, False)
    await vendor.wait_idle()


async def test_a_client_that_has_everything_and_closes_has_not_left(vendor: ScriptedVendor) -> None:
    headers = {"Authorization": f"Bearer {vendor.key}", "Connection": "close"}
    async with aiohttp.ClientSession(vendor.url, headers=headers) as client, client.post(CHAT, json=STREAM) as response:
        await response.read()
    await vendor.wait_until(lambda: vendor.open_connections == 0)
    assert (vendor.exchanges[0].finished, vendor.exchanges[0].disconnected) == (True, False)


async def test_a_client_that_does_not_read_slows_the_vendor(vendor: ScriptedVendor) -> None:
    pieces = ("x" * 10_000,) * 5_000
    vendor.add(Text("", pieces=pieces))
    reader, writer = await asyncio.open_connection(*vendor.url.removeprefix("http://").split(":"), limit=1024)
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}'
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {vendor.key}\r\nContent-Type: application/json\r\n"
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    await vendor.wait_until(lambda: vendor.exchanges != [] and vendor.exchanges[0].events_sent > 0)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
    left = await vendor.next_disconnect()
    assert left.events_sent < len(pieces)


async def test_a_violation_fails_the_test_that_did_not_expect_it() -> None:
    with pytest.raises(AssertionError, match=r"POST /v1/chat/completions: 'messages' is a required property"):
        await ask_once({"model": "m"})


async def test_an_expected_violation_must_come() -> None:
    with pytest.raises(AssertionError, match="nothing about 'max_tokens'"):
        async with ScriptedVendor() as vendor:
            vendor.expect_violation("max_tokens")


async def test_a_failing_test_keeps_its_own_error() -> None:
    with pytest.raises(KeyError) as raised:
        await ask_once_and_fail()
    assert "the scripted vendor saw" in raised.value.__notes__[0]


async def test_broken_http_is_a_violation(vendor: ScriptedVendor) -> None:
    vendor.expect_violation("not a request line")
    reader, writer = await asyncio.open_connection(*vendor.url.removeprefix("http://").split(":"))
    writer.write(b"GET / HTTP/9\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("body", [UNARY, STREAM], ids=["unary", "stream"])
@pytest.mark.parametrize(
    "answer",
    [
        Text("Hello there") + ToolCall("f", {"a": [1, 2]}),
        Thinking("Hm.") + Text("Hello"),
        Answer((Text("Hi"),), finish_reason="length", extra={"provider": "scripted"}),
    ],
    ids=["tools", "thinking", "extra"],
)
async def test_answers_satisfy_openais_schema(
    vendor: ScriptedVendor, client: aiohttp.ClientSession, body: dict[str, object], answer: Answer
) -> None:
    vendor.add(answer)
    async with client.post(CHAT, json=body) as response:
        raw = await response.read()
    if body is UNARY:
        validate("CreateChatCompletionResponse", await response.json())
        return
    for line in raw.split(b"\n\n")[:-2]:
        validate("CreateChatCompletionStreamResponse", json.loads(line.removeprefix(b"data: ")))


async def test_leaving_ends_answers_connections_and_tasks() -> None:
    before = asyncio.all_tasks()
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(ScriptedVendor())
        vendor.add(Stall(), Text("word " * 100_000), Stall(after_events=1))
        async with aiohttp.ClientSession(vendor.url, headers={"Authorization": f"Bearer {vendor.key}"}) as client:
            unanswered = asyncio.ensure_future(client.post(CHAT, json=STREAM))
            await vendor.stalled()
            async with client.post(CHAT, json=STREAM), client.post(CHAT, json=STREAM):
                await vendor.stalled(2)
                await stack.aclose()
            with pytest.raises(aiohttp.ClientError):
                await unanswered
    gc.collect()  # whatever was left open would warn now, and warnings fail the test
    assert (vendor.open_connections, vendor.active_requests) == (0, 0)
    assert asyncio.all_tasks() == before


async def test_a_vendor_serves_loops_of_another_make_too() -> None:
    def in_uvloop() -> int:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(ask_once(STREAM))

    assert await asyncio.to_thread(in_uvloop) == 200
