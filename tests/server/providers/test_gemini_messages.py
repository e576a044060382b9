"""OpenAI's conversations in Gemini's form, each checked by the scripted vendor's rules too."""

from collections.abc import Mapping

import pytest

from server.providers.errors import Fault
from server.providers.gemini.signature import PLACEHOLDER
from tests.server.providers.gemini_asking import NEWER, OLDER, TOOLS, USER, refused, written

USERS = {"role": "user", "parts": [{"text": "Hello"}]}


def signed(signature: str) -> dict[str, object]:
    return {"extra_content": {"google": {"thought_signature": signature}}}


def call(id: str, name: str = "weather", arguments: str = "{}") -> dict[str, object]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: dict[str, object], **fields: object) -> dict[str, object]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **fields}


def result(id: str, content: object = "ok", **fields: object) -> dict[str, object]:
    return {"role": "tool", "tool_call_id": id, "content": content, **fields}


def contents(*messages: Mapping[str, object], model: str = OLDER) -> list[dict[str, object]]:
    turns = written({"messages": list(messages), "tools": TOOLS}, model)["contents"]
    assert isinstance(turns, list)
    return turns


def parts_of(content: object) -> object:
    return contents({"role": "user", "content": content})[0]["parts"]


def test_system_and_developer_messages_stand_beside_the_conversation() -> None:
    messages = [{"role": "system", "content": "Be kind."}, USER, {"role": "developer", "content": "Be brief."}]
    body = written({"messages": messages})
    assert body == {"contents": [USERS], "systemInstruction": {"parts": [{"text": "Be kind."}, {"text": "Be brief."}]}}


def test_a_system_prompt_alone_is_asked_as_the_user() -> None:
    assert written({"messages": [{"role": "system", "content": "Hello"}]}) == {"contents": [USERS]}


def test_neighbours_of_one_role_are_one_turn() -> None:
    said = {"role": "assistant", "content": "Hi"}
    assert contents(USER, {"role": "user", "content": "there"}, said, {**said, "refusal": "No."}, USER) == [
        {"role": "user", "parts": [{"text": "Hello"}, {"text": "there"}]},
        {"role": "model", "parts": [{"text": "Hi"}, {"text": "Hi"}, {"text": "No."}]},
        USERS,
    ]


def test_what_is_empty_is_left_out() -> None:
    assert contents(
        USER, {"role": "assistant", "content": ""}, {"role": "user", "content": [{"type": "text", "text": ""}]}
    ) == [USERS]


def test_a_conversation_that_begins_with_the_assistant_gets_an_opening() -> None:
    first, second, _ = contents({"role": "assistant", "content": "Hi"}, USER)
    assert (first["role"], second["role"]) == ("user", "model")


def test_thoughts_do_not_go_back() -> None:
    thinking = {"reasoning_content": "Hm.", "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]}
    assert contents(USER, {"role": "assistant", "content": "Hi", **thinking}, USER)[1] == {
        "role": "model",
        "parts": [{"text": "Hi"}],
    }


def test_a_result_names_the_function_that_its_call_named() -> None:
    turns = contents(USER, calling(call("a", arguments='{"city": "Bern"}'), content="Well."), result("a", '{"sun": true}'))
    assert turns[1:] == [
        {
            "role": "model",
            "parts": [{"text": "Well."}, {"functionCall": {"id": "a", "name": "weather", "args": {"city": "Bern"}}}],
        },
        {
            "role": "user",
            "parts": [{"functionResponse": {"id": "a", "name": "weather", "response": {"sun": True}}}],
        },
    ]


RESULTS: dict[str, tuple[object, dict[str, object], object]] = {
    "text": ("sunny", {}, {"result": "sunny"}),
    "parts": ([{"type": "text", "text": "sun"}, {"type": "text", "text": "ny"}], {}, {"result": "sunny"}),
    "nothing": ("", {}, {"result": ""}),
    "an object": ('{"a": 1}', {}, {"a": 1}),
    "a list": ("[1]", {}, {"result": "[1]"}),
    "a failure": ('{"a": 1}', {"is_error": True}, {"error": '{"a": 1}'}),
}


@pytest.mark.parametrize(("content", "fields", "response"), RESULTS.values(), ids=RESULTS)
def test_a_result_is_an_object(content: object, fields: dict[str, object], response: object) -> None:
    part = contents(USER, calling(call("a")), result("a", content, **fields))[2]["parts"][0]  # type: ignore[index]
    assert part["functionResponse"]["response"] == response


def test_results_stand_first_and_in_the_order_of_their_calls() -> None:
    turns = contents(USER, calling(call("a", "f"), call("b", "g")), USER, result("b"), result("a"))
    parts = turns[2]["parts"]
    assert [part.get("functionResponse", {}).get("name") for part in parts] == ["f", "g", None]  # type: ignore[attr-defined]


def test_ids_that_come_again_name_their_latest_calls() -> None:
    first = (calling(call("a", "f"), call("b", "g")), result("b"), result("a"))
    again = (calling(call("a", "h"), call("b", "i")), result("b"), result("a"))
    parts = contents(USER, *first, *again)[4]["parts"]
    assert [part["functionResponse"]["name"] for part in parts] == ["h", "i"]  # type: ignore[attr-defined]


def test_media_of_a_result_stand_behind_it() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    parts = contents(USER, calling(call("a")), result("a", [{"type": "text", "text": "x"}, image]))[2]["parts"]
    assert parts[1:] == [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]  # type: ignore[index]


def test_a_result_without_its_call_is_the_callers_fault() -> None:
    assert refused({"messages": [USER, result("x")]}) == (Fault.INVALID_REQUEST, "messages.tool_call_id")


@pytest.mark.parametrize("arguments", ["[]", "{", "nope"])
def test_arguments_that_are_no_object_cannot_be_said(arguments: str) -> None:
    given = {"messages": [USER, calling(call("a", arguments=arguments)), result("a")]}
    assert refused(given) == (Fault.UNSUPPORTED, "messages.tool_calls.function.arguments")


@pytest.mark.parametrize("arguments", ["", "  ", "{}"])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    turn = contents(USER, calling(call("a", arguments=arguments)), result("a"))[1]
    assert turn["parts"] == [{"functionCall": {"id": "a", "name": "weather", "args": {}}}]


@pytest.mark.parametrize("model", [OLDER, NEWER])
def test_a_signature_goes_back_with_its_call(model: str) -> None:
    turn = contents(USER, calling(call("a") | signed("sig"), call("b")), result("a"), result("b"), model=model)[1]
    assert [part.get("thoughtSignature") for part in turn["parts"]] == ["sig", None]  # type: ignore[attr-defined]


def test_a_lost_signature_is_replaced_where_the_model_wants_one() -> None:
    messages = (USER, calling(call("a"), call("b"), content="Well."), result("a"), result("b"))
    newer, older = (contents(*messages, model=model)[1]["parts"] for model in (NEWER, OLDER))
    assert [part.get("thoughtSignature") for part in newer] == [None, PLACEHOLDER, None]  # type: ignore[attr-defined]
    assert not any("thoughtSignature" in part for part in older)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("content", "part"),
    [("Hi", {"text": "Hi", "thoughtSignature": "sig"}), (None, {"text": "", "thoughtSignature": "sig"})],
    ids=["on its text", "on an empty text"],
)
def test_a_signature_of_an_answer_goes_back_with_its_text(content: str | None, part: object) -> None:
    turn = contents(USER, {"role": "assistant", "content": content, **signed("sig")}, USER)[1]
    assert turn["parts"] == [part]


