"""The caller's side of a call that has no wire."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, Protocol, TypeVar, cast

import grpc
from google.protobuf.message import Message

from server.call import Metadata
from server.inprocess.context import ENDINGS, OK, Aborted, Context, Pairs
from server.interceptors.chain import Handler

R = TypeVar("R")

LOOK_S = 1.0
"""How often the channel looks which deadlines come near. Those get a timer; the others have no need of one."""


class Channel(Protocol):
    """What a call needs of its channel."""

    calls: "set[Call]"

    def look_at_deadlines(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sees to it, while there are calls, that each whose deadline comes near gets a timer."""

    def close_later(self, messages: AsyncGenerator[R, None]) -> None:
        """Closes a servicer's generator that nobody reads any more."""


class Call:
    """The caller's side of a call. One step of the servicer runs at a time, in the task that asked for it."""

    __slots__ = (
        *("_callbacks", "_channel", "_context", "_deadline_timer", "_ended", "_ended_by", "_loop"),
        *("_read_ahead", "_stepping", "__weakref__"),
    )

    def __init__(self, channel: Channel, metadata: Metadata, timeout_s: float | None) -> None:
        self._context = Context(metadata, timeout_s)
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._stepping: asyncio.Task[object] | None = None
        self._read_ahead: object | None = None
        self._ended = False
        self._ended_by: grpc.StatusCode | None = None
        self._callbacks: list[Callable[[object], None]] | None = None
        self._deadline_timer: asyncio.TimerHandle | None = None
        channel.calls.add(self)
        if timeout_s is not None:
            if timeout_s < 2 * LOOK_S:
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

    async def _step(self, step: Awaitable[R]) -> R | grpc.aio.EOF:  # type: ignore[valid-type]
        """Runs a piece of the servicer, and turns the ways it may end into the ways a call ends; EOF: a stream's end."""
        if self._ended or self._read_ahead is not None:  # since the step was asked for
            return cast(R, await self._left())
        task = self._stepping = asyncio.current_task(self._loop)
        assert task is not None
        cancelling = task.cancelling()
        try:
            result = await step
            if self._ended_by is None:
                return result
            self._abandon()  # it went on in spite of its end
        except StopAsyncIteration:
            if self._ended_by is None:
                self._finish(OK, "")
                return grpc.aio.EOF
        except BaseException as error:
            if self._ended_by is None:
                self._fail(error)
                raise
        finally:
            self._stepping = None
        self._finish(self._ended_by, ENDINGS[self._ended_by])
        if task.uncancel() > cancelling:
            raise asyncio.CancelledError  # somebody else wants the task to end
        raise self._error()

    async def _left(self) -> object:
        """What there is without the servicer."""
        raise self._error()

    def _fail(self, error: BaseException) -> None:
        """Ends the call as the servicer did; raises what its caller gets, unless that is the error itself."""
        match error:
            case asyncio.CancelledError():
                self._ended_by = grpc.StatusCode.CANCELLED
                self._finish(grpc.StatusCode.CANCELLED, "The caller left.")
            case Aborted():
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
            self._finish(code, ENDINGS[code])
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

    async def trailing_metadata(self) -> Pairs:
        """What came with the status."""
        await self._settle()
        return Pairs(self._context.trailing_metadata)

    async def code(self) -> grpc.StatusCode:
        """The status."""
        await self._settle()
        return cast(grpc.StatusCode, self._context.code)

    async def details(self) -> str:
        """The status's text."""
        await self._settle()
        return self._context.details


class UnaryCall(Call, Generic[R]):
    """A call with one answer. It begins when it is awaited."""

    __slots__ = ("_apart", "_begun", "_handler", "_request", "_response")

    def __init__(
        self, channel: Channel, handler: Handler, request: Message, metadata: Metadata, timeout_s: float | None
    ) -> None:
        super().__init__(channel, metadata, timeout_s)
        self._handler: Callable[[Message, Context], Awaitable[R]] = handler.unary_unary  # type: ignore[assignment]
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
            self._finish(OK, "")
            return response
        if not self._ended:
            try:
                await self.ended()
            except asyncio.CancelledError:
                self.cancel()
                raise
        if self._context.code is not OK:
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

    async def initial_metadata(self) -> Pairs:
        """What came before the answer."""
        if not self._ended:
            await self._settle()
        return Pairs(self._context.initial_metadata or ())


class StreamCall(Call, Generic[R]):
    """A call with a stream of answers. The servicer goes on only when the next one is asked for."""

    __slots__ = ("_messages",)

    def __init__(
        self, channel: Channel, handler: Handler, request: Message, metadata: Metadata, timeout_s: float | None
    ) -> None:
        super().__init__(channel, metadata, timeout_s)
        self._messages: AsyncGenerator[R, None] = handler.unary_stream(request, self._context)  # type: ignore[arg-type, assignment, misc]

    def __aiter__(self) -> "StreamCall[R]":
        return self

    async def __anext__(self) -> R:
        message = await self.read()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message

    def read(self) -> Awaitable[R | grpc.aio.EOF]:  # type: ignore[valid-type]
        """The next message, or EOF."""
        if self._read_ahead is None and not self._ended:
            return self._step(self._messages.__anext__())
        return self._left()

    async def _left(self) -> R | grpc.aio.EOF:  # type: ignore[valid-type]
        """What there is without the servicer."""
        if self._read_ahead is not None:
            message, self._read_ahead = self._read_ahead, None
            return cast(R, message)
        if self._context.code is not OK:
            raise self._error()
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
        with contextlib.suppress(grpc.aio.AioRpcError):
            message = await self._step(self._messages.__anext__())
            self._read_ahead = None if message is grpc.aio.EOF else message

    async def initial_metadata(self) -> Pairs:
        """What came before the first message; empty where the call failed before it."""
        if self._context.initial_metadata is None and not (
            self.done() or self._stepping is not None or self._read_ahead is not None
        ):
            await self._look_ahead()
        return Pairs(self._context.initial_metadata or ())
