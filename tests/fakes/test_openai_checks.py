"""The scripted OpenAI refuses what the real one refuses beyond its schema."""

import aiohttp
import pytest

from tests.fakes.dialect import Refused
from tests.fakes.http1_request import JsonObject
from tests.fakes.openai_checks import check_chat, check_schema
from tests.fakes.vendor import ScriptedVendor

USER = {"role": "user", "content": "Hello"}
CALL = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_a", "content": "ok"}
TOOL = {"type": "function", "function": {"name": "f"}}

BAD: list[tuple[JsonObject, str, str]] = [
    ({"stream_options": {"include_usage": True}}, "only allowed when 'stream' is enabled", "stream_options"),
    ({"max_tokens": 5, "max_completion_tokens": 5}, "cannot be set at the same time", "max_tokens"),
    ({"model": "o3-mini", "max_tokens": 5}, "Use 'max_completion_tokens' instead", "max_tokens"),
    ({"model": "gpt-5-mini", "max_tokens": 5}, "Use 'max_completion_tokens' instead", "max_tokens"),
    ({"response_format": {"type": "json_object"}}, "must contain the word 'json'", "messages"),
    ({"tool_choice": "auto"}, "only allowed when 'tools' are specified", "tool_choice"),
    ({"top_logprobs": 2}, "only allowed when 'logprobs' is true", "top_logprobs"),
    ({"messages": [USER, RESULT]}, "must follow a message with 'tool_calls'", "messages.[1].role"),
    ({"messages": [USER, CALLS]}, "not answered: call_a", "messages"),
    ({"messages": [USER, CALLS, USER]}, "not answered: call_a", "messages"),
    ({"messages": [USER, CALLS, RESULT, RESULT]}, "must follow a message with 'tool_calls'", "messages.[3].role"),
]
GOOD: list[JsonObject] = [
    {"messages": [USER, CALLS, RESULT, USER], "tools": [TOOL], "tool_choice": "auto"},
    {"model": "gpt-5-chat-latest", "max_tokens": 5},
    {"stream": True, "stream_options": {"include_usage": True}, "vendor_extra": {"kept": True}},
]


@pytest.mark.parametrize("change", GOOD, ids=["tools", "chat model", "extra field"])
def test_a_good_body_is_taken(change: JsonObject) -> None:
    body: JsonObject = {"model": "gpt-4o", "messages": [USER], **change}
    check_schema("CreateChatCompletionRequest", body, strict=False)
    check_chat(body)


@pytest.mark.parametrize(("change", "message", "param"), BAD, ids=[f"{param}: {message}" for _, message, param in BAD])
def test_a_bad_body_is_refused_with_its_param(change: JsonObject, message: str, param: str) -> None:
    with pytest.raises(Refused) as raised:
        check_chat({"model": "gpt-4o", "messages": [USER], **change})
    assert message in raised.value.error.message
    assert raised.value.error.param == param


def test_an_unknown_field_is_refused_when_strict() -> None:
    with pytest.raises(Refused, match="Unrecognized request argument supplied: top_k"):
        check_schema("CreateChatCompletionRequest", {"model": "m", "messages": [USER], "top_k": 1}, strict=True)


@pytest.mark.parametrize(
    ("path", "headers", "data", "status"),
    [
        ("/v1/chat/completions", {"content-type": "text/plain"}, b"{}", 400),
        ("/v1/chat/completions", {"content-type": "application/json"}, b"[1]", 400),
        ("/v1/chat/completions", {"content-type": "application/json"}, b'{"model": NaN}', 400),
        ("/v1/nothing", {"content-type": "application/json"}, b"{}", 404),
        ("/v1/models", {"content-type": "application/json"}, b"{}", 405),
        ("/openai/deployments/d/chat/completions", {"content-type": "application/json"}, b"{}", 404),
    ],
    ids=["content type", "no object", "no json", "path", "method", "no api-version"],
)
async def test_a_request_that_cannot_be_meant_is_a_violation(
    path: str, headers: dict[str, str], data: bytes, status: int
) -> None:
    async with ScriptedVendor() as vendor, aiohttp.ClientSession(vendor.url) as client:
        vendor.expect_violation(path)
        authorized = {**headers, "authorization": f"Bearer {vendor.key}"}
        async with client.post(path, data=data, headers=authorized) as response:
            body = await response.json()
    assert response.status == status
    assert set(body["error"]) == {"message", "type", "param", "code"}
