"""What becomes of requests on their way to Ollama; the scripted vendor's rules look at every body."""

import json
from collections.abc import Mapping
from typing import cast

import pytest

from server.config.provider_settings import ProviderSettings
from server.providers.base import Ask, Operation
from server.providers.errors import Fault, ProviderError
from server.providers.ollama.request import chat_body, embeddings_body, text_body
from tests.fakes.http1_request import JsonObject
from tests.fakes.ollama_checks import check_body
from tests.server.providers.asking import chat_ask
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline_json import EMBEDDING_REQUEST, TEXT_REQUEST

USER: dict[str, object] = {"role": "user", "content": "Hello"}
PNG = "data:image/png;base64,iVBORw0KGgo="
PLAIN = {"model": "asked", "messages": [USER], "stream": False}
FUNCTION = {"name": "weather", "description": "Tells.", "parameters": {"type": "object"}}
TOOLS = [{"type": "function", "function": {**FUNCTION, "strict": True}}, {"type": "function", "function": {"name": "now"}}]
SENT = [
    {"type": "function", "function": FUNCTION},
    {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}},
]
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}


def row(**settings: object) -> ProviderSettings:
    return ProviderSettings.model_validate({"name": "a", "type": "ollama", **settings})


def written(body: Mapping[str, object], **settings: object) -> JsonObject:
    """The vendor's body of a chat, after the vendor's own checks."""
    ask = chat_ask(body)
    vendors: JsonObject = json.loads(chat_body(ask, cast(ChatCompletionRequest, ask.request), row(**settings)))
    check_body("/api/chat", vendors)
    return vendors


def refused(body: Mapping[str, object], **settings: object) -> tuple[Fault, str]:
    with pytest.raises(ProviderError) as raised:
        written(body, **settings)
    return raised.value.fault, raised.value.param


def text(body: Mapping[str, object]) -> JsonObject:
    request = TEXT_REQUEST.parse({"model": "alias", **body}, strict=True)
    vendors: JsonObject = json.loads(text_body(Ask(Operation.TEXT, request, "asked", True), request, row()))
    check_body("/api/generate", vendors)
    return vendors


def vectors(body: Mapping[str, object]) -> JsonObject:
    request = EMBEDDING_REQUEST.parse({"model": "alias", **body}, strict=True)
    vendors: JsonObject = json.loads(embeddings_body(Ask(Operation.EMBEDDINGS, request, "asked", False), request))
    check_body("/api/embed", vendors)
    return vendors


def test_a_plain_request_says_whether_to_stream() -> None:
    assert written({}) == PLAIN
    ask = chat_ask({}, streamed=True)
    body = json.loads(chat_body(ask, cast(ChatCompletionRequest, ask.request), row()))
    assert body["stream"] is True


def test_sampling_goes_into_the_options() -> None:
    body = {
        "max_tokens": 5,
        "max_completion_tokens": 7,
        "temperature": 1.5,
        "top_p": 0.5,
        "seed": 3,
        "stop": ["a", "", "b"],
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "top_k": 4,
        "num_ctx": 8192,
        "options": {"min_p": 0.1, "top_k": 1},
    }
    assert written(body) == {
        **PLAIN,
        "options": {
            "min_p": 0.1,
            "top_k": 4,
            "num_ctx": 8192,
            "num_predict": 7,
            "temperature": 1.5,
            "top_p": 0.5,
            "seed": 3,
            "presence_penalty": 0.5,
            "frequency_penalty": -0.5,
            "stop": ["a", "b"],
        },
    }
    assert written({}, default_max_tokens=9)["options"] == {"num_predict": 9}


def test_what_only_the_vendor_knows_is_handed_on() -> None:
    body = {"keep_alive": "10m", "truncate": False, "think": True, "shift": False}
    assert written({**body, "unheard_of": 1, "prompt_cache_key": "k"}) == {**PLAIN, **body}


@pytest.mark.parametrize(
    ("effort", "think"),
    [("none", False), ("minimal", "low"), ("medium", "medium"), ("xhigh", "high")],
)
def test_effort_is_how_much_to_think(effort: str, think: object) -> None:
    assert written({"reasoning_effort": effort}) == {**PLAIN, "think": think}


