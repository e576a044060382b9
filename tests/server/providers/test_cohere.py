"""Cohere's dialect over real HTTP: keys, answers, streams, refusals, the list of models and the check of a key."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from server.providers.base import Ask, ListedModel, Operation, Provider, ProviderContext
from server.providers.cohere.kinds import KINDS
from server.providers.cohere.provider import build
from server.providers.errors import Fault, ProviderError
from tests.fakes.answers import Answer, Raw, Status, Text, Thinking, ToolCall, Usage
from tests.fakes.faults import (
    BadJson,
    Batch,
    Comments,
    Crlf,
    Cut,
    DuplicateKeys,
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

MODEL = "command-a-03-2025"
USAGE = Usage(100, 20, cached_tokens=60)
RICH = Thinking("Hm, well.") + Text("Let me look.") + ToolCall("weather", {"city": "Pärïs"}) + ToolCall("weather", {})
TRANSCRIPT = Path(__file__).parent / "transcripts" / "cohere_text.sse"
STREAM = {"content-type": "text/event-stream"}


@pytest.fixture
async def given(vendor: ScriptedVendor) -> AsyncIterator[ProviderContext]:
    async with context("cohere", base_url=vendor.url, api_key=vendor.key) as given:
        yield given


@pytest.fixture
async def provider(given: ProviderContext) -> Provider:
    return build(given)


def ask(body: dict[str, object] | None = None, streamed: bool = False) -> Ask:
    return chat_ask(body or {}, MODEL, streamed)


def test_its_kind_is_found_by_the_usual_variables() -> None:
    (kind,) = KINDS
    assert (kind.type, kind.base_url, kind.needs_key) == ("cohere", "https://api.cohere.com", True)
    assert kind.api_key_env == ("CO_API_KEY", "COHERE_API_KEY", "PROXY_API_COHERE_API_KEY")


@pytest.mark.parametrize("version", ["", "/", "/v1", "/v2"])
async def test_it_asks_the_second_version_with_a_bearer_token(vendor: ScriptedVendor, version: str) -> None:
    async with context("cohere", base_url=f"{vendor.url}{version}", api_key=vendor.key) as given:
        await chat_batches(build(given), ask())
    (request,) = vendor.requests
    assert (request.method, request.path) == ("POST", "/v2/chat")
    assert (request.headers["authorization"], request.headers["x-client-name"]) == (f"Bearer {vendor.key}", "trunkline")
    assert request.body["model"] == MODEL


async def test_headers_of_the_settings_replace_its_own(vendor: ScriptedVendor) -> None:
    headers = {"x-client-NAME": "mine", "AUTHORIZATION": f"Bearer {vendor.key}"}
    async with context("cohere", base_url=vendor.url, api_key="other", custom_headers=headers) as given:
        await chat_batches(build(given), ask())
    assert vendor.requests[0].headers["x-client-name"] == "mine"


@pytest.mark.parametrize("operation", [Operation.TEXT, Operation.IMAGES])
async def test_other_operations_are_not_its_own(provider: Provider, operation: Operation) -> None:
    assert provider.operations == {Operation.CHAT, Operation.EMBEDDINGS}
    assert (await failure(provider, Ask(operation, ask().request, MODEL, streamed=False))).fault is Fault.UNSUPPORTED


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
    assert (answer.id, answer.model, answer.create_time.seconds) == ("c2", MODEL, int(NOW))
    usage = batches[-1].usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, 120)
    assert usage.input_tokens_details.cached_tokens == 60
    assert usage.extra_json == '{"billed_units":{"input_tokens":96,"output_tokens":20}}'


async def test_an_unstreamed_answer_is_one_chunk_with_the_usage(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello", usage=USAGE))
    (batch,) = await chat_batches(provider, ask())
    (chunk,) = batch.chunks
    assert batch.finishing
    assert chunk.usage == batch.usage
    assert vendor.requests[0].body["stream"] is False


async def test_a_plan_citations_and_likelihoods_are_carried(vendor: ScriptedVendor, provider: Provider) -> None:
    message = {
        "role": "assistant",
        "tool_plan": "I will ask.",
        "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Rain."}],
        "citations": [{"start": 0, "end": 4, "text": "Rain", "sources": []}],
    }
    logprobs = [{"token_ids": [1, 2], "text": "Rain.", "logprobs": [-0.5, -0.25]}]
    answer = {"id": "a", "finish_reason": "COMPLETE", "message": message, "logprobs": logprobs}
    vendor.add(Status(200, body=answer))
    (choice,) = (await completion(provider, ask())).choices
    assert (choice.message.reasoning_content, choice.message.content) == ("Hm.\n\nI will ask.", "Rain.")
    assert choice.message.extra_json == '{"citations":[{"start":0,"end":4,"text":"Rain","sources":[]}]}'
    (piece,) = choice.logprobs.content
    assert (piece.token, piece.logprob) == ("Rain.", -0.75)


async def test_a_stream_begins_with_the_role_and_ends_with_reason_and_usage(
    vendor: ScriptedVendor, provider: Provider
) -> None:
    vendor.add(Text("Hello there", usage=USAGE))
    batches = await chat_batches(provider, ask({"stream_options": {"include_usage": True}}, streamed=True))
    chunks = chunks_of(batches)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in chunks[1:-2]] == ["Hello", " there"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (list(chunks[-1].choices), chunks[-1].usage.total_tokens) == ([], 120)
    assert [batch.finishing for batch in batches] == [batch.HasField("usage") for batch in batches]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("said", "fault"), [("ERROR", Fault.SERVER), ("TIMEOUT", Fault.TIMEOUT), ("ERROR_LIMIT", Fault.CONTEXT_LENGTH)]
)
async def test_an_answer_that_ended_because_of_a_failure_is_an_error(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, said: str, fault: Fault
) -> None:
    vendor.add(Text("Hi", finish_reason=said))
    assert (await failure(provider, ask(streamed=streamed))).fault is fault


@pytest.mark.parametrize("streamed", [False, True])
async def test_answers_end_for_openais_reasons(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    vendor.add(Text("Hi", finish_reason="length"), Text("Hi", finish_reason="STOP_SEQUENCE"))
    reasons = [(await completion(provider, ask(streamed=streamed))).choices[0].finish_reason for _ in range(2)]
    assert reasons == ["length", "stop"]


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
        (DuplicateKeys(),),
    ],
    ids=["byte by byte", "all at once", "three at once", "crlf", "no space", "comments", "gzip", "duplicate keys"],
)
async def test_a_stream_is_the_same_however_it_is_sent(
    vendor: ScriptedVendor, provider: Provider, faults: tuple[WireFault, ...]
) -> None:
    parts = (*RICH.parts[:2], ToolCall("weather", {"city": "Bern"}, id="c1"))
    vendor.add(Answer(parts), Answer(parts).with_fault(*faults))
    wanted, sent = [
        [list(chunk.choices) for chunk in chunks_of(await chat_batches(provider, ask(WEATHER, streamed=True)))]
        for _ in range(2)
    ]
    assert sent == wanted


async def test_a_recorded_stream_gives_the_same_text_byte_by_byte(vendor: ScriptedVendor, provider: Provider) -> None:
    recorded = TRANSCRIPT.read_bytes()
    pieces = tuple(recorded[place : place + 1] for place in range(len(recorded)))
    vendor.add(Raw(200, STREAM, (recorded,)), Raw(200, STREAM, pieces))
    one, other = [await completion(provider, ask(streamed=True)) for _ in range(2)]
    assert one == other
    assert one.choices[0].message.content == "Grüß Gott, 世界 🌍!\n"


@pytest.mark.parametrize(
    ("fault", "streamed", "kind"),
    [
        (NoDone(), True, Fault.PROTOCOL),
        (Malformed(after_events=2), True, Fault.PROTOCOL),
        (HtmlOk(), True, Fault.PROTOCOL),
        (HtmlOk(), False, Fault.PROTOCOL),
        (BadJson(), True, Fault.PROTOCOL),
        (BadJson(), False, Fault.PROTOCOL),
        (Cut(after_events=4), True, Fault.CONNECTION),
        (Cut(after_events=4, whole_http=True), True, Fault.PROTOCOL),
        (Cut(after_bytes=20), False, Fault.CONNECTION),
        (Cut(), False, Fault.CONNECTION),
        (Reset(after_events=4), True, Fault.CONNECTION),
        (ErrorInStream(after_events=0), True, Fault.PROTOCOL),
        (ErrorInStream(after_events=1), True, Fault.SERVER),
        (ErrorInStream(after_events=4, status=504), True, Fault.TIMEOUT),
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
    vendor.add(Text("Hello there, you").with_fault(Cut(after_events=7)))
    assert (await completion(provider, ask(streamed=True))).choices[0].message.content == "Hello there, you"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(400), Fault.INVALID_REQUEST),
        (Status(400, message="too many tokens: size limit exceeded by 11 tokens."), Fault.CONTEXT_LENGTH),
        (Status(400, message="max tokens must be less than or equal to 4096, got 9000."), Fault.CONTEXT_LENGTH),
        (Status(401), Fault.AUTHENTICATION),
        (Status(402), Fault.AUTHENTICATION),
        (Status(403), Fault.AUTHENTICATION),
        (Status(404), Fault.MODEL_NOT_FOUND),
        (Status(408), Fault.TIMEOUT),
        (Status(418), Fault.INVALID_REQUEST),
        (Status(422), Fault.INVALID_REQUEST),
        (Status(429, message="too many tokens"), Fault.RATE_LIMITED),
        (Status(498), Fault.CONTENT_FILTER),
        (Status(499), Fault.SERVER),
        (Status(500, message="too many tokens"), Fault.SERVER),
        (Status(501), Fault.UNSUPPORTED),
        (Status(502, body=b"<html>"), Fault.SERVER),
        (Status(503, body=b""), Fault.OVERLOADED),
        (Status(504), Fault.TIMEOUT),
        (Status(302, headers={"location": "http://127.0.0.1:1/"}), Fault.PROTOCOL),
        (Status(204), Fault.PROTOCOL),
    ],
    ids=lambda value: f"{value.status} {value.message[:6]}" if isinstance(value, Status) else value.name,
)
async def test_refusals_are_told_by_status(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, answer: Status, kind: Fault
) -> None:
    vendor.add(answer)
    error = await failure(provider, ask(streamed=streamed))
    assert (error.fault, error.status) == (kind, answer.status)
    assert error.message


async def test_the_vendors_words_are_handed_on_with_when_to_come_back(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Status(429, message="You are using a Trial key.", headers={"retry-after": "7"}))
    error = await failure(provider, ask())
    assert (error.message, error.retry_after_s) == ("You are using a Trial key.", 7)


async def test_leaving_a_stream_closes_the_connection(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=3)))
    async with aclosing(provider.stream(ask(streamed=True))) as batches:
        await anext(batches)
    assert (await vendor.next_disconnect()).request.path == "/v2/chat"


async def test_chunks_arrive_before_the_stream_ends(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=3)))
    async with aclosing(provider.stream(ask(streamed=True))) as batches:
        first = await anext(batches)
        await vendor.stalled()
        vendor.release()
        rest = [batch async for batch in batches]
    assert first.chunks[0].choices[0].delta.role == "assistant"  # type: ignore[union-attr]
    assert rest[-1].finishing  # type: ignore[union-attr]


@pytest.mark.parametrize("names", [(), tuple(f"command-{number}" for number in range(2500))], ids=["none", "three pages"])
async def test_it_lists_the_models_of_all_pages(names: tuple[str, ...]) -> None:
    async with ScriptedVendor(models=names) as vendor, context("cohere", base_url=vendor.url, api_key=vendor.key) as given:
        found = await build(given).models(5)
    assert tuple(model.id for model in found) == names
    assert [request.query.get("page_token") for request in vendor.requests] == [None, "1000", "2000"][
        : len(names) // 800 or 1
    ]


async def test_a_listed_model_says_what_the_vendor_says_of_it() -> None:
    async with (
        ScriptedVendor(models=("command-a", "embed-v4.0")) as vendor,
        context("cohere", base_url=vendor.url, api_key=vendor.key) as given,
    ):
        found = await build(given).models(5)
    chats, embeds = frozenset({"chat", "text", "tools", "json_schema"}), frozenset({"embeddings"})
    assert list(found) == [
        ListedModel("command-a", owned_by="cohere", context_window=288_000, capabilities=chats),
        ListedModel("embed-v4.0", owned_by="cohere", context_window=512, capabilities=embeds),
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(401), Fault.AUTHENTICATION),
        (Status(200, body={"models": "none"}), Fault.PROTOCOL),
        (Status(200, body=b"<html>"), Fault.PROTOCOL),
    ],
    ids=["refused", "no list", "no json"],
)
async def test_a_list_of_models_that_is_none_is_an_error(
    vendor: ScriptedVendor, provider: Provider, answer: Status, kind: Fault
) -> None:
    vendor.add(answer, path="/v1/models")
    with pytest.raises(ProviderError) as raised:
        await provider.models(5)
    assert raised.value.fault is kind


async def test_a_list_that_never_ends_is_an_error(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(*[Status(200, body={"models": [], "next_page_token": "again"})] * 100, path="/v1/models")
    with pytest.raises(ProviderError) as raised:
        await provider.models(20)
    assert raised.value.fault is Fault.PROTOCOL


async def test_a_good_key_is_checked_for_nothing(vendor: ScriptedVendor, provider: Provider) -> None:
    await provider.check(5)
    assert [(request.method, request.path) for request in vendor.requests] == [("POST", "/v1/check-api-key")]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(401), Fault.AUTHENTICATION),
        (Status(503), Fault.OVERLOADED),
        (Status(200, body={"valid": False}), Fault.AUTHENTICATION),
        (Status(200, body={}), Fault.PROTOCOL),
    ],
    ids=["refused", "overloaded", "not valid", "says nothing"],
)
async def test_a_key_that_is_not_good_fails_the_check(
    vendor: ScriptedVendor, provider: Provider, answer: Status, kind: Fault
) -> None:
    vendor.add(answer, path="/v1/check-api-key")
    with pytest.raises(ProviderError) as raised:
        await provider.check(5)
    assert raised.value.fault is kind
