"""The provider of Ollama's own dialect against the scripted vendor: real HTTP, and the vendor's strictness."""

import base64
import json
import struct
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

from server.dispatch.fold import fold_chat, fold_text
from server.providers.base import Ask, ListedModel, Operation, Provider, ProviderContext
from server.providers.errors import Fault, ProviderError
from server.providers.json_lines import LineParser
from server.providers.ollama.answer import ChatStream
from server.providers.ollama.kinds import KINDS
from server.providers.ollama.provider import Ollama, build
from tests.fakes.answers import Answer, Embeddings, Raw, Status, Text, Thinking, ToolCall, Usage
from tests.fakes.faults import (
    BadJson,
    Batch,
    BlankLines,
    Crlf,
    Cut,
    ErrorInStream,
    ErrorOn200,
    Gzip,
    HtmlOk,
    NoDone,
    Reset,
    SplitBytes,
    Stall,
)
from tests.fakes.faults import Fault as WireFault
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import (
    NOW,
    WEATHER,
    chat_ask,
    chat_batches,
    chunks_of,
    completion,
    context,
    embedded,
    embeddings_ask,
    failure,
)
from trunkline.v1.chat_pb2 import ChatCompletionChunk
from trunkline.v1.completion_service_pb2 import StreamTextCompletionResponse
from trunkline_json import TEXT_REQUEST

MODEL = "qwen3:8b"
RECORDED = (Path(__file__).parent / "transcripts" / "ollama_thinking_and_tools.ndjson").read_bytes()
USAGE = Usage(100, 20)
RICH = Thinking("Hm, well.") + Text("Let me look.") + ToolCall("weather", {"city": "Pärïs"}) + ToolCall("weather", {})


@pytest.fixture
async def given(vendor: ScriptedVendor) -> AsyncIterator[ProviderContext]:
    async with context("ollama", base_url=vendor.url) as given:
        yield given


@pytest.fixture
async def provider(given: ProviderContext) -> Provider:
    return build(given)


def ask(body: dict[str, object] | None = None, streamed: bool = False) -> Ask:
    return chat_ask(body or {}, MODEL, streamed)


def test_its_kind_is_on_this_machine_and_needs_no_key() -> None:
    (kind,) = KINDS
    assert (kind.type, kind.base_url, kind.needs_key) == ("ollama", "http://127.0.0.1:11434", False)


@pytest.mark.parametrize(
    ("path", "asked"),
    [("", "/api/chat"), ("/", "/api/chat"), ("/api", "/api/chat"), ("/v1", "/v1/chat/completions"), ("/v1/", None)],
)
async def test_the_address_tells_the_dialect(vendor: ScriptedVendor, path: str, asked: str | None) -> None:
    async with context("ollama", base_url=f"{vendor.url}{path}", api_key=vendor.key) as given:
        await chat_batches(build(given), ask())
    assert vendor.requests[0].path == (asked or "/v1/chat/completions")


async def test_a_key_is_sent_where_there_is_one(vendor: ScriptedVendor, provider: Provider) -> None:
    await chat_batches(provider, ask())
    async with context("ollama", base_url=vendor.url, api_key="sk-wrong", custom_headers={"x-own": "1"}) as given:
        error = await failure(build(given), ask())
    assert error.fault is Fault.AUTHENTICATION
    assert "authorization" not in vendor.requests[0].headers
    assert vendor.requests[1].headers["x-own"] == "1"


async def test_images_are_not_its_own(provider: Provider) -> None:
    assert provider.operations == {Operation.CHAT, Operation.TEXT, Operation.EMBEDDINGS}
    assert not provider.continues(MODEL)
    assert (await failure(provider, Ask(Operation.IMAGES, ask().request, MODEL, streamed=False))).fault is Fault.UNSUPPORTED


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_arrives_whole(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    vendor.add(Answer(RICH.parts, usage=USAGE), Answer(RICH.parts, usage=USAGE))
    batches = await chat_batches(provider, ask(WEATHER, streamed))
    answer = await completion(provider, ask(WEATHER, streamed))
    (choice,) = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "tool_calls", "assistant")
    assert (choice.message.content, choice.message.reasoning_content) == ("Let me look.", "Hm, well.")
    calls = [(call.type, call.function.name, call.function.arguments) for call in choice.message.tool_calls]
    assert calls == [("function", "weather", '{"city":"Pärïs"}'), ("function", "weather", "{}")]
    assert len({call.id for call in choice.message.tool_calls}) == 2
    assert (answer.model, answer.create_time.seconds, answer.id[:9]) == (MODEL, int(NOW), "chatcmpl-")
    usage = batches[-1].usage
    assert batches[-1].finishing
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, 120)


