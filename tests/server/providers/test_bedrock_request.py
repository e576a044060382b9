"""What becomes of a request on its way to Bedrock; the scripted vendor's rules look at every body."""

import json

import pytest

from server.providers.errors import Fault
from tests.fakes.http1_request import JsonObject
from tests.server.providers.bedrock_asking import GPT, LLAMA, MISTRAL, NEWER, NOVA, OLDER, refused, written

USER: dict[str, object] = {"role": "user", "content": "Hello"}
HELLO = {"role": "user", "content": [{"text": "Hello"}]}
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
TOOLS = [{"type": "function", "function": WEATHER}]
SPEC = {"toolSpec": {"name": "weather", "inputSchema": {"json": WEATHER["parameters"]}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
CALLED = [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}


def turns(*messages: object, model: str = OLDER) -> JsonObject:
    return written({"messages": list(messages)}, model)


def test_a_plain_request_is_its_messages_alone() -> None:
    assert written({}) == {"messages": [HELLO]}


def test_system_prompts_stand_apart() -> None:
    body = turns({"role": "system", "content": "Be brief."}, USER, {"role": "developer", "content": "Be kind."})
    assert body == {"messages": [HELLO], "system": [{"text": "Be brief."}, {"text": "Be kind."}]}


def test_a_system_prompt_alone_is_the_users() -> None:
    assert turns({"role": "system", "content": "Hello"}) == {"messages": [HELLO]}


def test_neighbours_of_one_role_are_one_turn_and_blank_ones_are_none() -> None:
    body = turns(USER, {"role": "user", "content": " "}, {"role": "user", "content": "there"})
    assert body["messages"] == [{"role": "user", "content": [{"text": "Hello"}, {"text": "there"}]}]


def test_a_conversation_begins_with_the_user() -> None:
    body = turns({"role": "assistant", "content": "Hi"}, USER)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]


def test_images_and_documents_are_carried_as_bytes() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": PNG}},
        {"type": "file", "file": {"filename": "a_report: 1.pdf", "file_data": PDF}},
        {"type": "file", "file": {"filename": "notes.md", "file_data": "data:;base64,aGk="}},
        {"type": "file", "file": {"file_data": PNG}},
    ]
    content = turns({"role": "user", "content": parts})["messages"][0]["content"]
    image = {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}
    assert content == [
        image,
        {"document": {"format": "pdf", "name": "a report 1", "source": {"bytes": "JVBERi0="}}},
        {"document": {"format": "md", "name": "notes", "source": {"bytes": "aGk="}}},
        image,
        {"text": "(See the document.)"},
    ]


def test_documents_of_one_name_are_told_apart() -> None:
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}
    content = turns({"role": "user", "content": [file, file, {"type": "text", "text": "Which?"}]})["messages"][0]["content"]
    assert [block["document"]["name"] for block in content[:2]] == ["a", "a (2)"]


def test_images_in_s3_are_named() -> None:
    part = {"type": "image_url", "image_url": {"url": "s3://bucket/a.jpg"}}
    (block,) = turns({"role": "user", "content": [part]})["messages"][0]["content"]
    assert block == {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/a.jpg"}}}}


def test_blocks_in_the_vendors_own_form_stay_as_they_are() -> None:
    guarded = {"type": "guardContent", "guardContent": {"text": {"text": "Hm"}}}
    point = {"type": "cachePoint", "cachePoint": {"type": "default"}}
    content = turns({"role": "user", "content": [guarded, point]})["messages"][0]["content"]
    assert content == [{"guardContent": {"text": {"text": "Hm"}}}, {"cachePoint": {"type": "default"}}]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA=="}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"filename": "a.exe", "file_data": "data:;base64,AA=="}},
        {"type": "hologram"},
    ],
)
def test_content_that_the_vendor_does_not_have_is_unsupported(part: dict[str, object]) -> None:
    fault, param = refused({"messages": [{"role": "user", "content": [part]}]})
    assert fault is Fault.UNSUPPORTED
    assert param.startswith("messages.content")


