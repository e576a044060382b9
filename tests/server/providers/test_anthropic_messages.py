"""OpenAI's conversations as Anthropic's turns, each checked by the scripted vendor's rules too."""

import pytest

from server.providers.errors import Fault
from tests.server.providers.anthropic_asking import HELLO, MARK, NEWEST, TOOLS, USER, asked, refused, written

PNG = "data:image/png;base64,iVBORw0K"
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}


def text(said: str, **more: object) -> dict[str, object]:
    return {"type": "text", "text": said, **more}


def result(content: object, call: str = "call_1") -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": call, "content": content}


USE = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}


@pytest.mark.parametrize(
    ("content", "blocks"),
    [
        ([{"type": "text", "text": "Hi"}, {"type": "text", "text": "  "}], [text("Hi")]),
        ([{"type": "text", "text": "Hi", "cache_control": MARK, "prompt": 1}], [text("Hi", cache_control=MARK)]),
        (
            [{"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}],
            [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}}],
        ),
        (
            [{"type": "image_url", "image_url": {"url": "https://a.test/i.png"}}],
            [{"type": "image", "source": {"type": "url", "url": "https://a.test/i.png"}}],
        ),
        (
            [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}],
            [
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                    "title": "a.pdf",
                }
            ],
        ),
        (
            [{"type": "file", "file": {"file_data": "data:text/markdown;charset=utf-8;base64,w6Q="}}],
            [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ä"}}],
        ),
        (
            [{"type": "file", "file": {"file_data": "data:text/plain,a%20b"}}],
            [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a b"}}],
        ),
        (
            [{"type": "file", "file": {"file_id": "file_1"}}],
            [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}],
        ),
        (
            [{"type": "document", "source": {"type": "url", "url": "https://a.test/a.pdf"}, "context": "Old."}],
            [{"type": "document", "source": {"type": "url", "url": "https://a.test/a.pdf"}, "context": "Old."}],
        ),
    ],
    ids=["text", "cache mark", "image", "image elsewhere", "pdf", "text file", "plain data", "file id", "own form"],
)
def test_parts_are_blocks(content: list[object], blocks: list[object]) -> None:
    assert written({"messages": [{"role": "user", "content": content}]})[0]["messages"] == [
        {"role": "user", "content": blocks}
    ]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "https://a.test/v"}},
        {"type": "file", "file": {"file_data": "data:application/zip;base64,AA=="}},
    ],
    ids=["sound", "video", "zip"],
)
def test_parts_that_the_vendor_does_not_have_may_be_tried_elsewhere(part: object) -> None:
    fault, param = refused({"messages": [{"role": "user", "content": [part]}]})
    assert fault is Fault.UNSUPPORTED
    assert param.startswith("messages.content")


