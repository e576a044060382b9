"""Requests are read from bytes in any portions, and a reset is a reset."""

import asyncio

import pytest
import uvloop

from tests.fakes.faults import Reset
from tests.fakes.http1_request import BadRequest, RequestReader
from tests.fakes.vendor import ScriptedVendor

HEAD = b"POST /v1/a%20b?q=1&q2 HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\n"
SIZED = HEAD + b'Content-Length: 8\r\n\r\n{"a": 1}'
CHUNKED = HEAD + b'Transfer-Encoding: chunked\r\n\r\n5;x=y\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n'


@pytest.mark.parametrize("data", [SIZED, CHUNKED], ids=["sized", "chunked"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_request_is_read_from_any_portions(data: bytes, size: int) -> None:
    reader = RequestReader(7)
    found = []
    for start in range(0, 2 * len(data), size):
        reader.feed((data + data)[start : start + size])
        while (request := reader.take()) is not None:
            found.append(request)
    assert len(found) == 2
    assert (found[1].path, dict(found[1].query)) == ("/v1/a b", {"q": "1", "q2": ""})
    assert (found[1].headers["X-a"], found[1].body, found[1].connection) == ("1, 2", {"a": 1}, 7)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        HEAD + b"Content-Length: two\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ],
    ids=["version", "absolute", "no host", "space", "length", "two lengths", "chunk"],
)
def test_what_breaks_http_is_refused(data: bytes) -> None:
    reader = RequestReader(1)
    reader.feed(data)
    with pytest.raises(BadRequest):
        reader.take()


async def read_from_a_resetting_vendor() -> bytes:
    """Returns what came before the reset, and raises ConnectionResetError for it."""
    async with ScriptedVendor() as vendor:
        vendor.add(Reset(after_events=0))
        reader, writer = await asyncio.open_connection(*vendor.url.removeprefix("http://").split(":"))
        body = b'{"model":"m","messages":[{"role":"user","content":"x"}]}'
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {vendor.key}\r\n".encode()
        head += b"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        received = await reader.readuntil(b"\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        return received


async def test_a_reset_reaches_the_client_as_one() -> None:
    assert (await read_from_a_resetting_vendor()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_reset_is_one_in_uvloop_too() -> None:
    def in_uvloop() -> bytes:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(read_from_a_resetting_vendor())

    assert (await asyncio.to_thread(in_uvloop)).startswith(b"HTTP/1.1 200 OK\r\n")