def test_calls_and_results_are_blocks_of_their_turns() -> None:
    body = turns(*CALLED, {"role": "user", "content": "And?"}, {"role": "tool", "tool_call_id": "call_1", "content": "Sun"})
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Paris"}}}],
        },
        {
            "role": "user",
            "content": [{"toolResult": {"toolUseId": "call_1", "content": [{"text": "Sun"}]}}, {"text": "And?"}],
        },
    ]


def test_calls_stand_last_in_their_turn() -> None:
    said = {"role": "assistant", "content": "One moment."}
    body = turns(*CALLED, said, {"role": "tool", "tool_call_id": "call_1", "content": "Sun"})
    assert [set(block) for block in body["messages"][1]["content"]] == [{"text"}, {"toolUse"}]


def test_a_result_may_be_an_error_an_image_and_nothing() -> None:
    def result(**message: object) -> object:
        body = turns(*CALLED, {"role": "tool", "tool_call_id": "call_1", **message})
        return body["messages"][2]["content"][0]["toolResult"]

    failed = {"toolUseId": "call_1", "content": [{"text": "(Nothing.)"}], "status": "error"}
    assert result(content="", is_error=True) == failed
    assert result(content="") == {"toolUseId": "call_1", "content": [{"text": ""}]}
    shown = result(content=[{"type": "image_url", "image_url": {"url": PNG}}])
    assert shown == {
        "toolUseId": "call_1",
        "content": [{"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}],
    }


@pytest.mark.parametrize(
    ("id", "model", "sent"),
    [
        ("call.1:a_b-C", OLDER, "call.1:a_b-C"),
        ("call 1|é", OLDER, "call_1__"),
        ("x" * 64, OLDER, "x" * 64),
        ("abcdefgh1", MISTRAL, "abcdefgh1"),
    ],
)
def test_ids_of_calls_are_kept_where_they_fit(id: str, model: str, sent: str) -> None:
    call, result = {**CALL, "id": id}, {"role": "tool", "tool_call_id": id, "content": "Sun"}
    body = turns(USER, {"role": "assistant", "tool_calls": [call]}, result, model=model)
    assert body["messages"][1]["content"][0]["toolUse"]["toolUseId"] == sent


def test_long_ids_stay_different() -> None:
    ids = ["x" * 70 + "a", "x" * 70 + "b"]
    results = [{"role": "tool", "tool_call_id": id, "content": "Sun"} for id in ids]
    for model, length in ((OLDER, 57), (MISTRAL, 9)):
        body = turns(USER, {"role": "assistant", "tool_calls": [{**CALL, "id": id} for id in ids]}, *results, model=model)
        sent = {block["toolUse"]["toolUseId"] for block in body["messages"][1]["content"]}
        assert {len(id) for id in sent} == {length}
        assert len(sent) == 2


def test_arguments_that_are_no_object_are_unsupported() -> None:
    call = {**CALL, "function": {"name": "weather", "arguments": "[1]"}}
    assert refused({"messages": [USER, {"role": "assistant", "tool_calls": [call]}]})[0] is Fault.UNSUPPORTED


def test_signed_thoughts_go_back_and_others_do_not() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "c2VhbGVk"},
        {"type": "thinking", "thinking": "Unsigned."},
    ]
    assistant = {"role": "assistant", "content": "Hi", "thinking_blocks": blocks, "reasoning_content": "Hm."}
    assert turns(USER, assistant, USER)["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "c2VhbGVk"}},
        {"text": "Hi"},
    ]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "weather"}}, {"tool": {"name": "weather"}}),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": TOOLS}}, {"any": {}}),
    ],
)
def test_tools_are_specified_and_chosen(choice: object, sent: object) -> None:
    config = {"tools": [SPEC]} | ({"toolChoice": sent} if sent else {})
    assert written({"tools": TOOLS} | ({"tool_choice": choice} if choice else {}))["toolConfig"] == config