CONVERSATIONS: dict[str, tuple[list[object], object, list[object]]] = {
    "system and developer stand apart": (
        [{"role": "system", "content": "Be brief."}, USER, {"role": "developer", "content": [text("Be kind.")]}],
        "Be brief.\n\nBe kind.",
        [HELLO],
    ),
    "marked system texts stay apart": (
        [{"role": "system", "content": [text("Long.", cache_control=MARK)]}, {"role": "system", "content": "Short."}, USER],
        [text("Long.", cache_control=MARK), text("Short.")],
        [HELLO],
    ),
    "a message's mark goes to its last block": (
        [{"role": "user", "content": "Hello", "cache_control": MARK}],
        None,
        [{"role": "user", "content": [text("Hello", cache_control=MARK)]}],
    ),
    "only a system prompt is said by the user": ([{"role": "system", "content": "Hello"}], None, [HELLO]),
    "neighbours are one turn": (
        [USER, {"role": "user", "content": "There", "name": "Ann"}],
        None,
        [{"role": "user", "content": [text("Hello"), text("There")]}],
    ),
    "empty messages are left out": (
        [USER, {"role": "assistant", "content": ""}, {"role": "user", "content": "There"}],
        None,
        [{"role": "user", "content": [text("Hello"), text("There")]}],
    ),
    "the user opens": (
        [{"role": "assistant", "content": "Hi!"}, USER],
        None,
        [
            {"role": "user", "content": [text("(The conversation begins.)")]},
            {"role": "assistant", "content": [text("Hi!")]},
            HELLO,
        ],
    ),
    "a refusal is text": (
        [USER, {"role": "assistant", "content": None, "refusal": "No."}, USER],
        None,
        [HELLO, {"role": "assistant", "content": [text("No.")]}, HELLO],
    ),
    "the assistant's last words end without blanks": (
        [USER, {"role": "assistant", "content": "It is \n"}],
        None,
        [HELLO, {"role": "assistant", "content": [text("It is")]}],
    ),
    "calls and results": (
        [
            USER,
            {"role": "assistant", "content": "Wait.", "tool_calls": [CALL, {**CALL, "id": "b.2:x"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
            {"role": "user", "content": "And?"},
            {
                "role": "tool",
                "tool_call_id": "b.2:x",
                "content": [text("Rain"), {"type": "image_url", "image_url": {"url": PNG}}],
            },
        ],
        None,
        [
            HELLO,
            {"role": "assistant", "content": [text("Wait."), USE, {**USE, "id": "b_2_x"}]},
            {
                "role": "user",
                "content": [
                    result("Sunny"),
                    result(
                        [
                            text("Rain"),
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}},
                        ],
                        "b_2_x",
                    ),
                    text("And?"),
                ],
            },
        ],
    ),
    "a call without arguments and an empty result": (
        [
            USER,
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "weather", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "", "is_error": True},
        ],
        None,
        [
            HELLO,
            {"role": "assistant", "content": [{**USE, "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "is_error": True}]},
        ],
    ),
    "signed thoughts go back and others do not": (
        [
            USER,
            {
                "role": "assistant",
                "content": "Well.",
                "reasoning_content": "Hm.",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                    {"type": "thinking", "thinking": "Unsigned."},
                    {"type": "redacted_thinking", "data": "sealed"},
                ],
            },
            USER,
        ],
        None,
        [
            HELLO,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                    {"type": "redacted_thinking", "data": "sealed"},
                    text("Well."),
                ],
            },
            HELLO,
        ],
    ),
}


@pytest.mark.parametrize(("messages", "system", "turns"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_conversations_are_turns(messages: list[object], system: object, turns: list[object]) -> None:
    body, _ = written({"messages": messages, "tools": TOOLS})
    assert body.get("system") == system
    assert body["messages"] == turns


def test_numbers_in_a_call_keep_every_digit() -> None:
    arguments = '{"n": 123456789012345678901234567890, "x": 1.10}'
    call = {**CALL, "function": {"name": "weather", "arguments": arguments}}
    messages = [
        USER,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a"},
    ]
    assert arguments.encode() in asked({"messages": messages}).body


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "user", "content": ""}], "messages"),
        ([USER, {"role": "function", "name": "f", "content": "x"}], "messages"),
        ([{"role": "system", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}, USER], "messages.content"),
        (
            [USER, {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": '{"a'}}]}],
            "messages.tool_calls.function.arguments",
        ),
    ],
    ids=["nothing said", "old function role", "image for a system", "arguments that are no object"],
)
def test_conversations_that_cannot_be_told_may_be_tried_elsewhere(messages: list[object], param: str) -> None:
    assert refused({"messages": messages}) == (Fault.UNSUPPORTED, param)


def test_a_model_without_prefill_is_not_asked_for_one() -> None:
    messages = [USER, {"role": "assistant", "content": "It is"}]
    assert refused({"messages": messages}, NEWEST) == (Fault.UNSUPPORTED, "messages")


@pytest.mark.parametrize("blank", ["", " \n"])
def test_what_the_assistant_said_is_no_beginning_where_the_user_answers_nothing(blank: str) -> None:
    messages = [USER, {"role": "assistant", "content": "It is"}, {"role": "user", "content": blank}]
    assert refused({"messages": messages}) == (Fault.UNSUPPORTED, "messages")
