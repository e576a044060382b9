"""The seam over HTTP/2, against a vendor that speaks it over TLS."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from server.providers.errors import Fault, ProviderError
from server.providers.http.http1 import Http1
from server.providers.http.http2 import Http2
from tests.fakes.http2 import Exchange, Http2Vendor
from tests.fakes.vendor import ScriptedVendor


@asynccontextmanager
async def http_to(
    vendor: Http2Vendor, idle_timeout_s: float | None = 20, max_connections: int = 1, connect_timeout_s: float = 5
) -> AsyncIterator[Http2]:
    """The seam, with trust in the vendor."""
    fallback = Http1(connect_timeout_s=5, idle_timeout_s=20, max_connections=1, keepalive_s=30)
    http = Http2(fallback, vendor.trust(), connect_timeout_s, idle_timeout_s, max_connections, 30)
    try:
        yield http
    finally:
        await http.close()


@pytest.fixture
async def vendor() -> AsyncIterator[Http2Vendor]:
    async with Http2Vendor() as vendor:
        yield vendor


@pytest.fixture
async def http(vendor: Http2Vendor) -> AsyncIterator[Http2]:
    async with http_to(vendor) as http:
        yield http


def hello(exchange: Exchange) -> None:
    exchange.answer(200, b'{"said": "hello"}', ("content-type", "application/json; charset=utf-8"))


def silent(exchange: Exchange) -> None:
    """Says nothing."""


async def said(http: Http2, url: str, body: bytes = b"{}") -> bytes:
    """The body of an answer to a post."""
    async with await http.post(f"{url}/v1/chat?x=1", {"Authorization": "Bearer sk"}, body, 20) as answer:
        return await answer.body()


async def test_a_post_arrives_and_is_answered(vendor: Http2Vendor, http: Http2) -> None:
    vendor.answers.append(hello)
    async with await http.post(f"{vendor.url}/v1/chat?x=1", {"Authorization": "Bearer sk"}, b"{}", 20) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert await answer.body() == b'{"said": "hello"}'
    headers = vendor.exchanges[0].headers
    assert (headers[":method"], headers[":path"], headers["authorization"]) == ("POST", "/v1/chat?x=1", "Bearer sk")
    assert (headers["content-length"], headers["accept-encoding"]) == ("2", "identity")
    assert vendor.exchanges[0].body == b"{}"


async def test_a_get_has_no_body(vendor: Http2Vendor, http: Http2) -> None:
    vendor.answers.append(hello)
    async with await http.get(f"{vendor.url}/v1/models", {}, 20) as answer:
        assert answer.status == 200
    assert (vendor.exchanges[0].headers[":method"], vendor.exchanges[0].body) == ("GET", b"")


async def test_bodies_larger_than_every_window_pass_both_ways(vendor: Http2Vendor, http: Http2) -> None:
    large = b"x" * 20_000_000
    vendor.answers.append(lambda exchange: exchange.answer(200, large))
    assert await said(http, vendor.url, b"y" * 3_000_000) == large
    assert len(vendor.exchanges[0].body) == 3_000_000


async def test_many_requests_share_a_connection(vendor: Http2Vendor, http: Http2) -> None:
    vendor.answers.extend([hello] * 250)
    answers = await asyncio.gather(*(said(http, vendor.url) for _ in range(250)))
    assert set(answers) == {b'{"said": "hello"}'}
    assert len(vendor.lines) == 1


async def test_a_vendor_that_takes_one_at_a_time_gets_one_at_a_time() -> None:
    async with Http2Vendor(most_streams=1) as vendor, http_to(vendor) as http:
        vendor.answers.extend([hello] * 20)
        answers = await asyncio.gather(*(said(http, vendor.url) for _ in range(20)))
        assert set(answers) == {b'{"said": "hello"}'}


async def test_a_cancelled_wait_for_the_head_ends_the_stream_at_the_vendor(vendor: Http2Vendor, http: Http2) -> None:
    vendor.answers.extend([silent, hello])
    waiting = asyncio.ensure_future(said(http, vendor.url))
    await vendor.watch.until(lambda: len(vendor.exchanges) == 1)
    waiting.cancel()
    await vendor.watch.until(lambda: vendor.exchanges[0].reset)
    assert await said(http, vendor.url) == b'{"said": "hello"}'
    assert len(vendor.lines) == 1


async def test_a_body_that_nobody_wants_ends_at_the_vendor(vendor: Http2Vendor, http: Http2) -> None:
    vendor.answers.extend([lambda exchange: exchange.answer(200, b"x" * 30_000_000), hello])
    async with await http.post(vendor.url, {}, b"{}", 20) as answer:
        await answer.read()
    await vendor.watch.until(lambda: vendor.exchanges[0].reset)
    assert await said(http, vendor.url) == b'{"said": "hello"}'


async def test_two_hundred_aborted_requests_leave_nothing(vendor: Http2Vendor, http: Http2) -> None:
    vendor.answers.extend([silent] * 100 + [hello])
    before = asyncio.all_tasks()
    waiting = [asyncio.ensure_future(said(http, vendor.url)) for _ in range(200)]
    await vendor.watch.until(lambda: len(vendor.exchanges) == 100)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await vendor.watch.until(lambda: all(exchange.reset for exchange in vendor.exchanges))
    assert await said(http, vendor.url) == b'{"said": "hello"}'
    assert asyncio.all_tasks() == before


def gives_up(exchange: Exchange) -> None:
    exchange.head(200)
    exchange.line.h2.reset_stream(exchange.stream)
    exchange.line.flush()


def refuses(exchange: Exchange) -> None:
    exchange.line.h2.reset_stream(exchange.stream, 7)
    exchange.line.flush()


def drops(exchange: Exchange) -> None:
    assert exchange.line.transport is not None
    exchange.line.transport.abort()


def babbles(exchange: Exchange) -> None:
    assert exchange.line.transport is not None
    exchange.line.transport.write(b"\0\0\1\0\0\0\0\0\0x")  # data of no stream


FAULTS = {
    "given up": ([gives_up], Fault.CONNECTION),
    "refused twice": ([refuses, refuses], Fault.CONNECTION),
    "dropped": ([drops], Fault.CONNECTION),
    "frames that make no sense": ([babbles], Fault.PROTOCOL),
    "compressed": ([lambda exchange: exchange.answer(200, b"x", ("content-encoding", "gzip"))], Fault.PROTOCOL),
    "large head": ([lambda exchange: exchange.answer(200, b"x", ("x", "y" * 70_000))], Fault.PROTOCOL),
    "no status": ([lambda exchange: exchange.answer(999, b"x")], Fault.PROTOCOL),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_what_goes_wrong_is_a_provider_error(vendor: Http2Vendor, http: Http2, case: str) -> None:
    answers, fault = FAULTS[case]
    vendor.answers.extend(answers)
    with pytest.raises(ProviderError) as raised:
        await said(http, vendor.url)
    assert raised.value.fault is fault
    assert "127.0.0.1" not in raised.value.message
    assert not vendor.answers


async def test_a_refused_request_is_sent_once_more(vendor: Http2Vendor, http: Http2) -> None:
    vendor.answers.extend([refuses, hello])
    assert await said(http, vendor.url) == b'{"said": "hello"}'


async def test_a_request_that_a_kept_connection_may_have_taken_is_not_sent_again(vendor: Http2Vendor, http: Http2) -> None:
    vendor.answers.extend([hello, drops, hello])
    await said(http, vendor.url)
    with pytest.raises(ProviderError) as raised:
        await said(http, vendor.url)
    assert raised.value.fault is Fault.CONNECTION
    assert await said(http, vendor.url) == b'{"said": "hello"}'
    assert len(vendor.exchanges) == 3


async def test_a_vendor_that_leaves_ends_the_answers_that_it_has_begun(vendor: Http2Vendor, http: Http2) -> None:
    def leaves(exchange: Exchange) -> None:
        exchange.head(200)
        exchange.data(b"first ")
        transport = exchange.line.transport
        assert transport is not None
        transport.write(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + exchange.stream.to_bytes(4, "big") + bytes(4))
        exchange.data(b"last", end=True)

    vendor.answers.extend([leaves, hello])
    assert await said(http, vendor.url) == b"first last"
    await vendor.watch.until(lambda: not vendor.lines)
    assert await said(http, vendor.url) == b'{"said": "hello"}'


async def test_a_vendor_that_knows_only_http1_is_asked_over_that() -> None:
    async with Http2Vendor(protocols=("http/1.1",)) as vendor, http_to(vendor) as http:
        with pytest.raises(ProviderError) as raised:  # the fallback does not know the certificate
            await said(http, vendor.url)
    assert "certificate" in raised.value.message
    assert not vendor.exchanges


async def test_a_silent_vendor_runs_into_the_timeout(vendor: Http2Vendor) -> None:
    vendor.answers.append(silent)
    async with http_to(vendor, idle_timeout_s=0.05) as http:
        with pytest.raises(ProviderError) as raised:
            await said(http, vendor.url)
    assert raised.value.fault is Fault.TIMEOUT


@pytest.mark.parametrize("idle_timeout_s", [20, 0])
async def test_an_answer_may_come_before_the_whole_request_and_until_then_nobody_is_silent(idle_timeout_s: float) -> None:
    async with Http2Vendor(opens=False) as vendor, http_to(vendor, idle_timeout_s) as http:
        vendor.answers.append(lambda exchange: exchange.head(413, end=True))
        async with await http.post(vendor.url, {}, bytes(1_000_000), 20) as answer:
            assert answer.status == 413
        await vendor.watch.until(lambda: vendor.lines[0].asked[1].reset)


async def test_a_vendor_that_never_begins_is_given_up_once_for_all_who_wait() -> None:
    async with Http2Vendor(begins=False) as vendor, http_to(vendor, connect_timeout_s=0.2) as http:
        failures = await asyncio.gather(*(said(http, vendor.url) for _ in range(5)), return_exceptions=True)
        assert [failure.fault for failure in failures if isinstance(failure, ProviderError)] == [Fault.TIMEOUT] * 5
        assert vendor.accepted == 1
        await vendor.watch.until(lambda: not vendor.lines)


async def test_a_caller_that_leaves_while_a_connection_begins_leaves_none() -> None:
    async with Http2Vendor(begins=False) as vendor, http_to(vendor) as http:
        waiting = asyncio.ensure_future(said(http, vendor.url))
        await vendor.watch.until(lambda: vendor.accepted == 1)
        waiting.cancel()
        await asyncio.wait([waiting])
        await vendor.watch.until(lambda: not vendor.lines)


async def test_a_certificate_that_nobody_knows_is_refused(vendor: Http2Vendor) -> None:
    async with Http2Vendor() as other, http_to(other) as http:
        with pytest.raises(ProviderError) as raised:
            await said(http, vendor.url)
    assert raised.value.fault is Fault.CONNECTION
    assert "certificate" in raised.value.message


async def test_plain_http_goes_over_http1(http: Http2) -> None:
    async with ScriptedVendor() as vendor:
        answer = await http.get(f"{vendor.url}/v1/models", {"Authorization": f"Bearer {vendor.key}"}, 20)
        assert answer.status == 200
        assert json.loads(await answer.body())["object"] == "list"
