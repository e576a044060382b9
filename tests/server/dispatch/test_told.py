"""What a caller has of an answer, and what of another answer goes on from there."""

from collections.abc import Mapping

import pytest

from server.dispatch.told import Answer, Differs, Rest, Told
from server.providers.base import Batch
from trunkline.v1.chat_pb2 import ChatCompletionChunk
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse, StreamTextCompletionResponse
from trunkline.v1.text_pb2 import TextCompletion


def batch(*deltas: Mapping[str, object], end: str | None = None, id: str = "1") -> StreamChatCompletionResponse:
    chunks = [ChatCompletionChunk(id=id, choices=[{"index": 0, "delta": delta}]) for delta in deltas]
    if end is not None:
        chunks.append(ChatCompletionChunk(id=id, choices=[{"index": 0, "finish_reason": end}]))
    return StreamChatCompletionResponse(chunks=chunks, finishing=end is not None)


def content(*texts: str, end: str | None = None, id: str = "1") -> StreamChatCompletionResponse:
    return batch(*({"content": text} for text in texts), end=end, id=id)


def call(name: str = "", arguments: str = "", id: str = "", index: int = 0) -> dict[str, object]:
    return {"tool_calls": [{"index": index, "id": id or None, "function": {"name": name, "arguments": arguments}}]}


def answer(*batches: Batch) -> Answer:
    told = Told()
    for one in batches:
        told.add(one)
    found = told.answer()
    assert found is not None
    return found


def rest(told: Answer, *batches: Batch) -> str:
    """What goes out of another answer, as text; a call's arguments included."""
    taker, out = Rest(told), Answer()
    for one in batches:
        left = taker.of(one)
        for chunk in getattr(left, "chunks", ()):
            out.add(chunk)
    assert not taker.behind
    called = "".join(one.name + one.arguments for one in out.calls.values())
    return "".join(out.texts.values()) + called + out.finish_reason


def test_what_was_told_adds_up() -> None:
    told = answer(batch({"role": "assistant", "reasoning_content": "hm"}), content("Hel", "lo"), content(end="stop"))
    assert (told.texts, told.finish_reason, told.characters) == ({"reasoning_content": "hm", "content": "Hello"}, "stop", 7)


def test_chunks_in_the_vendors_json_add_up_too() -> None:
    line = b'{"id":"1","created":5,"model":"m","choices":[{"index":0,"delta":{"content":"%b"}}]}'
    lines = [line % b"Hel" + b"\n" + line % b"lo", line % b" there"]
    told = answer(StreamChatCompletionResponse(chunks_json=lines))
    assert (told.texts["content"], told.id, told.create_time.seconds) == ("Hello there", "1", 5)


def test_long_answers_are_read_while_they_go_on() -> None:
    told = Told()
    for _ in range(1000):
        told.add(content("abc"))
    found = told.answer()
    assert found is not None
    assert found.texts["content"] == "abc" * 1000


def test_answers_with_several_choices_are_not_followed() -> None:
    told = Told()
    told.add(StreamChatCompletionResponse(chunks=[ChatCompletionChunk(choices=[{"index": 1}])]))
    assert told.answer() is None


def test_how_much_was_told_is_known_of_every_choice() -> None:
    told = Told()
    line = b'{"choices":[{"index":%d,"delta":{"content":"caf\xc3\xa9"}}]}'
    told.add(StreamChatCompletionResponse(chunks_json=[line % 0, line % 1, line % 2]))
    assert told.byte_count == 15
    told.add(StreamChatCompletionResponse(chunks=[ChatCompletionChunk(choices=[{"index": 1, "delta": call("get", "{}")}])]))
    assert told.byte_count == 20


@pytest.mark.parametrize(
    "pieces",
    [("Hello there",), ("Hello", " there"), ("Hel", "lo the", "re"), tuple("Hello there"), ("Hello t", "here")],
    ids=lambda pieces: "|".join(pieces),
)
def test_the_same_answer_goes_on_after_the_last_letter(pieces: tuple[str, ...]) -> None:
    assert rest(answer(content("Hello")), *(content(piece) for piece in pieces), content(end="stop")) == " therestop"


