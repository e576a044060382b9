"""The scripted Anthropic refuses what the real one refuses, and takes what the real one takes."""

import copy

import aiohttp
import pytest

from tests.fakes.anthropic_checks import NEW_VERSION, OLD_VERSION, check_messages
from tests.fakes.dialect import Refused
from tests.fakes.http1_request import JsonObject
from tests.fakes.vendor import ScriptedVendor

USER = {"role": "user", "content": "Hello"}
CALL = {"type": "tool_use", "id": "toolu_a", "name": "f", "input": {}}
SECOND_CALL = {**CALL, "id": "toolu_b"}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_a", "content": "ok"}
SECOND_RESULT = {**RESULT, "tool_use_id": "toolu_b"}
SAID = {"type": "text", "text": "so"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
CITED = {**SAID, "citations": [{"type": "char_location"}]}
THINKING = {"type": "enabled", "budget_tokens": 1024}


def messages(*turns: list[object] | str) -> JsonObject:
    """Returns a body whose messages are the turns, the user's and the assistant's in exchange."""
    return {"messages": [{"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(turns)]}


GOOD: dict[str, JsonObject] = {
    "plain": {},
    "system blocks": {"system": [SAID], "metadata": {"user_id": "u"}, "stop_sequences": ["END"]},
    "merged turns": {"messages": [USER, USER, {"role": "assistant", "content": "Hi"}, USER]},
    "tool results first": messages("Hi", [SAID, CALL, SECOND_CALL], [SECOND_RESULT, RESULT, SAID]),
    "results in merged messages": {
        "messages": [
            *messages("Hi", [CALL, SECOND_CALL])["messages"],
            {"role": "user", "content": [RESULT]},
            {"role": "user", "content": [SECOND_RESULT, SAID]},
        ]
    },
    "thinking kept": messages("Hi", [{"type": "thinking", "thinking": "Hm", "signature": "s"}, SAID], "And?"),
    "prefill": messages("Hi", "The answer is"),
    "budget": {"thinking": THINKING, "max_tokens": 2048},
    "adaptive": {"model": "claude-opus-5", "thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
    "forced tool": {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
    "server tool": {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}]},
    "document": messages([DOCUMENT, SAID]),
    "tool result with an image": messages(
        "Hi",
        [CALL],
        [{**RESULT, "content": [{"type": "image", "source": {"type": "url", "url": "https://example.com/i.png"}}]}],
    ),
}
BAD: list[tuple[JsonObject, str]] = [
    ({"prompt_cache_key": "k"}, "prompt_cache_key: Extra inputs are not permitted"),
    ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": [{**USER, "name": "Jo"}]}, "messages.0.name: Extra inputs are not permitted"),
    ({"messages": [{"role": "system", "content": "x"}, USER]}, 'Unexpected role "system"'),
    ({"messages": [{"role": "tool", "content": "x"}]}, 'Unexpected role "tool"'),
    ({"messages": [{"role": "assistant", "content": "x"}, USER]}, 'first message must use the "user" role'),
    (messages(""), "messages.0: all messages must have non-empty content"),
    (messages([{"type": "text", "text": ""}]), "text content blocks must be non-empty"),
    (messages([{"type": "text", "text": " \n"}]), "must contain non-whitespace text"),
    (messages([{**SAID, "index": 0}]), "messages.0.content.0.text.index: Extra inputs are not permitted"),
    (messages([{"type": "image_url", "image_url": {"url": "x"}}]), "Input tag 'image_url'"),
    (messages([{"type": "image", "source": {"type": "base64", "data": "x"}}]), "source.base64.media_type: Field required"),
    (messages("Hi", [CALL]), "`tool_use` ids were found without `tool_result` blocks immediately after: toolu_a"),
    (messages("Hi", [CALL], "so?"), "without `tool_result` blocks immediately after: toolu_a"),
    (messages("Hi", [CALL, SECOND_CALL], [RESULT]), "without `tool_result` blocks immediately after: toolu_b"),
    (messages([RESULT]), "unexpected `tool_use_id` found in `tool_result` blocks: toolu_a"),
    (messages("Hi", [CALL], [RESULT], "ok", [RESULT]), "unexpected `tool_use_id`"),
    (messages("Hi", [CALL], [SAID, RESULT]), "must come before any other content"),
    (messages("Hi", [CALL], [RESULT, RESULT]), "each tool_use must have a single result"),
    (messages("Hi", [{**CALL, "input": "{}"}], [RESULT]), "tool_use.input: Input should be a valid dictionary"),
    (messages("Hi", [{**CALL, "id": "a b"}], [RESULT]), "tool_use.id: String should match pattern"),
    (messages([CALL]), "`tool_use` blocks are not permitted in user messages"),
    (messages("Hi", "so "), "cannot end with trailing whitespace"),
    ({"model": "claude-opus-4-6", **messages("Hi", "so")}, "does not support assistant message prefill"),
    ({"stop_sequences": ["\n"]}, "each stop sequence must contain non-whitespace"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools.0"),
    ({"tools": [{**TOOL, "parameters": {}}]}, "tools.0.custom.parameters: Extra inputs are not permitted"),
    ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique"),
    ({"tool_choice": {"type": "auto"}}, "only be specified while providing tools"),
    ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice: Input tag"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "Tool 'g' not found"),
    ({"thinking": {**THINKING, "budget_tokens": 1}}, "greater than or equal to 1024"),
    ({"thinking": THINKING, "max_tokens": 1024}, "`max_tokens` must be greater"),
    ({"thinking": {"type": "adaptive"}, "tools": [TOOL], "tool_choice": {"type": "any"}}, "tool_choice forces tool use"),
    ({"model": "claude-opus-5", "thinking": THINKING, "max_tokens": 2048}, "adaptive thinking only"),
    ({"context_management": {}}, "context_management: Extra inputs are not permitted"),
]


def body_with(change: JsonObject) -> JsonObject:
    return copy.deepcopy({"model": "claude-scripted-1", "max_tokens": 64, "messages": [USER], **change})


@pytest.mark.parametrize("version", [OLD_VERSION, NEW_VERSION])
@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD)
def test_a_good_body_is_taken(change: JsonObject, version: str) -> None:
    check_messages(body_with(change), version, "", counting=False)


@pytest.mark.parametrize("version", [OLD_VERSION, NEW_VERSION])
@pytest.mark.parametrize(("change", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_body_is_refused_with_its_place(change: JsonObject, message: str, version: str) -> None:
    with pytest.raises(Refused) as raised:
        check_messages(body_with(change), version, "", counting=False)
    assert message in raised.value.error.message
    assert (raised.value.error.status, raised.value.error.type) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 1}, "temperature: Extra inputs are not permitted"),
        ({"top_p": 0.5}, "top_p: Extra inputs are not permitted"),
        ({"top_k": 5}, "top_k: Extra inputs are not permitted"),
        (messages("Hi", [SAID, DOCUMENT], "so?"), "`document` blocks are not permitted in assistant messages"),
        (messages([CITED]), "citations are not permitted in user messages"),
    ],
    ids=["temperature", "top_p", "top_k", "document", "citations"],
)
def test_the_new_version_refuses_what_the_old_one_takes(change: JsonObject, message: str) -> None:
    check_messages(body_with(change), OLD_VERSION, "", counting=False)
    with pytest.raises(Refused) as raised:
        check_messages(body_with(change), NEW_VERSION, "", counting=False)
    assert message in raised.value.error.message


def test_the_old_version_bounds_the_temperature() -> None:
    with pytest.raises(Refused, match=r"temperature: range: 0\.\.1"):
        check_messages(body_with({"temperature": 1.5}), OLD_VERSION, "", counting=False)


def test_a_model_that_samples_one_way_refuses_sampling_under_the_old_version_too() -> None:
    with pytest.raises(Refused, match="`temperature` is deprecated for this model"):
        check_messages(body_with({"model": "claude-opus-4-8", "temperature": 1}), OLD_VERSION, "", counting=False)


def test_a_beta_opens_its_field() -> None:
    check_messages(body_with({"context_management": {}}), NEW_VERSION, "x, context-management-2025-06-27", counting=False)


def test_counting_takes_no_limit() -> None:
    counted = {"model": "claude-scripted-1", "messages": [USER]}
    check_messages(counted, NEW_VERSION, "", counting=True)
    with pytest.raises(Refused, match="max_tokens: Extra inputs are not permitted"):
        check_messages({**counted, "max_tokens": 5}, NEW_VERSION, "", counting=True)


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"x-api-key": "sk-scripted"}, 400, "anthropic-version: header is required"),
        ({"x-api-key": "sk-scripted", "anthropic-version": "2021-01-01"}, 400, "is not a valid version"),
        ({"x-api-key": "no", "anthropic-version": NEW_VERSION}, 401, "invalid x-api-key"),
        (
            {"x-api-key": "no", "authorization": "Bearer sk-scripted", "anthropic-version": NEW_VERSION},
            401,
            "invalid x-api-key",
        ),
        ({"anthropic-version": NEW_VERSION}, 401, "x-api-key header is required"),
        ({"x-api-key": "sk-scripted", "anthropic-version": NEW_VERSION}, 200, ""),
        ({"authorization": "Bearer sk-scripted", "anthropic-version": OLD_VERSION}, 200, ""),
    ],
    ids=["no version", "unknown version", "wrong key", "key before bearer", "no key", "key with new", "bearer with old"],
)
async def test_the_headers_decide_first(headers: dict[str, str], status: int, message: str) -> None:
    async with ScriptedVendor() as vendor, aiohttp.ClientSession(vendor.url) as client:
        if status == 400:
            vendor.expect_violation(message)
        async with client.post("/v1/messages", json=body_with({}), headers=headers) as response:
            body = await response.json()
    assert response.status == status
    assert response.headers["request-id"] == "req_1"
    assert message in body.get("error", {}).get("message", "")
    assert (body.get("request_id") == "req_1") == (status != 200)
