"""What goes wrong at a provider, and what the caller is told of it: by REST and by gRPC, whole and streamed."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import openai
import orjson
import pytest

from tests.end_to_end import sse
from tests.end_to_end.refused import (
    BROKEN,
    CONTENT_FILTER,
    CONTEXT_LENGTH,
    INVALID_REQUEST,
    NO_MODEL,
    NOBODY,
    PROVIDER,
    RATE_LIMITED,
    Told,
    check,
    check_body,
)
from tests.end_to_end.running import KEY, Running, config, row, run_gateway
from tests.fakes.answers import Raw, Scripted, Status, Text, Wire
from tests.fakes.faults import (
    BadJson,
    Cut,
    ErrorInStream,
    ErrorOn200,
    Fault,
    HtmlOk,
    Malformed,
    NoDone,
    Reset,
    Stall,
)
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient, TrunklineError

CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Hello"}]
TYPED = [Message(role="user", content="Hello")]
JSON = {"content-type": "application/json"}
HELLO = Text("Hello there all of you")

BEFORE: dict[str, tuple[Scripted, Told]] = {
    "a bad request": (Status(400, message="No."), INVALID_REQUEST),
    "a prompt too long": (Status(400, code="context_length_exceeded"), CONTEXT_LENGTH),
    "a prompt too long, in words": (Status(400, message="maximum context length is 8 tokens"), CONTEXT_LENGTH),
    "a prompt that is filtered": (Status(400, code="content_filter"), CONTENT_FILTER),
    "a key that it refuses": (Status(401), NOBODY),
    "no money": (Status(402), NOBODY),
    "a key that may not": (Status(403), NOBODY),
    "an unknown model": (Status(404), NO_MODEL),
    "too many requests": (Status(429), RATE_LIMITED),
    "a fault of its own": (Status(500), NOBODY),
    "a bad gateway": (Status(502, body=b"<html>"), NOBODY),
    "overload": (Status(503), NOBODY),
    "a redirect": (Status(307, headers={"location": "http://127.0.0.1:1/"}), PROVIDER),
    "a page instead of JSON": (HELLO.with_fault(HtmlOk()), PROVIDER),
    "JSON that is torn": (HELLO.with_fault(BadJson()), PROVIDER),
    "an empty body": (Raw(200, JSON, b""), PROVIDER),
    "JSON that is no answer": (Raw(200, JSON, b'{"id": 1}'), PROVIDER),
    "an error with status 200": (HELLO.with_fault(ErrorOn200()), NOBODY),
    "no HTTP": (Wire(b"SSH-2.0-OpenSSH_9.0\r\n\r\n"), PROVIDER),
    "a connection that is closed": (HELLO.with_fault(Cut()), NOBODY),
    "a connection that is torn": (HELLO.with_fault(Reset()), NOBODY),
    "a head without a body": (HELLO.with_fault(Cut(after_bytes=0)), NOBODY),
}
"""What fails before the first chunk."""

STREAMED_BEFORE: dict[str, tuple[Scripted, Told]] = {
    "an error event first": (HELLO.with_fault(ErrorInStream(after_events=0)), NOBODY),
    "a stream of nothing": (Raw(200, {"content-type": "text/event-stream"}, (b"data: [DONE]\n\n",)), PROVIDER),
    "a piece that is torn first": (HELLO.with_fault(Malformed(after_events=0)), PROVIDER),
}
"""What fails before the first chunk, in streams alone."""

AFTER: dict[str, Fault] = {
    "cut": Cut(after_events=2),
    "cut within an event": Cut(after_bytes=700),
    "torn": Reset(after_events=2),
    "ended in order before its end": Cut(after_events=2, whole_http=True),
    "an error event": ErrorInStream(after_events=2),
    "an error event and the end": ErrorInStream(after_events=2, done=True),
    "a piece that is torn": Malformed(after_events=2),
}
"""What fails after the first chunk."""


def _ask(model: str, streamed: bool = False) -> dict[str, object]:
    return {"model": model, "messages": MESSAGES, "stream": streamed}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", BEFORE)
async def test_a_failure_before_the_first_chunk_has_its_status(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, case: str, streamed: bool
) -> None:
    answer, told = BEFORE[case]
    vendor.add(answer)
    async with http.post(CHAT, json=_ask("solo", streamed)) as response:
        await check(response, told)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("case", STREAMED_BEFORE)
async def test_a_stream_that_fails_at_once_has_its_status(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, case: str
) -> None:
    answer, told = STREAMED_BEFORE[case]
    vendor.add(answer)
    async with http.post(CHAT, json=_ask("solo", streamed=True)) as response:
        await check(response, told)


@pytest.mark.parametrize("topology", ["whole"], indirect=True)
@pytest.mark.parametrize("case", BEFORE)
async def test_grpc_tells_the_same_reason(vendor: ScriptedVendor, client: AsyncClient, case: str) -> None:
    answer, told = BEFORE[case]
    vendor.add(answer, answer)
    request = ChatCompletionRequest(model="solo", messages=TYPED)
    with pytest.raises(TrunklineError) as whole:
        await client.completions.create_chat_completion(request)
    with pytest.raises(TrunklineError) as streamed:
        await client.completions.stream_chat_completion(request).open()
    for error in (whole.value, streamed.value):
        assert (error.code, error.reason) == (told.grpc_code, told.reason)
        assert error.details["attempts"] == 1
        assert error.details["providers_tried"] == ["first"]


@pytest.mark.parametrize("case", AFTER)
async def test_a_failure_after_the_first_chunk_is_an_event_and_no_done(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, http: aiohttp.ClientSession, case: str
) -> None:
    vendor.add(HELLO.with_fault(AFTER[case]))
    async with http.post(CHAT, json=_ask("gpt-4o", streamed=True)) as response:
        body = sse.parse(await response.read())
    assert (response.status, response.headers["x-trunkline-provider"]) == (200, "first")
    assert not body.done
    check_body(body.chunks[-1], BROKEN)
    assert body.chunks[-1]["request_id"] == response.headers["x-request-id"]
    assert body.chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert not any("_proxy_info" in chunk for chunk in body.chunks)
    assert not second_vendor.requests


@pytest.mark.parametrize("topology", ["whole"], indirect=True)
@pytest.mark.parametrize("case", AFTER)
async def test_grpc_ends_the_stream_with_the_status(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, client: AsyncClient, case: str
) -> None:
    vendor.add(HELLO.with_fault(AFTER[case]))
    request = ChatCompletionRequest(model="gpt-4o", messages=TYPED)
    async with client.completions.stream_chat_completion(request) as stream:
        first = await anext(stream.chunks())
        with pytest.raises(TrunklineError) as caught:
            _ = [chunk async for chunk in stream.chunks()]
    assert (caught.value.code, caught.value.reason) == (BROKEN.grpc_code, BROKEN.reason)
    assert caught.value.metadata["provider"] == "first"
    assert first.choices[0].delta.role == "assistant"
    assert not second_vendor.requests


async def test_the_sdk_raises_when_a_stream_breaks_off(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(HELLO.with_fault(Cut(after_events=3)))
    stream = await sdk.chat.completions.create(model="solo", messages=[{"role": "user", "content": "Hello"}], stream=True)
    with pytest.raises(openai.APIError) as caught:
        _ = [chunk async for chunk in stream]
    assert caught.value.code == "provider_error"


async def test_a_stream_whose_choices_ended_needs_no_done_of_its_provider(
    vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    vendor.add(HELLO.with_fault(NoDone()))
    async with http.post(CHAT, json=_ask("solo", streamed=True)) as response:
        assert sse.parse(await response.read()).done


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_when_to_come_back_is_told_in_every_way(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, streamed: bool
) -> None:
    vendor.add(Status(429, headers={"retry-after": "2"}))
    async with http.post(CHAT, json=_ask("solo", streamed)) as response:
        error = await check(response, RATE_LIMITED)
    assert error["retry_after"] == 2
    assert response.headers["Retry-After"] == "2"
    assert response.headers["retry-after-ms"] == "2000"


@pytest.mark.parametrize("topology", ["whole"], indirect=True)
async def test_grpc_tells_when_to_come_back(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(Status(429, headers={"retry-after": "2"}))
    with pytest.raises(TrunklineError) as caught:
        await client.completions.create_chat_completion(ChatCompletionRequest(model="solo", messages=TYPED))
    assert caught.value.retry_after_s == 2


ELSEWHERE = [case for case, (_, told) in BEFORE.items() if told not in (INVALID_REQUEST, CONTEXT_LENGTH, CONTENT_FILTER)]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", ELSEWHERE)
async def test_the_second_provider_answers_where_the_first_could_not(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, http: aiohttp.ClientSession, case: str, streamed: bool
) -> None:
    vendor.add(BEFORE[case][0])
    second_vendor.add(Text("From the second"))
    async with http.post(CHAT, json=_ask("gpt-4o", streamed)) as response:
        body = await response.read()
    assert response.status == 200
    assert b"From" in body
    assert response.headers["x-trunkline-provider"] == "second"
    assert response.headers["x-trunkline-attempts"] == "2"
    assert b'"provider":"second"' in body
    assert b'"attempt_number":2' in body


@pytest.mark.parametrize("case", ["a bad request", "a prompt too long", "a prompt that is filtered"])
async def test_a_fault_of_the_request_is_no_reason_to_ask_another(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, http: aiohttp.ClientSession, case: str
) -> None:
    answer, told = BEFORE[case]
    vendor.add(answer)
    async with http.post(CHAT, json=_ask("gpt-4o")) as response:
        await check(response, told)
    assert not second_vendor.requests


async def test_grpc_callers_see_who_answered_at_the_second_attempt(vendor: ScriptedVendor, client: AsyncClient) -> None:
    vendor.add(Status(500), Status(500))
    request = ChatCompletionRequest(model="gpt-4o", messages=TYPED)
    answer = await client.completions.create_chat_completion(request)
    assert (answer.provider, answer.attempts) == ("second", 2)
    async with client.completions.stream_chat_completion(request) as stream:
        await stream.open()
        assert (stream.provider, stream.attempts) == ("second", 2)


async def test_when_all_fail_every_attempt_is_told(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    vendor.add(Status(429, headers={"retry-after": "7"}))
    second_vendor.add(Status(500, message="Second is down"))
    async with http.post(CHAT, json=_ask("gpt-4o")) as response:
        error = await check(response, NOBODY)
    details = error["details"]
    assert details["attempts"] == 2
    assert details["providers_tried"] == ["first", "second"]
    assert [(entry["provider"], entry["error_type"]) for entry in details["errors"]] == [
        ("first", "rate_limit_error"),
        ("second", "server_error"),
    ]
    assert details["errors"][1]["message"] == "Second is down"
    assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_provider_that_is_not_there_is_one_that_failed(
    second_vendor: ScriptedVendor, tmp_path: Path, streamed: bool
) -> None:
    gone = {**row("first", second_vendor, ["m"], priority=1), "base_url": "http://127.0.0.1:1/v1"}
    async with (
        run_gateway(tmp_path, config([gone, row("second", second_vendor, ["m"], priority=2)]), "whole") as running,
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as session,
        session.post(CHAT, json=_ask("m", streamed)) as response,
    ):
        assert response.status == 200
        assert response.headers["x-trunkline-provider"] == "second"


@pytest.fixture
async def impatient(vendor: ScriptedVendor, second_vendor: ScriptedVendor, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway whose first provider has a fifth of a second for everything."""
    rows = [
        row("first", vendor, ["gpt-4o", "solo"], priority=1, timeout=0.2),
        row("second", second_vendor, ["gpt-4o"], priority=2),
    ]
    async with run_gateway(tmp_path, config(rows), "whole") as running:
        yield running


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("place", [Stall(), Stall(after_bytes=0)], ids=["before the head", "after the head"])
async def test_a_provider_that_stays_silent_is_given_up(
    vendor: ScriptedVendor, impatient: Running, place: Stall, streamed: bool
) -> None:
    vendor.add(HELLO.with_fault(place), HELLO.with_fault(place))
    async with aiohttp.ClientSession(impatient.url, headers={"X-API-Key": KEY}) as session:
        async with session.post(CHAT, json=_ask("solo", streamed)) as response:
            await check(response, NOBODY)
        await vendor.next_disconnect()
        async with session.post(CHAT, json=_ask("gpt-4o", streamed)) as response:
            assert response.headers["x-trunkline-provider"] == "second"
        await vendor.next_disconnect()


