"""Cohere's streams: transcripts in whatever pieces they arrive, and what is no proper stream."""

from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest

from server.providers.cohere.stream import ChatStream
from server.providers.errors import Fault, ProviderError
from server.providers.sse import SseParser
from tests.server.providers.asking import as_json, chunks_of
from tests.server.providers.recorded import bytewise, crlf, events, eventwise, halved, transcript, without_last_blank_line
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

NAMES = ["text", "tools", "thinking_and_citations"]


def new_stream(usage_asked: bool = True) -> ChatStream:
    return ChatStream("command-a", 1_790_000_000, usage_asked)


def unnamed(transcript: bytes) -> list[bytes]:
    """The events without their names, as some proxies hand them on."""
    return [b"".join(line for line in transcript.splitlines(keepends=True) if not line.startswith(b"event: "))]


def read(reads: Iterable[bytes], stream: ChatStream | None = None) -> list[dict[str, object]]:
    """The chunks of the reads; the answer must be whole."""
    parser, stream = SseParser(), stream or new_stream()
    batches: list[StreamChatCompletionResponse] = []
    for data in reads:
        batches.extend(stream.batches(parser.feed(data)))
    batches.extend(stream.batches(parser.finish()))
    assert stream.done
    assert [batch.finishing for batch in batches] == [False] * (len(batches) - 1) + [True]
    assert [batch.HasField("usage") for batch in batches] == [batch.finishing for batch in batches]
    return as_json(chunks_of(batches))


@pytest.mark.parametrize("pieces", [lambda whole: [whole], bytewise, crlf, eventwise, without_last_blank_line, unnamed])
@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_gives_the_same_chunks_however_it_arrives(name: str, pieces: Callable[[bytes], list[bytes]]) -> None:
    recorded, chunks = transcript(f"cohere_{name}")
    assert read(pieces(recorded)) == chunks


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_gives_the_same_chunks_wherever_it_is_cut_in_two(name: str) -> None:
    recorded, chunks = transcript(f"cohere_{name}")
    for reads in halved(recorded):
        assert read(reads) == chunks


