"""What providers really do, row by row, by REST and by gRPC: every row ends in the complete answer, or in its honest error.

There is a provider that is at fault and one that stands by. What the caller gets is looked at, and what both were asked.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import aiohttp
import pytest

from server.dispatch.recovery import RECOVERED_AT
from tests.end_to_end import sse
from tests.end_to_end.running import KEY, Config, Running, config, row, run_gateway
from tests.fakes.answers import Scripted, Status, Text, Usage, Wire
from tests.fakes.dialect import Call
from tests.fakes.faults import Cut, Malformed, NoDone, Reset, Stall
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient, TrunklineError

WHOLE = "The quick brown fox jumps over the lazy dog"
ANSWER = Text(WHOLE, usage=Usage(9, 10))
Face = Literal["rest", "rest, whole", "grpc", "grpc, whole"]


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        faulty: what the first provider answers, in order; then it answers properly.
        asked: how often each provider is asked.
        config: settings of both providers' rows.
        routing: settings of the routing.
        recovered: whether a broken stream was mended.
        error: the code of the honest error, where there is no honest answer.
        streamed: whether it only happens to streams.
    """

    faulty: tuple[Scripted, ...]
    asked: tuple[int, int]
    config: Mapping[str, object] = field(default_factory=dict)
    routing: Mapping[str, object] = field(default_factory=dict)
    recovered: bool = False
    error: str = ""
    streamed: bool = False


BEGUN = Stall(after_events=3)
"""The fault waits until the caller has a part of the answer."""

SHORT = {"first_chunk_timeout": 0.2, "idle_timeout": 0.2}
ROWS: dict[str, Row] = {
    "429 with Retry-After": Row((Status(429, headers={"retry-after": "20"}),), (1, 1)),
    "429 with a short Retry-After": Row((Status(429, headers={"retry-after-ms": "1"}),), (2, 0)),
    "429 without Retry-After": Row((Status(429),), (2, 0)),
    "one 500": Row((Status(500),), (2, 0)),
    "503 again and again": Row((Status(503),) * 3, (3, 1)),
    "reset": Row((ANSWER.with_fault(Reset()),), (2, 0)),
    "reset in the middle": Row((ANSWER.with_fault(Reset(after_events=3), BEGUN),), (1, 1), recovered=True, streamed=True),
    "silence": Row((ANSWER.with_fault(Stall()),), (1, 1), SHORT),
    "silence after the head": Row((ANSWER.with_fault(Stall(after_events=0)),), (1, 1), SHORT, streamed=True),
    "cut in the middle": Row((ANSWER.with_fault(Cut(after_events=3), BEGUN),), (1, 1), recovered=True, streamed=True),
    "ended too early": Row(
        (ANSWER.with_fault(Cut(after_events=3, whole_http=True), BEGUN),), (1, 1), recovered=True, streamed=True
    ),
    "stalled": Row((ANSWER.with_fault(Stall(after_events=3)),), (1, 1), SHORT, recovered=True, streamed=True),
    "a malformed chunk": Row((ANSWER.with_fault(Malformed(after_events=3), BEGUN),), (1, 1), recovered=True, streamed=True),
    "no [DONE]": Row((ANSWER.with_fault(NoDone()),), (1, 0), streamed=True),
    "context length exceeded": Row(
        (Status(400, code="context_length_exceeded"),),
        (1, 1),
        routing={"context_window_fallbacks": {"gpt-4o": ["larger"]}},
    ),
    "content filter": Row((Status(400, code="content_filter"),), (1, 0), error="content_filtered"),
    "content filter, elsewhere": Row(
        (Status(400, code="content_filter"),), (1, 1), routing={"content_filter_fallback": True}
    ),
    "no HTTP": Row((Wire(b"SSH-2.0-OpenSSH_9.0\r\n\r\n"),) * 3, (3, 1)),
}


