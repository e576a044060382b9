"""What each fault does to an answer, and that it looks as if the provider did it."""

import asyncio

import pytest

from server.clock import SystemClock
from server.config.schema import ChaosEngineeringSettings
from server.policies.chaos import Chaos
from server.providers.base import Ask, Operation
from server.providers.errors import Fault
from tests.server.policies.chaos_stage import TurnedClock, Vendor, answer, chaos, chat, fault, said, says
from trunkline.v1.chat_pb2 import Usage
from trunkline.v1.completion_service_pb2 import (
    CreateEmbeddingsResponse,
    StreamChatCompletionResponse,
    StreamTextCompletionResponse,
)
from trunkline.v1.text_pb2 import EmbeddingRequest, TextCompletion, TextCompletionRequest

ANSWER = [says("a"), says("b", "c", "d"), says("e")]
WHOLE = [["a"], ["b", "c", "d"], ["e"]]


@pytest.mark.parametrize(
    ("type", "settings", "expected", "message"),
    [
        pytest.param("error", {}, (Fault.SERVER, 500), "Status 500, made on purpose.", id="error"),
        pytest.param("error", {"error_code": 503}, (Fault.OVERLOADED, 503), "Status 503, made on purpose.", id="overload"),
        pytest.param("error", {"error_code": 401}, (Fault.AUTHENTICATION, 401), None, id="a refused key"),
        pytest.param("error", {"error_code": 400}, (Fault.INVALID_REQUEST, 400), None, id="a bad request"),
        pytest.param("error", {"error_code": 404}, (Fault.MODEL_NOT_FOUND, 404), None, id="no such model"),
        pytest.param("error", {"error_code": 429}, (Fault.RATE_LIMITED, 429), None, id="a status of rate limits"),
        pytest.param("error", {"error_message": "Broken."}, (Fault.SERVER, 500), "Broken.", id="a message"),
        pytest.param("rate_limit", {}, (Fault.RATE_LIMITED, 429), None, id="rate limit"),
        pytest.param("malformed", {}, (Fault.PROTOCOL, None), "The provider's answer is not JSON.", id="malformed"),
        pytest.param("reset", {}, (Fault.CONNECTION, None), "The connection to the provider failed.", id="reset"),
        pytest.param("timeout", {"duration_ms": 1}, (Fault.TIMEOUT, None), None, id="timeout"),
        pytest.param("cut_stream", {"after_chunks": 0}, (Fault.PROTOCOL, None), None, id="cut at once"),
    ],
)
async def test_a_fault_before_the_first_chunk_comes_without_asking_the_provider(
    type: str, settings: dict[str, object], expected: tuple[Fault, int | None], message: str | None
) -> None:
    vendor = Vendor(ANSWER)
    batches, error, told = await answer(chaos(fault(type, **settings)), vendor)
    assert error is not None
    assert (batches, vendor.asks, (error.fault, error.status)) == ([], [], expected)
    assert error.message == message or message is None
    assert told == f"configured-1;type={type};severity=low"


@pytest.mark.parametrize(("duration_ms", "retry_after_s"), [(None, None), (2500, 2.5), (0, 0)])
async def test_a_rate_limit_may_say_when_to_come_back(duration_ms: int | None, retry_after_s: float | None) -> None:
    _, error, _ = await answer(chaos(fault("rate_limit", duration_ms=duration_ms)), Vendor(ANSWER))
    assert error is not None
    assert error.retry_after_s == retry_after_s


async def test_a_delay_comes_before_the_answer_and_takes_nothing_from_it() -> None:
    clock, vendor = TurnedClock(), Vendor(ANSWER)
    batches, error, _ = await answer(chaos(fault("delay", duration_ms=250), clock=clock), vendor)
    assert (said(batches), error, clock.slept, vendor.closed) == (WHOLE, None, [0.25], 1)


async def test_a_delay_is_a_second_unless_it_says_otherwise() -> None:
    clock = TurnedClock()
    await answer(chaos(fault("delay"), clock=clock), Vendor(ANSWER))
    assert clock.slept == [1]


async def test_a_delay_takes_from_the_attempts_time() -> None:
    vendor = Vendor(ANSWER)
    await answer(chaos(fault("delay", duration_ms=2000)), vendor, chat(timeout_s=5))
    assert vendor.asks[0].timeout_s == 3


@pytest.mark.parametrize("duration_ms", [5000, 60_000])
async def test_a_delay_that_is_longer_than_the_attempt_is_a_timeout(duration_ms: int) -> None:
    clock, vendor = TurnedClock(), Vendor(ANSWER)
    _, error, _ = await answer(chaos(fault("delay", duration_ms=duration_ms), clock=clock), vendor, chat(timeout_s=5))
    assert error is not None
    assert (error.fault, clock.slept, vendor.asks) == (Fault.TIMEOUT, [5], [])


@pytest.mark.parametrize(
    ("duration_ms", "timeout_s", "slept"),
    [
        pytest.param(None, 30, 30, id="as long as the attempt"),
        pytest.param(100, 30, 0.1, id="as long as it says"),
        pytest.param(60_000, 30, 30, id="never longer than the attempt"),
        pytest.param(None, None, 86_400, id="a day where nothing bounds the attempt"),
    ],
)
async def test_a_timeout_takes_its_time(duration_ms: int | None, timeout_s: float | None, slept: float) -> None:
    clock = TurnedClock()
    made = chaos(fault("timeout", duration_ms=duration_ms), clock=clock)
    _, error, _ = await answer(made, Vendor(ANSWER), chat(timeout_s=timeout_s))
    assert error is not None
    assert (error.fault, clock.slept) == (Fault.TIMEOUT, [slept])


