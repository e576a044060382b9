"""What of a stream can be relied on, whatever the vendor of OpenAI's dialect sends: ends, calls, usage, broken events."""

from collections.abc import Iterator, Sequence

import orjson
import pytest
import structlog
from msgspec.structs import replace
from structlog.testing import capture_logs
from structlog.typing import EventDict

from server.dispatch.fold import fold_chat
from server.providers.base import Ask
from server.providers.errors import Fault, ProviderError
from server.providers.openai.provider import build
from tests.fakes.answers import Answer, Raw, Text
from tests.fakes.faults import Malformed
from tests.fakes.http1_request import JsonObject
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import HELLO, as_json, chat_ask, chat_batches, chunks_of, context
from trunkline.v1.chat_pb2 import ChatCompletionChunk, Usage
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse
from trunkline_json import CHAT_CHUNK, USAGE

STREAM = {"content-type": "text/event-stream"}
DONE = b"data: [DONE]\n\n"
both_forms = pytest.mark.parametrize("json", [True, False], ids=["as JSON", "as messages"])


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """What is logged, at whatever level another test has left."""
    before = structlog.get_config()
    structlog.reset_defaults()
    with capture_logs() as lines:
        yield lines
    structlog.configure(**before)


def event(*choices: JsonObject, **fields: object) -> bytes:
    """An event with a chunk."""
    head = {"id": "c-1", "object": "chat.completion.chunk", "created": 1790000000, "model": "m"}
    return b"data: " + orjson.dumps({**head, "choices": choices, **fields}) + b"\n\n"


def piece(delta: JsonObject, finish_reason: str | None = None, index: int = 0) -> JsonObject:
    return {"index": index, "delta": delta, "finish_reason": finish_reason}


def said(text: str, finish_reason: str | None = None) -> bytes:
    return event(piece({"content": text}, finish_reason))


