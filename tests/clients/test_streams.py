"""Streams: what they give and when, what breaks them off, and what is left of them on the server."""

import asyncio

import grpc
import pytest

from tests.clients.fake_gateway import Failure, Gateway
from tests.clients.requests import chat
from trunkline.v1.completion_service_pb2 import ANSWER_FORMAT_JSON, ANSWER_FORMAT_TYPED, StreamChatCompletionRequest
from trunkline.v1.text_pb2 import TextCompletionRequest, TextInput
from trunkline_client import (
    AsyncClient,
    CallCancelledError,
    Client,
    DeadlineExceededError,
    NotFoundError,
    ProviderError,
    TrunklineError,
    UnavailableError,
)

UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE, "later")


async def test_a_stream_gives_the_messages_as_they_were_sent(client: AsyncClient) -> None:
    messages = [message async for message in client.completions.stream_chat_completion(chat())]

    assert [[chunk.choices[0].delta.content for chunk in message.chunks] for message in messages] == [["Hello"], [" there"]]


async def test_a_stream_gives_single_chunks_too(client: AsyncClient) -> None:
    stream = client.completions.stream_chat_completion(chat())

    assert [chunk.choices[0].delta.content async for chunk in stream.chunks()] == ["Hello", " there"]


async def test_a_text_stream_does_the_same(client: AsyncClient) -> None:
    request = TextCompletionRequest(model="m", prompt=TextInput(text="Once upon"))
    stream = client.completions.stream_text_completion(request)

    assert [chunk.choices[0].text async for chunk in stream.chunks()] == ["Once", " upon"]


async def test_opening_tells_who_answers_and_takes_nothing_away(client: AsyncClient) -> None:
    stream = client.completions.stream_chat_completion(chat())
    assert (stream.provider, stream.attempts, stream.request_id) == ("", 0, "")

    assert await stream.open() is stream
    await stream.open()
    assert (stream.provider, stream.attempts, stream.request_id) == ("echo", 1, "req-1")
    assert len([message async for message in stream]) == 2


async def test_an_ended_stream_stays_ended_and_has_its_trailers(client: AsyncClient) -> None:
    stream = client.completions.stream_chat_completion(chat())
    assert len([message async for message in stream]) == 2

    assert [message async for message in stream] == []
    assert ("trunkline-model", "echo-1") in list(await stream.trailing_metadata())


async def test_the_end_of_a_stream_tells_who_ended_it(gateway: Gateway, client: AsyncClient) -> None:
    stream = await client.completions.stream_chat_completion(chat("mended")).open()
    assert (stream.provider, stream.attempts, stream.recovered_at) == ("echo", 1, None)
    assert len([message async for message in stream]) == 1
    assert (stream.provider, stream.attempts, stream.recovered_at) == ("second", 2, 4)
    assert len(dict(stream.metadata)) == len(stream.metadata)

    def work() -> None:
        with Client(gateway.target) as threads:
            stream = threads.completions.stream_chat_completion(chat("mended")).open()
            assert (stream.provider, stream.attempts, stream.recovered_at) == ("echo", 1, None)
            assert len(list(stream)) == 1
            assert (stream.provider, stream.attempts, stream.recovered_at) == ("second", 2, 4)
            assert len(dict(stream.metadata)) == len(stream.metadata)

    await asyncio.to_thread(work)


async def test_chunks_as_json_texts_are_for_those_who_ask(client: AsyncClient) -> None:
    stream = client.completions.stream_chat_completion(chat(), answer_format=ANSWER_FORMAT_JSON)
    assert [list(message.chunks_json) async for message in stream] == [[b"Hello"], [b" there"]]

    own = StreamChatCompletionRequest(chat=chat(), answer_format=ANSWER_FORMAT_JSON)
    with pytest.raises(ValueError, match="JSON texts"):
        await anext(aiter(client.completions.stream_chat_completion(own).chunks()))
    with pytest.raises(ValueError, match="answer_format"):
        client.completions.stream_chat_completion(own, answer_format=ANSWER_FORMAT_TYPED)


async def test_a_stream_that_cannot_begin_fails_where_it_is_opened(client: AsyncClient) -> None:
    with pytest.raises(NotFoundError) as raised:
        await client.completions.stream_chat_completion(chat("nobody")).open()

    assert raised.value.reason == "model_not_found"


async def test_a_stream_that_cannot_begin_fails_where_it_is_read(client: AsyncClient) -> None:
    stream = client.completions.stream_chat_completion(chat("nobody"))
    with pytest.raises(NotFoundError):
        await anext(stream)
    with pytest.raises(NotFoundError):
        await anext(stream)


async def test_a_stream_is_tried_again_before_its_first_message(gateway: Gateway, client: AsyncClient) -> None:
    gateway.script.failures.append(UNAVAILABLE)
    messages = [message async for message in client.completions.stream_chat_completion(chat())]

    assert len(messages) == 2
    assert len(gateway.script.calls) == 2