async def test_a_stream_begins_with_the_role_and_ends_with_reason_and_usage(
    vendor: ScriptedVendor, provider: Provider
) -> None:
    vendor.add(Text("Hello there", usage=USAGE))
    batches = await chat_batches(provider, ask({"stream_options": {"include_usage": True}}, streamed=True))
    chunks = chunks_of(batches)
    assert [chunk.choices[0].delta.role for chunk in chunks[:-1]] == ["assistant", "", ""]
    assert [chunk.choices[0].delta.content for chunk in chunks[:-2]] == ["Hello", " there"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (list(chunks[-1].choices), chunks[-1].usage.total_tokens) == ([], 120)
    assert [batch.finishing for batch in batches] == [False, False, True]
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"done_reason": "stop"}, "stop"),
        ({"done_reason": "length"}, "length"),
        ({"done_reason": "load"}, "stop"),
        ({"done_reason": "unload"}, "stop"),
        ({"done_reason": ""}, "stop"),
        ({"done_reason": None}, "stop"),
    ],
)
async def test_answers_end_for_openais_reasons(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, end: dict[str, object], reason: str
) -> None:
    vendor.add(Answer((Text("Hi"),), extra=end))
    assert (await completion(provider, ask(streamed=streamed))).choices[0].finish_reason == reason


@pytest.mark.parametrize(
    "faults",
    [(SplitBytes(1),), (Batch(),), (Batch(3),), (Crlf(), SplitBytes(1)), (BlankLines(),), (Gzip(), SplitBytes(5))],
    ids=["byte by byte", "all at once", "three at once", "crlf", "blank lines", "gzip"],
)
async def test_a_stream_is_the_same_however_it_is_sent(
    vendor: ScriptedVendor, provider: Provider, faults: tuple[WireFault, ...]
) -> None:
    vendor.add(Text("Hello there, 世界"), Text("Hello there, 世界").with_fault(*faults))
    wanted, sent = [
        [list(chunk.choices) for chunk in chunks_of(await chat_batches(provider, ask(streamed=True)))] for _ in range(2)
    ]
    assert sent == wanted


def read(*reads: bytes) -> list[ChatCompletionChunk]:
    """The chunks of the reads; the answer must be whole."""
    parser, stream = LineParser(), ChatStream("id", 0, lambda: "new", usage_asked=True)
    found = [stream.batch(lines) for lines in (*(parser.feed(data) for data in reads), parser.finish())]
    assert stream.done
    return [chunk for batch in found if batch is not None for chunk in batch.chunks]


def test_a_recorded_stream_holds_the_whole_answer() -> None:
    answer = fold_chat(read(RECORDED))
    message = answer.choices[0].message
    assert (message.content, message.reasoning_content) == ("Grüß Gott, 世界 🌍!", "The user wants the weather.")
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    assert calls == [("call_1a", "weather", '{"city":"Päris"}'), ("call_new", "now", "{}")]
    assert (answer.choices[0].finish_reason, answer.usage.total_tokens, answer.model) == ("tool_calls", 120, MODEL)


def test_a_recorded_stream_gives_the_same_chunks_however_it_arrives() -> None:
    whole = read(RECORDED)
    assert read(*(RECORDED[place : place + 1] for place in range(len(RECORDED)))) == whole
    assert read(RECORDED.rstrip(b"\n")) == whole
    for place in range(1, len(RECORDED)):
        assert read(RECORDED[:place], RECORDED[place:]) == whole