async def streamed(
    vendor: ScriptedVendor, events: Sequence[bytes], type: str = "openai", ask: Ask | None = None, model: str = "m"
) -> list[StreamChatCompletionResponse]:
    """The batches that a stream of these events gives."""
    vendor.add(Raw(200, STREAM, tuple(events)))
    ask = ask or chat_ask({}, model=model, streamed=True)
    async with context(type, base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        return await chat_batches(build(given), ask)


def all_chunks(batches: list[StreamChatCompletionResponse]) -> list[ChatCompletionChunk]:
    """The chunks, in whichever form they came."""
    chunks: list[ChatCompletionChunk] = []
    for batch in batches:
        lines = [line for lines in batch.chunks_json for line in lines.splitlines()]
        chunks += [CHAT_CHUNK.parse(orjson.loads(line), False) for line in lines] + list(batch.chunks)
    return chunks


def text_of(batches: list[StreamChatCompletionResponse]) -> str:
    return "".join(choice.delta.content for chunk in all_chunks(batches) for choice in chunk.choices)


def usage_of(batches: list[StreamChatCompletionResponse]) -> JsonObject | None:
    usages = [batch.usage for batch in batches if batch.HasField("usage")]
    return USAGE.render(usages[-1]) if usages else None


# Broken events


@both_forms
@pytest.mark.parametrize(
    "broken",
    [b"{", b"null", b"[]", b"5", b'"a"', b'{"choices":{}}', b'{"choices":[1]}', b"\xff", b'{"id": "torn'],
    ids=repr,
)
async def test_an_event_that_makes_no_sense_is_left_out_and_told_of_once(
    vendor: ScriptedVendor, logged: list[EventDict], broken: bytes, json: bool
) -> None:
    events = [said("a"), b"data: " + broken + b"\n\n", said("b"), b"data: " + broken + b"\n\n", said("c", "stop"), DONE]
    batches = await streamed(vendor, events, ask=replace(chat_ask({}, streamed=True), as_json=json))
    assert text_of(batches) == "abc"
    [line] = [line for line in logged if line["event"] == "events_skipped"]
    assert (line["provider"], line["count"], line["log_level"]) == ("tested", 2, "warning")


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("name", ["id", "model", "created"])
async def test_chunks_have_what_every_chunk_has_though_their_vendor_leaves_it_out(
    vendor: ScriptedVendor, name: str, together: bool
) -> None:
    whole = [*map(said, "abcde"), event(piece({}, "stop"))]
    events = [b"data: " + orjson.dumps(orjson.loads(each[6:]) | {name: None}) + b"\n\n" for each in whole]
    events = [each.replace(b'"%b":null,' % name.encode(), b"") for each in events] + [DONE]
    asked = replace(chat_ask({}, streamed=True), as_json=True, request_id="r-1")
    batches = await streamed(vendor, [b"".join(events)] if together else events, ask=asked)
    assert text_of(batches) == "abcde"
    lines = [line for batch in batches for lines in batch.chunks_json for line in lines.splitlines()]
    assert all(name in orjson.loads(line) for line in lines)
    assert all(chunk.id and chunk.model and chunk.create_time.seconds for chunk in all_chunks(batches))


ROLE = event(piece({"role": "assistant", "content": ""}))
CALL = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
IN_ONE_READ = {
    "a role first": [ROLE, *map(said, "abcdef"), event(piece({}, "stop"))],
    "no role": [*map(said, "abcdef"), event(piece({}, "stop"))],
    "usage last": [ROLE, *map(said, "abcdef"), event(piece({}, "stop")), event(usage={"total_tokens": 3})],
    "an end first": [said("a", "stop"), *map(said, "bcdef"), said("g", "stop")],
    "a call first": [event(piece({"role": "assistant", "tool_calls": [CALL]})), *map(said, "abcd"), said("", "tool_calls")],
    "two roles": [ROLE, *map(said, "abc"), ROLE, *map(said, "def"), event(piece({}, "stop"))],
    "another choice first": [event(piece({"content": "z"}, "stop", 1)), *map(said, "abcd"), event(piece({}, "stop"))],
}


@both_forms
@pytest.mark.parametrize("case", IN_ONE_READ)
async def test_what_comes_in_one_read_is_the_same_as_in_many(vendor: ScriptedVendor, case: str, json: bool) -> None:
    events, ask = [*IN_ONE_READ[case], DONE], replace(chat_ask({}, streamed=True), as_json=json)
    single = await streamed(vendor, events, ask=ask)
    together = await streamed(vendor, [b"".join(events)], ask=ask)
    assert all_chunks(together) == all_chunks(single)
    assert usage_of(together) == usage_of(single)


async def test_of_a_whole_answer_in_one_read_the_midst_is_handed_on_in_one_piece(vendor: ScriptedVendor) -> None:
    events = [ROLE, *map(said, "abcdef"), event(piece({}, "stop")), DONE]
    [batch] = await streamed(vendor, [b"".join(events)], ask=replace(chat_ask({}, streamed=True), as_json=True))
    assert [len(lines.splitlines()) for lines in batch.chunks_json] == [1, 5, 1, 1]
    assert batch.finishing


@both_forms
async def test_a_torn_piece_of_the_answer_breaks_it(vendor: ScriptedVendor, json: bool) -> None:
    vendor.add(Text("One two three.").with_fault(Malformed(after_events=2)))
    async with context("openai", base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        with pytest.raises(ProviderError) as raised:
            await chat_batches(build(given), replace(chat_ask({}, streamed=True), as_json=json))
    assert raised.value.fault is Fault.PROTOCOL


async def test_a_sound_stream_is_not_told_of(vendor: ScriptedVendor, logged: list[EventDict]) -> None:
    await streamed(vendor, [said("a", "stop"), DONE])
    assert not [line for line in logged if line["event"] == "events_skipped"]


@both_forms
@pytest.mark.parametrize(
    "events",
    [[], [DONE], [b"data: {\n\n", DONE], [event(), DONE], [said("a"), DONE], [b": hello\n\n"], [said("", "")]],
    ids=repr,
)
async def test_an_answer_without_an_end_is_none(vendor: ScriptedVendor, events: list[bytes], json: bool) -> None:
    with pytest.raises(ProviderError) as raised:
        await streamed(vendor, events, ask=replace(chat_ask({}, streamed=True), as_json=json))
    assert raised.value.fault is Fault.PROTOCOL


@both_forms
async def test_a_finish_reason_and_the_end_of_the_body_are_an_end(vendor: ScriptedVendor, json: bool) -> None:
    batches = await streamed(vendor, [said("a", "stop")], ask=replace(chat_ask({}, streamed=True), as_json=json))
    assert (text_of(batches), batches[-1].finishing) == ("a", True)


# Errors within a stream


@pytest.mark.parametrize("type", ["openai", "groq", "mistral", "grok", "openrouter", "vllm", "deepseek", "perplexity"])
@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (b'data: {"error":{"message":"Why.","code":429}}', Fault.RATE_LIMITED),
        (b'data: {"error":{"message":"Why.","code":"503"}}', Fault.OVERLOADED),
        (b'data: {"error":{"message":"Why.","type":"server_error"}}', Fault.SERVER),
        (b'event: error\ndata: {"error":{"message":"Why.","code":"rate_limit_exceeded"}}', Fault.RATE_LIMITED),
        (b"event: error\ndata: Why.", Fault.SERVER),
        (b'data: {"object":"error","message":"Why.","type":"rate_limited","code":"1300"}', Fault.RATE_LIMITED),
        (b'data: {"code":"x","error":"Why."}', Fault.SERVER),
        (b'data: {"id":"c","choices":[],"x_groq":{"id":"r","error":"Why."}}', Fault.SERVER),
        (b'data: {"statusCode":429,"message":"Why."}', Fault.RATE_LIMITED),
        (
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"message":"Why.","code":502}}]}',
            Fault.SERVER,
        ),
        (
            b'data: {"id":"c","error":{"message":"Why.","code":502,"metadata":{"error_type":"provider_overloaded"}},'
            b'"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}',
            Fault.OVERLOADED,
        ),
    ],
)  # fmt: skip
async def test_an_error_in_any_form_ends_a_stream(vendor: ScriptedVendor, type: str, told: bytes, fault: Fault) -> None:
    with pytest.raises(ProviderError) as raised:
        await streamed(vendor, [said("a"), told + b"\n\n", DONE], type)
    assert (raised.value.fault, raised.value.message) == (fault, "Why.")


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource", "abort"])
async def test_a_reason_that_is_a_failure_is_one(vendor: ScriptedVendor, reason: str) -> None:
    with pytest.raises(ProviderError) as raised:
        await streamed(vendor, [said("a", reason), DONE], "deepseek")
    assert raised.value.fault is Fault.SERVER