def test_strict_tools_are_closed_where_the_model_keeps_to_schemas() -> None:
    strict = [{"type": "function", "function": {**WEATHER, "strict": True, "description": "Tells."}}]
    (tool,) = written({"tools": strict})["toolConfig"]["tools"]
    assert (tool["toolSpec"]["strict"], tool["toolSpec"]["description"]) == (True, "Tells.")
    assert tool["toolSpec"]["inputSchema"]["json"]["additionalProperties"] is False
    assert "strict" not in written({"tools": strict}, LLAMA)["toolConfig"]["tools"][0]["toolSpec"]


def test_no_tool_stands_for_tools_that_may_not_be_called() -> None:
    answered = [*CALLED, {"role": "tool", "tool_call_id": "call_1", "content": "Sun"}]
    assert "toolConfig" not in written({"tools": TOOLS, "tool_choice": "none"})
    for body in ({"messages": answered}, {"messages": answered, "tools": TOOLS, "tool_choice": "none"}):
        (tool,) = written(body)["toolConfig"]["tools"]
        assert tool["toolSpec"]["name"] == "no_tool"


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "web_search"}]},
        {"tools": TOOLS, "tool_choice": {"type": "custom", "custom": {"name": "x"}}},
        {"n": 2},
        {"messages": [{"role": "function", "content": "x"}]},
        {"messages": [{"role": "user", "content": ""}]},
    ],
)
def test_what_the_vendor_cannot_express_is_unsupported(body: dict[str, object]) -> None:
    assert refused(body)[0] is Fault.UNSUPPORTED


def test_limits_and_sampling_have_their_own_place() -> None:
    body = {"max_tokens": 7, "temperature": 1.5, "stop": ["a", " ", "b"]}
    assert written(body)["inferenceConfig"] == {"maxTokens": 7, "temperature": 1.0, "stopSequences": ["a", "b"]}
    assert written({"max_completion_tokens": 8, "max_tokens": 7})["inferenceConfig"] == {"maxTokens": 8}
    assert written({}, default_max_tokens=9)["inferenceConfig"] == {"maxTokens": 9}


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        (OLDER, {"temperature": 0.5}),
        (NEWER, None),
        (LLAMA, {"temperature": 0.5, "topP": 0.9}),
    ],
)
def test_a_model_gets_the_sampling_that_it_takes(model: str, sent: object) -> None:
    assert written({"temperature": 0.5, "top_p": 0.9}, model).get("inferenceConfig") == sent


def test_of_two_samplings_the_one_that_says_something_is_kept() -> None:
    assert written({"temperature": 1, "top_p": 0.9}, OLDER)["inferenceConfig"] == {"topP": 0.9}
    body = written({"temperature": 0.5, "top_p": 1}, OLDER, unsupported_parameters="reject")
    assert body["inferenceConfig"] == {"temperature": 0.5}


def test_what_single_models_take_goes_apart() -> None:
    body = {"top_k": 5, "additionalModelRequestFields": {"min_p": 0.1}, "anthropic_beta": ["b"], "unheard_of": 1}
    assert written(body)["additionalModelRequestFields"] == {"top_k": 5, "min_p": 0.1, "anthropic_beta": ["b"]}


def test_fields_of_converse_stay_where_they_are() -> None:
    guardrail = {"guardrailIdentifier": "g", "guardrailVersion": "1", "trace": "enabled"}
    body = {"guardrailConfig": guardrail, "performanceConfig": {"latency": "optimized"}, "requestMetadata": {"a": "b"}}
    assert written({**body, "service_tier": "flex"}) == {"messages": [HELLO], **body, "serviceTier": {"type": "flex"}}


