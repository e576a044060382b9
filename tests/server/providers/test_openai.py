"""The provider of OpenAI's dialect when things go wrong on the wire, and whole answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import orjson
import pytest
from msgspec.structs import replace

from server.dispatch.fold import fold_chat
from server.providers.base import Ask, Operation, Provider
from server.providers.errors import Fault
from server.providers.openai.provider import build
from tests.fakes.answers import Raw, Status, Text, ToolCall
from tests.fakes.faults import (
    BadJson,
    Batch,
    BlankLines,
    Comments,
    Crlf,
    Cut,
    DuplicateKeys,
    ErrorInStream,
    ErrorOn200,
    Gzip,
    HtmlOk,
    NoDone,
    NoSpace,
    Reset,
    SplitBytes,
    Stall,
)
from tests.fakes.faults import Fault as WireFault
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import as_json, chat_ask, chat_batches, chunks_of, completion, context, failure
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse
from trunkline_json import CHAT_COMPLETION, EMBEDDING_REQUEST, IMAGE_REQUEST, TEXT_REQUEST

STREAM, WHOLE = True, False


@pytest.fixture
async def provider(vendor: ScriptedVendor) -> AsyncIterator[Provider]:
    async with context("openai", base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        yield build(given)


@pytest.mark.parametrize(
    "fault",
    [Comments(), Crlf(), NoSpace(), NoDone(), Gzip(), SplitBytes(), SplitBytes(3), Batch(), DuplicateKeys()],
    ids=repr,
)
@pytest.mark.parametrize("json", [True, False], ids=["as JSON", "as messages"])
async def test_a_stream_in_an_odd_form_says_the_same(
    vendor: ScriptedVendor, provider: Provider, fault: WireFault, json: bool
) -> None:
    ask = replace(chat_ask({}, streamed=True), as_json=json)
    vendor.add(Text("Grüß dich, 👋🏽!").with_fault(fault))
    batches = await chat_batches(provider, ask)
    chunks = [
        chunk
        for batch in batches
        for chunk in [*map(orjson.loads, b"\n".join(batch.chunks_json).splitlines()), *as_json(list(batch.chunks))]
    ]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "Grüß dich, 👋🏽!"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("fault", [Gzip(), BlankLines(), SplitBytes(5), DuplicateKeys()], ids=repr)
@pytest.mark.parametrize("json", [True, False], ids=["as JSON", "as messages"])
async def test_an_answer_in_an_odd_form_says_the_same(
    vendor: ScriptedVendor, provider: Provider, fault: WireFault, json: bool
) -> None:
    vendor.add(Text("Hello.").with_fault(fault))
    [batch] = await chat_batches(provider, replace(chat_ask({}), as_json=json))
    assert whole_of(batch)["choices"][0]["message"]["content"] == "Hello."


def whole_of(batch: StreamChatCompletionResponse) -> dict[str, list[dict[str, dict[str, object]]]]:
    """A whole answer as JSON, in whichever form it came."""
    if batch.chunks_json:
        return orjson.loads(batch.chunks_json[0])  # type: ignore[no-any-return]
    return CHAT_COMPLETION.render(fold_chat(batch.chunks))  # type: ignore[return-value]


@pytest.mark.parametrize("json", [True, False], ids=["as JSON", "as messages"])
@pytest.mark.parametrize(
    ("streamed", "fault", "kind"),
    [
        (WHOLE, HtmlOk(), Fault.PROTOCOL),
        (STREAM, HtmlOk(), Fault.PROTOCOL),
        (WHOLE, BadJson(), Fault.PROTOCOL),
        (STREAM, BadJson(), Fault.PROTOCOL),
        (WHOLE, ErrorOn200("Why.", code="rate_limit_exceeded"), Fault.RATE_LIMITED),
        (STREAM, ErrorOn200("Why.", code="rate_limit_exceeded"), Fault.RATE_LIMITED),
        (STREAM, ErrorInStream(0, "Why.", code="overloaded_error"), Fault.OVERLOADED),
        (STREAM, ErrorInStream(2, "Why.", code="overloaded_error", done=True), Fault.OVERLOADED),
        (STREAM, Cut(after_events=0, whole_http=True), Fault.PROTOCOL),
        (STREAM, Cut(after_events=2, whole_http=True), Fault.PROTOCOL),
        (STREAM, Cut(after_bytes=30, whole_http=True), Fault.PROTOCOL),
        (STREAM, Cut(after_events=2), Fault.CONNECTION),
        (WHOLE, Cut(after_bytes=30), Fault.CONNECTION),
        (WHOLE, Cut(), Fault.CONNECTION),
        (STREAM, Reset(after_events=2), Fault.CONNECTION),
        (WHOLE, Reset(), Fault.CONNECTION),
    ],
    ids=lambda value: repr(value) if hasattr(value, "apply") else "",
)
async def test_a_broken_answer_is_a_fault(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, fault: WireFault, kind: Fault, json: bool
) -> None:
    vendor.add(Text("Hello there, you.").with_fault(fault))
    error = await failure(provider, replace(chat_ask({}, streamed=streamed), as_json=json))
    assert error.fault is kind
    assert kind not in (Fault.RATE_LIMITED, Fault.OVERLOADED) or error.message == "Why."


@pytest.mark.parametrize("streamed", [WHOLE, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"1",
        b'"text"',
        b"{}",
        b'{"choices":null}',
        b'{"choices":[]}',
        b'{"choices":{}}',
        b'{"choices":[1]}',
        b'{"choices":[{"index":0,"message":"Hi"}],"usage":[]}',
        b'{"choices":[{"index":0,"finish_reason":"error","delta":{},"message":{}}]}',
        b'{"choices":[{"index":0,"finish_reason":"insufficient_system_resource","delta":{},"message":{}}]}',
        b'{"error":"Why."}',
        b'{"error":{"message":{"a":1}}}',
        b'{"choices":[{"index":0,"delta":{"content":"\xff"},"message":{"content":"\xff"}}]}',
        b"[" * 5000,
        b'{"id":"i","a":%b}' % (b"[" * 5000 + b"]" * 5000),
        b'{"id":' + b'{"a":' * 300 + b"1" + b"}" * 301,
        b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":%b}}]},"message":{"tool_calls":[{"function":'
        b'{"arguments":%b}}]}}]}' % ((b'{"a":' * 300 + b"1" + b"}" * 300,) * 2),
    ],
    ids=lambda body: body[:60].decode("latin-1"),
)
@pytest.mark.parametrize("json", [True, False], ids=["as JSON", "as messages"])
async def test_an_answer_that_makes_no_sense_is_a_fault(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, body: bytes, json: bool
) -> None:
    if streamed:
        vendor.add(Raw(200, {"content-type": "text/event-stream"}, (b"data: " + body + b"\n\n", b"data: [DONE]\n\n")))
    else:
        vendor.add(Raw(200, {"content-type": "application/json"}, body))
    error = await failure(provider, replace(chat_ask({}, streamed=streamed), as_json=json))
    assert error.fault in (Fault.PROTOCOL, Fault.SERVER)


@pytest.mark.parametrize("operation", ["embeddings", "images", "text"])
@pytest.mark.parametrize("body", [b"{}", b'{"data":1,"choices":1}', b'{"data":[1],"choices":[1]}', b'{"data":null}'])
async def test_other_answers_that_make_no_sense_are_faults_too(
    vendor: ScriptedVendor, provider: Provider, operation: str, body: bytes
) -> None:
    form = {"embeddings": EMBEDDING_REQUEST, "images": IMAGE_REQUEST, "text": TEXT_REQUEST}[operation]
    request = form.parse({"model": "m", "prompt": "a", "input": "a"}, strict=False)  # type: ignore[attr-defined]
    vendor.add(Raw(200, {"content-type": "application/json"}, body))
    model = "dall-e-2" if operation == "images" else "m"
    assert (await failure(provider, Ask(Operation(operation), request, model, streamed=False))).fault is Fault.PROTOCOL


@pytest.mark.parametrize("given", ["a", ["a"], ["a", "b", "c"], [1, 2], [[1, 2], [3], [4]]], ids=str)
async def test_a_vector_that_is_missing_or_one_too_many_is_a_fault(
    vendor: ScriptedVendor, provider: Provider, given: object
) -> None:
    request = EMBEDDING_REQUEST.parse({"model": "m", "input": given}, strict=True)
    data = [{"object": "embedding", "index": index, "embedding": [0.5]} for index in range(2)]
    for found in (data, []):
        vendor.add(Raw(200, {"content-type": "application/json"}, orjson.dumps({"object": "list", "data": found})))
        error = await failure(provider, Ask(Operation.EMBEDDINGS, request, "m", streamed=False))
        assert error.fault is Fault.PROTOCOL


async def test_a_refusal_brings_what_the_vendor_said(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Status(429, headers={"retry-after-ms": "1500"}, message="Slow down.", code="rate_limit_exceeded"))
    error = await failure(provider, chat_ask({}))
    assert (error.fault, error.message, error.status, error.retry_after_s) == (Fault.RATE_LIMITED, "Slow down.", 429, 1.5)


@pytest.mark.parametrize("streamed", [WHOLE, STREAM], ids=["whole", "stream"])
async def test_a_redirect_is_not_followed(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    vendor.add(Status(307, headers={"location": f"{vendor.url}/v1/elsewhere"}))
    assert (await failure(provider, chat_ask({}, streamed=streamed))).fault is Fault.PROTOCOL
    assert len(vendor.requests) == 1


async def test_an_address_where_nobody_listens_is_a_fault(vendor: ScriptedVendor) -> None:
    async with context("openai", base_url="http://127.0.0.1:1/v1") as given:
        assert (await failure(build(given), chat_ask({}))).fault is Fault.CONNECTION


@pytest.mark.parametrize("streamed", [WHOLE, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize("stall", [Stall(), Stall(after_bytes=0), Stall(after_bytes=5)], ids=repr)
async def test_a_vendor_that_falls_silent_runs_out_of_time(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, stall: Stall
) -> None:
    vendor.add(Text("Hello.").with_fault(stall))
    error = await failure(provider, replace(chat_ask({}, streamed=streamed), timeout_s=0.1))
    assert error.fault is Fault.TIMEOUT
    await vendor.next_disconnect()


async def test_a_reader_that_leaves_closes_the_connection(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello there.").with_fault(Stall(after_events=2)))
    async with aclosing(provider.stream(chat_ask({}, streamed=True))) as batches:
        await anext(batches)
        reader = asyncio.ensure_future(anext(batches))
        await vendor.stalled()
        reader.cancel()
        await asyncio.wait([reader])
    assert (await vendor.next_disconnect()).disconnected


async def test_closing_the_generator_closes_the_connection(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello there.").with_fault(Stall(after_events=2)))
    async with aclosing(provider.stream(chat_ask({}, streamed=True))) as batches:
        await anext(batches)
        await vendor.stalled()
    vendor.release()
    await vendor.wait_idle()


async def test_a_connection_is_used_again(vendor: ScriptedVendor, provider: Provider) -> None:
    for streamed in (STREAM, WHOLE, STREAM):
        await chat_batches(provider, chat_ask({}, streamed=streamed))
        await vendor.wait_idle()
    assert {request.connection for request in vendor.requests} == {1}


async def test_an_unstreamed_answer_is_one_chunk_with_the_whole_of_it(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Let me look.") + ToolCall("weather", {"city": "Bern"}, id="call_1"))
    batches = await chat_batches(provider, chat_ask({}))
    rendered = CHAT_COMPLETION.render(fold_chat(chunks_of(batches)))
    assert len(batches) == 1
    assert rendered["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look.",
                "refusal": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bern"}'}}
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ]


@pytest.mark.parametrize(
    ("written", "finish_reason"),
    [("stop", "tool_calls"), ("tool_calls", "tool_calls"), ("length", "length"), ("content_filter", "content_filter")],
)
@pytest.mark.parametrize("streamed", [WHOLE, STREAM], ids=["whole", "stream"])
async def test_who_calls_tools_ends_with_calling_them(
    vendor: ScriptedVendor, provider: Provider, written: str, finish_reason: str, streamed: bool
) -> None:
    vendor.add(ToolCall("weather", {}, finish_reason=written))
    answer = await completion(provider, chat_ask({}, streamed=streamed))
    assert answer.choices[0].finish_reason == finish_reason


async def test_values_that_are_the_word_none_are_null_from_blackbox(vendor: ScriptedVendor) -> None:
    body = {
        "id": "gen_1",
        "object": "chat.completion",
        "created": 1790000000,
        "model": "m",
        "system_fingerprint": "None",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "None", "tool_calls": "None"}, "finish_reason": "stop"}
        ],
    }
    vendor.add(Raw(200, {"content-type": "application/json"}, orjson.dumps(body)))
    async with context("blackbox", base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        rendered = CHAT_COMPLETION.render(await completion(build(given), chat_ask({})))
    message = rendered["choices"][0]["message"]  # type: ignore[index]
    assert (rendered["system_fingerprint"], message["tool_calls"], message["content"]) == (None, None, "None")