@pytest.mark.parametrize(
    ("fault", "streamed", "kind"),
    [
        (NoDone(), True, Fault.PROTOCOL),
        (HtmlOk(), True, Fault.PROTOCOL),
        (HtmlOk(), False, Fault.PROTOCOL),
        (BadJson(), True, Fault.PROTOCOL),
        (BadJson(), False, Fault.PROTOCOL),
        (Cut(after_events=2), True, Fault.CONNECTION),
        (Cut(after_events=2, whole_http=True), True, Fault.PROTOCOL),
        (Cut(after_bytes=150, whole_http=True), True, Fault.PROTOCOL),
        (Cut(after_bytes=20), False, Fault.CONNECTION),
        (Cut(), False, Fault.CONNECTION),
        (Reset(after_events=2), True, Fault.CONNECTION),
        (ErrorInStream(after_events=0, message="model runner has stopped"), True, Fault.SERVER),
        (ErrorInStream(after_events=2, message="model runner has stopped"), True, Fault.SERVER),
        (ErrorInStream(message="prompt too long; exceeded max context length by 5 tokens"), True, Fault.CONTEXT_LENGTH),
        (ErrorOn200(), True, Fault.SERVER),
        (ErrorOn200(), False, Fault.SERVER),
    ],
)
async def test_a_broken_answer_is_an_error(
    vendor: ScriptedVendor, provider: Provider, fault: WireFault, streamed: bool, kind: Fault
) -> None:
    vendor.add(Text("Hello there, you").with_fault(fault))
    assert (await failure(provider, ask(streamed=streamed))).fault is kind


async def test_an_answer_that_has_ended_is_whole_though_its_body_breaks(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello there, you").with_fault(Cut(after_events=4)))
    assert (await completion(provider, ask(streamed=True))).choices[0].message.content == "Hello there, you"


@pytest.mark.parametrize(
    "line",
    [
        {"done": True},
        {"message": {"content": 5}, "done": True},
        {"message": {"content": "a"}, "done": True, "eval_count": -1},
        {"message": {"content": "a"}, "done": True, "eval_count": 1e99},
        {"message": {"content": "a"}, "done": False},
        {"message": {"content": "", "tool_calls": [{"function": {}}]}, "done": True},
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_no_answer_is_an_error(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, line: dict[str, object]
) -> None:
    vendor.add(Raw(200, {"content-type": "application/json"}, json.dumps(line).encode()))
    assert (await failure(provider, ask(streamed=streamed))).fault is Fault.PROTOCOL


@pytest.mark.parametrize("streamed", [False, True])
async def test_arguments_that_are_no_text_are_an_error(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    line = b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":{"a":"\xff"}}}]},"done":true}'
    vendor.add(Raw(200, {"content-type": "application/json"}, line))
    assert (await failure(provider, ask(streamed=streamed))).fault is Fault.PROTOCOL


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(400, message="invalid options"), Fault.INVALID_REQUEST),
        (Status(400, message="the input length exceeds the context length"), Fault.CONTEXT_LENGTH),
        (Status(400, message="registry.ollama.ai/library/a does not support tools"), Fault.UNSUPPORTED),
        (Status(400, message='"a" does not support thinking'), Fault.UNSUPPORTED),
        (Status(401, body={"error": {"message": "unauthorized"}}), Fault.AUTHENTICATION),
        (Status(404, message="model 'a' not found"), Fault.MODEL_NOT_FOUND),
        (Status(429), Fault.RATE_LIMITED),
        (Status(500), Fault.SERVER),
        (Status(502, body=b"<html>"), Fault.SERVER),
        (Status(503, message="server busy, please try again.  maximum pending requests exceeded"), Fault.OVERLOADED),
        (Status(302, headers={"location": "http://127.0.0.1:1/"}), Fault.PROTOCOL),
    ],
    ids=lambda value: f"{value.status} {value.message[:6]}" if isinstance(value, Status) else value.name,
)
async def test_refusals_are_told_by_status_and_text(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, answer: Status, kind: Fault
) -> None:
    vendor.add(answer)
    error = await failure(provider, ask(streamed=streamed))
    assert (error.fault, error.status) == (kind, answer.status)
    assert error.message


async def test_chunks_arrive_before_the_stream_ends_and_leaving_it_closes_the_connection(
    vendor: ScriptedVendor, provider: Provider
) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=1)))
    async with aclosing(provider.stream(ask(streamed=True))) as batches:
        first = await anext(batches)
    assert first.chunks[0].choices[0].delta.content == "Hello"  # type: ignore[union-attr]
    assert (await vendor.next_disconnect()).request.path == "/api/chat"