async def test_a_provider_that_falls_silent_in_its_stream_breaks_it_off(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, impatient: Running
) -> None:
    vendor.add(HELLO.with_fault(Stall(after_events=2)))
    async with (
        aiohttp.ClientSession(impatient.url, headers={"X-API-Key": KEY}) as session,
        session.post(CHAT, json=_ask("gpt-4o", streamed=True)) as response,
    ):
        body = sse.parse(await response.read())
    assert not body.done
    check_body(body.chunks[-1], BROKEN)
    await vendor.next_disconnect()
    assert not second_vendor.requests


GENERATION = '{"name": "weather", "arguments": {"city": 7}}'
GROQ_REFUSAL = {
    "error": {
        "message": "Failed to call a function. Please adjust your prompt.",
        "type": "invalid_request_error",
        "code": "tool_use_failed",
        "failed_generation": GENERATION,
    }
}
"""Groq's words about a call that does not fit the tool's schema."""


async def test_what_a_model_made_and_its_vendor_refused_is_told(
    vendor: ScriptedVendor, http: aiohttp.ClientSession, client: AsyncClient
) -> None:
    vendor.add(*[Status(400, body=GROQ_REFUSAL)] * 2)
    async with http.post(CHAT, json=_ask("solo")) as response:
        error = await check(response, NOBODY)
    assert [each["failed_generation"] for each in error["details"]["errors"]] == [GENERATION]
    with pytest.raises(TrunklineError) as raised:
        await client.completions.create_chat_completion(ChatCompletionRequest(model="solo", messages=TYPED))
    assert orjson.loads(raised.value.metadata["errors"])[0]["failed_generation"] == GENERATION


async def test_another_provider_may_make_what_ones_vendor_refused(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    vendor.add(Status(400, body=GROQ_REFUSAL))
    second_vendor.add(HELLO)
    async with http.post(CHAT, json=_ask("gpt-4o")) as response:
        assert response.status == 200


async def test_what_a_stream_made_and_its_vendor_refused_is_told(
    vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    first = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "solo"}
    chunk = {**first, "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]}
    events = (
        b"data: " + orjson.dumps(chunk) + b"\n\n",
        b"event: error\ndata: " + orjson.dumps(GROQ_REFUSAL) + b"\n\n",
    )
    vendor.add(Raw(200, {"content-type": "text/event-stream"}, events))
    async with http.post(CHAT, json=_ask("solo", streamed=True)) as response:
        told = sse.parse(await response.read())
    assert not told.done
    assert told.chunks[-1]["error"]["details"] == {"failed_generation": GENERATION}
