"""No secret leaves the gateway: neither in a log line, nor in an HTTP answer, nor in a gRPC status, whatever goes wrong."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import cast

import grpc
import pytest

from gateway_http.app import create_app
from gateway_http.server import HttpServer
from gateway_http.settings import HttpSettings
from server.app import Core, Listen, secrets_of
from server.config import ConfigError
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.router import Router, Row
from server.providers.base import Ask, Batch, Operation, Provider
from server.telemetry.logging import configure
from server.telemetry.redaction import Redaction
from tests.fakes.answers import Raw, Scripted, Status, Text, Wire
from tests.fakes.faults import ErrorInStream, ErrorOn200
from tests.fakes.vendor import ScriptedVendor
from tests.gateway_http.serving import CHAT, KEY, Answer, call, chat, connected, loaded, running
from trunkline.v1.chat_pb2 import ChatCompletionChunk, ChatCompletionRequest, Message
from trunkline.v1.completion_service_pb2 import (
    CreateChatCompletionRequest,
    CreateChatCompletionResponse,
    StreamChatCompletionRequest,
    StreamChatCompletionResponse,
)
from trunkline_client import AsyncClient

METHODS = "/trunkline.v1.CompletionService/"
PROVIDER_KEY = "canary-provider-KEY-zzone"
HEADER_VALUE = 'canary-header "quoted\\" wert-zztwo'
ODD_KEY = "canary-odd-{,}-key-zzthree"
CANARIES = ("canary-", "zzone", "zztwo", "zzthree", "zzfour", "zzfive", KEY)

CONFIG = """
    auth: {{api_keys: [{{key: canary-configured-key-zzfour, name: configured}}]}}
    providers:
      - name: vendor
        type: openai
        base_url: "{url}/v1"
        api_key: {key}
        models: [gpt-4o]
        custom_headers: {{X-Custom: 'canary-header "quoted\\" wert-zztwo'}}
      - {{name: anthropic, type: anthropic, base_url: "{url}", api_key: {key}, models: [claude]}}
      - {{name: other, type: openai, base_url: "http://127.0.0.1:1/v1", api_key: {odd}, models: [down]}}