async def text_batches(
    provider: Provider, streamed: bool, body: dict[str, object] | None = None
) -> list[StreamTextCompletionResponse]:
    request = TEXT_REQUEST.parse({"model": "alias", "prompt": "Once", **(body or {})}, True)
    async with aclosing(provider.stream(Ask(Operation.TEXT, request, MODEL, streamed))) as batches:
        return [cast(StreamTextCompletionResponse, batch) async for batch in batches]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_text_completion_arrives_whole(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    vendor.add(Text("upon a time", usage=USAGE, finish_reason="length"))
    batches = await text_batches(provider, streamed)
    answer = fold_text([chunk for batch in batches for chunk in batch.chunks])
    (choice,) = answer.choices
    assert (choice.text, choice.finish_reason, answer.model) == ("upon a time", "length", MODEL)
    assert (batches[-1].finishing, batches[-1].usage.total_tokens) == (True, 120)
    assert vendor.requests[0].path == "/api/generate"


async def test_a_text_completion_brings_its_usage_when_asked(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("upon a time", usage=USAGE))
    batches = await text_batches(provider, True, {"stream_options": {"include_usage": True}})
    last = batches[-1].chunks[-1]
    assert (list(last.choices), last.usage.total_tokens) == ([], 120)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_broken_text_completion_is_an_error(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    for answer in (Raw(200, {}, b'{"message":{},"done":true}'), Raw(200, {}, b'{"response":"a","done":false}')):
        vendor.add(answer)
        with pytest.raises(ProviderError) as raised:
            await text_batches(provider, streamed)
        assert raised.value.fault is Fault.PROTOCOL


TWO_TEXTS = {"input": ["a", "bc"]}


async def test_texts_become_vectors(vendor: ScriptedVendor, provider: Provider) -> None:
    vectors = await embedded(provider, embeddings_ask(TWO_TEXTS, MODEL))
    assert [(one.index, list(one.values)) for one in vectors.data] == [(0, [1.0, 0.5]), (1, [2.0, 0.5])]
    assert (vectors.model, vectors.usage.input_tokens, vectors.usage.total_tokens) == (MODEL, 9, 9)
    packed = await embedded(provider, embeddings_ask({**TWO_TEXTS, "encoding_format": "base64"}, MODEL))
    assert struct.unpack("<2f", base64.b64decode(packed.data[1].values_base64)) == (2.0, 0.5)
    assert vendor.requests[0].path == "/api/embed"


@pytest.mark.parametrize("answer", [Embeddings(((1.0,),)), Raw(200, {}, b"{}"), Raw(200, {}, b'{"error":"no"}')])
async def test_a_vector_that_is_missing_is_an_error(
    vendor: ScriptedVendor, provider: Provider, answer: Embeddings | Raw
) -> None:
    vendor.add(answer)
    assert (await failure(provider, embeddings_ask(TWO_TEXTS, MODEL))).fault in (Fault.PROTOCOL, Fault.SERVER)


async def test_models_that_were_pulled_are_listed(vendor: ScriptedVendor, provider: Provider) -> None:
    tags = [
        {
            "name": "a:latest",
            "model": "a:latest",
            "modified_at": "2026-09-21T16:13:20.123456789+02:00",
            "details": {"context_length": 8192},
            "capabilities": ["completion", "tools", "vision", "thinking", "insert"],
        },
        {"name": "b", "modified_at": "long ago", "capabilities": ["embedding"]},
        {"name": "c", "details": {"family": "x"}},
    ]
    vendor.add(Status(200, body={"models": tags}), path="/api/tags")
    every = frozenset({"chat", "text", "json_schema", "tools", "vision", "reasoning"})
    assert await provider.models(timeout_s=5) == (
        ListedModel("a:latest", int(NOW), context_window=8192, capabilities=every),
        ListedModel("b", capabilities=frozenset({"embeddings"})),
        ListedModel("c"),
    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(Status(200, body=b"Ollama is running"), Fault.PROTOCOL), (Status(503), Fault.OVERLOADED)],
)
async def test_a_list_that_does_not_come_is_an_error(
    vendor: ScriptedVendor, provider: Provider, answer: Status, kind: Fault
) -> None:
    vendor.add(answer, path="/api/tags")
    with pytest.raises(ProviderError) as raised:
        await provider.models(timeout_s=5)
    assert raised.value.fault is kind


async def test_a_check_asks_for_the_version(vendor: ScriptedVendor, provider: Provider) -> None:
    assert isinstance(provider, Ollama)
    await provider.check(timeout_s=5)
    vendor.add(Status(502), path="/api/version")
    with pytest.raises(ProviderError) as raised:
        await provider.check(timeout_s=5)
    assert raised.value.fault is Fault.SERVER
    assert [request.target for request in vendor.requests] == ["/api/version"] * 2
