"""Callers that send too much, too slowly, or not what they said, and callers that leave."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from gateway_http.app import create_app
from gateway_http.protocol import FrontProtocol
from gateway_http.server import HttpServer
from gateway_http.settings import HttpSettings
from tests.fakes.answers import Text
from tests.fakes.faults import Stall
from tests.fakes.vendor import ScriptedVendor
from tests.gateway_http.serving import CHAT, ECHO, PATIENCE_S, Running, chat, connected, request_bytes, running
from trunkline_client import AsyncClient, open_channel

LIMIT = 1024 * 1024
LIMITED = ECHO + "    server: {max_body_mb: 1}\n"
START = b'{"model": "echo", "messages": [{"role": "user", "content": "'
END = b'"}]}'


def body_of(size: int) -> bytes:
    """A chat request of so many bytes."""
    return START + b"x" * (size - len(START) - len(END)) + END


@pytest.fixture
async def limited(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway that takes bodies of 1 MB."""
    async with running(tmp_path, LIMITED) as started:
        yield started
        assert started.errors_logged() == []


async def test_a_body_as_large_as_allowed_is_taken(limited: Running) -> None:
    async with connected(limited.port) as caller:
        await caller.send(request_bytes("POST", CHAT, body_of(LIMIT)))
        assert (await caller.answer()).status == 200


async def test_a_body_one_byte_larger_is_refused_and_the_answer_can_be_read(limited: Running) -> None:
    async with connected(limited.port) as caller:
        await caller.send(request_bytes("POST", CHAT, body_of(LIMIT + 1)))
        answer = await caller.answer()
        assert (answer.status, answer.error["code"]) == (413, "body_too_large")
        assert answer.headers["connection"] == "close"
        await caller.closed()


async def test_a_body_of_50_mb_is_refused_while_it_is_sent(limited: Running) -> None:
    async with connected(limited.port) as caller:
        caller.writer.write(request_bytes("POST", CHAT, body_of(50 * LIMIT)))
        answer = await caller.answer()
        assert (answer.status, answer.error["code"]) == (413, "body_too_large")


async def test_a_body_that_is_said_to_be_too_large_is_refused_before_it_comes(limited: Running) -> None:
    for path in (CHAT, "/v1/completions", "/v1/embeddings", "/v1/images/generations"):
        async with connected(limited.port) as caller:
            await caller.send(request_bytes("POST", path, b"", {"content-length": str(10**15)}))
            assert (await caller.answer()).status == 413


async def test_a_body_in_chunks_is_refused_once_it_is_too_large(limited: Running) -> None:
    async with connected(limited.port) as caller:
        await caller.send(request_bytes("POST", CHAT, b"", {"transfer-encoding": "chunked"}))
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        caller.writer.write(chunk * 40)
        answer = await caller.answer()
        assert (answer.status, answer.error["code"]) == (413, "body_too_large")


async def test_a_chunk_that_is_said_to_be_too_large_is_refused_before_it_comes(limited: Running) -> None:
    async with connected(limited.port) as caller:
        await caller.send(request_bytes("POST", CHAT, b"", {"transfer-encoding": "chunked"}) + b"ffffffffffff\r\n")
        assert (await caller.answer()).status == 413


async def test_what_comes_after_the_length_that_was_said_is_another_request(limited: Running) -> None:
    async with connected(limited.port) as caller:
        await caller.send(request_bytes("POST", CHAT, body_of(100) + b"smuggled", {"content-length": "100"}))
        await caller.send(b"\r\n\r\n")
        assert (await caller.answer()).status == 200
        assert (await caller.answer()).status == 400
        await caller.closed()


@asynccontextmanager
async def impatient() -> AsyncIterator[HttpServer]:
    """A front that waits half a second for requests, before a server that is not there."""
    async with open_channel("127.0.0.1:1") as channel:
        client = AsyncClient(channel)
        server = HttpServer(create_app(lambda: client, HttpSettings(request_timeout_s=0.5)))
        await server.start("127.0.0.1", 0)
        yield server
        await server.stop(PATIENCE_S)
        await client.close()


