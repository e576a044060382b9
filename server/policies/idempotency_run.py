"""One call that may have several callers: it runs in a task of its own, and they read from its record."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import cast

import grpc

from server.call import Call, Metadata
from server.errors import GatewayError
from server.policies.idempotency_answer import Told
from server.policies.idempotency_record import Reader, Record
from server.providers.base import Ask, Batch, Operation
from trunkline.v1.completion_service_pb2 import (
    CreateEmbeddingsResponse,
    CreateImagesResponse,
    CreateVideosResponse,
    StreamChatCompletionResponse,
    StreamTextCompletionResponse,
)
from trunkline.v1.error_reason_pb2 import ErrorReason

Begin = Callable[[Ask, Call], AsyncGenerator[Batch, None]]
"""Answers a request, as the dispatcher does."""

REPLAYED = "trunkline-replayed"
"""The metadata key that says `true` where the answer is another call's."""

_REQUEST_ID = "x-request-id"
_OF_ANSWER = "trunkline-"
_BATCHES: Mapping[Operation, Callable[[bytes], Batch]] = {
    Operation.CHAT: StreamChatCompletionResponse.FromString,
    Operation.TEXT: StreamTextCompletionResponse.FromString,
    Operation.EMBEDDINGS: CreateEmbeddingsResponse.FromString,
    Operation.IMAGES: CreateImagesResponse.FromString,
    Operation.VIDEOS: CreateVideosResponse.FromString,
}


class Run:
    """A request that is being answered, once, for everyone who made it with the same key.

    Args:
        key: the key as sent.
        row_id: its row.
        digest: of the request.
        first: the call that began it.
        most_bytes: how large a recorded answer may be.

    Attributes:
        record: the answer.
        claimed: whether the row is this process's, or may be; not any more once the answer is in it.
        whole: whether the answer is whole, though perhaps not kept yet.
        old: whether the answer was there already.
        leaving: whether nobody can join any more.
        gone: whether another may take its place.
        task: answers.
    """

    __slots__ = (
        *("_first", "claimed", "digest", "gone", "key", "leaving", "old", "record", "row_id", "task", "whole"),
        "__weakref__",
    )

    def __init__(self, key: str, row_id: str, digest: bytes, first: Call, most_bytes: int) -> None:
        self.key = key
        self.row_id = row_id
        self.digest = digest
        self.record = Record(most_bytes)
        self.claimed = False
        self.whole = False
        self.old = False
        self.leaving = False
        self.gone = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._first = first

    async def ask(self, ask: Ask, begin: Begin, keep: Callable[[], Awaitable[None]]) -> None:
        """Answers the request into the record, and leaves the end open.

        Args:
            ask: the request.
            begin: answers it.
            keep: keeps the record, once it is whole and before it is settled.

        Raises:
            GatewayError: as `begin` does.
        """
        first, record = self._first, self.record

        async def keep_whole() -> None:
            record.trailers = _without_id(call.trailers)
            self.whole = True
            await keep()

        trailers = [(_REQUEST_ID, first.request_id)]
        call = replace(first, context=_Context(first, record), trailers=trailers, keep=keep_whole)
        try:
            async with aclosing(begin(ask, call)) as batches:
                async for batch in batches:
                    await record.add(batch.SerializeToString())
        finally:
            record.trailers = _without_id(call.trailers)
        if not self.whole:  # nobody settles it
            await keep_whole()

    async def listen(self, ask: Ask, call: Call, reader: Reader) -> AsyncGenerator[Batch, None]:
        """Gives a caller the answer, with its metadata.

        Raises:
            GatewayError: as `begin` does; DEADLINE_EXCEEDED where the caller's deadline comes first.
        """
        parse = _BATCHES[ask.operation]
        begun = False
        try:
            while (message := await _in_time(reader, call)) is not None:
                if not begun:
                    begun = True
                    head = self._told(call, self.record.head)
                    await call.context.send_initial_metadata(((_REQUEST_ID, call.request_id), *head))
                yield parse(message)
        finally:
            self.leave(reader)
            if self.record.ended:
                call.trailers.extend(self._told(call, self.record.trailers))

    def leave(self, reader: Reader) -> None:
        """A caller reads no more; after the last one nobody needs an answer that is not whole."""
        reader.close()
        if self.record.reader_count == 0 and not (self.whole or self.record.ended):
            self.cancel()

    def cancel(self) -> None:
        """Ends the work, and leaves nothing of it."""
        self.leaving = True
        assert self.task is not None
        self.task.cancel()

    def _told(self, call: Call, told: Told) -> Told:
        """What a caller is told: who answered, and of limits only the first one, who used them up."""
        if call is self._first and not self.old:
            return told
        call.notes["replayed"] = True
        return [*(pair for pair in told if pair[0].startswith(_OF_ANSWER)), (REPLAYED, "true")]


class _Context:
    """The context of a call that is made for several callers: they have deadlines, it has none.

    Args:
        first: the call that began it.
        record: gets what is told.
    """

    __slots__ = ("_metadata", "_peer", "_record")

    def __init__(self, first: Call, record: Record) -> None:
        self._metadata = tuple(first.metadata.items())
        self._peer = first.context.peer()
        self._record = record

    def invocation_metadata(self) -> Metadata:
        return self._metadata

    def time_remaining(self) -> float | None:
        return None

    async def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        self._record.head = _without_id(initial_metadata)

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        """The record gets the call's trailers at its end."""

    async def abort_with_status(self, status: grpc.Status) -> None:
        """Only interceptors do this, and there are none around this call."""
        raise NotImplementedError

    def peer(self) -> str:
        return self._peer


def _without_id(metadata: Metadata) -> list[tuple[str, str]]:
    return [cast(tuple[str, str], pair) for pair in metadata if pair[0] != _REQUEST_ID]


async def _in_time(reader: Reader, call: Call) -> bytes | None:
    """The next message, if it comes before the caller's deadline."""
    try:
        async with asyncio.timeout(call.context.time_remaining()) as timeout:
            return await reader.next()
    except TimeoutError:
        if not timeout.expired():
            raise
        raise GatewayError(
            ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED, "The deadline passed before the answer's end."
        ) from None
