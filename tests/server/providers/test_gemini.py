"""The provider of Gemini's dialect against the scripted vendor: real HTTP, and the vendor's strictness."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from server.providers.base import Ask, Operation, Provider, ProviderContext
from server.providers.errors import Fault
from server.providers.gemini.kinds import KINDS
from server.providers.gemini.provider import build
from server.providers.gemini.signature import signature_of
from tests.fakes import gemini_answers
from tests.fakes.answers import Answer, Part, Raw, Refusal, Status, Text, Thinking, ToolCall, Usage
from tests.fakes.faults import (
    BadJson,
    Batch,
    Comments,
    Crlf,
    Cut,
    ErrorInStream,
    ErrorOn200,
    Gzip,
    HtmlOk,
    Malformed,
    NoDone,
    NoSpace,
    Reset,
    SplitBytes,
    Stall,
)
from tests.fakes.faults import Fault as WireFault
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import NOW, WEATHER, chat_ask, chat_batches, chunks_of, completion, context, failure
from trunkline_json import CHAT_COMPLETION

MODEL = "gemini-3-flash-preview"
USAGE = Usage(100, 20, cached_tokens=60, reasoning_tokens=5)
RICH = Thinking("Hm, well.") + Text("Let me look.") + ToolCall("weather", {"city": "Pärïs"}) + ToolCall("weather", id="b2")
TRANSCRIPT = Path(__file__).parent / "transcripts" / "gemini_text.sse"
EVENTS = {"content-type": "text/event-stream"}


@pytest.fixture
async def given(vendor: ScriptedVendor) -> AsyncIterator[ProviderContext]:
    async with context("gemini", base_url=f"{vendor.url}/v1beta", api_key=vendor.key) as given:
        yield given


@pytest.fixture
async def provider(given: ProviderContext) -> Provider:
    return build(given)


def ask(body: dict[str, object] | None = None, streamed: bool = False) -> Ask:
    return chat_ask(body or {}, MODEL, streamed)


def test_its_kind_is_found_by_the_usual_variables() -> None:
    (kind,) = KINDS
    assert (kind.type, kind.base_url) == ("gemini", "https://generativelanguage.googleapis.com/v1beta")
    assert kind.api_key_env == ("GEMINI_API_KEY", "GOOGLE_API_KEY", "PROXY_API_GEMINI_API_KEY")
    assert (kind.needs_key, kind.models) == (True, ("gemini-*",))


async def test_the_key_goes_in_its_header_and_never_in_the_address(vendor: ScriptedVendor, provider: Provider) -> None:
    await chat_batches(provider, ask())
    await chat_batches(provider, ask(streamed=True))
    whole, streamed = vendor.requests
    assert (whole.headers["x-goog-api-key"], whole.target) == (vendor.key, f"/v1beta/models/{MODEL}:generateContent")
    assert streamed.target == f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    assert "authorization" not in whole.headers


PATHS: dict[str, tuple[str, str | None, str, str]] = {
    "no version": ("", None, "gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro"),
    "its own version": ("/v1", None, "gemini-2.5-pro", "/v1/models/gemini-2.5-pro"),
    "the settings' version": ("/v1beta", "v1alpha", "gemini-2.5-pro", "/v1alpha/models/gemini-2.5-pro"),
    "a full name": ("/v1beta/", None, "models/gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro"),
    "a tuned model": ("", None, "tunedModels/mine-1", "/v1beta/tunedModels/mine-1"),
    "a name with a slash": ("", None, "a/../b", "/v1beta/models/a/../b"),
}


@pytest.mark.parametrize(("path", "version", "model", "expected"), PATHS.values(), ids=PATHS)
async def test_addresses(vendor: ScriptedVendor, path: str, version: str | None, model: str, expected: str) -> None:
    settings = {"base_url": vendor.url + path, "api_key": vendor.key, "api_version": version}
    async with context("gemini", **settings) as given:
        await chat_batches(build(given), chat_ask({}, model))
    assert vendor.requests[0].path == f"{expected}:generateContent"


async def test_headers_of_the_settings_replace_its_own(vendor: ScriptedVendor) -> None:
    headers = {"X-Goog-Api-Key": vendor.key, "x-goog-user-project": "p"}
    async with context("gemini", base_url=vendor.url, api_key="other", custom_headers=headers) as given:
        await chat_batches(build(given), ask())
    sent = vendor.requests[0].headers
    assert (sent["x-goog-api-key"], sent["x-goog-user-project"]) == (vendor.key, "p")


async def test_other_operations_are_not_its_own(provider: Provider) -> None:
    assert provider.operations == {Operation.CHAT, Operation.EMBEDDINGS}
    assert (await failure(provider, Ask(Operation.TEXT, ask().request, MODEL, streamed=False))).fault is Fault.UNSUPPORTED


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_arrives_whole(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    vendor.add(Answer(RICH.parts, usage=USAGE), Answer(RICH.parts, usage=USAGE))
    batches = await chat_batches(provider, ask(WEATHER, streamed))
    answer = await completion(provider, ask(WEATHER, streamed))
    (choice,) = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "tool_calls", "assistant")
    assert choice.message.content == "Let me look."
    assert choice.message.reasoning_content == "Hm, well."
    first, second = choice.message.tool_calls
    assert (first.type, first.function.name, first.function.arguments) == ("function", "weather", '{"city":"Pärïs"}')
    assert (second.id, second.function.arguments) == ("b2", "{}")
    assert first.id.startswith("call_")
    assert signature_of(first) == gemini_answers.signature_of(Thinking("Hm, well."))
    assert signature_of(second) == ""
    assert (answer.model, answer.create_time.seconds) == (MODEL, int(NOW))
    usage = batches[-1].usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, 120)
    assert (usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens) == (60, 5)


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_with_calls_goes_back_as_it_came(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    vendor.add(RICH, Text("Sunny.") + Thinking("Hm."))
    said = CHAT_COMPLETION.render(await completion(provider, ask(WEATHER, streamed)))
    message = json.loads(json.dumps(said))["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "sun"} for call in message["tool_calls"]]
    await chat_batches(provider, ask({"messages": [{"role": "user", "content": "Hello"}, message, *results], **WEATHER}))
    turn = vendor.requests[1].body["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in turn] == [
        None,
        gemini_answers.signature_of(Thinking("Hm, well.")),
        None,
    ]


async def test_an_unstreamed_answer_is_one_chunk_with_the_usage(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello", usage=USAGE))
    (batch,) = await chat_batches(provider, ask())
    (chunk,) = batch.chunks
    assert batch.finishing
    assert chunk.usage == batch.usage


async def test_a_stream_begins_with_the_role_and_ends_with_reason_and_usage(
    vendor: ScriptedVendor, provider: Provider
) -> None:
    vendor.add(Text("Hello there", usage=USAGE))
    batches = await chat_batches(provider, ask({"stream_options": {"include_usage": True}}, streamed=True))
    chunks = chunks_of(batches)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in chunks[:-1]] == ["Hello", " there", ""]
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == ["", "", "stop"]
    assert (list(chunks[-1].choices), chunks[-1].usage.total_tokens) == ([], 120)
    assert batches[-1].finishing
    assert not batches[0].finishing


@pytest.mark.parametrize("streamed", [False, True])
async def test_several_choices_are_told_apart(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    vendor.add(Text("Hello there"))
    answer = await completion(provider, ask({"n": 2}, streamed))
    assert [(choice.index, choice.message.content, choice.finish_reason) for choice in answer.choices] == [
        (0, "Hello there", "stop"),
        (1, "Hello there", "stop"),
    ]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("answer", "reason", "refusal"),
    [
        (Text("Hi", finish_reason="length"), "length", ""),
        (Text("", finish_reason="length"), "length", ""),
        (Refusal("Not this."), "content_filter", "Not this."),
        (Refusal(category="PROHIBITED_CONTENT"), "content_filter", ""),
    ],
    ids=["length", "length without content", "answer filtered", "prompt blocked"],
)
async def test_answers_end_for_openais_reasons(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, answer: Part, reason: str, refusal: str
) -> None:
    vendor.add(answer)
    choice = (await completion(provider, ask(streamed=streamed))).choices[0]
    assert (choice.message.role, choice.finish_reason, choice.message.refusal) == ("assistant", reason, refusal)


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_the_vendor_gave_up_is_an_error(
    vendor: ScriptedVendor, provider: Provider, streamed: bool
) -> None:
    vendor.add(Text("Hi", finish_reason="MALFORMED_FUNCTION_CALL"))
    assert (await failure(provider, ask(streamed=streamed))).fault is Fault.SERVER


@pytest.mark.parametrize(
    "faults",
    [
        (SplitBytes(1),),
        (Batch(),),
        (Batch(3),),
        (Crlf(), SplitBytes(1)),
        (NoSpace(),),
        (Comments(),),
        (Gzip(), SplitBytes(5)),
    ],
    ids=["byte by byte", "all at once", "three at once", "crlf", "no space", "comments", "gzip"],
)
async def test_a_stream_is_the_same_however_it_is_sent(
    vendor: ScriptedVendor, provider: Provider, faults: tuple[WireFault, ...]
) -> None:
    vendor.add(RICH, RICH.with_fault(*faults))
    wanted, sent = [
        [list(chunk.choices) for chunk in chunks_of(await chat_batches(provider, ask(WEATHER, streamed=True)))]
        for _ in range(2)
    ]
    for choices in (wanted, sent):
        for (choice,) in choices:
            for call in choice.delta.tool_calls:
                call.ClearField("id")
    assert sent == wanted


async def test_a_recorded_stream_gives_the_same_text_byte_by_byte(vendor: ScriptedVendor, provider: Provider) -> None:
    recorded = TRANSCRIPT.read_bytes()
    pieces = tuple(recorded[place : place + 1] for place in range(len(recorded)))
    vendor.add(Raw(200, EVENTS, (recorded,)), Raw(200, EVENTS, pieces))
    one, other = [await completion(provider, ask(streamed=True)) for _ in range(2)]
    assert one == other
    assert one.choices[0].message.content == "Grüß Gott, 世界 🌍!\n"


@pytest.mark.parametrize(
    ("fault", "streamed", "kind"),
    [
        (NoDone(), True, Fault.PROTOCOL),
        (Malformed(after_events=1), True, Fault.PROTOCOL),
        (HtmlOk(), True, Fault.PROTOCOL),
        (HtmlOk(), False, Fault.PROTOCOL),
        (BadJson(), True, Fault.PROTOCOL),
        (BadJson(), False, Fault.PROTOCOL),
        (Cut(after_events=2), True, Fault.CONNECTION),
        (Cut(after_events=4), True, Fault.CONNECTION),
        (Cut(after_events=2, whole_http=True), True, Fault.PROTOCOL),
        (Cut(after_bytes=20), False, Fault.CONNECTION),
        (Cut(), False, Fault.CONNECTION),
        (Reset(after_events=2), True, Fault.CONNECTION),
        (ErrorInStream(after_events=0), True, Fault.OVERLOADED),
        (ErrorInStream(after_events=2), True, Fault.OVERLOADED),
        (ErrorInStream(after_events=2, status=500, message="Internal"), True, Fault.SERVER),
        (ErrorOn200(status=503), True, Fault.OVERLOADED),
        (ErrorOn200(status=429), False, Fault.RATE_LIMITED),
    ],
)
async def test_a_broken_answer_is_an_error(
    vendor: ScriptedVendor, provider: Provider, fault: WireFault, streamed: bool, kind: Fault
) -> None:
    vendor.add(Text("Hello there, you").with_fault(fault))
    assert (await failure(provider, ask(streamed=streamed))).fault is kind


async def test_an_error_without_the_form_of_an_event_is_told(vendor: ScriptedVendor, provider: Provider) -> None:
    error = {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}
    first = b'data: {"candidates":[{"content":{"parts":[{"text":"Hi"}]}}]}\n\n'
    vendor.add(Raw(200, EVENTS, (first, json.dumps(error, indent=2).encode() + b"\n")))
    told = await failure(provider, ask(streamed=True))
    assert (told.fault, told.message) == (Fault.OVERLOADED, "Overloaded.")


async def test_a_wrong_key_is_an_authentication_error(vendor: ScriptedVendor) -> None:
    async with context("gemini", base_url=vendor.url, api_key="sk-wrong") as given:
        error = await failure(build(given), ask())
    assert (error.fault, error.status) == (Fault.AUTHENTICATION, 400)
    assert "sk-wrong" not in error.message


async def test_leaving_a_stream_closes_the_connection(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=1)))
    async with aclosing(provider.stream(ask(streamed=True))) as batches:
        await anext(batches)
    assert (await vendor.next_disconnect()).request.path == f"/v1beta/models/{MODEL}:streamGenerateContent"


async def test_chunks_arrive_before_the_stream_ends(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=1)))
    async with aclosing(provider.stream(ask(streamed=True))) as batches:
        first = await anext(batches)
        await vendor.stalled()
        vendor.release()
        rest = [batch async for batch in batches]
    assert first.chunks[0].choices[0].delta.content == "Hello"  # type: ignore[union-attr]
    assert rest[-1].finishing  # type: ignore[union-attr]


async def test_a_status_that_is_no_answer_is_an_error(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Status(302, headers={"location": "http://127.0.0.1:1/"}), Status(204))
    assert [(await failure(provider, ask())).fault for _ in range(2)] == [Fault.PROTOCOL] * 2