@dataclass(frozen=True)
class Got:
    """What the caller got.

    Attributes:
        text: the answer's; all of it, in the order it came.
        error: the error's code; empty: none.
        usage: input and output tokens.
        told: what was told beside the answer: provider, attempts, recovered_at.
    """

    text: str
    error: str
    usage: tuple[int, int]
    told: Mapping[str, object]


def nothing() -> None: ...


async def by_rest(running: Running, streamed: bool, begun: Callable[[], None] = nothing) -> Got:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "stream": streamed}
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"{running.url}/v1/chat/completions"
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, json=body) as response:
        if response.status != 200 or not streamed:
            answer = await response.json()
            if response.status != 200:
                return Got("", answer["error"]["code"].replace("content_filter", "content_filtered"), (0, 0), {})
            used = answer["usage"]
            text = answer["choices"][0]["message"]["content"]
            return Got(text, "", (used["prompt_tokens"], used["completion_tokens"]), answer["_proxy_info"])
        first = await response.content.readuntil(b"\n\n")
        begun()
        events = sse.parse(first + await response.read())
    assert events.done
    assert len({chunk["id"] for chunk in events.chunks}) == 1
    choices = [choice for chunk in events.chunks for choice in chunk["choices"]]
    ends = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    assert ends == ["stop"]
    assert sum("role" in choice["delta"] for choice in choices) == 1
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return Got(text, "", (9, 10), events.chunks[-1]["_proxy_info"])


async def by_grpc(running: Running, streamed: bool, begun: Callable[[], None] = nothing) -> Got:
    request = ChatCompletionRequest(model="gpt-4o", messages=[Message(role="user", content="Hello")])
    async with AsyncClient(running.target, api_key=KEY) as client:
        try:
            if not streamed:
                answer = await client.completions.create_chat_completion(request)
                used = answer.value.usage
                told: Mapping[str, object] = {"provider": answer.provider, "attempt_number": answer.attempts}
                return Got(answer.value.choices[0].message.content, "", (used.input_tokens, used.output_tokens), told)
            async with client.completions.stream_chat_completion(request) as stream:
                text = ""
                async for chunk in stream.chunks():
                    begun()
                    text += "".join(choice.delta.content for choice in chunk.choices)
                trailers = dict(await stream.trailing_metadata())
        except TrunklineError as error:
            return Got("", error.reason, (0, 0), {})
    told = {"provider": trailers["trunkline-provider"], "attempt_number": int(trailers["trunkline-attempts"])}
    if RECOVERED_AT in trailers:
        told["recovered_at"] = int(trailers[RECOVERED_AT])
    used_tokens = int(trailers["trunkline-input-tokens"]), int(trailers["trunkline-output-tokens"])
    return Got(text, "", used_tokens, told)


def configuration(case: Row, vendor: ScriptedVendor, second_vendor: ScriptedVendor) -> Config:
    given = {"max_retries": 2, "retry_delay": 0.001, **case.config}
    rows = [
        row("first", vendor, ["gpt-4o"], priority=1, **given),
        row("second", second_vendor, ["gpt-4o", "larger"], priority=2, **given),
    ]
    return config(rows, routing=dict(case.routing))


@pytest.mark.parametrize("face", ["rest", "rest, whole", "grpc", "grpc, whole"])
@pytest.mark.parametrize("name", ROWS)
async def test_every_fault_ends_as_it_should(tmp_path: Path, name: str, face: Face) -> None:
    case = ROWS[name]
    streamed = "whole" not in face
    if case.streamed and not streamed:
        pytest.skip("it happens to streams alone")
    async with ScriptedVendor(default=lambda _: ANSWER) as first, ScriptedVendor(default=lambda _: ANSWER) as second:
        first.add(*case.faulty)
        async with run_gateway(tmp_path, configuration(case, first, second), "whole") as running:
            begun = nothing if case.config is SHORT else first.release
            got = await (by_rest if face.startswith("rest") else by_grpc)(running, streamed, begun)
            first.release()
        asked = len(first.requests), len(second.requests)
    assert asked == case.asked
    if case.error:
        assert (got.text, got.error) == ("", case.error)
        return
    assert (got.text, got.error, got.usage) == (WHOLE, "", (9, 10))
    assert got.told["provider"] == ("second" if asked[1] else "first")
    assert got.told["attempt_number"] == sum(asked)
    assert ("recovered_at" in got.told) == case.recovered


