"""The seam over HTTP/1.1: what a provider may send, how it fails, and what is left of what nobody wants any more."""

import asyncio
import gc
import weakref
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar
from typing import cast

import pytest

from server.providers.errors import Fault, ProviderError
from server.providers.http.base import Answer, Pace
from server.providers.http.http1 import Http1
from tests.fakes.answers import Scripted, Status, Text
from tests.fakes.faults import Cut, Reset, Stall
from tests.fakes.faults import Fault as Trouble
from tests.fakes.vendor import ScriptedVendor

OK = b"HTTP/1.1 200 OK\r\n"
SECRET = "sk-of-a-test"


@asynccontextmanager
async def http_with(
    max_idle: int = 20, head_s: float = 30, connect_s: float = 5, connections: int = 300
) -> AsyncIterator[Http1]:
    """The seam, opened and closed."""
    http = Http1(connect_s, None, connections, keepalive_s=30, max_idle=max_idle, head_s=head_s)
    try:
        yield http
    finally:
        await http.close()


@pytest.fixture
async def http() -> AsyncIterator[Http1]:
    async with http_with() as http:
        yield http


class Peer(asyncio.Protocol):
    """Whoever answers a connection with bytes, and counts connections."""

    def __init__(self, server: "Peers") -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.open += 1

    def data_received(self, data: bytes) -> None:
        self._server.say(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.open -= 1
        self._server.closed.set()


class Peers:
    """A server that says what a test wants at every read."""

    def __init__(self, say: Callable[[asyncio.Transport], None]) -> None:
        self.say = say
        self.open = 0
        self.closed = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@asynccontextmanager
async def peers(say: Callable[[asyncio.Transport], None]) -> AsyncIterator[Peers]:
    """Serves on loopback."""
    found = Peers(say)
    server = await asyncio.get_running_loop().create_server(lambda: Peer(found), "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()


def saying(data: bytes) -> Callable[[asyncio.Transport], None]:
    """Says these bytes and hangs up."""

    def say(transport: asyncio.Transport) -> None:
        transport.write(data)
        transport.close()

    return say


async def body_of(http: Http1, url: str) -> bytes:
    async with await http.post(url, {"Authorization": SECRET}, b"{}", 20) as answer:
        return await answer.body()


async def ask(http: Http1, vendor: ScriptedVendor) -> Answer:
    headers = {"Authorization": f"Bearer {vendor.key}", "Content-Type": "application/json"}
    body = b'{"model":"m","messages":[{"role":"user","content":"Hello"}]}'
    return await http.post(f"{vendor.url}/v1/chat/completions", headers, body, 20)


async def asked(http: Http1, vendor: ScriptedVendor) -> bytes:
    async with await ask(http, vendor) as answer:
        return await answer.body()


BROKEN = {
    "nothing": (b"", Fault.CONNECTION),
    "half a status line": (b"HTTP/1.1 2", Fault.CONNECTION),
    "half a head": (OK + b"content-le", Fault.CONNECTION),
    "a body too short": (OK + b"content-length: 100\r\n\r\n{}", Fault.CONNECTION),
    "a chunk too short": (OK + b"transfer-encoding: chunked\r\n\r\n5\r\nab", Fault.CONNECTION),
    "no last chunk": (OK + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n", Fault.CONNECTION),
    "a chunk of no size": (OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n", Fault.PROTOCOL),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.0\r\n\r\n", Fault.PROTOCOL),
    "a TLS alert": (b"\x15\x03\x01\x00\x02\x02\x16", Fault.PROTOCOL),
    "two lengths": (OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nabc", Fault.PROTOCOL),
    "length and chunks": (OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Fault.PROTOCOL),
    "a status that is none": (b"HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\n{}", Fault.PROTOCOL),
    "a status of zero": (b"HTTP/1.1 000 Odd\r\ncontent-length: 2\r\n\r\n{}", Fault.PROTOCOL),
    "another protocol": (b"HTTP/1.1 101 Switch\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", Fault.PROTOCOL),
    "a header line too long": (OK + b"x: " + b"a" * 100_000 + b"\r\ncontent-length: 2\r\n\r\n{}", Fault.PROTOCOL),
    "a header line without end": (OK + b"x: " + b"a" * 1_000_000, Fault.PROTOCOL),
    "a trailer without end": (
        OK + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: " + b"a" * 1_000_000,
        Fault.PROTOCOL,
    ),
    "headers without end": (OK + b"x: 1\r\n" * 100_000, Fault.PROTOCOL),
    "gzip that is none": (OK + b"content-encoding: gzip\r\ncontent-length: 10\r\n\r\n0123456789", Fault.PROTOCOL),
    "half of what gzip made": (
        OK + b"content-encoding: gzip\r\n\r\n" + zlib.compress(b"Hello", wbits=31)[:-6],
        Fault.PROTOCOL,
    ),
    "a coding not asked for": (OK + b"content-encoding: compress\r\ncontent-length: 2\r\n\r\n{}", Fault.PROTOCOL),
    "zstd": (OK + b"content-encoding: zstd\r\ncontent-length: 10\r\n\r\n0123456789", Fault.PROTOCOL),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_answer_is_a_provider_error_that_tells_no_secret(http: Http1, case: str) -> None:
    data, fault = BROKEN[case]
    async with peers(saying(data)) as peer:
        with pytest.raises(ProviderError) as raised:
            await body_of(http, peer.url)
    assert raised.value.fault is fault
    assert raised.value.__cause__ is None
    assert not any(word in str(raised.value) for word in ("127.0.0.1", str(peer.port), SECRET))


def packed(data: bytes) -> bytes:
    return zlib.compress(data, 9, wbits=31)


def deflated(data: bytes, wbits: int) -> bytes:
    return OK + b"content-encoding: deflate\r\n\r\n" + zlib.compress(data, wbits=wbits)


WHOLE = {
    "until the connection ends": OK + b"\r\nHello",
    "of HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nHello",
    "in chunks with trailers": OK + b"transfer-encoding: chunked\r\n\r\n2;x=1\r\nHe\r\n3\r\nllo\r\n0\r\nx-sum: 1\r\n\r\n",
    "with lines that end in LF": OK.replace(b"\r\n", b"\n") + b"content-length: 5\n\nHello",
    "after a word": b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK + b"content-length: 5\r\n\r\nHello",
    "after a word with a body": b"HTTP/1.1 104 Odd\r\ncontent-length: 1\r\n\r\n!" + OK + b"content-length: 5\r\n\r\nHello",
    "before another": (OK + b"content-length: 5\r\n\r\nHello") + (OK + b"content-length: 6\r\n\r\ntheirs"),
    "before what is no answer": OK + b"content-length: 5\r\n\r\nHello" + b"\x00 what?",
    "as deflate of HTTP": deflated(b"Hello", zlib.MAX_WBITS),
    "as deflate": deflated(b"Hello", -zlib.MAX_WBITS),
    "as two members of gzip": OK + b"content-encoding: gzip\r\n\r\n" + packed(b"He") + packed(b"llo"),
}


@pytest.mark.parametrize("case", WHOLE)
async def test_whole_answers_come_in_many_forms(http: Http1, case: str) -> None:
    async with peers(saying(WHOLE[case])) as peer:
        assert await body_of(http, peer.url) == b"Hello"


@pytest.mark.parametrize("case", ["before another", "before what is no answer"])
async def test_a_line_that_says_more_than_was_asked_is_not_used_again(http: Http1, case: str) -> None:
    async with peers(lambda transport: transport.write(WHOLE[case])) as peer:
        assert await body_of(http, peer.url) == b"Hello"
        await peer.closed.wait()


async def test_a_whole_answer_in_single_bytes_is_the_same(http: Http1) -> None:
    answer = WHOLE["in chunks with trailers"]

    async def drip(transport: asyncio.Transport) -> None:
        for place in range(len(answer)):
            transport.write(answer[place : place + 1])
            await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    async with peers(lambda transport: tasks.append(asyncio.ensure_future(drip(transport)))) as peer:
        assert await body_of(http, peer.url) == b"Hello"
        assert await body_of(http, peer.url) == b"Hello"
        assert peer.open == 1


async def test_of_a_body_that_nobody_reads_little_is_taken(http: Http1) -> None:
    size = 64 * 1024 * 1024
    sending: list[asyncio.Transport] = []

    def say(transport: asyncio.Transport) -> None:
        sending.append(transport)
        transport.write(OK + b"content-length: %d\r\n\r\n" % size + bytes(size))

    async with peers(say) as peer, await http.post(peer.url, {}, b"{}", 20) as answer:
        (line,) = http._pool._keys
        exchange = line.exchange
        assert exchange is not None
        while exchange.resume is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert sending[0].get_write_buffer_size() > size // 2
        assert await answer.body() == bytes(size)
        assert exchange.resume is None


async def test_a_header_of_64_kilobytes_is_taken(http: Http1) -> None:
    value = b"a" * (64 * 1024 - 10)
    async with (
        peers(saying(OK + b"x: " + value + b"\r\ncontent-length: 2\r\n\r\n{}")) as peer,
        await http.post(peer.url, {}, b"{}", 20) as answer,
    ):
        assert answer.headers["X"] == value.decode()
        assert await answer.body() == b"{}"


async def test_a_redirect_is_an_answer_that_is_not_followed(http: Http1) -> None:
    async with (
        peers(saying(b"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")) as peer,
        await http.post(peer.url, {}, b"{}", 20) as answer,
    ):
        assert answer.status == 307


UNREACHABLE = {
    "refused": ("http://127.0.0.1:1/v1", "The connection to the provider failed."),
    "no such name": ("http://no-such-host.invalid/v1", "The provider's host name could not be resolved."),
}


@pytest.mark.parametrize("case", UNREACHABLE)
async def test_who_cannot_be_reached_is_a_connection_that_failed(http: Http1, case: str) -> None:
    url, message = UNREACHABLE[case]
    with pytest.raises(ProviderError) as raised:
        await body_of(http, url)
    assert (raised.value.fault, raised.value.message) == (Fault.CONNECTION, message)


async def test_a_tls_handshake_that_stalls_takes_no_longer_than_connecting_may() -> None:
    async with peers(lambda transport: None) as peer, http_with(connect_s=0.05) as http:
        with pytest.raises(ProviderError) as raised:
            await body_of(http, peer.url.replace("http:", "https:"))
        await peer.closed.wait()
    assert raised.value.fault is Fault.TIMEOUT
    assert raised.value.message == "The provider could not be connected to in time."


async def test_tls_with_who_does_not_speak_it_fails(http: Http1) -> None:
    async with peers(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as peer:
        with pytest.raises(ProviderError) as raised:
            await body_of(http, peer.url.replace("http:", "https:"))
    assert raised.value.fault is Fault.CONNECTION


def gzipped(body: bytes) -> Callable[[asyncio.Transport], None]:
    return saying(OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


async def test_honest_text_is_expanded(http: Http1) -> None:
    text = b"".join(b'{"index": %d, "text": "Hello"}\n' % number for number in range(600_000))
    async with peers(gzipped(packed(text))) as peer:
        assert await body_of(http, peer.url) == text


@pytest.mark.parametrize("wbits", [zlib.MAX_WBITS, -zlib.MAX_WBITS])
@pytest.mark.parametrize("more", [1, 22, 200, 258])
async def test_what_is_longer_than_a_piece_by_little_is_expanded_whole(http: Http1, more: int, wbits: int) -> None:
    text = b"a" * (256 * 1024 + more)
    async with peers(saying(deflated(text, wbits))) as peer:
        assert await body_of(http, peer.url) == text


async def test_what_expands_without_end_is_stopped_early(http: Http1) -> None:
    bomb = packed(bytes(64 * 1024 * 1024))
    pieces: list[bytes] = []
    async with peers(gzipped(bomb)) as peer, await http.post(peer.url, {}, b"{}", 20) as answer:
        with pytest.raises(ProviderError) as raised:
            await read_into(pieces, answer)
    assert raised.value.fault is Fault.PROTOCOL
    assert sum(map(len, pieces)) < 32 * 1024 * 1024


async def read_into(pieces: list[bytes], answer: Answer) -> None:
    while piece := await answer.read():
        pieces.append(piece)


async def test_a_head_that_comes_too_slowly_is_given_up() -> None:
    async with peers(lambda transport: transport.write(OK + b"x")) as peer, http_with(head_s=0.05) as http:
        with pytest.raises(ProviderError) as raised:
            await body_of(http, peer.url)
        await peer.closed.wait()
    assert raised.value.fault is Fault.TIMEOUT


def test_a_body_that_drips_is_given_up_after_a_window() -> None:
    seconds = iter(range(31))
    pace = Pace(lambda: next(seconds), window_s=30, least=1024)
    for _ in range(30):
        pace.count(b"x")
    with pytest.raises(ProviderError) as raised:
        pace.count(b"x")
    assert raised.value.fault is Fault.TIMEOUT


def test_blank_lines_that_keep_a_connection_alive_are_no_drip() -> None:
    now = 0.0
    pace = Pace(lambda: now, window_s=30, least=1024)
    while now < 600:
        pace.count(b"\n")
        now += 10
    pace.count(b"{")
    pace.count(b"x" * 2000)
    now += 31
    pace.count(b"x")
    now += 29
    pace.count(b"}")


CLOSED: dict[str, Trouble] = {"closed": Cut(), "torn": Reset()}


@pytest.mark.parametrize("case", CLOSED)
async def test_a_request_that_a_kept_connection_may_have_taken_is_not_sent_again(
    vendor: ScriptedVendor, http: Http1, case: str
) -> None:
    vendor.add(Text("One"), CLOSED[case], Text("Two"))
    assert b"One" in await asked(http, vendor)
    with pytest.raises(ProviderError) as raised:
        await asked(http, vendor)
    assert raised.value.fault is Fault.CONNECTION
    assert b"Two" in await asked(http, vendor)
    assert [request.connection for request in vendor.requests] == [1, 1, 2]


async def test_what_was_idle_beside_a_kept_connection_that_broke_is_not_used(vendor: ScriptedVendor, http: Http1) -> None:
    vendor.add(Text("One").with_fault(Stall(after_events=0)), Text("Two"), Cut(), Text("Three"))
    first = asyncio.ensure_future(asked(http, vendor))
    await vendor.stalled()
    await asked(http, vendor)
    vendor.release()
    await first
    with pytest.raises(ProviderError):
        await asked(http, vendor)
    await asked(http, vendor)
    assert vendor.requests[-1].connection == 3


@pytest.mark.parametrize("case", CLOSED)
async def test_a_document_is_asked_for_once_more_where_a_kept_connection_breaks(
    vendor: ScriptedVendor, http: Http1, case: str
) -> None:
    vendor.add(Text("One"))
    vendor.add(CLOSED[case], path="/v1/models")
    await asked(http, vendor)
    async with await http.get(f"{vendor.url}/v1/models", {"Authorization": f"Bearer {vendor.key}"}, 20) as answer:
        assert answer.status == 200
    assert [request.connection for request in vendor.requests] == [1, 1, 2]


async def test_it_is_asked_for_once_more_and_no_oftener(vendor: ScriptedVendor, http: Http1) -> None:
    vendor.add(Text("One"))
    vendor.add(Cut(), Cut(), path="/v1/models")
    await asked(http, vendor)
    with pytest.raises(ProviderError) as raised:
        await http.get(f"{vendor.url}/v1/models", {"Authorization": f"Bearer {vendor.key}"}, 20)
    assert raised.value.fault is Fault.CONNECTION
    assert len(vendor.requests) == 3


@pytest.mark.parametrize("case", CLOSED)
async def test_a_fresh_connection_that_is_closed_is_a_failure_at_once(
    vendor: ScriptedVendor, http: Http1, case: str
) -> None:
    vendor.add(CLOSED[case])
    with pytest.raises(ProviderError) as raised:
        await asked(http, vendor)
    assert raised.value.fault is Fault.CONNECTION
    assert len(vendor.requests) == 1


async def test_an_answer_that_has_begun_is_not_asked_for_again(http: Http1) -> None:
    said: list[bytes] = [b"HTTP/1.1 2", OK + b"content-length: 2\r\n\r\n{}"]

    def say(transport: asyncio.Transport) -> None:
        transport.write(said.pop())
        if not said:
            transport.close()

    async with peers(say) as peer:
        assert await body_of(http, peer.url) == b"{}"
        with pytest.raises(ProviderError):
            await body_of(http, peer.url)


async def test_a_get_is_not_repeated_either_on_a_fresh_connection(vendor: ScriptedVendor, http: Http1) -> None:
    vendor.add(Cut(), path="/v1/models")
    with pytest.raises(ProviderError):
        await http.get(f"{vendor.url}/v1/models", {"Authorization": f"Bearer {vendor.key}"}, 20)
    assert len(vendor.requests) == 1


async def test_bytes_that_nobody_asked_for_do_not_answer_the_next_request(http: Http1) -> None:
    ours, theirs = OK + b"content-length: 4\r\n\r\nours", OK + b"content-length: 6\r\n\r\ntheirs"
    kept: list[asyncio.Transport] = []

    def say(transport: asyncio.Transport) -> None:
        kept.append(transport)
        transport.write(ours)

    async with peers(say) as peer:
        assert await body_of(http, peer.url) == b"ours"
        kept[0].write(theirs)
        await peer.closed.wait()
        assert await body_of(http, peer.url) == b"ours"
    assert kept[0] is not kept[1]


async def test_so_many_idle_connections_are_kept_and_no_more() -> None:
    async with ScriptedVendor() as vendor, http_with(max_idle=2) as http:
        vendor.add(*[Text("Hello").with_fault(Stall())] * 6)
        answers = [asyncio.ensure_future(asked(http, vendor)) for _ in range(6)]
        await vendor.stalled(6)
        vendor.release(6)
        await asyncio.gather(*answers)
        await vendor.wait_until(lambda: vendor.open_connections == 2)
        await asked(http, vendor)
        assert vendor.requests[-1].connection <= 6


class Remembered:
    """What a caller's context holds."""


async def test_a_connection_that_is_kept_keeps_nothing_of_the_request_it_was_made_for(
    vendor: ScriptedVendor, http: Http1
) -> None:
    variable: ContextVar[Remembered] = ContextVar("variable")
    remembered = Remembered()
    gone = weakref.ref(remembered)
    context = Context()
    context.run(variable.set, remembered)
    await asyncio.create_task(asked(http, vendor), context=context)
    del remembered, context
    await asked(http, vendor)
    gc.collect()
    assert gone() is None
    assert vendor.open_connections == 1


async def test_without_idle_connections_each_is_closed_after_its_answer() -> None:
    async with ScriptedVendor() as vendor, http_with(max_idle=0) as http:
        await asked(http, vendor)
        await vendor.wait_until(lambda: vendor.open_connections == 0)


PLACES: dict[str, Scripted] = {
    "before the head": Text("Hello").with_fault(Stall()),
    "after the head": Text("Hello").with_fault(Stall(after_bytes=0)),
    "in the midst of the body": Text("Hello").with_fault(Stall(after_bytes=40)),
    "in a refusal": Status(500).with_fault(Stall(after_bytes=10)),
}


@pytest.mark.parametrize("case", PLACES)
async def test_what_is_aborted_ends_at_the_vendor_and_leaves_nothing(case: str) -> None:
    rounds = 50
    async with ScriptedVendor() as vendor, http_with(connections=rounds) as http:
        vendor.add(*[PLACES[case]] * rounds, Text("After"))
        before = asyncio.all_tasks()
        waiting = [asyncio.ensure_future(asked(http, vendor)) for _ in range(rounds)]
        await vendor.stalled(rounds)
        for task in waiting:
            task.cancel()
        async with asyncio.timeout(5):  # a vendor that is never told would let this run out
            await vendor.wait_until(lambda: vendor.open_connections == 0 and vendor.active_requests == 0)
        assert all(exchange.disconnected for exchange in vendor.exchanges)
        assert b"After" in await asked(http, vendor)
        assert {task for task in asyncio.all_tasks() - before if not task.done()} <= vendor_tasks(vendor)


def vendor_tasks(vendor: ScriptedVendor) -> set[asyncio.Task[None]]:
    return set(vendor._server._tasks)


async def test_two_hundred_aborted_at_once_whatever_they_did_leave_no_connection(vendor: ScriptedVendor) -> None:
    async with http_with(connections=60) as http:
        vendor.add(*[Text("Hello").with_fault(Stall())] * 200)
        waiting = [asyncio.ensure_future(asked(http, vendor)) for _ in range(200)]
        await vendor.stalled(60)  # the others connect, or wait for a connection
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        await vendor.wait_until(lambda: vendor.open_connections == 0 and vendor.active_requests == 0)
        vendor.release(200)
        assert b"Hello" in await asked(http, vendor)
