"""A `grpc.aio.Channel` without a wire: calls run the servicers of this process, with the same interceptors.

A call runs in the task that awaits it: there is no task, no queue and no copy in between, so a slow reader slows the
servicer and a cancelled reader cancels it. Three things differ from a wire: a unary call that nobody awaits never begins;
messages are handed over, not copied, so neither side may change one afterwards; and context variables are the caller's.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, NoReturn, TypeVar, cast

import grpc
from google.protobuf.message import Message

from server.call import Metadata
from server.interceptors.chain import Handler, Handlers

Q = TypeVar("Q")
R = TypeVar("R")

_OK = grpc.StatusCode.OK

_LOOK_S = 1.0
"""How often the channel looks which deadlines come near. Those get a timer; the others have no need of one."""


class _Aborted(Exception):
    """The servicer ended the call with a status; the context has it."""


class _Context:
    """The servicer's side of a call: what `grpc.aio.ServicerContext` is on a wire."""

    __slots__ = ("code", "deadline", "details", "initial_metadata", "metadata", "trailing_metadata")

    def __init__(self, metadata: Metadata, timeout_s: float | None) -> None:
        self.metadata = metadata
        self.deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self.initial_metadata: Metadata | None = None
        self.trailing_metadata: Metadata = ()
        self.code: grpc.StatusCode | None = None
        self.details = ""

    def invocation_metadata(self) -> Metadata:
        return self.metadata

    def time_remaining(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    async def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        self.initial_metadata = initial_metadata

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        self.trailing_metadata = trailing_metadata

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()) -> NoReturn:
        self.code, self.details, self.trailing_metadata = code, details, trailing_metadata
        raise _Aborted

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        await self.abort(status.code, status.details, cast(Metadata, status.trailing_metadata or ()))

    def peer(self) -> str:
        return "inprocess"


class _InProcessCall:
    """The caller's side of a call. One step of the servicer runs at a time, in the task that asked for it."""

    __slots__ = (
        *("_callbacks", "_channel", "_context", "_deadline_timer", "_ended", "_ended_by", "_loop", "_stepping"),
        "__weakref__",
    )

    def __init__(self, channel: "InProcessChannel", metadata: Metadata, timeout_s: float | None) -> None:
        self._context = _Context(metadata, timeout_s)
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._stepping: asyncio.Task[object] | None = None
        self._ended = False
        self._ended_by: grpc.StatusCode | None = None
        self._callbacks: list[Callable[[object], None]] | None = None
        self._deadline_timer: asyncio.TimerHandle | None = None
        channel.calls.add(self)
        if timeout_s is not None:
            if timeout_s < 2 * _LOOK_S:
                self.time_out_in(timeout_s)
            else:
                channel.look_at_deadlines(self._loop)

    @property
    def deadline(self) -> float | None:
        """The deadline, by the monotonic clock; None where there is none, or it has a timer."""
        return self._context.deadline if self._deadline_timer is None else None

    def time_out_in(self, timeout_s: float) -> None:
        """Ends the call in so many seconds."""
        self._deadline_timer = self._loop.call_later(max(0.0, timeout_s), self._end, grpc.StatusCode.DEADLINE_EXCEEDED)

    async def _step(self, step: Awaitable[R]) -> R:
        """Runs a piece of the servicer, and turns the ways it may end into the ways a call ends."""
        task = self._stepping = asyncio.current_task(self._loop)
        assert task is not None
        cancelling = task.cancelling()
        try:
            result = await step
            if self._ended_by is None:
                return result
            self._abandon()  # it went on in spite of its end
        except BaseException as error:
            if self._ended_by is None:
                self._fail(error)
                raise
        finally:
            self._stepping = None
        self._finish(self._ended_by, _ENDINGS[self._ended_by])
        if task.uncancel() > cancelling:
            raise asyncio.CancelledError  # somebody else wants the task to end
        raise self._error()

    def _fail(self, error: BaseException) -> None:
        """Ends the call as the servicer did; raises what its caller gets, unless that is the error itself."""
        match error:
            case asyncio.CancelledError():
                self._ended_by = grpc.StatusCode.CANCELLED
                self._finish(grpc.StatusCode.CANCELLED, "The caller left.")
            case StopAsyncIteration():
                self._finish(_OK, "")
            case _Aborted():
                self._finish(cast(grpc.StatusCode, self._context.code), self._context.details)
                raise self._error()
            case Exception():
                self._finish(grpc.StatusCode.UNKNOWN, f"Unexpected {type(error).__name__}")
                raise self._error()

    def _error(self) -> BaseException:
        """What a finished call raises to whoever awaits it."""
        if self._ended_by is grpc.StatusCode.CANCELLED:
            return asyncio.CancelledError()
        return grpc.aio.AioRpcError(
            cast(grpc.StatusCode, self._context.code),
            grpc.aio.Metadata(*(self._context.initial_metadata or ())),
            grpc.aio.Metadata(*self._context.trailing_metadata),
            self._context.details,
        )

    def _finish(self, code: grpc.StatusCode, details: str) -> None:
        self._ended = True
        self._context.code, self._context.details = code, details
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        self._channel.calls.discard(self)
        if self._callbacks is not None:
            callbacks, self._callbacks = self._callbacks, None
            for callback in callbacks:
                callback(self)

    def _end(self, code: grpc.StatusCode) -> bool:
        """Ends the call from outside: the running step is cancelled, or the waiting servicer is closed."""
        if self._ended or self._ended_by is not None:
            return False
        self._ended_by = code
        if self._stepping is not None:
            self._stepping.cancel()
        else:
            self._abandon()
            self._finish(code, _ENDINGS[code])
        return True

    def _abandon(self) -> None:
        """Closes a servicer that is between two steps."""

    def cancel(self) -> bool:
        """Cancels the call; false when it has ended already."""
        return self._end(grpc.StatusCode.CANCELLED)

    def cancelled(self) -> bool:
        """Whether the call was cancelled."""
        return self._context.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        """Whether the call has ended."""
        return self._ended

    def time_remaining(self) -> float | None:
        """Seconds to the deadline; None: there is none."""
        return self._context.time_remaining()

    def add_done_callback(self, callback: Callable[[object], None]) -> None:
        """Calls back when the call has ended, at once if it has."""
        if self._ended:
            callback(self)
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    async def wait_for_connection(self) -> None:
        """There is nothing to connect to."""

    async def ended(self) -> None:
        """Waits for the end that others bring about."""
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.add_done_callback(lambda _: None if end.done() else end.set_result(None))
        await end

    async def _settle(self) -> None:
        """Runs the call to its end, for those who want to know how it ended before they read it."""
        raise NotImplementedError

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        """What came with the status."""
        await self._settle()
        return grpc.aio.Metadata(*self._context.trailing_metadata)

    async def code(self) -> grpc.StatusCode:
        """The status."""
        await self._settle()
        return cast(grpc.StatusCode, self._context.code)

    async def details(self) -> str:
        """The status's text."""
        await self._settle()
        return self._context.details


