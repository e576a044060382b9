"""The provider of Anthropic's dialect against the scripted vendor: real HTTP, and the vendor's strictness."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from server.providers.anthropic.kinds import KINDS
from server.providers.anthropic.provider import build
from server.providers.base import Ask, Operation, Provider, ProviderContext
from server.providers.errors import Fault
from server.providers.retry_after import retry_after_s
from tests.fakes.answers import Answer, Part, Raw, Refusal, Status, Text, Thinking, ToolCall, Usage
from tests.fakes.anthropic_answers import signature_of
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

MODEL = "claude-sonnet-4-5"
USAGE = Usage(100, 20, cached_tokens=60, cache_write_tokens=10, reasoning_tokens=5)
RICH = Thinking("Hm, well.") + Text("Let me look.") + ToolCall("weather", {"city": "Pärïs"}) + ToolCall("weather", {})
TRANSCRIPT = Path(__file__).parent / "transcripts" / "anthropic_text.sse"


@pytest.fixture
async def given(vendor: ScriptedVendor) -> AsyncIterator[ProviderContext]:
    async with context("anthropic", base_url=vendor.url, api_key=vendor.key) as given:
        yield given


@pytest.fixture
async def provider(given: ProviderContext) -> Provider:
    return build(given)


def ask(body: dict[str, object] | None = None, streamed: bool = False) -> Ask:
    return chat_ask(body or {}, MODEL, streamed)


def test_its_kind_is_found_by_the_usual_variables() -> None:
    (kind,) = KINDS
    assert (kind.type, kind.base_url, kind.needs_key) == ("anthropic", "https://api.anthropic.com", True)
    assert kind.api_key_env == ("ANTHROPIC_API_KEY", "PROXY_API_ANTHROPIC_API_KEY")


async def test_the_newest_version_takes_the_key_as_a_bearer_token(vendor: ScriptedVendor, provider: Provider) -> None:
    await chat_batches(provider, ask())
    headers = vendor.requests[0].headers
    assert (headers["anthropic-version"], headers["authorization"]) == ("2026-10-21", f"Bearer {vendor.key}")
    assert "x-api-key" not in headers


async def test_the_older_version_takes_the_key_as_its_own_header(vendor: ScriptedVendor, provider: Provider) -> None:
    await chat_batches(provider, ask({"temperature": 0.5}))
    headers = vendor.requests[0].headers
    assert (headers["anthropic-version"], headers["x-api-key"]) == ("2023-06-01", vendor.key)
    assert "authorization" not in headers


async def test_headers_of_the_settings_replace_its_own(vendor: ScriptedVendor) -> None:
    headers = {"Anthropic-Beta": "some-beta-2026-01-01", "AUTHORIZATION": f"Bearer {vendor.key}"}
    async with context("anthropic", base_url=f"{vendor.url}/v1", api_key="other", custom_headers=headers) as given:
        await chat_batches(build(given), ask())
    sent = vendor.requests[0].headers
    assert (sent["anthropic-beta"], sent["authorization"]) == ("some-beta-2026-01-01", f"Bearer {vendor.key}")
    assert vendor.requests[0].path == "/v1/messages"


async def test_other_operations_are_not_its_own(provider: Provider) -> None:
    assert provider.operations == {Operation.CHAT}
    assert (await failure(provider, Ask(Operation.TEXT, ask().request, MODEL, streamed=False))).fault is Fault.UNSUPPORTED


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_arrives_whole(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    vendor.add(Answer(RICH.parts, usage=USAGE))
    batches = await chat_batches(provider, ask(WEATHER, streamed))
    vendor.add(Answer(RICH.parts, usage=USAGE))
    answer = await completion(provider, ask(WEATHER, streamed))
    (choice,) = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "tool_calls", "assistant")
    assert choice.message.content == "Let me look."
    assert choice.message.reasoning_content == "Hm, well."
    (thought,) = choice.message.thinking_blocks
    assert (thought.type, thought.thinking, thought.signature) == (
        "thinking",
        "Hm, well.",
        signature_of(Thinking("Hm, well.")),
    )
    calls = [(call.type, call.function.name, call.function.arguments) for call in choice.message.tool_calls]
    assert calls == [("function", "weather", '{"city":"Pärïs"}'), ("function", "weather", "{}")]
    assert len({call.id for call in choice.message.tool_calls}) == 2
    assert (answer.model, answer.create_time.seconds, answer.service_tier) == (MODEL, int(NOW), "default")
    usage = batches[-1].usage if batches[-1].HasField("usage") else batches[-2].usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, 120)
    assert (usage.input_tokens_details.cached_tokens, usage.input_tokens_details.cache_write_tokens) == (60, 10)
    assert usage.output_tokens_details.reasoning_tokens == 5


async def test_an_unstreamed_answer_is_one_chunk_with_the_usage(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello", usage=USAGE))
    (batch,) = await chat_batches(provider, ask())
    (chunk,) = batch.chunks
    assert batch.finishing
    assert chunk.usage == batch.usage
    assert "stream" not in vendor.requests[0].body


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
    assert next(batch.finishing for batch in batches if batch.HasField("usage"))
    assert not any(batch.finishing for batch in batches[:-2])


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("answer", "reason", "refusal"),
    [
        (Text("Hi", finish_reason="length"), "length", ""),
        (Refusal("Not this.", category="cyber"), "content_filter", "Not this."),
    ],
    ids=["length", "refusal"],
)
async def test_answers_end_for_openais_reasons(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, answer: Part, reason: str, refusal: str
) -> None:
    vendor.add(answer)
    choice = (await completion(provider, ask(streamed=streamed))).choices[0]
    assert (choice.finish_reason, choice.message.refusal) == (reason, refusal)


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
    headers = {"content-type": "text/event-stream"}
    pieces = tuple(recorded[place : place + 1] for place in range(len(recorded)))
    vendor.add(Raw(200, headers, (recorded,)), Raw(200, headers, pieces))
    one, other = [await completion(provider, ask(streamed=True)) for _ in range(2)]
    assert one == other
    assert one.choices[0].message.content == "Grüß Gott, 世界 🌍!\n"


@pytest.mark.parametrize(
    ("fault", "streamed", "kind"),
    [
        (NoDone(), True, Fault.PROTOCOL),
        (Malformed(after_events=3), True, Fault.PROTOCOL),
        (HtmlOk(), True, Fault.PROTOCOL),
        (HtmlOk(), False, Fault.PROTOCOL),
        (BadJson(), True, Fault.PROTOCOL),
        (BadJson(), False, Fault.PROTOCOL),
        (Cut(after_events=4), True, Fault.CONNECTION),
        (Cut(after_events=4, whole_http=True), True, Fault.PROTOCOL),
        (Cut(after_bytes=20), False, Fault.CONNECTION),
        (Cut(), False, Fault.CONNECTION),
        (Reset(after_events=4), True, Fault.CONNECTION),
        (ErrorInStream(after_events=0), True, Fault.OVERLOADED),
        (ErrorInStream(after_events=4), True, Fault.OVERLOADED),
        (ErrorInStream(after_events=4, status=500, message="Internal"), True, Fault.SERVER),
        (ErrorOn200(status=529), True, Fault.OVERLOADED),
        (ErrorOn200(status=429), False, Fault.RATE_LIMITED),
    ],
)
async def test_a_broken_answer_is_an_error(
    vendor: ScriptedVendor, provider: Provider, fault: WireFault, streamed: bool, kind: Fault
) -> None:
    vendor.add(Text("Hello there, you").with_fault(fault))
    assert (await failure(provider, ask(streamed=streamed))).fault is kind


TOO_LONG = "prompt is too long: 210000 tokens > 200000 maximum"
OVER_LIMIT = "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(400), Fault.INVALID_REQUEST),
        (Status(400, message=TOO_LONG), Fault.CONTEXT_LENGTH),
        (Status(400, message=OVER_LIMIT), Fault.CONTEXT_LENGTH),
        (Status(400, message="Your credit balance is too low to access the API."), Fault.AUTHENTICATION),
        (Status(401), Fault.AUTHENTICATION),
        (Status(402), Fault.AUTHENTICATION),
        (Status(403), Fault.AUTHENTICATION),
        (Status(404), Fault.MODEL_NOT_FOUND),
        (Status(408), Fault.TIMEOUT),
        (Status(413, message=TOO_LONG), Fault.INVALID_REQUEST),
        (Status(418), Fault.INVALID_REQUEST),
        (Status(429, message=TOO_LONG), Fault.RATE_LIMITED),
        (Status(500, message=TOO_LONG), Fault.SERVER),
        (Status(502, body=b"<html>"), Fault.SERVER),
        (Status(503, body=b""), Fault.OVERLOADED),
        (Status(504), Fault.TIMEOUT),
        (Status(529), Fault.OVERLOADED),
        (Status(302, headers={"location": "http://127.0.0.1:1/"}), Fault.PROTOCOL),
        (Status(204), Fault.PROTOCOL),
    ],
    ids=lambda value: f"{value.status} {value.message[:6]}" if isinstance(value, Status) else value.name,
)
async def test_refusals_are_told_by_status_and_type(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, answer: Status, kind: Fault
) -> None:
    vendor.add(answer)
    error = await failure(provider, ask(streamed=streamed))
    assert (error.fault, error.status) == (kind, answer.status)
    assert error.message


async def test_the_vendors_words_are_handed_on(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Status(400, message="max_tokens: too many"))
    assert (await failure(provider, ask())).message == "max_tokens: too many"


async def test_a_spent_budget_is_no_matter_of_waiting(vendor: ScriptedVendor, provider: Provider) -> None:
    details = {"error_code": "enforced_spend_limit_reached"}
    error = {"type": "rate_limit_error", "message": "Spent.", "details": details}
    vendor.add(Status(429, body={"type": "error", "error": error}))
    assert (await failure(provider, ask())).fault is Fault.AUTHENTICATION


async def test_it_says_when_to_come_back(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Status(429, headers={"retry-after": "7"}), Status(529, headers={"retry-after": "7", "retry-after-ms": "250"}))
    assert [(await failure(provider, ask())).retry_after_s for _ in range(2)] == [7, 0.25]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "999999"}, 86_400),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:30 GMT"}, 10),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:00 GMT"}, 0),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3),
    ],
)
def test_times_to_come_back_are_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, 1_790_000_000) == seconds


async def test_a_wrong_key_is_an_authentication_error(vendor: ScriptedVendor) -> None:
    async with context("anthropic", base_url=vendor.url, api_key="sk-wrong") as given:
        error = await failure(build(given), ask())
    assert error.fault is Fault.AUTHENTICATION
    assert "sk-wrong" not in error.message


async def test_leaving_a_stream_closes_the_connection(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=4)))
    async with aclosing(provider.stream(ask(streamed=True))) as batches:
        await anext(batches)
    assert (await vendor.next_disconnect()).request.path == "/v1/messages"


async def test_chunks_arrive_before_the_stream_ends(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=4)))
    async with aclosing(provider.stream(ask(streamed=True))) as batches:
        first = await anext(batches)
        await vendor.stalled()
        vendor.release()
        rest = [batch async for batch in batches]
    assert first.chunks[0].choices[0].delta.role == "assistant"  # type: ignore[union-attr]
    assert rest[-1].finishing  # type: ignore[union-attr]