@pytest.mark.parametrize("extra", [{"extra_content": None}, {"extra_content": {"google": []}}, signed(5)])  # type: ignore[arg-type]
def test_what_is_no_signature_is_none(extra: dict[str, object]) -> None:
    turn = contents(USER, calling(call("a") | extra), result("a"))[1]
    assert "thoughtSignature" not in turn["parts"][0]  # type: ignore[index]


def inline(mime_type: str, data: str) -> dict[str, object]:
    return {"inlineData": {"mimeType": mime_type, "data": data}}


def at(url: str, mime_type: str | None = None) -> dict[str, object]:
    return {"fileData": {"fileUri": url, **({"mimeType": mime_type} if mime_type else {})}}


FILES = "https://generativelanguage.googleapis.com/v1beta/files/a1"
MEDIA: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "image data": (
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        inline("image/png", "AA=="),
    ),
    "image by another name": (
        {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AA=="}},
        inline("image/jpeg", "AA=="),
    ),
    "image in percent": ({"type": "image_url", "image_url": {"url": "DATA:image/png,%00"}}, inline("image/png", "AA==")),
    "image at an address": (
        {"type": "image_url", "image_url": {"url": "https://example.com/a.webp?x=1", "detail": "low"}},
        at("https://example.com/a.webp?x=1", "image/webp"),
    ),
    "address that tells no type": (
        {"type": "image_url", "image_url": {"url": "https://example.com/a"}},
        at("https://example.com/a"),
    ),
    "type beside the address": (
        {"type": "image_url", "image_url": {"url": "https://example.com/a", "format": "image/png"}},
        at("https://example.com/a", "image/png"),
    ),
    "address that is none": ({"type": "image_url", "image_url": {"url": "https://[a"}}, at("https://[a")),
    "sound": ({"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}, inline("audio/mp3", "AA==")),
    "file": ({"type": "file", "file": {"file_data": "data:application/pdf;base64,AA=="}}, inline("application/pdf", "AA==")),
    "file by its name": (
        {"type": "file", "file": {"file_data": "AA==", "filename": "a.pdf"}},
        inline("application/pdf", "AA=="),
    ),
    "file of the vendor": ({"type": "file", "file": {"file_id": "files/a1"}}, at(FILES)),
    "file in a store": (
        {"type": "file", "file": {"file_id": "gs://b/a.mp3"}},
        at("gs://b/a.mp3", "audio/mp3"),
    ),
    "video": (
        {"type": "video_url", "video_url": {"url": "https://youtu.be/x"}},
        at("https://youtu.be/x"),
    ),
}


@pytest.mark.parametrize(("part", "expected"), MEDIA.values(), ids=MEDIA)
def test_media(part: dict[str, object], expected: dict[str, object]) -> None:
    assert parts_of([{"type": "text", "text": "See:"}, part]) == [{"text": "See:"}, expected]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user", "content": [{"type": "hologram"}]}, "messages.content"),
        ({"role": "user", "content": [{"type": "video_url", "video_url": 5}]}, "messages.content"),
        ({"role": "user", "content": [{"type": "file", "file": {"file_data": "AA=="}}]}, "messages.content.file"),
        (
            {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a"}}]},
            "messages.content",
        ),
        ({"role": "function", "name": "f", "content": "x"}, "messages"),
        ({"role": "user", "content": ""}, "messages"),
        ({"role": "assistant", "tool_calls": [{"id": "a", "type": "custom"}]}, "messages.tool_calls"),
    ],
    ids=["kind", "no video", "no type", "system image", "role", "nothing", "custom call"],
)
def test_what_cannot_be_said_is_refused(message: dict[str, object], param: str) -> None:
    assert refused({"messages": [message]}) == (Fault.UNSUPPORTED, param)
