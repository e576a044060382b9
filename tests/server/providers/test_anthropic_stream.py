"""Anthropic's streams: transcripts in whatever pieces they arrive, and what is no proper stream."""

from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest

from server.providers.anthropic.stream import MessageStream
from server.providers.errors import Fault, ProviderError
from server.providers.sse import SseParser
from tests.server.providers.asking import as_json, chunks_of
from tests.server.providers.recorded import bytewise, crlf, events, eventwise, halved, transcript, without_last_blank_line
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

NAMES = ["text", "thinking_and_tools", "refusal"]


def read(reads: Iterable[bytes], stream: MessageStream | None = None) -> list[dict[str, object]]:
    """The chunks of the reads; the answer must be whole."""
    parser, stream = SseParser(), stream or MessageStream(1_790_000_000, usage_asked=True)
    batches: list[StreamChatCompletionResponse] = []
    for data in reads:
        batches.extend(stream.batches(parser.feed(data)))
    batches.extend(stream.batches(parser.finish()))
    assert stream.done
    assert [batch.finishing for batch in batches if batch.HasField("usage")][:1] == [True]
    return as_json(chunks_of(batches))


@pytest.mark.parametrize("pieces", [lambda whole: [whole], bytewise, crlf, eventwise, without_last_blank_line])
@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_gives_the_same_chunks_however_it_arrives(name: str, pieces: Callable[[bytes], list[bytes]]) -> None:
    recorded, chunks = transcript(f"anthropic_{name}")
    assert read(pieces(recorded)) == chunks


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_gives_the_same_chunks_wherever_it_is_cut_in_two(name: str) -> None:
    recorded, chunks = transcript(f"anthropic_{name}")
    for reads in halved(recorded):
        assert read(reads) == chunks


def test_the_chunk_with_the_usage_comes_only_when_asked_for() -> None:
    recorded, chunks = transcript("anthropic_text")
    assert chunks[-1]["choices"] == []
    assert read([recorded], MessageStream(1_790_000_000, usage_asked=False)) == chunks[:-1]


def test_each_read_gives_one_batch() -> None:
    recorded, _ = transcript("anthropic_thinking_and_tools")
    stream, parser = MessageStream(0, usage_asked=True), SseParser()
    middle = recorded.index(b"event: content_block_start\ndata: " + b'{"type":"content_block_start","index":5')
    assert [len(list(stream.batches(parser.feed(data)))) for data in (recorded[:middle], recorded[middle:])] == [1, 1]


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_that_ends_early_is_not_done(name: str) -> None:
    recorded, _ = transcript(f"anthropic_{name}")
    for place in range(0, recorded.index(b"event: message_stop"), 7):
        stream, parser = MessageStream(0, usage_asked=True), SseParser()
        with suppress(ProviderError):
            list(stream.batches(parser.feed(recorded[:place])))
            list(stream.batches(parser.finish()))
        assert not stream.done


START = '{"type":"message_start","message":{"id":"m","model":"c","content":[],"usage":{"input_tokens":1}}}'
TEXT = '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
TOOL = '{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":1}}}'
HELLO = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}'
CLOSE = '{"type":"content_block_stop","index":0}'
END = '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}'
STOP = '{"type":"message_stop"}'


@pytest.mark.parametrize(
    "data",
    [
        (TEXT,),
        (HELLO,),
        (END,),
        (STOP,),
        (START, START),
        (START, HELLO),
        (START, CLOSE),
        (START, TEXT, TEXT),
        (START, TEXT, CLOSE, HELLO),
        (START, TOOL, HELLO),
        (START, TEXT, END),
        (START, TEXT, CLOSE, STOP),
        (START, TEXT, CLOSE, END, TEXT),
        (START, TEXT, HELLO[:-9]),
        (START, TEXT, HELLO.replace('"Hello"', "5")),
        (START, TEXT, HELLO.replace("Hello", "\\ud800")),
        (START.replace('"input_tokens":1', '"input_tokens":-1'),),
        (START.replace('"input_tokens":1', '"input_tokens":1e99'),),
    ],
)
def test_what_is_no_proper_stream_is_an_error(data: tuple[str, ...]) -> None:
    with pytest.raises(ProviderError) as raised:
        list(MessageStream(0, usage_asked=False).batches(SseParser().feed(events(*data))))
    assert raised.value.fault is Fault.PROTOCOL


def test_pings_and_unknown_events_are_passed_over() -> None:
    noise = '{"type":"ping"}', '{"type":"news","index":"x"}'
    plain = read([events(START, TEXT, HELLO, CLOSE, END, STOP)])
    assert read([events(*noise, START, *noise, TEXT, HELLO, *noise, CLOSE, END, *noise, STOP, *noise)]) == plain


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(ProviderError) as raised:
        list(
            MessageStream(0, usage_asked=False).batches(
                SseParser().feed(events(START, TEXT, HELLO).replace(b"Hello", b"\xff"))
            )
        )
    assert raised.value.fault is Fault.PROTOCOL


def test_the_input_of_a_call_may_come_at_once() -> None:
    chunks = read([events(START, TOOL, CLOSE, END, STOP)])
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]  # type: ignore[attr-defined]
    assert deltas[2] == {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1}'}}]}


def test_calls_decide_the_finish_reason_and_not_its_name() -> None:
    with_call = read([events(START, TOOL, CLOSE, END, STOP)])
    without = read([events(START, TEXT, CLOSE, END.replace("end_turn", "tool_use"), STOP)])
    reasons = [chunks[-2]["choices"][0]["finish_reason"] for chunks in (with_call, without)]  # type: ignore[index]
    assert reasons == ["tool_calls", "stop"]


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_stop_reasons_are_finish_reasons(stop_reason: str, finish_reason: str) -> None:
    chunks = read([events(START, TEXT, HELLO, CLOSE, END.replace("end_turn", stop_reason), STOP)])
    assert chunks[-2]["choices"] == [{"index": 0, "delta": {}, "finish_reason": finish_reason}]


def test_usage_is_taken_from_the_last_event_that_tells_it() -> None:
    start = START.replace('"input_tokens":1', '"input_tokens":7,"cache_read_input_tokens":2,"output_tokens":1')
    chunks = read([events(start, TEXT, HELLO, CLOSE, END, STOP)])
    usage = chunks[-1]["usage"]
    assert isinstance(usage, dict)
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (9, 5, 14)


@pytest.mark.parametrize("before", [(), (START,), (START, '{"type":"ping"}')], ids=["at once", "started", "pinged"])
def test_an_error_before_the_first_block_comes_before_the_first_chunk(before: tuple[str, ...]) -> None:
    error = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    batches = MessageStream(0, usage_asked=False).batches(SseParser().feed(events(*before, error)))
    with pytest.raises(ProviderError) as raised:
        next(batches)
    assert (raised.value.fault, raised.value.message) == (Fault.OVERLOADED, "Overloaded")


def test_what_came_before_an_error_is_handed_on() -> None:
    error = '{"type":"error","error":{"type":"api_error","message":"Broken"}}'
    batches = MessageStream(0, usage_asked=False).batches(SseParser().feed(events(START, TEXT, HELLO, error)))
    assert next(batches).chunks[-1].choices[0].delta.content == "Hello"
    with pytest.raises(ProviderError) as raised:
        next(batches)
    assert raised.value.fault is Fault.SERVER


def test_an_error_that_cannot_be_read_is_one_all_the_same() -> None:
    with pytest.raises(ProviderError) as raised:
        list(MessageStream(0, usage_asked=False).batches(SseParser().feed(b"event: error\ndata: oops\n\n")))
    assert raised.value.fault is Fault.SERVER
