"""Puts the interceptors around servicers: the only file that knows unary from streaming.

Handlers are wrapped once, when a servicer is registered, and then given to every host that serves them: a gRPC server and
the in-process one run the very same code in the same order.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Protocol, TypeAlias, cast

import grpc
from google.protobuf.message import Message

from server.call import Call, Context

Interceptor = Callable[[Call], AbstractAsyncContextManager[None]]
Handler: TypeAlias = "grpc.RpcMethodHandler[Message, Message]"
Handlers: TypeAlias = "Mapping[str, Handler]"
Unary = Callable[[Message, Call], Awaitable[Message]]
Stream = Callable[[Message, Call], AsyncGenerator[Message, None]]
UnaryBehaviour = Callable[[Message, Context], Awaitable[Message]]
StreamBehaviour = Callable[[Message, Context], AsyncGenerator[Message, None]]


class Host(Protocol):
    """A server that handlers can be added to."""

    def add_handlers(self, service: str, handlers: Handlers) -> None:
        """Serves the handlers, by method name, under the service's full name."""


class Registry:
    """Stands in for a server when servicers are added: wraps what they bring and adds it to every host.

    Args:
        interceptors: from the outermost to the innermost.
        hosts: the servers to serve the servicers.
    """

    def __init__(self, interceptors: Sequence[Interceptor], hosts: Sequence[Host]) -> None:
        self._interceptors = tuple(interceptors)
        self._hosts = tuple(hosts)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Handlers) -> None:
        """Called by the generated `add_XServicer_to_server`."""
        wrapped = {name: self._wrap(f"/{service_name}/{name}", handler) for name, handler in method_handlers.items()}
        for host in self._hosts:
            host.add_handlers(service_name, wrapped)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[object]) -> None:
        """Called by the generated code too, with the same handlers once more."""

    def _wrap(self, method: str, handler: Handler) -> Handler:
        codecs = handler.request_deserializer, handler.response_serializer
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._around_stream(method, handler.unary_stream), *codecs)
        return grpc.unary_unary_rpc_method_handler(self._around_unary(method, handler.unary_unary), *codecs)

    def _around_unary(self, method: str, servicer_method: object) -> UnaryBehaviour:
        behaviour = cast(Unary, servicer_method)

        async def intercepted(request: Message, context: Context) -> Message:
            call = Call(method, context, dict(context.invocation_metadata() or ()))
            async with AsyncExitStack() as stack:
                for interceptor in self._interceptors:
                    await stack.enter_async_context(interceptor(call))
                response = await behaviour(request, call)
            context.set_trailing_metadata(call.trailers)
            return response

        return intercepted

    def _around_stream(self, method: str, servicer_method: object) -> StreamBehaviour:
        behaviour = cast(Stream, servicer_method)

        async def intercepted(request: Message, context: Context) -> AsyncGenerator[Message, None]:
            call = Call(method, context, dict(context.invocation_metadata() or ()))
            async with AsyncExitStack() as stack:
                for interceptor in self._interceptors:
                    await stack.enter_async_context(interceptor(call))
                async with aclosing(behaviour(request, call)) as messages:
                    async for message in messages:
                        yield message
            context.set_trailing_metadata(call.trailers)

        return intercepted