@pytest.mark.parametrize(
    ("model", "effort", "own"),
    [
        (NEWER, "low", {"output_config": {"effort": "low"}, "thinking": {"type": "adaptive", "display": "summarized"}}),
        (NEWER, "none", {"thinking": {"type": "disabled"}}),
        (OLDER, "medium", {"thinking": {"type": "enabled", "budget_tokens": 10_000}}),
        (OLDER, "none", None),
        (GPT, "xhigh", {"reasoning_effort": "high"}),
        (GPT, "none", None),
        (NOVA, "minimal", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        (LLAMA, "high", None),
    ],
)
def test_effort_is_said_in_the_models_own_words(model: str, effort: str, own: object) -> None:
    assert written({"reasoning_effort": effort}, model).get("additionalModelRequestFields") == own


def test_a_budget_of_thought_counts_in_the_limit() -> None:
    assert written({"reasoning_effort": "low"})["inferenceConfig"] == {"maxTokens": 8192 + 2048}
    body = written({"reasoning_effort": "low", "max_tokens": 1500, "temperature": 0.5})
    assert body["inferenceConfig"] == {"maxTokens": 1500}
    assert body["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 1499
    assert "additionalModelRequestFields" not in written({"reasoning_effort": "low", "max_tokens": 100})


def test_forced_calls_exclude_thinking() -> None:
    body = written({"reasoning_effort": "high", "tools": TOOLS, "tool_choice": "required"})
    assert "additionalModelRequestFields" not in body


def test_a_claude_goes_on_from_calls_without_their_thoughts_without_thinking() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    thoughts = [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]
    for thought, thinks in (({}, False), ({"thinking_blocks": thoughts}, True)):
        said = {"role": "assistant", **thought, "tool_calls": [call]}
        messages = [{"role": "user", "content": "Hi"}, said, {"role": "tool", "tool_call_id": "c", "content": "1"}]
        body = written({"reasoning_effort": "low", "tools": TOOLS, "messages": messages})
        assert ("additionalModelRequestFields" in body) is thinks


def test_a_schema_is_kept_to_or_told_of() -> None:
    form = written({"response_format": FORMAT})["outputConfig"]["textFormat"]
    assert form["type"] == "json_schema"
    assert json.loads(form["structure"]["jsonSchema"]["schema"]) == {**SCHEMA, "additionalProperties": False}
    told = written({"response_format": FORMAT}, LLAMA)
    assert "outputConfig" not in told
    assert "JSON schema" in told["system"][0]["text"]
    assert "JSON object" in written({"response_format": {"type": "json_object"}})["system"][0]["text"]


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({"seed": 5}, OLDER),
        ({"logit_bias": {"5": 1}}, OLDER),
        ({"presence_penalty": 1}, OLDER),
        ({"logprobs": True}, OLDER),
        ({"parallel_tool_calls": False}, OLDER),
        ({"temperature": 0.5}, NEWER),
        ({"reasoning_effort": "high"}, LLAMA),
    ],
)
def test_parameters_without_a_meaning_are_dropped_or_refused(body: dict[str, object], model: str) -> None:
    assert written(body, model) == {"messages": [HELLO]}
    assert refused(body, model, unsupported_parameters="reject") == (Fault.UNSUPPORTED, next(iter(body)))


def test_hints_are_never_refused() -> None:
    hints = {"user": "u", "store": True, "metadata": {"a": "b"}, "prompt_cache_key": "k", "temperature": 1, "top_p": 1}
    assert "messages" in written(hints, NEWER, unsupported_parameters="reject")


def test_the_beginning_of_an_answer_is_the_last_turn() -> None:
    asked = {"reasoning_effort": "high", "response_format": FORMAT, "tools": TOOLS, "tool_choice": "required"}
    body = written(asked, prefix="Well, \n")
    assert body["messages"][-1] == {"role": "assistant", "content": [{"text": "Well,"}]}
    assert body.keys().isdisjoint({"outputConfig", "additionalModelRequestFields"})
    assert body["toolConfig"]["toolChoice"] == {"auto": {}}


def test_a_model_without_prefill_is_not_asked_for_one() -> None:
    messages = [USER, {"role": "assistant", "content": "It is"}]
    assert refused({"messages": messages}, NEWER) == (Fault.UNSUPPORTED, "messages")


@pytest.mark.parametrize("blank", ["", " \n"])
def test_what_the_assistant_said_is_no_beginning_where_the_user_answers_nothing(blank: str) -> None:
    messages = [USER, {"role": "assistant", "content": "It is"}, {"role": "user", "content": blank}]
    assert refused({"messages": messages}) == (Fault.UNSUPPORTED, "messages")
