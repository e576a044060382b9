"""Large bodies: who may send one, and what they keep waiting."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.app import create_app
from gateway_http.exchange import LARGE_BODY, MOST_OBJECTS, Exchange
from gateway_http.response import JsonResponse
from gateway_http.server import HttpServer
from gateway_http.settings import HttpSettings
from tests.end_to_end.running import HOST, KEY, Running, Topology, config, run_gateway
from tests.gateway_http.serving import CHAT, Answer, connected, raw, request_bytes
from trunkline_client import AsyncClient, open_channel

ADMIN_KEY = "sk-test-admin-only"
PATHS = (
    CHAT,
    f"{CHAT}?explain",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/videos/generations",
    "/v1/tenants",
)
SAID = {
    "its length": {"content-length": str(LARGE_BODY + 1)},
    "its length, and waits": {"content-length": str(LARGE_BODY + 1), "expect": "100-continue"},
    "that chunks come": {"transfer-encoding": "chunked"},
}


@pytest.fixture(params=["whole", "split"])
async def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with the provider `echo`, and a key that may administer and no more."""
    topology: Topology = request.param
    rows = [{"name": "echo", "type": "echo", "models": ["echo"]}]
    keys = [{"name": "all", "key": KEY}, {"name": "admin", "key": ADMIN_KEY, "roles": ["admin"]}]
    async with run_gateway(tmp_path, config(rows, auth={"api_keys": keys}), topology) as running:
        yield running


async def post(gateway: Running, path: str, body: bytes, key: str = KEY) -> Answer:
    return await raw(_port(gateway), request_bytes("POST", path, body, key=key))


def _port(gateway: Running) -> int:
    return int(gateway.url.rpartition(":")[2])


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
@pytest.mark.parametrize("path", PATHS)
async def test_who_has_no_key_is_refused_before_the_body_comes(
    gateway: Running, path: str, said: dict[str, str | bytes]
) -> None:
    async with connected(_port(gateway)) as caller:
        await caller.send(request_bytes("POST", path, b"", said, key="sk-of-nobody"))
        answer = await caller.answer()
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
        assert answer.headers["connection"] == "close"
        await caller.closed()


@pytest.mark.parametrize("size", [LARGE_BODY, LARGE_BODY + 1])
async def test_who_has_one_gets_an_answer(gateway: Running, size: int) -> None:
    begin, end = b'{"model": "echo", "messages": [{"role": "user", "content": "', b'"}]}'
    answer = await post(gateway, CHAT, begin + b"x" * (size - len(begin) - len(end)) + end)
    assert answer.status == 200


async def test_a_key_needs_no_other_permission_than_it_did(gateway: Running) -> None:
    body = orjson.dumps({"display_name": "x" * LARGE_BODY})
    answer = await post(gateway, "/v1/tenants", body, key=ADMIN_KEY)
    assert (answer.status, answer.error["param"]) == (400, "display_name")


@pytest.mark.parametrize("gateway", ["whole"], indirect=True)
async def test_the_faults_of_a_large_body_are_told_as_those_of_a_small_one(gateway: Running) -> None:
    faults = {
        b"{" + b" " * LARGE_BODY: None,
        b"[" + b" " * LARGE_BODY + b"]": None,
        orjson.dumps({"model": "echo", "messages": ["x" * LARGE_BODY]}): "messages[0]",
        orjson.dumps({"model": "echo", "messages": [], "stream": "x" * LARGE_BODY}): "stream",
    }
    for body, param in faults.items():
        answer = await post(gateway, CHAT, body)
        assert (answer.status, answer.error["param"]) == (400, param)


@pytest.mark.parametrize("each", [b"{}", b"[]"], ids=["objects", "lists"])
@pytest.mark.parametrize("gateway", ["whole"], indirect=True)
async def test_a_body_of_too_many_objects_or_lists_is_refused(gateway: Running, each: bytes) -> None:
    answer = await post(gateway, CHAT, b'{"model": "echo", "messages": [' + (each + b",") * MOST_OBJECTS + each + b"]}")
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")
    assert "objects or lists" in str(answer.error["message"])


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("gateway", ["split"], indirect=True)
async def test_a_large_body_alone_is_read_in_another_thread(gateway: Running, large: bool) -> None:
    async with open_channel(gateway.target) as channel:
        client = AsyncClient(channel)
        app = create_app(lambda: client, HttpSettings())

        async def where(request: Request) -> HTTPResponse:
            exchange = Exchange(request, HttpSettings())
            thread = await exchange.read(client, lambda _: threading.get_ident())
            return JsonResponse(orjson.dumps(thread != threading.get_ident()), {})

        app.add_route(where, "/where", methods=["POST"], stream=True)
        server = HttpServer(app)
        await server.start(HOST, 0)
        body = orjson.dumps({"text": "x" * LARGE_BODY if large else ""})
        answer = await raw(server.port, request_bytes("POST", "/where", body, key=KEY))
        assert orjson.loads(answer.body) is large
        await server.stop(0)
