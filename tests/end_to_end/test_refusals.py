"""What the gateway itself refuses, before it asks any provider."""

from pathlib import Path

import aiohttp
import grpc
import openai
import pytest

from tests.end_to_end.refused import INVALID_REQUEST, MAY_NOT, NO_KEY, NO_MODEL, NOT_BUILT, Told, check
from tests.end_to_end.running import COMPLETION_KEY, KEY, Running, config, row, run_gateway
from tests.fakes.http1_request import JsonObject
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient, TrunklineError

CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Hello"}]
REQUEST: JsonObject = {"model": "gpt-4o", "messages": MESSAGES}
TYPED = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer sk-wrong"},
        {"X-API-Key": "sk-wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": KEY},
        {"Authorization": "Bearer schlüssel"},
        {"Authorization": "Bearer sk-wrong", "X-API-Key": KEY},
    ],
    ids=["none", "wrong bearer", "wrong X-API-Key", "empty", "basic", "no scheme", "no ASCII", "wrong bearer first"],
)
async def test_without_a_good_key_nothing_is_answered(
    vendor: ScriptedVendor, gateway: Running, headers: dict[str, str], streamed: bool
) -> None:
    async with (
        aiohttp.ClientSession(gateway.url, headers=headers) as session,
        session.post(CHAT, json={**REQUEST, "stream": streamed}) as response,
    ):
        await check(response, NO_KEY)
    assert not vendor.requests


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/gpt-4o", "/providers", "/v1/config/status", "/v1/alerts"])
async def test_without_a_key_nothing_is_told(gateway: Running, path: str) -> None:
    async with aiohttp.ClientSession(gateway.url) as session, session.get(path) as response:
        await check(response, NO_KEY)


@pytest.mark.parametrize("path", ["/v1/config/status", "/v1/alerts"])
async def test_a_key_for_completions_alone_is_not_enough_for(gateway: Running, path: str) -> None:
    async with (
        aiohttp.ClientSession(gateway.url, headers={"X-API-Key": COMPLETION_KEY}) as session,
        session.get(path) as response,
    ):
        error = await check(response, MAY_NOT)
    assert "admin" in error["message"]


async def test_a_model_that_nobody_serves_is_not_found(http: aiohttp.ClientSession, client: AsyncClient) -> None:
    async with http.post(CHAT, json={**REQUEST, "model": "nobody"}) as response:
        assert (await check(response, NO_MODEL))["param"] == "model"
    async with http.get("/v1/models/nobody") as response:
        await check(response, NO_MODEL)
    with pytest.raises(TrunklineError) as caught:
        await client.models.get_model("nobody")
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.NOT_FOUND, "model_not_found")
    assert caught.value.metadata["model"] == "nobody"


BODIES: dict[str, tuple[str, str | None]] = {
    "no JSON": ("{", None),
    "nothing": ("", None),
    "no object": ("[]", None),
    "no messages": ('{"model": "gpt-4o"}', "messages"),
    "empty messages": ('{"model": "gpt-4o", "messages": []}', "messages"),
    "messages of a wrong type": ('{"model": "gpt-4o", "messages": "hi"}', "messages"),
    "no model": ('{"messages": [{"role": "user", "content": "a"}]}', "model"),
    "a model of a wrong type": ('{"model": 4, "messages": [{"role": "user", "content": "a"}]}', "model"),
    "a model with a space": ('{"model": "a b", "messages": [{"role": "user", "content": "a"}]}', "model"),
    "an unknown role": ('{"model": "gpt-4o", "messages": [{"role": "robot", "content": "a"}]}', "messages[0].role"),
    "no content": ('{"model": "gpt-4o", "messages": [{"role": "user"}]}', "messages[0].content"),
    "a temperature too high": (
        '{"model": "gpt-4o", "messages": [{"role": "user", "content": "a"}], "temperature": 9}',
        "temperature",
    ),
    "a stream of a wrong type": (
        '{"model": "gpt-4o", "messages": [{"role": "user", "content": "a"}], "stream": "yes"}',
        "stream",
    ),
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_body_at_fault_is_refused_with_the_field(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, case: str
) -> None:
    text, param = BODIES[case]
    async with http.post(CHAT, data=text, headers={"Content-Type": "application/json"}) as response:
        error = await check(response, INVALID_REQUEST)
    assert error["param"] == param
    assert not vendor.requests


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/completions", {"model": "gpt-3.5-turbo-instruct"}, "prompt"),
        ("/v1/embeddings", {"model": "text-embedding-3-small"}, "input"),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "a", "encoding_format": "hex"}, "encoding_format"),
        ("/v1/images/generations", {"model": "gpt-image-1"}, "prompt"),
        ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "a", "n": 11}, "n"),
    ],
)
async def test_the_other_operations_name_the_field_too(
    http: aiohttp.ClientSession, path: str, body: JsonObject, param: str
) -> None:
    async with http.post(path, json=body) as response:
        assert (await check(response, INVALID_REQUEST))["param"] == param