@pytest.mark.parametrize("face", ["rest", "grpc"])
async def test_a_fallback_that_refuses_a_beginning_is_never_given_one(tmp_path: Path, face: Face) -> None:
    def refuses_beginnings(call: Call) -> Scripted:
        given = cast(list[dict[str, object]], call.request.body["messages"])
        return ANSWER if given[-1]["role"] == "user" else Status(400, message="No prefill.")

    async with (
        ScriptedVendor(default=lambda _: ANSWER.with_fault(Cut(after_events=3), BEGUN)) as first,
        ScriptedVendor(default=refuses_beginnings) as second,
        run_gateway(tmp_path, configuration(Row((), (1, 1)), first, second), "whole") as running,
    ):
        got = await (by_rest if face == "rest" else by_grpc)(running, True, first.release)
        assert (got.text, got.error) == (WHOLE, "")
        assert (len(first.requests), len(second.requests)) == (1, 1)


@pytest.mark.parametrize("face", ["rest", "grpc"])
async def test_where_nothing_goes_on_the_caller_is_told_what_broke(tmp_path: Path, face: Face) -> None:
    async with (
        ScriptedVendor(default=lambda _: ANSWER.with_fault(Cut(after_events=3), BEGUN)) as first,
        ScriptedVendor(default=lambda _: Text("Another answer altogether")) as second,
        run_gateway(tmp_path, configuration(Row((), (0, 0)), first, second), "whole") as running,
    ):
        if face == "grpc":
            assert (await by_grpc(running, True, first.release)).error == "provider_error"
            return
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
        headers = {"Authorization": f"Bearer {KEY}"}
        url = f"{running.url}/v1/chat/completions"
        async with aiohttp.ClientSession(headers=headers) as session, session.post(url, json=body) as response:
            begun = await response.content.readuntil(b"\n\n")
            first.release()
            events = sse.parse(begun + await response.read())
        assert not events.done
        error = cast(dict[str, object], events.chunks[-1]["error"])
        assert (error["code"], "Another" in str(events.chunks)) == ("provider_error", False)


@pytest.mark.parametrize("face", ["rest", "rest, whole", "grpc", "grpc, whole"])
async def test_a_provider_that_comes_and_goes_is_nobodys_trouble(tmp_path: Path, face: Face) -> None:
    asked = itertools.count()
    async with (
        ScriptedVendor(default=lambda _: ANSWER if next(asked) % 3 else Status(500)) as first,
        ScriptedVendor(default=lambda _: ANSWER) as second,
        run_gateway(tmp_path, configuration(Row((), (0, 0), {"max_retries": 0}), first, second), "whole") as running,
    ):
        for _ in range(12):
            got = await (by_rest if face.startswith("rest") else by_grpc)(running, "whole" not in face)
            assert (got.text, got.error) == (WHOLE, "")


async def test_a_provider_that_is_down_costs_next_to_nothing(tmp_path: Path) -> None:
    async with (
        ScriptedVendor(default=lambda _: Status(503)) as first,
        ScriptedVendor(default=lambda _: ANSWER) as second,
        run_gateway(tmp_path, configuration(Row((), (0, 0)), first, second), "whole") as running,
    ):
        for _ in range(60):
            got = await by_grpc(running, False)
            assert got.text == WHOLE
        assert len(first.requests) == 5  # until its breaker opens
        assert len(second.requests) == 60