def test_the_chunk_with_the_usage_comes_only_when_asked_for() -> None:
    recorded, chunks = transcript("cohere_text")
    assert chunks[-1]["choices"] == []
    assert read([recorded], new_stream(usage_asked=False)) == chunks[:-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_that_ends_early_is_not_done(name: str) -> None:
    recorded, _ = transcript(f"cohere_{name}")
    for place in range(0, recorded.index(b"event: message-end"), 7):
        stream, parser = new_stream(), SseParser()
        with suppress(ProviderError):
            list(stream.batches(parser.feed(recorded[:place])))
            list(stream.batches(parser.finish()))
        assert not stream.done


START = '{"type":"message-start","id":"m","delta":{"message":{"role":"assistant"}}}'
TEXT = '{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}'
HELLO = '{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hello"}}}}'
CLOSE = '{"type":"content-end","index":0}'
CALLED = '{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}'
TOOL = f'{{"type":"tool-call-start","index":1,"delta":{{"message":{{"tool_calls":{CALLED}}}}}}}'
ARGUMENTS = '{"type":"tool-call-delta","index":1,"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}}'
TOOL_END = '{"type":"tool-call-end","index":1}'
USAGE = '"usage":{"tokens":{"input_tokens":7.0,"output_tokens":2}}'
END = f'{{"type":"message-end","delta":{{"finish_reason":"COMPLETE",{USAGE}}}}}'


@pytest.mark.parametrize(
    "data",
    [
        (TEXT,),
        (HELLO,),
        (END,),
        (START, START),
        (START, ARGUMENTS),
        (START, TOOL_END),
        (START, TOOL, TOOL),
        (START, TOOL.replace('"index":1,', "")),
        (START, TEXT, HELLO[:-9]),
        (START, TEXT, HELLO.replace('"Hello"', "5")),
        (START, TEXT, HELLO.replace("Hello", "\\ud800")),
        (START, TEXT, END.replace('"finish_reason":"COMPLETE",', "")),
        (START, TEXT, END.replace("7.0", "-1")),
        (START, TEXT, END.replace("7.0", "1e99")),
        (START, TOOL.replace(CALLED, f"[{CALLED}]")),
    ],
)
def test_what_is_no_proper_stream_is_an_error(data: tuple[str, ...]) -> None:
    with pytest.raises(ProviderError) as raised:
        list(new_stream().batches(SseParser().feed(events(*data))))
    assert raised.value.fault is Fault.PROTOCOL


@pytest.mark.parametrize("data", [b"data: [DONE]\n\n", b"data: \xff\n\n", b"data: 5\n\n"], ids=["done", "no text", "number"])
def test_an_event_without_a_type_is_an_error(data: bytes) -> None:
    with pytest.raises(ProviderError) as raised:
        list(new_stream().batches(SseParser().feed(events(START, TEXT) + data)))
    assert raised.value.fault is Fault.PROTOCOL


def test_what_follows_the_end_is_passed_over() -> None:
    plain = read([events(START, TEXT, HELLO, CLOSE, END)])
    assert read([events(START, TEXT, HELLO, CLOSE, END, HELLO) + b"data: [DONE]\n\n"]) == plain


def test_calls_are_counted_by_themselves() -> None:
    second = TOOL.replace('"index":1', '"index":4')
    chunks = read([events(START, TEXT, HELLO, CLOSE, TOOL, TOOL_END, second, END)])
    calls = [
        call["index"]
        for chunk in chunks[:-1]
        for call in chunk["choices"][0]["delta"].get("tool_calls", [])  # type: ignore[index]
    ]
    assert sorted(set(calls)) == [0, 1]


@pytest.mark.parametrize(
    ("said", "called", "reason"),
    [
        ("COMPLETE", False, "stop"),
        ("STOP_SEQUENCE", False, "stop"),
        ("MAX_TOKENS", False, "length"),
        ("MAX_TOKENS", True, "length"),
        ("ERROR_TOXIC", False, "content_filter"),
        ("TOOL_CALL", True, "tool_calls"),
        ("TOOL_CALL", False, "stop"),
        ("COMPLETE", True, "tool_calls"),
        ("SOMETHING_NEW", False, "stop"),
    ],
)
def test_finish_reasons_are_openais(said: str, called: bool, reason: str) -> None:
    calls = (TOOL, TOOL_END) if called else ()
    chunks = read([events(START, TEXT, HELLO, CLOSE, *calls, END.replace("COMPLETE", said))])
    assert chunks[-2]["choices"] == [{"index": 0, "delta": {}, "finish_reason": reason}]


@pytest.mark.parametrize(
    ("said", "fault"), [("ERROR", Fault.SERVER), ("TIMEOUT", Fault.TIMEOUT), ("ERROR_LIMIT", Fault.CONTEXT_LENGTH)]
)
def test_failures_are_no_finish_reasons(said: str, fault: Fault) -> None:
    stream = new_stream()
    batches = stream.batches(SseParser().feed(events(START, TEXT, HELLO, END.replace("COMPLETE", said))))
    assert next(batches).chunks[-1].choices[0].delta.content == "Hello"
    with pytest.raises(ProviderError) as raised:
        next(batches)
    assert (raised.value.fault, stream.done) == (fault, False)


def test_a_failure_is_told_in_the_vendors_words() -> None:
    end = '{"type":"message-end","delta":{"finish_reason":"ERROR","error":"The model fell over."}}'
    with pytest.raises(ProviderError) as raised:
        list(new_stream().batches(SseParser().feed(events(START, end))))
    assert raised.value.message == "The model fell over."


@pytest.mark.parametrize("before", [(), (START,), (START, TEXT)], ids=["at once", "started", "opened"])
@pytest.mark.parametrize(
    "error", [b'event: error\ndata: {"message":"Broken"}\n\n', b'data: {"message":"Broken"}\n\n'], ids=["named", "bare"]
)
def test_an_error_before_the_first_piece_comes_before_the_first_chunk(before: tuple[str, ...], error: bytes) -> None:
    batches = new_stream().batches(SseParser().feed(events(*before) + error))
    with pytest.raises(ProviderError) as raised:
        next(batches)
    assert (raised.value.fault, raised.value.message) == (Fault.SERVER, "Broken")


def test_an_answer_of_nothing_has_a_role_and_a_reason() -> None:
    role, end = read([events(START, END)], new_stream(usage_asked=False))
    assert role["choices"] == [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}]
    assert end["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]


def test_a_plan_after_a_thought_stands_apart() -> None:
    thought = HELLO.replace('"text"', '"thinking"')
    plan = '{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"Ask."}}}'
    chunks = read([events(START, thought, plan, plan, TOOL, TOOL_END, END)])
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[1:4]]  # type: ignore[index]
    assert deltas == [{"reasoning_content": text} for text in ("Hello", "\n\nAsk.", "Ask.")]
