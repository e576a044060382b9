"""Connections over HTTP/1.1 that go from request to request: what one request leaves must not meet the next."""

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest
import trustme
import uvloop

from server.providers.errors import Fault, ProviderError
from server.providers.http.base import Answer
from server.providers.http.http1 import Http1
from server.providers.http.http1_line import Exchange, Line, Stale

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
WHOLE = HEAD + b"{}"
LONG_S = 20.0


class Peer(asyncio.Protocol):
    """One connection of a server that a test speaks for."""

    def __init__(self, peers: "Peers", number: int) -> None:
        self.number = number
        self.reads = 0
        self.size = 0
        self.lost = asyncio.Event()
        self._peers = peers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._peers.came.put_nowait(self)

    def data_received(self, data: bytes) -> None:
        self.reads += 1
        self.size += len(data)
        self._peers.say(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


class Peers:
    """A server on loopback that says what a test wants at every read."""

    def __init__(self, say: Callable[[Peer], None]) -> None:
        self.say = say
        self.came: asyncio.Queue[Peer] = asyncio.Queue()
        self.all: list[Peer] = []
        self.url = ""

    @property
    def count(self) -> int:
        return len(self.all)

    def accept(self) -> Peer:
        self.all.append(Peer(self, self.count + 1))
        return self.all[-1]


@asynccontextmanager
async def peers(say: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> AsyncIterator[Peers]:
    """Serves."""
    found = Peers(say)
    server = await asyncio.get_running_loop().create_server(found.accept, "127.0.0.1", 0, ssl=tls)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield found
    finally:
        server.close()
        for peer in found.all:
            peer.transport.abort()
        await asyncio.gather(*(peer.lost.wait() for peer in found.all))
        await server.wait_closed()


@asynccontextmanager
async def opened(idle_timeout_s: float | None = None, connections: int = 10) -> AsyncIterator[Http1]:
    """The seam, opened and closed."""
    http = Http1(5, idle_timeout_s, connections, keepalive_s=30)
    try:
        yield http
    finally:
        await http.close()


def writing(*pieces: bytes) -> Callable[[Peer], None]:
    """Says these bytes, one after each read, the last one from then on."""
    return lambda peer: peer.transport.write(pieces[min(peer.reads, len(pieces)) - 1])


async def whole(http: Http1, url: str, body: bytes = b"{}", timeout_s: float | None = LONG_S) -> bytes:
    async with await http.post(url, {}, body, timeout_s) as answer:
        return await answer.body()


async def until(condition: Callable[[], bool]) -> None:
    """Returns once that is so, which nothing tells but the loop's going on."""
    async with asyncio.timeout(LONG_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def begun(http: Http1) -> Line:
    """The one connection that is in use, once it is made."""
    await until(lambda: any(isinstance(line, Line) for line in http._pool._acquired))
    return held(http)


async def fault_of(asked: "asyncio.Future[bytes] | asyncio.Task[bytes]") -> Fault:
    """How a request fails, and does so soon."""
    async with asyncio.timeout(LONG_S):
        with pytest.raises(ProviderError) as raised:
            await asked
    return raised.value.fault


def held(http: Http1) -> Line:
    """The one connection that is in use."""
    (line,) = http._pool._acquired
    return cast(Line, line)


async def test_a_request_whose_time_is_over_before_it_connects_leaves_nothing_behind() -> None:
    async with peers(writing(WHOLE)) as peer, opened() as http:
        assert await fault_of(asyncio.ensure_future(whole(http, peer.url, timeout_s=0))) is Fault.TIMEOUT
        gc.collect()  # a coroutine that nobody awaited would be a warning, and so an error
        assert not http._pool._acquired


async def test_who_leaves_when_its_turn_comes_leaves_it_to_the_next() -> None:
    async with peers(writing(HEAD, WHOLE)) as peer, opened(connections=1) as http:
        answer = await http.post(peer.url, {}, b"{}", LONG_S)
        peer.say = writing(WHOLE)
        first, second = (asyncio.ensure_future(whole(http, peer.url)) for _ in range(2))
        await until(lambda: sum(map(len, http._pool._waiters.values())) == 2)
        with suppress(ValueError):
            async with answer:
                raise ValueError
        first.cancel()
        async with asyncio.timeout(5):
            assert await second == b"{}"


async def test_what_a_whole_answer_left_unread_outlives_the_failure_of_the_next_one() -> None:
    async with (
        peers(writing(WHOLE, b"")) as peer,
        opened(idle_timeout_s=0.05) as http,
        await http.post(peer.url, {}, b"{}", LONG_S) as answer,
    ):
        assert await fault_of(asyncio.ensure_future(whole(http, peer.url))) is Fault.TIMEOUT
        assert await answer.body() == b"{}"
    assert peer.count == 1


async def test_the_time_of_a_head_ends_with_the_head() -> None:
    async with peers(writing(WHOLE[:20], WHOLE)) as peer, opened() as http:
        asked = asyncio.ensure_future(whole(http, peer.url))
        first = await peer.came.get()
        line = await begun(http)
        await until(lambda: line._head_due is not None)
        first.transport.write(WHOLE[20:])
        assert await asked == b"{}"
        assert await whole(http, peer.url) == b"{}"
        assert peer.count == 1
        assert line._head_due is None


async def reading_more(line: Line, peer: Peer, answer: Answer) -> bytes:
    """Reads whenever there is more, as long as there is a connection."""
    exchange = line.exchange
    assert exchange is not None
    while line.exchange is exchange:
        peer.transport.write(b"more")
        await until(lambda: bool(exchange.pieces) or line.exchange is not exchange)
        await answer.read()
    return await answer.body()


async def test_the_time_of_an_answer_ends_although_there_is_always_more_of_it() -> None:
    async with peers(writing(HEAD[:17] + b"\r\n")) as peer, opened() as http:
        async with await http.post(peer.url, {}, b"{}", 0.1) as answer:
            endless = await peer.came.get()
            assert await fault_of(asyncio.ensure_future(reading_more(held(http), endless, answer))) is Fault.TIMEOUT
        await endless.lost.wait()


async def test_an_answer_that_ends_with_the_vendors_side_needs_no_rest_of_the_request() -> None:
    def say(peer: Peer) -> None:
        peer.transport.pause_reading()
        peer.transport.write(HEAD[:17] + b"\r\n{}")
        peer.transport.write_eof()

    async with peers(say) as peer, opened() as http:
        assert await whole(http, peer.url, bytes(32 * 1024 * 1024)) == b"{}"


@pytest.mark.parametrize("word", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"])
async def test_silence_after_a_word_before_the_answer_is_no_longer_than_any(word: bytes) -> None:
    async with peers(writing(word)) as peer, opened(idle_timeout_s=0.05) as http:
        assert await fault_of(asyncio.ensure_future(whole(http, peer.url, timeout_s=None))) is Fault.TIMEOUT


async def test_words_before_the_answer_leave_nothing_due_at_a_line_that_is_kept() -> None:
    async with peers(writing(b"HTTP/1.1 103 Early Hints\r\n\r\n" + WHOLE)) as peer, opened(idle_timeout_s=LONG_S) as http:
        assert await whole(http, peer.url) == b"{}"
        ((line, _),) = next(iter(http._pool._conns.values()))
        assert cast(Line, line)._due() is None


async def test_a_line_whose_request_was_not_sent_whole_serves_no_other() -> None:
    def say(peer: Peer) -> None:
        if peer.number == 1:
            peer.transport.pause_reading()
        peer.transport.write(WHOLE)

    async with peers(say) as peer, opened() as http:
        assert await whole(http, peer.url, bytes(32 * 1024 * 1024)) == b"{}"
        assert await whole(http, peer.url, timeout_s=5) == b"{}"
        assert peer.count == 2


async def test_over_tls_too_a_request_is_not_taken_for_sent_before_it_is() -> None:
    authority, serving, asking = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    authority.configure_trust(asking)
    loop, freed, exchange = asyncio.get_running_loop(), list[Line](), Exchange()
    async with peers(lambda peer: peer.transport.pause_reading(), serving) as peer:
        port = int(peer.url.rpartition(":")[2].removesuffix("/v1"))
        _, line = await loop.create_connection(lambda: Line(loop, LONG_S, freed.append), "127.0.0.1", port, ssl=asking)
        line.ask(exchange, bytes(32 * 1024 * 1024), LONG_S, None)
        slow = await peer.came.get()
        await until(lambda: slow.reads > 0 and line._quiet_since is None)
        slow.transport.write(WHOLE)
        assert await exchange.read() == b"{}"
        assert freed == [line]
        assert line.should_close
        line.close()
        await line.closed


async def test_a_vendor_that_reads_slowly_is_not_silent_yet() -> None:
    size = 32 * 1024 * 1024

    def say(peer: Peer) -> None:
        if peer.reads == 1:
            peer.transport.pause_reading()
        elif peer.size >= size:
            peer.transport.write(WHOLE)

    async with peers(say) as peer, opened(idle_timeout_s=LONG_S) as http:
        asked = asyncio.ensure_future(whole(http, peer.url, bytes(size)))
        slow = await peer.came.get()
        await until(lambda: slow.reads > 0)
        line = await begun(http)
        assert line._quiet_since is None
        slow.transport.resume_reading()
        await until(lambda: line._quiet_since is not None)
        assert await asked == b"{}"


async def test_a_request_that_is_sent_again_has_no_more_time_than_it_had() -> None:
    loop = asyncio.get_running_loop()

    def say(peer: Peer) -> None:
        if peer.number == 1 and peer.reads == 2:
            loop.call_later(0.3, peer.transport.close)
        else:
            loop.call_later(0 if peer.number == 1 else 0.3, peer.transport.write, WHOLE)

    async with peers(say) as peer, opened() as http:
        assert await whole(http, peer.url) == b"{}"
        with pytest.raises(ProviderError) as raised:
            await http.get(peer.url, {}, 0.4)
        assert raised.value.fault is Fault.TIMEOUT


@asynccontextmanager
async def kept_line(peer: Peers) -> AsyncIterator[tuple[Line, list[Line]]]:
    """A connection that has served a request, and those that were given back."""
    loop, freed = asyncio.get_running_loop(), list[Line]()
    port = int(peer.url.rpartition(":")[2].removesuffix("/v1"))
    _, line = await loop.create_connection(lambda: Line(loop, LONG_S, freed.append), "127.0.0.1", port)
    try:
        exchange = Exchange()
        line.ask(exchange, b"first", LONG_S, None)
        await exchange.read()
        yield line, freed
    finally:
        line.close()
        await line.closed


async def test_what_a_vendor_says_before_it_was_asked_is_no_answer() -> None:
    async with peers(writing(WHOLE)) as peer, kept_line(peer) as (line, freed):
        exchange = Exchange()
        line.ask(exchange, b"second", LONG_S, None)
        line.data_received(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        with pytest.raises(Stale):
            await exchange.read()
        assert freed == [line, line]
        assert line.should_close


async def test_a_request_that_nobody_wants_any_more_is_not_begun() -> None:
    async with peers(writing(WHOLE)) as peer, kept_line(peer) as (line, _):
        line.ask(Exchange(), b"second", LONG_S, None)
        line.close()
        (asked,) = peer.all
        await asked.lost.wait()
        assert asked.size == len(b"first")


async def test_a_request_that_was_not_begun_is_sent_on_a_fresh_connection() -> None:
    async with peers(writing(WHOLE)) as peer, opened() as http:
        assert await whole(http, peer.url) == b"{}"
        ((line, _),) = next(iter(http._pool._conns.values()))
        asked = asyncio.ensure_future(whole(http, peer.url))
        await until(lambda: cast(Line, line).exchange is not None)
        cast(Line, line).data_received(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        assert await asked == b"{}"
    assert [each.reads for each in peer.all] == [1, 1]


async def test_a_line_does_not_keep_a_request_that_was_sent() -> None:
    async with peers(writing(WHOLE, HEAD)) as peer, kept_line(peer) as (line, _):
        body = b"second"
        line.ask(Exchange(), body, LONG_S, None)
        await until(lambda: peer.all[0].reads == 2)
        assert line._unsent.obj is not body


async def test_requests_of_one_turn_are_sent_together_in_the_next() -> None:
    async with peers(writing(WHOLE)) as peer, kept_line(peer) as (first, _), kept_line(peer) as (second, _):
        exchanges = Exchange(), Exchange()
        for line, exchange in zip((first, second), exchanges, strict=True):
            line.ask(exchange, b"second", LONG_S, None)
        assert first._unsent
        assert second._unsent
        await asyncio.sleep(0)
        assert not first._unsent
        assert not second._unsent
        for exchange in exchanges:
            assert await exchange.read() == b"{}"


async def reading(answer: Answer) -> bytes:
    async with answer:
        return await answer.body()


@pytest.mark.parametrize("waits", [True, False])
async def test_closing_tells_who_reads_a_body(waits: bool) -> None:
    async with peers(writing(HEAD)) as peer, opened() as http:
        read = asyncio.ensure_future(reading(await http.post(peer.url, {}, b"{}", None)))
        exchange = held(http).exchange
        assert exchange is not None
        await until(lambda: not waits or exchange._changed is not None)
        await http.close()
        assert await fault_of(read) is Fault.CONNECTION


async def test_closing_tells_who_waits_for_a_connection() -> None:
    async with peers(writing(HEAD)) as peer, opened(connections=1) as http:
        answer = await http.post(peer.url, {}, b"{}", None)
        waiting = asyncio.ensure_future(whole(http, peer.url))
        await until(lambda: len(http._pool._waiters) == 1)
        await http.close()
        assert await fault_of(waiting) is Fault.CONNECTION
        assert await fault_of(asyncio.ensure_future(reading(answer))) is Fault.CONNECTION


async def test_after_closing_nothing_is_asked_and_nothing_ticks() -> None:
    async with peers(writing(HEAD)) as peer, opened() as http:
        answer = await http.post(peer.url, {}, b"{}", LONG_S)
        await http.close()
        assert await fault_of(asyncio.ensure_future(reading(answer))) is Fault.CONNECTION
        assert await fault_of(asyncio.ensure_future(whole(http, peer.url))) is Fault.CONNECTION
        assert http._pool._cleanup_handle is None
    assert peer.count == 1


UNSENDABLE = {
    "a control character": ("http://127.0.0.1:1/", {"X": "a\nb"}),
    "half an address": ("http://[::1/", {}),
}


@pytest.mark.parametrize("case", UNSENDABLE)
async def test_a_request_that_cannot_be_sent_is_not_the_answers_fault(case: str) -> None:
    url, headers = UNSENDABLE[case]
    async with opened() as http:
        with pytest.raises(ProviderError) as raised:
            await http.post(url, headers, b"{}", LONG_S)
    assert raised.value.message == "The provider cannot be asked: its address or a header is none."


async def on_uvloop(requests: int) -> set[Fault]:
    """How requests end whose time is over while their heads arrive."""

    async def fault() -> Fault:
        with pytest.raises(ProviderError) as raised:
            await whole(http, peer.url, timeout_s=0.0004)
        return raised.value.fault

    async with peers(writing(WHOLE)) as peer, opened() as http:
        faults = set()
        for _ in range(requests):
            peer.say = writing(WHOLE)
            await whole(http, peer.url)
            peer.say = writing(HEAD[:12])
            faults.add(await fault())
        return faults


def test_a_time_that_is_nearly_over_is_none_of_a_connections_troubles_with_uvloop() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        faults = runner.run(on_uvloop(50))
    assert faults == {Fault.TIMEOUT}
