"""Browsers of other origins: what the configuration lets them do. Source: https://fetch.spec.whatwg.org (2026-11)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway_http.serving import CHAT, ECHO, Running, call, chat, running

ORIGIN = "https://app.example"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type, x-stainless-os",
}


@pytest.fixture
async def some(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway that lets two origins in."""
    async with running(tmp_path, ECHO + f"    server: {{cors_origins: ['{ORIGIN}', 'http://localhost:3000']}}\n") as gateway:
        yield gateway
        assert gateway.errors_logged() == []


@pytest.fixture
async def anyone(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway that lets every origin in."""
    async with running(tmp_path, ECHO + "    server: {cors_origins: ['*']}\n") as gateway:
        yield gateway


async def test_a_preflight_says_what_is_allowed(some: Running) -> None:
    for path in (CHAT, "/v1/models", "/health", "/v1/alerts", "/v1/models/echo"):
        answer = await call(some.port, "OPTIONS", path, headers=PREFLIGHT, key=None)
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert answer.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
        assert answer.headers["vary"] == "Origin"


async def test_a_preflight_of_another_origin_allows_nothing(some: Running) -> None:
    for origin in ("https://evil.example", f"{ORIGIN}.evil.example", "null", "http://app.example", f"{ORIGIN}:444"):
        answer = await call(some.port, "OPTIONS", CHAT, headers={**PREFLIGHT, "origin": origin}, key=None)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["vary"] == "Origin"


async def test_an_answer_may_be_read_with_the_headers_that_matter(some: Running) -> None:
    answer = await call(some.port, "POST", CHAT, chat(), {"origin": ORIGIN})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"x-request-id", "x-trunkline-provider", "x-trunkline-chaos", "retry-after", "x-should-retry"} <= exposed


async def test_a_streamed_answer_may_be_read(some: Running) -> None:
    answer = await call(some.port, "POST", CHAT, chat(stream=True), {"origin": ORIGIN})
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_a_refusal_may_be_read_too(some: Running) -> None:
    for method, path, key, status in (
        ("POST", CHAT, None, 401),
        ("GET", "/nowhere", None, 404),
        ("GET", CHAT, None, 405),
        ("GET", "/providers?x=1", "x", 400),
    ):
        answer = await call(some.port, method, path, b"{}" if method == "POST" else None, {"origin": ORIGIN}, key=key)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, ORIGIN)


async def test_an_answer_to_another_origin_may_not_be_read(some: Running) -> None:
    answer = await call(some.port, "POST", CHAT, chat(), {"origin": "https://evil.example"})
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers


async def test_every_origin_may_read_where_all_are_let_in(anyone: Running) -> None:
    for origin in (ORIGIN, "https://other.example", "null"):
        preflight = await call(anyone.port, "OPTIONS", CHAT, headers={**PREFLIGHT, "origin": origin}, key=None)
        answer = await call(anyone.port, "POST", CHAT, chat(), {"origin": origin})
        for each in (preflight, answer):
            assert each.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in each.headers


async def test_a_caller_that_is_no_browser_gets_no_such_headers(some: Running) -> None:
    answer = await call(some.port, "POST", CHAT, chat())
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_nothing_is_let_in_unless_configured(gateway: Running) -> None:
    preflight = await call(gateway.port, "OPTIONS", CHAT, headers=PREFLIGHT, key=None)
    assert preflight.status == 405
    answer = await call(gateway.port, "POST", CHAT, chat(), {"origin": ORIGIN})
    assert not [name for name in (*preflight.headers, *answer.headers) if name.startswith("access-control-")]


@pytest.mark.parametrize("value", [b"x\nset-cookie: a=b", b"x\rset-cookie: a=b", b"\xff", b"x" * 5000])
async def test_names_of_headers_that_are_none_are_not_said_back(some: Running, value: bytes) -> None:
    headers: dict[str, str | bytes] = {**PREFLIGHT, "access-control-request-headers": value}
    answer = await call(some.port, "OPTIONS", CHAT, headers=headers, key=None)
    assert answer.status == 204
    assert answer.headers["access-control-allow-headers"] == "*"
    assert "set-cookie" not in answer.headers