def test_forms_of_the_answer_are_formats() -> None:
    schema = {"type": "object", "properties": {}}
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    assert written({"response_format": {"type": "json_object"}}) == {**PLAIN, "format": "json"}
    assert written({"response_format": wanted}) == {**PLAIN, "format": schema}
    assert written({"response_format": {"type": "text"}}) == PLAIN


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", SENT),
        ("none", None),
        ("required", SENT),
        ({"type": "function", "function": {"name": "now"}}, SENT[1:]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": TOOLS[:1]}}, SENT[:1]),
    ],
)
def test_only_tools_that_may_be_called_are_told_of(choice: object, sent: object) -> None:
    assert written({"tools": TOOLS, "tool_choice": choice}).get("tools") == sent


def test_messages_have_text_images_thoughts_and_calls() -> None:
    parts = [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": PNG}},
        {"type": "file", "file": {"file_data": "data:image/png,%89PNG"}},
        {"type": "text", "text": "What is it?"},
    ]
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": parts},
        {"role": "assistant", "reasoning_content": "Hm.", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sun"},
    ]
    assert written({"messages": messages})["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look:\nWhat is it?", "images": ["iVBORw0KGgo=", "iVBORw=="]},
        {
            "role": "assistant",
            "content": "",
            "thinking": "Hm.",
            "tool_calls": [{"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Paris"}}}],
        },
        {"role": "tool", "content": "Sun", "tool_call_id": "call_1", "tool_name": "weather"},
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"n": 2},
        {"tools": [{"type": "web_search"}]},
        {"messages": [{"role": "function", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/b"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA=="}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "[]"}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "{"}}]}]},
    ],
)
def test_what_the_vendor_cannot_express_is_unsupported(body: dict[str, object]) -> None:
    assert refused(body)[0] is Fault.UNSUPPORTED


@pytest.mark.parametrize(
    "body",
    [
        {"logit_bias": {"5": 1}},
        {"logprobs": True},
        {"parallel_tool_calls": False},
        {"reasoning_effort": "utmost"},
        {"prediction": {"type": "content", "content": "x"}},
    ],
)
def test_parameters_without_a_meaning_are_dropped_or_refused(body: dict[str, object]) -> None:
    assert written(body) == PLAIN
    assert refused(body, unsupported_parameters="reject") == (Fault.UNSUPPORTED, next(iter(body)))


def test_a_forced_call_cannot_be_honoured() -> None:
    body = {"tool_choice": "required", "tools": TOOLS}
    assert refused(body, unsupported_parameters="reject") == (Fault.UNSUPPORTED, "tool_choice")


def test_hints_are_never_refused() -> None:
    hints = {"user": "u", "store": True, "metadata": {"a": "b"}, "service_tier": "auto", "verbosity": "low"}
    assert written(hints, unsupported_parameters="reject") == PLAIN


def test_a_text_completion_is_a_generation() -> None:
    body = {"prompt": ["Once"], "suffix": "end", "max_tokens": 3, "stop": "x", "raw": True, "user": "u"}
    assert text(body) == {
        "model": "asked",
        "prompt": "Once",
        "suffix": "end",
        "raw": True,
        "stream": True,
        "options": {"num_predict": 3, "stop": ["x"]},
    }


@pytest.mark.parametrize("body", [{"prompt": [1, 2]}, {"prompt": ["a", "b"]}, {"prompt": "a", "n": 2}])
def test_one_prompt_of_text_is_completed_once(body: dict[str, object]) -> None:
    with pytest.raises(ProviderError) as raised:
        text(body)
    assert raised.value.fault is Fault.UNSUPPORTED


def test_a_prompt_is_not_repeated_and_who_asks_for_that_is_told() -> None:
    with pytest.raises(ProviderError) as raised:
        text({"prompt": "a", "echo": True})
    assert (raised.value.fault, raised.value.param) == (Fault.UNSUPPORTED, "echo")
    assert text({"prompt": "a", "echo": False})["prompt"] == "a"


def test_texts_are_embedded_and_tokens_are_not() -> None:
    assert vectors({"input": "a", "dimensions": 8, "truncate": False, "options": {"num_ctx": 4096}}) == {
        "model": "asked",
        "input": ["a"],
        "dimensions": 8,
        "truncate": False,
        "options": {"num_ctx": 4096},
    }
    assert vectors({"input": ["a", "b"], "encoding_format": "base64"})["input"] == ["a", "b"]
    with pytest.raises(ProviderError) as raised:
        vectors({"input": [1, 2]})
    assert raised.value.fault is Fault.UNSUPPORTED