# Finish reasons and calls


@both_forms
@pytest.mark.parametrize(
    ("written", "reason"), [("tool_calls", "stop"), ("model_length", "length"), ("end_turn", "stop"), ("eos", "stop")]
)
async def test_a_reason_is_one_of_openais_words(vendor: ScriptedVendor, written: str, reason: str, json: bool) -> None:
    batches = await streamed(vendor, [said("a", written), DONE], ask=replace(chat_ask({}, streamed=True), as_json=json))
    assert [choice.finish_reason for chunk in chunks_of(batches) for choice in chunk.choices] == [reason]


@both_forms
async def test_an_empty_list_of_calls_calls_nothing(vendor: ScriptedVendor, json: bool) -> None:
    events = [event(piece({"content": "a", "tool_calls": []})), event(piece({"tool_calls": []}, "stop")), DONE]
    batches = await streamed(vendor, events, ask=replace(chat_ask({}, streamed=True), as_json=json))
    assert text_of(batches) == "a"
    assert fold_chat(all_chunks(batches)).choices[0].finish_reason == "stop"


def call(**fields: object) -> JsonObject:
    names = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {**fields, "function": names}


@both_forms
@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([[call(index=0, id="a", type="function", name="f", arguments="{}")]], id="whole"),
        pytest.param([[call(id="a", name="f", arguments="{")], [call(arguments="}")]], id="no index"),
        pytest.param([[call(index=0, id="a", name="f", arguments="{")], [call(index=0, id="a", name="f", arguments="}")]],
                     id="all repeated"),
        pytest.param([[call(index=0, id="a", name="f", arguments="{")], [call(index=0, id="", name="", arguments="}")]],
                     id="emptied"),
        pytest.param([[call(index=0, id="a", name="f", arguments="{")], [call(id="a", arguments="}")]], id="id alone"),
        pytest.param([[call(index=None, id="a", name="f", arguments="{}")]], id="a null index"),
        pytest.param([[call(index=0, id="a", type="function", name="f", arguments={})]], id="arguments that are no text"),
        pytest.param([[call(index=0, id="a", name="")], [call(index=0, name="f", arguments="{")],
                      [call(index=0, name="f", arguments="}")]], id="the name late and repeated"),
    ],
)  # fmt: skip
async def test_a_call_in_odd_pieces_is_one_call(vendor: ScriptedVendor, pieces: list[list[JsonObject]], json: bool) -> None:
    events = [*(event(piece({"tool_calls": calls})) for calls in pieces), event(piece({}, "stop")), DONE]
    ask = replace(chat_ask({}, streamed=True), as_json=json)
    chunks = all_chunks(await streamed(vendor, events, ask=ask))
    [choice] = fold_chat(chunks).choices
    [one] = choice.message.tool_calls
    assert (one.id, one.type, one.function.name, one.function.arguments) == ("a", "function", "f", "{}")
    assert choice.finish_reason == "tool_calls"
    found = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls]
    assert "".join(call.function.name for call in found) == "f"  # SDKs join them