def test_all_that_goes_on_has_the_first_answers_id() -> None:
    left = Rest(answer(content("Hel", id="first"))).of(content("Hello", id="second"))
    assert [chunk.id for chunk in left.chunks] == ["first"]  # type: ignore[union-attr]


def test_the_role_is_told_once() -> None:
    left = Rest(answer(batch({"role": "assistant"}))).of(batch({"role": "assistant", "content": "Hello"}))
    assert [chunk.choices[0].delta.HasField("role") for chunk in left.chunks] == [False]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "other", [("Hullo",), ("Hello", "!"), ("H", "e", "y"), ("Goodbye",)], ids=lambda other: "|".join(other)
)
def test_another_text_is_another_answer(other: tuple[str, ...]) -> None:
    with pytest.raises(Differs):
        rest(answer(content("Hello there")), *(content(piece) for piece in other))


def test_a_shorter_answer_is_another_one() -> None:
    with pytest.raises(Differs):
        rest(answer(content("Hello there")), content("Hello", end="stop"))


def test_another_end_is_another_answer() -> None:
    with pytest.raises(Differs):
        rest(answer(content("Hello", end="stop")), content("Hello", end="length"))


def test_more_after_the_end_is_another_answer() -> None:
    with pytest.raises(Differs):
        rest(answer(content("Hello", end="stop")), content("Hello there"))


def test_an_end_that_was_told_is_not_told_again() -> None:
    assert rest(answer(content("Hello", end="stop")), content("Hello", end="stop")) == ""


def test_thoughts_have_to_be_the_same_too() -> None:
    told = answer(batch({"reasoning_content": "hm, so"}))
    assert rest(told, batch({"reasoning_content": "hm, so"}, {"content": "Yes"})) == "Yes"
    for other in (batch({"reasoning_content": "hm"}, {"content": "Yes"}), batch({"content": "Yes"})):
        with pytest.raises(Differs):
            rest(told, other)


def test_a_tool_call_goes_on_in_its_arguments() -> None:
    told = answer(batch(call("get", '{"ci', id="call_1")))
    again = batch(call("get", "", id="call_2"), call("", '{"city":'), call("", '"Rome"}'))
    assert rest(told, again) == 'ty":"Rome"}'


def test_a_next_tool_call_goes_out_whole() -> None:
    told = answer(batch(call("get", "{}", id="call_1")))
    again = batch(call("get", "{}", id="call_2"), call("put", "{}", id="call_3", index=1), end="tool_calls")
    assert rest(told, again) == "put{}tool_calls"


@pytest.mark.parametrize("other", [call("put", "{}"), call("get", "[]")], ids=["name", "arguments"])
def test_another_tool_call_is_another_answer(other: dict[str, object]) -> None:
    with pytest.raises(Differs):
        rest(answer(batch(call("get", "{}"))), batch(other))


def test_a_continued_answer_begins_where_the_told_one_stopped() -> None:
    taker = Rest(answer(content("Hello")), continued=True)
    left = taker.of(content(" there", end="stop"))
    assert [chunk.choices[0].delta.content for chunk in left.chunks] == [" there", ""]  # type: ignore[union-attr]


def test_text_completions_go_on_too() -> None:
    def text(piece: str) -> StreamTextCompletionResponse:
        return StreamTextCompletionResponse(chunks=[TextCompletion(id="1", choices=[{"index": 0, "text": piece}])])

    assert rest(answer(text("Once")), text("Once"), text(" upon")) == " upon"


def test_usage_passes_while_nothing_else_does() -> None:
    known = content("Hello")
    known.usage.input_tokens = 5
    left = Rest(answer(content("Hello there"))).of(known)
    assert left is not None
    assert (left.usage.input_tokens, len(left.chunks)) == (5, 0)  # type: ignore[union-attr]


def test_a_time_that_is_none_costs_nobody_the_answer() -> None:
    told = Told()
    line = b'{"id":"1","created":1700000000000,"choices":[{"index":0,"delta":{"content":"Hello"}}]}'
    told.add(StreamChatCompletionResponse(chunks_json=[line]))
    answer = told.answer()
    assert answer is not None
    assert answer.texts == {"content": "Hello"}
