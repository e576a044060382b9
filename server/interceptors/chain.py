"""Puts the interceptors around servicers: the only file that knows unary from streaming.

Handlers are wrapped once, when a servicer is registered, and then given to every host that serves them: a gRPC server and
the in-process one run the very same code in the same order.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Protocol, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError, Message

from server.call import Call, Context
from server.errors import invalid_request

Handler: TypeAlias = "grpc.RpcMethodHandler[Message, Message]"
Handlers: TypeAlias = "Mapping[str, Handler]"
Unary = Callable[[Message, Call], Awaitable[Message]]
Stream = Callable[[Message, Call], AsyncGenerator[Message, None]]
UnaryBehaviour = Callable[[Message | None, Context], Awaitable[Message]]
StreamBehaviour = Callable[[Message | None, Context], AsyncGenerator[Message, None]]
Decode = Callable[[bytes], Message]

_NO_MESSAGE = "The bytes that came are no message that this method takes."


class Interceptor(Protocol):
    """One concern around every call: one object for all calls; what it must know of one of them stands in the call.

    Both steps may wait, which they say by returning what to wait for. Most do not, and then they cost a plain call.
    """

    def enter(self, call: Call) -> Awaitable[None] | None:
        """Happens before the call; an exception refuses it."""

    def leave(self, call: Call, error: BaseException | None) -> Awaitable[None] | None:
        """Happens after the call that was entered, whatever came of it; an exception takes the place of `error`.

        Args:
            error: what left those within; None: the call ended well.
        """


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
        codecs = cast(Decode, _lenient(cast(Decode, handler.request_deserializer))), handler.response_serializer
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._around_stream(method, handler.unary_stream), *codecs)
        return grpc.unary_unary_rpc_method_handler(self._around_unary(method, handler.unary_unary), *codecs)

    def _around_unary(self, method: str, servicer_method: object) -> UnaryBehaviour:
        behaviour = cast(Unary, servicer_method)
        interceptors = self._interceptors

        async def intercepted(request: Message | None, context: Context) -> Message:
            call = Call(method, context, dict(context.invocation_metadata() or ()))
            try:
                async with _Around(interceptors, call):
                    if request is None:
                        raise invalid_request(_NO_MESSAGE)
                    response = await behaviour(request, call)
            except BaseException:
                del call, context  # see `_Around`
                raise
            context.set_trailing_metadata(call.trailers)
            return response

        return intercepted

    def _around_stream(self, method: str, servicer_method: object) -> StreamBehaviour:
        behaviour = cast(Stream, servicer_method)
        interceptors = self._interceptors

        async def intercepted(request: Message | None, context: Context) -> AsyncGenerator[Message, None]:
            call = Call(method, context, dict(context.invocation_metadata() or ()))
            try:
                async with _Around(interceptors, call):
                    if request is None:
                        raise invalid_request(_NO_MESSAGE)
                    async with aclosing(behaviour(request, call)) as messages:
                        async for message in messages:
                            yield message
            except BaseException:
                del call, context  # see `_Around`
                raise
            context.set_trailing_metadata(call.trailers)

        return intercepted


def _lenient(decode: Decode) -> Callable[[bytes], Message | None]:
    """Decodes, or gives None, for the call to be refused as any other: gRPC would log it as a fault of ours."""

    def decoded(data: bytes) -> Message | None:
        try:
            return decode(data)
        except DecodeError:
            return None

    return decoded


class _Around:
    """All interceptors around one call.

    Args:
        interceptors: from the outermost to the innermost.
        call: the call.
    """

    __slots__ = ("_call", "_interceptors")

    def __init__(self, interceptors: Sequence[Interceptor], call: Call) -> None:
        self._interceptors = interceptors
        self._call = call

    async def __aenter__(self) -> None:
        call = self._call
        entered = 0
        try:
            for interceptor in self._interceptors:
                waiting = interceptor.enter(call)
                if waiting is not None:
                    await waiting
                entered += 1
        except BaseException as error:
            self._interceptors = self._interceptors[:entered]
            await self.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        call, current = self._call, error
        for interceptor in reversed(self._interceptors):
            try:
                waiting = interceptor.leave(call, current)
                if waiting is not None:
                    await waiting
            except BaseException as another:
                current = another
        if current is not None and current is not error:
            if error is not None:
                error.__traceback__ = None
            try:
                raise current.with_traceback(None)
            finally:  # an error whose traceback leads back to it, as through a call of gRPC's, waits for a collection
                del self, call, current, error, traceback