@both_forms
async def test_the_arguments_of_a_whole_call_are_text(vendor: ScriptedVendor, json: bool) -> None:
    message = {"role": "assistant", "content": None, "refusal": None}
    called = call(id="a", type="function", name="f", arguments={"city": "Köln"})
    choice = {"index": 0, "message": {**message, "tool_calls": [called]}, "logprobs": None, "finish_reason": "tool_calls"}
    body = {"id": "c", "object": "chat.completion", "created": 1790000000, "model": "m", "choices": [choice]}
    vendor.add(Raw(200, {"content-type": "application/json"}, orjson.dumps(body)))
    async with context("openai_compatible", base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        [batch] = await chat_batches(build(given), replace(chat_ask({}), as_json=json))
    [one] = batch.chunks[0].choices[0].delta.tool_calls
    assert one.function.arguments == '{"city":"Köln"}'


@both_forms
@pytest.mark.parametrize("reason", ["stop", "tool_calls"])
async def test_a_row_may_trust_the_reason_that_its_vendor_tells(vendor: ScriptedVendor, json: bool, reason: str) -> None:
    found_in_thoughts = call(index=0, id="a", type="function", name="f", arguments="{}")
    events = (event(piece({"tool_calls": [found_in_thoughts]})), event(piece({}, reason)), DONE)
    vendor.add(Raw(200, STREAM, events))
    ask = replace(chat_ask({}, streamed=True), as_json=json)
    async with context("vllm", base_url=f"{vendor.url}/v1", api_key=vendor.key, trust_finish_reason=True) as given:
        [choice] = fold_chat(all_chunks(await chat_batches(build(given), ask))).choices
    assert choice.finish_reason == reason


@pytest.mark.parametrize(
    "calls",
    [
        [call(id="a", name="f", arguments="1"), call(id="b", name="g", arguments="2")],
        [call(index=0, id="a", name="f", arguments="1"), call(index=0, id="b", name="g", arguments="2")],
        [call(name="f", arguments="1"), call(name="g", arguments="2")],
    ],
    ids=["no index", "one index for both", "nothing but names"],
)
@pytest.mark.parametrize("together", [True, False])
async def test_two_calls_stay_two(vendor: ScriptedVendor, calls: list[JsonObject], together: bool) -> None:
    deltas = [calls] if together else [[one] for one in calls]
    events = [*(event(piece({"tool_calls": delta})) for delta in deltas), event(piece({}, "tool_calls")), DONE]
    message = fold_chat(chunks_of(await streamed(vendor, events))).choices[0].message
    assert [(one.function.name, one.function.arguments) for one in message.tool_calls] == [("f", "1"), ("g", "2")]
    assert len({one.id for one in message.tool_calls}) == 2


@both_forms
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("type", ["openrouter", "openai_compatible"])
async def test_a_role_is_said_once(vendor: ScriptedVendor, type: str, together: bool, json: bool) -> None:
    events = [event(piece({"role": "assistant", "content": text})) for text in "abcd"]
    events += [event(piece({"role": "assistant", "content": ""}, "stop")), DONE]
    ask = replace(chat_ask({}, streamed=True), as_json=json)
    batches = await streamed(vendor, [b"".join(events)] if together else events, type, ask)
    assert [choice.delta.role for chunk in all_chunks(batches) for choice in chunk.choices] == ["assistant", "", "", "", ""]
    assert text_of(batches) == "abcd"


@both_forms
@pytest.mark.parametrize("said_by_vendor", [True, False])
async def test_a_role_stays_where_the_end_of_the_answer_needs_mending(
    vendor: ScriptedVendor, said_by_vendor: bool, json: bool
) -> None:
    first = event(piece({"role": "assistant", "content": ""} if said_by_vendor else {"content": ""}))
    events = [first, said("a"), said("b"), event(piece({}, "tool_calls")), DONE]
    batches = await streamed(vendor, [b"".join(events)], ask=replace(chat_ask({}, streamed=True), as_json=json))
    assert [choice.delta.role for chunk in all_chunks(batches) for choice in chunk.choices] == ["assistant", "", "", ""]


# Usage

RIGHT: JsonObject = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


@both_forms
@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (RIGHT, RIGHT),
        ({**RIGHT, "total_tokens": 99}, RIGHT),
        ({"prompt_tokens": 5, "completion_tokens": 2}, RIGHT),
        ({**RIGHT, "completion_tokens": "2"}, {"prompt_tokens": 5, "total_tokens": 5}),
        ({**RIGHT, "prompt_tokens": 5.0}, {"completion_tokens": 2, "total_tokens": 7}),
        ({**RIGHT, "prompt_tokens": -5}, {"completion_tokens": 2, "total_tokens": 7}),
        ({**RIGHT, "prompt_tokens": 2**63}, {"completion_tokens": 2, "total_tokens": 7}),
        ({**RIGHT, "prompt_tokens_details": {"cached_tokens": 9}}, {**RIGHT, "prompt_tokens_details": {"cached_tokens": 5}}),
        ({**RIGHT, "prompt_tokens_details": {"cached_tokens": "3"}}, {**RIGHT, "prompt_tokens_details": {}}),
        ({**RIGHT, "prompt_tokens_details": "None"}, RIGHT),
        ({**RIGHT, "num_cached_tokens": 3}, {**RIGHT, "prompt_tokens_details": {"cached_tokens": 3}}),
        ({**RIGHT, "prompt_cache_hit_tokens": 4}, {**RIGHT, "prompt_tokens_details": {"cached_tokens": 4}}),
        ({"prompt_tokens": "a", "completion_tokens": None, "total_tokens": -1}, None),
        ({}, None),
        ([], None),
        ("7", None),
    ],
)  # fmt: skip
async def test_a_usage_holds_nothing_but_what_can_be_true(
    vendor: ScriptedVendor, told: object, counts: JsonObject | None, json: bool
) -> None:
    ask = replace(chat_ask({"stream_options": {"include_usage": True}}, streamed=True), as_json=json)
    usage = usage_of(await streamed(vendor, [said("a", "stop"), event(usage=told), DONE], ask=ask))
    if usage is not None:
        for own in ("num_cached_tokens", "prompt_cache_hit_tokens"):
            usage.pop(own, None)
    if json and counts and not counts.get("prompt_tokens_details"):
        counts, usage = {**counts}, {key: value for key, value in (usage or {}).items() if key.endswith("_tokens")}
        counts.pop("prompt_tokens_details", None)
    assert usage == counts