@pytest.mark.parametrize(
    ("after", "passed"),
    [
        (1, [["a"]]),
        (2, [["a"], ["b"]]),
        (3, [["a"], ["b", "c"]]),
        (4, [["a"], ["b", "c", "d"]]),
        (5, WHOLE),
        (6, WHOLE),
    ],
)
@pytest.mark.parametrize("type", ["cut_stream", "malformed", "reset", "error", "stall", "timeout", "rate_limit"])
async def test_a_fault_comes_after_so_many_chunks_and_closes_the_provider(
    type: str, after: int, passed: list[list[str]]
) -> None:
    vendor = Vendor(ANSWER)
    batches, error, _ = await answer(chaos(fault(type, after_chunks=after)), vendor, chat(timeout_s=60))
    assert error is not None
    assert (said(batches), vendor.closed) == (passed, 1)


@pytest.mark.parametrize("type", ["cut_stream", "stall"])
async def test_a_stream_breaks_after_its_first_chunk_unless_told_otherwise(type: str) -> None:
    batches, error, _ = await answer(chaos(fault(type)), Vendor(ANSWER))
    assert error is not None
    assert said(batches) == [["a"]]


async def test_a_delay_in_the_midst_of_a_batch_loses_nothing() -> None:
    clock = TurnedClock()
    batches, error, _ = await answer(chaos(fault("delay", after_chunks=2), clock=clock), Vendor(ANSWER))
    assert (said(batches), error, clock.slept) == ([["a"], ["b"], ["c", "d"], ["e"]], None, [1])


async def test_what_goes_with_the_last_chunk_stays_with_it() -> None:
    usage = Usage(input_tokens=1, output_tokens=2)
    batch = says("a", "b", finishing=True, last=True)
    batch.usage.CopyFrom(usage)
    batches, _, _ = await answer(chaos(fault("delay", after_chunks=1)), Vendor([batch]))
    assert batches[0] == says("a")
    assert batches[1] == StreamChatCompletionResponse(chunks=batch.chunks[1:], finishing=True, last=True, usage=usage)


async def test_a_batch_that_trouble_follows_is_not_the_last() -> None:
    vendor = Vendor([says("a", finishing=True, last=True)])
    batches, error, _ = await answer(chaos(fault("cut_stream")), vendor)
    assert error is not None
    assert batches == [says("a", finishing=True)]
    assert vendor.batches == [says("a", finishing=True, last=True)]


async def test_json_lines_are_counted_line_by_line() -> None:
    lines = StreamChatCompletionResponse(chunks_json=[b'{"n":1}\n{"n":2}\n', b'{"n":3}'])
    batches, _, _ = await answer(chaos(fault("cut_stream", after_chunks=2)), Vendor([lines]))
    assert batches == [StreamChatCompletionResponse(chunks_json=[b'{"n":1}', b'{"n":2}'])]
    batches, _, _ = await answer(chaos(fault("delay", after_chunks=1)), Vendor([lines]))
    assert [line for batch in batches for line in batch.chunks_json] == [b'{"n":1}', b'{"n":2}', b'{"n":3}']  # type: ignore[union-attr]


async def test_chunks_of_texts_are_counted_too() -> None:
    batch = StreamTextCompletionResponse(chunks=[TextCompletion(id="1"), TextCompletion(id="2")], finishing=True)
    ask = Ask(Operation.TEXT, TextCompletionRequest(model="m"), "m", streamed=True)
    batches, _, _ = await answer(chaos(fault("delay", after_chunks=1)), Vendor([batch]), ask)
    assert batches == [
        StreamTextCompletionResponse(chunks=[TextCompletion(id="1")]),
        StreamTextCompletionResponse(chunks=[TextCompletion(id="2")], finishing=True),
    ]


async def test_an_answer_that_is_not_streamed_is_one_chunk() -> None:
    whole = StreamChatCompletionResponse(chunks_json=[b'{\n"choices": []\n}'], finishing=True)
    batches, error, _ = await answer(chaos(fault("cut_stream")), Vendor([whole]), chat(streamed=False))
    assert error is not None
    assert (batches, error.fault) == ([whole], Fault.PROTOCOL)


async def test_embeddings_are_one_chunk() -> None:
    ask = Ask(Operation.EMBEDDINGS, EmbeddingRequest(model="m"), "m", streamed=False)
    batches, error, _ = await answer(chaos(fault("reset", after_chunks=1)), Vendor([CreateEmbeddingsResponse()]), ask)
    assert error is not None
    assert len(batches) == 1


async def test_leaving_closes_the_provider() -> None:
    vendor = Vendor(ANSWER)
    stream, _ = chaos(fault("delay", after_chunks=4)).stream("p", chat(), "app", vendor.stream)
    await anext(stream)
    await stream.aclose()
    assert vendor.closed == 1


async def test_a_caller_who_leaves_ends_a_stall_and_closes_the_provider() -> None:
    vendor, stalled = Vendor(ANSWER), asyncio.Event()

    async def sleep(seconds: float) -> None:
        stalled.set()
        await asyncio.sleep(seconds)

    made = Chaos(SystemClock(), lambda: 0.5, sleep)
    made.configure(ChaosEngineeringSettings(enabled=True, faults=(fault("stall"),)))
    reading = asyncio.create_task(answer(made, vendor))
    await stalled.wait()
    assert vendor.closed == 0
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert vendor.closed == 1
