"""Gemini's answers: transcripts in whatever pieces they arrive, and what is no proper stream."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count

import pytest

from server.dispatch.fold import fold_chat
from server.providers.errors import Fault, ProviderError
from server.providers.gemini.answer import AnswerReader
from server.providers.sse import SseParser, events_of
from tests.server.providers.asking import as_json, chunks_of
from tests.server.providers.recorded import bytewise, crlf, eventwise, halved, transcript, without_last_blank_line
from trunkline.v1.chat_pb2 import ChatCompletion
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

Json = Mapping[str, object]

CHOICES = {"text": 1, "thinking_and_tools": 1, "blocked": 1, "two_choices": 2}
every_transcript = pytest.mark.parametrize("name", CHOICES)


def reader(choices: int = 1, usage_asked: bool = True) -> AnswerReader:
    ids = count(1)
    return AnswerReader("asked", choices, 1_790_000_000, usage_asked, lambda: f"made{next(ids)}")


def batches_of(reads: Iterable[bytes], reading: AnswerReader) -> Iterator[StreamChatCompletionResponse]:
    """The batches of the reads, which are followed by the end of the body."""
    parser = SseParser()
    for data in reads:
        yield from reading.batches(parser.feed(data))
    yield from reading.batches(events_of(parser.rest()))
    yield from reading.end()


def read(reads: Iterable[bytes], reading: AnswerReader | None = None) -> list[dict[str, object]]:
    """The chunks of the reads; the answer must be whole."""
    batches = list(batches_of(reads, reading or reader()))
    assert batches[-1].finishing
    return as_json(chunks_of(batches))


@pytest.mark.parametrize("pieces", [lambda whole: [whole], bytewise, crlf, eventwise, without_last_blank_line])
@every_transcript
def test_a_transcript_gives_the_same_chunks_however_it_arrives(name: str, pieces: Callable[[bytes], list[bytes]]) -> None:
    recorded, chunks = transcript(f"gemini_{name}")
    assert read(pieces(recorded), reader(CHOICES[name])) == chunks


@every_transcript
def test_a_transcript_gives_the_same_chunks_wherever_it_is_cut_in_two(name: str) -> None:
    recorded, chunks = transcript(f"gemini_{name}")
    for reads in halved(recorded):
        assert read(reads, reader(CHOICES[name])) == chunks


@every_transcript
def test_the_chunk_with_the_usage_comes_only_when_asked_for(name: str) -> None:
    recorded, chunks = transcript(f"gemini_{name}")
    assert chunks[-1]["choices"] == []
    assert read([recorded], reader(CHOICES[name], usage_asked=False)) == chunks[:-1]


@every_transcript
def test_a_transcript_that_ends_early_is_an_error(name: str) -> None:
    recorded, _ = transcript(f"gemini_{name}")
    for place in range(0, len(recorded.rstrip(b"\n")), 7):
        with pytest.raises(ProviderError) as raised:
            list(batches_of([recorded[:place]], reader(CHOICES[name])))
        assert raised.value.fault is Fault.PROTOCOL


def test_each_read_gives_one_batch_and_the_usage_that_it_brought() -> None:
    recorded, _ = transcript("gemini_text")
    batches = list(batches_of(eventwise(recorded), reader(usage_asked=False)))
    assert [len(batch.chunks) for batch in batches] == [1, 1, 0, 1]
    assert [batch.usage.output_tokens for batch in batches] == [2, 7, 8, 9]
    assert [batch.finishing for batch in batches] == [False, False, False, True]


def test_a_batch_is_finishing_when_every_choice_has_its_reason() -> None:
    recorded, _ = transcript("gemini_two_choices")
    batches = list(batches_of(eventwise(recorded), reader(2)))
    assert [batch.finishing for batch in batches] == [False, False, True, True]


def test_fewer_choices_than_were_asked_for_end_with_the_body() -> None:
    recorded, _ = transcript("gemini_text")
    batches = list(batches_of(eventwise(recorded), reader(2, usage_asked=False)))
    assert [batch.finishing for batch in batches] == [False, False, False, False, True]
    assert (len(batches[-1].chunks), batches[-1].usage.output_tokens) == (0, 9)


def event(*parts: Json, reason: str = "", usage: Json | None = None, **fields: object) -> str:
    candidate = {"content": {"parts": list(parts)}, **({"finishReason": reason} if reason else {}), **fields}
    return json.dumps({"candidates": [candidate], **({"usageMetadata": usage} if usage else {})})


def stream(*data: str) -> list[bytes]:
    return [f"data: {line}\n\n".encode() for line in data]


def folded(*data: str) -> ChatCompletion:
    return fold_chat(chunks_of(list(batches_of(stream(*data), reader(usage_asked=False)))))


HELLO = {"text": "Hello"}
CALL = {"functionCall": {"name": "f", "args": {"a": 1}}}


@pytest.mark.parametrize(
    "data",
    [
        (),
        (event(HELLO),),
        (event(HELLO, reason="STOP"), event(HELLO)),
        (event(HELLO), event(HELLO, index=1, reason="STOP")),
        (event(HELLO)[:-5],),
        (event({"text": 5}, reason="STOP"),),
        (event({"functionCall": {}}, reason="STOP"),),
        (event(HELLO, reason="STOP").replace("Hello", "\\ud800"),),
        (event(HELLO, reason="STOP", usage={"promptTokenCount": -1}),),
        (event(HELLO, reason="STOP", index=-1),),
        ("[]",),
        ("{}",),
        ('{"promptFeedback":{}}',),
    ],
)
def test_what_is_no_proper_stream_is_an_error(data: tuple[str, ...]) -> None:
    with pytest.raises(ProviderError) as raised:
        list(batches_of(stream(*data), reader()))
    assert raised.value.fault is Fault.PROTOCOL


@pytest.mark.parametrize("part", [HELLO, {"functionCall": {"name": "f", "args": {"a": "Hello"}}}])
def test_bytes_that_are_no_text_are_an_error(part: dict[str, object]) -> None:
    with pytest.raises(ProviderError) as raised:
        list(batches_of([stream(event(part, reason="STOP"))[0].replace(b"Hello", b"\xff")], reader()))
    assert raised.value.fault is Fault.PROTOCOL


def test_what_brings_nothing_is_passed_over() -> None:
    plain = read(stream(event(HELLO), event(reason="STOP")))
    nothing = '{"candidates":[{"index":0,"finishReason":"FINISH_REASON_UNSPECIFIED"}]}'
    noise = (
        nothing,
        '{"candidates":[{"index":0,"finishReason":""}]}',
        '{"usageMetadata":{}}',
        "{}",
        '{"news":[1]}',
        "[DONE]",
        " ",
    )
    assert read(stream(*noise, event(HELLO), *noise, event(reason="STOP"), event(reason="STOP"), *noise))[:2] == plain


REASONS: dict[str, str] = {
    "STOP": "stop",
    "SOMETHING_NEW": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}


@pytest.mark.parametrize("wire", REASONS)
def test_reasons_are_openais(wire: str) -> None:
    assert folded(event(HELLO, reason=wire)).choices[0].finish_reason == REASONS[wire]


@pytest.mark.parametrize(
    "wire",
    [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "LANGUAGE",
        "OTHER",
        "NO_IMAGE",
        "IMAGE_OTHER",
    ],
)
def test_answers_that_the_vendor_gave_up_are_errors(wire: str) -> None:
    with pytest.raises(ProviderError) as raised:
        folded(event(reason=wire, finishMessage="Malformed call."))
    assert raised.value.fault is Fault.SERVER
    assert wire in raised.value.message
    assert "Malformed call." in raised.value.message


def test_calls_decide_the_finish_reason() -> None:
    assert folded(event(CALL), event(HELLO, reason="STOP")).choices[0].finish_reason == "tool_calls"
    assert folded(event(CALL), event(reason="MAX_TOKENS")).choices[0].finish_reason == "length"


def test_a_call_without_an_id_gets_one() -> None:
    answer = folded(event(CALL, {"functionCall": {"name": "g", "id": "own"}}, reason="STOP"))
    assert [(call.id, call.function.name) for call in answer.choices[0].message.tool_calls] == [
        ("call_made1", "f"),
        ("own", "g"),
    ]


def test_an_answer_without_an_id_gets_one_for_all_its_chunks() -> None:
    chunks = read(stream(event(HELLO), event(reason="STOP", usage={"promptTokenCount": 1})))
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-made1"}
    assert {chunk["model"] for chunk in chunks} == {"asked"}


def test_usage_is_taken_from_the_last_event_that_tells_it_and_never_added() -> None:
    first = {"promptTokenCount": 7, "candidatesTokenCount": 3, "thoughtsTokenCount": 4, "totalTokenCount": 99}
    chunks = read(stream(event(HELLO, usage=first), event(reason="STOP", usage={"candidatesTokenCount": 5})))
    usage = chunks[-1]["usage"]
    assert isinstance(usage, dict)
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (7, 9, 16)
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 4}


def test_tokens_are_told_apart_by_their_kind() -> None:
    usage = {
        "promptTokenCount": 9,
        "candidatesTokenCount": 3,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}, {"modality": "IMAGE", "tokenCount": 5}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 3}],
    }
    told = folded(event(HELLO, reason="STOP"))
    assert not told.HasField("usage")
    (batch, *_) = batches_of(stream(event(HELLO, reason="STOP", usage=usage)), reader())
    assert (batch.usage.input_tokens_details.audio_tokens, batch.usage.input_tokens_details.image_tokens) == (4, 5)
    assert batch.usage.output_tokens_details.audio_tokens == 3


def test_an_answer_may_have_no_usage() -> None:
    chunks = read(stream(event(HELLO, reason="STOP")))
    assert [bool(chunk["choices"]) for chunk in chunks] == [True]


def test_an_error_in_the_stream_is_one() -> None:
    error = '{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}'
    batches = batches_of(stream(event(HELLO), error), reader())
    assert next(batches).chunks[0].choices[0].delta.content == "Hello"
    with pytest.raises(ProviderError) as raised:
        next(batches)
    assert (raised.value.fault, raised.value.message) == (Fault.OVERLOADED, "The model is overloaded.")


def test_what_came_before_an_error_in_one_read_is_handed_on() -> None:
    batches = batches_of([b"".join(stream(event(HELLO), '{"error":{"code":500}}'))], reader())
    assert next(batches).chunks[0].choices[0].delta.content == "Hello"
    with pytest.raises(ProviderError) as raised:
        next(batches)
    assert raised.value.fault is Fault.SERVER


def test_an_error_that_cannot_be_read_is_one_all_the_same() -> None:
    with pytest.raises(ProviderError) as raised:
        list(batches_of(stream('{"error":{"code":"x"}}'), reader()))
    assert raised.value.fault is Fault.SERVER


def test_a_prompt_that_is_refused_in_the_midst_ends_every_choice() -> None:
    blocked = '{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"No."}}'
    chunks = chunks_of(list(batches_of(stream(event(HELLO), blocked), reader(2))))
    assert [(choice.index, choice.finish_reason, choice.delta.role) for choice in chunks[1].choices] == [
        (0, "content_filter", ""),
        (1, "content_filter", "assistant"),
    ]
    assert chunks[1].choices[0].delta.refusal == "No."


def test_media_that_the_model_makes_are_the_deltas() -> None:
    image, sound = {"mimeType": "image/png", "data": "AA=="}, {"mimeType": "audio/L16;rate=24000", "data": "AQ=="}
    (chunk,) = read(stream(event({"inlineData": image}, {"inlineData": sound}, reason="STOP")))
    delta = chunk["choices"][0]["delta"]  # type: ignore[index]
    assert delta["images"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, "index": 0},
    ]
    assert delta["audio"] == {"data": "AQ==", "mime_type": "audio/L16;rate=24000"}


def test_sources_are_handed_on_as_they_are() -> None:
    grounding = {"groundingChunks": [{"web": {"uri": "https://example.com", "title": "E"}}]}
    (chunk,) = read(stream(event(HELLO, reason="STOP", groundingMetadata=grounding)))
    assert chunk["choices"][0]["google"] == {"grounding_metadata": grounding}  # type: ignore[index]


def test_log_probabilities_are_openais() -> None:
    top = {"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "e", "logProbability": -1}]}
    result = {"chosenCandidates": [{"token": "é", "logProbability": -0.5}, {"token": "x"}], "topCandidates": [top]}
    first, second = folded(event(HELLO, reason="STOP", logprobsResult=result)).choices[0].logprobs.content
    assert (first.token, first.logprob, list(first.bytes)) == ("é", -0.5, [195, 169])
    assert [(token.token, token.logprob) for token in first.top_logprobs] == [("é", -0.5), ("e", -1)]
    assert (second.token, list(second.top_logprobs)) == ("x", [])


def test_what_the_vendors_own_tools_ran_is_left_out() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}}
    message = folded(event(*code, HELLO, reason="STOP")).choices[0].message
    assert (message.content, message.extra_json) == ("Hello", "")


@pytest.mark.parametrize("body", [event(HELLO), "{}", "[]", '{"candidates":[]}', "oops"])
def test_what_is_no_whole_answer_is_an_error(body: str) -> None:
    with pytest.raises(ProviderError) as raised:
        reader().whole(body.encode())
    assert raised.value.fault is Fault.PROTOCOL


def test_a_whole_answer_is_one_chunk_whose_calls_have_no_index() -> None:
    body = event({"text": "Hm.", "thought": True}, HELLO, CALL, CALL, reason="STOP", usage={"promptTokenCount": 3})
    batch = reader().whole(json.dumps(json.loads(body), indent=2).encode())
    message = batch.chunks[0].choices[0].delta
    assert (message.role, message.content, message.reasoning_content) == ("assistant", "Hello", "Hm.")
    assert [(call.HasField("index"), call.function.arguments) for call in message.tool_calls] == [(False, '{"a":1}')] * 2
    assert (batch.finishing, batch.usage.input_tokens, batch.chunks[0].usage) == (True, 3, batch.usage)


def test_images_of_one_stream_say_which_they_are() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    chunks = read(stream(event(image), event(image, image, reason="STOP")))
    images = [image for chunk in chunks for image in chunk["choices"][0]["delta"]["images"]]  # type: ignore[index]
    assert [image["index"] for image in images] == [0, 1, 2]