@pytest.mark.parametrize(
    ("told", "output"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 17}, 12),
        ({"prompt_tokens": 5, "completion_tokens": 12, "total_tokens": 17}, 12),
    ],
)
async def test_xais_reasoning_is_counted_once(vendor: ScriptedVendor, told: JsonObject, output: int) -> None:
    told = {**told, "completion_tokens_details": {"reasoning_tokens": 10}}
    batches = await streamed(vendor, [said("a", "stop"), event(usage=told), DONE], "grok")
    usage = batches[-1].usage
    assert (usage.output_tokens, usage.total_tokens) == (output, 17)


@pytest.mark.parametrize("type", ["mistral", "groq", "deepseek", "perplexity", "openrouter"])
@pytest.mark.parametrize("done", [True, False])
async def test_usage_beside_a_choice_becomes_a_chunk_of_its_own(vendor: ScriptedVendor, type: str, done: bool) -> None:
    ask = chat_ask({"stream_options": {"include_usage": True}}, streamed=True)
    events = [event(piece({"content": "a"}), usage=RIGHT), event(piece({}, "stop"), usage=RIGHT), *([DONE] * done)]
    chunks = as_json(chunks_of(await streamed(vendor, events, type, ask)))
    assert [bool(chunk.get("usage")) for chunk in chunks] == [False, False, True]
    assert (chunks[-1]["choices"], chunks[-1]["id"], chunks[-1]["model"]) == ([], "c-1", "m")


