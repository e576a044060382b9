"""Each fault is on the wire what its name says, by itself and composed with others."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.fakes.answers import Text
from tests.fakes.faults import (
    BadJson,
    Batch,
    BlankLines,
    Comments,
    Crlf,
    Cut,
    DuplicateKeys,
    ErrorInStream,
    ErrorOn200,
    Fault,
    Gzip,
    HtmlOk,
    Malformed,
    NoDone,
    NoSpace,
    Reset,
    SplitBytes,
    Stall,
)
from tests.fakes.vendor import ScriptedVendor

CHAT = "/v1/chat/completions"
UNARY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
STREAM = {**UNARY, "stream": True}
DONE = b"data: [DONE]\n\n"


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor() as vendor:
        yield vendor


@pytest.fixture
async def client(vendor: ScriptedVendor) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {vendor.key}"}
    async with aiohttp.ClientSession(vendor.url, headers=headers) as client:
        yield client


async def events_of(client: aiohttp.ClientSession) -> list[bytes]:
    """Streams one completion and returns its events as they came over the wire."""
    async with client.post(CHAT, json=STREAM) as response:
        assert response.status == 200
        body = await response.read()
    return [event + b"\n\n" for event in body.split(b"\n\n")[:-1]]


async def read_until_it_breaks(response: aiohttp.ClientResponse, received: bytearray) -> None:
    async for data in response.content.iter_any():
        received += data


async def test_an_event_is_a_chunk_of_http_by_itself(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello there"))
    async with client.post(CHAT, json=STREAM) as response:
        reads = [data async for data, _ in response.content.iter_chunks()]
    assert len(reads) == 5
    assert all(data.startswith(b"data: ") and data.endswith(b"\n\n") for data in reads)


async def test_a_batch_comes_in_one_read(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Text("one two three").with_fault(Batch(2)))
    async with client.post(CHAT, json=STREAM) as response:
        reads = [data async for data in response.content.iter_any()]
    assert [data.count(b"data: ") for data in reads] == [2, 2, 2]


async def test_split_bytes_tear_characters(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Text("ü").with_fault(SplitBytes(1)))
    async with client.post(CHAT, json=STREAM) as response:
        reads = [data async for data in response.content.iter_any()]
    assert {len(data) for data in reads} == {1}
    assert "ü".encode() in b"".join(reads)


@pytest.mark.parametrize(
    ("fault", "mark"),
    [
        (Crlf(), b"\r\n\r\ndata: "),
        (NoSpace(), b"\n\ndata:{"),
        (Comments(), b": OPENROUTER PROCESSING\n\ndata: {"),
        (DuplicateKeys(), b'data: {"id":"duplicate","id":"chatcmpl-1"'),
        (HtmlOk(), b"<!DOCTYPE html>"),
        (BadJson(), b'"mess'),
        (ErrorOn200(message="told so"), b'{"error":{"message":"told so","type":"server_error"'),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Fault) else "",
)
async def test_a_fault_shows_in_the_stream(
    vendor: ScriptedVendor, client: aiohttp.ClientSession, fault: Fault, mark: bytes
) -> None:
    vendor.add(fault)
    async with client.post(CHAT, json=STREAM) as response:
        assert response.status == 200
        assert mark in await response.read()


async def test_a_unary_body_can_be_torn_and_doubled_too(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(DuplicateKeys(), BlankLines(2), BadJson())
    async with client.post(CHAT, json=UNARY) as doubled, client.post(CHAT, json=UNARY) as blank:
        assert (await doubled.read()).startswith(b'{"id":"duplicate","id":')
        assert (await blank.read()).startswith(b"\n\n{")
    async with client.post(CHAT, json=UNARY) as torn:
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            await torn.json()


async def test_a_malformed_event_is_one_of_others(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello there").with_fault(Malformed(after_events=1)))
    events = await events_of(client)
    assert [event.endswith(b"}\n\n") for event in events] == [True, False, True, True, False]
    assert events[-1] == DONE


async def test_without_done_the_http_message_still_ends(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello").with_fault(NoDone()))
    assert b'"finish_reason":"stop"' in (await events_of(client))[-1]


async def test_an_error_ends_the_stream(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    error = ErrorInStream(after_events=1, message="full", code="overloaded")
    vendor.add(Text("Hello").with_fault(error), Text("Hello").with_fault(ErrorInStream(done=True)))
    first, second = await events_of(client), await events_of(client)
    assert first[1:] == [b'data: {"error":{"message":"full","type":"server_error","param":null,"code":"overloaded"}}\n\n']
    assert second[-1] == DONE


@pytest.mark.parametrize("fault", [Cut(after_events=2), Cut(after_bytes=300), Reset(after_events=2)], ids=repr)
async def test_a_broken_stream_is_broken_after_what_was_sent(
    vendor: ScriptedVendor, client: aiohttp.ClientSession, fault: Fault
) -> None:
    vendor.add(Text("Hello there").with_fault(fault))
    async with client.post(CHAT, json=STREAM) as response:
        received = bytearray()
        with pytest.raises(aiohttp.ClientError):
            await read_until_it_breaks(response, received)
    assert received.count(b"data: ") == 2
    await vendor.wait_idle()
    assert vendor.exchanges[0].finished


async def test_a_cut_can_leave_http_whole(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello there").with_fault(Cut(after_events=2, whole_http=True)))
    assert len(await events_of(client)) == 2


@pytest.mark.parametrize("fault", [Cut(), Reset()], ids=repr)
async def test_a_connection_can_break_before_any_answer(
    vendor: ScriptedVendor, client: aiohttp.ClientSession, fault: Fault
) -> None:
    vendor.add(fault)
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await client.post(CHAT, json=UNARY)


async def test_a_stalled_answer_goes_on_when_released(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=2)))
    async with client.post(CHAT, json=STREAM) as response:
        await vendor.stalled()
        assert vendor.exchanges[0].events_sent == 2
        vendor.release()
        assert (await response.read()).endswith(DONE)
    assert not vendor.exchanges[0].stalled


async def test_an_answer_can_stall_before_its_head(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello").with_fault(Stall()))
    asking = asyncio.ensure_future(client.post(CHAT, json=UNARY))
    await vendor.stalled()
    assert not asking.done()
    vendor.release()
    async with await asking as response:
        assert response.status == 200


async def test_compression_composes_with_breaks(vendor: ScriptedVendor, client: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello there").with_fault(Cut(after_events=3, whole_http=True), Gzip()))
    events = await events_of(client)
    assert len(events) == 3
    assert b" there" in events[2]