SLOW = {
    "in its first line": b"GET /hea",
    "in its headers": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-le",
    "in its body": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{",
    "in its chunks": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n",
    "in a body that a path does not read": b"GET /health HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{",
}


@pytest.mark.parametrize("beginning", SLOW.values(), ids=SLOW)
async def test_a_request_that_stops_midway_is_ended(beginning: bytes) -> None:
    async with impatient() as server, connected(server.port) as caller:
        await caller.send(beginning)
        assert (await caller.answer()).status in (408, 503)
        await caller.closed()


@pytest.mark.parametrize("beginning", list(SLOW.values())[1:3], ids=["headers", "body"])
async def test_a_request_that_drips_is_ended_as_well(beginning: bytes) -> None:
    async with impatient() as server, connected(server.port) as caller:
        await caller.send(beginning)
        answer = asyncio.ensure_future(caller.answer())
        while not answer.done():
            caller.writer.write(b"x")
            await asyncio.wait([answer], timeout=0.05)
        assert answer.result().status == 408
        assert answer.result().error["code"] == "request_timeout"
        assert answer.result().headers["connection"] == "close"
        await caller.closed()


async def test_a_connection_that_is_busy_for_longer_than_a_request_may_take_is_kept() -> None:
    async with impatient() as server, connected(server.port) as caller:
        end = asyncio.get_running_loop().time() + 1.5
        while asyncio.get_running_loop().time() < end:
            await caller.send(request_bytes("POST", CHAT, b"[]"))
            assert (await caller.answer()).status == 400


async def test_a_caller_has_as_long_to_read_an_answer_that_ends_its_connection_as_the_answer_may_take() -> None:
    async with open_channel("127.0.0.1:1") as channel:
        app = create_app(lambda: AsyncClient(channel), HttpSettings(timeout_s=123.0))
    assert app.config.GRACEFUL_TCP_CLOSE_TIMEOUT == 123.0


async def test_a_body_that_drips_after_its_answer_ends_the_connection() -> None:
    async with impatient() as server, connected(server.port) as caller:
        await caller.send(request_bytes("POST", "/nowhere", b"", {"content-length": "1000"}))
        assert (await caller.answer()).status == 404
        closed = asyncio.ensure_future(caller.closed())
        while not closed.done():
            caller.writer.write(b"x")
            await asyncio.wait([closed], timeout=0.05)
        await closed


async def test_an_answer_does_not_wait_in_memory_for_a_caller_that_does_not_read() -> None:
    async with impatient() as server, connected(server.port) as caller:
        await caller.send(request_bytes("GET", "/nowhere", b""))
        assert (await caller.answer()).status == 404
        (connection,) = cast(list[FrontProtocol], server._connections())
        written = 0
        while connection.can_write:
            assert written < 100, "nothing stops who writes in one turn of the loop"
            connection.write(bytes(1024 * 1024))
            written += 1


async def test_a_caller_that_says_no_more_after_its_request_has_the_answer() -> None:
    async with impatient() as server:
        for _ in range(20):
            async with connected(server.port) as caller:
                caller.writer.write(request_bytes("GET", "/nowhere", b""))
                caller.writer.write_eof()
                assert (await caller.answer()).status == 404


async def test_what_was_said_before_a_connection_is_cut_is_sent() -> None:
    async with impatient() as server, connected(server.port) as caller:
        await caller.send(request_bytes("GET", "/nowhere", b""))
        assert (await caller.answer()).status == 404
        (connection,) = cast(list[FrontProtocol], server._connections())
        connection.write(b"the last ")
        connection.write(b"word")
        connection.abort()
        async with asyncio.timeout(PATIENCE_S):
            assert await caller.reader.read() == b"the last word"


async def test_a_caller_may_leave_after_any_byte_of_its_request(gateway: Running) -> None:
    request = request_bytes("POST", CHAT, body_of(100))
    for count in range(0, len(request), 3):
        async with connected(gateway.port) as caller:
            await caller.send(request[:count])
            caller.leave()
    for count in range(0, len(request), 20):
        async with connected(gateway.port) as caller:
            await caller.send(request[:count])
            caller.writer.write_eof()
            assert await asyncio.wait_for(caller.reader.read(), PATIENCE_S) == b""


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_caller_that_leaves_in_the_answer_ends_the_vendors(tmp_path: Path, streamed: bool) -> None:
    async with ScriptedVendor() as vendor:
        text = f"""
            providers:
              - {{name: vendor, type: openai, base_url: "{vendor.url}/v1", api_key: {vendor.key}, models: [gpt-4o]}}
        """
        async with running(tmp_path, text) as gateway:
            for place in (None, 0, 1, 2):
                if not streamed and place:
                    continue
                vendor.add(Text("One two three four").with_fault(Stall(after_events=place)))
                async with connected(gateway.port) as caller:
                    await caller.send(
                        request_bytes("POST", CHAT, json.dumps(chat(model="gpt-4o", stream=streamed)).encode())
                    )
                    await vendor.stalled()
                    if streamed and place:
                        await caller.reader.readuntil(b"data: ")
                    caller.leave()
                    await asyncio.wait_for(vendor.next_disconnect(), PATIENCE_S)
                await asyncio.wait_for(vendor.wait_idle(), PATIENCE_S)
            assert gateway.errors_logged() == []
        assert vendor.open_connections == 0