async def test_usage_is_told_twice_and_handed_on_once(vendor: ScriptedVendor) -> None:
    ask = chat_ask({"stream_options": {"include_usage": True}}, streamed=True)
    events = [event(piece({}, "stop"), x_groq={"usage": RIGHT}), event(usage=RIGHT), DONE]
    chunks = as_json(chunks_of(await streamed(vendor, events, "groq", ask)))
    assert [bool(chunk.get("usage")) for chunk in chunks] == [False, True]


@both_forms
async def test_the_usage_of_a_whole_answer_is_checked_too(vendor: ScriptedVendor, json: bool) -> None:
    body: JsonObject = {
        "id": "c",
        "object": "chat.completion",
        "created": 1790000000,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "a", "refusal": None}, "logprobs": None,
             "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 1},
    }  # fmt: skip
    vendor.add(Raw(200, {"content-type": "application/json"}, orjson.dumps(body)))
    async with context("openai", base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        [batch] = await chat_batches(build(given), replace(chat_ask({}), as_json=json))
    assert batch.usage == Usage(input_tokens=5, output_tokens=2, total_tokens=7)
    assert batch.chunks


# Odd forms


@both_forms
@pytest.mark.parametrize("size", [1, 3, 4096])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("label", [b"data: ", b"data:"])
async def test_a_stream_may_come_in_any_form_and_pieces(
    vendor: ScriptedVendor, size: int, line_end: bytes, label: bytes, json: bool
) -> None:
    events = b"".join([said("Grüß "), b": keep-alive\n\n", said("dich 👋🏽"), said("", "stop"), DONE])
    text = events.replace(b"data: ", label).replace(b"\n", line_end)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    batches = await streamed(vendor, pieces, ask=replace(chat_ask({}, streamed=True), as_json=json))
    assert text_of(batches) == "Grüß dich 👋🏽"


@both_forms
async def test_a_key_that_is_there_twice_means_its_last_value(vendor: ScriptedVendor, json: bool) -> None:
    twice = said("a").replace(b'"content":"a"', b'"content":"a","content":"b"').replace(b'"id":', b'"id":"0","id":')
    batches = await streamed(vendor, [twice, said("", "stop"), DONE], ask=replace(chat_ask({}, streamed=True), as_json=json))
    assert text_of(batches) == "b"


@both_forms
async def test_a_very_large_event_comes_whole(vendor: ScriptedVendor, json: bool) -> None:
    large = "x" * 10_000_000
    ask = replace(chat_ask({}, streamed=True), as_json=json)
    assert text_of(await streamed(vendor, [said(large), said("", "stop"), DONE], ask=ask)) == large


# Going on from the beginning of an answer


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["Once upon", " a time."], " a time."),
        (["On", "ce u", "pon a ", "time."], " a time."),
        (["Once upon a time."], " a time."),
        ([" a", " time."], " a time."),
        (["O", "h no."], "Oh no."),
        (["Once"], "Once"),
        (["Once upon"], ""),
    ],
)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "stream"])
async def test_mistral_repeats_the_beginning_and_the_caller_does_not_get_it_again(
    vendor: ScriptedVendor, pieces: list[str], text: str, whole: bool
) -> None:
    vendor.add(Text("".join(pieces), pieces=tuple(pieces)))
    ask = replace(chat_ask({}, model="mistral-large-latest", streamed=not whole), prefix="Once upon")
    async with context("mistral", base_url=f"{vendor.url}/mistral/v1", api_key=vendor.key) as given:
        batches = await chat_batches(build(given), ask)
    assert text_of(batches) == text
    begun = {"role": "assistant", "content": "Once upon", "prefix": True}
    assert vendor.requests[0].body["messages"] == [*HELLO, begun]