"""

SAID = f"Incorrect API key provided: {PROVIDER_KEY}. See https://x/?key=sk-abcdefghzzone and Bearer canary-echo-zzone"

FAILURES: list[Scripted] = [
    *(Status(status, message=SAID) for status in (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529)),
    Status(500, body=SAID.encode()),
    Status(400, body={"error": {"message": SAID, "param": PROVIDER_KEY, "code": PROVIDER_KEY, "type": PROVIDER_KEY}}),
    Status(401, body={"error": SAID}),
    Status(500, body={"detail": [{"msg": SAID}]}),
    Status(302, headers={"location": f"http://x/?key={PROVIDER_KEY}"}, body=b""),
    Status(429, headers={"retry-after": PROVIDER_KEY}, message=SAID),
    Raw(200, {"content-type": "text/html"}, SAID.encode()),
    Raw(200, {"content-type": f"text/{PROVIDER_KEY}"}, b"{"),
    Raw(200, {"content-type": "application/json"}, json.dumps({"choices": SAID}).encode()),
    Raw(200, {"content-type": "application/json"}, json.dumps([SAID]).encode()),
    Wire(f"HTTP/1.1 {PROVIDER_KEY} {PROVIDER_KEY}\r\n\r\n".encode()),
    Wire(PROVIDER_KEY.encode()),
    Text("x").with_fault(ErrorOn200(message=SAID, code=PROVIDER_KEY)),
    Text("x").with_fault(ErrorInStream(after_events=0, message=SAID, code=PROVIDER_KEY)),
    Text("x y z").with_fault(ErrorInStream(after_events=2, message=SAID, type=PROVIDER_KEY)),
]


def leaks(text: str) -> list[str]:
    """The lines in which a canary is."""
    return [line for line in text.splitlines() if any(canary in line for canary in CANARIES)]


def shown(answer: Answer) -> str:
    """All of an answer."""
    return f"{answer.headers} {answer.body.decode()}"


async def over_grpc(channel: grpc.aio.Channel, model: str, streamed: bool, key: str = KEY) -> str:
    """All that a call over gRPC tells."""
    request = ChatCompletionRequest(model=model, messages=[Message(role="user", content="Hello")])
    metadata = (("authorization", f"Bearer {key}"),)
    told: list[object] = []
    running_call: grpc.aio.UnaryStreamCall[object, object] | grpc.aio.UnaryUnaryCall[object, object]
    try:
        if streamed:
            streamed_call = channel.unary_stream(
                METHODS + "StreamChatCompletion",
                StreamChatCompletionRequest.SerializeToString,
                StreamChatCompletionResponse.FromString,
            )(StreamChatCompletionRequest(chat=request), metadata=metadata)
            running_call = streamed_call
            told += [message async for message in streamed_call]
        else:
            unary_call = channel.unary_unary(
                METHODS + "CreateChatCompletion",
                CreateChatCompletionRequest.SerializeToString,
                CreateChatCompletionResponse.FromString,
            )(CreateChatCompletionRequest(chat=request), metadata=metadata)
            running_call = unary_call
            told.append(await unary_call)
    except grpc.aio.AioRpcError as error:
        told += [error.code(), error.details(), error.trailing_metadata()]
    told += [await running_call.initial_metadata(), await running_call.trailing_metadata()]
    return " ".join(map(repr, told))


@pytest.mark.parametrize("log_format", ["json", "text"])
async def test_no_secret_is_told_whatever_the_providers_answer(tmp_path: Path, log_format: str) -> None:
    told: list[str] = []
    async with ScriptedVendor(key=PROVIDER_KEY) as vendor:
        text = CONFIG.format(url=vendor.url, key=PROVIDER_KEY, odd=f"'{ODD_KEY}'")
        async with (
            running(tmp_path, text, log_format=log_format) as gateway,
            grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
        ):
            for failure in FAILURES:
                for model in ("gpt-4o", "claude"):
                    for streamed in (False, True):
                        if not streamed and isinstance(failure, Text) and isinstance(failure.faults[0], ErrorInStream):
                            continue
                        vendor.add(failure, failure)
                        answer = await call(gateway.port, "POST", CHAT, chat(model=model, stream=streamed))
                        assert answer.status in (200, 400, 404, 413, 429, 502, 503), answer
                        told.append(shown(answer))
                        told.append(await over_grpc(channel, model, streamed))
                        assert vendor.pending_answers == 0
            told.append(shown(await call(gateway.port, "POST", CHAT, chat(model="down"))))
            for path in ("/health", "/providers", "/v1/models", "/v1/config/status", "/v1/alerts", "/metrics/prometheus"):
                told.append(shown(await call(gateway.port, "GET", path)))
        vendor.violations.clear()
    assert [leak for text in told for leak in leaks(text)] == []
    assert leaks(gateway.log_text()) == []
    assert len(gateway.log_text().splitlines()) > 2 * len(FAILURES)


async def test_no_key_of_a_caller_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    wrong = "canary-callers-key"
    async with running(tmp_path) as gateway:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
            for key in (KEY, wrong):
                for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}, {"authorization": key}):
                    for body in (chat(), chat(n=0), chat(stream=True), b"{", chat(model="nobody")):
                        told.append(shown(await call(gateway.port, "POST", CHAT, body, headers, key=None)))
                told.append(shown(await call(gateway.port, "GET", f"/nowhere?key={key}", key=key)))
                for streamed in (False, True):
                    told.append(await over_grpc(channel, "nobody", streamed, key))
        for request in (
            f"GET /health?api_key={wrong} HTTP/1.1\r\nauthorization: Bearer {wrong}\r\nbroken\r\n\r\n",
            f"GET {wrong} HTTP/1.1\r\n\r\n",
            f"{wrong}\r\n\r\n",
        ):
            async with connected(gateway.port) as caller:
                await caller.send(request.encode())
                told.append(shown(await caller.answer()))
    assert [leak for text in told for leak in leaks(text)] == []
    assert leaks(gateway.log_text()) == []


class Raises(Provider):
    """A provider with a fault in its code, which has a secret at hand."""

    operations = frozenset(Operation)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        if ask.streamed:
            yield StreamChatCompletionResponse(chunks=[ChatCompletionChunk(id="x", model="m")])
        headers = {"Authorization": f"Bearer {self._secret}"}
        raise RuntimeError(f"cannot send {headers}") from KeyError(self._secret)


async def test_a_fault_of_the_gateway_itself_tells_no_more_than_a_request_id(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, CONFIG.format(url="http://127.0.0.1:1", key=PROVIDER_KEY, odd=f"'{ODD_KEY}'"))
    redaction = Redaction(secrets_of(configuration))
    log = tmp_path / "gateway.log"
    configure("DEBUG", True, log, redaction)
    core = Core(configuration, sha256(KEY.encode()).digest(), "0", redaction)
    router = Router([Row(row, Raises(HEADER_VALUE)) for row in configuration.settings.providers])
    means = replace(core._runtime.means, router=router)
    core._runtime = replace(core._runtime, router=router, means=means, dispatcher=Dispatcher(means))
    await core.start(Listen("127.0.0.1", 0))
    client = AsyncClient(cast(grpc.aio.Channel, core.channel))
    server = HttpServer(create_app(lambda: client, HttpSettings()))
    await server.start("127.0.0.1", 0)
    answer = await call(server.port, "POST", CHAT, chat(model="gpt-4o"))
    assert (answer.status, answer.error["code"]) == (500, "internal")
    streamed = await call(server.port, "POST", CHAT, chat(model="gpt-4o", stream=True))
    assert b"[DONE]" not in streamed.body
    assert b'"code":"internal"' in streamed.body
    async with grpc.aio.insecure_channel(f"127.0.0.1:{core.port}") as channel:
        told = [shown(answer), shown(streamed), await over_grpc(channel, "gpt-4o", False)]
        told.append(await over_grpc(channel, "gpt-4o", True))
    await asyncio.gather(server.stop(1), core.stop(0))
    written = log.read_text(encoding="utf-8")
    assert [leak for text in told for leak in leaks(text)] == []
    assert not any("RuntimeError" in text for text in told)
    assert leaks(written) == []
    faults = [json.loads(line) for line in written.splitlines() if "internal_error" in line]
    assert len(faults) == 4
    assert all("RuntimeError: cannot send" in fault["exception"] for fault in faults)
    assert faults[0]["request_id"] == answer.headers["x-request-id"]


def test_every_secret_of_the_configuration_is_known(tmp_path: Path) -> None:
    configuration = loaded(
        tmp_path,
        """
        auth: {api_keys: [canary-six, {key: canary-seven}]}
        providers:
          - name: lab
            type: vllm
            api_key: canary-key
            custom_headers: {X-Own: canary-own, Authorization: Bearer canary-token, Proxy-Authorization: canary-bare}
        storage: {url: "postgresql://u:canary%2Fone@h/d?sslmode=require&password=canary%2Ftwo&sslpassword=canary-three"}
        redis: {url: "redis://:canary-four@h/0?password=canary-five"}
        """,
    )
    headers, passwords = "canary-own canary-token canary-bare", "canary/one canary/two canary-three canary-four canary-five"
    assert set(f"canary-key {headers} {passwords} canary-six canary-seven".split()) <= set(secrets_of(configuration))


def test_a_header_that_nobody_knows_has_a_secret(tmp_path: Path) -> None:
    assert secrets_in_header(tmp_path, "X-Own", "canary") == ["canary"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Title", "trunkline"),
        ("HTTP-Referer", "https://example.org/internationalization"),
        ("anthropic-beta", "context-management-2025-06-27,context-1m-2025-08-07"),
        ("User-Agent", "trunkline/0.1.0"),
    ],
)
def test_headers_that_are_told_to_anybody_have_words_that_the_log_may_have_too(
    tmp_path: Path, name: str, value: str
) -> None:
    assert secrets_in_header(tmp_path, name, value) == []


def secrets_in_header(tmp_path: Path, name: str, value: str) -> list[str]:
    """The secrets of a configuration whose provider has one header of its own."""
    provider = f"{{name: lab, type: vllm, custom_headers: {{{name}: '{value}'}}}}"
    return list(secrets_of(loaded(tmp_path, f"providers: [{provider}]")))


FAULTY = {
    "a key of the wrong type": "providers: [{name: a, type: openai, api_key: {canary-zzone: 1}}]",
    "a key that is no text": "providers: [{name: a, type: openai, api_key: [canary-zzone]}]",
    "a key where none belongs": "providers: [{name: a, type: openai, key: canary-zzone}]",
    "a key with a line break": 'providers: [{name: a, type: openai, api_key: "canary-zzone\\nx"}]',
    "a header of the wrong type": "providers: [{name: a, type: openai, custom_headers: {X-A: [canary-zztwo]}}]",
    "a header with a line break": 'providers: [{name: a, type: openai, custom_headers: {X-A: "canary-zztwo\\nx"}}]',
    "a short key": "auth: {api_keys: [{key: zzfour}]}",
    "a key beside its digest": f"auth: {{api_keys: [{{key: canary-zzfour, sha256: {'0' * 64}}}]}}",
    "keys that are no list": "auth: {api_keys: canary-zzfour}",
    "keys without names": "auth: {api_keys: [canary-zzfour]}",
    "an unknown role": "auth: {api_keys: [{key: canary-zzfour-long-enough, name: a, roles: [king]}]}",
    "an address with a password": "providers: [{name: a, type: openai, base_url: 'htp://u:canary-zzfive@h'}]",
    "YAML that ends too early": "providers: [{name: a, type: openai, api_key: 'canary-zzone",
}


@pytest.mark.parametrize("text", FAULTY.values(), ids=FAULTY)
def test_what_is_wrong_with_a_configuration_is_told_without_its_secrets(tmp_path: Path, text: str) -> None:
    try:
        told = repr(loaded(tmp_path, text).settings)
    except ConfigError as error:
        told = f"{error} {error!r}"
    assert leaks(told) == []
