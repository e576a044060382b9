"""HTTP itself: methods, paths, headers, framing, and what is no HTTP at all."""

import asyncio
import json

import pytest

from tests.gateway_http.serving import CHAT, KEY, PATIENCE_S, Running, call, chat, connected, raw, request_bytes

BODY = b'{"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}'

CHUNKED = f"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ntransfer-encoding: chunked\r\n\r\n".encode()

NO_HTTP = {
    "a word": b"HELLO\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.7": b"GET /health HTTP/3.7\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\n\r\n",
    "a path without its slash": b"GET health HTTP/1.1\r\n\r\n",
    "a host for a path": b"CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    "a path that is not ASCII": b"GET /h\xffealth HTTP/1.1\r\nhost: x\r\n\r\n",
    "a header without a colon": b"GET /health HTTP/1.1\r\nhost: x\r\nbroken\r\n\r\n",
    "a header without a name": b"GET /health HTTP/1.1\r\nhost: x\r\n: x\r\n\r\n",
    "a header that goes on in the next line": b"GET /health HTTP/1.1\r\nhost: x\r\nx: y\r\n z: x\r\n\r\n",
    "a space before a colon": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length : 2\r\n\r\n{}",
    "a line feed in a header's name": b"GET /health HTTP/1.1\r\nhost: x\r\nx\ny: z\r\n\r\n",
    "a length in Arabic digits": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: \xd9\xa2\r\n\r\n{}",
    "a length in letters": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
    "a negative length": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "two lengths": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "a length and chunks": b"POST /v1/models HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
    "an unknown transfer coding": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
    "a chunk without its size": CHUNKED + b"zz\r\n{}\r\n",
    "a chunk with a negative size": CHUNKED + b"-2\r\n{}\r\n",
    "a chunk whose size has a prefix": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk that goes on after its size": CHUNKED + b"2\r\n{}xx0\r\n\r\n",
    "trailers": CHUNKED + b"2\r\n{}\r\n0\r\nx: y\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n",
    "two hosts before a body": b"POST /v1/models HTTP/1.1\r\nhost: a\r\nhost: b\r\ncontent-length: 9\r\n\r\n",
    "two hosts in HTTP/1.0": b"GET /health HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n",
}


