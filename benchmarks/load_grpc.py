"""The gRPC load generator: calls the contract's chat methods over and over, and checks every answer.

In: where to call, which model, how often, how many calls at once (on one channel, as an application has it).
Out: how long each call took. A wrong answer, or a status other than OK, ends the load with WrongAnswer.
"""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator

import grpc
import grpc.aio

from benchmarks import answers
from benchmarks.load_rest import API_KEY, Load, WrongAnswer
from trunkline.v1 import chat_pb2, completion_service_pb2, completion_service_pb2_grpc
from trunkline.v1.completion_service_pb2 import ANSWER_FORMAT_JSON

_METADATA = (("authorization", f"Bearer {API_KEY}"),)
_CALL_TIMEOUT_S = 60.0


async def load(port: int, model: str, stream: bool, requests: int, concurrency: int, timeout_s: float = 120.0) -> Load:
    """Makes `requests` calls, `concurrency` at once, and returns when every answer was checked.

    Raises: WrongAnswer at the first answer that is wrong; TimeoutError.
    """
    chat = chat_pb2.ChatCompletionRequest(model=model, messages=[chat_pb2.Message(role="user", content="Hello!")])
    async with asyncio.timeout(timeout_s), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = completion_service_pb2_grpc.CompletionServiceStub(channel)
        await channel.channel_ready()
        call = _streamed(stub, chat) if stream else _unary(stub, chat)
        unsent = iter(range(requests))
        latencies_s: list[float] = []
        gc.collect()
        gc.disable()
        start = time.perf_counter()
        callers = [asyncio.create_task(_repeat(call, unsent, latencies_s)) for _ in range(concurrency)]
        try:
            await asyncio.gather(*callers)
            return Load(requests, time.perf_counter() - start, latencies_s)
        except grpc.aio.AioRpcError as error:
            raise WrongAnswer(f"the call ended with {error.code()}: {error.details()}") from error
        finally:
            gc.enable()
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)


async def _repeat(call: Callable[[], Awaitable[None]], unsent: Iterator[int], latencies_s: list[float]) -> None:
    for _ in unsent:
        sent_at = time.perf_counter()
        await call()
        latencies_s.append(time.perf_counter() - sent_at)


def _unary(
    stub: "completion_service_pb2_grpc.CompletionServiceAsyncStub", chat: chat_pb2.ChatCompletionRequest
) -> Callable[[], Awaitable[None]]:
    request = completion_service_pb2.CreateChatCompletionRequest(chat=chat, answer_format=ANSWER_FORMAT_JSON)

    async def call() -> None:
        answer = await stub.CreateChatCompletion(request, metadata=_METADATA, timeout=_CALL_TIMEOUT_S)
        if answers.ANSWER_MARK not in answer.completion_json:
            raise WrongAnswer(f"{answers.ANSWER_MARK!r} does not stand in the answer: {answer}")

    return call


def _streamed(
    stub: "completion_service_pb2_grpc.CompletionServiceAsyncStub", chat: chat_pb2.ChatCompletionRequest
) -> Callable[[], Awaitable[None]]:
    # As the floor's, the chunks are to come as the provider's JSON: typed ones are another thing, and cost more everywhere.
    request = completion_service_pb2.StreamChatCompletionRequest(chat=chat, answer_format=ANSWER_FORMAT_JSON)

    async def call() -> None:
        count = 0
        async for message in stub.StreamChatCompletion(request, metadata=_METADATA, timeout=_CALL_TIMEOUT_S):
            count += sum(text.count(answers.CHUNK_MARK) for text in message.chunks_json)
        if count != answers.TEXT_CHUNK_COUNT:
            raise WrongAnswer(f"{answers.CHUNK_MARK!r} came {count} times instead of {answers.TEXT_CHUNK_COUNT}")

    return call
