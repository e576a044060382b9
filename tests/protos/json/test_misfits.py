"""A value that does not fit says where it stands and what would fit."""

import pytest
from google.protobuf.message import Message

import trunkline_json as forms
from trunkline_json import Form, Misfit

CHAT = forms.CHAT_REQUEST
MISFITS = [
    (CHAT, {"messages": {}}, "messages", "an array"),
    (CHAT, {"messages": "hi"}, "messages", "an array"),
    (CHAT, {"messages": [{}, 7]}, "messages[1]", "an object"),
    (CHAT, {"messages": [None]}, "messages[0]", "an object"),
    (CHAT, {"messages": [{"role": 7}]}, "messages[0].role", "a string"),
    (CHAT, {"messages": [{"content": 7}]}, "messages[0].content", "a string or an array"),
    (CHAT, {"messages": [{"content": {}}]}, "messages[0].content", "a string or an array"),
    (CHAT, {"messages": [{"content": ["hi"]}]}, "messages[0].content[0]", "an object"),
    (
        CHAT,
        {"messages": [{}, {"content": [{}, {"image_url": {"url": []}}]}]},
        "messages[1].content[1].image_url.url",
        "a string",
    ),
    (CHAT, {"messages": [{"content": [{"image_url": "https://x"}]}]}, "messages[0].content[0].image_url", "an object"),
    (
        CHAT,
        {"messages": [{"tool_calls": [{}, {"function": {"name": 5}}]}]},
        "messages[0].tool_calls[1].function.name",
        "a string",
    ),
    (CHAT, {"tools": [{"function": {"strict": "yes"}}]}, "tools[0].function.strict", "true or false"),
    (CHAT, {"tool_choice": 5}, "tool_choice", "an object"),
    (CHAT, {"tool_choice": {"function": {"name": True}}}, "tool_choice.function.name", "a string"),
    (CHAT, {"response_format": {"json_schema": {"name": 1}}}, "response_format.json_schema.name", "a string"),
    (CHAT, {"temperature": "hot"}, "temperature", "a number"),
    (CHAT, {"temperature": True}, "temperature", "a number"),
    (CHAT, {"n": 1.0}, "n", "an integer"),
    (CHAT, {"n": True}, "n", "an integer"),
    (CHAT, {"n": 2**31}, "n", f"an integer between {-(2**31)} and {2**31 - 1}"),
    (CHAT, {"seed": 2**63}, "seed", f"an integer between {-(2**63)} and {2**63 - 1}"),
    (CHAT, {"logprobs": 1}, "logprobs", "true or false"),
    (CHAT, {"stop": [1]}, "stop", "a string or an array of strings"),
    (CHAT, {"stop": {}}, "stop", "a string or an array of strings"),
    (CHAT, {"logit_bias": {"50256": "low"}}, "logit_bias.50256", "a number"),
    (CHAT, {"logit_bias": []}, "logit_bias", "an object"),
    (CHAT, {"metadata": {"a": None}}, "metadata.a", "a string"),
    (CHAT, {"modalities": ["text", 1]}, "modalities[1]", "a string"),
    (CHAT, {"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage", "true or false"),
    (CHAT, {"stream_options": True}, "stream_options", "an object"),
    (forms.CHAT_CHUNK, {"created": 1.5}, "created", "epoch seconds"),
    (forms.CHAT_CHUNK, {"created": -1}, "created", "epoch seconds"),
    (forms.CHAT_CHUNK, {"choices": [{"delta": []}]}, "choices[0].delta", "an object"),
    (forms.EMBEDDING_LIST, {"data": [{"embedding": [1, "2"]}]}, "data[0].embedding[1]", "a number"),
    (forms.EMBEDDING_LIST, {"data": [{"embedding": 1}]}, "data[0].embedding", "a string or an array"),
    (
        forms.TEXT_REQUEST,
        {"prompt": []},
        "prompt",
        "a string, an array of strings, an array of token ids or an array of those, and not empty",
    ),
    (
        forms.EMBEDDING_REQUEST,
        {"input": [1, "2"]},
        "input",
        "a string, an array of strings, an array of token ids or an array of those, and not empty",
    ),
]
every_misfit = pytest.mark.parametrize(
    ("form", "value", "path", "expected"),
    [pytest.param(*misfit, id=f"{misfit[2]} {misfit[1]}"[:60]) for misfit in MISFITS],
)


@every_misfit
def test_a_misfit_is_told_with_its_place(form: Form[Message], value: object, path: str, expected: str) -> None:
    with pytest.raises(Misfit) as refused:
        form.parse(value, strict=True)
    assert (refused.value.path, refused.value.expected) == (path, expected)


@every_misfit
def test_a_misfit_travels_where_nobody_is_strict(
    form: Form[Message], value: dict[str, object], path: str, expected: str
) -> None:
    rendered = form.render(form.parse(value, strict=False))
    assert all(rendered[key] == value[key] for key in value.keys() - {"choices"})


@pytest.mark.parametrize("text", ["{", "[1]", "null", '"text"'])
def test_a_message_whose_extra_json_is_no_object_is_refused(text: str) -> None:
    message = CHAT.parse({"model": "m"}, strict=True)
    message.extra_json = text
    with pytest.raises(Misfit) as refused:
        CHAT.render(message)
    assert refused.value.expected in ("a JSON object", "JSON text")


def test_a_json_field_that_holds_no_json_says_where() -> None:
    message = CHAT.parse({"tools": [{}, {"function": {"name": "f"}}]}, strict=True)
    message.tools[1].function.parameters_json = "{"
    with pytest.raises(Misfit) as refused:
        CHAT.render(message)
    assert refused.value.path == "tools[1].function.parameters"
