"""What goes over the wire, byte by byte: every answer and every chunk against OpenAI's schemas, and every header."""

import aiohttp
import pytest

from tests.end_to_end import sse
from tests.end_to_end.running import KEY, Running
from tests.fakes.answers import Scripted, Text, Thinking, ToolCall, Usage
from tests.fakes.http1_request import JsonObject
from tests.fakes.openai_schema import validate
from tests.fakes.vendor import ScriptedVendor

CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Hello"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
COUNTED = {"stream": True, "stream_options": {"include_usage": True}}
CHATS: dict[str, tuple[JsonObject, Scripted]] = {
    "text": ({}, Text("Hello there", usage=Usage(9, 2))),
    "several choices": ({"n": 3}, Text("Hello there")),
    "tools": ({"tools": TOOLS}, Text("Well.") + ToolCall("f", {"a": 1}) + ToolCall("f", {"b": 2})),
    "reasoning": ({}, Thinking("Hm.") + Text("Yes.")),
    "cut by length": ({}, Text("Hello", finish_reason="length")),
}
OPERATIONS: dict[str, tuple[str, JsonObject, str]] = {
    "chat": (CHAT, {"model": "gpt-4o", "messages": MESSAGES}, "CreateChatCompletionResponse"),
    "text": ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Once"}, "CreateCompletionResponse"),
    "embeddings": ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "one"}, "CreateEmbeddingResponse"),
    "images": ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "A cat"}, "ImagesResponse"),
}


def check_info(info: JsonObject, request_id: str) -> None:
    """Checks `_proxy_info`."""
    assert info.pop("response_time") > 0
    assert info == {"provider": "first", "attempt_number": 1, "request_id": request_id}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_answer_has_the_form_the_headers_and_who_answered(http: aiohttp.ClientSession, operation: str) -> None:
    path, request, component = OPERATIONS[operation]
    async with http.post(path, json=request, headers={"x-request-id": "mine:1"}) as response:
        body = await response.json()
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["x-request-id"] == "mine:1"
    assert response.headers["x-trunkline-provider"] == "first"
    assert response.headers["x-trunkline-attempts"] == "1"
    assert int(response.headers["Content-Length"]) > 0
    check_info(body.pop("_proxy_info"), "mine:1")
    validate(component, body)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_there_are_no_other_headers(http: aiohttp.ClientSession, streamed: bool) -> None:
    framing = {"transfer-encoding", "cache-control", "x-accel-buffering"} if streamed else {"content-length"}
    async with http.post(CHAT, json={"model": "gpt-4o", "messages": MESSAGES, "stream": streamed}) as response:
        names = {name.lower() for name in response.headers}
    assert names == {
        "content-type",
        "connection",
        "x-request-id",
        "x-trunkline-provider",
        "x-trunkline-attempts",
        *framing,
    }


@pytest.mark.parametrize("case", CHATS)
async def test_a_whole_chat_has_the_form(vendor: ScriptedVendor, http: aiohttp.ClientSession, case: str) -> None:
    fields, answer = CHATS[case]
    vendor.add(answer)
    async with http.post(CHAT, json={"model": "gpt-4o", "messages": MESSAGES, **fields}) as response:
        validate("CreateChatCompletionResponse", await response.json())


@pytest.mark.parametrize("counted", [False, True], ids=["without usage", "with usage"])
@pytest.mark.parametrize("case", CHATS)
async def test_every_chunk_of_a_chat_has_the_form(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, case: str, counted: bool
) -> None:
    fields, answer = CHATS[case]
    vendor.add(answer)
    request = {"model": "gpt-4o", "messages": MESSAGES, **fields, **(COUNTED if counted else {"stream": True})}
    async with http.post(CHAT, json=request, headers={"x-request-id": "mine"}) as response:
        body = sse.parse(await response.read())
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["x-request-id"] == "mine"
    assert response.headers["x-trunkline-provider"] == "first"
    assert response.headers["x-trunkline-attempts"] == "1"
    assert body.done
    check_info(body.chunks[-1].pop("_proxy_info"), "mine")
    assert not any("_proxy_info" in chunk for chunk in body.chunks)
    for chunk in body.chunks:
        validate("CreateChatCompletionStreamResponse", chunk)
    assert [chunk.get("usage") is not None for chunk in body.chunks] == [False] * (len(body.chunks) - 1) + [counted]
    assert bool(body.chunks[-1]["choices"]) is not counted


async def test_every_chunk_of_a_text_has_the_form(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    vendor.add(Text("Hello there", usage=Usage(9, 2)))
    request = {"model": "gpt-3.5-turbo-instruct", "prompt": "Say", **COUNTED}
    async with http.post("/v1/completions", json=request, headers={"x-request-id": "mine"}) as response:
        body = sse.parse(await response.read())
    assert body.done
    check_info(body.chunks[-1].pop("_proxy_info"), "mine")
    for chunk in body.chunks:
        validate("CreateCompletionStreamResponse", chunk)
    assert [choice["text"] for chunk in body.chunks for choice in chunk["choices"]] == ["Hello", " there", ""]


@pytest.mark.parametrize("given", ["", "with space", "x" * 129, "ü"], ids=["none", "space", "long", "no ASCII"])
async def test_a_request_id_that_is_not_plain_is_replaced(http: aiohttp.ClientSession, given: str) -> None:
    async with http.post(CHAT, json={"model": "gpt-4o", "messages": MESSAGES}, headers={"x-request-id": given}) as response:
        body = await response.json()
    assert response.headers["x-request-id"].startswith("req_")
    assert body["_proxy_info"]["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    "header",
    [{"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer  {KEY}"}, {"X-API-Key": KEY}, {"x-api-key": KEY}],
    ids=["bearer", "in lower case", "X-API-Key", "x-api-key"],
)
async def test_either_header_may_have_the_key(gateway: Running, header: dict[str, str]) -> None:
    async with (
        aiohttp.ClientSession(gateway.url, headers=header) as session,
        session.post(CHAT, json={"model": "gpt-4o", "messages": MESSAGES}) as response,
    ):
        assert response.status == 200


async def test_the_provider_gets_its_own_key_and_no_header_of_the_caller(
    vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    headers = {"X-API-Key": KEY, "Cookie": "a=b", "OpenAI-Organization": "org"}
    async with http.post(CHAT, json={"model": "gpt-4o", "messages": MESSAGES}, headers=headers) as response:
        assert response.status == 200
    sent = vendor.requests[0].headers
    assert sent["Authorization"] == f"Bearer {vendor.key}"
    assert KEY not in repr(sent)
    assert not {"cookie", "x-api-key", "openai-organization"} & set(sent)


async def test_connections_are_kept_on_both_sides(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    for streamed in (False, True, False, True):
        request = {"model": "gpt-4o", "messages": MESSAGES, "stream": streamed}
        async with http.post(CHAT, json=request) as response:
            await response.read()
    assert len({request.connection for request in vendor.requests}) == 1
    assert http.connector is not None
    assert len(http.connector._conns) == 1