@pytest.mark.parametrize("data", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_refused_and_the_connection_closed(gateway: Running, data: bytes) -> None:
    async with connected(gateway.port) as caller:
        await caller.send(data)
        answer = await caller.answer()
        assert (answer.status, answer.error["code"]) == (400, "invalid_request")
        assert answer.headers["connection"] == "close"
        await caller.closed()


@pytest.mark.parametrize(
    "data",
    [b"GET /health HTTP/1.1\r\nx: " + b"a" * 20_000 + b"\r\n\r\n", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"],
    ids=["a header", "a path"],
)
async def test_a_head_that_is_too_large_is_refused(gateway: Running, data: bytes) -> None:
    answer = await raw(gateway.port, data)
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")


async def test_a_path_that_is_not_there_is_not_found(gateway: Running) -> None:
    for path in ("/", "/v2/chat/completions", "/v1/chat", "//", "/%ff", "/v1/chat/completions/more"):
        answer = await call(gateway.port, "POST", path, BODY)
        assert (answer.status, answer.error["code"]) == (404, "not_found"), path


@pytest.mark.parametrize("path", ["/v1/models", "/v1/providers/echo/models", "/providers"])
async def test_a_slash_at_the_end_of_a_path_means_nothing(gateway: Running, path: str) -> None:
    plain, *slashed = [await call(gateway.port, "GET", path + end) for end in ("", "/", "//")]
    assert plain.status == 200
    assert [each.json() == plain.json() for each in slashed] == [True, True]


async def test_a_target_without_a_path_is_the_root(gateway: Running) -> None:
    for target in ("http://example.com", "http://example.com?x=1", "http://example.com:80"):
        answer = await call(gateway.port, "GET", target)
        assert (answer.status, answer.error["code"]) == (404, "not_found"), target


async def test_a_method_that_a_path_does_not_take_is_refused_with_those_that_it_takes(gateway: Running) -> None:
    for method, path, allowed in (
        ("GET", CHAT, "POST"),
        ("DELETE", CHAT, "POST"),
        ("TRACE", CHAT, "POST"),
        ("BREW", CHAT, "POST"),
        ("POST", "/health", "GET"),
        ("PUT", "/v1/models", "GET"),
    ):
        answer = await call(gateway.port, method, path)
        assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == allowed


async def test_a_head_request_has_the_head_of_an_answer_alone(gateway: Running) -> None:
    async with connected(gateway.port) as caller:
        for path, status in (("/health", 200), ("/v1/models", 200), ("/metrics/prometheus", 200), (CHAT, 405), ("/no", 404)):
            await caller.send(request_bytes("HEAD", path))
            head = await caller.answer(head_only=True)
            assert (head.status, head.headers["content-type"] != "") == (status, True)
            assert int(head.headers["content-length"]) > 0
        await caller.send(request_bytes("GET", "/health"))
        assert (await caller.answer()).status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; a=b"])
async def test_a_body_that_says_it_is_no_json_is_refused(gateway: Running, content_type: str) -> None:
    answer = await call(gateway.port, "POST", CHAT, BODY, {"content-type": content_type})
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["", "application/json", "APPLICATION/JSON; charset=utf-8", "application/a+json"])
async def test_a_body_that_says_nothing_or_json_is_taken(gateway: Running, content_type: str) -> None:
    assert (await call(gateway.port, "POST", CHAT, BODY, {"content-type": content_type})).status == 200


async def test_a_compressed_body_is_refused(gateway: Running) -> None:
    answer = await call(gateway.port, "POST", CHAT, b"\x1f\x8b", {"content-encoding": "gzip"})
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")
    assert (await call(gateway.port, "POST", CHAT, BODY, {"content-encoding": "identity"})).status == 200


@pytest.mark.parametrize("value", [b"a\nset-cookie: x", b"a\rset-cookie: x", b"a\0b", b"a b", b"\xff", b"a" * 129])
async def test_a_request_id_that_is_not_a_plain_one_is_not_said_back(gateway: Running, value: bytes) -> None:
    answer = await call(gateway.port, "POST", CHAT, BODY, {"x-request-id": value})
    assert answer.status == 200
    assert answer.headers["x-request-id"].startswith("req_")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("value", [b"Bearer a\nx: y", b"Bearer a\rb", b"Bearer \0", b"Bearer \xff\xfe", b"Basic eA==", b"x"])
async def test_a_key_that_can_be_none_is_refused(gateway: Running, value: bytes) -> None:
    for header in ("authorization", "x-api-key"):
        answer = await call(gateway.port, "POST", CHAT, BODY, {header: value}, key=None)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")


async def test_a_key_is_taken_from_either_header(gateway: Running) -> None:
    for headers in ({"authorization": f"Bearer {KEY}"}, {"authorization": f"bearer  {KEY}"}, {"X-API-Key": KEY}):
        assert (await call(gateway.port, "POST", CHAT, BODY, headers, key=None)).status == 200


async def test_http_1_0_is_answered_and_the_connection_closed(gateway: Running) -> None:
    async with connected(gateway.port) as caller:
        await caller.send(request_bytes("POST", CHAT, BODY, {"host": ""}, version="HTTP/1.0"))
        assert (await caller.answer()).status == 200
        await caller.closed()


@pytest.mark.parametrize("connection", ["", "keep-alive"])
async def test_a_stream_over_http_1_0_ends_with_the_connection(gateway: Running, connection: str) -> None:
    body = json.dumps(chat(stream=True)).encode()
    async with connected(gateway.port) as caller:
        await caller.send(request_bytes("POST", CHAT, body, {"connection": connection}, version="HTTP/1.0"))
        head, _, events = (await asyncio.wait_for(caller.reader.read(-1), PATIENCE_S)).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert [event[:6] for event in events.splitlines() if event] == [b"data: "] * 5
    assert events.endswith(b"data: [DONE]\n\n")


async def test_requests_sent_at_once_are_answered_in_their_order(gateway: Running) -> None:
    async with connected(gateway.port) as caller:
        await caller.send(
            request_bytes("GET", "/health")
            + request_bytes("POST", CHAT, BODY)
            + request_bytes("GET", "/nowhere")
            + request_bytes("POST", CHAT, b"{")
            + request_bytes("GET", "/v1/models/echo")
        )
        assert [(await caller.answer()).status for _ in range(5)] == [200, 200, 404, 400, 200]


async def test_a_body_whose_sender_waits_to_be_told_is_asked_for(gateway: Running) -> None:
    async with connected(gateway.port) as caller:
        request = request_bytes("POST", CHAT, BODY, {"expect": "100-continue"})
        await caller.send(request.removesuffix(BODY))
        assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await caller.send(BODY)
        assert (await caller.answer()).status == 200


async def test_another_expectation_is_refused(gateway: Running) -> None:
    answer = await call(gateway.port, "POST", CHAT, BODY, {"expect": "200-ok"})
    assert (answer.status, answer.error["type"]) == (417, "invalid_request_error")


async def test_a_body_in_chunks_is_taken(gateway: Running) -> None:
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (1, BODY[i : i + 1]) for i in range(len(BODY))) + b"0\r\n\r\n"
    head = request_bytes("POST", CHAT, b"", {"transfer-encoding": "chunked"})
    async with connected(gateway.port) as caller:
        await caller.send(head + chunks + request_bytes("GET", "/health"))
        assert [(await caller.answer()).status for _ in range(2)] == [200, 200]


async def test_a_request_to_switch_to_another_protocol_gets_an_ordinary_answer(gateway: Running) -> None:
    answer = await call(gateway.port, "POST", CHAT, chat(), {"connection": "upgrade", "upgrade": "websocket"})
    assert answer.status == 200


async def test_a_body_where_none_is_wanted_does_no_harm(gateway: Running) -> None:
    async with connected(gateway.port) as caller:
        for path in ("/health", "/v1/models", "/providers", "/nowhere"):
            await caller.send(request_bytes("GET", path, b"x" * 100_000))
            assert (await caller.answer()).status in (200, 404)