async def test_vllm_is_told_to_go_on_with_the_last_message(vendor: ScriptedVendor) -> None:
    vendor.add(Text(" a time."))
    ask = replace(chat_ask({}, model="qwen3", streamed=True), prefix="Once upon", as_json=True)
    async with context("vllm", base_url=f"{vendor.url}/vllm/v1", api_key=vendor.key) as given:
        assert text_of(await chat_batches(build(given), ask)) == " a time."
    body = vendor.requests[0].body
    assert body["messages"] == [*HELLO, {"role": "assistant", "content": "Once upon"}]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


# Sources


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "stream"])
async def test_perplexitys_sources_come_as_annotations_and_as_they_are(vendor: ScriptedVendor, whole: bool) -> None:
    sources: JsonObject = {
        "citations": ["https://a.example", "https://b.example"],
        "search_results": [{"title": "A", "url": "https://a.example"}],
    }
    vendor.add(Text("<think>Hm.</think>\n\nParis[1].") + Answer((), extra=sources))
    ask = chat_ask({}, model="sonar-pro", streamed=not whole)
    async with context("perplexity", base_url=f"{vendor.url}/perplexity/v1", api_key=vendor.key) as given:
        chunks = chunks_of(await chat_batches(build(given), ask))
    last = as_json(chunks)[-1]
    delta = last["choices"][0]["delta"]  # type: ignore[index]
    assert delta["annotations"] == [
        {
            "type": "url_citation",
            "url_citation": {"url": "https://a.example", "title": "A", "start_index": 5, "end_index": 8},
        },
        {
            "type": "url_citation",
            "url_citation": {"url": "https://b.example", "title": "https://b.example", "start_index": 0, "end_index": 0},
        },
    ]
    assert {key: last[key] for key in sources} == sources
    message = fold_chat(chunks).choices[0].message
    assert (message.content, message.reasoning_content) == ("Paris[1].", "Hm.")
