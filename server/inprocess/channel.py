"""The channel, and the host that servicers are added to."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Generic, NoReturn, TypeVar

import grpc
from google.protobuf.message import Message

from server.call import Metadata
from server.inprocess.call import LOOK_S, Call, StreamCall, UnaryCall
from server.inprocess.no_handler import NO_METHOD, STOPPED
from server.interceptors.chain import Handler, Handlers

Q = TypeVar("Q")
R = TypeVar("R")


class _MultiCallable(Generic[Q, R]):
    """What a stub's attribute is: call it to begin a call."""

    def __init__(self, channel: "InProcessChannel", method: str, kind: type[Call]) -> None:
        self._channel = channel
        self._method = method
        self._kind = kind
        self._handler = channel.handlers.get(method)

    def __call__(
        self,
        request: Q,
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: object = None,
        wait_for_ready: bool | None = None,
        compression: object = None,
    ) -> object:
        """Begins a call. `credentials`, `wait_for_ready` and `compression` mean nothing without a wire."""
        handler = self._channel.stopped or self._handler or self._channel.handler(self._method)
        return self._kind(self._channel, handler, request, metadata or (), timeout)  # type: ignore[call-arg, arg-type]


class InProcessChannel:
    """The channel, and the host that servicers are added to. Bound to the loop of whoever uses it.

    Attributes:
        calls: the calls that have not ended.
        stopped: takes the calls after the channel was closed; None before.
    """

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.calls: set[Call] = set()
        self.stopped: Handler | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._look: asyncio.TimerHandle | None = None

    def add_handlers(self, service: str, handlers: Handlers) -> None:
        """Serves the handlers, by method name, under the service's full name."""
        for name, handler in handlers.items():
            self.handlers[f"/{service}/{name}"] = handler

    def handler(self, method: str) -> Handler:
        """The handler of a method; one that ends with UNIMPLEMENTED where there is none."""
        return self.handlers.get(method) or NO_METHOD

    def unary_unary(
        self,
        method: str,
        request_serializer: object = None,
        response_deserializer: object = None,
        _registered_method: bool = False,
    ) -> _MultiCallable[Message, Message]:
        """A callable for a method with one request and one answer."""
        return _MultiCallable(self, method, UnaryCall)

    def unary_stream(
        self,
        method: str,
        request_serializer: object = None,
        response_deserializer: object = None,
        _registered_method: bool = False,
    ) -> _MultiCallable[Message, Message]:
        """A callable for a method with one request and a stream of answers."""
        return _MultiCallable(self, method, StreamCall)

    def stream_unary(self, method: str, *arguments: object, **options: object) -> NoReturn:
        """The contract has no such method."""
        raise NotImplementedError(method)

    def stream_stream(self, method: str, *arguments: object, **options: object) -> NoReturn:
        """The contract has no such method."""
        raise NotImplementedError(method)

    def look_at_deadlines(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sees to it, while there are calls, that each whose deadline comes near gets a timer."""
        if self._look is None:
            self._look = loop.call_later(LOOK_S, self._look_around, loop)

    def _look_around(self, loop: asyncio.AbstractEventLoop) -> None:
        self._look = None
        now = time.monotonic()
        for call in self.calls:
            deadline = call.deadline
            if deadline is not None and deadline - now < 2 * LOOK_S:
                call.time_out_in(deadline - now)
        if self.calls:
            self.look_at_deadlines(loop)

    def close_later(self, messages: AsyncGenerator[R, None]) -> None:
        """Closes a servicer's generator that nobody reads any more."""
        task = asyncio.ensure_future(messages.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self, grace: float | None = None) -> None:
        """Takes no more calls, and ends those still running after `grace` seconds, all with UNAVAILABLE."""
        self.stopped = STOPPED
        if grace and self.calls:
            ended = asyncio.Event()
            left = len(self.calls)

            def count(_: object) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    ended.set()

            for call in tuple(self.calls):
                call.add_done_callback(count)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), grace)
        for call in tuple(self.calls):
            call._end(grpc.StatusCode.UNAVAILABLE)
        for call in tuple(self.calls):
            await call.ended()
        if self._look is not None:
            self._look.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def __aenter__(self) -> "InProcessChannel":
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Always ready."""
        return grpc.ChannelConnectivity.READY

    async def channel_ready(self) -> None:
        """Always ready."""
