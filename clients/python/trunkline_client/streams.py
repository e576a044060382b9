"""A call whose answer comes in pieces, for asyncio and for threads.

In comes a gRPC call that has begun; out come its messages as they are, and a `TrunklineError` where it fails.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import grpc

from trunkline.v1.chat_pb2 import ChatCompletionChunk
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse, StreamTextCompletionResponse
from trunkline.v1.text_pb2 import TextCompletion
from trunkline_client.calls import CallFacts, Facts, raise_if_closed
from trunkline_client.errors import from_rpc_error

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class _Call(Protocol):
    """What a stub for asyncio returns for a stream."""

    async def read(self) -> object: ...

    async def initial_metadata(self) -> grpc.aio.Metadata: ...

    async def trailing_metadata(self) -> grpc.aio.Metadata: ...

    def cancel(self) -> bool: ...


class _SyncCall(Protocol[R_co]):
    """What a stub for threads returns for a stream."""

    def __next__(self) -> R_co: ...

    def initial_metadata(self) -> Iterable[tuple[str, str | bytes]]: ...

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]]: ...

    def cancel(self) -> bool: ...


class MessageStream(CallFacts, Generic[R]):
    """The messages of one call, in order, each when it is asked for.

    Iterate it, in `async with` when you may leave before the end: leaving cancels the call. Any step may raise
    `TrunklineError`; a stream that ends without one is complete.

    Attributes:
        metadata: what the gateway told, pairs of key and value: nothing until the stream is open, then the call's initial
            metadata, and at the end of the stream the trailing metadata with it, which counts. So do `provider`,
            `attempts` and all the others.
    """

    __slots__ = ("_call", "_cancelled", "_held", "_opened", "metadata")

    def __init__(self, call: _Call) -> None:
        self._call = call
        self._cancelled = False
        self._opened = False
        self._held: object = None
        self.metadata = ()

    async def open(self) -> Self:
        """Waits until the answer begins: the metadata is known then, and iterating gives the first message without waiting.

        Raises:
            TrunklineError: the call failed before its first message.
        """
        if not self._opened:
            try:
                self._held = await self._call.read()
                self.metadata = tuple(await self._call.initial_metadata())
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
            except asyncio.CancelledError:
                self._tell_closed()
                raise
            self._opened = True
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        if not self._opened:
            await self.open()
        message = self._held
        if message is None:
            try:
                message = await self._call.read()
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
            except asyncio.CancelledError:
                self._tell_closed()
                raise
        else:
            self._held = None
        if message is grpc.aio.EOF:
            self._held = message
            self.metadata = _together(self.metadata, await self._call.trailing_metadata())
            raise StopAsyncIteration
        return message  # type: ignore[return-value]

    async def trailing_metadata(self) -> Facts:
        """What the gateway told at the end of the call. Waits for it: read all messages first."""
        return tuple(await self._call.trailing_metadata())

    def cancel(self) -> bool:
        """Ends the call, and with it the provider's work; false where it had ended already.

        Asking for another message raises `asyncio.CancelledError` then.
        """
        self._cancelled = True
        return self._call.cancel()

    def _tell_closed(self) -> None:
        if not self._cancelled:
            raise_if_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cancel()


class ChatStream(MessageStream[StreamChatCompletionResponse]):
    """A streamed chat completion. Its messages are what one read from the provider brought."""

    __slots__ = ()

    async def chunks(self) -> AsyncIterator[ChatCompletionChunk]:
        """The chunks one by one.

        Raises:
            ValueError: the gateway sends them as JSON texts, because the call asked for ANSWER_FORMAT_JSON.
        """
        async for message in self:
            for chunk in _typed_chunks(message):
                yield chunk


class TextStream(MessageStream[StreamTextCompletionResponse]):
    """A streamed text completion. Its messages are what one read from the provider brought."""

    __slots__ = ()

    async def chunks(self) -> AsyncIterator[TextCompletion]:
        """The chunks one by one."""
        async for message in self:
            for chunk in message.chunks:
                yield chunk


class SyncMessageStream(CallFacts, Generic[R]):
    """The messages of one call, for threads. As `MessageStream`."""

    __slots__ = ("_call", "_held", "_opened", "metadata")

    def __init__(self, call: _SyncCall[R]) -> None:
        self._call = call
        self._opened = False
        self._held: R | None = None
        self.metadata = ()

    def open(self) -> Self:
        """Waits until the answer begins. As `MessageStream.open`."""
        if not self._opened:
            self._held = self._receive()
            self.metadata = tuple(self._call.initial_metadata())
            self._opened = True
        return self

    def _receive(self) -> R | None:
        try:
            return next(self._call, None)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> R:
        self.open()
        message, self._held = self._held, None
        if message is None:
            message = self._receive()
        if message is None:
            self.metadata = _together(self.metadata, self._call.trailing_metadata())
            raise StopIteration
        return message

    def trailing_metadata(self) -> Facts:
        """What the gateway told at the end of the call. Waits for it: read all messages first."""
        return tuple(self._call.trailing_metadata())

    def cancel(self) -> bool:
        """Ends the call, and with it the provider's work. Asking for another message raises `CallCancelledError` then."""
        return self._call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._call.cancel()


class SyncChatStream(SyncMessageStream[StreamChatCompletionResponse]):
    """A streamed chat completion, for threads."""

    __slots__ = ()

    def chunks(self) -> Iterator[ChatCompletionChunk]:
        """The chunks one by one. As `ChatStream.chunks`."""
        for message in self:
            yield from _typed_chunks(message)


class SyncTextStream(SyncMessageStream[StreamTextCompletionResponse]):
    """A streamed text completion, for threads."""

    __slots__ = ()

    def chunks(self) -> Iterator[TextCompletion]:
        """The chunks one by one."""
        for message in self:
            yield from message.chunks


def _together(begun: Facts, ended: Iterable[tuple[str, str | bytes]]) -> Facts:
    """What was told with the beginning and with the end of a call; what was told twice counts as told at the end."""
    return tuple((dict(begun) | dict(ended)).items())


def _typed_chunks(message: StreamChatCompletionResponse) -> Iterable[ChatCompletionChunk]:
    if message.chunks_json:
        raise ValueError("the chunks of this stream are JSON texts; read its messages instead")
    return message.chunks