_ENDINGS = {
    grpc.StatusCode.CANCELLED: "Locally cancelled by application!",
    grpc.StatusCode.DEADLINE_EXCEEDED: "Deadline Exceeded",
    grpc.StatusCode.UNAVAILABLE: "The server is stopping.",
}


class _UnaryCall(_InProcessCall, Generic[R]):
    """A call with one answer. It begins when it is awaited."""

    __slots__ = ("_apart", "_begun", "_handler", "_request", "_response")

    def __init__(
        self, channel: "InProcessChannel", handler: Handler, request: Message, metadata: Metadata, timeout_s: float | None
    ) -> None:
        super().__init__(channel, metadata, timeout_s)
        self._handler: Callable[[Message, _Context], Awaitable[R]] = handler.unary_unary  # type: ignore[assignment]
        self._request = request
        self._response: R | None = None
        self._begun = False
        self._apart: asyncio.Task[None] | None = None

    def __await__(self):  # type: ignore[no-untyped-def]
        return self._answer().__await__()

    async def _answer(self) -> R:
        if not self._begun and not self._ended:
            self._begun = True
            self._response = response = await self._step(self._handler(self._request, self._context))
            self._finish(_OK, "")
            return response
        if not self._ended:
            try:
                await self.ended()
            except asyncio.CancelledError:
                self.cancel()
                raise
        if self._context.code is not _OK:
            raise self._error()
        return self._response  # type: ignore[return-value]

    async def _settle(self) -> None:
        if not self._begun and not self.done():
            self._apart = asyncio.ensure_future(self._answer_apart())
            await asyncio.wait([self._apart])
        elif not self.done():
            await self.ended()

    async def _answer_apart(self) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._answer()

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """What came before the answer."""
        if not self._ended:
            await self._settle()
        return grpc.aio.Metadata(*(self._context.initial_metadata or ()))