@pytest.mark.parametrize(
    ("verb", "path", "told"),
    [
        ("GET", "/v1/nothing", Told(404, "invalid_request_error", "not_found", grpc.StatusCode.OK, "")),
        ("GET", CHAT, Told(405, "invalid_request_error", "method_not_allowed", grpc.StatusCode.OK, "")),
        ("DELETE", "/health", Told(405, "invalid_request_error", "method_not_allowed", grpc.StatusCode.OK, "")),
    ],
)
async def test_a_path_that_is_none_is_told_in_the_same_form(
    http: aiohttp.ClientSession, verb: str, path: str, told: Told
) -> None:
    async with http.request(verb, path) as response:
        await check(response, told)


async def test_a_body_that_says_it_is_no_json_is_refused(http: aiohttp.ClientSession) -> None:
    async with http.post(CHAT, data=b"{}", headers={"Content-Type": "text/plain"}) as response:
        await check(response, Told(415, "invalid_request_error", "unsupported_media_type", grpc.StatusCode.OK, ""))


async def test_a_body_too_large_is_refused(vendor: ScriptedVendor, tmp_path: Path) -> None:
    rows = [row("first", vendor, ["gpt-4o"])]
    async with (
        run_gateway(tmp_path, config(rows, server={"max_body_mb": 0.01}), "whole") as running,
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as session,
        session.post(CHAT, json={**REQUEST, "user": "x" * 20_000}) as response,
    ):
        await check(response, Told(413, "invalid_request_error", "body_too_large", grpc.StatusCode.OK, ""))
    assert not vendor.requests


async def test_an_operation_that_no_provider_has_is_not_implemented(vendor: ScriptedVendor, tmp_path: Path) -> None:
    rows = [{**row("first", vendor, ["m"]), "type": "anthropic"}]
    async with (
        run_gateway(tmp_path, config(rows), "whole") as running,
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as session,
        session.post("/v1/embeddings", json={"model": "m", "input": "a"}) as response,
    ):
        await check(response, NOT_BUILT)


async def test_the_sdk_raises_what_it_raises_at_openai(gateway: Running, sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await sdk.models.retrieve("nobody")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as bad:
        await sdk.chat.completions.create(model="gpt-4o", messages=[])
    assert (bad.value.code, bad.value.param, bad.value.type) == ("invalid_request", "messages", "invalid_request_error")
    stranger = sdk.with_options(api_key="sk-wrong")
    with pytest.raises(openai.AuthenticationError):
        await stranger.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "a"}])


@pytest.mark.parametrize(
    ("key", "request_", "code", "reason"),
    [
        (None, TYPED, grpc.StatusCode.UNAUTHENTICATED, "invalid_api_key"),
        ("sk-wrong", TYPED, grpc.StatusCode.UNAUTHENTICATED, "invalid_api_key"),
        (KEY, ChatCompletionRequest(model="nobody", messages=TYPED.messages), grpc.StatusCode.NOT_FOUND, "model_not_found"),
        (KEY, ChatCompletionRequest(model="gpt-4o"), grpc.StatusCode.INVALID_ARGUMENT, "invalid_request"),
    ],
    ids=["no key", "wrong key", "unknown model", "no messages"],
)
async def test_grpc_callers_are_refused_for_the_same_reasons(
    gateway: Running, key: str | None, request_: ChatCompletionRequest, code: grpc.StatusCode, reason: str
) -> None:
    async with AsyncClient(gateway.target, api_key=key) as client:
        with pytest.raises(TrunklineError) as whole:
            await client.completions.create_chat_completion(request_, metadata=[("x-request-id", "mine")])
        with pytest.raises(TrunklineError) as streamed:
            await client.completions.stream_chat_completion(request_, metadata=[("x-request-id", "mine")]).open()
    for error in (whole.value, streamed.value):
        assert (error.code, error.reason, error.request_id) == (code, reason, "mine")