async def test_a_stream_that_breaks_after_its_first_message_is_not_tried_again(
    gateway: Gateway, client: AsyncClient
) -> None:
    stream = client.completions.stream_chat_completion(chat("broken"))
    assert (await anext(stream)).chunks[0].choices[0].delta.content == "word"

    with pytest.raises(ProviderError) as raised:
        await anext(stream)
    assert raised.value.code is grpc.StatusCode.UNAVAILABLE
    assert len(gateway.script.calls) == 1


async def test_no_message_before_a_failure_is_lost(gateway: Gateway, client: AsyncClient) -> None:
    stream = client.completions.stream_chat_completion(chat("burst"))
    await stream.open()
    await gateway.script.idle.wait()
    received = [await anext(stream) for _ in range(100)]

    assert len(received) == 100
    with pytest.raises(ProviderError):
        await anext(stream)


async def test_leaving_the_block_early_ends_the_call_on_the_server(gateway: Gateway, client: AsyncClient) -> None:
    async with client.completions.stream_chat_completion(chat("endless")) as stream:
        await anext(stream)
        assert gateway.script.running == 1

    await gateway.script.idle.wait()
    assert gateway.script.running == 0


async def test_leaving_the_block_before_reading_ends_the_call_on_the_server(gateway: Gateway, client: AsyncClient) -> None:
    async with client.completions.stream_chat_completion(chat("endless")):
        pass

    await client.metrics.get_health()
    await gateway.script.idle.wait()
    assert gateway.script.running == 0


async def test_a_cancelled_stream_is_not_a_complete_one(gateway: Gateway, client: AsyncClient) -> None:
    stream = client.completions.stream_chat_completion(chat("endless"))
    await anext(stream)
    assert stream.cancel()

    with pytest.raises(asyncio.CancelledError):
        await anext(stream)
    assert not stream.cancel()
    await gateway.script.idle.wait()


async def test_a_cancelled_reader_is_just_cancelled_and_ends_the_call(gateway: Gateway, client: AsyncClient) -> None:
    stream = client.completions.stream_chat_completion(chat("endless"))
    await anext(stream)
    reader = asyncio.ensure_future(anext(stream))
    await client.metrics.get_health()
    reader.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reader
    await gateway.script.idle.wait()


async def test_the_deadline_bounds_the_whole_stream(gateway: Gateway, client: AsyncClient) -> None:
    stream = client.completions.stream_chat_completion(chat("endless"), timeout_s=0.3)
    with pytest.raises(DeadlineExceededError):
        async for _ in stream:
            pass

    await gateway.script.idle.wait()


async def test_a_stream_for_threads_does_the_same(gateway: Gateway) -> None:
    def work() -> None:
        with Client(gateway.target) as client:
            stream = client.completions.stream_chat_completion(chat()).open()
            assert (stream.provider, stream.attempts, stream.request_id) == ("echo", 1, "req-1")
            assert [chunk.choices[0].delta.content for chunk in stream.chunks()] == ["Hello", " there"]
            assert list(stream) == []
            assert ("trunkline-model", "echo-1") in [tuple(pair) for pair in stream.trailing_metadata()]
            request = TextCompletionRequest(model="m", prompt=TextInput(text="Once upon"))
            texts = client.completions.stream_text_completion(request)
            assert [chunk.choices[0].text for chunk in texts.chunks()] == ["Once", " upon"]
            with pytest.raises(NotFoundError):
                client.completions.stream_chat_completion(chat("nobody")).open()
            with pytest.raises(ProviderError):
                list(client.completions.stream_chat_completion(chat("broken")))
            with client.completions.stream_chat_completion(chat("endless")) as endless:
                next(endless)
            with pytest.raises(CallCancelledError):
                next(endless)

    await asyncio.to_thread(work)
    await gateway.script.idle.wait()


async def test_a_server_that_goes_away_in_mid_stream_is_an_error(gateway: Gateway, client: AsyncClient) -> None:
    stream = client.completions.stream_chat_completion(chat("endless"))
    await anext(stream)
    await gateway.stop()

    with pytest.raises(TrunklineError) as raised:
        await anext(stream)
    assert isinstance(raised.value, UnavailableError | CallCancelledError)


async def test_closing_the_client_ends_a_stream_with_an_error(gateway: Gateway) -> None:
    client = AsyncClient(gateway.target)
    stream = client.completions.stream_chat_completion(chat("endless"))
    await anext(stream)
    reader = asyncio.ensure_future(anext(stream))
    await client.metrics.get_health()
    await client.close()

    with pytest.raises(UnavailableError, match="closed"):
        await reader
    await gateway.script.idle.wait()


async def test_a_stream_that_was_left_is_cancelled_and_its_channel_is_not_said_to_be_closed(client: AsyncClient) -> None:
    async with client.completions.stream_chat_completion(chat("endless")) as stream:
        await anext(stream)
    with pytest.raises(asyncio.CancelledError):
        await anext(stream)


async def test_closing_the_client_ends_a_stream_that_has_not_begun_with_an_error(gateway: Gateway) -> None:
    client = AsyncClient(gateway.target)
    stream = client.completions.stream_chat_completion(chat("endless"))
    await client.close()

    with pytest.raises(UnavailableError, match="closed"):
        await stream.open()
