"""The schema check passes what OpenAI sends and takes, and fails what it doesn't."""

import copy
import json
from collections.abc import Mapping

import pytest

from tests.fakes.openai_schema import DATA, find_fault, unknown_fields, validate

REQUEST = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "stop": None}
MESSAGE = {"role": "assistant", "content": "Hello", "refusal": None}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [{"index": 0, "message": MESSAGE, "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "gpt-4o",
    "choices": [{"index": 0, "delta": {"content": "Hello"}, "logprobs": None, "finish_reason": None}],
    "usage": None,
}
TEXT_CHOICE = {"index": 0, "text": "Hello", "logprobs": None}
TEXT_COMPLETION = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "gpt-3.5-turbo-instruct"}
EMBEDDINGS = {"object": "list", "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
VECTOR = {"object": "embedding", "index": 0}
MODEL = {"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "openai"}
ERROR = {"message": "no", "type": "invalid_request_error", "param": None, "code": None}

GOOD = [
    ("CreateChatCompletionRequest", REQUEST),
    ("CreateChatCompletionResponse", COMPLETION),
    ("CreateChatCompletionStreamResponse", CHUNK),
    ("CreateCompletionResponse", {**TEXT_COMPLETION, "choices": [{**TEXT_CHOICE, "finish_reason": "stop"}]}),
    ("CreateCompletionStreamResponse", {**TEXT_COMPLETION, "choices": [{**TEXT_CHOICE, "finish_reason": None}]}),
    ("CreateEmbeddingRequest", {"model": "m", "input": [[1, 2], [3]], "input_type": "query"}),
    ("CreateEmbeddingResponse", {**EMBEDDINGS, "data": [{**VECTOR, "embedding": [0.5]}]}),
    ("CreateEmbeddingResponse", {**EMBEDDINGS, "data": [{**VECTOR, "embedding": "AAAAPw=="}]}),
    ("CreateImageRequest", {"prompt": "a cat", "n": None}),
    ("ImagesResponse", {"created": 1, "data": [{"b64_json": "AAAA"}]}),
    ("ListModelsResponse", {"object": "list", "data": [MODEL]}),
    ("Model", MODEL),
    ("ErrorResponse", {"error": ERROR}),
]


def without(value: Mapping[str, object], *path: str | int) -> dict[str, object]:
    """Returns a copy of the value that lacks what the path leads to."""
    changed = copy.deepcopy(dict(value))
    place: object = changed
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]
    del place[path[-1]]  # type: ignore[attr-defined]
    return changed


def with_finish_reason(value: Mapping[str, object], reason: str) -> dict[str, object]:
    changed = json.loads(json.dumps(value))
    changed["choices"][0]["finish_reason"] = reason
    return dict(changed)


BAD = [
    ("CreateChatCompletionRequest", without(REQUEST, "messages"), "CreateChatCompletionRequest: 'messages'"),
    ("CreateChatCompletionRequest", {**REQUEST, "temperature": 3}, "CreateChatCompletionRequest.temperature: "),
    ("CreateChatCompletionRequest", {**REQUEST, "messages": [{"role": "user"}]}, "messages[0]"),
    ("CreateChatCompletionResponse", without(COMPLETION, "choices"), "'choices' is a required property"),
    ("CreateChatCompletionResponse", with_finish_reason(COMPLETION, "end_turn"), "choices[0].finish_reason: "),
    ("CreateChatCompletionStreamResponse", without(CHUNK, "choices", 0, "delta"), "choices[0]: 'delta' is a required"),
    ("CreateChatCompletionStreamResponse", with_finish_reason(CHUNK, ""), "choices[0].finish_reason: "),
    (
        "CreateCompletionResponse",
        {**TEXT_COMPLETION, "choices": [{**TEXT_CHOICE, "finish_reason": None}]},
        "None is not",
    ),
    ("CreateEmbeddingRequest", {"model": "m", "input": [[]]}, "input"),
    ("ListModelsResponse", {"object": "list", "data": [without(MODEL, "owned_by")]}, "data[0]: 'owned_by'"),
    ("ErrorResponse", {"error": {**ERROR, "code": 429}}, "error.code: 429"),
]


@pytest.mark.parametrize(("component", "value"), GOOD)
def test_what_openai_sends_and_takes_satisfies_its_schema(component: str, value: object) -> None:
    validate(component, value)


@pytest.mark.parametrize(("component", "value", "message"), BAD)
def test_a_departure_from_the_schema_is_named_with_its_place(component: str, value: object, message: str) -> None:
    with pytest.raises(AssertionError) as raised:
        validate(component, value)
    assert message in str(raised.value)


def test_the_path_of_a_fault_is_spelled_as_openai_spells_param() -> None:
    fault = find_fault("CreateChatCompletionRequest", {**REQUEST, "stream": "yes"})
    assert fault is not None
    assert fault.path == "stream"


def test_fields_that_a_request_inherits_are_known() -> None:
    request = {**REQUEST, "temperature": 1, "prompt_cache_key": "k", "stream": True, "top_k": 5}
    assert unknown_fields("CreateChatCompletionRequest", request) == ["top_k"]


def test_the_data_names_the_commit_it_was_cut_from() -> None:
    source = json.loads(DATA.read_text(encoding="utf-8"))["source"]
    assert source == {
        "repository": "openai/openai-openapi",
        "commit": "f85dbe223d40e1a31cba812ab2d755c7e98a92a3",
        "date": "2026-08-21",
    }
