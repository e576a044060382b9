"""The gRPC floor: the least that a gRPC face built of the same parts can do, and so what the gateway's is measured by.

A bare grpc.aio server that takes the contract's request, forwards it with the gateway's HTTP client (aiohttp) and hands
back what came, unparsed, as the contract's JSON: an unstreamed answer whole, of a stream every read as one message.

    python -m benchmarks.floor_grpc --port 9002 --provider http://127.0.0.1:9000
"""

import argparse
from collections.abc import AsyncIterator

import aiohttp
import grpc
import grpc.aio
import orjson
import uvloop

from trunkline.v1 import chat_pb2, completion_service_pb2

_HEADERS = {"Authorization": "Bearer x", "Content-Type": "application/json"}
_Context = grpc.aio.ServicerContext[object, object]


class Floor:
    """Forwards both chat calls to the provider."""

    def __init__(self, session: aiohttp.ClientSession, provider_url: str) -> None:
        """Takes the session to forward with; the caller closes it."""
        self._session = session
        self._url = provider_url + "/v1/chat/completions"

    async def create(
        self, request: completion_service_pb2.CreateChatCompletionRequest, context: _Context
    ) -> completion_service_pb2.CreateChatCompletionResponse:
        """Answers a conversation."""
        async with self._session.post(self._url, data=_body(request.chat, stream=False), headers=_HEADERS) as answer:
            return completion_service_pb2.CreateChatCompletionResponse(completion_json=await answer.read())

    async def stream(
        self, request: completion_service_pb2.StreamChatCompletionRequest, context: _Context
    ) -> AsyncIterator[completion_service_pb2.StreamChatCompletionResponse]:
        """Answers a conversation read by read."""
        async with self._session.post(self._url, data=_body(request.chat, stream=True), headers=_HEADERS) as answer:
            async for data in answer.content.iter_any():
                yield completion_service_pb2.StreamChatCompletionResponse(chunks_json=[data])


def handlers(floor: Floor) -> grpc.GenericRpcHandler:
    """Binds the floor to the contract's two methods."""
    pb = completion_service_pb2
    return grpc.method_handlers_generic_handler(
        "trunkline.v1.CompletionService",
        {
            "CreateChatCompletion": grpc.unary_unary_rpc_method_handler(
                floor.create,
                request_deserializer=pb.CreateChatCompletionRequest.FromString,
                response_serializer=pb.CreateChatCompletionResponse.SerializeToString,
            ),
            "StreamChatCompletion": grpc.unary_stream_rpc_method_handler(
                floor.stream,
                request_deserializer=pb.StreamChatCompletionRequest.FromString,
                response_serializer=pb.StreamChatCompletionResponse.SerializeToString,
            ),
        },
    )


def _body(chat: chat_pb2.ChatCompletionRequest, stream: bool) -> bytes:
    messages = [{"role": message.role, "content": message.content} for message in chat.messages]
    return orjson.dumps({"model": chat.model, "messages": messages, "stream": stream})


async def _main(port: int, provider_url: str) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((handlers(Floor(session, provider_url)),))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The gRPC floor of the benchmarks.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--provider", required=True)
    arguments = parser.parse_args()
    uvloop.run(_main(arguments.port, arguments.provider))
