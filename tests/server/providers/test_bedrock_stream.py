"""Converse's streams: a transcript in whatever pieces it arrives, and what is no proper stream."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from server.dispatch.fold import fold_chat
from server.providers.anthropic.seam import Seam
from server.providers.bedrock.eventstream import EventStreamParser
from server.providers.bedrock.stream import ConverseStream
from server.providers.errors import Fault, ProviderError
from tests.fakes.bedrock_frames import event, exception, frame
from tests.server.providers.asking import as_json
from trunkline.v1.chat_pb2 import ChatCompletionChunk
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

LINES = (Path(__file__).parent / "transcripts" / "bedrock_thinking_and_tools.txt").read_text("utf-8").splitlines()


def framed(*lines: str) -> bytes:
    """The frames of lines that have the event's name and its payload."""
    return b"".join(event(name, payload.encode()) for name, _, payload in (line.partition(" ") for line in lines))


RECORDED = framed(*LINES)


def stream(usage_asked: bool = True, prefix: str = "") -> ConverseStream:
    return ConverseStream("request-1", "asked", 1_790_000_000, usage_asked, Seam(prefix))


def batches(reads: Iterable[bytes], into: ConverseStream | None = None) -> list[StreamChatCompletionResponse]:
    """The batches of the reads; the answer must be whole."""
    parser, into = EventStreamParser(), into or stream()
    found = [batch for data in reads for batch in into.batches(parser.feed(data))]
    assert into.done
    return found


def chunks(reads: Iterable[bytes], into: ConverseStream | None = None) -> list[ChatCompletionChunk]:
    return [chunk for batch in batches(reads, into) for chunk in batch.chunks]


WHOLE = chunks([RECORDED])


def test_a_transcript_holds_the_whole_answer() -> None:
    answer = fold_chat(WHOLE)
    (choice,) = answer.choices
    message = choice.message
    assert (answer.id, answer.model, choice.finish_reason, message.role) == (
        "request-1",
        "asked",
        "tool_calls",
        "assistant",
    )
    assert (message.content, message.reasoning_content) == ("Grüß Gott, 世界 🌍!", "The user wants the weather.")
    thought, sealed = message.thinking_blocks
    assert (thought.type, thought.thinking, thought.signature) == (
        "thinking",
        "The user wants the weather.",
        "EqQBCkYIARgCKkDx",
    )
    assert (sealed.type, sealed.data) == ("redacted_thinking", "c2VhbGVk")
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    assert calls == [("tooluse_N1x", "weather", '{"city": "Päris"}'), ("tooluse_N2x", "now", "{}")]
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, 120)
    assert (usage.input_tokens_details.cached_tokens, usage.input_tokens_details.cache_write_tokens) == (60, 10)
    assert answer.service_tier == "default"


def test_a_transcript_gives_the_same_chunks_byte_by_byte() -> None:
    assert chunks(RECORDED[place : place + 1] for place in range(len(RECORDED))) == WHOLE


def test_a_transcript_gives_the_same_chunks_wherever_it_is_cut_in_two() -> None:
    for place in range(1, len(RECORDED), 3):
        assert chunks([RECORDED[:place], RECORDED[place:]]) == WHOLE


def test_calls_are_counted_by_themselves() -> None:
    indexes = [call.index for chunk in WHOLE for choice in chunk.choices for call in choice.delta.tool_calls]
    assert indexes == [0, 0, 0, 1, 1]


def test_each_read_gives_one_batch_and_the_usage_comes_after_the_end() -> None:
    found = batches([framed(line) for line in LINES])
    assert [batch.finishing for batch in found][-3:] == [False, True, True]
    assert [batch.HasField("usage") for batch in found][-3:] == [False, False, True]
    assert len(batches([RECORDED])) == 1


def test_the_chunk_with_the_usage_comes_only_when_asked_for() -> None:
    assert as_json(WHOLE)[-1]["choices"] == []
    quiet = batches([framed(line) for line in LINES], stream(usage_asked=False))
    assert [chunk for batch in quiet for chunk in batch.chunks] == WHOLE[:-1]
    assert quiet[-1].usage.total_tokens == 120


def test_a_transcript_that_ends_early_is_not_done() -> None:
    for place in range(0, len(framed(*LINES[:-1])), 11):
        parser, into = EventStreamParser(), stream()
        with suppress(ProviderError):
            list(into.batches(parser.feed(RECORDED[:place])))
        assert not into.done


START = 'messageStart {"role":"assistant"}'
HELLO = 'contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"Hello"}}'
CLOSE = 'contentBlockStop {"contentBlockIndex":0}'
TOOL = 'contentBlockStart {"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}'
INPUT = 'contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}'
STOP = 'messageStop {"stopReason":"end_turn"}'
END = 'metadata {"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5},"metrics":{"latencyMs":1}}'


