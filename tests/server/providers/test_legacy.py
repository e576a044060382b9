"""The older forms over real HTTP: what each vendor is asked, what comes of its answers, streams and refusals."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import cast

import pytest

from server.config.provider_kind import find_kind
from server.dispatch.fold import fold_chat, fold_text
from server.providers.base import Ask, Operation, Provider
from server.providers.errors import Fault, ProviderError
from server.providers.legacy.kinds import LEGACY
from server.providers.legacy.provider import Legacy
from server.providers.loader import build_provider, provider_kinds
from tests.fakes.answers import Raw, Status, Text, Usage
from tests.fakes.faults import BadJson, Cut, ErrorInStream, ErrorOn200, HtmlOk, Malformed, NoDone, SplitBytes, Stall
from tests.fakes.faults import Fault as WireFault
from tests.fakes.http1_request import Request
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import NOW, chat_ask, chat_batches, chunks_of, completion, context
from trunkline.v1.completion_service_pb2 import StreamTextCompletionResponse
from trunkline.v1.text_pb2 import TextCompletion
from trunkline_json import TEXT_REQUEST

MODEL = "old-model"
STREAMING = ("anthropic", "cohere")
SOURCES = '{"perplexity_sources":[{"title":"Bern","url":"https://example.com/bern"}]}'
TALK: list[object] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi."},
    {"role": "user", "content": [{"type": "text", "text": "How "}, {"type": "text", "text": "are you?"}]},
]
every_form = pytest.mark.parametrize("name", LEGACY)
every_stream = pytest.mark.parametrize("name", STREAMING)


@asynccontextmanager
async def legacy(vendor: ScriptedVendor, name: str, **settings: object) -> AsyncIterator[Provider]:
    given = {"base_url": f"{vendor.url}/v1", "api_key": vendor.key, "dialect": "legacy", **settings}
    async with context(name, **given) as made:
        yield build_provider(made)


async def sent(vendor: ScriptedVendor, name: str, body: dict[str, object], **settings: object) -> Request:
    """The request that a chat becomes."""
    async with legacy(vendor, name, **settings) as provider:
        await chat_batches(provider, chat_ask(body, MODEL))
    return vendor.requests[-1]


async def refused(vendor: ScriptedVendor, name: str, body: dict[str, object], **settings: object) -> tuple[Fault, str]:
    async with legacy(vendor, name, **settings) as provider:
        with pytest.raises(ProviderError) as raised:
            await chat_batches(provider, chat_ask(body, MODEL))
    return raised.value.fault, raised.value.param


async def failure(vendor: ScriptedVendor, name: str, streamed: bool) -> ProviderError:
    async with legacy(vendor, name) as provider:
        with pytest.raises(ProviderError) as raised:
            await chat_batches(provider, chat_ask({}, MODEL, streamed))
    return raised.value


def text_ask(body: dict[str, object], streamed: bool = False) -> Ask:
    request = TEXT_REQUEST.parse({"model": "alias", "prompt": "Once", **body}, strict=True)
    return Ask(Operation.TEXT, request, MODEL, streamed, timeout_s=20)


async def completed(provider: Provider, ask: Ask) -> TextCompletion:
    async with aclosing(provider.stream(ask)) as batches:
        texts = [cast(StreamTextCompletionResponse, batch) async for batch in batches]
    return fold_text([chunk for batch in texts for chunk in batch.chunks])


def test_a_row_reaches_the_older_form_by_its_dialect_alone() -> None:
    kinds = provider_kinds()
    assert {kind.type for kind in kinds if kind.legacy} == {"anthropic", "cohere", "grok", "perplexity"} == set(LEGACY)
    echo, grok = find_kind(kinds, "echo"), find_kind(kinds, "xai")
    assert echo is not None
    assert grok is not None
    assert (echo.legacy, grok.legacy) == (False, True)


@every_form
async def test_a_row_of_the_current_dialect_does_not_speak_the_older_form(vendor: ScriptedVendor, name: str) -> None:
    async with context(name, base_url=vendor.url, api_key=vendor.key) as given:
        assert not isinstance(build_provider(given), Legacy)
    async with legacy(vendor, name) as provider:
        assert isinstance(provider, Legacy)
        assert provider.operations == {Operation.CHAT, Operation.TEXT}


BODIES: dict[str, tuple[str, dict[str, object]]] = {
    "anthropic": (
        "/v1/complete",
        {
            "prompt": "Be brief.\n\nHuman: Hello\n\nAssistant: Hi.\n\nHuman: How are you?\n\nAssistant:",
            "max_tokens_to_sample": 100,
            "stop_sequences": ["\n\nHuman:", "Human:"],
        },
    ),
    "cohere": (
        "/v1/generate",
        {
            "prompt": "System: Be brief.\n\nUser: Hello\n\nAssistant: Hi.\n\nUser: How are you?\n\nAssistant: ",
            "max_tokens": 100,
        },
    ),
    "grok": (
        "/v1/complete",
        {"prompt": "System: Be brief.\nUser: Hello\nAssistant: Hi.\nUser: How are you?\nAssistant: ", "max_tokens": 100},
    ),
    "perplexity": ("/v1/ask", {"query": "How are you?", "max_tokens": 100}),
}


@pytest.mark.parametrize(("name", "path", "body"), [(name, *wanted) for name, wanted in BODIES.items()], ids=BODIES)
async def test_a_conversation_becomes_one_text(
    vendor: ScriptedVendor, name: str, path: str, body: dict[str, object]
) -> None:
    request = await sent(vendor, name, {"messages": TALK, "max_tokens": 100})
    assert (request.method, request.path, request.body) == ("POST", path, {"model": MODEL, **body})


HEADERS: dict[str, dict[str, str]] = {
    "anthropic": {"x-api-key": "sk-scripted", "anthropic-version": "2023-06-01"},
    "cohere": {"authorization": "Bearer sk-scripted"},
    "grok": {"authorization": "Bearer sk-scripted"},
    "perplexity": {"x-perplexity-api-key": "sk-scripted"},
}


@pytest.mark.parametrize(("name", "headers"), HEADERS.items(), ids=HEADERS)
async def test_the_key_goes_in_the_header_of_the_form_and_in_no_other(
    vendor: ScriptedVendor, name: str, headers: dict[str, str]
) -> None:
    request = await sent(vendor, name, {})
    assert {key: value for key, value in request.headers.items() if key.lower() in headers} != {}
    assert {key: request.headers[key] for key in headers} == headers
    assert sum(vendor.key in value for value in request.headers.values()) == 1


async def test_headers_of_the_settings_replace_its_own(vendor: ScriptedVendor) -> None:
    request = await sent(vendor, "perplexity", {}, api_key="other", custom_headers={"X-Perplexity-API-Key": vendor.key})
    assert request.headers["x-perplexity-api-key"] == vendor.key


PARAMETERS: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "anthropic's": (
        "anthropic",
        {"temperature": 1.5, "top_p": 0.5, "top_k": 3, "stop": ["END", " "], "user": "u1"},
        {"temperature": 1, "top_p": 0.5, "top_k": 3, "metadata": {"user_id": "u1"}},
    ),
    "cohere's": (
        "cohere",
        {"temperature": 1.5, "top_p": 1, "top_k": 3, "stop": "END", "seed": 7, "frequency_penalty": 2, "user": "u1"},
        {"temperature": 1.5, "p": 0.99, "k": 3, "end_sequences": ["END"], "seed": 7, "frequency_penalty": 1},
    ),
    "grok's": ("grok", {"temperature": 0.5, "stop": "END", "user": "u1"}, {}),
    "perplexity's": ("perplexity", {"temperature": 0.5, "seed": 7, "user": "u1"}, {}),
    "the newer limit": ("grok", {"max_completion_tokens": 7}, {"max_tokens": 7}),
}


@pytest.mark.parametrize(("name", "given", "expected"), PARAMETERS.values(), ids=PARAMETERS)
async def test_parameters(vendor: ScriptedVendor, name: str, given: dict[str, object], expected: dict[str, object]) -> None:
    plain = (await sent(vendor, name, {})).body
    body = (await sent(vendor, name, given)).body
    stops = {"stop_sequences": [*plain["stop_sequences"], "END"]} if name == "anthropic" else {}
    assert body == {**plain, **expected, **stops}


@pytest.mark.parametrize(
    ("name", "given", "param"),
    [
        ("anthropic", {"seed": 7}, "seed"),
        ("anthropic", {"reasoning_effort": "low"}, "reasoning_effort"),
        ("cohere", {"logit_bias": {"1": 2}}, "logit_bias"),
        ("grok", {"temperature": 0.5}, "temperature"),
        ("perplexity", {"stop": "END"}, "stop"),
    ],
)
async def test_what_a_form_does_not_have_is_refused_where_the_settings_say_so(
    vendor: ScriptedVendor, name: str, given: dict[str, object], param: str
) -> None:
    assert await refused(vendor, name, given, unsupported_parameters="reject") == (Fault.UNSUPPORTED, param)
    assert (await sent(vendor, name, given)).body == (await sent(vendor, name, {})).body


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


@every_form
@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"n": 2}, "n"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages.content"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [CALL]}]}, "messages"),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "a"}]}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
    ],
    ids=["tools", "choices", "json", "image", "call", "result", "nothing"],
)
async def test_what_plain_text_cannot_carry_is_always_refused(
    vendor: ScriptedVendor, name: str, given: dict[str, object], param: str
) -> None:
    assert await refused(vendor, name, given) == (Fault.UNSUPPORTED, param)
    assert vendor.requests == []


async def test_a_question_is_needed_where_only_a_question_is_sent(vendor: ScriptedVendor) -> None:
    turns = [{"role": "system", "content": "Be brief."}]
    assert await refused(vendor, "perplexity", {"messages": turns}) == (Fault.UNSUPPORTED, "messages")


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("anthropic", "\n\nHuman: (The conversation begins.)\n\nAssistant: Once upon"),
        ("cohere", "Assistant: Once upon "),
        ("grok", "Assistant: Once upon "),
    ],
)
async def test_an_answer_that_has_begun_is_gone_on_with(vendor: ScriptedVendor, name: str, prompt: str) -> None:
    request = await sent(vendor, name, {"messages": [{"role": "assistant", "content": "Once upon "}]})
    assert request.body["prompt"] == prompt


async def test_the_settings_limit_an_answer_that_the_caller_does_not(vendor: ScriptedVendor) -> None:
    assert (await sent(vendor, "grok", {}, default_max_tokens=9)).body["max_tokens"] == 9
    assert (await sent(vendor, "anthropic", {})).body["max_tokens_to_sample"] == 1024


@every_form
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_chat_answer_arrives_whole(vendor: ScriptedVendor, name: str, streamed: bool) -> None:
    vendor.add(Text("Grüß Gott, 世界"))
    async with legacy(vendor, name) as provider:
        batches = await chat_batches(provider, chat_ask({}, MODEL, streamed))
    answer = fold_chat(chunks_of(batches))
    (choice,) = answer.choices
    assert (choice.index, choice.message.role, choice.finish_reason) == (0, "assistant", "stop")
    assert choice.message.content == "Grüß Gott, 世界"
    assert (answer.model, answer.create_time.seconds) == (MODEL, int(NOW))
    assert answer.id
    assert [batch.finishing for batch in batches] == [False] * (len(batches) - 1) + [True]
    assert (answer.extra_json == SOURCES) == (name == "perplexity")
    assert vendor.requests[0].body.get("stream", False) == (streamed and name in STREAMING)


@every_form
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_text_completion_arrives_whole(vendor: ScriptedVendor, name: str, streamed: bool) -> None:
    vendor.add(Text("upon a time"))
    async with legacy(vendor, name) as provider:
        answer = await completed(provider, text_ask({}, streamed))
    assert [(choice.index, choice.text, choice.finish_reason) for choice in answer.choices] == [(0, "upon a time", "stop")]
    prompts = {"anthropic": "\n\nHuman: Once\n\nAssistant:"}
    body = vendor.requests[0].body
    assert body.get("prompt", body.get("query")) == prompts.get(name, "Once")


async def test_a_prompt_in_anthropics_form_is_sent_as_it_is(vendor: ScriptedVendor) -> None:
    prompt = "\n\nHuman: Hello\n\nAssistant: Well,"
    async with legacy(vendor, "anthropic") as provider:
        await completed(provider, text_ask({"prompt": [prompt]}))
    assert vendor.requests[0].body["prompt"] == prompt


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], ""], ids=["two", "tokens", "nothing"])
async def test_prompts_that_are_not_one_text_are_refused(vendor: ScriptedVendor, prompt: object) -> None:
    async with legacy(vendor, "cohere") as provider:
        with pytest.raises(ProviderError) as raised:
            await completed(provider, text_ask({"prompt": prompt}))
    assert (raised.value.fault, raised.value.param) == (Fault.UNSUPPORTED, "prompt")


@pytest.mark.parametrize("name", ["cohere", "perplexity"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_usage_is_told_where_the_vendor_tells_it(vendor: ScriptedVendor, name: str, streamed: bool) -> None:
    vendor.add(Text("Hello there", usage=Usage(7, 3)))
    body: dict[str, object] = {"stream_options": {"include_usage": True}} if streamed else {}
    async with legacy(vendor, name) as provider:
        batches = await chat_batches(provider, chat_ask(body, MODEL, streamed))
    usage = batches[-1].usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (7, 3, 10)
    assert chunks_of(batches)[-1].usage == usage


@every_form
async def test_a_limit_that_was_reached_is_the_finish_reason(vendor: ScriptedVendor, name: str) -> None:
    told = name in ("anthropic", "grok")
    vendor.add(Text("Hello there", usage=Usage(7, 5), finish_reason="length" if told else None))
    if name == "perplexity":
        vendor.add(Status(200, body={"answer": "Hello", "finish_reason": "length"}), path="/v1/ask")
    async with legacy(vendor, name) as provider:
        answer = await completion(provider, chat_ask({"max_tokens": 5}, MODEL))
    assert answer.choices[0].finish_reason == "length"


GROK_ANSWERS: dict[str, dict[str, object]] = {
    "completion": {"completion": "Hi", "stop_reason": "stop_sequence"},
    "choices": {"choices": [{"text": "Hi", "index": 0, "finish_reason": "stop"}]},
    "text": {"text": "Hi"},
}


@pytest.mark.parametrize("body", GROK_ANSWERS.values(), ids=GROK_ANSWERS)
async def test_groks_answers_are_read_in_each_shape(vendor: ScriptedVendor, body: dict[str, object]) -> None:
    vendor.add(Status(200, body=body))
    async with legacy(vendor, "grok") as provider:
        answer = await completion(provider, chat_ask({}, MODEL))
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hi", "stop")


@every_form
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Fault.INVALID_REQUEST),
        (401, Fault.AUTHENTICATION),
        (404, Fault.MODEL_NOT_FOUND),
        (429, Fault.RATE_LIMITED),
        (500, Fault.SERVER),
        (503, Fault.OVERLOADED),
    ],
)
async def test_refusals_are_told_by_status(
    vendor: ScriptedVendor, name: str, streamed: bool, status: int, kind: Fault
) -> None:
    vendor.add(Status(status, message="No.", headers={"retry-after": "7"}))
    error = await failure(vendor, name, streamed)
    assert (error.fault, error.status, error.message, error.retry_after_s) == (kind, status, "No.", 7)


@every_form
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", [HtmlOk(), BadJson()], ids=["html", "half"])
async def test_what_is_no_answer_is_an_error(vendor: ScriptedVendor, name: str, streamed: bool, fault: WireFault) -> None:
    vendor.add(Text("Hello").with_fault(fault))
    assert (await failure(vendor, name, streamed)).fault is Fault.PROTOCOL


@every_form
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_an_error_that_comes_with_success_is_an_error(vendor: ScriptedVendor, name: str, streamed: bool) -> None:
    vendor.add(Text("Hello").with_fault(ErrorOn200(message="Broken.", status=500)))
    error = await failure(vendor, name, streamed)
    assert (error.fault, error.message) == (Fault.SERVER, "Broken.")


@every_stream
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (NoDone(), Fault.PROTOCOL),
        (Cut(after_events=2), Fault.CONNECTION),
        (Cut(after_events=2, whole_http=True), Fault.PROTOCOL),
        (ErrorInStream(after_events=0, status=500), Fault.SERVER),
        (ErrorInStream(after_events=2, status=500), Fault.SERVER),
    ],
)
async def test_a_broken_stream_is_an_error(vendor: ScriptedVendor, name: str, fault: WireFault, kind: Fault) -> None:
    vendor.add(Text("Hello there, you").with_fault(fault))
    assert (await failure(vendor, name, streamed=True)).fault is kind


async def test_a_malformed_event_is_an_error(vendor: ScriptedVendor) -> None:
    vendor.add(Text("Hello there").with_fault(Malformed(after_events=2)))
    assert (await failure(vendor, "anthropic", streamed=True)).fault is Fault.PROTOCOL


async def test_sources_that_are_nested_too_deeply_are_an_error(vendor: ScriptedVendor) -> None:
    deep = b'{"answer":"Hi.","perplexity_sources":[%b]}' % (b'{"a":' * 300 + b"1" + b"}" * 300)
    vendor.add(Raw(200, {"content-type": "application/json"}, deep))
    assert (await failure(vendor, "perplexity", streamed=False)).fault is Fault.PROTOCOL


@every_stream
async def test_a_stream_is_the_same_byte_by_byte(vendor: ScriptedVendor, name: str) -> None:
    vendor.add(Text("Grüß Gott, 世界"), Text("Grüß Gott, 世界").with_fault(SplitBytes(1)))
    async with legacy(vendor, name) as provider:
        one, other = [
            [chunk.choices for chunk in chunks_of(await chat_batches(provider, chat_ask({}, MODEL, streamed=True)))]
            for _ in range(2)
        ]
    assert one == other


@every_stream
async def test_chunks_arrive_before_the_stream_ends_and_leaving_closes_it(vendor: ScriptedVendor, name: str) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=1)))
    async with legacy(vendor, name) as provider, aclosing(provider.stream(chat_ask({}, MODEL, True))) as batches:
        first = await anext(batches)
    assert first.chunks[0].choices[0].delta.role == "assistant"  # type: ignore[union-attr]
    assert (await vendor.next_disconnect()).request.body["stream"] is True


@every_form
@pytest.mark.parametrize(("param", "value"), [("echo", True), ("suffix", "the end.")])
async def test_a_text_that_would_not_be_the_one_asked_for_is_refused(
    vendor: ScriptedVendor, name: str, param: str, value: object
) -> None:
    async with legacy(vendor, name) as provider:
        with pytest.raises(ProviderError) as raised:
            await completed(provider, text_ask({"prompt": "Once", param: value}))
    assert (raised.value.fault, raised.value.param) == (Fault.UNSUPPORTED, param)
    assert not vendor.requests


@every_form
async def test_embeddings_are_not_of_the_older_forms(vendor: ScriptedVendor, name: str) -> None:
    ask = chat_ask({}, MODEL)
    ask.operation = Operation.EMBEDDINGS
    async with legacy(vendor, name) as provider:
        with pytest.raises(ProviderError) as raised:
            await chat_batches(provider, ask)
    assert raised.value.fault is Fault.UNSUPPORTED


async def test_models_and_health_are_asked_of_the_current_api(vendor: ScriptedVendor) -> None:
    async with legacy(vendor, "cohere") as provider:
        await provider.models(5)
        await provider.check(5)
    assert [request.path for request in vendor.requests] == ["/v1/models", "/v1/check-api-key"]