class _StreamCall(_InProcessCall, Generic[R]):
    """A call with a stream of answers. The servicer goes on only when the next one is asked for."""

    __slots__ = ("_messages", "_read_ahead")

    def __init__(
        self, channel: "InProcessChannel", handler: Handler, request: Message, metadata: Metadata, timeout_s: float | None
    ) -> None:
        super().__init__(channel, metadata, timeout_s)
        self._messages: AsyncGenerator[R, None] = handler.unary_stream(request, self._context)  # type: ignore[arg-type, assignment, misc]
        self._read_ahead: R | None = None

    def __aiter__(self) -> "_StreamCall[R]":
        return self

    async def __anext__(self) -> R:
        if self._read_ahead is not None:
            message, self._read_ahead = self._read_ahead, None
            return message
        if self._ended:
            if self._context.code is not _OK:
                raise self._error()
            raise StopAsyncIteration
        return await self._step(self._messages.__anext__())

    async def read(self) -> R | grpc.aio.EOF:  # type: ignore[valid-type]
        """The next message, or EOF."""
        try:
            if self._read_ahead is None and not self._ended:
                return await self._step(self._messages.__anext__())
            return await self.__anext__()
        except StopAsyncIteration:
            return grpc.aio.EOF

    def _abandon(self) -> None:
        self._channel.close_later(self._messages)

    async def _settle(self) -> None:
        """On a wire, too, the status comes only after the last message was read."""
        while not self.done():
            if self._read_ahead is not None:
                raise asyncio.InvalidStateError("the stream has messages that were not read")
            if self._stepping is None:
                await self._look_ahead()
            else:
                await self.ended()

    async def _look_ahead(self) -> None:
        with contextlib.suppress(StopAsyncIteration, grpc.aio.AioRpcError):
            self._read_ahead = await self._step(self._messages.__anext__())

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """What came before the first message; empty where the call failed before it."""
        if self._context.initial_metadata is None and not (
            self.done() or self._stepping is not None or self._read_ahead is not None
        ):
            await self._look_ahead()
        return grpc.aio.Metadata(*(self._context.initial_metadata or ()))


class _MultiCallable(Generic[Q, R]):
    """What a stub's attribute is: call it to begin a call."""

    def __init__(self, channel: "InProcessChannel", method: str, kind: type[_InProcessCall]) -> None:
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
        self.calls: set[_InProcessCall] = set()
        self.stopped: Handler | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._look: asyncio.TimerHandle | None = None

    def add_handlers(self, service: str, handlers: Handlers) -> None:
        """Serves the handlers, by method name, under the service's full name."""
        for name, handler in handlers.items():
            self.handlers[f"/{service}/{name}"] = handler

    def handler(self, method: str) -> Handler:
        """The handler of a method; one that ends with UNIMPLEMENTED where there is none."""
        return self.handlers.get(method) or _NO_METHOD

    def unary_unary(
        self,
        method: str,
        request_serializer: object = None,
        response_deserializer: object = None,
        _registered_method: bool = False,
    ) -> _MultiCallable[Message, Message]:
        """A callable for a method with one request and one answer."""
        return _MultiCallable(self, method, _UnaryCall)

    def unary_stream(
        self,
        method: str,
        request_serializer: object = None,
        response_deserializer: object = None,
        _registered_method: bool = False,
    ) -> _MultiCallable[Message, Message]:
        """A callable for a method with one request and a stream of answers."""
        return _MultiCallable(self, method, _StreamCall)

    def stream_unary(self, method: str, *arguments: object, **options: object) -> NoReturn:
        """The contract has no such method."""
        raise NotImplementedError(method)

    def stream_stream(self, method: str, *arguments: object, **options: object) -> NoReturn:
        """The contract has no such method."""
        raise NotImplementedError(method)

    def look_at_deadlines(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sees to it, while there are calls, that each whose deadline comes near gets a timer."""
        if self._look is None:
            self._look = loop.call_later(_LOOK_S, self._look_around, loop)

    def _look_around(self, loop: asyncio.AbstractEventLoop) -> None:
        self._look = None
        now = time.monotonic()
        for call in self.calls:
            deadline = call.deadline
            if deadline is not None and deadline - now < 2 * _LOOK_S:
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
        self.stopped = _STOPPED
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


class _NoHandler:
    """Ends every call with a status.

    Args:
        code: the status.
        details: its text.
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._status = code, details

    async def unary_unary(self, request: Message, context: _Context) -> Message:
        await context.abort(*self._status)

    async def unary_stream(self, request: Message, context: _Context) -> AsyncGenerator[Message, None]:
        await context.abort(*self._status)
        yield request


_NO_METHOD = cast(Handler, _NoHandler(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))
_STOPPED = cast(Handler, _NoHandler(grpc.StatusCode.UNAVAILABLE, _ENDINGS[grpc.StatusCode.UNAVAILABLE]))