@pytest.mark.parametrize(
    "lines",
    [
        (HELLO,),
        (STOP,),
        (END,),
        (START, START),
        (START, END),
        (START, HELLO, CLOSE, END),
        (START, INPUT),
        (START, HELLO, INPUT),
        (START, TOOL, TOOL),
        (START, TOOL, HELLO),
        (START, HELLO, CLOSE, STOP, HELLO),
        (START, HELLO, CLOSE, STOP, STOP),
        (START, HELLO[:-3]),
        (START, HELLO.replace('"Hello"', "5")),
        (START, HELLO.replace('"text":"Hello"', '"reasoningContent":{"redactedContent":"?"}')),
        (START, HELLO, CLOSE, STOP, END.replace(":3", ":-3")),
        (START, HELLO, CLOSE, STOP, END.replace(":3", ":1e99")),
    ],
)
def test_what_is_no_proper_stream_is_an_error(lines: tuple[str, ...]) -> None:
    with pytest.raises(ProviderError) as raised:
        list(stream().batches(EventStreamParser().feed(framed(*lines))))
    assert raised.value.fault is Fault.PROTOCOL


def test_unknown_events_and_unknown_deltas_are_passed_over() -> None:
    noise = 'news {"x":[]}', 'contentBlockDelta {"contentBlockIndex":0,"delta":{"citation":{}}}'
    assert chunks([framed(START, HELLO, *noise, CLOSE, STOP, 'news ""', END)]) == chunks(
        [framed(START, HELLO, CLOSE, STOP, END)]
    )


def test_blocks_that_nobody_closes_end_with_the_message() -> None:
    assert fold_chat(chunks([framed(START, TOOL, STOP, END)])).choices[0].message.tool_calls[0].function.arguments == "{}"


def test_an_answer_may_be_empty() -> None:
    (choice,) = fold_chat(chunks([framed(START, CLOSE, STOP, END)])).choices
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_stop_reasons_are_finish_reasons(stop_reason: str, finish_reason: str) -> None:
    answer = fold_chat(chunks([framed(START, HELLO, CLOSE, STOP.replace("end_turn", stop_reason), END)]))
    assert answer.choices[0].finish_reason == finish_reason


@pytest.mark.parametrize("stop_reason", ["malformed_model_output", "malformed_tool_use"])
def test_a_model_that_failed_is_an_error(stop_reason: str) -> None:
    found = stream().batches(EventStreamParser().feed(framed(START, HELLO, CLOSE, STOP.replace("end_turn", stop_reason))))
    assert next(found).chunks[-1].choices[0].delta.content == "Hello"
    with pytest.raises(ProviderError) as raised:
        next(found)
    assert raised.value.fault is Fault.SERVER


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("internalServerException", Fault.SERVER),
        ("modelStreamErrorException", Fault.SERVER),
        ("validationException", Fault.INVALID_REQUEST),
        ("throttlingException", Fault.RATE_LIMITED),
        ("serviceUnavailableException", Fault.OVERLOADED),
        ("somethingNewException", Fault.SERVER),
    ],
)
def test_an_exception_before_the_first_block_comes_before_the_first_chunk(name: str, kind: Fault) -> None:
    data = framed(START) + exception(name, b'{"message":"Not now."}')
    with pytest.raises(ProviderError) as raised:
        next(stream().batches(EventStreamParser().feed(data)))
    assert (raised.value.fault, raised.value.message) == (kind, "Not now.")


def test_exceptions_are_told_however_they_are_framed() -> None:
    for data in (
        frame({":message-type": "error", ":error-code": "ThrottlingException"}, b""),
        event("throttlingException", b"oops"),
        exception("ThrottlingException", b""),
    ):
        with pytest.raises(ProviderError) as raised:
            list(stream().batches(EventStreamParser().feed(framed(START) + data)))
        assert (raised.value.fault, raised.value.message) == (
            Fault.RATE_LIMITED,
            "The provider ended its answer with an error.",
        )


def test_an_overflow_within_the_stream_is_one() -> None:
    data = exception("validationException", b'{"message":"Input is too long for requested model."}')
    with pytest.raises(ProviderError) as raised:
        list(stream().batches(EventStreamParser().feed(data)))
    assert raised.value.fault is Fault.CONTEXT_LENGTH


def test_what_a_guardrail_traced_goes_along_with_the_usage() -> None:
    traced = END.replace('"metrics"', '"trace":{"guardrail":{"action":"NONE"}},"metrics"')
    (last,) = as_json(chunks([framed(START, HELLO, CLOSE, STOP, traced)])[-1:])
    assert (last["choices"], last["trace"]) == ([], {"guardrail": {"action": "NONE"}})


def test_an_answer_goes_on_from_its_beginning() -> None:
    spaced = HELLO.replace("Hello", " there")
    assert fold_chat(chunks([framed(START, spaced, CLOSE, STOP, END)], stream(prefix="Hello "))).choices[
        0
    ].message.content == ("there")
