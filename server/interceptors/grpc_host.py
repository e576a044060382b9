"""A gRPC server as a host of handlers."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol, cast

import grpc
from google.protobuf.message import Message

from server.call import Context
from server.interceptors.chain import Handler, Handlers


class _Writer(Context, Protocol):
    """The context of a streamed answer."""

    async def write(self, message: Message) -> None:
        """Sends a message; waits while the caller does not read."""


Stream = Callable[[Message, Context], AsyncGenerator[Message, None]]


class GrpcHost:
    """Serves handlers.

    Args:
        server: with this.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_handlers(self, service: str, handlers: Handlers) -> None:
        """Serves the handlers, by method name, under the service's full name."""
        closing = {name: _closing(handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, closing),))


def _closing(handler: Handler) -> Handler:
    """The handler, which closes its stream however its call ends: gRPC drops one whose caller leaves without reading."""
    if not handler.response_streaming:
        return handler
    stream = cast(Stream, handler.unary_stream)

    async def write(request: Message, context: _Writer) -> None:
        messages = stream(request, context)
        try:
            async for message in messages:
                await context.write(message)
        except BaseException:
            await asyncio.shield(messages.aclose())  # in a task of its own: that of the call may be cancelled yet
            del messages, context  # see `_Around` in chain.py
            raise

    behaviour = cast(Callable[[Message, Context], Awaitable[None]], write)
    return grpc.unary_stream_rpc_method_handler(behaviour, handler.request_deserializer, handler.response_serializer)
